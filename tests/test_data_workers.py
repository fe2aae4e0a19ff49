"""Loader workers: the same batches for any number of them, and a clean end whatever happens."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_samples as samples

import etude
from etude.framework.data import DataLoader, TensorDataset
from etude.framework.data.transforms import Compose, RandomFlip, RandomShift, Resize
from etude.framework.data.workers import WorkerError
from etude.framework.errors import ArgumentError, IndexOutOfRange, ShapeError
from etude.framework.ops.sampling import Generator, get_rng_state

CONTEXTS = ["forkserver", "spawn"]
AUGMENT = Compose(RandomShift(1), RandomFlip(), Resize((9, 9)))


@pytest.fixture(autouse=True)
def _no_child_is_left(small_heap: None) -> Iterator[None]:
    yield
    gc.collect()
    assert multiprocessing.active_children() == []


def images(n: int = 22) -> TensorDataset:
    x = etude.rand(n, 2, 6, 6, generator=Generator(4))
    return TensorDataset(x, etude.arange(n), etude.zeros(n, 0), x[:, 0, 0, 0] > 0.5)


def facts(batches: Any) -> list[Any]:
    """All that can be compared of batches, to the bit."""
    return [
        [(t.shape, t.dtype, t.backend.name, bytes(t.backend.to_host(t.buffer))) for t in parts]
        for parts in batches
    ]


def begun(loader: DataLoader) -> Iterator[Any]:
    """An iterator that has given its first batch, so that its workers run."""
    batches = iter(loader)
    next(batches)
    return batches


# the same batches -------------------------------------------------------------------------------
@pytest.mark.parametrize("workers, context", [(1, None), (2, None), (3, None), (2, "spawn")])
def test_any_number_of_workers_gives_the_same_batches(workers: int, context: str | None) -> None:
    def epochs(**how: Any) -> list[Any]:
        loader = DataLoader(images(), 4, shuffle=True, seed=3, transform=AUGMENT, **how)
        return [facts(loader), facts(loader)]

    alone = epochs()
    assert alone[0] != alone[1]
    how = {"multiprocessing_context": context, "persistent_workers": context == "spawn"}
    assert epochs(num_workers=workers, **how) == alone


def test_batches_move_to_the_backend_of_the_caller() -> None:
    def epoch(**how: Any) -> list[Any]:
        return facts(DataLoader(images(8), 3, shuffle=True, seed=1, backend="python", **how))

    assert epoch(num_workers=2) == epoch()


def test_workers_take_over_the_default_backend() -> None:
    loader = DataLoader(samples.Numbers(5), 2, num_workers=2, persistent_workers=True)
    for backend in ("python", "numpy"):
        with etude.use_backend(backend):
            assert [(x.backend.name, x.tolist()) for (x,) in loader] == [
                (backend, [0, 1]),
                (backend, [2, 3]),
                (backend, [4]),
            ]
    del loader


def test_a_dataset_that_draws_is_the_same_too_and_moves_no_other_draw() -> None:
    before = get_rng_state()
    alone = DataLoader(samples.Noise(), 2, seed=9)
    shared = DataLoader(samples.Noise(), 2, seed=9, num_workers=2)
    first, second = facts(alone), facts(alone)
    assert [facts(shared), facts(shared)] == [first, second]
    assert len({str(parts[0]) for parts in first + second}) == 8
    assert get_rng_state() == before


def test_workers_do_not_repeat_the_draws_of_numpy_or_each_other() -> None:
    loader = DataLoader(
        samples.Numbers(4), num_workers=2, transform=samples.numpy_draws, prefetch_factor=1
    )
    drawn = [tuple(x.tolist()) for _ in range(2) for (x,) in loader]
    assert len({a for a, _ in drawn}) == len({b for _, b in drawn}) == 8


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_begins_in_the_middle(workers: int) -> None:
    loader = DataLoader(images(), 4, shuffle=True, seed=3, transform=AUGMENT, num_workers=workers)
    first, second = facts(loader), facts(loader)
    assert loader.epoch == 2
    for start in (0, 2, 5, 6):
        assert facts(loader.batches(1, start=start)) == second[start:]
    assert facts(loader.batches(0, 3)) == first[3:]
    assert loader.epoch == 2
    for start in (-1, 7):
        with pytest.raises(IndexOutOfRange, match=rf"start of 0 ... 6, .* got {start}"):
            loader.batches(0, start)


def test_two_passes_at_once_do_not_mix() -> None:
    loader = DataLoader(samples.Numbers(4), 2, num_workers=1, persistent_workers=True)
    pairs = [(a.tolist(), b.tolist()) for (a,) in loader for (b,) in loader]
    rows = [[0, 1], [2, 3]]
    assert pairs == [(a, b) for a in rows for b in rows]
    del loader


def test_no_batch_starts_no_worker() -> None:
    loader = DataLoader(samples.Numbers(0), 2, num_workers=2, transform=lambda x, g: x)
    assert list(loader) == []


# prefetching and settings -----------------------------------------------------------------------
@pytest.mark.parametrize("workers, factor", [(1, 1), (2, 3)])
def test_workers_run_ahead_and_no_further(workers: int, factor: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    data = samples.Numbers(20, log)
    loader = DataLoader(data, num_workers=workers, prefetch_factor=factor)
    for used, (x,) in enumerate(loader, 1):
        expected = list(range(min(used + workers * factor, 20)))
        deadline = time.monotonic() + 20
        while sorted(made := list(map(int, log.read_text().split()))) != expected:
            assert set(made) < set(expected)
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert x.item() == used - 1
    assert sorted(map(int, log.read_text().split())) == list(range(20))


def test_persistent_workers_stay_and_others_do_not() -> None:
    def processes(persistent: bool) -> tuple[set[int], set[int]]:
        loader = DataLoader(
            samples.Numbers(4), num_workers=2, transform=samples.facts,
            persistent_workers=persistent,
        )  # fmt: skip
        first, second = ({x[0].item() for (x,) in loader} for _ in range(2))
        assert len(first) == len(second) == 2
        return first, second

    first, second = processes(True)
    assert first == second
    first, second = processes(False)
    assert not first & second


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_worker_has_one_thread_and_the_parent_keeps_its_own(
    context: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    loader = DataLoader(
        samples.Numbers(1), num_workers=1, transform=samples.facts, multiprocessing_context=context
    )
    ((x,),) = loader
    assert x[1].item() == 1
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_each_worker_is_initialised_with_its_number() -> None:
    loader = DataLoader(
        samples.Numbers(4),
        num_workers=2,
        transform=samples.mark,
        worker_init_fn=samples.set_a_mark,
        multiprocessing_context=multiprocessing.get_context("forkserver"),
    )
    assert [x.item() for (x,) in loader] == [10, 11, 10, 11]


# errors -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "what, kind, message",
    [
        ("shape_error", ShapeError, "[here] a bad shape"),
        ("key_error", KeyError, "'lost'"),
        ("two_part", WorkerError, "[DataLoader] a worker raised TwoPart: one two"),
    ],
)
def test_what_a_worker_raises_is_raised_with_its_traceback(
    what: str, kind: type[Exception], message: str
) -> None:
    loader = DataLoader(samples.Numbers(9), num_workers=2, transform=samples.Trouble(what, 3))
    seen = []
    with pytest.raises(kind) as caught:
        seen.extend(x.item() for (x,) in loader)
    assert type(caught.value) is kind
    assert str(caught.value) == message
    assert seen == [0, 1, 2]
    (note,) = caught.value.__notes__
    assert "In worker 1, batch 3 of epoch 0:" in note
    assert "worker_samples.py" in note
    assert f"in {what}" in note
    assert multiprocessing.active_children() == []


def test_the_batch_is_named_as_the_epoch_counts_it() -> None:
    loader = DataLoader(samples.Numbers(9), 2, num_workers=2, transform=samples.Trouble("kill", 6))
    with pytest.raises(
        WorkerError, match="killed by SIGKILL before it handed over batch 3 of epoch 5"
    ):
        list(loader.batches(5, start=2))


@pytest.mark.parametrize("victim, context", [(0, "forkserver"), (1, "forkserver"), (1, "spawn")])
def test_a_killed_worker_is_noticed_at_once(victim: int, context: str) -> None:
    loader = DataLoader(
        samples.Numbers(9), num_workers=2, transform=samples.Trouble("hang", 2), timeout=100,
        multiprocessing_context=context,
    )  # fmt: skip
    batches = begun(loader)
    next(batches)
    children = {p.name: p for p in multiprocessing.active_children()}
    os.kill(children[f"etude-worker-{victim}"].pid or 0, signal.SIGKILL)
    message = f"worker {victim} was killed by SIGKILL .* lower num_workers"
    with pytest.raises(WorkerError, match=message):
        list(batches)
    assert multiprocessing.active_children() == []


def test_persistent_workers_that_died_between_epochs_are_noticed() -> None:
    loader = DataLoader(samples.Numbers(4), num_workers=1, persistent_workers=True)
    assert len(list(loader)) == 4
    (child,) = multiprocessing.active_children()
    child.kill()
    child.join()
    with pytest.raises(WorkerError, match="worker 0 was killed by SIGKILL"):
        list(loader)
    assert len(list(loader)) == 4
    del loader


DYING: list[tuple[Callable[[], DataLoader], type[Exception], str]] = [
    (
        lambda: DataLoader(
            samples.Numbers(3), num_workers=1, transform=samples.Trouble("exit", 1)
        ),
        WorkerError,
        "worker 0 ended with exit code 3 before it handed over batch",
    ),
    (
        lambda: DataLoader(
            samples.Numbers(3), num_workers=1, transform=samples.Trouble("hang", 1), timeout=0.2
        ),
        WorkerError,
        "worker 0 did not finish batch 1 of epoch 0 in 0.2 seconds; raise timeout",
    ),
    (
        lambda: DataLoader(samples.Numbers(3), num_workers=1, worker_init_fn=samples.fail_at_once),
        OSError,
        "no disk for 0",
    ),
    (
        lambda: DataLoader(samples.Nested(), num_workers=1),
        WorkerError,
        "a worker cannot have workers; use num_workers=0",
    ),
    (
        lambda: DataLoader(TensorDataset(etude.arange(2)), num_workers=1, transform=lambda x, g: x),
        ArgumentError,
        "expected a transform that can be sent to a worker, got a function: Can't pickle",
    ),
    (
        lambda: DataLoader(TensorDataset(etude.ones(2, requires_grad=True) * 2.0), num_workers=1),
        ArgumentError,
        "expected a dataset that can be sent to a worker, got a TensorDataset: [pickle]",
    ),
    (
        lambda: DataLoader(samples.Numbers(2), num_workers=1, worker_init_fn=lambda number: None),
        ArgumentError,
        "expected a worker_init_fn that can be sent",
    ),
]  # fmt: skip


@pytest.mark.parametrize("make, kind, message", DYING, ids=[d[2][:40] for d in DYING])
def test_what_goes_wrong_is_said(
    make: Callable[[], DataLoader], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        list(make())
    assert message in str(caught.value)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"num_workers": -1}, "expected num_workers >= 0, got -1"),
    ({"num_workers": 1.0}, "expected num_workers >= 0, got 1.0"),
    ({"num_workers": 1, "prefetch_factor": 0}, "expected prefetch_factor >= 1, got 0"),
    ({"timeout": -1}, "expected timeout >= 0, got -1"),
    ({"timeout": "1"}, "expected timeout >= 0, got '1'"),
    ({"persistent_workers": True}, "expected num_workers >= 1 with persistent_workers"),
    ({"multiprocessing_context": "fork"}, "a forked process can deadlock in OpenMP"),
    ({"multiprocessing_context": multiprocessing.get_context("fork")}, "got a ForkContext; a fork"),
    ({"multiprocessing_context": "thread"}, "'spawn', 'forkserver' or such a context"),
    ({"multiprocessing_context": 3}, "got the number 3"),
]


@pytest.mark.parametrize("how, message", WRONG, ids=[w[1] for w in WRONG])
def test_a_wrong_argument_is_named(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        DataLoader(samples.Numbers(2), **how)
    assert message in str(caught.value)


# endings ----------------------------------------------------------------------------------------
def open_files() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("persistent", [False, True])
def test_leaving_a_loop_ends_the_workers_and_leaks_nothing(persistent: bool) -> None:
    loader = DataLoader(images(), 2, num_workers=2, persistent_workers=persistent)
    list(loader)
    before = open_files()
    for _ in loader:
        break
    assert multiprocessing.active_children() == []
    with pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in loader]
    assert multiprocessing.active_children() == []
    begun(loader)
    assert multiprocessing.active_children() == []
    assert len(list(loader)) == 11
    assert len(multiprocessing.active_children()) == 2 * persistent
    assert open_files() == before
    del loader
