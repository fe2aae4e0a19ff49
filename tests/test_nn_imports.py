"""The spellings of imports that users of torch bring along."""

from __future__ import annotations

import importlib
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
