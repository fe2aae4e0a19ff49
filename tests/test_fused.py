"""Chains of elementwise functions in one call equal the calls one by one, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etude
from etude.backends.base import Backend, Constant, Expression, Register, Step
from etude.kernels.scalar import BINARY, BOOL_RESULT, UNARY

BACKENDS = [name for name, why in etude.backends.available().items() if why is None]
WHOLE = ("int32", "int64", "bool")
BOOL_UNARY = ("logical_not", "isfinite")
WHOLE_UNARY = ("neg", "abs", "sign", "relu", "floor", "round", "isnan", "isfinite", "logical_not")
WHOLE_BINARY = ("add", "sub", "mul", "maximum", "minimum", "eq", "lt", "ge", "logical_xor")
SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 3, 4), (2, 5, 3, 2), (33, 70), (2, 0, 3), (20_011,)]
FIRST = r0 = Register(0)
r1, r2, r3 = map(Register, (1, 2, 3))


def own(shape: tuple[int, ...], ones: int) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`: the axes in the bits of `ones` are 1, leading ones go."""
    kept = [1 if ones >> axis & 1 else n for axis, n in enumerate(shape)]
    while ones & 64 and kept and kept[0] == 1:
        kept.pop(0)
    return tuple(kept)


@st.composite
def expressions(draw: Callable[..., Any]) -> tuple[Expression, tuple[int, ...], list[Any], int]:
    """An expression, its shape, the shapes of its inputs (the first has all axes), and a seed."""
    shape = draw(st.sampled_from(SHAPES))
    dtypes = draw(st.lists(st.sampled_from(("float32", "float64", *WHOLE)), min_size=1, max_size=4))
    inputs, steps = tuple(dtypes), []
    for _ in range(draw(st.integers(1, 9))):
        steps.append(draw_step(draw, dtypes))
        dtypes.append(steps[-1].dtype)
    made = range(len(inputs), len(dtypes))
    results = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
    shapes = [own(shape, draw(st.integers(0, 127))) if k else shape for k in range(len(inputs))]
    return Expression(inputs, tuple(steps), tuple(results)), shape, shapes, draw(st.integers(0, 99))


def draw_step(draw: Callable[..., Any], dtypes: list[str]) -> Step:
    """A step on earlier registers; a number on either side now and then."""
    at = draw(st.integers(0, len(dtypes) - 1))
    dtype, first = dtypes[at], Register(at)
    kinds = ["unary", "binary", "binary", "cast"] + ["where"] * ("bool" in dtypes)
    kind = draw(st.sampled_from(kinds))
    if kind == "cast":
        to = draw(st.sampled_from(("float32", "float64", *WHOLE)))
        return Step("cast", to, (first,), to)
    if kind == "unary":
        names = BOOL_UNARY if dtype == "bool" else WHOLE_UNARY if dtype in WHOLE else sorted(UNARY)
        name = draw(st.sampled_from(names))
        return Step("unary", name, (first,), "bool" if name in BOOL_RESULT else dtype)
    alike = [Register(k) for k, d in enumerate(dtypes) if d == dtype]
    numbers = (True, False) if dtype == "bool" else (2, -1) if dtype in WHOLE else (0.5, -0.0, 3)
    other = draw(st.sampled_from([*alike, *map(Constant, numbers)]))
    pair = (first, other) if draw(st.booleans()) else (other, first)
    if kind == "where":
        condition = draw(st.sampled_from([k for k, d in enumerate(dtypes) if d == "bool"]))
        return Step("where", "where", (Register(condition), *pair), dtype)
    names = ("logical_and", "eq") if dtype == "bool" else WHOLE_BINARY
    name = draw(st.sampled_from(names if dtype in WHOLE else sorted(BINARY)))
    return Step("binary", name, pair, "bool" if name in BOOL_RESULT else dtype)


