"""Wrong calls around data, models and training, and files that are not what they should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wrong import Wrong

import etude
from etude import checkpoint, data, models, nn, optim, training, weights
from etude.framework.data import DataLoader, Subset, TensorDataset, random_split
from etude.framework.errors import (
    ArgumentError,
    BadFile,
    DownloadError,
    DTypeError,
    GradError,
    IndexOutOfRange,
    ShapeError,
)

NUMBERS = TensorDataset(etude.arange(6.0).reshape(6, 1), etude.zeros(6, dtype="int64"))


def loader(**options: Any) -> Any:
    return lambda: DataLoader(NUMBERS, **options)


def trainer(**options: Any) -> Any:
    model = nn.Linear(1, 2)
    return training.Trainer(model, optim.SGD(model.parameters(), 0.1), **options)


def fit(epochs: Any, *callbacks: Any) -> Any:
    return lambda: trainer(callbacks=callbacks).fit(DataLoader(NUMBERS, 2), epochs)


def written(text: bytes) -> Any:
    def call(tmp_path: Path) -> Any:
        (tmp_path / "file").write_bytes(text)
        return weights.load(tmp_path / "file")

    return call


def no_checkpoint(tmp_path: Path) -> Any:
    weights.save({"a": etude.ones(1)}, tmp_path / "file")
    return checkpoint.load(tmp_path / "file")


def another_run(tmp_path: Path) -> Any:
    first = trainer()
    checkpoint.save({"state": 1}, tmp_path / "file")
    return training.resume(first, tmp_path / "file")


def in_a_file(tmp_path: Path) -> Path:
    """A path whose folder is a file: nobody can write there, not even root."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "x"


DATA = [
    Wrong("data unknown set", lambda: data.load("digist"), ArgumentError, "'digist'", "'digits'"),
    Wrong(
        "data unknown split",
        lambda: data.load("digits", "ordred"),
        ArgumentError,
        "'ordred'",
        "'ordered'",
    ),
    Wrong(
        "TensorDataset of two sizes",
        lambda: TensorDataset(etude.ones(3), etude.ones(4)),
        ShapeError,
        "(3,)",
        "(4,)",
    ),
    Wrong("Subset beyond the end", lambda: Subset(NUMBERS, [0, 6]), IndexOutOfRange, "6"),
    Wrong(
        "random_split lengths that do not add up",
        lambda: random_split(NUMBERS, [2, 2]),
        ArgumentError,
        "[2, 2]",
        "6",
    ),
    Wrong(
        "random_split negative length",
        lambda: random_split(NUMBERS, [7, -1]),
        ArgumentError,
        "[7, -1]",
    ),
    Wrong("DataLoader batch_size 0", loader(batch_size=0), ArgumentError, "batch_size", "0"),
    Wrong("DataLoader fractional batch_size", loader(batch_size=2.5), ArgumentError, "2.5"),
    Wrong("DataLoader negative workers", loader(num_workers=-1), ArgumentError, "num_workers"),
    Wrong("DataLoader negative timeout", loader(timeout=-1), ArgumentError, "timeout", "-1"),
    Wrong(
        "fetch a name with folders",
        lambda: data.fetch(data.Resource("../x", ("http://x",), "0" * 64), "."),
        ArgumentError,
        "'../x'",
    ),
    Wrong(
        "fetch a checksum that is none",
        lambda: data.fetch(data.Resource("x", ("http://x",), "c58f30"), "."),
        ArgumentError,
        "'c58f30'",
        "64 hexadecimal",
    ),
    Wrong(
        "fetch from a local file",
        lambda: data.fetch(data.Resource("x", ("file:///x",), "0" * 64), "."),
        ArgumentError,
        "'file:///x'",
    ),
    Wrong(
        "fetch without a mirror",
        lambda: data.fetch(data.Resource("x", (), "0" * 64), "."),
        ArgumentError,
        "'none'",
    ),
    Wrong(
        "fetch off-line",
        lambda tmp_path: data.fetch(
            data.Resource("x", ("http://127.0.0.1:9/x",), "0" * 64), tmp_path
        ),
        DownloadError,
        "connect to the network",
    ),
    Wrong(
        "unpack no archive",
        lambda tmp_path: data.unpack(tmp_path / "x", tmp_path / "y"),
        BadFile,
        "No such file",
    ),
    Wrong(
        "load_pickle no file",
        lambda tmp_path: data.load_pickle(tmp_path / "x"),
        BadFile,
        "No such file",
    ),
    Wrong(
        "cifar10 no files", lambda tmp_path: data.cifar10(root=tmp_path), BadFile, "test_batch.bin"
    ),
    Wrong(
        "cifar100 unknown labels",
        lambda: data.cifar100(labels="superfine"),
        ArgumentError,
        "'superfine'",
        "'coarse'",
    ),
    Wrong("k_fold one fold", lambda: data.k_fold(NUMBERS, 1), ArgumentError, "k of 2 ... 6", "1"),
    Wrong(
        "train_validation_test everything",
        lambda: data.train_validation_test(NUMBERS, test=1.0),
        ArgumentError,
        "1.0",
    ),
    Wrong("MixUp alpha 0", lambda: data.MixUp(NUMBERS, 2, 0.0), ArgumentError, "alpha", "0.0"),
    Wrong("ImageFolder empty", lambda tmp_path: data.ImageFolder(tmp_path), BadFile, "no pictures"),
    Wrong(
        "ImageFolder two channels",
        lambda tmp_path: data.ImageFolder(tmp_path, (2, 4, 4)),
        ArgumentError,
        "(2, 4, 4)",
    ),
    Wrong("folder without one", lambda: data.load("folder"), ArgumentError, "--data-dir"),
    Wrong(
        "synthetic_echo too late",
        lambda: data.synthetic_echo(1, 4, 4),
        ArgumentError,
        "0 ... 3",
        "4",
    ),
    Wrong(
        "synthetic_pairs of single samples",
        lambda: data.synthetic_pairs(TensorDataset(etude.arange(2), etude.arange(2)), 1),
        ArgumentError,
        "two samples",
    ),
    Wrong(
        "synthetic_shapes tiny",
        lambda: data.synthetic_shapes(1, 8),
        ArgumentError,
        "size >= 12",
        "8",
    ),
    Wrong("mnist no files", lambda tmp_path: data.mnist(root=tmp_path), BadFile, "put the four"),
]

