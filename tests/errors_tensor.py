"""Wrong calls around tensors: making, converting, reading and changing them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
from wrong import Wrong

import etude
from etude.framework.errors import (
    ArgumentError,
    BackendMismatch,
    CallError,
    DTypeError,
    GradError,
    IndexOutOfRange,
    ShapeError,
)


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape or (2, 3), **kwargs)


def computed() -> Any:
    return x(requires_grad=True) * 2.0


def store(t: Any, key: Any, value: Any) -> None:
    t[key] = value


def under(**environment: str) -> Any:
    def call(monkeypatch: Any) -> Any:
        monkeypatch.setenv(*next(iter(environment.items())))
        return x()

    return call


CREATION = [
    Wrong("tensor of a string", lambda: etude.tensor("a"), CallError, "the string 'a'"),
    Wrong("tensor of None", lambda: etude.tensor(None), CallError, "got None"),
    Wrong("tensor of an object", lambda: etude.tensor(object()), CallError, "an object"),
    Wrong("tensor of a dict", lambda: etude.tensor({"a": 1}), CallError, "a dict"),
    Wrong("tensor of a set", lambda: etude.tensor({1, 2}), CallError, "a set", "list"),
    Wrong("tensor of a complex number", lambda: etude.tensor(1j), CallError, "complex"),
    Wrong("tensor of strings", lambda: etude.tensor(["a", "b"]), CallError, "the string 'a'"),
    Wrong("tensor of numbers and None", lambda: etude.tensor([1.0, None]), CallError, "None"),
    Wrong("tensor of bytes", lambda: etude.tensor(b"ab"), DTypeError, "bytes"),
    Wrong("tensor ragged rows", lambda: etude.tensor([[1, 2], [3]]), ShapeError, "2", "1", "pad"),
    Wrong(
        "tensor a row and a number", lambda: etude.tensor([[1, 2], 3]), ShapeError, "the number 3"
    ),
    Wrong(
        "tensor a number and a row", lambda: etude.tensor([1, [2]]), ShapeError, "holds a number"
    ),
    Wrong("tensor too large a number", lambda: etude.tensor(2**70), ArgumentError, "int64"),
    Wrong(
        "tensor of a list of large numbers",
        lambda: etude.tensor([1, 2**63]),
        ArgumentError,
        str(2**63),
        "int64",
    ),
    Wrong(
        "tensor unknown dtype",
        lambda: etude.tensor([1], dtype="float23"),
        DTypeError,
        "'float23'",
        "float32",
    ),
    Wrong(
        "tensor a dtype that does not exist here",
        lambda: etude.tensor([1], dtype="uint8"),
        DTypeError,
        "'uint8'",
    ),
    Wrong(
        "tensor complex array", lambda: etude.tensor(np.ones(2, complex)), DTypeError, "complex128"
    ),
    Wrong("tensor array of strings", lambda: etude.tensor(np.array(["a"])), DTypeError, "str32"),
    Wrong("tensor array of objects", lambda: etude.tensor(np.array([None])), DTypeError, "object"),
    Wrong(
        "tensor array of dates",
        lambda: etude.tensor(np.zeros(1, "M8[s]")),
        DTypeError,
        "datetime64",
    ),
    Wrong("tensor array of uint64", lambda: etude.tensor(np.ones(1, "u8")), DTypeError, "uint64"),
    Wrong(
        "backend unknown",
        lambda: etude.tensor(1, backend="nunpy"),
        ArgumentError,
        "'nunpy'",
        "'numpy'",
    ),
    Wrong("backend of a wrong type", lambda: etude.tensor(1, backend=3), CallError, "the number 3"),
    Wrong(
        "tensor unknown argument",
        lambda: etude.tensor(1, device="cpu"),
        CallError,
        "'device'",
        "backend",
    ),
    Wrong("tensor nothing", lambda: etude.tensor(), CallError, "no 'data'"),
    Wrong(
        "tensor of whole numbers that wants a gradient",
        lambda: etude.tensor([1, 2], requires_grad=True),
        DTypeError,
        "int64",
        "float32",
    ),
    Wrong("zeros negative size", lambda: etude.zeros(2, -1), ArgumentError, "(2, -1)"),
    Wrong("zeros fractional size", lambda: etude.zeros(2.5), ArgumentError, "2.5"),
    Wrong("zeros string size", lambda: etude.zeros("2"), ArgumentError, "'2'"),
    Wrong("zeros None size", lambda: etude.zeros(None), ArgumentError, "None"),
    Wrong("zeros nested size", lambda: etude.zeros((2, (3,))), ArgumentError, "(2, (3,))"),
    Wrong("zeros more than memory", lambda: etude.zeros(2**40, 2**40), ArgumentError, "memory"),
    Wrong("zeros unknown dtype", lambda: etude.zeros(2, dtype="flaot32"), DTypeError, "'flaot32'"),
    Wrong("ones negative size", lambda: etude.ones((-3,)), ArgumentError, "(-3,)"),
    Wrong(
        "ones unknown argument",
        lambda: etude.ones(2, dytpe="int64"),
        CallError,
        "'dytpe'",
        "'dtype'",
    ),
    Wrong("empty negative size", lambda: etude.empty(-1), ArgumentError, "(-1,)"),
    Wrong("full a string", lambda: etude.full((2,), "a"), CallError, "the string 'a'"),
    Wrong("full a list", lambda: etude.full((2,), [1, 2]), CallError, "got [1, 2]"),
    Wrong("full no value", lambda: etude.full((2,)), CallError, "no 'fill_value'"),
    Wrong("full negative size", lambda: etude.full((2, -2), 1.0), ArgumentError, "(2, -2)"),
    Wrong("full fractional size", lambda: etude.full(2.0, 1.0), ArgumentError, "2.0"),
    Wrong(
        "full too large for the dtype",
        lambda: etude.full((2,), 2**40, dtype="int32"),
        ArgumentError,
        str(2**40),
        "int32",
    ),
    Wrong(
        "full nan as a whole number",
        lambda: etude.full((2,), float("nan"), dtype="int64"),
        ArgumentError,
        "nan",
        "int64",
    ),
    Wrong("full_like of a list", lambda: etude.full_like([1, 2], 0), CallError, "got [1, 2]"),
    Wrong("zeros_like of a shape", lambda: etude.zeros_like((2, 3)), CallError, "got (2, 3)"),
    Wrong("ones_like of None", lambda: etude.ones_like(None), CallError, "None"),
    Wrong("arange step 0", lambda: etude.arange(0, 3, 0), ArgumentError, "0"),
    Wrong("arange of a string", lambda: etude.arange("a"), CallError, "the string 'a'"),
    Wrong("arange to infinity", lambda: etude.arange(0, float("inf")), ArgumentError, "inf"),
    Wrong("arange more than memory", lambda: etude.arange(2**62), ArgumentError, str(2**62)),
    Wrong("linspace negative steps", lambda: etude.linspace(0, 1, -2), ArgumentError, "-2"),
    Wrong("linspace fractional steps", lambda: etude.linspace(0, 1, 2.5), ArgumentError, "2.5"),
    Wrong("linspace to None", lambda: etude.linspace(0, None, 3), CallError, "None"),
    Wrong("eye negative size", lambda: etude.eye(-1), ArgumentError, "-1"),
    Wrong("eye fractional size", lambda: etude.eye(2.5), ArgumentError, "2.5"),
    Wrong(
        "backend unknown in use_backend",
        lambda: etude.use_backend("nunpy").__enter__(),
        ArgumentError,
        "'nunpy'",
        "'numpy'",
    ),
    Wrong(
        "backend ETUDE_BACKEND unknown",
        under(ETUDE_BACKEND="cudda"),
        ArgumentError,
        "'cudda'",
        "ETUDE_BACKEND",
    ),
]

READING = [
    Wrong("item of many elements", lambda: x().item(), ShapeError, "(2, 3)", "tolist"),
    Wrong("item of no elements", lambda: x(0).item(), ShapeError, "(0,)"),
    Wrong("bool of many elements", lambda: bool(x()), ShapeError, "(2, 3)", ".any()"),
    Wrong("bool of a condition in if", lambda: 1 if x() > 0 else 2, ShapeError, "(2, 3)"),
    Wrong("float of many elements", lambda: float(x()), ShapeError, "(2, 3)"),
    Wrong("int of many elements", lambda: int(x()), ShapeError, "(2, 3)"),
    Wrong("index with a float tensor", lambda: [1, 2][x(1)], DTypeError, "float32"),
    Wrong("index of range with many elements", lambda: range(etude.arange(3)), ShapeError, "(3,)"),
    Wrong("deepcopy of a computed tensor", lambda: copy.deepcopy(computed()), GradError, "'mul'"),
    Wrong("pickle of a computed tensor", lambda: pickle.dumps(computed()), GradError, "'mul'"),
    Wrong("format of many elements", lambda: f"{x():.2f}", CallError, "'.2f'", "(2, 3)"),
    Wrong("len of a 0-d tensor", lambda: len(etude.tensor(1.0)), ShapeError, "0-d"),
    Wrong("iter over a 0-d tensor", lambda: list(etude.tensor(1.0)), ShapeError, "0-d"),
    Wrong("numpy of a tensor in the graph", lambda: computed().numpy(), GradError, "detach"),
    Wrong(
        "numpy np.asarray of a leaf", lambda: np.asarray(x(requires_grad=True)), GradError, "detach"
    ),
    Wrong(
        "size of an axis out of range",
        lambda: x().size(2),
        IndexOutOfRange,
        "2 dimensions",
        "got 2",
    ),
    Wrong("size of a named axis", lambda: x().size("rows"), ArgumentError, "'rows'"),
    Wrong("to unknown backend", lambda: x().to("nunpy"), ArgumentError, "'nunpy'", "numpy"),
    Wrong("to unknown dtype", lambda: x().to("float46"), ArgumentError, "'float46'", "float64"),
    Wrong("to a number", lambda: x().to(3), DTypeError, "the number 3"),
    Wrong("to unknown argument", lambda: x().to(device="cuda"), CallError, "'device'"),
    Wrong("type_as a name", lambda: x().type_as("float64"), CallError, "the string 'float64'"),
]

CHANGING = [
    Wrong(
        "add_ on a leaf while recording",
        lambda: x(requires_grad=True).add_(1),
        GradError,
        "no_grad()",
    ),
    Wrong("mul_ on a computed tensor", lambda: computed().mul_(2), GradError, "'mul'"),
    Wrong("zero_ on a computed tensor", lambda: computed().zero_(), GradError, "'mul'"),
    Wrong("copy_ of a larger shape", lambda: x(3).copy_(x(2, 3)), ShapeError, "(2, 3)", "(3,)"),
    Wrong("copy_ of another shape", lambda: x(3).copy_(x(4)), ShapeError, "(4,)", "(3,)"),
    Wrong("tensor copy_ of a string", lambda: x(3).copy_("abc"), CallError, "the string 'abc'"),
    Wrong("tensor copy_ of ragged lists", lambda: x(2).copy_([[1], []]), ShapeError, "row of 0"),
    Wrong("full fill_ with a string", lambda: x(3).fill_("a"), CallError, "the string 'a'"),
    Wrong("full fill_ with many numbers", lambda: x(3).fill_(x(3)), CallError, "(3,)"),
    Wrong("add_ that would grow", lambda: x(3).add_(x(2, 3)), ShapeError, "(3,)", "(2, 3)"),
    Wrong("sub sub_ of shapes that do not broadcast", lambda: x(3).sub_(x(4)), ShapeError, "(4,)"),
    Wrong("mul mul_ by a string", lambda: x(3).mul_("a"), CallError, "the string 'a'"),
    Wrong("div div_ by None", lambda: x(3).div_(None), CallError, "None"),
    Wrong("div_ of whole numbers", lambda: etude.arange(3).div_(2), DTypeError, "int64", "float32"),
    Wrong(
        "add_ of a fraction to whole numbers",
        lambda: etude.arange(3).add_(0.5),
        DTypeError,
        "int64",
        "float32",
    ),
    Wrong("clamp clamp_ without limits", lambda: x(3).clamp_(), ArgumentError, "neither"),
    Wrong(
        "rand uniform_ of whole numbers", lambda: etude.arange(3).uniform_(), DTypeError, "int64"
    ),
    Wrong(
        "uniform_ bounds in the wrong order", lambda: x(3).uniform_(2, 1), ArgumentError, "2", "1"
    ),
    Wrong("normal_ negative deviation", lambda: x(3).normal_(0, -1), ArgumentError, "-1"),
    Wrong("randn normal_ of whole numbers", lambda: etude.arange(3).normal_(), DTypeError, "int64"),
    Wrong(
        "setitem of too large a value",
        lambda: store(x(3), slice(0, 2), x(3)),
        ShapeError,
        "(3,)",
        "(2,)",
    ),
    Wrong("tensor setitem of a string", lambda: store(x(3), 0, "a"), CallError, "the string 'a'"),
    Wrong("index setitem out of range", lambda: store(x(3), 3, 1.0), IndexOutOfRange, "3"),
    Wrong(
        "setitem on a leaf", lambda: store(x(3, requires_grad=True), 0, 1.0), GradError, "no_grad()"
    ),
    Wrong("setitem on a computed tensor", lambda: store(computed(), 0, 1.0), GradError, "'mul'"),
    Wrong(
        "requires_grad_ on a computed tensor",
        lambda: computed().requires_grad_(False),
        GradError,
        "detach()",
    ),
    Wrong(
        "requires_grad_ on whole numbers",
        lambda: etude.arange(3).requires_grad_(),
        DTypeError,
        "int64",
    ),
]

BACKENDS = [
    Wrong(
        "add two backends",
        lambda: x(3) + x(3, backend="python"),
        BackendMismatch,
        "'numpy'",
        "'python'",
        ".to(",
    ),
    Wrong(
        "matmul two backends",
        lambda: x(2, 2) @ x(2, 2, backend="python"),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "cat two backends",
        lambda: etude.cat([x(3), x(3, backend="python")]),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "where two backends",
        lambda: etude.where(x(3) > 0, x(3, backend="python"), 0.0),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "index two backends",
        lambda: x(3)[etude.arange(2, backend="python")],
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "gather two backends",
        lambda: etude.gather(x(3), 0, etude.arange(2, backend="python")),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "backward a gradient on another backend",
        lambda: computed().backward(x(2, 3, backend="python")),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "linear two backends",
        lambda: etude.functional.linear(x(2, 3), x(4, 3, backend="python")),
        BackendMismatch,
        "'python'",
    ),
    Wrong(
        "conv2d two backends",
        lambda: etude.functional.conv2d(x(1, 1, 3, 3), x(1, 1, 2, 2, backend="python")),
        BackendMismatch,
        "'python'",
    ),
]

WRONG = [*CREATION, *READING, *CHANGING, *BACKENDS]
