"""The Numba backend's own ways: threads, layers, the cache of machine code, kept memory, plans.

What each method promises is checked for every backend by the conformance cases; here are the sizes
at which work is shared or walked another way, and what Numba may meet on a machine.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude

if (why := etude.backends.available()["numba"]) is not None:
    pytest.skip(why, allow_module_level=True)

import numba

from etude.backends import numba_memory
from etude.backends.numba_plans import copy_plan, reduction_plan
from etude.kernels import scalar, scalar_integer
from etude.kernels.cache import remove_old
from etude.kernels.numba_cpu import toolchain

B: Any = etude.backends.get("numba")
N: Any = etude.backends.get("numpy")
RNG = np.random.default_rng(0)
DTYPES = ("float32", "float64", "int32", "int64", "bool")


def values(*shape: int, dtype: str = "float32") -> Any:
    return np.asarray(RNG.standard_normal(shape) * 10).astype(dtype)


def near(got: Any, expected: Any, tolerance: float = 0.0) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    assert got.flags.c_contiguous
    np.testing.assert_allclose(got, expected, tolerance, tolerance)


# threads ------------------------------------------------------------------------------------------
LARGE: dict[str, Any] = {
    "sum of all": lambda x: B.reduce("sum", x, (0, 1)),
    "sum of rows": lambda x: B.reduce("sum", x, (1,)),
    "sum of columns": lambda x: B.reduce("sum", x, (0,)),
    "prod": lambda x: B.reduce("prod", B.binary("add", B.binary("mul", x, 1e-5), 1.0), (0, 1)),
    "max": lambda x: B.reduce("max", x, (0, 1)),
    "exp": lambda x: B.unary("exp", x),
    "bias": lambda x: B.binary("add", x, x[0].copy()),
    "where": lambda x: B.where(x > 0, x, 0.0),
    "cumsum": lambda x: B.scan("cumsum", x, 0),
    "argsort": lambda x: B.argsort(x, 1, False),
    "transpose": lambda x: B.transpose(x, (1, 0)),
    "gather": lambda x: B.gather(x, np.arange(300, dtype=np.int64) % 7),
    "scatter_add": lambda x: B.scatter_add(x, np.arange(len(x), dtype=np.int64) % 7, 7),
    "normal": lambda x: B.normal(1, 2, x.shape, "float32"),
    "unfold": lambda x: B.unfold(x.reshape(1, 4, -1), (3,), (2,), ((1, 1),), (1,)),
    "matmul": lambda x: B.matmul(x, x, True, False),
}


@pytest.mark.parametrize("name", LARGE)
def test_results_are_equal_for_any_number_of_threads(name: str) -> None:
    x = values(1004, 777)
    found = []
    before = numba.get_num_threads()
    try:
        for threads in range(1, before + 1):
            B.set_threads(threads)
            found += [LARGE[name](x).tobytes(), LARGE[name](x).tobytes()]
    finally:
        B.set_threads(before)
    assert len(set(found)) == 1


def test_more_threads_than_there_are() -> None:
    before = numba.get_num_threads()
    try:
        B.set_threads(10_000)
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
    finally:
        B.set_threads(before)


PROGRAM = """
import numpy as np, numba, etude
from etude.kernels.numba_cpu import toolchain
x = etude.arange(0, 1_000_000, dtype="float32", backend="numba")
print(int((x.relu() + 1).exp().isinf().sum().item()), x.sum().item() == 499999500000)
print(toolchain.compilations().count, numba.get_num_threads(), numba.threading_layer())
"""


def python(code: str = PROGRAM, **environment: str) -> list[str]:
    """The lines that a program of its own prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