PICTURES = etude.zeros(2, 3, 4, 4)
T = data.transforms
TRANSFORMS = [
    Wrong("augment unknown", lambda: T.augmentation("rotat=5"), ArgumentError, "'rotate'"),
    Wrong("augment no number", lambda: T.augmentation("rotate=five"), ArgumentError, "five"),
    Wrong("affine scale 0", lambda: T.affine(PICTURES, scale=0.0), ArgumentError, "scale", "0.0"),
    Wrong("affine angles", lambda: T.affine(PICTURES, etude.zeros(3)), ShapeError, "2 images", "3"),
    Wrong(
        "RandomAffine degrees",
        lambda: T.RandomRotation((9, 3))(PICTURES),
        ArgumentError,
        "degrees",
        "(9, 3)",
    ),
    Wrong("RandomCrop large", lambda: T.RandomCrop((5, 4))(PICTURES), ArgumentError, "(5, 4)"),
    Wrong("CenterCrop large", lambda: T.CenterCrop((4, 5))(PICTURES), ArgumentError, "(4, 5)"),
    Wrong("five_crop none", lambda: T.five_crop(PICTURES, (0, 4)), ArgumentError, "(0, 4)"),
    Wrong("SaltAndPepper p 2", lambda: T.SaltAndPepper(2)(PICTURES), ArgumentError, "0 ... 1", "2"),
    Wrong("Cutout size 0", lambda: T.Cutout(0)(PICTURES), ArgumentError, "at least 1", "0"),
    Wrong("Lighting one", lambda: T.Lighting([1.0], [[1.0]])(PICTURES), ArgumentError, "(1, 1)"),
    Wrong(
        "RandomContrast two channels",
        lambda: T.RandomContrast(0.1)(PICTURES[:, :2]),
        ShapeError,
        "1 or 3",
        "2",
    ),
    Wrong(
        "average_predictions of nothing",
        lambda: T.average_predictions([], PICTURES),
        ArgumentError,
        "none",
    ),
]

