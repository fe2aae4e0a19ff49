"""Keeps pytest from importing the repository's root and this folder's parent as packages."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent


class FoldersOnly:
    """Collect folders above this one as folders, although they hold an `__init__.py`.

    Else everything in them would be imported again, under the name of the root's folder.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(
        self, path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        known = path in (BENCH, BENCH.parent)
        return pytest.Dir.from_parent(parent, path=path) if known else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(FoldersOnly(), "folders-only")
