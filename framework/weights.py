"""Weights on disk, in the safetensors format: names, shapes, values, and nothing that could run.

The files are those of the `safetensors` library, so other frameworks read them, and etude theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import npz
from .creation import tensor
from .errors import ArgumentError, BadFile, fail
from .files import write_atomic
from .host import numpy_view
from .optional import require

if TYPE_CHECKING:
    from .tensor import Tensor


def save(
    tensors: Mapping[str, Tensor], path: str | Path, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write named tensors, such as `model.state_dict()`, and some lines of text about them.

    A path that ends in .npz gives NumPy's form, without the text. The file is replaced whole or not
    at all. Returns its path. Raises BadFile if it cannot be written, MissingLibrary without
    safetensors, ArgumentError for text that .npz has no place for.
    """
    if Path(path).suffix == ".npz":
        if metadata:
            raise fail(
                ArgumentError,
                "weights.save",
                "expected no metadata for .npz, which has no place for it, got "
                f"{', '.join(metadata)}; use a .safetensors file",
            )
        return npz.save(tensors, path)
    library = require("safetensors.numpy", "io", "weights.save")
    arrays = {name: numpy_view(t) for name, t in tensors.items()}
    return write_atomic(path, library.save(arrays, dict(metadata or {})), "weights.save")


def load(path: str | Path, backend: Any = None) -> dict[str, Tensor]:
    """The tensors of a safetensors or .npz file by name, on the default backend or another.

    Raises BadFile if there is no such file or it is damaged, MissingLibrary without safetensors.
    """
    if Path(path).suffix == ".npz":
        return npz.load(path, backend)
    arrays, _ = _read(path, values=True)
    return {name: tensor(array, backend=backend) for name, array in arrays.items()}


def load_metadata(path: str | Path) -> dict[str, str]:
    """The lines of text that were saved with the tensors. Raises as `load` does."""
    return _read(path, values=False)[1]


def _read(path: str | Path, values: bool) -> tuple[dict[str, Any], dict[str, str]]:
    library = require("safetensors", "io", "weights.load")
    try:
        with library.safe_open(str(path), framework="np") as file:
            names = file.keys() if values else ()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except FileNotFoundError:
        raise fail(BadFile, "weights.load", f"there is no file {path}; check the path") from None
    except (library.SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise fail(
            BadFile,
            "weights.load",
            f"{path} is not a whole safetensors file that etude can read ({error}); "
            "save it again with etude.weights.save",
        ) from None
