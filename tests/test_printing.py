"""Tensors print as torch's do, to the character, but for the names of dtypes and ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude

RNG = np.random.default_rng(0)
VALUES: dict[str, Any] = {
    "one": 1.0,
    "a fraction": 1.5,
    "a whole number": 3,
    "a bool": True,
    "whole floats": [1.0, 2.0, 3.0],
    "fractions": [0.1, 0.25],
    "small and large": [1e-5, 1.0],
    "large": [1e9],
    "a thousand": [1000.0, 1.0],
    "just over a thousand": [1001.0, 1.0],
    "below a ten-thousandth": [0.00012, 0.1, 0.00009],
    "the last without e": [99999999.0],
    "the first with e": [100000001.0],
    "tiny": [1e-30],
    "nan and inf": [float("nan"), 1.0, float("inf"), float("-inf")],
    "only nan": [float("nan")],
    "zeros": [0.0, -0.0],
    "signs": [-1.5, 2.0],
    "whole numbers": [1, -20, 300],
    "bools": [True, False],
    "a matrix": [[1.0, 2.0], [3.0, 4.0]],
    "no elements": np.zeros(0, "f4"),
    "no rows": np.zeros((0, 3), "i8"),
    "no columns": np.zeros((2, 0)),
    "no whole numbers": np.zeros(0, "i8"),
    "int32": np.arange(12, dtype="i4"),
    "a full line": RNG.normal(size=50).astype("f4"),
    "long rows": RNG.normal(size=(3, 30)),
    "three axes": RNG.normal(size=(2, 3, 4)).astype("f4"),
    "four axes": RNG.normal(size=(2, 2, 2, 2)),
    "a long vector": RNG.normal(size=2000),
    "a wide matrix": RNG.normal(size=(5, 500)),
    "a tall matrix": RNG.normal(size=(1500, 2)).astype("f4"),
    "a large matrix": RNG.integers(0, 1000, (40, 40)),
    "a large cube": RNG.normal(size=(10, 20, 30)),
    "many bools": RNG.integers(0, 2, 1500) > 0,
    "one long row": RNG.normal(size=(1, 1001)).astype("f4"),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_prints_as_torch_does(values: Any) -> None:
    torch = pytest.importorskip("torch")
    for grad in (False, True):
        ours, theirs = etude.tensor(values), torch.tensor(values)
        if grad and theirs.is_floating_point():
            ours.requires_grad_()
            theirs.requires_grad_()
        assert repr(ours) == str(ours) == repr(theirs).replace("torch.", "etude.")


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: etude.tensor(1.5), "tensor(1.5000)"),
        (lambda: etude.tensor([1.0, 2.0, 3.0]), "tensor([1., 2., 3.])"),
        (lambda: etude.tensor([1, 2]), "tensor([1, 2])"),
        (lambda: etude.tensor([True, False]), "tensor([ True, False])"),
        (lambda: etude.tensor([1.0], dtype="float64"), "tensor([1.], dtype=etude.float64)"),
        (lambda: etude.zeros(0, 3), "tensor([], size=(0, 3))"),
        (lambda: etude.ones(1, backend="python"), "tensor([1.], backend='python')"),
        (lambda: etude.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: etude.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (lambda: etude.tensor([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
    ],
)
def test_prints_this(make: Any, text: str) -> None:
    assert repr(make()) == text


def test_a_long_tensor_shows_its_ends_and_its_graph() -> None:
    x = etude.arange(2000.0).requires_grad_()
    assert repr(x + 1) == (
        "tensor([1.0000e+00, 2.0000e+00, 3.0000e+00,  ..., 1.9980e+03, 1.9990e+03,\n"
        "        2.0000e+03], grad_fn=<add>)"
    )


def test_a_tensor_without_values_prints_its_shape() -> None:
    seen = []

    def look(x: Any) -> Any:
        seen.append(repr(x * 2))
        return x * 2

    etude.graph.record(look, etude.ones(2, 3))
    assert seen == ["tensor(..., size=(2, 3), backend='recorder')"]


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_text_of_one_number(backend: str) -> None:
    assert f"{etude.tensor(2.5, backend=backend):.3f}" == "2.500"
    assert f"{etude.tensor([1, 2], backend=backend)}".startswith("tensor([1, 2]")
