"""etude show WHAT RUN: look inside a trained model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from .. import functional as F
from .. import visualize as V
from ..autograd import no_grad
from ..checks import choice
from ..creation import as_backend
from ..data import DataLoader, Splits
from ..errors import ArgumentError, BadFile, fail
from ..files import write_atomic
from ..nn import Module
from ..tensor import Tensor
from ..training import Epoch, History
from .evaluate import restore, weights_of
from .recipe import EVALUATION_BATCH, load_data
from .results import RUN
from .show import console, say


@dataclass
class Subject:
    """What a picture is made of: a trained model, test images, and what was asked for."""

    model: Module
    splits: Splits
    backend: Any
    layer: str | None
    count: int
    run: Path

    def images(self, count: int | None = None) -> tuple[Tensor, Tensor]:
        """The first test images and their labels, all by default."""
        total = len(self.splits.test) if count is None else min(count, len(self.splits.test))
        loader = DataLoader(self.splits.test, total, backend=self.backend)
        x, y = next(iter(loader))
        return x, y

    def loss(self, model: Module) -> Tensor:
        """The loss of a batch of test images."""
        x, y = self.images(EVALUATION_BATCH)
        return F.cross_entropy(model(x), y)

    def confusion(self) -> Tensor:
        """The confusion matrix over all test images."""
        found = None
        self.model.eval()
        with no_grad():
            for x, y in DataLoader(self.splits.test, EVALUATION_BATCH, backend=self.backend):
                part = V.confusion_matrix(self.model(x), y)
                found = part if found is None else found + part
        assert found is not None
        return found

    def named_layer(self) -> str:
        """The layer that was asked for."""
        if self.layer is None:
            raise fail(
                ArgumentError,
                "show",
                "expected --layer NAME for this picture, got none; etude summary lists the layers",
            )
        return self.layer

    def shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return self.images(1)[0].shape[1:]


Picture = Callable[[Subject], Any]


def _history(s: Subject) -> Any:
    path = s.run / RUN
    try:
        epochs = json.loads(path.read_text())["epochs"]
        return V.plot_history(History(epochs=[Epoch(**e) for e in epochs]))
    except (OSError, KeyError, TypeError, ValueError):
        raise fail(
            BadFile,
            "show",
            f"expected the folder of etude train with {RUN}, but {path} cannot be read as such; "
            "name the folder of a run",
        ) from None


def _layers(s: Subject) -> list[str] | None:
    return None if s.layer is None else [s.layer]


def _saliency(s: Subject) -> Any:
    x, y = s.images(s.count)
    return V.plot_saliency(s.model, x, y)


def _adversarial(s: Subject) -> Any:
    x, y = s.images(s.count)
    return V.plot_adversarial(s.model, x, y, eps=0.1)


def _confusion(s: Subject) -> Any:
    return V.plot_confusion(s.confusion())


def _mistakes(s: Subject) -> Any:
    x, y = s.images()
    return V.plot_mistakes(s.model, x, y, count=s.count)


PICTURES: dict[str, Picture] = {
    "history": _history,
    "filters": lambda s: V.plot_filters(s.model),
    "features": lambda s: V.plot_feature_maps(s.model, s.images(1)[0], _layers(s)),
    "weights": lambda s: V.plot_histograms(s.model),
    "activations": lambda s: V.plot_histograms(s.model, s.images(EVALUATION_BATCH)[0]),
    "gradients": lambda s: V.plot_gradient_norms(s.model, s.loss),
    "saliency": _saliency,
    "occlusion": lambda s: V.plot_occlusion(s.model, s.images(1)[0]),
    "deconvolution": lambda s: V.plot_deconvolution(
        s.model, s.images(EVALUATION_BATCH)[0], s.named_layer(), range(s.count)
    ),
    "maximised": lambda s: V.plot_maximised(s.model, range(s.count), s.shape(), s.layer),
    "adversarial": _adversarial,
    "fooling": lambda s: V.plot_fooling(s.model, range(s.count), s.shape()),
    "invariance": lambda s: V.plot_invariance(s.model, *s.images(64)),
    "loss": lambda s: V.plot_loss_line(s.model, s.loss, points=21),
    "confusion": _confusion,
    "mistakes": _mistakes,
    "graph": lambda s: V.plot_graph(s.model, s.images(1)[0]),
}


def show(
    *, what: str, run: str, layer: str | None, count: int, backend: str | None, out: str | None
) -> int:
    """Draw one picture of a trained model into a PNG; the exit code."""
    draw = PICTURES[choice("show", "WHAT", what, PICTURES)]
    engine = as_backend(backend)
    place = weights_of(run)
    model, recipe, _ = restore(place, engine)
    subject = Subject(model, load_data(recipe), engine, layer, count, place.parent)
    picture = BytesIO()
    draw(subject).savefig(picture, format="png", dpi=120)
    path = Path(out) if out is not None else place.parent / f"{what}.png"
    write_atomic(path, picture.getvalue(), "show")
    say(console(), f"{recipe.model} from {place}: {path}")
    return 0
