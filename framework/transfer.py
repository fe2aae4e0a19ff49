"""Transfer learning: weights that partly fit, a new last layer, bottleneck features kept on disk.

What a net learned on one task is a good start for another (L. Torrey and J. Shavlik, "Transfer
learning", 2009; J. Yosinski et al., "How transferable are features in deep neural networks?", NIPS
2014). Decks: D1.

    model = models.resnet50()
    print(transfer.load_weights(model, "resnet50.safetensors", strict=False))
    name, head = transfer.replace_last_layer(model, 200)
    features = transfer.bottleneck_features(model, images, "runs/chairs")
    ...                                  # train `head` on (features, labels): fast
    model.requires_grad_(False)          # or fine-tune the whole, all but what is frozen
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from etude.backends.base import Shape

from . import nn, weights
from .autograd import no_grad
from .checks import whole
from .data.dataset import Dataset, TensorDataset
from .errors import ArgumentError, BadFile, ShapeError, fail
from .files import make_folder
from .functional import cat
from .host import numpy_view
from .nn.module import Module
from .nn.state import as_value
from .tensor import Tensor

FORMAT = "etude bottleneck 1"


class LoadReport(NamedTuple):
    """What `load_weights` did, by the parameters' names; print it to read it."""

    loaded: list[str]
    missing: list[str]  # in the model alone: left as they were
    unexpected: list[str]  # in the file alone
    mismatched: list[tuple[str, Shape, Shape]]  # name, shape in the model, shape in the file

    def __str__(self) -> str:
        lines = [f"loaded {len(self.loaded)} of {self._wanted()} tensors"]
        lines += [f"  missing     {name}" for name in self.missing]
        lines += [f"  unexpected  {name}" for name in self.unexpected]
        lines += [
            f"  other shape {name}: {own} in the model, {given} in the file"
            for name, own, given in self.mismatched
        ]
        return "\n".join(lines)

    def _wanted(self) -> int:
        return len(self.loaded) + len(self.missing) + len(self.mismatched)


def load_weights(
    model: Module, source: str | Path | Mapping[str, Any], strict: bool = True
) -> LoadReport:
    """Load a .safetensors or .npz file, or named tensors, into a model; says what fitted.

    strict: all names and shapes have to fit, as for `load_state_dict`, which raises StateMismatch.
    Else what fits by name and shape is loaded, and the rest is in the report. (`load_state_dict`
    with strict=False refuses other shapes, as torch does.) Source: Yosinski et al. 2014. Decks: D0,
    D4 (fine-tuning).
    """
    given = source if isinstance(source, Mapping) else weights.load(source)
    own = {name: t.shape for name, t in model.state_dict().items()}
    values = {name: as_value(name, value) for name, value in given.items() if name in own}
    other = [
        (name, own[name], value.shape) for name, value in values.items() if value.shape != own[name]
    ]
    if strict:
        found = model.load_state_dict(given)
    else:
        refused = {name for name, _, _ in other}
        fitting = {name: value for name, value in values.items() if name not in refused}
        found = model.load_state_dict(fitting, strict=False)
    missing = [name for name in found.missing_keys if name not in given]
    loaded = [name for name in own if name in values and own[name] == values[name].shape]
    return LoadReport(loaded, missing, [name for name in given if name not in own], other)


def last_layer(model: Module) -> tuple[str, Module]:
    """Name and module of the layer that makes the logits: the last Linear or Conv2d.

    Last in the order of `named_modules`; nets with several heads (FCN) have to name theirs.
    """
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if name and isinstance(module, (nn.Linear, nn.Conv2d))
    ]
    if not layers:
        raise fail(
            ArgumentError,
            "last_layer",
            f"expected a model with a Linear or Conv2d below it, got {type(model).__name__}; "
            "wrap a single layer in nn.Sequential",
        )
    return layers[-1]


def _layer(model: Module, name: str) -> tuple[str, Module]:
    found = dict(model.named_modules()).get(name)
    if not isinstance(found, (nn.Linear, nn.Conv2d)):
        raise fail(
            ArgumentError,
            "replace_last_layer",
            f"expected the name of a Linear or Conv2d, got {name!r}; named_modules() lists them",
        )
    return name, found


def replace_last_layer(
    model: Module, num_classes: int, name: str | None = None
) -> tuple[str, Module]:
    """Give a model new logits, with new weights, on the model's backend; returns name and layer.

    `name` is the layer's, where it is not the last one: "classifier.4" of an FCN on ResNet-50.
    The new layer is a Linear, or a Conv2d of the same form, and needs a gradient whether or not the
    rest is frozen: `model.requires_grad_(False)` first, then this, and the last layer alone learns.
    Source: Girshick et al. 2014 (R-CNN), section 2.3. Decks: D1.
    """
    name, old = last_layer(model) if name is None else _layer(model, name)
    classes = whole("replace_last_layer", "num_classes", num_classes)
    place: dict[str, Any] = {"backend": old.weight.backend, "dtype": old.weight.dtype}
    new: Module
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, classes, old.bias is not None, **place)
    else:
        assert isinstance(old, nn.Conv2d)
        form = (old.kernel_size, old.stride, old.padding, old.dilation)
        new = nn.Conv2d(old.in_channels, classes, *form, bias=old.bias is not None, **place)
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent) if parent else model, child, new)
    return name, new


