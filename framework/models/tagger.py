"""A tag for each word (part of speech, named entity). R. Collobert et al., "Natural language
processing (almost) from scratch", JMLR 12, 2011, section 3; with a bidirectional LSTM: Z. Huang,
W. Xu and K. Yu, "Bidirectional LSTM-CRF models for sequence tagging", 2015, section 2.2.
Decks: D1."""

from __future__ import annotations

from .. import nn
from ..tensor import Tensor


class Tagger(nn.Module):
    """Words (N, T) int64 -> logits (N, T, num_tags): a linear layer on the state at each word.

    `bidirectional` reads the words from both ends. For `cross_entropy` the classes come second:
    `cross_entropy(logits.transpose(1, 2), tags)`, with ignore_index for padding. Names:
    word_embeddings, lstm, hidden2tag, those of PyTorch's tutorial. With 10,000 words and 9 tags
    1,237,833 parameters. Collobert et al. 2011; Huang, Xu & Yu 2015. Decks: D1.
    """

    def __init__(
        self,
        num_words: int = 10_000,
        num_tags: int = 9,
        embedding_dim: int = 100,
        hidden_size: int = 128,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(num_words, embedding_dim)
        self.lstm = nn.LSTM(
            embedding_dim, hidden_size, batch_first=True, bidirectional=bidirectional
        )
        self.hidden2tag = nn.Linear(hidden_size * (1 + bidirectional), num_tags)

    def forward(self, words: Tensor) -> Tensor:
        """Logits of the tags of each word."""
        y, _ = self.lstm(self.word_embeddings(words))
        logits: Tensor = self.hidden2tag(y)
        return logits
