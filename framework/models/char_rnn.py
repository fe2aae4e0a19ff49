"""Character language model. T. Mikolov et al., "Recurrent neural network based language model",
Interspeech 2010; with an LSTM: A. Graves, "Generating sequences with recurrent neural networks",
2013, section 3. Decks: D3."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import choice
from ..functional import cat
from ..ops.sampling import Generator
from ..tensor import Tensor
from .sampling import check_prompt, evaluating, next_token

CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class CharRNN(nn.Module):
    """p(x_1 ... x_T) = product of p(x_t | x_1 ... x_t-1), whose memory is a recurrent state.

        h_t = cell(U[x_t], h_t-1),  logits_t = V h_t + c

    Tokens (N, T) int64 -> (logits (N, T, vocab_size) of the token after each, last state), and
    `model(tokens, state)` goes on from a state, as truncated back-propagation through time does
    (detach the state between pieces). cell is "rnn" (tanh), "lstm" or "gru". With 128 tokens, 64
    features, 256 units and one layer 123,520 parameters (rnn) and 370,816 (lstm). Names: encoder,
    rnn, decoder, those of PyTorch's example of a word language model.

    Mikolov et al. 2010; Graves 2013. Decks: D3.
    """

    def __init__(
        self,
        cell: str = "lstm",
        vocab_size: int = 128,
        embedding_dim: int = 64,
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        kind = CELLS[choice("char_rnn", "cell", cell, CELLS)]
        self.encoder = nn.Embedding(vocab_size, embedding_dim)
        self.rnn = kind(embedding_dim, hidden_size, num_layers, batch_first=True, dropout=dropout)
        self.decoder = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits of the token after each, and the state after the last."""
        y, state = self.rnn(self.encoder(tokens), state)
        return self.decoder(y), state

    def generate(
        self,
        tokens: Tensor,
        count: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Go on from a prompt (N, T) by `count` tokens: (N, T + count). See `next_token`.

        Each step computes one token from the state; the model is in evaluation mode meanwhile.
        """
        check_prompt("generate", tokens, count)
        with evaluating(self), no_grad():
            seen, state = tokens, None
            for _ in range(count):
                logits, state = self(seen, state)
                seen = next_token(logits[:, -1], temperature, top_k, generator)
                tokens = cat([tokens, seen], 1)
        return tokens


char_rnn, char_lstm = partial(CharRNN, "rnn"), partial(CharRNN, "lstm")
