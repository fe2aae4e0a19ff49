"""Weights as NumPy's .npz: one .npy member for each tensor. Nothing is unpickled."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

from .creation import tensor
from .dtypes import DTYPES
from .errors import BadFile, fail
from .files import write_atomic
from .host import numpy_view

if TYPE_CHECKING:
    from .tensor import Tensor

SUFFIX = ".npy"
# What zipfile and NumPy's header parser raise for files that were cut, changed or made up.
DAMAGE = (
    *(OSError, ValueError, EOFError, KeyError, RuntimeError, SyntaxError),
    *(TokenError, zipfile.BadZipFile, zlib.error),
)
MOST_GROWTH = 1100  # deflate cannot shrink more than 1032 to 1


def save(tensors: Mapping[str, Tensor], path: str | Path) -> Path:
    """Write named tensors as `numpy.savez` would; `numpy.load` reads them."""
    import numpy as np

    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, t in tensors.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, numpy_view(t), allow_pickle=False)
            # A fixed date, so that equal tensors give equal files.
            archive.writestr(zipfile.ZipInfo(name + SUFFIX), part.getvalue())
    return write_atomic(path, memory.getvalue(), "weights.save")


def load(path: str | Path, backend: Any = None) -> dict[str, Tensor]:
    """The tensors of an .npz file by name. Raises BadFile for one that is missing or damaged.

    Sizes are compared with the file before memory is taken.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_growth(archive, Path(path).stat().st_size)
            found = {
                info.filename.removesuffix(SUFFIX): _read(archive, info)
                for info in archive.infolist()
            }
    except FileNotFoundError:
        raise _bad(f"there is no file {path}; check the path") from None
    except BadFile as error:
        raise _bad(f"{path} is not a whole .npz file that etude can read: {error}") from None
    except DAMAGE as error:
        raise _bad(
            f"{path} is not a whole .npz file that etude can read ({error}); save it again"
        ) from None
    return {name: tensor(array, backend=backend) for name, array in found.items()}


def _check_growth(archive: zipfile.ZipFile, size: int) -> None:
    claimed = sum(info.file_size for info in archive.infolist())
    if claimed > MOST_GROWTH * size:
        raise BadFile(f"its {size} bytes claim to hold {claimed}")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    """One member as an array, its header checked first."""
    import numpy as np

    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise BadFile(f"{info.filename} has the unknown version {version}")
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else (
            np.lib.format.read_array_header_2_0
        )  # fmt: skip
        shape, by_columns, dtype = reader(file)
        if dtype.hasobject or str(dtype) not in DTYPES:
            raise BadFile(f"{info.filename} holds {dtype}, expected one of {', '.join(DTYPES)}")
        expected = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or expected != info.file_size - file.tell():
            raise BadFile(f"{info.filename} of shape {shape} has {info.file_size} bytes")
        flat = np.frombuffer(file.read(expected) or b"\0" * 8, dtype)[: prod(shape)]
    return flat.reshape(shape, order="F" if by_columns else "C")


def _bad(message: str) -> Exception:
    return fail(BadFile, "weights.load", message)
