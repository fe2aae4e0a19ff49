"""Tensors to and from other libraries by DLPack, the exchange form of arrays in memory.

Buffers here are immutable, and DLPack's consumers may write. So memory is copied, unless the caller
asks for sharing with `copy=False` and thereby promises that nobody writes.
https://dmlc.github.io/dlpack/latest/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import tensor as _tensor
from .errors import DTypeError, fail
from .guard import came
from .host import from_data

if TYPE_CHECKING:
    from .tensor import Tensor


def to_dlpack(t: Tensor, *, copy: bool | None = None, **how: Any) -> Any:
    """The capsule that `x.__dlpack__()` must return, over a copy unless copy=False.

    Raises GradError if the tensor requires a gradient, which the other library would lose.
    """
    view = t.numpy()
    memory = view if copy is False else view.copy()
    return memory.__dlpack__(**{k: v for k, v in how.items() if v is not None})


def from_dlpack(ext_tensor: Any, *, copy: bool | None = None, backend: Any = None) -> Tensor:
    """A tensor of what another library's array holds (`__dlpack__`), copied unless copy=False.

    With copy=False the NumPy backend shares the memory: do not write to the array afterwards.
    Raises DTypeError for an object without DLPack, one that is not in host memory, or a dtype that
    etude lacks.
    """
    import numpy as np

    if not hasattr(ext_tensor, "__dlpack__"):
        raise fail(
            DTypeError,
            "from_dlpack",
            f"expected an object with __dlpack__, got {came(ext_tensor)}; "
            "use etude.tensor for lists and arrays",
        )
    try:
        array = np.from_dlpack(ext_tensor)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise fail(
            DTypeError,
            "from_dlpack",
            f"expected an array in host memory that needs no gradient, got {came(ext_tensor)} "
            f"({error}); use x.detach().cpu()",
        ) from None
    if copy is not False:
        return _tensor.tensor(array, backend=backend)
    engine = _tensor.as_backend(backend)
    data, shape, dtype = from_data(array)
    return _tensor.Tensor(engine.share(data, shape, dtype), shape, dtype, engine)