WRONG_IF_GIVEN_BACK = """
import numpy as np, etude
engine = etude.backends.get("numba")
x = np.linspace(-1, 1, 100_000, dtype=np.float32)
given = engine.from_host(x, x.shape, "float32")
for name, left, right in (("sub", given, 0.5), ("sub", 0.5, given), ("gt", given, 0.5)):
    print(round(float(np.asarray(engine.binary(name, left, right), np.float64).sum())))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc fills what is freed")
def test_no_memory_is_read_that_was_given_back() -> None:
    # The number of binary_number was, where threads read it: its array lived too short.
    filled = "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165"
    assert python(WRONG_IF_GIVEN_BACK, GLIBC_TUNABLES=filled) == ["-50000", "50000", "25000"]


def test_softmax_is_the_same_wherever_its_result_lies() -> None:
    # Right behind x, compiled code checks whether the two overlap, and may go another way.
    engine, room = etude.backends.get("numba"), np.zeros(1000)
    for length in (4, 7, 16, 33):
        x = room[: 3 * length].reshape(3, length)
        x[...] = -np.random.default_rng(0).uniform(900, 1000, x.shape)
        found = set()
        for gap in (0, 1, 2, 3, 5, 8, 64, 500):
            y = room[x.size + gap :][: x.size].reshape(x.shape)
            engine.softmax(x, 1, out=y)
            found.add(y.tobytes())
        assert len(found) == 1


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    first, second = (python(NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert first[0] == second[0]
    assert int(first[1].split()[0]) > 3
    assert int(second[1].split()[0]) == 0


def test_without_a_place_for_the_cache(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    with_cache, without = python(), python(NUMBA_CACHE_DIR=str(nowhere / "cache"))
    assert with_cache[0] == without[0]
    assert int(without[1].split()[0]) > 3


def test_the_work_queue_layer() -> None:
    lines = python(NUMBA_THREADING_LAYER="workqueue")
    assert lines[0] == python()[0]
    assert lines[1].endswith("workqueue")


def test_a_single_thread() -> None:
    lines = python(NUMBA_NUM_THREADS="1")
    assert lines[0] == python()[0]
    assert lines[1].split()[1] == "1"


def test_importing_etude_leaves_numba_alone() -> None:
    code = "import sys, etude; etude.ones(3).exp(); print('numba' in sys.modules)"
    assert python(code, ETUDE_BACKEND="numpy") == ["False"]


# the cache ----------------------------------------------------------------------------------------
def test_the_digest_covers_what_a_kernel_is_made_from(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    top, deep = tmp_path / "inner" / "top.py", tmp_path / "deep.py"
    (tmp_path / "inner" / "mid.py").write_text("from ..deep import (\n    x,\n)\n")
    top.write_text("from . import mid\n")
    deep.write_text("x = 1\n")
    before = toolchain._digest.__wrapped__(top)
    assert toolchain._digest.__wrapped__(top) == before
    deep.write_text("x = 2\n")
    assert toolchain._digest.__wrapped__(top) != before


def test_folders_of_old_sources_go(tmp_path: Path) -> None:
    for name, age in (("numba-exp-old", 100), ("numba-exp-new", 1), ("numba-log-old", 100)):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "code.nbi").write_text("")
        when = tmp_path.stat().st_mtime - age * 86400
        os.utime(tmp_path / name, (when, when))
    remove_old(tmp_path, "numba-exp-*")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["numba-exp-new", "numba-log-old"]


def test_the_package_may_be_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    locked.write_text("a file, in which no folder can be made")
    monkeypatch.setattr(toolchain, "HERE", locked)
    monkeypatch.setattr(toolchain.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    place = toolchain.folder.__wrapped__(Path(scalar.__file__))
    assert place is not None
    assert Path(place).parent == tmp_path / "home" / "etude"


def test_compilations_are_counted() -> None:
    @toolchain.kernel
    def once(x: Any) -> Any:
        return x + 1

    once.py_func.__module__ = "etude.test"
    before = toolchain.compilations()
    once.disable_compile(False)
    once._cache.disable()
    assert once(np.float64(1)) == 2
    after = toolchain.compilations()
    assert after.count == before.count + 1
    assert after.seconds > before.seconds


# memory -------------------------------------------------------------------------------------------
def test_large_memory_is_used_again() -> None:
    pool = numba_memory.Pool()
    x = np.asarray(numba_memory.Lease(pool, (1 << 20,), np.dtype("float64"), 8 << 20))
    place = x.ctypes.data
    view = x.reshape(1024, 1024)[3]
    x = None
    assert pool.held == 0  # the view still needs it
    view[:] = 1
    view = None
    assert pool.held == 8 << 20
    x = np.asarray(numba_memory.Lease(pool, (2, 3), np.dtype("float32"), (8 << 20) - 100))
    assert (x.ctypes.data, x.shape, pool.held) == (place, (2, 3), 0)
    x = None
    pool.release()
    assert (pool.held, pool.free) == (0, {})


def test_no_more_memory_is_kept_than_the_limit() -> None:
    pool = numba_memory.Pool(limit=6 << 20)
    leases = [numba_memory.Lease(pool, (4 << 20,), np.dtype("int8"), 4 << 20) for _ in range(2)]
    leases.clear()
    assert pool.held == 4 << 20


def test_too_much_memory_is_an_error() -> None:
    for size in (1 << 50, 1 << 62):
        with pytest.raises(MemoryError):
            numba_memory.empty((size,), "float64")


def test_sizes_of_blocks() -> None:
    for size in (1, 4096, 70_001, (4 << 20) + 1, 67_108_864):
        room = numba_memory.rounded(size)
        assert size <= room <= max(4096, size * 9 / 8)
        assert numba_memory.rounded(room) == room


# ways to walk -------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(7,), (3, 5), (2, 3, 4, 5), (300, 401), (5, 70_001), (70_001, 5)]
)
def test_reductions_of_all_axes(shape: tuple[int, ...], dtype: str) -> None:
    x = values(*shape, dtype=dtype)
    tolerance = {"float32": 1e-3, "float64": 1e-9}.get(dtype, 0.0)
    for count in range(1, len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            near(B.reduce("sum", x, axes), N.reduce("sum", x, axes), tolerance)
            for name in ("max", "min") if dtype != "bool" else ("any", "all"):
                near(B.reduce(name, x, axes), N.reduce(name, x, axes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sum_of_many_rounds_little(dtype: str) -> None:
    x = RNG.uniform(0, 1, 3_000_001).astype(dtype)
    exact = np.sum(x, dtype=np.longdouble)
    bound = 4 * np.finfo(dtype).eps
    assert abs(B.reduce("sum", x, (0,)) - exact) / exact < bound
    many = B.reduce(
        "sum", np.ascontiguousarray(np.broadcast_to(x[:99_999, None], (99_999, 3))), (0,)
    )
    assert abs(many - np.sum(x[:99_999], dtype=np.longdouble)).max() / many[0] < 4 * bound


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1])
def test_extremes_mind_nan_of_either_sign(dtype: str, axis: int) -> None:
    for bad in (np.nan, -np.nan):
        x = values(200, 300, dtype=dtype)
        x[50, 60] = bad
        for name in ("max", "min"):
            near(B.reduce(name, x, (axis,)), N.reduce(name, x, (axis,)))
        for name in ("argmax", "argmin"):
            near(B.arg_reduce(name, x, axis), N.arg_reduce(name, x, axis))
    x[:] = -np.inf
    near(B.reduce("max", x, (axis,)), N.reduce("max", x, (axis,)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 5, 48, 49, 3000])
@pytest.mark.parametrize("descending", [False, True])
def test_orders(dtype: str, length: int, descending: bool) -> None:
    for shape, axis in (((3, length), 1), ((length, 3), 0)):
        x = np.round(values(*shape, dtype=dtype) / 3).astype(dtype) * (dtype != "bool" or 1)
        if dtype.startswith("float"):
            x.reshape(-1)[::7] = np.nan
            x.reshape(-1)[::5] = -0.0
        near(B.argsort(x, axis, descending), N.argsort(x, axis, descending))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4), (40, 50), (2, 3, 4, 5), (300, 401), (3, 200, 64)])
def test_permutations(shape: tuple[int, ...], dtype: str) -> None:
    x = values(*shape, dtype=dtype)
    for axes in itertools.permutations(range(len(shape))):
        near(B.transpose(x, axes), N.transpose(x, axes))


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_writes(dtype: str) -> None:
    src = values(30, 200, dtype=dtype)
    for strides, offset in (((200, 1), 7), ((1, 40), 0), ((3, 100), 5), ((-200, -1), 5999)):
        ours, theirs = (np.zeros(21_000, dtype) for _ in range(2))
        B.put_strided(ours, src, strides, offset)
        N.put_strided(theirs, src, strides, offset)
        near(ours, theirs)


PAIRS = [((3, 4), (4,)), ((3, 4), (3, 1)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((), (3,))] + [
    ((200, 300), (300,)),
    ((2, 5, 100, 100), (5, 1, 1)),
    ((30_000, 3), (3,)),
    ((2, 40_000), (40_000,)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left, right", PAIRS)
def test_broadcasting(left: Any, right: Any, dtype: str) -> None:
    a, b = values(*left, dtype=dtype), values(*right, dtype=dtype)
    for x, y in ((a, b), (b, a)):
        for name in ("add", "maximum", "lt"):
            near(B.binary(name, x, y), N.binary(name, x, y))
        for condition in (a > 0, b > 0):
            condition = np.asarray(condition)
            near(B.where(condition, x, y), N.where(condition, x, y))
            near(B.where(condition, x, 1), N.where(condition, x, 1))


def test_plans_have_few_axes() -> None:
    assert copy_plan((2, 3, 4), None, (12, 4, 1)).plan.tolist() == [1, 24, 1, 1]
    assert copy_plan((5, 6), None, (1, 5)).tiles
    assert not copy_plan((5, 2), None, (1, 5)).tiles
    kept, steps = reduction_plan((2, 3, 4, 5), (0, 2, 3))
    assert kept == (3,)
    assert [(s.by_rows, s.length, s.size) for s in steps] == [(True, 20, 6), (False, 2, 3)]
    assert [s.size for s in reduction_plan((2, 1 << 20), (1,))[1]] == [128, 2]
    assert reduction_plan((2, 3), ())[0] == (2, 3)


# elementwise --------------------------------------------------------------------------------------
INTEGERS = [-(2**63), -(2**31), -7, -2, -1, 0, 1, 2, 5, 63, 2**31 - 1, 2**63 - 1]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "pow", "mul", "maximum"])
def test_integers_wrap_and_never_trap(name: str, dtype: str) -> None:
    kind = np.iinfo(dtype)
    few = np.array([v for v in INTEGERS if kind.min <= v <= kind.max], dtype)
    a, b = (np.ascontiguousarray(x.reshape(-1)) for x in np.meshgrid(few, few))
    function = scalar_integer.BINARY.get(name, scalar.BINARY[name])
    if name == "pow":
        b = np.where(b > 100, 63, b)
    got = B.binary(name, a, b)
    for x, y, result in zip(a.tolist(), b.tolist(), got.tolist()):
        expected = function(x, y)
        wrapped = (expected - int(kind.min)) % (1 << kind.bits) + int(kind.min)
        assert result == wrapped, (x, y)


def test_casts_out_of_range() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 1e19, -1e19, 2.9, -2.9])
    for dtype, low in (("int32", -(2**31)), ("int64", -(2**63))):
        for source in (x, x.astype("float32")):
            got = B.cast(source, dtype).tolist()
            inside = [int(v) if abs(v) < -low else low for v in np.nan_to_num(source, nan=1e30)]
            assert got == inside
    assert B.cast(x, "bool").all()


def test_an_input_may_be_the_result() -> None:
    x, y = values(100_003), values(100_003)
    for name in ("exp", "relu", "neg"):
        expected, z = B.unary(name, x), x.copy()
        B.unary(name, z, z)
        near(z, expected)
    for which in (0, 1):
        pair = [x.copy(), y.copy()]
        B.binary("sub", *pair, pair[which])
        near(pair[which], x - y)


def test_errors_name_the_index() -> None:
    x = values(5, 3)
    for bad in (5, -6, 2**62):
        with pytest.raises(IndexError, match=f"index {bad} is out of range -5 ... 4"):
            B.gather(x, np.array([0, bad]))
        with pytest.raises(IndexError, match=f"index {bad} is out of range -5 ... 4"):
            B.scatter_add(x, np.array([0, 1, bad, 2, 9]), 5)


def test_a_window_over_many_axes() -> None:
    geometry = (2, 3, 1, 2), (2, 1, 1, 2), ((1, 0), (2, 1), (0, 0), (0, 1)), (1, 2, 1, 1)
    x = values(2, 2, 5, 6, 3, 7, dtype="float64")
    columns = N.unfold(x, *geometry)
    near(B.unfold(x, *geometry), columns)
    near(B.fold(columns, x.shape, *geometry), N.fold(columns, x.shape, *geometry), 1e-12)
