"""The errors that etude raises. Each message names the operation, what came, what was expected,
and the likely fix; each class is also the builtin that NumPy or torch users would catch."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from re import sub


class EtudeError(Exception):
    """Base of all errors raised on purpose by etude."""


class ShapeError(EtudeError, ValueError):
    """Shapes that do not fit the operation or each other."""


class DTypeError(EtudeError, TypeError):
    """A dtype that the operation does not take."""


class CallError(EtudeError, TypeError):
    """An argument that is missing, unknown, or of a Python type that the function does not take."""


class ArgumentError(EtudeError, ValueError):
    """An argument outside the values that the operation takes."""


class IndexOutOfRange(EtudeError, IndexError):
    """An axis, index or label outside its range."""


class BackendMismatch(EtudeError, RuntimeError):
    """Tensors of two backends in one operation."""


class GradError(EtudeError, RuntimeError):
    """A gradient that cannot be computed: no graph, a freed graph, a changed leaf."""


class NonFiniteLoss(EtudeError, FloatingPointError):
    """Training met a loss of nan or inf."""


class MissingLibrary(EtudeError, ImportError):
    """An optional library that this function needs is not installed."""


class BadFile(EtudeError, OSError, ValueError):
    """A file that cannot be read or written, or does not hold what it should."""


class DownloadError(EtudeError, OSError):
    """A published file that no mirror gave whole and as it should be."""


class MissingAttribute(EtudeError, AttributeError):
    """A module has no parameter, buffer, child or method of that name."""


class StateMismatch(EtudeError, RuntimeError):
    """A state_dict that does not fit the module or optimizer that should load it."""


def fail(kind: type[EtudeError], op: str, message: str) -> EtudeError:
    """The error `kind` with its operation in front: `raise fail(ShapeError, "matmul", "...")`.

    The message is one line whatever the values in it are.
    """
    text = sub(r"<(\w+\.)*(\w+) object at 0x\w+>", r"<\2>", " ".join(message.split()))
    return kind(f"[{op}] {text}")


def nearest(name: str, choices: Iterable[str]) -> str:
    """The tail of a message about an unknown name: the closest choice, or all of them."""
    options = sorted(choices)
    near = get_close_matches(str(name), options, n=1, cutoff=0.65)
    return f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(options)}"
