"""Deep auto-encoders trained layer by layer, then as one. Y. Bengio, P. Lamblin, D. Popovici and
H. Larochelle, "Greedy layer-wise training of deep networks", NIPS 2007. Decks: D0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..autograd import no_grad
from ..checks import whole
from ..tensor import Tensor
from .autoencoder import Autoencoder, Corruption, Penalty, autoencoder_step, stage
from .batches import each_batch


def pretrain_stack(
    model: Autoencoder,
    data: Tensor,
    epochs: int,
    optimizer: Callable[[Any], Any],
    batch_size: int = 64,
    corrupt: Corruption | None = None,
    penalty: Penalty | None = None,
    compile: bool = False,
) -> list[list[float]]:
    """Greedy training: each layer of a `dense_autoencoder` learns to encode the codes below it.

    The layers are the model's own, so afterwards it is one deep auto-encoder; fine-tune it with
    `autoencoder_step` over all its parameters, or its encoder with labels (`with_classifier`).

    Args: data (N, ...); optimizer, called with the parameters of each pair of layers (`Adam`);
    corrupt and penalty as in `autoencoder_step` (with noise: Vincent et al. 2010).
    Returns: the losses of each layer by epoch. Decks: D0.
    """
    history = []
    encoder: Any = model.encoder
    for i in range(len(encoder)):
        shallow = stage(model, i)
        step = autoencoder_step(shallow, optimizer(shallow.parameters()), corrupt, penalty)
        history.append(each_batch(step, data, epochs, batch_size, compile))
        with no_grad():
            data = shallow.encode(data)
    return history


def with_classifier(model: Autoencoder, code: int, num_classes: int) -> nn.Sequential:
    """The encoder, shared with the auto-encoder, and a new linear layer on its codes (N, code).

    Decks: D0, whose way it is: freeze the encoder (`net[0].requires_grad_(False)`), train the
    layer, then set the encoder free and fine-tune the whole. Returns: a net x (N, ...) -> logits
    (N, num_classes). Bengio et al. 2007.
    """
    head = nn.Linear(whole("classifier", "code", code), whole("classifier", "classes", num_classes))
    return nn.Sequential(model.encoder, head)
