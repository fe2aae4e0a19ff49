"""The CUDA backend's elementwise kernels in the simulator: every function, every way to walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etude
from etude.kernels import scalar
from etude.kernels.cuda import compiler, elementwise, toolchain
from etude.kernels.cuda.divide import BITS, divisor, quotient_of
from etude.kernels.cuda.elementwise import FULL, SINGLE, Chain, Step, single
from etude.kernels.scalar import BINARY, BOOL_RESULT, UNARY

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30, 0.5, -2.5, 3.0, -7.3]
RNG = np.random.default_rng(3)
TOLERANCE = {"float32": (2e-5, 2e-6), "float64": (1e-11, 1e-12)}
needs_compiler = pytest.mark.skipif(compiler.missing() is not None, reason=str(compiler.missing()))


def run(chain: Chain, n: int, outs: list[np.ndarray], *rest: Any, block: int = 32) -> None:
    pieces = -(-n // elementwise.EACH)
    with toolchain.simulated():
        kernel = elementwise.kernel(chain)
        toolchain.launch(kernel, -(-pieces // block), n, *outs, *rest, block=block)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_are_scalar_pys(dtype: str) -> None:
    for name, f in {**UNARY, **BINARY}.items():
        x = np.array(SPECIAL, dtype)
        inputs = [x]
        if name in BINARY:
            inputs = [g.reshape(-1) for g in np.meshgrid(x, x)]
        if name.endswith("_grad"):  # products that overflow differ between types
            inputs = [g[(abs(inputs[0]) < 99) & (abs(inputs[1]) < 4)] for g in inputs]
        y = np.empty(inputs[0].size, bool if name in BOOL_RESULT else dtype)
        kind = "binary" if name in BINARY else "unary"
        run(single(kind, name, dtype, len(inputs)), y.size, [y], *inputs)
        with np.errstate(all="ignore"):
            expected = np.array([f(*map(float, given)) for given in zip(*inputs)]).astype(y.dtype)
        np.testing.assert_allclose(
            y.astype(float), expected.astype(float), *TOLERANCE[dtype], err_msg=name
        )


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_integers_wrap_and_divide_as_they_should(dtype: str) -> None:
    high = 1 if dtype == "bool" else np.iinfo(dtype).max
    values = [0, 1] if dtype == "bool" else [0, 1, -1, 7, -7, 3, -3, high, -high - 1]
    a, b = (g.reshape(-1) for g in np.meshgrid(np.array(values, dtype), np.array(values, dtype)))
    whole = {"floor_divide": lambda p, q: p // q, "remainder": lambda p, q: p - p // q * q}
    for name, f in {"mul": lambda p, q: p * q, "add": lambda p, q: p + q, **whole}.items():
        y = np.empty_like(a)
        run(single("binary", name, dtype, 2), a.size, [y], a, b)
        some = [f(int(p), int(q)) if q or name not in whole else 0 for p, q in zip(a, b)]
        half = 1 << (31 if dtype == "int32" else 63)
        expected = [bool(v) if dtype == "bool" else (v + half) % (2 * half) - half for v in some]
        assert y.tolist() == expected, name


def test_casts_drop_fractions_and_name_what_is_out_of_range() -> None:
    x = np.array([0.0, -0.0, 2.7, -2.7, 3e9, -3e9, np.inf, np.nan], "float32")
    low = -(2**31)
    expected: dict[str, list[Any]] = {
        "int32": [0, 0, 2, -2, low, low, low, low],
        "int64": [0, 0, 2, -2, 3000000000, -3000000000, -(2**63), -(2**63)],
        "bool": [False, False, *[True] * 6],
    }
    for result, values in expected.items():
        y = np.empty(x.size, result)
        run(single("cast", result, "float32", 1, result), x.size, [y], x)
        assert y.tolist() == values
    y32, big = np.empty(2, "int32"), np.array([2**31, 2**32 + 5])
    run(single("cast", "int32", "int64", 1, "int32"), 2, [y32], big)
    assert y32.tolist() == [low, 5]


ADD = Step("binary", "add", (0, 1), "float32", "float32")


@pytest.mark.parametrize("shape, other", [((3, 8), (8,)), ((5, 7), (7,)), ((2, 3, 5), (3, 1))])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("long", [False, True])
def test_operands_repeat_along_axes(
    shape: tuple[int, ...], other: Any, wide: bool, long: bool
) -> None:
    if wide and shape[-1] % 4:
        return
    x, b = RNG.standard_normal(shape).astype("f4"), RNG.standard_normal(other).astype("f4")
    y = np.full(shape, np.nan, "f4")
    rank = len(shape)
    mode = 0b10  # along the columns, or along the middle axis
    chain = Chain(("float32", "float32"), (FULL, mode), (ADD,), (2,), (), rank, wide, long)
    index = "int64" if long else "int32"
    numbers = [n for size in shape[1:] for n in (*divisor(size, index), size)]
    run(chain, x.size, [y], x, b, *numbers, 1)
    np.testing.assert_array_equal(y, x + b)


def test_a_chain_is_its_functions_to_the_bit() -> None:
    steps = (
        Step("binary", "mul", (0, 1), "float32", "float32"),
        Step("binary", "add", (3, -1), "float32", "float32"),
        Step("unary", "tanh", (4,), "float32", "float32"),
        Step("where", "where", (2, 5, -2), "float32", "float32"),
        Step("cast", "int32", (4,), "float32", "int32"),
    )
    kinds = ("float32", "float32")
    chain = Chain((*kinds, "bool"), (FULL, SINGLE, FULL), steps, (4, 6, 7), kinds)
    x, s, c = RNG.standard_normal(37).astype("f4"), np.array([1.7], "f4"), RNG.random(37) < 0.5
    outs = [np.full(37, np.nan, "f4"), np.full(37, np.nan, "f4"), np.zeros(37, "i4")]
    run(chain, 37, outs, x, s, c, 0.3, -1.0)
    added = (x * s[0]).astype("f4") + np.float32(0.3)
    tanh = np.array([scalar.tanh(float(v)) for v in added], "f4")
    np.testing.assert_array_equal(outs[0], added)
    np.testing.assert_array_equal(outs[1], np.where(c, tanh, np.float32(-1)))
    np.testing.assert_array_equal(outs[2], added.astype("i4"))


@pytest.mark.parametrize(("index", "end"), [("int32", 2**32), ("int64", 2**63)])
def test_magic_divides(index: str, end: int) -> None:
    divide = quotient_of(index).simulate
    for d in [*range(1, 300), 2**15 + 1, 2**30 - 1, 2**31 - 1, end // 3, end // 2 + 1, end - 1]:
        magic, shift = divisor(d, index)
        assert magic < 2 ** BITS[index]
        for i in (0, 1, d - 1, d, min(2 * d - 1, end - 1), end // d * d - 1, end - 1, 12345678):
            assert (i * magic >> BITS[index]) + i < 2**64
            assert divide(i, magic, shift) == i // d


@pytest.mark.parametrize(("index", "i"), [("int32", 2**32), ("int32", -1), ("int64", 2**63)])
def test_what_a_device_would_cut_off_is_not_divided(index: str, i: int) -> None:
    with pytest.raises(OverflowError, match=f"{i} is divided as an index of {BITS[index]} bits"):
        quotient_of(index).simulate(i, *divisor(3, index))


@needs_compiler
def test_float32_functions_have_no_float64_instruction() -> None:
    # Those that are more than a call of the library; sin, cos, tan have some in the library's own.
    unary = ("sign", "relu", "rsqrt", "reciprocal", "sigmoid", "softplus", "gelu", "exp")
    binary = ("floor_divide", "remainder", "maximum", "pow", "relu_grad", "gelu_grad")
    steps = [Step("unary", name, (k,), "float32", "float32") for k, name in enumerate(unary)]
    at = len(steps)
    steps += [Step("binary", n, (at + k, 0), "float32", "float32") for k, n in enumerate(binary)]
    steps.append(Step("binary", "logical_xor", (len(steps), 0), "float32", "bool"))
    chain = Chain(("float32",), (FULL,), tuple(steps), (len(steps) - 1, len(steps)))
    assert toolchain.resources(elementwise.kernel(chain), "sm_90").doubles == 0


def test_a_name_does_not_depend_on_the_type_of_its_dtypes() -> None:
    named, typed = single("unary", "exp", "float32", 1), single("unary", "exp", etude.float32, 1)
    assert named == typed
    assert repr(elementwise.plain(named)) == repr(elementwise.plain(typed)) == repr(named)