def bottleneck_features(
    model: Module,
    dataset: Dataset,
    folder: str | Path,
    *,
    at: str | None = None,
    batch_size: int = 64,
    part_size: int = 1024,
) -> TensorDataset:
    """What a frozen net makes of each sample just before its last layer, computed once.

    Each sample's first tensor goes through the model, in evaluation mode and without a graph; what
    enters the layer named `at` (the last layer if None; "" takes the model's output) is kept, with
    the sample's other tensors, as files of `part_size` samples in `folder`. Each file is written
    whole or not at all, and one that is there is not computed again: a run that was broken off goes
    on where it was, and one that is done only reads. Augmentation would be lost, so give a data set
    without any.

    Returns a TensorDataset of (features, labels, ...). Raises ArgumentError if the folder holds
    features of another model, layer or data set; a data set that is no TensorDataset is known by
    its length and its first and last sample alone, so give each a folder of its own. Source:
    Donahue et al. 2014 (DeCAF). Decks: D1 (transfer learning with GoogLeNet, whose bottleneck is
    1024 numbers).
    """
    op = "bottleneck_features"
    whole(op, "batch_size", batch_size)
    whole(op, "part_size", part_size)
    if not len(dataset):
        raise fail(ArgumentError, op, "expected a data set with samples, got none; give it some")
    layer = last_layer(model)[0] if at is None else at
    place = make_folder(folder, op)
    print_ = _fingerprint(model, dataset, layer, part_size)
    parts = []
    for number, start in enumerate(range(0, len(dataset), part_size)):
        path = place / f"features-{number:05d}.safetensors"
        part = _read(path, print_)
        if part is None:
            stop = min(start + part_size, len(dataset))
            part = _compute(model, dataset, layer, range(start, stop), batch_size)
            facts = json.dumps({"format": FORMAT, "of": print_})
            names = {str(i): t for i, t in enumerate(part)}
            weights.save(names, path, {"etude": facts})
        parts.append(part)
    device = _backend(model)
    columns = zip(*parts, strict=True)
    return TensorDataset(*(cat(list(column), 0).to(device) for column in columns))


def _backend(model: Module) -> Any:
    return next(model.parameters()).backend


def _fingerprint(model: Module, dataset: Dataset, layer: str, part_size: int) -> str:
    """A number that changes with the weights, the layer, and the data: its size and its ends, and
    all of it where it is in memory."""
    digest = hashlib.sha256(f"{layer} {len(dataset)} {part_size}".encode())
    known = [t for i in (0, len(dataset) - 1) for t in dataset[i]]
    if isinstance(dataset, TensorDataset):
        known += dataset.tensors
    for name, t in [*model.state_dict().items(), *(("sample", t) for t in known)]:
        digest.update(f"{name} {t.shape} {t.dtype}".encode())
        digest.update(numpy_view(t).tobytes())
    return digest.hexdigest()


def _read(path: Path, print_: str) -> list[Tensor] | None:
    """A part that was computed before; None if there is none, or it is damaged."""
    with suppress(BadFile):
        facts = json.loads(weights.load_metadata(path).get("etude", "{}"))
        if facts.get("format") != FORMAT or facts.get("of") != print_:
            raise fail(
                ArgumentError,
                "bottleneck_features",
                f"{path} holds features of another model, layer or data set; choose another "
                "folder, or delete it",
            )
        found = weights.load(path)
        return [found[str(i)] for i in range(len(found))]
    return None


def _compute(
    model: Module, dataset: Dataset, layer: str, numbers: range, batch_size: int
) -> list[Tensor]:
    """Features, and the samples' other tensors."""
    modes = [(module, module.training) for module in model.modules()]
    batches: list[list[Tensor]] = []
    seen: list[Tensor] = []
    handle = None
    if layer:
        watched = model.get_submodule(layer)
        handle = watched.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    try:
        model.eval()
        with no_grad():
            for start in numbers[::batch_size]:
                x, *rest = dataset.batch(range(start, min(start + batch_size, numbers.stop)))
                seen.clear()
                output = model(x.to(_backend(model)))
                batches.append([_one(seen if layer else [output], layer), *rest])
    finally:
        if handle is not None:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    return [cat(list(column), 0) for column in zip(*batches, strict=True)]


def _one(found: list[Any], layer: str) -> Tensor:
    """The only tensor that was seen."""
    if len(found) != 1 or not isinstance(found[0], Tensor):
        raise fail(
            ShapeError,
            "bottleneck_features",
            f"expected one tensor to enter the layer {layer!r}, got {len(found)} calls of it; "
            "name another with at=",
        )
    return found[0].detach()
