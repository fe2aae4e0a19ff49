"""Numbers of threads, and processes that end or fork while the pool has threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

import etude

THREADED = [
    pytest.param(name, marks=pytest.mark.skipif(why is not None, reason=str(why)))
    for name, why in etude.backends.available().items()
    if name in ("c", "numba")
]
LARGE = 1 << 21


@pytest.fixture(autouse=True)
def same_threads_after() -> Iterator[None]:
    before = etude.get_num_threads()
    yield
    etude.set_num_threads(before)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_number_is_set_and_read() -> None:
    etude.set_num_threads(3)
    assert etude.get_num_threads() == 3
    etude.set_num_threads(1)
    assert etude.get_num_threads() == 1


@pytest.mark.parametrize("wrong, error", [(0, ValueError), (-2, ValueError), (1.5, TypeError)])
def test_a_wrong_number_is_refused(wrong: float, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\[set_num_threads\] expected .* got"):
        etude.set_num_threads(wrong)  # type: ignore[arg-type]


def test_the_environment_sets_it() -> None:
    code = "import etude; print(etude.get_num_threads())"
    assert python(code, ETUDE_NUM_THREADS="5").stdout == "5\n"


def test_a_wrong_environment_is_named() -> None:
    done = python("import etude; etude.zeros(1)", ETUDE_NUM_THREADS="many")
    assert done.returncode == 1
    assert "ETUDE_NUM_THREADS=many: expected a whole number from 1" in done.stderr


@pytest.mark.parametrize("backend", THREADED)
def test_results_do_not_depend_on_it(backend: str) -> None:
    def results() -> list[bytes]:
        etude.manual_seed(0)
        with etude.use_backend(backend):
            x = etude.randn(LARGE)
            w = etude.randn(300, 257)
            found = [x.exp().sum(), (x * 2 - 1).mean(), w @ w.mT, w.softmax(1), w.sum(0)]
        return [t.numpy().tobytes() for t in found]

    etude.set_num_threads(1)
    alone = results()
    for threads in (2, 3):
        etude.set_num_threads(threads)
        assert results() == alone


WORK = f"""
import etude
etude.set_num_threads(2)
x = etude.ones({LARGE}, backend="BACKEND")
total = x.exp().sum().item()
"""


@pytest.mark.parametrize("backend", THREADED)
def test_the_process_ends(backend: str) -> None:
    done = python(WORK.replace("BACKEND", backend) + "print('end')")
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)


@pytest.mark.parametrize("backend", THREADED)
def test_the_process_ends_while_a_thread_computes(backend: str) -> None:
    code = """
import threading
def forever():
    while True:
        x.exp()
threading.Thread(target=forever, daemon=True).start()
import time; time.sleep(0.2)
print('end')
"""
    done = python(WORK.replace("BACKEND", backend) + code)
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_computes_on() -> None:
    if (reason := etude.backends.available()["c"]) is not None:
        pytest.skip(reason)
    code = """
import os
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if x.exp().sum().item() == total else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert x.exp().sum().item() == total
print('end')
"""
    done = python(WORK.replace("BACKEND", "c") + code)
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)


@pytest.mark.parametrize("backend", THREADED)
def test_threads_of_the_program_compute_at_the_same_time(backend: str) -> None:
    code = """
import threading
found = []
def work():
    for _ in range(20):
        found.append(x.exp().sum().item())
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(set(found) == {total}, len(found))
"""
    done = python(WORK.replace("BACKEND", backend) + code)
    assert (done.stdout, done.stderr, done.returncode) == ("True 80\n", "", 0)