def buffers(backend: Backend, dtypes: Any, shapes: Any, seed: int = 0) -> list[Any]:
    """Inputs with numbers around 0, among them a nan, an inf and both zeros."""
    rng = np.random.default_rng(seed)
    made = []
    for dtype, shape in zip(dtypes, shapes):
        values = np.asarray(3 * rng.standard_normal(shape), dtype)
        if dtype.startswith("float") and values.size > 5:
            values.flat[[1, 2, 3, 4]] = [np.nan, np.inf, 0.0, -0.0]
        made.append(backend.from_host(memoryview(values), shape, dtype))
    return made


def values(backend: Backend, x: Any) -> np.ndarray:
    return np.array(backend.to_host(x), backend.dtype(x)).reshape(x.shape)


def one_by_one(backend: Backend, e: Expression, inputs: Any, shape: Any) -> list[np.ndarray]:
    """The results by the backend's methods, each register kept; what fused must equal."""
    registers = list(inputs)
    for step in e.steps:
        operands = [
            registers[o.index] if isinstance(o, Register) else o.value for o in step.operands
        ]
        if step.kind == "cast":
            registers.append(backend.cast(*operands, step.name))
        elif step.kind == "where":
            registers.append(backend.where(*operands))
        else:
            registers.append(getattr(backend, step.kind)(step.name, *operands))
    return [np.broadcast_to(values(backend, registers[r]), shape) for r in e.results]


def same(got: Any, expected: Any, what: object = "") -> None:
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        assert (g.shape, g.dtype) == (e.shape, e.dtype), what
        # A nan's sign and payload are nobody's promise.
        bits = {1: "u1", 4: "u4", 8: "u8"}[e.dtype.itemsize]
        nan = np.isnan(g) & np.isnan(e) if e.dtype.kind == "f" else np.zeros(e.shape, bool)
        np.testing.assert_array_equal(
            np.where(nan, 0, g.view(bits)), np.where(nan, 0, e.copy().view(bits)), str(what)
        )


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None, max_examples=100)
@given(expressions())
def test_fused_equals_one_by_one(backend: str, drawn: Any) -> None:
    e, shape, shapes, seed = drawn
    engine = etude.backends.get(backend)
    if backend == "python" and prod(shape) > 1000:
        shape, shapes = (7,), [(7,) if s else () for s in shapes]
    inputs = buffers(engine, e.inputs, shapes, seed)
    before = [values(engine, x).tobytes() for x in inputs]
    expected = one_by_one(engine, e, inputs, shape)
    same([values(engine, y) for y in engine.fused(e, inputs, shape)], expected, e)
    assert [values(engine, x).tobytes() for x in inputs] == before
    for aliases in (False, True):  # memory of its own, then the inputs' where they fit
        outs, free = [], list(inputs) if aliases else []
        for r in e.results:
            fits = [x for x in free if (x.shape, engine.dtype(x)) == (shape, e.dtypes[r])]
            outs.append(fits[0] if fits else engine.full(shape, 7, e.dtypes[r]))
            free = [x for x in free if x is not outs[-1]]
        got = engine.fused(e, inputs, shape, outs)
        assert all(a is b for a, b in zip(got, outs))
        same([values(engine, y) for y in got], expected, e)


CHAIN = Expression(
    ("float32", "float32"),
    (
        Step("binary", "sub", (r0, r1), "float32"),
        Step("unary", "tanh", (r2,), "float32"),
        Step("binary", "mul", (Constant(0.25), r3), "float32"),
    ),
    (3, 4),
    ("sum", (1,)),
)


LARGE = [  # the inputs' shapes; blocks, rows and threads meet their ends in each
    [(300_001,), (300_001,)],
    [(300_001,), ()],
    [(3001, 10), (10,)],
    [(3001, 10), (3001, 1)],
    [(90, 1, 333), (77, 1)],
    [(8, 33, 17, 19), (33, 1, 1)],
    [(2, 1, 300, 301), (3, 300, 1)],
    [(1, 5000), (40, 1)],
    [(2_200_000,), (2_200_000,)],
]


