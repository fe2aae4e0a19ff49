"""The simulator runs kernels as a device would, and catches what a device passes over."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import exp
from typing import Any

import numpy as np
import pytest

pytest.importorskip("greenlet")

from etude.kernels.cuda import simulator, toolchain
from etude.kernels.cuda.spec import (
    Kernel,
    cuda,
    device,
    float32,
    float64,
    int32,
    uint32,
)

FULL = 0xFFFFFFFF


def run(
    function: Callable[..., None],
    signature: tuple[str, ...],
    *arguments: Any,
    grid: int = 1,
    block: Any = 32,
    shared: int = 0,
) -> None:
    """Simulate a launch of a function."""
    kernel = Kernel(function.__name__, function, signature, (1024, 1, 1), shared)
    with toolchain.simulated():
        toolchain.launch(kernel, grid, *arguments, block=block)


def numbers(n: int, dtype: str = "float32") -> np.ndarray:
    return np.arange(1, n + 1).astype(dtype)


# what is right ------------------------------------------------------------------------------------
def scale(x, y, n, a):
    i = cuda.grid(1)
    if i < n:
        y[i] = x[i] * a


def test_each_thread_does_its_part() -> None:
    x, y = numbers(70), np.full(70, np.nan, np.float32)
    run(scale, ("float32*", "float32*", "int32", "float32"), x, y, 70, 0.5, grid=3)
    assert np.array_equal(y, x / 2)


def block_sum(x, y, n):
    t = cuda.threadIdx.x
    part = cuda.shared.array(4, float32)
    v = x[t] if t < n else float32(0)
    step = 16
    while step > 0:
        v += cuda.shfl_down_sync(FULL, v, step)
        step //= 2
    if cuda.laneid == 0:
        part[t // 32] = v
    cuda.syncthreads()
    if t == 0:
        y[cuda.blockIdx.x] = part[0] + part[1] + part[2] + part[3]


def test_threads_meet_at_barriers_and_in_warps() -> None:
    x, y = numbers(128), np.zeros(2, np.float32)
    run(block_sum, ("float32*", "float32*", "int32"), x, y, 100, grid=2, block=128)
    assert y.tolist() == [5050.0, 5050.0]


def votes(y):
    t = cuda.threadIdx.x
    y[t] = cuda.ballot_sync(FULL, t % 2 == 0)
    y[32 + t] = cuda.any_sync(FULL, t == 3) + 2 * cuda.all_sync(FULL, t < 32)
    y[64 + t] = cuda.match_any_sync(FULL, t // 16)
    y[96 + t] = cuda.shfl_xor_sync(FULL, t, 1) + 100 * cuda.shfl_up_sync(FULL, t, 2)
    y[128 + t] = cuda.shfl_sync(FULL, t, 5) + 100 * cuda.syncthreads_count(t < 7)


def test_votes_matches_and_shuffles() -> None:
    y = np.zeros(160, np.int64)
    run(votes, ("int64*",), y)
    lanes = np.arange(32)
    assert (y[:32] == 0x55555555).all()
    assert (y[32:64] == 3).all()
    assert np.array_equal(y[64:96], np.where(lanes < 16, 0xFFFF, 0xFFFF0000))
    up = np.where(lanes < 2, lanes, lanes - 2)
    assert np.array_equal(y[96:128], (lanes ^ 1) + 100 * up)
    assert (y[128:] == 705).all()


def two_axes(y):
    tile = cuda.shared.array((4, 8), float32)
    x, z = cuda.threadIdx.x, cuda.threadIdx.y
    tile[z, x] = float32(10 * z + x)
    cuda.syncthreads()
    own = cuda.local.array(2, float32)
    own[0], own[1] = tile[3 - z, x], float32(1)
    y[z * cuda.blockDim.x + x] = own[0] + own[1]


def test_shared_memory_of_two_axes_and_local_memory() -> None:
    y = np.zeros(32, np.float32)
    run(two_axes, ("float32*",), y, block=(8, 4, 1))
    want = [[10 * (3 - z) + x + 1 for x in range(8)] for z in range(4)]
    assert np.array_equal(y.reshape(4, 8), want)


def dynamic(x, y):
    line = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    line[t] = x[t]
    cuda.syncthreads()
    y[t] = line[31 - t]


def test_dynamic_shared_memory_has_the_size_of_the_launch() -> None:
    x, y = numbers(32), np.zeros(32, np.float32)
    run(dynamic, ("float32*", "float32*"), x, y, shared=128)
    assert np.array_equal(y, x[::-1])
    with pytest.raises(simulator.KernelFault, match=r"index 31 of a shared array.*\(31,\)"):
        run(dynamic, ("float32*", "float32*"), x, y, shared=124)


def special(x, y):
    y[0] = 1 / x[0]
    y[1] = math.log(x[0])
    y[2] = exp(x[1])
    y[3] = math.sqrt(-x[1])
    y[4] = math.pow(x[1], x[1])


def test_arithmetic_follows_ieee() -> None:
    y = np.zeros(5, np.float64)
    run(special, ("float64*", "float64*"), np.array([0.0, 1000.0]), y, block=1)
    assert np.array_equal(y, [np.inf, -np.inf, np.inf, np.nan, np.inf], equal_nan=True)


def whole(y, n):
    y[0] = int32(n + 1)
    y[1] = uint32(-1)
    y[2] = uint32(int32(0x80000000))


def test_casts_wrap_and_stores_into_integers_do() -> None:
    y = np.zeros(3, np.int64)
    run(whole, ("int64*", "int32"), y, 2**31 - 1, block=1)
    assert y.tolist() == [-(2**31), 2**32 - 1, 2**31]


@device(simulate=lambda x, i: (x[i], x[i + 1]))
def pair(x, i):
    raise AssertionError("the simulator runs the stand-in")


def twice(v):
    return v + v


def uses_helpers(x, y):
    a, b = pair(x, 0)
    y[0] = twice(a) + b


def test_helpers_are_plain_functions_or_have_stand_ins() -> None:
    y = np.zeros(1, np.float32)
    run(uses_helpers, ("float32*", "float32*"), numbers(2), y, block=1)
    assert y[0] == 4.0
    with pytest.raises(TypeError, match="only has a meaning inside a kernel"):
        float32(1)


def precise(x, y):
    y[0] = x[0] + float32(1e-9)
    y[1] = x[0] + float64(1e-9)


def test_float32_rounds_at_each_step() -> None:
    y = np.zeros(2, np.float64)
    run(precise, ("float32*", "float64*"), numbers(1), y, block=1)
    assert y.tolist() == [1.0, 1.0 + 1e-9]


# what is wrong ------------------------------------------------------------------------------------
def beyond(x):
    x[cuda.threadIdx.x + 1] = float32(0)


def before(x):
    x[cuda.threadIdx.x] = x[cuda.threadIdx.x - 1]


def half_way(x):
    if cuda.threadIdx.x < 16:
        cuda.syncthreads()


def early_end(x):
    if cuda.threadIdx.x > 20:
        return
    cuda.syncthreads()


def no_barrier(x):
    line = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    line[t] = float32(t)
    x[t] = line[63 - t]
    cuda.syncthreads()


def barrier_too_few(x):
    line = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    line[t] = float32(t)
    cuda.syncthreads()
    v = line[63 - t]
    line[t] = v


def warp_only(x):
    line = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    line[t] = float32(t)
    cuda.syncwarp()
    x[t] = line[63 - t]


def two_writers(x):
    x[cuda.threadIdx.x // 2] = float32(cuda.threadIdx.x)


def other_blocks(x):
    x[0] = x[0] + float32(1)


def lane_that_ended(x):
    if cuda.threadIdx.x < 8:
        x[0] = cuda.shfl_down_sync(FULL, x[0], 1)


def lane_outside(x):
    if cuda.threadIdx.x < 16:
        x[cuda.threadIdx.x] = cuda.shfl_down_sync(0xFFFF, x[0], 1)


def different_places(x):
    if cuda.threadIdx.x < 16:
        cuda.syncwarp()
    else:
        cuda.any_sync(FULL, True)


def beyond_local(x):
    own = cuda.local.array(4, float32)
    own[cuda.threadIdx.x] = float32(1)


def before_local(x):
    own = cuda.local.array((2, 2), float32)
    x[0] = own[0, cuda.threadIdx.x - 1]


def beyond_tile(x):
    tile = cuda.shared.array((2, 2), float32)
    tile[0, 2] = float32(1)
    cuda.syncthreads()


def no_kernel(x):
    x[0] = undefined_name  # noqa: F821


PLANTED = [
    (beyond, 1, 32, r"thread \(31, 0, 0\): index 32 of argument 0, which has shape \(32,\)"),
    (before, 1, 32, r"index -1 of argument 0"),
    (half_way, 1, 32, r"16 of 32 threads wait at cuda.syncthreads\(\) and thread 16 has ended"),
    (early_end, 1, 32, r"21 of 32 threads wait at cuda.syncthreads\(\) and thread 21 has ended"),
    (no_barrier, 1, 64, r"a race: it (reads|writes) element \d+ of a shared array"),
    (barrier_too_few, 1, 64, r"a race: it (reads|writes) element \d+ of a shared array"),
    (warp_only, 1, 64, r"a race: it (reads|writes) element \d+ of a shared array"),
    (two_writers, 1, 32, r"writes element \d+ of argument 0, which thread \d+ wrote with no bar"),
    (other_blocks, 2, 1, r"block \(1, 0, 0\).*which thread 0 of block 0 wrote"),
    (lane_that_ended, 1, 32, r"shfl_down_sync: the mask 0xffffffff names lane 8, which has ended"),
    (lane_outside, 1, 32, r"lane 15 reads lane 16, which is not in the mask"),
    (different_places, 1, 32, r"cuda.syncwarp: lane 16 is at cuda.any_sync instead"),
    (beyond_local, 1, 5, r"thread \(4, 0, 0\): index 4 of a local array, which has shape \(4,\)"),
    (before_local, 1, 1, r"index \(0, -1\) of a local array, which has shape \(2, 2\)"),
    (beyond_tile, 1, 1, r"index \(0, 2\) of a shared array, which has shape \(2, 2\)"),
    (no_kernel, 1, 1, r"NameError: name 'undefined_name' is not defined"),
]


@pytest.mark.parametrize("function, grid, block, words", PLANTED, ids=lambda v: "")
def test_planted_bugs_are_caught(
    function: Callable[..., None], grid: int, block: int, words: str
) -> None:
    x = np.zeros(max(block, 32), np.float32)
    with pytest.raises(simulator.KernelFault, match=words) as caught:
        run(function, ("float32*",), x, grid=grid, block=block)
    assert str(caught.value).startswith(f"[cuda] {function.__name__}, block (")


def unwritten(y):
    line = cuda.shared.array(4, float32)
    own = cuda.local.array(4, float32)
    y[0], y[1] = line[1], own[2]


def test_memory_that_nobody_has_written_is_nan() -> None:
    y = np.zeros(2, np.float32)
    run(unwritten, ("float32*",), y, block=1)
    assert np.isnan(y).all()


def test_warps_may_exchange_through_shared_memory_without_a_barrier_of_the_block() -> None:
    y = np.zeros(64, np.float32)

    def within(x):
        line = cuda.shared.array(64, float32)
        t = cuda.threadIdx.x
        line[t] = float32(t)
        cuda.syncwarp()
        x[t] = line[t ^ 1]

    run(within, ("float32*",), y, block=64)
    assert np.array_equal(y, np.arange(64) ^ 1)


def test_arguments_are_checked() -> None:
    kinds = ("float32*", "int32")

    def nothing(x, n):
        pass

    def reads(x, n):
        x[0] = x[n]

    with pytest.raises(TypeError, match="nothing takes 2 arguments, got 1"):
        run(nothing, kinds, numbers(1))
    with pytest.raises(
        TypeError, match=r"argument 0 of nothing is float32\*, got a buffer of int64"
    ):
        run(nothing, kinds, numbers(1, "int64"), 1)
    with pytest.raises(TypeError, match="argument 0 of nothing is no buffer: 3"):
        run(nothing, kinds, 3, 1)
    with pytest.raises(simulator.KernelFault, match="index 4 of a null pointer"):
        run(reads, kinds, None, 4, block=1)
    with pytest.raises(ValueError, match=r"nothing takes blocks up to \(1024, 1, 1\), got \(2048"):
        run(nothing, kinds, numbers(1), 1, block=2048)


def test_races_are_not_watched_where_speed_is_asked_for() -> None:
    kernel = Kernel("two_writers", two_writers, ("float32*",), (32, 1, 1))
    with toolchain.simulated(races=False):
        toolchain.launch(kernel, 1, np.zeros(16, np.float32))
    assert not toolchain.simulating()


def test_what_a_launch_would_cut_off_or_refuse_is_an_error() -> None:
    kernel = Kernel("counts", lambda n, x, y: None, ("int32", "uint32", "float32"))
    with toolchain.simulated():
        toolchain.launch(kernel, 1, 2**31 - 1, 2**32 - 1, 1e300)
        for bad, place, kind in [
            ((2**31, 0, 0), 0, "int32"),
            ((0, -1, 0), 1, "uint32"),
            ((1.5, 0, 0), 0, "int32"),
        ]:
            message = rf"argument {place} of counts is {kind}, got {bad[place]}: "
            with pytest.raises(TypeError, match=message):
                toolchain.launch(kernel, 1, *bad)
        for grid in ((2**31, 1, 1), (1, 65536, 1), (1, 1, 65536)):
            with pytest.raises(ValueError, match=r"counts: a grid has up to \(2147483647, 65535"):
                toolchain.launch(kernel, grid, 0, 0, 0)


def test_few_threads_are_simulated_but_one_without_work_and_whole_warps() -> None:
    with toolchain.simulated():
        assert [toolchain.threads(n, 256) for n in (1, 30, 31, 32, 1000)] == [2, 31, 32, 32, 32]
        assert (toolchain.warps(256), toolchain.warps(256, 2)) == (32, 64)
    with toolchain.simulated():
        toolchain.simulate(False)
        assert toolchain.threads(1, 256) == toolchain.warps(256) == 256


def turned(x):
    tile = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    for _ in range(2):
        tile[t] = x[t]
        cuda.syncthreads()
        x[t] = tile[63 - t]
        cuda.syncthreads()


def overwritten(x):
    line = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    line[t] = x[t]
    cuda.syncthreads()
    x[t] = line[0]
    if t == 31:
        line[0] = float32(0)


def test_shared_memory_may_be_written_anew_after_a_barrier_only() -> None:
    x = numbers(64)
    run(turned, ("float32*",), x, block=64)
    assert np.array_equal(x, numbers(64))
    words = r"writes element 0 of a shared array, which thread 0 read with no barrier"
    with pytest.raises(simulator.KernelFault, match=words):
        run(overwritten, ("float32*",), x)
