"""Functions as methods: x.f() is etude.f(x), and what torch has as a method is one."""

from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F
from etude.framework.methods import METHODS

OWN_FORM = {"where", "unfold"}  # methods whose arguments differ from the function's
X = etude.tensor([[0.2, 0.9, 0.4], [0.7, 0.3, 0.6], [0.5, 0.8, 0.1]])
WHOLE = etude.tensor([2, 0, 1, 2])
# Arguments after the first for the functions that need some, by the names of their parameters.
VALUES: dict[str, Any] = {
    "dim": 0, "dim0": 0, "dim1": 1, "axis": 0, "source": X, "destination": 1, "dims": (0, 1),
    "index": etude.tensor([[0, 1, 2]]), "indices": etude.tensor([[0, 1, 2]]), "src": X, "k": 1,
    "other": X + 0.5, "exponent": 2, "mask": X > 0.5, "value": 3.0, "start": 0, "length": 2,
    "chunks": 2, "split_size_or_sections": 2, "indices_or_sections": 3, "vec": X[0], "mat": X,
    "mat1": X, "mat2": X, "tensor1": X, "tensor2": X, "vec1": X[0], "vec2": X[1], "end": X,
    "weight": 0.3, "values": X[0], "min": 0.3, "max": 0.6, "reduce": "sum", "repeats": 2, "q": 0.5,
    "shifts": 1, "sizes": (3, 1), "shape": (3, 3), "num_samples": 2, "diagonal": 0,
}  # fmt: skip
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "addbmm": (X, X[None], X[None]), "baddbmm": (X, X[None], X[None]), "bmm": (X[None], X[None]),
    "addmv": (X[0], X, X[0]), "dot": (X[0], X[1]), "vdot": (X[0], X[1]), "outer": (X[0], X[1]),
    "mv": (X, X[0]), "bincount": (WHOLE,), "dsplit": (X[None], 3), "expand": (X, (2, 3, 3)),
    "flip": (X, 0), "heaviside": (X, X), "index_add": (X, 0, WHOLE[:3], X), "repeat": (X, 2, 2),
    "index_copy": (X, 0, WHOLE[:3], X), "index_fill": (X, 0, WHOLE, 3.0), "tile": (X, 2),
    "index_put": (X, (WHOLE[:3],), X), "index_reduce": (X, 0, WHOLE[:3], X, "amax"),
    "index_select": (X, 0, WHOLE), "masked_scatter": (X, X > 0.5, X), "movedim": (X, 0, 1),
    "moveaxis": (X, 0, 1), "permute": (X, (1, 0)), "put": (X, WHOLE[:3], X[0]), "roll": (X, 1, 0),
    "reshape": (X, (9,)), "view": (X, -1), "slice_scatter": (X, X), "take": (X, WHOLE),
    "select_scatter": (X, X[0], 0, 1), "diagonal_scatter": (X, X[0]), "repeat_interleave": (X, 2),
    "select": (X, 0, 1), "unflatten": (X, 0, (3, 1)), "view_as": (X, X), "expand_as": (X, X),
    "reshape_as": (X, X), "prelu": (X, X[0, :1]), "scatter_add": (X, 0, WHOLE[None, :3], X),
    "scatter": (X, 0, WHOLE[None, :3], X), "cov": (X,), "corrcoef": (X,), "logit": (X,),
    "broadcast_to": (X, (2, 3, 3)), "clamp": (X, 0.3), "clip": (X, 0.3), "softmax": (X, 1),
    "log_softmax": (X, 1),
}  # fmt: skip


def arguments(function: Any) -> tuple[Any, ...]:
    needed = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    return (X, *(VALUES[name] for name in needed[1:]))


def same(got: Any, expected: Any) -> bool:
    if isinstance(expected, (tuple, list)):
        return len(got) == len(expected) and all(map(same, got, expected))
    if isinstance(expected, etude.Tensor):
        return got.dtype is expected.dtype and np.array_equal(
            got.numpy(), expected.numpy(), equal_nan=got.dtype.is_floating_point
        )
    return bool(got == expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_its_function(name: str) -> None:
    function = getattr(F, name)
    x, *rest = ARGUMENTS.get(name) or arguments(function)
    etude.manual_seed(1)
    expected = function(x, *rest)
    etude.manual_seed(1)
    assert same(getattr(x, name)(*rest), expected)


def test_what_torch_has_as_a_method_is_one() -> None:
    torch = pytest.importorskip("torch")
    public = [n for n, f in vars(F).items() if isinstance(f, types.FunctionType) and n.islower()]
    absent = [n for n in public if hasattr(torch.Tensor, n) and not hasattr(etude.Tensor, n)]
    assert absent == []
    assert {*METHODS, *OWN_FORM} <= set(dir(torch.Tensor)) | {"prelu"}


def test_where_chooses_between_self_and_other() -> None:
    assert same(X.where(X > 0.5, 0.0), F.where(X > 0.5, X, 0.0))


def test_unfold_takes_windows_of_one_axis() -> None:
    x = etude.arange(7)
    assert x.unfold(0, 3, 2).tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert X.unfold(0, 2, 1).shape == (2, 3, 2)
