"""Nothing slips: a case meets every public function, op and backend method; names are torch's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import pytest
import torch_signatures
from cases import CASES
from conformance import differentiate_twice, exercise, has_gradient
from contract import methods, watched
from contract_calls import CALLS

import etude
from etude import functional as F
from etude.framework.autograd import Op
from etude.kernels import scalar

# Not operations on tensors that a user would call: helpers of the operators, and the seed.
HELPERS = {"as_tensor_operand", "cast", "only_bool", "manual_seed"}
PLAIN = {"allclose", "equal", "broadcast_shapes"}  # give Python's own values; tested below
FUNCTIONS = {
    name: value
    for name, value in vars(F).items()
    if inspect.isfunction(value) and not name.startswith("_") and name not in HELPERS
}


def test_every_function_has_a_case() -> None:
    """Under one of its names."""
    met = {inspect.unwrap(FUNCTIONS[case.subject]) for case in CASES if case.subject in FUNCTIONS}
    missing = {name for name, f in FUNCTIONS.items() if inspect.unwrap(f) not in met}
    assert missing == PLAIN


def test_functions_that_give_plain_values() -> None:
    x, y = etude.tensor([1.0, 2.0]), etude.tensor([1.0, 2.0 + 1e-6])
    assert (F.equal(x, x), F.equal(x, y), F.equal(x, x[:1])) == (True, False, False)
    assert (F.allclose(x, y), F.allclose(x, y, rtol=1e-8)) == (True, False)
    assert F.broadcast_shapes((3, 1), (2, 1, 4), ()) == (2, 3, 4)


def test_every_case_is_about_a_public_name() -> None:
    assert sorted({case.subject for case in CASES} - set(FUNCTIONS)) == []


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_case_has_a_reference() -> None:
    assert [case.name for case in CASES if case.oracle is None and case.torch is None] == []


def op_classes(kind: type = Op) -> Iterator[type]:
    """The ops that can be applied, so not their common bases."""
    for sub in kind.__subclasses__():
        yield from op_classes(sub)
        if not inspect.isabstract(sub) and sub.__module__.startswith("etude.framework.ops"):
            yield sub


@pytest.fixture(scope="module")
def met() -> tuple[set[type], set[str]]:
    """Ops and backend methods that all cases together reach on the NumPy backend."""
    ops: set[type] = set()

    def recording(kind: type) -> Any:
        forward = kind.forward  # type: ignore[attr-defined]

        def wrapper(self: Any, backend: Any, *buffers: Any) -> Any:
            ops.add(type(self))
            return forward(self, backend, *buffers)

        return patch.object(kind, "forward", wrapper)

    with ExitStack() as stack:
        for kind in {k for k in op_classes() if "forward" in vars(k)}:
            stack.enter_context(recording(kind))
        seen = stack.enter_context(watched(etude.backends.get("numpy"))).seen
        for case in CASES:
            exercise(case, "numpy")
            if has_gradient(case) and case.second:
                differentiate_twice(case, "numpy")
    return ops, seen


def test_every_op_is_met(met: tuple[set[type], set[str]]) -> None:
    clipping = ["ScaleAll", "SumSquares"]  # test_optim_rules.py takes them
    missed = sorted(kind.__name__ for kind in set(op_classes()) - met[0])
    assert missed == ["Move", *clipping]


def test_every_backend_method_is_met(met: tuple[set[type], set[str]]) -> None:
    steps = {name for name in methods() if name.endswith("_step")}
    alone = steps | set(CALLS) | {"assign"}  # test_contract.py takes them
    assert sorted(set(methods()) - met[1] - alone) == []


@pytest.mark.parametrize("table", ["unary", "binary"])
def test_every_scalar_function_is_met(table: str, met: tuple[set[type], set[str]]) -> None:
    names = {f"{table} {name}" for name in getattr(scalar, table.upper())}
    assert sorted(names - met[1]) == []


def test_move_keeps_values_and_gradient() -> None:
    x = etude.tensor([1.0, 2.0], backend="numpy", requires_grad=True)
    y = x.to("python") * 3.0
    assert y.backend.name == "python"
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad.backend.name, x.grad.tolist()) == ("numpy", [3.0, 3.0])


# Where a name or default is not torch's, and why.
DIFFERENT = {
    "swapaxes": "the same function as transpose",
    "true_divide": "the same function as div",
}


def complaints(name: str) -> list[str]:
    """What a reader of torch's manual would stumble over: nothing if torch has no such function."""
    ours, wild = torch_signatures.of(FUNCTIONS[name])
    known = torch_signatures.overloads(name)
    if wild or not known:
        return []
    names = set().union(*known)
    return min((torch_signatures.complaints(ours, one, names) for one in known), key=len)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_arguments_are_called_as_in_torch(name: str) -> None:
    pytest.importorskip("torch")
    assert bool(complaints(name)) == (name in DIFFERENT), complaints(name)