@pytest.mark.parametrize("shapes", LARGE, ids=str)
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "python"])
def test_large_arrays_in_blocks(backend: str, shapes: Any) -> None:
    steps = (
        Step("binary", "mul", (r0, r1), "float32"),
        Step("unary", "sigmoid", (r1,), "float32"),
        Step("binary", "gt", (r2, Constant(0.1)), "bool"),
        Step("where", "where", (Register(4), r3, r2), "float32"),
        Step("cast", "float64", (Register(5),), "float64"),
        Step("binary", "add", (r0, Register(5)), "float32"),
    )
    e = Expression(("float32", "float32"), steps, (3, 4, 6, 7))
    engine, shape = etude.backends.get(backend), np.broadcast_shapes(*shapes)
    inputs = buffers(engine, e.inputs, shapes)
    expected = one_by_one(engine, e, inputs, shape)
    same([values(engine, y) for y in engine.fused(e, inputs, shape)], expected)
    if shapes[0] == shape:
        outs = [None, None, None, inputs[0]]
        same([values(engine, y) for y in engine.fused(e, inputs, shape, outs)], expected)


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reduction_may_follow(backend: str, axes: Any, dtype: str, name: str) -> None:
    engine = etude.backends.get(backend)
    steps = tuple(Step(s.kind, s.name, s.operands, dtype) for s in CHAIN.steps)
    e = Expression((dtype, dtype), steps, (3, 4), (name, axes))
    for shape in ((4, 3, 5), (2, 70, 33)) if backend == "python" else ((4, 3, 5), (17, 70, 33)):
        numbers = np.random.default_rng(0).standard_normal(shape).astype(dtype)
        x = engine.from_host(memoryview(numbers), shape, dtype)
        row = engine.full((1, shape[1], 1), 0.5, dtype)
        same(
            [values(engine, engine.fused(e, [x, row], shape)[0])],
            [values(engine, engine.unary("tanh", engine.binary("sub", x, row)))],
        )
        whole = 0.25 * np.tanh(numbers.astype("float64") - 0.5)
        expected = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}[name](whole, axes)
        out = engine.full(expected.shape, 7, dtype)
        kept = engine.empty(shape, dtype)
        for got in (
            engine.fused(e, [x, row], shape),
            engine.fused(e, [x, row], shape, [kept, out]),
        ):
            assert engine.dtype(got[1]) == dtype
            rtol, atol = (1e-4, 1e-4) if dtype == "float32" else (1e-10, 1e-10)
            np.testing.assert_allclose(values(engine, got[1]), expected, rtol, atol)
        assert got[0] is kept
        assert got[1] is out


WHOLE_SUMS = [*product(WHOLE[:2], ("sum", "prod", "max")), ("bool", "any"), ("bool", "all")]
FOLDED = [  # shape and axes: rows, many at once or in pieces; columns, in bands and pieces; both
    ((30_011, 10), (1,)),
    ((3, 50_021), (1,)),
    ((40, 1500), (1,)),
    ((30_011, 10), (0,)),
    ((300, 2111), (0,)),
    ((9, 33, 17, 19), (0, 2, 3)),
    ((9, 33, 17, 19), (1, 3)),
    ((90_001,), (0,)),
    ((3, 1, 700), (1,)),
]


@pytest.mark.parametrize("shape, axes", FOLDED, ids=str)
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "python"])
def test_reductions_are_the_same_for_any_threads(backend: str, shape: Any, axes: Any) -> None:
    engine = etude.backends.get(backend)
    e = Expression(CHAIN.inputs, CHAIN.steps, (3, 4), ("sum", axes))
    numbers = np.random.default_rng(0).standard_normal(shape).astype("float32")
    x = engine.from_host(memoryview(numbers), shape, "float32")
    row = engine.full(shape[-1:], -0.3, "float32")
    results = []
    for threads in (1, 2):
        engine.set_threads(threads)
        results.append([values(engine, y) for y in engine.fused(e, [x, row], shape)])
    engine.set_threads(etude.get_num_threads())
    same(*results)
    chain = np.tanh(numbers.astype("float64") + 0.3)
    np.testing.assert_allclose(results[0][0], chain, 1e-5, 1e-6)
    np.testing.assert_allclose(results[0][1], np.sum(0.25 * chain, axes), 1e-4, 1e-3)


