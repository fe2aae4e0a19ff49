"""Worker processes that carry tasks out ahead of their use, and hand the results over in order.

Task k is given to worker k mod n. Parent and worker share one two-way pipe and nothing else: no
lock, no queue, no shared memory, so there is nothing to leak. When the pipe closes the worker ends;
it watches the parent too, and the parent waits for a pipe and for the deaths of all workers at
once, so whoever is killed, the others notice. (The workers of concurrent.futures hold both ends
of their queue: they live on for ever after a parent that was killed.)

Results travel through the pipe as bytes. A block of shared memory for each costs more than it saves
(64x3x32x32 float32: 0.8 ms; 0.45 ms by pipe), and its names outlive a process that is killed.

Processes are never forked from the parent, because a fork of a process with OpenMP threads can
deadlock. They begin anew ("spawn": about 1 s for two workers on two cores) or are forked from a
server that has one thread and has already imported etude ("forkserver", 0.03 s), which is the
default on Linux; other systems' libraries do not all survive even that fork.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from multiprocessing import current_process, get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any
from weakref import finalize

from etude.backends import registry

from ..creation import default_backend
from ..errors import ArgumentError, EtudeError, fail
from ..guard import came
from .worker_process import ONE_THREAD, WorkerError, work

GRACE = 1.0  # seconds for a worker to end by itself
NAME = "etude-worker-"
START = "its start"
UNGUARDED = 113  # exit code of a worker whose script, when imported, started workers again


def as_context(context: Any) -> Any:
    """The multiprocessing context of that name, or the given one; None: the best one here.

    There is one fork server in a program. If it starts here, it has loaded etude and gives one
    thread to the libraries of everything that is forked from it.
    """
    if context is None:
        context = "forkserver" if sys.platform == "linux" else "spawn"
    method = context if isinstance(context, str) else getattr(context, "get_start_method", str)()
    if method not in ("spawn", "forkserver"):
        why = "; a forked process can deadlock in OpenMP" if method == "fork" else ""
        raise fail(
            ArgumentError,
            "DataLoader",
            "expected multiprocessing_context 'spawn', 'forkserver' or such a context, "
            f"got {came(context)}{why}; leave it out for the best one here",
        )
    if not isinstance(context, str):
        return context
    chosen: Any = get_context(context)
    if method == "forkserver":  # has no effect once the server runs
        backend = registry.PATHS.get(default_backend(), "").partition(":")[0]
        chosen.set_forkserver_preload([__name__, *filter(None, [backend])])
    return chosen


@contextmanager
def _nursery(method: str) -> Iterator[None]:
    """Children started inside have one thread, and those of "spawn" never hear Ctrl-C.

    What is blocked here stays blocked in the child, so that Ctrl-C does not interrupt its imports.
    """
    old = {name: os.environ.get(name) for name in ONE_THREAD}
    block = method == "spawn" and hasattr(signal, "pthread_sigmask")
    if block:
        resource_tracker.ensure_running()  # which unblocks the signal when it has started
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if block:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Workers:
    """`count` processes that call `init(number)`, then function(batch=task, **parts) for each task.

    Raises ArgumentError if one of the parts cannot be pickled, WorkerError if a worker cannot
    start, and what unpickling the parts or calling `init` raised.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parts: dict[str, Any],
        count: int,
        context: Any,
        timeout: float = 0,
        init: Callable[[int], None] | None = None,
    ) -> None:
        job = _packed({**parts, "worker_init_fn": init}, function)
        self.timeout = timeout
        self.pipes: list[Connection] = []
        self.processes: list[Any] = []
        self.owed: list[deque[str]] = [deque() for _ in range(count)]  # what each is to answer
        self.close = finalize(self, _shut, self.pipes, self.processes)
        try:
            with _nursery(context.get_start_method()):
                for number in range(count):
                    self._start(number, context)
            for number in range(count):
                self._give(number, job, START)
            for number in range(count):
                self._take(number)
        except BaseException:
            self.close()
            raise

    def _start(self, number: int, context: Any) -> None:
        me = current_process()
        if me.daemon:
            why = "a worker cannot have workers; use num_workers=0 inside it"
            raise fail(WorkerError, "DataLoader", why)
        if me.name.startswith(NAME):
            os._exit(UNGUARDED)  # the parent explains
        ours, theirs = context.Pipe()
        self.pipes.append(ours)
        name = f"{NAME}{number}"
        process = context.Process(target=work, args=(theirs, number), name=name, daemon=True)
        try:
            process.start()
        finally:
            theirs.close()  # the worker has its own; ours would hide its death
        self.processes.append(process)

    def run(self, tasks: Iterable[tuple[str, Any]], ahead: int) -> Iterator[Any]:
        """The results of (name, task), in order; at most `ahead` tasks are given out and not used.

        Whoever stops before the end must `close`, for results are then still on their way.
        Raises what a worker raised, with its traceback as a note, and WorkerError.
        """
        backend, left = default_backend(), iter(tasks)
        givers, takers = cycle(range(len(self.pipes))), cycle(range(len(self.pipes)))

        def give(n: int) -> None:
            for name, task in islice(left, n):
                self._give(next(givers), pickle.dumps((task, backend)), name)

        give(ahead)
        while any(self.owed):
            result = self._take(next(takers))
            give(1)
            yield result

    def _give(self, number: int, message: bytes, name: str) -> None:
        self.owed[number].append(name)
        try:
            self.pipes[number].send_bytes(message)
        except OSError:
            raise self._death(number) from None

    def _take(self, number: int) -> Any:
        """The next answer of a worker."""
        pipe, name = self.pipes[number], self.owed[number][0]
        deaths = [process.sentinel for process in self.processes]
        ready = wait([pipe, *deaths], None if name == START else self.timeout or None)
        if not ready:
            why = f"worker {number} did not finish {name} in {self.timeout} seconds"
            fix = "raise timeout, or look for what the dataset waits for"
            raise fail(WorkerError, "DataLoader", f"{why}; {fix}")
        if pipe not in ready:
            dead = next(i for i, sentinel in enumerate(deaths) if sentinel in ready)
            raise self._death(dead)
        try:
            answer = pipe.recv_bytes()
        except (EOFError, OSError):
            raise self._death(number) from None
        self.owed[number].popleft()
        value, trace = pickle.loads(answer)
        if trace:
            value.add_note(f"\nIn worker {number}, {name}:\n{trace}")
            raise value
        return value

    def _death(self, number: int) -> EtudeError:
        process = self.processes[number]
        process.join(GRACE)
        code, name = process.exitcode, next(iter(self.owed[number]), None)
        when = f"before it handed over {name}" if name else "between two batches"
        fix = "its own message, if any, is above"
        if name == START:
            when, fix = "before it was ready", f"{fix}; the script that is run has to be a file"
        how = f"ended with exit code {code} {when}"
        if code == UNGUARDED:
            how = "imported the script that is run, which started workers of its own"
            fix = 'put what uses the loader under `if __name__ == "__main__":`'
        elif code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name} {when}"
            fix = "if memory ran out, lower num_workers, prefetch_factor or the batch size"
        return fail(WorkerError, "DataLoader", f"worker {number} {how}; {fix}")


def _shut(pipes: list[Connection], processes: list[Any]) -> None:
    """End the workers: those that wait or send end when their pipe closes, the others are told."""
    for pipe in pipes:
        pipe.close()
    deadline = monotonic() + GRACE
    for process in processes:
        process.join(max(0.0, deadline - monotonic()))
        for end in (process.terminate, process.kill):
            if process.exitcode is None:
                end()
                process.join(GRACE)
        process.close()


def _packed(parts: dict[str, Any], function: Callable[..., Any]) -> bytes:
    try:
        return pickle.dumps((function, parts))
    except Exception:
        for name, value in parts.items():
            try:
                pickle.dumps(value)
            except Exception as error:
                raise fail(
                    ArgumentError,
                    "DataLoader",
                    f"expected a {name} that can be sent to a worker, got {came(value)}: {error}; "
                    "define its functions and classes at the top level of a module and open files "
                    "in the worker, or use num_workers=0",
                ) from error
        raise
