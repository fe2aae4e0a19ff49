"""Buffers of the C backend: alignment, the cache, its limit, and no memory."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import etude

REASON = etude.backends.available()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def lib() -> Iterator[Any]:
    from etude.backends.c_library import lib

    gc.collect()
    lib.memory_release()
    yield lib
    lib.memory_set_limit(1 << 30)


def new_block(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return etude.backends.get("c").empty(shape, dtype)


def address(block: Any) -> int:
    from etude.backends.c_library import ffi

    return int(ffi.cast("uintptr_t", block.data))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 33, 1000, 1 << 18, (1 << 18) + 1, 3 << 20])
def test_buffers_are_aligned_and_whole(lib: Any, size: int) -> None:
    block = new_block((size,))
    assert address(block) % 64 == 0
    data = block.bytes()
    assert len(data) == 4 * size
    data[:] = b"\1" * (4 * size)
    other = new_block((size,))
    other.bytes()[:] = b"\2" * (4 * size)
    assert bytes(data) == b"\1" * (4 * size)


def test_freed_memory_comes_back(lib: Any) -> None:
    first = new_block((1000, 1000))
    where = address(first)
    del first
    assert lib.memory_cached() >= 4_000_000
    assert address(new_block((1000, 1000))) == where
    etude.backends.get("c").release_memory()
    assert lib.memory_cached() == 0


def test_views_keep_the_memory(lib: Any) -> None:
    block = new_block((6,))
    block.bytes()[:] = bytes(range(24))
    view = block.view((2, 3)).view((3, 2))
    before = lib.memory_in_use()
    del block
    assert lib.memory_in_use() == before
    assert bytes(view.bytes()) == bytes(range(24))
    del view
    assert lib.memory_in_use() < before


def test_values_on_the_host_keep_the_memory(lib: Any) -> None:
    values = etude.full((1000,), 7.0, backend="c").numpy()
    others = [etude.zeros(1000, backend="c") for _ in range(8)]
    assert set(values.tolist()) == {7.0}
    before = lib.memory_in_use()
    del values
    assert lib.memory_in_use() < before
    assert len(others) == 8


def test_the_cache_has_a_limit(lib: Any) -> None:
    lib.memory_set_limit(1 << 20)
    blocks = [new_block((1 << 16,)) for _ in range(16)]
    del blocks
    assert 0 < lib.memory_cached() <= 1 << 20


@pytest.mark.parametrize(
    "shape", [(1 << 44,), (1 << 31, 1 << 31), (1 << 62, 1 << 62, 5), (3, 1 << 50)]
)
def test_no_memory_names_the_bytes(lib: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(MemoryError, match=r"no memory for a buffer .* bytes asked for"):
        new_block(shape)


def test_threads_allocate_at_the_same_time(lib: Any) -> None:
    wrong: list[str] = []

    def work(mark: int) -> None:
        for i in range(3000):
            block = new_block((i % 50 + 1,), "int64")
            data = block.bytes()
            data[:] = bytes([mark]) * len(data)
            if bytes(data) != bytes([mark]) * len(data):
                wrong.append(f"thread {mark}, round {i}")

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
