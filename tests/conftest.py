"""Keeps pytest from importing the framework a second time; fixtures of the command line."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

ROOT = Path(__file__).parent.parent
SPLIT = ("test_conformance.py", "test_tier1_is_enough.py")
TORCHS = ("test_torch_samples.py", "test_torch_samples_nn.py")
NUMBAS_OWN = ("test_contract.py", "test_numba_backend.py", "test_recurrent_kernels.py")
# Not traced for coverage, which takes as long again: what these run is not measured (bench/, code
# that is compiled, the source as text), or all of it is run by others too, in less time.
UNTRACED = {f"test_{name}.py" for name in ("bench", "bench_ops", "bench_page", "bench_claims")}
UNTRACED |= {"test_architecture.py", "test_cuda_resources.py", "test_cuda_mma.py"}
UNTRACED |= {"test_bench_cases.py", "test_c_matmul.py", "test_c_conv.py", "test_fuzz.py"}
UNTRACED |= {"test_train_compiled.py", "test_compile_train.py", "test_graph.py"}
UNTRACED |= {"test_models_sizes.py", "test_torch_samples_nn.py", "test_tutorials.py"}
UNTRACED |= {"test_archive_faults.py", "test_indexing.py", "test_scalar.py", "test_train_lenet.py"}
UNTRACED |= {"test_models_unsupervised.py", "test_models_detection.py", "test_autograd_memory.py"}
UNTRACED |= {"test_bench_cuda.py", "test_init.py", "test_c_reduce.py", "test_c_layout.py"}
PARTS = 24  # many, so that the workers end together; few, so that each has little to ask


# One thread for BLAS and torch, which wait for each other busily where several processes test.
# NumPy is not imported yet; etude's own threads, which tests are about, are as many as ever.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(library, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class RootIsADirectory:
    """Collect the repository root as a plain directory although it holds an `__init__.py`.

    pytest would take it for a package of tests, name it after its folder and import everything in
    it again: two `Tensor` classes that are not each other's instances.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(
        self, path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    # Registered here, because hooks of a conftest are not asked about folders above its own.
    config.pluginmanager.register(RootIsADirectory(), "root-is-a-directory")


def tracer(config: pytest.Config) -> Any:
    """The coverage that pytest-cov was asked for, or None."""
    plugin = config.pluginmanager.get_plugin("_cov")
    return plugin.cov_controller.cov if plugin and plugin.cov_controller else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop a coverage that pytest-cov starts too much where pytest-xdist runs the tests.

    Each worker has two: the second one is saved; `no_cover` pauses the last, and the other would go
    on tracing. That of the process which deals the tests out sees nothing of etude.
    """
    parallel = (
        hasattr(session.config, "workerinput") or session.config.getoption("dist", "no") != "no"
    )
    if parallel and (coverage := tracer(session.config)):
        coverage.stop()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Trace tests alone: pytest's own work between them takes twice as long with a trace."""
    coverage = tracer(item.config)
    if coverage is None:
        return (yield)
    if item.get_closest_marker("no_cover") is None:
        coverage.start()
    try:
        return (yield)
    finally:
        coverage.stop()


def group_of(test: str) -> str:
    """The name of the tests that run on one worker: a file, a part of the table, or one long group.

    Numba compiles for minutes, and two workers would compile the same kernels at the same time;
    torch's own samples take seconds to import, and Numba's tests want them too.
    """
    place, _, call = test.partition("::")
    if is_numbas(call) or Path(place).name in TORCHS:
        return "numba, torch's samples"
    if Path(place).name not in SPLIT:
        return place
    case = re.sub("-(python|numpy|c|cuda)]", "]", call)  # on all backends: they share references
    return f"cases {crc32(case.encode()) % PARTS}"


def is_numbas(call: str) -> bool:
    """Whether a test runs on Numba, by its parameters."""
    return re.search(r"[\[-]numba[\]-]", call) is not None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave tests on Numba out of coverage's trace, which slows its compiler, but those of it."""
    numbas = is_numbas(item.name) and item.path.name not in NUMBAS_OWN
    if numbas or item.path.name in UNTRACED:
        item.add_marker(pytest.mark.no_cover)


def pytest_collection_finish(session: pytest.Session) -> None:
    if coverage := tracer(session.config):
        coverage.stop()  # until a test is called
    gc.freeze()  # thousands of tests, which every collection would go through
    gc.set_threshold(10_000, 20, 20)  # rarely (not at 700, 10, 10): graphs are freed without it


@pytest.fixture(scope="module")
def small_heap() -> None:
    """For tests that call the garbage collector often: what others left is not gone through."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # there where pytest-xdist is
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Parallel runs (-n) deal the tests out by groups."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    # In the order of the files: where those of many tests come first, long single ones come last.
    config.option.loadscopereorder = False
    return ByGroup(config, log)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def etude_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run a command line in an empty folder: its exit code, output and errors."""
    from etude.framework.cli.app import run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")

    def call(*args: str) -> tuple[int, str, str]:
        code = run(args)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fifth of the digits, so that an epoch is short."""
    from etude.framework.data import Splits, TensorDataset, catalog

    module, load = catalog.SETS["digits"]

    def load_few(*args: Any) -> Splits:
        whole = load(*args)
        few = {
            part: TensorDataset(*(t[::5] for t in getattr(whole, part).tensors))
            for part in ("train", "test")
        }
        return replace(whole, **few)

    monkeypatch.setitem(catalog.SETS, "digits", (module, load_few))
