"""CIFAR-10 and CIFAR-100: 32x32 colour photographs, in the binary or the Python version.

A binary record is the label (in CIFAR-100 two: 20 coarse classes, then 100 fine ones) and 3072
bytes, the red, green and blue planes row by row. The Python version is pickles of dicts, which are
read without running what is in them (pickles.py). Source: A. Krizhevsky, "Learning multiple layers
of features from tiny images", 2009; both formats are described on https://www.cs.toronto.edu/~kriz.

The SHA-256 of the archives and their sizes are those that TensorFlow Datasets
(url_checksums/cifar10.txt, cifar100.txt; binary) and Keras (datasets/cifar10.py, cifar100.py;
Python) publish.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError, BadFile, fail
from .archive import unpack
from .download import Resource, cache_folder, fetch
from .pickles import load_pickle
from .pixels import pixel_splits
from .splits import Splits

SPLITS = ("standard",)
IMAGE = (3, 32, 32)
PIXELS = 3 * 32 * 32
LARGEST = 2**28  # bytes: the largest file of either set holds 154 million
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
PLACE = "https://www.cs.toronto.edu/~kriz/"


class Kind(NamedTuple):
    """One of the sets: its files, without and with `.bin`, and where its labels are."""

    name: str
    classes: int
    labels: tuple[str, ...]  # of a record, in order
    train: tuple[str, ...]
    test: str
    archives: dict[str, Resource]


def _resource(name: str, sha256: str, size: int) -> Resource:
    return Resource(name, (PLACE + name,), sha256, size)


TEN = Kind(
    "cifar10",
    10,
    ("labels",),
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    "test_batch",
    {
        "cifar-10-batches-bin": _resource(
            "cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170052171,
        ),
        "cifar-10-batches-py": _resource(
            "cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            170498071,
        ),
    },
)
HUNDRED = Kind(
    "cifar100",
    100,
    ("coarse_labels", "fine_labels"),
    ("train",),
    "test",
    {
        "cifar-100-binary": _resource(
            "cifar-100-binary.tar.gz",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            168513733,
        ),
        "cifar-100-python": _resource(
            "cifar-100-python.tar.gz",
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            169001437,
        ),
    },
)


def cifar10(
    split: str = "standard",
    seed: int = 0,
    shape: tuple[int, int, int] = IMAGE,
    root: str | Path | None = None,
) -> Splits:
    """CIFAR-10: 50,000 images to train and 10,000 to test, of 10 classes (`CLASSES`).

    `root` is a folder with the unpacked files of either version; without it the binary version is
    taken from the cache, and downloaded into it once. Raises BadFile for files that are missing,
    damaged or no such files, DownloadError if they cannot be fetched. Krizhevsky 2009. Decks: D2.
    """
    return _splits(TEN, "labels", 10, shape, root)


def cifar100(
    split: str = "standard",
    seed: int = 0,
    shape: tuple[int, int, int] = IMAGE,
    root: str | Path | None = None,
    labels: str = "fine",
) -> Splits:
    """CIFAR-100: as `cifar10`, with 100 `fine` classes or their 20 `coarse` ones.

    Raises ArgumentError for other labels, and what `cifar10` does. Krizhevsky 2009. Decks: D2
    (CIFAR).
    """
    if labels not in ("fine", "coarse"):
        why = f"expected labels 'fine' or 'coarse', got {labels!r}; use 'fine'"
        raise fail(ArgumentError, "cifar100", why)
    classes = 100 if labels == "fine" else 20
    return _splits(HUNDRED, f"{labels}_labels", classes, shape, root)


def _splits(
    kind: Kind, labels: str, classes: int, shape: tuple[int, int, int], root: str | Path | None
) -> Splits:
    import numpy as np

    folder = _cached(kind) if root is None else _within(kind, Path(root))
    parts = [_read(folder, name, kind, labels) for name in (*kind.train, kind.test)]
    images = np.concatenate([x for x, _ in parts[:-1]])
    named = np.concatenate([y for _, y in parts[:-1]])
    return pixel_splits((images, named), parts[-1], shape, classes)


def _cached(kind: Kind) -> Path:
    cache = cache_folder(kind.name)
    for archive in kind.archives.values():
        unpacked = cache / archive.name.removesuffix(".tar.gz")
        if unpacked.is_dir():
            return _within(kind, unpacked)
    archive = next(iter(kind.archives.values()))
    unpacked = cache / archive.name.removesuffix(".tar.gz")
    path = fetch(archive, cache)
    try:
        unpack(path, unpacked)
    except BadFile:
        if not unpacked.is_dir():  # else another process was faster, and it is whole
            raise
    return _within(kind, unpacked)


def _within(kind: Kind, root: Path) -> Path:
    """The folder that has the files: the given one, or the one in it that the archive made."""
    for folder in (root, *(root / name for name in kind.archives)):
        if any((folder / f"{kind.test}{end}").is_file() for end in (".bin", "")):
            return folder
    raise fail(
        BadFile,
        kind.name,
        f"no {kind.test}.bin or {kind.test} in {root}; unpack one of "
        f"{' and '.join(a.name for a in kind.archives.values())} there",
    )


def _read(folder: Path, name: str, kind: Kind, labels: str) -> tuple[Any, Any]:
    binary = folder / f"{name}.bin"
    if binary.is_file():
        return read_binary(binary, len(kind.labels), kind.labels.index(labels))
    return read_python(folder / name, labels)


def read_binary(path: str | Path, labels: int = 1, which: int = 0) -> tuple[Any, Any]:
    """Images uint8 (N, 3, 32, 32) and labels uint8 (N,) of a binary file.

    `labels` says how many bytes of labels a record has, `which` the one to take. Raises BadFile if
    the file does not hold whole records.
    """
    import numpy as np

    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise fail(
            BadFile, "cifar", f"cannot read {path}: {error.strerror or error}; check the path"
        ) from None
    record = labels + PIXELS
    if not raw or len(raw) % record or len(raw) > LARGEST:
        raise fail(
            BadFile,
            "cifar",
            f"expected {path} to hold records of {record} bytes, {LARGEST} bytes at most, "
            f"got {len(raw)} bytes; fetch it again",
        )
    rows = np.frombuffer(raw, "uint8").reshape(-1, record)
    return rows[:, labels:].reshape(-1, *IMAGE), rows[:, which].copy()


def read_python(path: str | Path, labels: str = "labels") -> tuple[Any, Any]:
    """Images uint8 (N, 3, 32, 32) and labels uint8 (N,) of a pickle of the Python version.

    Raises BadFile if the file holds something else; nothing in it is run.
    """
    import numpy as np

    content = load_pickle(path)
    found = content if isinstance(content, dict) else {}
    images: Any = found.get(b"data", found.get("data"))
    named: Any = found.get(labels.encode(), found.get(labels))
    right = getattr(images, "dtype", None) == np.uint8 and images.shape[1:] == (PIXELS,)
    whole = isinstance(named, list) and all(type(y) is int and 0 <= y < 256 for y in named)
    if not right or not whole or len(images) != len(named) or not len(named):
        raise fail(
            BadFile,
            "cifar",
            f"expected {path} to hold 'data', uint8 (N, {PIXELS}), and as many {labels!r}, "
            "got something else; fetch it again",
        )
    return images.reshape(-1, *IMAGE), np.array(named, "uint8")