@pytest.mark.parametrize("dtype, name", WHOLE_SUMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_numbers_are_reduced_exactly(backend: str, dtype: str, name: str) -> None:
    engine, shape = etude.backends.get(backend), (13, 300)
    steps = (
        Step("binary", "mul", (r0, Constant(9.0)), "float32"),
        Step("cast", dtype, (r1,), dtype),
    )
    e = Expression(("float32",), steps, (2,), (name, (1,)))
    numbers = np.random.default_rng(0).standard_normal(shape).astype("float32")
    numbers[3] = 0
    x = engine.from_host(memoryview(numbers), shape, "float32")
    expected = engine.reduce(name, engine.cast(engine.binary("mul", x, 9.0), dtype), (1,))
    same([values(engine, engine.fused(e, [x], shape)[0])], [values(engine, expected)])


WRONG = [
    ((), (Step("unary", "exp", (r0,), "float32"),), (0,), "at least one input"),
    (("float32",), (), (0,), "one step"),
    (("float16",), (Step("unary", "exp", (r0,), "float16"),), (1,), "float16"),
    (("float32",), (Step("unary", "exq", (r0,), "float32"),), (1,), "exq: no such function"),
    (("float32",), (Step("matmul", "exp", (r0,), "float32"),), (1,), "no such function"),
    (("float32",), (Step("unary", "exp", (r1,), "float32"),), (1,), r"below 1, got \[1\]"),
    (("float32",), (Step("unary", "exp", (Register(-1),), "float32"),), (1,), "below 1"),
    (("float32",), (Step("unary", "exp", (r0, r0), "float32"),), (1,), "1 operands, got 2"),
    (("float32",), (Step("unary", "exp", (Constant(1),), "float32"),), (1,), "one dtype"),
    (
        ("float32",),
        (Step("unary", "exp", (r0,), "float64"),),
        (1,),
        "the result float32, got float64",
    ),
    (("float32",), (Step("unary", "isnan", (r0,), "float32"),), (1,), "the result bool"),
    (("float32", "int32"), (Step("binary", "add", (r0, r1), "float32"),), (2,), "one dtype"),
    (
        ("bool",),
        (Step("where", "where", (r0, Constant(1), Constant(2)), "bool"),),
        (1,),
        "one dtype",
    ),
    (("int32",), (Step("where", "where", (r0, r0, Constant(2)), "int32"),), (1,), "condition"),
    (("float32",), (Step("unary", "exp", (r0,), "float32"),), (0,), "registers 1 ... 1, got 0"),
    (("float32",), (Step("unary", "exp", (r0,), "float32"),), (2,), "registers 1 ... 1, got 2"),
    (("float32",), (Step("unary", "exp", (r0,), "float32"),), (1, 1), "each once"),
    (("float32",), (Step("unary", "exp", (r0,), "float32"),), (), "each once"),
]


@pytest.mark.parametrize("inputs, steps, results, message", WRONG)
def test_malformed_expressions_are_refused(
    inputs: Any, steps: Any, results: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"\[fused\] .*{message}"):
        Expression(inputs, steps, results)


def test_a_malformed_reduction_is_refused() -> None:
    step = Step("unary", "exp", (r0,), "float32")
    for reduce in (("mean", (0,)), ("sum", ())):
        with pytest.raises(ValueError, match="expected a reduction"):
            Expression(("float32",), (step,), (1,), reduce)


def test_expressions_are_keys() -> None:
    def scaled(number: Any) -> Expression:
        return Expression(
            ("float32",), (Step("binary", "mul", (r0, Constant(number)), "float32"),), (1,)
        )

    assert scaled(0.5) == scaled(0.5)
    assert hash(scaled(0.5)) == hash(scaled(0.5))
    assert scaled(float("nan")) == scaled(float("nan"))
    assert len({scaled(n) for n in (0.0, -0.0, 0, 1, 1.0, True)}) == 6
    assert str(scaled(2.0)) == "r1 = mul(r0, 2.0); return r1"
    assert str(CHAIN).endswith("r4 = mul(0.25, r3); return r3, r4, the last by sum over (1,)")
