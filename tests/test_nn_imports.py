"""The spellings of imports that users of torch bring along."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import etude


@pytest.mark.parametrize(
    "name, module",
    [
        ("etude.nn", etude.nn),
        ("etude.nn.functional", etude.functional),
        ("etude.nn.init", etude.nn.init),
        ("etude.nn.utils", etude.optim.clip),
        ("etude.functional", etude.functional),
        ("etude.nn.linear", sys.modules[etude.nn.Linear.__module__]),
        ("etude.optim", etude.optim),
        ("etude.optim.lr_scheduler", etude.optim.lr_scheduler),
        ("etude.errors", etude.errors),
    ],
)
def test_public_modules_import_by_their_short_names(name: str, module: object) -> None:
    assert importlib.import_module(name) is module


@pytest.mark.parametrize(
    "part", ["checkpoint", "data", "graph", "models", "training", "visualize", "weights"]
)
def test_parts_on_demand_import_in_every_spelling(part: str) -> None:
    """In a fresh process, where nothing has imported them before."""
    lines = [
        "import sys, etude",
        f"assert 'etude.framework.{part}' not in sys.modules",
        f"import etude.{part}",
        f"from etude import {part}",
        f"assert etude.{part} is {part} is sys.modules['etude.{part}']",
        f"assert {part}.__spec__.name == {part}.__name__ == 'etude.framework.{part}'",
    ]
    subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(lines)], check=True)


@pytest.mark.parametrize("first", ["etude.data.loader", "etude.framework.data.loader"])
def test_a_name_from_a_part_is_one_object(first: str) -> None:
    code = f"""if True:
        from {first} import DataLoader as a
        from etude.data import DataLoader as b
        from etude.framework.data import DataLoader as c
        assert a is b is c
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", ["etude.data.nonsense", "etude.nonsense"])
def test_a_short_name_that_is_none(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"'{name}'"):
        importlib.import_module(name)


def test_reloading_a_part_by_its_short_name_leaves_one_module() -> None:
    from etude import data

    assert importlib.reload(data) is sys.modules["etude.framework.data"]
