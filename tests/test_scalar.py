"""The scalar functions against NumPy, torch and Numba in float64, from denormals to inf and nan."""

from __future__ import annotations

import math

import numpy as np
import pytest

from etude.kernels import scalar, scalar_integer, scalar_special
from etude.kernels.scalar import BINARY, BOOL_RESULT, UNARY

MAX, TINY = 1.7976931348623157e308, 5e-324
GRID = [
    *(0.0, TINY, 1e-320, 2.2250738585072014e-308, 1e-200, 1e-17, 1e-9, 0.25, 0.4999999999999999),
    *(0.5, 0.9, 1.0, 1.0000000000000002, 1.4616321449683622, 1.5, 2.0, 2.5, 3.0, 3.5, 7.25, 11.0),
    *(40.0, 171.6, 708.0, 709.782712893384, 709.79, 710.4758600739439, 710.5, 745.2, 1023.0),
    *(1023.9999999999999, 1024.0, 1e9 + 0.5, 2.0**52 - 0.5, 2.0**53, 1e22, 1e154, 1e200),
    *(2.5563481638716906e305, 2.6e305, 2.0**1023, MAX, math.inf),
]
GRID += [-x for x in GRID] + [math.nan]
VALUES = np.array(GRID)


def ignoring_errors(f, *args):
    with np.errstate(all="ignore"):
        return f(*args)


NUMPY_UNARY = {
    **{name: getattr(np, name) for name in UNARY if hasattr(np, name)},
    "neg": np.negative,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "relu": lambda x: np.maximum(x, 0),
}
TORCH_UNARY = ["erf", "erfc", "erfinv", "lgamma", "digamma", "gelu"]
NUMPY_BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "fmod": np.fmod,
    "pow": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "atan2": np.arctan2,
    "copysign": np.copysign,
    "hypot": np.hypot,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "relu_grad": lambda g, y: np.where(y > 0, g, 0.0),
    "tanh_grad": lambda g, y: g * (1 - y * y),
    "sigmoid_grad": lambda g, y: g * y * (1 - y),
    "softplus_grad": lambda g, x: np.where(
        x >= 0, g / (1 + np.exp(-x)), g * np.exp(x) / (1 + np.exp(x))
    ),
}


def agree(actual, expected, where):
    """Equal to a few units in the last place; below 1e-300 an oracle may flush to zero."""
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    close = np.isclose(actual, expected, rtol=1e-13, atol=1e-300, equal_nan=True)
    assert close.all(), [(x, a, e) for x, a, e, c in zip(where, actual, expected, close) if not c]


@pytest.mark.parametrize("name", sorted(NUMPY_UNARY))
def test_unary_functions_agree_with_numpy(name):
    expected = ignoring_errors(NUMPY_UNARY[name], VALUES)
    agree([UNARY[name](x) for x in GRID], expected, GRID)


@pytest.mark.parametrize("name", TORCH_UNARY)
def test_special_functions_agree_with_torch(name):
    torch = pytest.importorskip("torch")
    function = torch.nn.functional.gelu if name == "gelu" else getattr(torch, name)
    ordinary = [x / 8 for x in range(-200, 200)]
    # torch loses digits beside the poles of digamma.
    points = [x for x in GRID if name != "digamma" or not -1e15 < x < -1000] + ordinary
    expected = function(torch.tensor(points, dtype=torch.float64)).numpy()
    actual = np.array([UNARY[name](x) for x in points])
    # Beside the zeros of digamma and lgamma the error is small in itself, not relative to them.
    close = np.isclose(actual, expected, rtol=2e-13, atol=2e-14, equal_nan=True)
    assert close.all(), [(x, a, e) for x, a, e, c in zip(points, actual, expected, close) if not c]


def test_every_unary_function_has_an_oracle():
    assert set(NUMPY_UNARY) | set(TORCH_UNARY) == set(UNARY)
    assert {*NUMPY_BINARY, "gelu_grad"} == set(BINARY)
    assert BOOL_RESULT.issubset({*UNARY, *BINARY})


@pytest.mark.parametrize("name", sorted(NUMPY_BINARY))
def test_binary_functions_agree_with_numpy(name):
    a, b = (x.ravel() for x in np.meshgrid(VALUES, VALUES))
    pairs = list(zip(a.tolist(), b.tolist()))
    actual = np.array([BINARY[name](x, y) for x, y in pairs], dtype=float)
    expected = np.asarray(ignoring_errors(NUMPY_BINARY[name], a, b), dtype=float)
    if name == "pow":  # the last 1e-10 below the largest number counts as overflow
        expected[abs(expected) > MAX * (1 - 2e-10)] *= math.inf
    agree(actual, expected, pairs)


