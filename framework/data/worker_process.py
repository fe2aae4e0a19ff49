"""One worker process: it learns what to do, then answers tasks until its pipe closes."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ..creation import use_backend
from ..errors import EtudeError, fail

# Each worker is one of several that share the processor. Libraries read these when they are loaded.
LIBRARIES = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "BLIS_NUM", "VECLIB_MAXIMUM", "NUMBA_NUM")
ONE_THREAD = {f"{library}_THREADS": "1" for library in LIBRARIES}


class WorkerError(EtudeError, RuntimeError):
    """A worker process of a DataLoader that did not start, died, or did not answer in time."""


def work(pipe: Connection, number: int) -> None:
    """The life of a worker: learn what to do, then answer each task until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends its workers
    os.environ.update(ONE_THREAD)  # for a server that was started by someone else
    if "numpy.random" in sys.modules:  # a fork of the server would repeat its numbers
        sys.modules["numpy.random"].seed()
    answers: SimpleQueue[bytes] = SimpleQueue()
    # A pipe holds less than a batch: without a thread to send it, no worker would get ahead.
    Thread(target=_send, args=(pipe, answers), daemon=True).start()
    Thread(target=_end_with_parent, daemon=True).start()
    job: dict[str, Any] = {}
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        answers.put(_attempt(_make if job else partial(_learn, number), job, message))


def _learn(number: int, job: dict[str, Any], message: bytes) -> None:
    try:
        job["function"], job["parts"] = pickle.loads(message)
    except Exception as error:
        raise fail(
            WorkerError,
            "DataLoader",
            f"a worker could not load the dataset and transform: {type(error).__name__}: {error}; "
            "define their classes and functions in a file, not at a prompt, in a notebook or by -c",
        ) from error
    init = job["parts"].pop("worker_init_fn")
    if init is not None:
        init(number)


def _make(job: dict[str, Any], message: bytes) -> Any:
    batch, backend = pickle.loads(message)
    with use_backend(backend):
        return job["function"](batch=batch, **job["parts"])


def _send(pipe: Connection, answers: SimpleQueue[bytes]) -> None:
    try:
        while True:
            pipe.send_bytes(answers.get())
    except OSError:  # the parent is gone, or wants no more
        os._exit(0)


def _end_with_parent() -> None:
    parent: Any = parent_process()
    wait([parent.sentinel])
    os._exit(0)


def _attempt(step: Callable[..., Any], *arguments: Any) -> bytes:
    """Pickled: (the result, "") or (what was raised, its traceback)."""
    try:
        return pickle.dumps((step(*arguments), ""))
    except Exception as error:
        trace = traceback.format_exc()
        try:
            message = pickle.dumps((error, trace))
            pickle.loads(message)  # an exception with a constructor of its own may not come back
        except Exception:
            what = f"a worker raised {type(error).__qualname__}: {error}"
            message = pickle.dumps((fail(WorkerError, "DataLoader", what), trace))
        return message
