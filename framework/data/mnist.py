"""MNIST and its like (Fashion-MNIST): IDX files, plain or gzipped, from a folder.

An IDX file is two zero bytes, a type (8 = unsigned byte), the number of axes, the size of each axis
as a big-endian 32-bit number, and the values. Format: Y. LeCun, C. Cortes and C. Burges, "The MNIST
database of handwritten digits"; data: LeCun et al., "Gradient-based learning applied to document
recognition", Proc. IEEE 1998.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..creation import tensor
from ..errors import BadFile, fail
from .splits import Splits, as_images, normalised

if TYPE_CHECKING:
    from ..tensor import Tensor

SPLITS = ("standard",)
IMAGE = (1, 28, 28)
UNSIGNED_BYTE = 8
LARGEST = 2**31  # bytes: MNIST's largest file holds 47 million


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
    root: str | Path = "data/mnist",
) -> Splits:
    """MNIST, Fashion-MNIST or another set in the same four files, from the folder `root`.

    Raises BadFile if a file is missing, damaged or does not fit its labels.
    """
    parts = [_part(Path(root), name) for name in ("train", "t10k")]
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
