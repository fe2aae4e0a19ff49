"""Tier 1 of the plain-Python backend against NumPy: memory, layout, elementwise and reductions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from python_buffers import DTYPES, NUMERIC, RNG, B, get, into, near, normal, put, same, some

from etude.backends.base import Backend
from etude.backends.registry import get as backend_named
from etude.kernels import scalar, scalar_integer

SHAPES = [(), (0,), (1,), (5,), (2, 0, 3), (1, 1), (3, 4), (2, 3, 5)]


def test_the_registry_knows_the_backend():
    assert isinstance(backend_named("python"), Backend)
    assert backend_named("python") is backend_named("python")
    assert repr(B) == "<backend python>"


# memory


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_host_copies_round_trip(shape, dtype):
    a = some(shape, dtype)
    x = put(a)
    same(x, a)
    view = B.to_host(x)
    assert (view.format, view.ndim, view.readonly) == (np.dtype(dtype).char.replace("l", "q"), 1, 1)
    assert len(view) == a.size
    same(B.from_host(view, shape, dtype), a)


def test_from_host_copies():
    a = np.arange(3.0)
    x = B.from_host(memoryview(a), (3,), "float64")
    a[0] = 7
    same(x, np.arange(3.0))


def test_full_empty_and_reshape():
    same(B.full((2, 3), 0.1, "float32"), np.full((2, 3), 0.1, np.float32))
    same(B.full((), True, "bool"), np.array(True))
    same(B.full((0, 2), 7, "int32"), np.zeros((0, 2), np.int32))
    same(B.full((2,), -math.inf, "float64"), np.full(2, -np.inf))
    into(B.full, (4,), 3, "int64")
    x = B.empty((2, 6), "float32")
    y = B.reshape(x, (3, 4))
    assert (x.shape, y.shape, y.dtype) == ((2, 6), (3, 4), "float32")
    B.put_strided(y, put(np.ones((3, 4), np.float32)), (4, 1), 0)
    same(x, np.ones((2, 6), np.float32))
    assert B.synchronize() is None


# layout


STRIDED = [
    ((), (), 7),
    ((1,), (-5,), 3),
    ((3, 4), (4, 1), 0),
    ((4, 3), (1, 4), 0),
    ((3, 4), (-4, -1), 11),
    ((5, 3, 4), (0, 4, 1), 0),
    ((3, 5, 4), (4, 0, 1), 2),
    ((2, 3, 6), (0, 0, 0), 9),
    ((4,), (7,), 1),
    ((3, 3, 2), (6, 1, 2), 0),
    ((0, 4), (4, 1), 0),
    ((3, 0), (1, -1), -1),
    ((2, 1, 3, 1, 2), (10, 0, 2, 9, 1), 4),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, strides, offset", STRIDED)
def test_strided_reads_what_numpy_reads(shape, strides, offset, dtype):
    base = some((24,), dtype)
    positions = sum(
        (np.arange(n).reshape(-1, *[1] * (len(shape) - i - 1)) * s)
        for i, (n, s) in enumerate(zip(shape, strides))
    )
    positions = np.broadcast_to(np.asarray(positions, int) + offset, shape)
    same(into(B.strided, put(base), shape, strides, offset), base[positions])
    if len(np.unique(positions)) < positions.size:
        return
    target, source = base.copy(), some(shape, dtype)
    x = put(target)
    B.put_strided(x, put(source), strides, offset)
    target[positions] = source
    same(x, target)


def test_strided_walks_agree_with_numpy_on_random_views():
    for _ in range(100):
        full = np.arange(5 * 4 * 3 * 6).reshape(5, 4, 3, 6)
        cut = tuple(slice(None, None, int(step)) for step in RNG.choice([-2, -1, 1, 2, 3], size=4))
        view = full[cut].transpose(RNG.permutation(4))
        strides = [s // 8 for s in view.strides]
        offset = (view.ctypes.data - full.ctypes.data) // 8
        same(B.strided(put(full), view.shape, strides, offset), view)
        target = np.zeros_like(full)
        x = put(target)
        B.put_strided(x, put(view), strides, offset)
        target[cut] = full[cut]
        same(x, target)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, length, count", [(5, 3, 9), (1, 1, 4), (4, 0, 2), (3, 2, 0)])
def test_gather_and_scatter_add(rows, length, count, dtype):
    a = some((rows, length), dtype)
    indices = RNG.integers(-rows, rows, count)
    same(into(B.gather, put(a), put(indices)), a[indices])
    b = some((count, length), dtype)
    expected = np.zeros((rows, length), dtype)
    np.add.at(expected, indices, b)
    same(into(B.scatter_add, put(b), put(indices), rows), expected)


@pytest.mark.parametrize("bad", [[7], [0, 5, 9], [-6]])
def test_indices_out_of_range_are_named(bad):
    value = next(i for i in bad if not -5 <= i < 5)
    message = f"^index {value} is out of range -5 ... 4$"
    with pytest.raises(IndexError, match=message):
        B.gather(put(np.zeros((5, 2))), put(np.array(bad)))
    out = B.full((5, 2), 3, "float64")
    with pytest.raises(IndexError, match=message):
        B.scatter_add(put(np.zeros((len(bad), 2))), put(np.array(bad)), 5, out=out)
    same(out, np.full((5, 2), 3.0))


# elementwise


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(scalar.UNARY))
def test_unary_applies_the_scalar_function(name, dtype):
    a = np.array([[0.3, -1.5, 2.5], [np.inf, np.nan, 0.0]], dtype)
    kind = "bool" if name in scalar.BOOL_RESULT else dtype
    expected = np.array([scalar.UNARY[name](v) for v in a.ravel().tolist()]).astype(kind)
    same(into(B.unary, name, put(a)), expected.reshape(a.shape))
    x = put(a)
    if kind == dtype:
        assert B.unary(name, x, x) is x
        same(x, expected.reshape(a.shape))


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_unary_on_integers(dtype):
    a = some((3, 4), dtype)
    whole = {"floor": a, "ceil": a, "trunc": a, "round": a, "sign": a > 0, "relu": a}
    if dtype != "bool":
        whole |= {"neg": -a, "abs": abs(a), "sign": np.sign(a), "relu": np.maximum(a, 0)}
    for name, expected in whole.items():
        same(into(B.unary, name, put(a)), expected.astype(dtype))
    none = np.zeros(a.shape, bool)
    tests = {"isnan": none, "isinf": none, "isfinite": ~none, "logical_not": a == 0}
    for name, expected in tests.items():
        same(B.unary(name, put(a)), expected)


PAIRS = [
    ((), ()),
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((2, 3, 5), (1, 3, 1)),
    ((), (2, 2)),
    ((0, 3), (1, 3)),
    ((1,), (0,)),
    ((2, 1, 3, 1), (4, 1, 5)),
]
UFUNCS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "fmod": np.fmod,
    "lt": np.less,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "logical_and": np.logical_and,
    "logical_xor": np.logical_xor,
}


@pytest.mark.parametrize("dtype", NUMERIC)
@pytest.mark.parametrize("name", sorted(UFUNCS))
def test_binary_broadcasts(name, dtype):
    for left, right in PAIRS:
        a, b = some(left, dtype), some(right, dtype, 1, 5)
        same(into(B.binary, name, put(a), put(b)), UFUNCS[name](a, b))
        same(into(B.binary, name, put(b), put(a)), ignoring(UFUNCS[name], b, a))
        same(into(B.binary, name, put(a), 3), UFUNCS[name](a, np.array(3, dtype)))
        same(into(B.binary, name, 3, put(b)), UFUNCS[name](np.array(3, dtype), b))


def ignoring(f, *args):
    with np.errstate(all="ignore"):
        return f(*args)


@pytest.mark.parametrize("name", sorted(scalar.BINARY))
def test_binary_applies_the_scalar_function_also_into_its_operands(name):
    a, b = np.float32([0.3, -1.5, 2.5, 0.0, np.nan]), np.float32([1.25, 0.5, -2.0, -1.0, 1.0])
    kind = "bool" if name in scalar.BOOL_RESULT else "float32"
    pairs = zip(a.tolist(), b.tolist())
    expected = np.array([scalar.BINARY[name](x, y) for x, y in pairs]).astype(kind)
    same(B.binary(name, put(a), put(b)), expected)
    if kind == "float32":
        x, y, z = put(a), put(b), put(a[:1])
        B.binary(name, x, y, x)
        B.binary(name, put(a), y, y)
        same(x, expected)
        same(y, expected)
        B.binary(name, z, B.reshape(z, (1,)), z)
        expected = np.float32([scalar.BINARY[name](float(a[0]), float(a[0]))])
        same(z, expected)


def test_a_number_takes_the_dtype_of_the_buffer():
    tenth = put(np.float32([0.1]))
    same(B.binary("eq", tenth, 0.1), np.array([True]))
    same(B.binary("sub", tenth, 0.1), np.float32([0.0]))
    same(B.binary("mul", put(np.int32([3])), 2.0), np.int32([6]))
    same(B.where(put([True]), tenth, 1e-50), np.float32([0.1]))
    same(B.where(put([False]), 1e39, tenth), np.float32([0.1]))


def test_bool_arithmetic_stays_bool():
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    for name, ufunc in {"add": np.add, "mul": np.multiply, "maximum": np.maximum}.items():
        same(into(B.binary, name, put(a), put(b)), ufunc(a, b))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_wrap_and_never_raise(dtype):
    info = np.iinfo(dtype)
    a = np.array([info.max, info.min, -1, 5], dtype)
    for name, ufunc in {"add": np.add, "sub": np.subtract, "mul": np.multiply}.items():
        same(B.binary(name, put(a), put(a[::-1])), ignoring(ufunc, a, a[::-1]))
    same(B.unary("neg", put(a)), ignoring(np.negative, a))
    same(B.reduce("sum", put(a), (0,)), a.sum(dtype=dtype))
    same(B.reduce("prod", put(a), (0,)), a.prod(dtype=dtype))
    same(B.scan("cumsum", put(a), 0), a.cumsum(dtype=dtype))
    same(B.matmul(put(a[None]), put(a[:, None])), a[None] @ a[:, None])
    for name in scalar_integer.BINARY:
        same(B.binary(name, put(a), 0), np.full(4, name == "pow", dtype))
    power = B.binary("pow", put(np.array([3, -7, 2, 1, -1, 0], dtype)), 10**9)
    modulus = 2 * (info.max + 1)
    exact = [pow(v, 10**9, modulus) for v in (3, -7, 2, 1, -1, 0)]
    assert [v % modulus for v in get(power).tolist()] == exact
    same(B.binary("pow", put(np.array([3, -1, 1, 0], dtype)), -3), np.array([0, -1, 1, 0], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_broadcasts(dtype):
    for c, a, b in itertools.product(
        [(), (3, 1), (2, 3, 4)], [(), (3, 4)], [(4,), (3, 4), (0, 1, 1)]
    ):
        if (0 in b) and len(c) == 3:
            continue
        condition, x, y = some(c, "bool"), some(a, dtype), some(b, dtype)
        same(into(B.where, put(condition), put(x), put(y)), np.where(condition, x, y))
        one = np.array(1, dtype)
        same(into(B.where, put(condition), put(x), 1), np.where(condition, x, one))
        same(into(B.where, put(condition), 1, put(y)), np.where(condition, one, y))
    x = put(np.float32([1, 2]))
    same(B.where(put([False, True]), x, 5.0, x), np.float32([5, 2]))


@pytest.mark.parametrize("source, target", list(itertools.product(DTYPES, DTYPES)))
def test_cast(source, target):
    a = some((3, 4), source)
    same(into(B.cast, put(a), target), a.astype(target))
    same(B.cast(put(a[:0]), target), a[:0].astype(target))


def test_cast_of_values_that_do_not_fit():
    big = np.array([2**31, -(2**40) - 7, 2**63 - 1])
    same(B.cast(put(big), "int32"), big.astype(np.int32))
    odd = np.array([np.nan, np.inf, -np.inf, 1e300, -1.9, 2.0**31, -(2.0**31) - 0.5])
    low32, low64 = -(2**31), -(2**63)
    whole = [low64, low64, low64, low64, -1, 2**31, low32]
    same(B.cast(put(odd), "int64"), np.array(whole))
    same(B.cast(put(odd), "int32"), np.int32([low32] * 4 + [-1, low32, low32]))
    same(B.cast(put(odd[:2]), "bool"), np.array([True, True]))
    same(B.cast(put(np.array([1e39, -1e39])), "float32"), np.float32([np.inf, -np.inf]))


# reductions


@pytest.mark.parametrize("dtype", NUMERIC)
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
def test_reduce(name, dtype):
    for shape in [(5,), (1, 1), (3, 4), (2, 3, 5), (2, 1, 3, 2)]:
        a = some(shape, dtype, 1, 4)
        for n in range(1, len(shape) + 1):
            for axes in itertools.combinations(range(len(shape)), n):
                expected = getattr(np, name)(a, axis=axes).astype(dtype)
                same(into(B.reduce, name, put(a), axes), expected)


def test_reduce_over_nothing_and_of_nothing():
    a = np.zeros((2, 0, 3), np.float32)
    for name, value in {"sum": 0, "prod": 1}.items():
        same(B.reduce(name, put(a), (1,)), np.full((2, 3), value, np.float32))
        same(B.reduce(name, put(a), (0, 2)), np.zeros(0, np.float32))
        same(B.reduce(name, put(a), (0, 1, 2)), np.float32(value))
    same(B.reduce("max", put(a), (0,)), np.zeros((0, 3), np.float32))
    for name, value in {"any": False, "all": True}.items():
        same(B.reduce(name, put(a.astype(bool)), (1,)), np.full((2, 3), value))
    b = np.array([[True, False], [True, True], [False, False]])
    same(into(B.reduce, "any", put(b), (1,)), b.any(1))
    same(into(B.reduce, "all", put(b), (0,)), b.all(0))


def test_float32_sums_accumulate_in_double():
    a = np.full(100_000, 0.1, np.float32)
    assert float(get(B.reduce("sum", put(a), (0,)))) == np.float32(a.sum(dtype=float))


def test_nan_wins():
    a = np.array([[1, np.nan, 3], [np.nan, np.nan, 0], [np.inf, 2, -np.inf]])
    same(B.reduce("max", put(a), (1,)), a.max(1))
    same(B.reduce("min", put(a), (1,)), a.min(1))
    same(B.arg_reduce("argmax", put(a), 1), a.argmax(1))
    same(B.arg_reduce("argmin", put(a), 1), a.argmin(1))


@pytest.mark.parametrize("dtype", NUMERIC)
def test_arg_reduce_scan_and_argsort_along_each_axis(dtype):
    for shape in [(5,), (1, 1), (3, 4), (2, 3, 5), (3, 0, 2), (0, 3)]:
        a = some(shape, dtype)
        for axis in range(len(shape)):
            if shape[axis]:
                same(into(B.arg_reduce, "argmax", put(a), axis), a.argmax(axis))
                same(into(B.arg_reduce, "argmin", put(a), axis), a.argmin(axis))
            same(into(B.scan, "cumsum", put(a), axis), a.cumsum(axis, dtype=dtype))
            same(into(B.scan, "cumprod", put(a), axis), a.cumprod(axis, dtype=dtype))
            up = np.argsort(a, axis, kind="stable")
            same(into(B.argsort, put(a), axis, False), up)
            down = np.flip(np.argsort(np.flip(a, axis), axis, kind="stable"), axis)
            same(into(B.argsort, put(a), axis, True), shape[axis] - 1 - down)


def test_argsort_puts_nan_with_the_largest():
    a = np.array([2.0, np.nan, np.inf, -np.inf, np.nan, 2.0, -0.0, 0.0])
    same(B.argsort(put(a), 0, False), np.array([3, 6, 7, 0, 5, 2, 1, 4]))
    same(B.argsort(put(a), 0, True), np.array([1, 4, 2, 0, 5, 6, 7, 3]))


# compositions: layout and the affine layer


def test_layout():
    a, b = normal(2, 3), normal(2, 0)
    same(into(lambda out=None: B.cat([put(a), put(b), put(a)], 1, out)), np.hstack([a, b, a]))
    same(into(B.pad, put(a), ((1, 0), (0, 2)), 7.0), np.pad(a, ((1, 0), (0, 2)), constant_values=7))
    same(into(B.transpose, put(a), (1, 0)), a.T)
    same(into(B.expand, put(a[:, :1]), (2, 2, 4)), np.broadcast_to(a[:, :1], (2, 2, 4)))
    near(into(B.mean, put(a), (0,)), a.mean(0))
    assert math.isnan(get(B.mean(put(b), (0, 1))))
    spread = np.zeros((4, 5))
    spread[1::2, ::2] = a
    same(into(B.unstrided, put(a), (4, 5), (10, 2), 5), spread)
    x = put(a)
    B.assign(x, put(a + 1))
    same(x, a + 1)


def test_linear():
    x, w, b = normal(3, 4), normal(5, 4), normal(5)
    near(into(B.linear, put(x), put(w), put(b)), x @ w.T + b)
    near(into(B.linear, put(x), put(w), None), x @ w.T)
