"""MNIST and its like (Fashion-MNIST): IDX files, plain or gzipped, from a folder.

An IDX file is two zero bytes, a type (8 = unsigned byte), the number of axes, the size of each axis
as a big-endian 32-bit number, and the values. Format: Y. LeCun, C. Cortes and C. Burges, "The MNIST
database of handwritten digits"; data: LeCun et al., "Gradient-based learning applied to document
recognition", Proc. IEEE 1998; H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST", 2017.

The SHA-256 of the files and their sizes are those that TensorFlow Datasets publishes
(url_checksums/mnist.txt, fashion_mnist.txt); the mirrors are its own and torchvision's, for
Fashion-MNIST Keras's and the authors'.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..creation import tensor
from ..errors import BadFile, fail
from .download import Resource, cache_folder, fetch
from .splits import Splits, as_images, normalised

if TYPE_CHECKING:
    from ..tensor import Tensor

SPLITS = ("standard",)
IMAGE = (1, 28, 28)
UNSIGNED_BYTE = 8
LARGEST = 2**31  # bytes: MNIST's largest file holds 47 million
MIRRORS = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
}
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
PUBLISHED = {
    "mnist": {
        TRAIN_IMAGES: ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
        TRAIN_LABELS: ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
        TEST_IMAGES: ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
        TEST_LABELS: ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
    },
    "fashion-mnist": {
        TRAIN_IMAGES: (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26421880,
        ),
        TRAIN_LABELS: ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
        TEST_IMAGES: ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
        TEST_LABELS: ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
    },
}


def read_idx(path: str | Path) -> Any:
    """The bytes of an IDX file as a NumPy array of uint8 in its declared shape.

    Reads no more than the file declares. Raises BadFile if it is not such a file or is cut short.
    """
    import numpy as np

    opened = gzip.open if str(path).endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            shape = _read_shape(path, file)
            data = file.read(prod(shape) + 1)
    except BadFile:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise fail(
            BadFile,
            "mnist",
            f"expected {path} to be a whole gzip file, got {error}; fetch it again",
        ) from None
    except OSError as error:
        raise fail(
            BadFile, "mnist", f"cannot read {path}: {error.strerror or error}; check the path"
        ) from None
    if len(data) != prod(shape):
        had = "more" if len(data) > prod(shape) else f"only {len(data)}"
        raise fail(
            BadFile,
            "mnist",
            f"{path} declares {prod(shape)} bytes of shape {shape} and holds {had}; fetch it again",
        )
    return np.frombuffer(data, "uint8").reshape(shape)


def _read_shape(path: str | Path, file: Any) -> tuple[int, ...]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTE or not 1 <= head[3] <= 4:
        raise fail(
            BadFile,
            "mnist",
            f"expected {path} to be an IDX file of bytes, which begins with 00 00 08 and 1 to 4 "
            f"axes, got {head.hex(' ') or 'nothing'}; fetch it again",
        )
    sizes = file.read(4 * head[3])
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    if len(sizes) < 4 * head[3] or prod(shape) > LARGEST:
        raise fail(
            BadFile, "mnist", f"{path} declares the impossible shape {shape}; fetch it again"
        )
    return shape


def mnist(
    split: str = "standard",
    seed: int = 0,
    shape: tuple[int, int, int] = IMAGE,
    root: str | Path | None = None,
) -> Splits:
    """MNIST, or another set in the same four files: 60,000 digits to train and 10,000 to test.

    `root` is the folder with the files, plain or gzipped; without it they are taken from the cache,
    and downloaded into it once. Raises BadFile if a file is missing, damaged or does not fit its
    labels, DownloadError if it cannot be fetched. LeCun et al. 1998. Decks: D1, D3, D4.
    """
    return _splits("mnist", shape, root)


def fashion_mnist(
    split: str = "standard",
    seed: int = 0,
    shape: tuple[int, int, int] = IMAGE,
    root: str | Path | None = None,
) -> Splits:
    """Fashion-MNIST: pictures of 10 kinds of clothes, as many and as large as MNIST's.

    Arguments and errors are those of `mnist`. Xiao, Rasul & Vollgraf 2017. Decks: none; the set
    to take when MNIST is too easy.
    """
    return _splits("fashion-mnist", shape, root)


def _splits(name: str, shape: tuple[int, int, int], root: str | Path | None) -> Splits:
    folder = cache_folder(name) if root is None else Path(root)
    if root is None:
        for file, (sha256, size) in PUBLISHED[name].items():
            urls = tuple(f"{mirror}{file}.gz" for mirror in MIRRORS[name])
            if not (folder / file).is_file():  # a copy that the user has put there
                fetch(Resource(f"{file}.gz", urls, sha256, size), folder)
    parts = [_part(folder, part) for part in ("train", "t10k")]
    shaped = [(as_images(x, shape), y) for x, y in parts]
    classes = 1 + max(int(y.max().item()) for _, y in parts)
    train, test = ((x, y) for (x, _), y in shaped)
    return normalised(train, test, classes, shaped[0][0][1])


def _part(root: Path, name: str) -> tuple[Tensor, Tensor]:
    images = read_idx(_find(root, f"{name}-images-idx3-ubyte"))
    labels = read_idx(_find(root, f"{name}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(labels):
        raise fail(
            BadFile,
            "mnist",
            f"expected {name} images (N, H, W) with as many labels (N,), "
            f"got {images.shape} and {labels.shape}; "
            "fetch both files of the set again",
        )
    x = tensor(images.astype("float32") / 255.0, backend="numpy").unsqueeze(1)
    return x, tensor(labels.astype("int64"), backend="numpy")


def _find(root: Path, name: str) -> Path:
    for candidate in (root / name, root / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise fail(
        BadFile, "mnist", f"no {name} or {name}.gz in {root}; put the four files of the set there"
    )
