"""Wrong calls: a bare error out of a public function becomes one that names the argument.

The functions check shapes and values themselves. The Python types of their arguments are looked at
here, and only once a call has failed: a right call pays for one more function call and no check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import CO_VARARGS, Parameter, Signature, signature, unwrap
from numbers import Real
from operator import index
from types import FunctionType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from .errors import ArgumentError, CallError, EtudeError, fail, nearest

INTERNAL = {"as_tensor_operand", "cast", "only_bool"}  # they explain themselves, and are hot
ALIASES = {"axis": "dim", "axes": "dim", "keepdims": "keepdim", "device": "backend"}
KINDS = {"ndarray": "NumPy array", "bytes": "bytes object", "complex": "complex number"}
NOUNS = {float: "number", int: "whole number", str: "string"}


def guarded(function: Callable[..., Any], name: str, home: str) -> Callable[..., Any]:
    """`function`, whose bare errors are explained under its public name in the module `home`."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except EtudeError:
            raise
        except Exception:
            blame = explain(function, name, args, kwargs)
            if blame is None:
                raise
            raise blame from None

    vars(call)["guarded"] = True
    call.__name__, call.__module__ = name, home  # where pickle finds it
    call.__qualname__ = f"Tensor.{name}" if "." in function.__qualname__ else name
    return call


def guard_functions(namespace: dict[str, Any], home: str) -> None:
    """Guard every public function of a module that is not guarded yet."""
    for name, value in list(namespace.items()):
        if _is_ours(value) and not name.startswith("_") and name not in INTERNAL:
            namespace[name] = guarded(value, name, home)


def guard_methods(kind: type) -> None:
    """Guard every public method of a class that takes arguments."""
    for name, value in list(vars(kind).items()):
        if _is_ours(value) and not name.startswith("_"):
            code = value.__code__
            if code.co_argcount + code.co_kwonlyargcount > 1 or code.co_flags & CO_VARARGS:
                setattr(kind, name, guarded(value, name, kind.__module__))


def _is_ours(value: Any) -> bool:
    plain = isinstance(value, FunctionType) and "guarded" not in vars(value)
    return plain and value.__module__.startswith("etude.")


def explain(
    function: Callable[..., Any], name: str, args: Sequence[Any], kwargs: dict[str, Any]
) -> EtudeError | None:
    """The error for the first argument that does not fit the function's signature, if any."""
    known = signature(function)
    try:
        bound = known.bind(*args, **kwargs).arguments
    except TypeError as error:
        return _misfit(name, known, kwargs, str(error))
    for label, value in bound.items():
        parameter = known.parameters[label]
        kind = _kind(function, parameter.annotation)
        several = parameter.kind is Parameter.VAR_POSITIONAL
        for v in value if several else (value,):
            if parameter.kind is not Parameter.VAR_KEYWORD and not fits(v, kind):
                return wrong_type(name, label, kind, v)
    return _too_large(name, bound)


def _too_large(name: str, bound: dict[str, Any]) -> EtudeError | None:
    """The error for a whole number beyond every size, which array libraries choke on."""
    for label, value in bound.items():
        several = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(v, int) and abs(v) > 2**31 for v in several):
            return fail(
                ArgumentError,
                name,
                f"expected {label} to fit into memory, got {came(value)}; use a smaller one",
            )
    return None


def _misfit(name: str, known: Signature, kwargs: dict[str, Any], error: str) -> EtudeError:
    """The error for arguments that are missing, unknown or too many."""
    listed = [p for p in known.parameters.values() if p.name != "self"]
    bare = [p.replace(annotation=Parameter.empty) for p in listed]
    form = str(known.replace(parameters=bare, return_annotation=Signature.empty))
    labels = [p.name for p in bare]
    unknown = [k for k in kwargs if k not in labels]
    if unknown:
        alias = ALIASES.get(unknown[0])
        hint = f"did you mean {alias!r}?" if alias in labels else nearest(unknown[0], labels)
        what = f"an unknown argument {unknown[0]!r}; {hint}"
    elif error.startswith("missing"):
        what = f"no {error.split(chr(39))[1]!r}; give it a value"
    elif error.startswith("multiple"):
        what = f"{error.split(chr(39))[1]!r} twice; give it once"
    else:
        what = "more arguments; name the optional ones, and put several values in one tuple"
    return fail(CallError, name, f"expected {name}{form}, got {what}")