@pytest.mark.parametrize("name", ["gelu_grad", "softplus_grad", "sigmoid_grad", "tanh_grad"])
def test_gradient_functions_agree_with_torch(name):
    torch = pytest.importorskip("torch")
    base = name.removesuffix("_grad")
    function = getattr(torch.nn.functional, base)
    points = [x / 16 for x in range(-300, 300)]
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y = function(x, threshold=200) if base == "softplus" else function(x)
    y.backward(torch.full_like(y, 1.5))
    saved = y.tolist() if base in ("sigmoid", "tanh") else points
    actual = [BINARY[name](1.5, v) for v in saved]
    assert actual == pytest.approx(x.grad.tolist(), rel=1e-13, abs=1e-15)


def test_no_python_error_escapes_and_tests_give_bools():
    for name, f in UNARY.items():
        assert all(isinstance(f(x), bool) == (name in BOOL_RESULT) for x in GRID), name
    for name, f in BINARY.items():
        kinds = {isinstance(f(x, y), bool) for x in GRID for y in GRID}
        assert kinds == {name in BOOL_RESULT}, name


@pytest.mark.parametrize("name", ["exp", "exp2", "expm1", "sinh", "cosh", "lgamma"])
def test_functions_overflow_just_where_float64_does(name):
    edge = {"exp2": math.nextafter(1024.0, 0), "lgamma": scalar_special.LGAMMA_MAX}.get(
        name, scalar.SINH_MAX if name.endswith("h") else scalar.EXP_MAX
    )
    assert 1.7e308 < UNARY[name](edge) < math.inf
    assert UNARY[name](math.nextafter(edge, math.inf)) == math.inf


@pytest.mark.parametrize("name", ["neg", "rsqrt", "reciprocal", "sqrt", "sin", "trunc", "round"])
def test_minus_zero_keeps_its_sign(name):
    for x in (0.0, -0.0):
        expected = ignoring_errors(NUMPY_UNARY[name], np.array([x]))[0]
        assert math.copysign(1, UNARY[name](x)) == math.copysign(1, expected)
    assert math.copysign(1, UNARY["ceil"](-0.5)) == -1


def test_digamma_beside_a_pole_is_one_over_the_distance():
    assert UNARY["digamma"](-1024 + 2.0**-43) == pytest.approx(-(2.0**43), rel=1e-11)


def test_accuracy_near_zero_is_kept():
    assert UNARY["expm1"](1e-20) == 1e-20
    assert UNARY["log1p"](1e-20) == 1e-20
    assert UNARY["softplus"](-700.0) == pytest.approx(math.exp(-700.0), rel=1e-13)
    assert UNARY["sigmoid"](-700.0) == pytest.approx(math.exp(-700.0), rel=1e-13)
    assert UNARY["erfc"](20.0) == pytest.approx(5.3958656116079009e-176, rel=1e-12)


@pytest.mark.parametrize("name", sorted(scalar_integer.BINARY))
def test_integer_functions_agree_with_numpy(name):
    for a in range(-7, 8):
        for b in range(-4, 5):
            value = scalar_integer.BINARY[name](a, b)
            if name == "pow":
                expected = math.trunc(a**b) if a or b >= 0 else 0
            else:
                expected = ignoring_errors(NUMPY_BINARY[name], np.array(a), np.array(b))
            assert type(value) is int
            assert value == expected, (a, b)


def test_integers_stay_integers():
    for name in ("neg", "abs", "sign", "relu", *scalar_integer.UNARY):
        f = {**UNARY, **scalar_integer.UNARY}[name]
        assert [type(f(x)) for x in (-2, 0, 3)] == [int] * 3, name
    for name in ("add", "sub", "mul", "maximum", "minimum", "relu_grad"):
        assert type(BINARY[name](-2, 3)) is int, name


@pytest.mark.parametrize("table", ["UNARY", "BINARY"])
def test_numba_compiles_them_as_they_stand(table):
    numba = pytest.importorskip("numba")
    few = [
        x for x in GRID if x != x or abs(x) in (0.0, 0.25, 0.5, 1.0, 2.5, 3.0, 745.2, 1e200, MAX)
    ]
    few += [math.inf, -math.inf]
    for name, f in getattr(scalar, table).items():
        compiled = numba.njit(f)
        cases = [(x,) for x in few] if table == "UNARY" else [(x, y) for x in few for y in few]
        agree([compiled(*case) for case in cases], [f(*case) for case in cases], cases)
        assert isinstance(compiled(*cases[0]), bool) == (name in BOOL_RESULT)
    for f in getattr(scalar_integer, table).values():
        cases = [(x,) for x in (-3, 0, 2)] if table == "UNARY" else [(-7, 3), (5, 0), (-1, -3)]
        assert [numba.njit(f)(*case) for case in cases] == [f(*case) for case in cases]