MODELS = [
    Wrong("models unknown", lambda: models.create("lenet6"), ArgumentError, "'lenet6'", "'lenet5'"),
    Wrong(
        "lenet5 unknown option",
        lambda: models.create("lenet5", classes=3),
        ArgumentError,
        "'classes'",
        "'num_classes'",
    ),
    Wrong(
        "Trainer unknown schedule",
        lambda: trainer(schedule_by="batch"),
        ArgumentError,
        "'batch'",
        "'epoch'",
    ),
    Wrong("Trainer accumulate 0", lambda: trainer(accumulate=0), ArgumentError, "accumulate"),
    Wrong("Trainer clip_norm 0", lambda: trainer(clip_norm=0.0), ArgumentError, "clip_norm"),
    Wrong("fit negative epochs", fit(-1), ArgumentError, "-1"),
    Wrong(
        "EarlyStopping unknown monitor",
        lambda: training.EarlyStopping(monitor="loss"),
        ArgumentError,
        "'loss'",
        "'val_loss'",
    ),
    Wrong("EarlyStopping patience 0", lambda: training.EarlyStopping(0), ArgumentError, "0"),
    Wrong(
        "EarlyStopping without validation",
        fit(1, training.EarlyStopping()),
        ArgumentError,
        "val_loss",
        "validation loader",
    ),
    Wrong(
        "Checkpoints every 0 steps",
        lambda: training.Checkpoints("x", every=0),
        ArgumentError,
        "every",
    ),
]

FILES = [
    Wrong(
        "weights.load no file", lambda tmp_path: weights.load(tmp_path / "none"), BadFile, "none"
    ),
    Wrong("weights.load text", written(b"hello"), BadFile, "safetensors"),
    Wrong(
        "weights.load a length beyond the file",
        written((2**60).to_bytes(8, "little") + b"{}"),
        BadFile,
        "safetensors",
    ),
    Wrong(
        "weights.load bad JSON",
        written((5).to_bytes(8, "little") + b"{oops"),
        BadFile,
        "safetensors",
    ),
    Wrong(
        "weights.load a tensor beyond the file",
        written(
            (lambda head: len(head).to_bytes(8, "little") + head)(
                json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
            )
        ),
        BadFile,
        "safetensors",
    ),
    Wrong(
        "weights.save unwritable",
        lambda tmp_path: weights.save({"a": etude.ones(1)}, in_a_file(tmp_path)),
        BadFile,
        "Not a directory",
    ),
    Wrong("checkpoint.load weights", no_checkpoint, BadFile, "weights.load"),
    Wrong(
        "checkpoint.save a set",
        lambda tmp_path: checkpoint.save({"a": {1, 2}}, tmp_path / "x"),
        DTypeError,
        "a set",
    ),
    Wrong(
        "weights.save checkpoint.save unwritable",
        lambda tmp_path: checkpoint.save({"a": 1}, in_a_file(tmp_path)),
        BadFile,
        "Not a directory",
    ),
    Wrong("resume no training run", another_run, BadFile, "no checkpoint of a training run"),
    Wrong(
        "CsvLog unwritable",
        lambda tmp_path: fit(1, training.CsvLog(in_a_file(tmp_path)))(),
        BadFile,
        "Not a directory",
    ),
]

EXCHANGE = [
    Wrong("from_dlpack of a list", lambda: etude.from_dlpack([1, 2]), DTypeError, "[1, 2]"),
    Wrong(
        "record values that steer",
        lambda: etude.graph.record(lambda x: x if x.sum() > 0 else -x, etude.ones(2)),
        GradError,
        "where",
    ),
    Wrong(
        "program too few inputs",
        lambda: etude.graph.record(lambda a, b: a + b, etude.ones(2), etude.ones(2))(etude.ones(2)),
        ArgumentError,
        "2 inputs",
        "1",
    ),
    Wrong(
        "program another shape",
        lambda: etude.graph.record(lambda a: a + a, etude.ones(2))(etude.ones(3)),
        ShapeError,
        "(2,)",
        "(3,)",
    ),
]

WRONG = [*DATA, *TRANSFORMS, *MODELS, *FILES, *EXCHANGE]
