"""Keeps pytest from importing the framework a second time; fixtures of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SPLIT = {
    "test_conformance.py": "case",
    "test_tier1_is_enough.py": "case",
    "test_torch_samples.py": "name",
}
CASES_TOGETHER = 40  # few, so that the workers end together; many, so that each has little to ask


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


def group_of(item: pytest.Item) -> str:
    """The name of the tests that run on one worker: a file, some cases of a table, or Numba's.

    Numba compiles for minutes; two workers would compile the same kernels at the same time.
    """
    place = item.path.name
    call = getattr(item, "callspec", None)
    if call is not None and call.params.get("backend") == "numba":
        return "numba"
    if call is None or place not in SPLIT:
        return place
    return place + str(call.indices.get(SPLIT[place], 0) // CASES_TOGETHER)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Parallel runs keep groups together (--dist loadgroup).

    Here, because pytest-xdist reads the marks before other hooks see the whole list of tests.
    """
    if item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(group_of(item)))


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
