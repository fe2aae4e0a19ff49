"""Libraries that etude uses where they are installed, imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import MissingLibrary, fail


def require(module: str, extra: str, purpose: str) -> Any:
    """Import an optional module, or raise MissingLibrary with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise fail(
            MissingLibrary,
            purpose,
            f"needs {name}, which cannot be imported ({error}); run: pip install 'etude[{extra}]'",
        ) from error
