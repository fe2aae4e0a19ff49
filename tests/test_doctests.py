"""Runs the examples: those in the docstrings, and the one that README.md opens with."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import etude

ROOT = Path(__file__).parent.parent
ROOMS = ("framework", "backends", "kernels", "bench")


def raise_again(name: str) -> None:
    """Let the ImportError of a broken package through; `walk_packages` would drop it."""
    raise


def module_names() -> Iterator[str]:
    """Yield the modules of the shipped rooms; the root folder holds setup.py and the tests too."""
    yield "etude"
    for room in ROOMS:
        package = importlib.import_module(f"etude.{room}")
        yield package.__name__
        found = pkgutil.walk_packages(package.__path__, f"etude.{room}.", onerror=raise_again)
        yield from (module.name for module in found if not module.name.endswith("__main__"))


@pytest.mark.parametrize("name", list(module_names()))
def test_docstring_examples(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "torch":  # of which some modules of bench/ are about
            raise
        pytest.skip("torch is not installed")
    result = doctest.testmod(
        module,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    assert result.failed == 0


def test_readme_example() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    names = {"__name__": "readme", "etude": etude}  # each block goes on from those before
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