def wrong_type(op: str, label: str, kind: Any, value: Any) -> EtudeError:
    """`[op] expected input to be a Tensor, got the number 3; make it one with etude.tensor`."""
    parts = _sequence_parts(kind)
    if parts is not None and isinstance(value, Sequence) and not isinstance(value, str):
        for i, v in enumerate(value):
            if not any(fits(v, part) for part in parts):
                return wrong_type(op, f"{label}[{i}]", parts[0], v)
    wanted = describe(kind)
    if "a Tensor" in wanted and _is_data(value):
        fix = "make it one with etude.tensor(...)"
    elif "number" in wanted and hasattr(value, "requires_grad"):
        fix = "take the number out with .item()"
    elif "a whole number" in wanted and fits(value, float):
        fix = "convert it with int(...)"
    else:
        fix = f"pass {wanted}"
    return fail(CallError, op, f"expected {label} to be {wanted}, got {came(value)}; {fix}")


def _is_data(value: Any) -> bool:
    """Whether etude.tensor could make a tensor of it."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_data, value))
    return fits(value, float) or (hasattr(value, "__array__") and not isinstance(value, type))


def _sequence_parts(kind: Any) -> list[Any] | None:
    """What the elements of a sequence type may be; None if `kind` allows no sequence."""
    for part in (kind, *get_args(kind)):
        origin = get_origin(part)
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return [a for a in get_args(part) if a is not Ellipsis]
    return None


def _kind(function: Callable[..., Any], annotation: Any) -> Any:
    """The type that an annotation names; Any if it is absent or cannot be found here."""
    from .tensor import Tensor

    if not isinstance(annotation, str):
        return Any
    try:
        return eval(annotation, dict(unwrap(function).__globals__), {"Tensor": Tensor})
    except (NameError, TypeError, AttributeError):
        return Any


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a type; True where that cannot be told."""
    origin = get_origin(kind)
    if kind is Any:
        return True
    if origin in (UnionType, Union):
        return any(fits(value, part) for part in get_args(kind))
    if kind in (None, NoneType):
        return value is None
    if kind is float:
        return isinstance(value, Real)
    if kind is int:
        return not hasattr(value, "requires_grad") and _is_whole(value)
    if kind is bool:
        return hasattr(value, "__bool__") and getattr(value, "shape", ()) == ()
    parts = None if origin is None else _sequence_parts(kind)
    if parts is not None:
        right = isinstance(value, Sequence) and not isinstance(value, str)
        return right and all(any(fits(v, part) for part in parts) for v in value)
    if origin is not None:
        return callable(value) if "Callable" in str(origin) else True
    return not isinstance(kind, type) or isinstance(value, kind)


def _is_whole(value: Any) -> bool:
    try:
        index(value)
    except TypeError:
        return False
    return True


def describe(kind: Any, many: bool = False) -> str:
    """A type in words: "a Tensor or a number", "a list or tuple of whole numbers"."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        words = [describe(p, many) for p in args if not (p in (int, bool) and float in args)]
        return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    if kind in (None, NoneType):
        return "None"
    if kind is bool:
        return "True or False"
    parts = _sequence_parts(kind) if origin is not None else None
    if parts is not None:
        inside = " or ".join(dict.fromkeys(describe(p, True) for p in parts))
        return f"a list of {inside}"
    if origin is not None or kind is Any:
        return "a function" if "Callable" in str(origin) else "values" if many else "a value"
    noun = NOUNS.get(kind) or str(getattr(kind, "__name__", "value"))
    return f"{noun}s" if many else article(noun)


def came(value: Any) -> str:
    """A value in the words of a message: what it is, and its text if that is short."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        text = repr(value)
        return f"the number {text}" if len(text) < 40 else f"a number of {len(text)} digits"
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = KINDS.get(type(value).__name__, type(value).__name__)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{article(kind)} of shape {shape}"
    if isinstance(value, (list, tuple)):
        text = repr(value) if len(value) < 20 else ""
        short = 0 < len(text) <= 60 and "\n" not in text and " at 0x" not in text
        return text if short else f"{article(kind)} of length {len(value)}"
    return article(kind)


def article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
