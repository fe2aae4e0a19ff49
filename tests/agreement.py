"""A model of etude beside the same in torch: weights through a file, outputs, gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

import etude
from etude.framework import weights
from etude.framework.tensor import Tensor

TOLERANCE = 1e-4  # of the largest number of each array


def disturb(twin: torch.nn.Module) -> None:
    """Statistics and norms that are not those of the start, where mistakes would not show."""
    generator = torch.Generator().manual_seed(1)
    for name, t in twin.state_dict().items():
        if name.endswith("running_mean"):
            t.copy_(0.1 * torch.randn(t.shape, generator=generator))
        elif name.endswith("running_var") or (t.dim() == 1 and name.endswith("weight")):
            t.copy_(0.5 + torch.rand(t.shape, generator=generator))


def agree(
    model: Any, twin: torch.nn.Module, folder: Path, *inputs: np.ndarray, training: bool = False
) -> None:
    """Load the twin's weights; compare names, outputs, and gradients of a weighted sum of them.

    In training, in float64: the norms of maps of one pixel magnify rounding beyond what is asked.
    """
    torch.set_num_threads(1)  # nets this small gain nothing from threads, which wait busily
    disturb(twin)
    if training:
        model.double(), twin.double()
        inputs = tuple(x.astype(np.float64) for x in inputs)
    path = folder / "weights.safetensors"
    save_file({k: t.clone().contiguous() for k, t in twin.state_dict().items()}, path)
    assert list(model.state_dict()) == list(twin.state_dict())
    model.load_state_dict(weights.load(path))
    model.train(training)
    twin.train(training)
    ours = [etude.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    theirs = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    found, expected = flat(model(*ours)), flat(twin(*theirs))
    assert len(found) == len(expected)
    generator = np.random.default_rng(2)
    loss: Any = 0.0
    reference: Any = 0.0
    for y, z in zip(found, expected, strict=True):
        close("output", y, z)
        r = generator.standard_normal(y.shape).astype(y.detach().numpy().dtype)
        loss = loss + (y * etude.tensor(r)).sum()
        reference = reference + (z * torch.tensor(r)).sum()
    loss.backward()
    reference.backward()
    for x, z in zip(ours, theirs, strict=True):
        if z.grad is not None:
            close("input's gradient", x.grad, z.grad)
    gradients = dict(twin.named_parameters())
    for name, p in model.named_parameters():
        if gradients[name].grad is None:
            assert p.grad is None, name
        else:
            close(f"gradient of {name}", p.grad, gradients[name].grad)


def flat(y: Any) -> list[Any]:
    return [y] if isinstance(y, (Tensor, torch.Tensor)) else list(y)


def close(what: str, found: Any, expected: torch.Tensor) -> None:
    a, b = found.detach().numpy(), expected.detach().numpy()
    assert a.shape == b.shape, what
    assert np.abs(b).max() > 0, f"{what} is zero, so nothing is compared"
    error = np.abs(a - b).max() / np.abs(b).max()
    assert error < TOLERANCE, f"{what}: {error:.1e}"
