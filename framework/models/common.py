"""What several models share: widths, He's start, and the sum of a loss with auxiliary heads."""

from __future__ import annotations

from collections.abc import Callable

from .. import nn
from ..checks import real


def scaler(op: str, width: float) -> Callable[[int], int]:
    """A function that multiplies a number of channels or units by `width` and rounds; at least 1.

    Narrow copies of a model run every layer of it in little time.
    """
    factor = real(op, "width", width, 0.0, open_ends="(")
    return lambda n: max(1, round(n * factor))


def start_by_he(model: nn.Module, mode: str = "fan_out") -> None:
    """Convolutions by N(0, 2 / fan_out) with biases 0, as torchvision starts most models.

    mode "fan_in", N(0, 2 / fan_in), is how it starts DenseNet.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def start_linear(model: nn.Module, std: float = 0.01) -> None:
    """Linear layers by N(0, std^2) with biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
