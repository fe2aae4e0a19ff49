"""Keeps pytest from importing the framework a second time under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


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
