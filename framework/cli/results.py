"""Where results go, and the files that every run leaves there."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import weights
from ..files import make_folder, write_atomic
from ..nn import Module
from ..training import History
from .recipe import Recipe

WEIGHTS, HISTORY, RUN = "weights.safetensors", "history.csv", "run.json"
CHECKPOINT = "checkpoint.safetensors"


def folder(out: str | None, *words: str) -> Path:
    """The folder chosen, or one under runs/ named by the time; it exists and can be written."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return make_folder(out or Path("runs", "-".join((stamp, *words))), "out")


def save_weights(path: Path, model: Module, recipe: Recipe, classes: int) -> Path:
    """The model's weights, with what `etude eval` needs to know to use them."""
    about = {"recipe": asdict(recipe), "num_classes": classes}
    # One entry, because safetensors writes several in any order, and equal runs give equal files.
    return weights.save(model.state_dict(), path, {"etude": json.dumps(about)})


def save_json(path: Path, content: Any) -> Path:
    """Plain data as a JSON file; nan, which JSON does not have, becomes null."""
    text = json.dumps(_finite(content), indent=1, allow_nan=False)
    return write_atomic(path, text + "\n", "out")


def _finite(x: Any) -> Any:
    if isinstance(x, dict):
        return {k: _finite(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_finite(v) for v in x]
    return None if isinstance(x, float) and (x != x or x in (float("inf"), -float("inf"))) else x


def curves(history: History) -> dict[str, Any]:
    """The parts of a history that a plot needs: one number per step, and the epochs."""
    return {
        "losses": history.losses,
        "accuracies": [s.accuracy for s in history.steps],
        "step_seconds": [round(s.seconds, 6) for s in history.steps],
        "epochs": [asdict(e) for e in history.epochs],
        "stopped": history.stopped,
    }
