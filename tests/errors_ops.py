"""Wrong calls of elementwise functions, reductions, layout and matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
from wrong import Wrong

import etude
from etude.framework.errors import (
    ArgumentError,
    CallError,
    DTypeError,
    IndexOutOfRange,
    ShapeError,
)


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape or (2, 3), **kwargs)


def whole(*values: int) -> Any:
    return etude.tensor(list(values))


YES = etude.tensor([True, False])

ELEMENTWISE = [
    Wrong("exp of a string", lambda: etude.exp("a"), CallError, "the string 'a'"),
    Wrong("exp of a number", lambda: etude.exp(3), CallError, "the number 3", "etude.tensor"),
    Wrong("exp of a list", lambda: etude.exp([1.0]), CallError, "[1.0]", "etude.tensor"),
    Wrong("exp of nothing", lambda: etude.exp(), CallError, "no 'input'"),
    Wrong("exp of too much", lambda: etude.exp(x(), x()), CallError, "more arguments"),
    Wrong("exp unknown argument", lambda: etude.exp(x(), out=None), CallError, "'out'"),
    Wrong("relu of None", lambda: etude.relu(None), CallError, "None"),
    Wrong("neg of bools", lambda: -YES, DTypeError, "bool"),
    Wrong("sin of a class", lambda: etude.sin(etude.Tensor), CallError, "the class Tensor"),
    Wrong("round decimals as a string", lambda: x().round(decimals="2"), CallError, "'2'"),
    Wrong(
        "add shapes that do not broadcast",
        lambda: x(2, 3) + x(2),
        ShapeError,
        "(2, 3)",
        "(2,)",
        "axis -1",
    ),
    Wrong("add to a string", lambda: x() + "a", CallError, "the string 'a'"),
    Wrong("add to None", lambda: x() + None, CallError, "None"),
    Wrong("add to a list", lambda: x(2) + [1, 2], CallError, "[1, 2]"),
    Wrong("add a string first", lambda: "a" + x(), CallError, "the string 'a'"),
    Wrong("add a complex number", lambda: x() + 1j, CallError, "complex"),
    Wrong("tensor add an array of strings", lambda: x(1) + np.array(["a"]), DTypeError, "str32"),
    Wrong("add too large a number", lambda: whole(1) + 2**63, ArgumentError, str(2**63), "int64"),
    Wrong(
        "add too large a number for int32",
        lambda: etude.tensor([1], dtype="int32") + 2**31,
        ArgumentError,
        "int32",
    ),
    Wrong(
        "add more than a float holds", lambda: x() + 10**400, ArgumentError, "30 digits", "float32"
    ),
    Wrong("add nothing", lambda: etude.add(x()), CallError, "no 'other'"),
    Wrong("add two strings", lambda: etude.add("a", "b"), CallError, "the string 'a'"),
    Wrong("add an argument twice", lambda: etude.add(x(), x(), input=x()), CallError, "'input'"),
    Wrong("sub of bools", lambda: YES - YES, DTypeError, "bool", "logical_xor"),
    Wrong("mul shapes that do not broadcast", lambda: x(4) * x(3), ShapeError, "(4,)", "(3,)"),
    Wrong(
        "div unknown rounding",
        lambda: etude.div(x(), 2, rounding_mode="up"),
        ArgumentError,
        "'up'",
        "'floor'",
    ),
    Wrong("pow by a string", lambda: x() ** "a", CallError, "the string 'a'"),
    Wrong("pow shapes that do not broadcast", lambda: x(2) ** x(3), ShapeError, "(2,)", "(3,)"),
    Wrong("maximum with a list", lambda: etude.maximum(x(2), [1.0, 2.0]), CallError, "[1.0, 2.0]"),
    Wrong("eq with a list", lambda: x(2) == [1, 2], CallError, "[1, 2]"),
    Wrong("lt with a string", lambda: x() < "a", CallError, "the string 'a'"),
    Wrong("& of numbers", lambda: whole(1) & whole(1), DTypeError, "int64", "x > 0"),
    Wrong("| with a number", lambda: YES | 1, CallError, "the number 1"),
    Wrong("~ of numbers", lambda: ~x(), DTypeError, "float32"),
    Wrong("clamp without limits", lambda: x().clamp(), ArgumentError, "neither"),
    Wrong("lt clamp by a string", lambda: x().clamp(min="a"), CallError, "'a'"),
]

REDUCTIONS = [
    Wrong("sum axis out of range", lambda: x().sum(2), IndexOutOfRange, "got 2", "-2 ... 1"),
    Wrong("sum axis far out of range", lambda: x().sum(dim=-7), IndexOutOfRange, "-7"),
    Wrong("sum an axis twice", lambda: x().sum((0, -2)), ArgumentError, "(0, -2)"),
    Wrong("sum fractional axis", lambda: x().sum(dim=1.5), ArgumentError, "the number 1.5"),
    Wrong("sum named axis", lambda: x().sum("rows"), ArgumentError, "the string 'rows'"),
    Wrong("sum NumPy's axis", lambda: x().sum(axis=0), CallError, "'axis'", "'dim'"),
    Wrong("sum NumPy's keepdims", lambda: x().sum(0, keepdims=True), CallError, "'keepdim'"),
    Wrong("sum unknown dtype", lambda: x().sum(dtype="flaot32"), DTypeError, "'flaot32'"),
    Wrong("sum of a list", lambda: etude.sum([1, 2]), CallError, "[1, 2]"),
    Wrong("prod axis out of range", lambda: x().prod(5), IndexOutOfRange, "got 5"),
    Wrong("mean of whole numbers", lambda: whole(1, 2).mean(), DTypeError, "int64", ".float()"),
    Wrong("mean of bools", lambda: YES.mean(), DTypeError, "bool"),
    Wrong("mean axis out of range", lambda: x().mean(-3), IndexOutOfRange, "-3"),
    Wrong("var of whole numbers", lambda: whole(1, 2).var(), DTypeError, "int64"),
    Wrong("var std axis out of range", lambda: x().std(3), IndexOutOfRange, "got 3"),
    Wrong("max of nothing", lambda: x(0).max(), ShapeError, "(0,)"),
    Wrong("argmax max along an empty axis", lambda: x(2, 0).max(1), ShapeError, "(2, 0)"),
    Wrong("max axis out of range", lambda: x().max(4), IndexOutOfRange, "got 4"),
    Wrong("min named axis", lambda: x().min("a"), ArgumentError, "the string 'a'"),
    Wrong("argmax of nothing", lambda: x(0).argmax(), ShapeError, "(0,)"),
    Wrong("argmax axis out of range", lambda: x().argmax(2), IndexOutOfRange, "got 2"),
    Wrong("argmin fractional axis", lambda: x().argmin(0.5), ArgumentError, "0.5"),
    Wrong("max amax of nothing", lambda: x(3, 0).amax(1), ShapeError, "(3, 0)"),
    Wrong("all axis out of range", lambda: x().all(2), IndexOutOfRange, "got 2"),
    Wrong("cumsum no axis", lambda: x().cumsum(), CallError, "no 'dim'"),
    Wrong("cumsum axis out of range", lambda: x().cumsum(2), IndexOutOfRange, "got 2"),
    Wrong("cumprod named axis", lambda: x().cumprod("a"), ArgumentError, "the string 'a'"),
    Wrong("argsort axis out of range", lambda: x().argsort(2), IndexOutOfRange, "got 2"),
    Wrong("logsumexp no axis", lambda: x().logsumexp(), CallError, "no 'dim'"),
    Wrong("norm unknown order", lambda: x().norm("nuc"), ArgumentError, "'nuc'"),
    Wrong("softmax no axis", lambda: x().softmax(), ArgumentError, "got none"),
    Wrong("softmax axis out of range", lambda: x().softmax(2), IndexOutOfRange, "got 2"),
    Wrong("softmax axis None", lambda: x().softmax(None), ArgumentError, "none", "dim=-1"),
    Wrong("log_softmax fractional axis", lambda: x().log_softmax(0.5), ArgumentError, "0.5"),
]

LAYOUT = [
    Wrong("reshape to another size", lambda: x().reshape(4), ShapeError, "(2, 3)", "(4,)"),
    Wrong("reshape two unknown sizes", lambda: x().reshape(-1, -1), ArgumentError, "(-1, -1)"),
    Wrong("reshape a negative size", lambda: x().reshape(-2, 3), ArgumentError, "(-2, 3)"),
    Wrong("reshape by a string", lambda: x().reshape("a"), ArgumentError, "the string 'a'"),
    Wrong("reshape by fractions", lambda: x().reshape(2.0, 3.0), ArgumentError, "(2.0, 3.0)"),
    Wrong("reshape -1 that does not divide", lambda: x().reshape(-1, 4), ShapeError, "(-1, 4)"),
    Wrong("reshape -1 beside 0", lambda: x(0).reshape(-1, 0), ShapeError, "(-1, 0)"),
    Wrong("reshape view to another size", lambda: x().view(5), ShapeError, "(5,)"),
    Wrong("reshape view_as another size", lambda: x().view_as(x(5)), ShapeError, "(5,)"),
    Wrong("view_as a shape", lambda: x().view_as((3, 2)), CallError, "(3, 2)"),
    Wrong("permute too few axes", lambda: x().permute(0), ArgumentError, "(0,)"),
    Wrong("permute an axis twice", lambda: x().permute(0, 0), ArgumentError, "(0, 0)"),
    Wrong("permute axis out of range", lambda: x().permute(0, 2), IndexOutOfRange, "got 2"),
    Wrong("permute a string", lambda: x().permute("ab", 1), ArgumentError, "'ab'"),
    Wrong("transpose axis out of range", lambda: x().transpose(0, 2), IndexOutOfRange, "got 2"),
    Wrong("transpose one axis", lambda: x().transpose(0), CallError, "no 'dim1'"),
    Wrong("movedim two to one", lambda: x().movedim((0, 1), 0), ArgumentError, "(0, 1)"),
    Wrong("movedim axis out of range", lambda: x().movedim(0, 4), IndexOutOfRange, "got 4"),
    Wrong("expand an axis of 3", lambda: x().expand(2, 6), ShapeError, "(2, 3)", "(2, 6)"),
    Wrong("expand to fewer axes", lambda: x().expand(3), ShapeError, "(3,)"),
    Wrong("expand -1 in front", lambda: x(3).expand(-1, 3), ArgumentError, "(-1, 3)"),
    Wrong("expand by a string", lambda: x(1).expand("a"), CallError, "'a'"),
    Wrong("unsqueeze axis out of range", lambda: x().unsqueeze(4), IndexOutOfRange, "got 4"),
    Wrong("squeeze axis out of range", lambda: x().squeeze(2), IndexOutOfRange, "got 2"),
    Wrong("flatten in the wrong order", lambda: x().flatten(1, 0), ArgumentError, "1 and 0"),
    Wrong("flip axis out of range", lambda: x().flip(2), IndexOutOfRange, "got 2"),
    Wrong("flip named axis", lambda: x().flip("a"), ArgumentError, "the string 'a'"),
    Wrong("narrow beyond the end", lambda: x().narrow(1, 2, 2), IndexOutOfRange, "size 3"),
    Wrong("narrow negative length", lambda: x().narrow(1, 0, -1), IndexOutOfRange, "-1"),
    Wrong("narrow fractional start", lambda: x().narrow(1, 0.5, 1), CallError, "0.5"),
    Wrong("diagonal one axis twice", lambda: x().diagonal(0, 1, 1), ArgumentError, "1 and 1"),
    Wrong("diagonal of a vector", lambda: x(3).diagonal(), IndexOutOfRange, "got 1"),
    Wrong("cat a number", lambda: etude.cat(5), CallError, "the number 5", "list"),
    Wrong("cat nothing", lambda: etude.cat([]), ArgumentError, "none"),
    Wrong("cat one bare tensor", lambda: etude.cat(x()), CallError, "Tensor", "list"),
    Wrong("cat a tensor and None", lambda: etude.cat([x(), None]), CallError, "tensors[1]", "None"),
    Wrong(
        "cat a tensor and an array",
        lambda: etude.cat([x(), np.ones((2, 3))]),
        CallError,
        "tensors[1]",
        "NumPy array",
        "etude.tensor",
    ),
    Wrong("cat 0-d tensors", lambda: etude.cat([etude.tensor(1.0)]), ShapeError, "0-d", "stack"),
    Wrong("cat other sizes", lambda: etude.cat([x(2, 3), x(2, 4)]), ShapeError, "(2, 3)", "(2, 4)"),
    Wrong("cat other numbers of axes", lambda: etude.cat([x(2, 3), x(3)]), ShapeError, "(3,)"),
    Wrong("cat axis out of range", lambda: etude.cat([x()], 2), IndexOutOfRange, "got 2"),
    Wrong("stack other shapes", lambda: etude.stack([x(2), x(3)]), ShapeError, "(2,)", "(3,)"),
    Wrong("stack numbers", lambda: etude.stack([1, 2]), CallError, "tensors[0]", "the number 1"),
    Wrong("stack nothing", lambda: etude.stack([]), ArgumentError, "none"),
    Wrong(
        "split sizes that do not add up", lambda: x(5).split([2, 2]), ArgumentError, "5", "[2, 2]"
    ),
    Wrong("split size 0", lambda: x(5).split(0), ArgumentError, "got 0"),
    Wrong("split by a string", lambda: x(5).split("a"), CallError, "the string 'a'"),
    Wrong("split negative sizes", lambda: x(5).split([6, -1]), ArgumentError, "[6, -1]"),
    Wrong("chunk 0 parts", lambda: x(5).chunk(0), ArgumentError, "got 0"),
    Wrong("chunk half a part", lambda: x(5).chunk(2.5), CallError, "2.5"),
    Wrong("unbind axis out of range", lambda: x().unbind(2), IndexOutOfRange, "got 2"),
]

PRODUCTS = [
    Wrong(
        "matmul inner sizes", lambda: x(2, 3) @ x(2, 3), ShapeError, "(2, 3) @ (2, 3)", "3 and 2"
    ),
    Wrong("matmul vector and matrix", lambda: x(2) @ x(3, 2), ShapeError, "2 and 3"),
    Wrong("matmul by a number", lambda: etude.matmul(x(), 3), CallError, "the number 3"),
    Wrong("matmul a number first", lambda: 3 @ x(), CallError, "the number 3"),
    Wrong("matmul of a number and a tensor", lambda: etude.matmul(3, x()), CallError, "input"),
    Wrong("matmul 0-d", lambda: x(2) @ etude.tensor(1.0), ShapeError, "()", "use *"),
    Wrong("matmul batches", lambda: x(2, 3, 3) @ x(4, 3, 3), ShapeError, "(2,)", "(4,)"),
    Wrong("matmul of bools", lambda: YES @ YES, DTypeError, "bool"),
    Wrong("matmul by None", lambda: x() @ None, CallError, "None"),
    Wrong("mm of vectors", lambda: x(3).mm(x(3)), ShapeError, "(3,)"),
    Wrong("bmm of matrices", lambda: x().bmm(x()), ShapeError, "(2, 3)"),
    Wrong("bmm of two batches", lambda: x(2, 3, 3).bmm(x(4, 3, 3)), ShapeError, "(4, 3, 3)"),
    Wrong("mv of matrices", lambda: x().mv(x()), ShapeError, "(2, 3)"),
    Wrong("dot of matrices", lambda: x().dot(x()), ShapeError, "(2, 3)"),
    Wrong("matmul dot of two lengths", lambda: x(2).dot(x(3)), ShapeError, "2 and 3"),
    Wrong("outer of matrices", lambda: x().outer(x()), ShapeError, "(2, 3)"),
    Wrong("outer with a list", lambda: x(2).outer([1, 2]), CallError, "[1, 2]"),
    Wrong(
        "linear other features",
        lambda: etude.functional.linear(x(4, 5), x(2, 3)),
        ShapeError,
        "(..., 5)",
        "in_features=5",
    ),
    Wrong(
        "linear bias of another size",
        lambda: etude.functional.linear(x(4, 3), x(2, 3), x(3)),
        ShapeError,
        "(2,)",
        "(3,)",
    ),
    Wrong(
        "linear weight of one axis",
        lambda: etude.functional.linear(x(4, 3), x(3)),
        ShapeError,
        "(3,)",
    ),
    Wrong(
        "linear of a 0-d tensor",
        lambda: etude.functional.linear(etude.tensor(1.0), x(2, 3)),
        ShapeError,
        "0-d",
    ),
    Wrong("linear of a list", lambda: etude.functional.linear([1.0], x(2, 3)), CallError, "[1.0]"),
    Wrong("linear without weight", lambda: etude.functional.linear(x()), CallError, "no 'weight'"),
]

WRONG = [*ELEMENTWISE, *REDUCTIONS, *LAYOUT, *PRODUCTS]
