"""Tensors to and from other libraries by DLPack, the exchange form of arrays in memory.

Buffers here are immutable, and DLPack's consumers may write. So memory is copied, unless the caller
asks for sharing with `copy=False` and thereby promises that nobody writes. Memory of a device stays
there: the CUDA backend lends its buffers to torch and CuPy and takes theirs.
https://dmlc.github.io/dlpack/latest/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etude.backends.base import Backend

from . import tensor as _tensor
from .dtypes import DTYPES
from .errors import DTypeError, GradError, fail
from .guard import came
from .host import from_data

if TYPE_CHECKING:
    from .tensor import Tensor

HOST = 1  # DLPack's number for memory of the processor, as Backend.device has it
CUDA = (2, 13)  # memory of a GPU, and memory that both see
INTERFACE = "__cuda_array_interface__"


def to_dlpack(t: Tensor, *, copy: bool | None = None, stream: Any = None, **how: Any) -> Any:
    """The capsule that `x.__dlpack__()` must return, over a copy unless copy=False.

    stream: where the other library will use memory of a device; it waits there for what is still
    being computed. Raises GradError if the tensor requires a gradient, which the other library
    would lose.
    """
    if t.backend.device[0] == HOST:
        view = t.numpy()
        memory = view if copy is False else view.copy()
        return memory.__dlpack__(**{k: v for k, v in how.items() if v is not None})
    _outside_graph(t, "dlpack")
    wanted = how.get("dl_device")
    if wanted is not None and tuple(wanted) != t.backend.device:
        raise BufferError(
            f"[dlpack] expected the tensor's own device {t.backend.device}, got {tuple(wanted)}; "
            "bring it to the host with .cpu()"
        )
    x = t.buffer if copy is False else t.clone().buffer
    return t.backend.lend(x, stream)


def cuda_interface(t: Tensor) -> dict[str, Any]:
    """The values of `x.__cuda_array_interface__`: the tensor's own memory, not to be written to.

    Raises AttributeError for a tensor that is not on a CUDA device, as the protocol asks, and
    GradError for one that requires a gradient.
    """
    if t.backend.device[0] not in CUDA:
        raise AttributeError(
            f"[{INTERFACE}] expected a tensor on 'cuda', got one on {t.backend.name!r}; "
            "move it with .cuda()"
        )
    _outside_graph(t, INTERFACE)
    return t.backend.interface(t.buffer)


def _outside_graph(t: Tensor, op: str) -> None:
    if t.requires_grad:
        raise fail(
            GradError,
            op,
            "expected a tensor outside the graph, got one that requires grad; use .detach()",
        )


def from_dlpack(ext_tensor: Any, *, copy: bool | None = None, backend: Any = None) -> Tensor:
    """A tensor of what another library's array holds (`__dlpack__`), copied unless copy=False.

    An array on a GPU (also by `__cuda_array_interface__`) becomes a tensor on the CUDA backend.
    With copy=False the memory is shared, where the backend can: do not write to it afterwards.
    Raises DTypeError for an object without DLPack, one whose memory no backend reaches, or a dtype
    that etude lacks.
    """
    if on_gpu(ext_tensor):
        return _from_gpu(ext_tensor, copy, backend)
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


def on_gpu(other: Any) -> bool:
    """Whether another library's array lies on a GPU."""
    if isinstance(other, _tensor.Tensor):
        return other.backend.device[0] in CUDA
    if hasattr(other, "__dlpack__") and hasattr(other, "__dlpack_device__"):
        return int(other.__dlpack_device__()[0]) in CUDA
    return hasattr(other, INTERFACE)


def _from_gpu(other: Any, copy: bool | None, backend: Any) -> Tensor:
    engine: Backend = _tensor.as_backend("cuda")
    if isinstance(other, _tensor.Tensor):
        mine = other if copy is False else other.clone()
        return mine if backend is None else mine.to(backend=backend)
    try:
        buffer = engine.borrow(other)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise fail(
            DTypeError,
            "from_dlpack",
            f"expected an array of {', '.join(DTYPES)} in one piece that needs no gradient, got "
            f"{came(other)} ({error}); use x.detach().contiguous()",
        ) from None
    shared = _tensor.Tensor(buffer, tuple(buffer.shape), DTYPES[engine.dtype(buffer)], engine)
    mine = shared if copy is False else shared.clone()
    return mine if backend is None else mine.to(backend=backend)
