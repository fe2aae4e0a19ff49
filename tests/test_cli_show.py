"""etude show: a picture of a trained model for each word, and what it says to wrong ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from etude.framework import models, nn
from etude.framework.cli.app import app
from etude.framework.cli.pictures import PICTURES
from etude.framework.cli.recipe import Recipe
from etude.framework.cli.results import save_weights

Run = Callable[..., tuple[int, str, str]]
RECIPE = Recipe("lenet5", "digits", "random", None, 1, 32, "adam", 0.002, "constant", 0, 0)
EPOCH = {"epoch": 1, "loss": 2.0, "accuracy": 0.3, "lr": 0.002, "seconds": 1.0}


@pytest.fixture
def run(tmp_path: Path, few_digits: None) -> Path:
    """The folder of a run: weights as they were drawn, and a history of one epoch."""
    place = tmp_path / "run"
    place.mkdir()
    save_weights(place / "weights.safetensors", models.create("lenet5"), RECIPE, 10)
    (place / "run.json").write_text(json.dumps({"epochs": [EPOCH]}))
    return place


@pytest.mark.parametrize(
    "what", ["history", "filters", "features", "saliency", "confusion", "mistakes", "graph"]
)
def test_a_picture_is_saved(etude_command: Run, run: Path, what: str) -> None:
    code, out, err = etude_command("show", what, str(run), "--count", "2")
    assert (code, err) == (0, "")
    assert f"{what}.png" in out
    assert (run / f"{what}.png").read_bytes().startswith(b"\x89PNG")


def test_every_word_draws(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the drawing itself, which has tests of its own, replaced by a note of the call."""
    from etude.framework.cli import pictures
    from etude.framework.data import load

    called: list[str] = []
    names = [name for name in vars(pictures.V) if name.startswith("plot_")]
    for name in names:
        monkeypatch.setattr(pictures.V, name, lambda *_, name=name, **__: called.append(name))
    model = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))
    splits = load("digits", shape=(1, 32, 32))
    subject = pictures.Subject(model, splits, "numpy", "1", 2, run)
    for draw in PICTURES.values():
        draw(subject)
    assert len(called) == len(PICTURES)
    assert subject.loss(model).shape == ()
    assert subject.shape() == (1, 32, 32)


def test_the_help_names_every_word() -> None:
    text = re.sub(r"\s+", " ", app.commands["show"].help or "")
    assert all(re.search(rf"\b{word}\b", text) for word in PICTURES)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["filter", "run"], "did you mean 'filters'?"),
        (["deconvolution", "run"], "expected --layer NAME"),
        (["features", "run", "--layer", "conv9"], "got 'conv9'"),
        (["filters", "run", "--out", "no/x.png"], "cannot write"),
        (["filters", "nowhere"], "nowhere"),
    ],
)
def test_wrong_words(etude_command: Run, run: Path, args: list[str], message: str) -> None:
    code, out, err = etude_command("show", *args)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_run_without_a_history(etude_command: Run, run: Path) -> None:
    (run / "run.json").write_text("[]")
    code, _, err = etude_command("show", "history", str(run))
    assert code == 2
    assert "expected the folder of etude train with run.json" in err
