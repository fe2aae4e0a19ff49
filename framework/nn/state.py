"""Moving a module's tensors, and loading them from a state_dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from etude.backends.base import Backend

from ..autograd import no_grad, tick
from ..creation import as_backend, tensor
from ..dtypes import DTYPES, DType, as_dtype
from ..errors import CallError, DTypeError, EtudeError, StateMismatch, fail
from ..guard import came
from ..hooks import changes
from ..tensor import Tensor

if TYPE_CHECKING:
    from .module import Module

SHOWN = 4  # keys of each kind that a message lists


class IncompatibleKeys(NamedTuple):
    """What a load with strict=False left alone, and what it found no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def destination(
    args: tuple[Any, ...], dtype: Any, backend: Any
) -> tuple[DType | None, Backend | None]:
    """The dtype and backend that the arguments of `Module.to` name."""
    for a in args:
        if isinstance(a, Tensor):
            dtype, backend = a.dtype, a.backend
        elif isinstance(a, Backend) or (isinstance(a, str) and a not in DTYPES):
            backend = a
        else:
            dtype = a
    kind = None if dtype is None else as_dtype(dtype, "to")
    if kind is not None and not kind.is_floating_point:
        raise fail(
            DTypeError,
            "to",
            f"expected float32 or float64 for a module, got {kind}; "
            "convert single tensors to whole numbers",
        )
    return kind, None if backend is None else as_backend(backend)


def convert(t: Tensor, dtype: DType | None, backend: Backend | None) -> None:
    """In place: take another dtype (floats only) and backend; the gradient comes along."""
    kind = dtype if dtype is not None and t.dtype.is_floating_point else t.dtype
    place = t.backend if backend is None else backend
    if kind is t.dtype and place is t.backend:
        return
    new = t.detach().to(place, dtype=kind)
    t.buffer, t.dtype, t.backend = new.buffer, new.dtype, new.backend
    t.version = tick()
    changes.state += 1
    if t.grad is not None:
        t.grad = t.grad.detach().to(place, dtype=kind)


def as_value(key: str, value: Any) -> Tensor:
    """A stored value as a tensor; torch's tensors come through NumPy."""
    if isinstance(value, Tensor):
        return value.detach()
    if hasattr(value, "__array__"):
        value = value.__array__()
    try:
        return tensor(value)
    except EtudeError as error:
        raise fail(
            StateMismatch,
            "load_state_dict",
            f"expected an array for {key!r}, got {came(value)}; store tensors or NumPy arrays",
        ) from error


def load(module: Module, given: Any, strict: bool) -> IncompatibleKeys:
    """`Module.load_state_dict`."""
    if not isinstance(given, Mapping):
        raise fail(
            CallError,
            "load_state_dict",
            f"expected a dict of tensors by name, got "
            f"{came(given)}; pass what state_dict() returned",
        )
    own = module.state_dict(keep_vars=True)
    values = {key: as_value(key, value) for key, value in given.items() if key in own}
    missing = [key for key in own if key not in given and key not in _optional(module)]
    unexpected = [key for key in given if key not in own]
    wrong = [
        f"{key}: expected {own[key].shape}, got {value.shape}"
        for key, value in values.items()
        if own[key].shape != value.shape
    ]
    if wrong or (strict and (missing or unexpected)):
        raise _mismatch(module, missing, unexpected, wrong, strict)
    with no_grad():
        for key, value in values.items():
            own[key].copy_(value)
    return IncompatibleKeys(missing, unexpected)


def _optional(module: Module) -> set[str]:
    """Keys that older files lack: batch norm's counter joined torch's state in 2018."""
    return {key for key in module.state_dict() if key.rpartition(".")[2] == "num_batches_tracked"}


def _some(keys: list[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more


def _mismatch(
    module: Module, missing: list[str], unexpected: list[str], wrong: list[str], strict: bool
) -> EtudeError:
    parts = [
        f"{label} {_some(keys)}"
        for label, keys in (
            ("missing keys", missing),
            ("unexpected keys", unexpected),
            ("size mismatch", wrong),
        )
        if keys
    ]
    hint = "build the model with the arguments that it was saved with"
    if strict and not wrong:
        hint += ", or pass strict=False to load the keys that fit"
    return fail(
        StateMismatch,
        "load_state_dict",
        f"expected the state of this {type(module).__name__}, got {', '.join(parts)}; {hint}",
    )
