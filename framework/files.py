"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from .errors import BadFile, fail


def make_folder(path: str | Path, op: str) -> Path:
    """Make a folder, if it is not there, and see that files can be written in it.

    Raises BadFile if not, with the operation's name in front.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(folder, op, error) from None
    return folder


def write_atomic(path: str | Path, data: bytes | str, op: str) -> Path:
    """Write a whole file: to a temporary one beside it, to the disk, then into its place.

    Raises BadFile if that fails; a file that was there before is then still whole.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    raw = data.encode() if isinstance(data, str) else data
    try:
        with open(temporary, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise cannot_write(target, op, error) from None
    return target


def cannot_write(path: Path, op: str, error: OSError) -> Exception:
    return fail(
        BadFile, op, f"cannot write {path}: {error.strerror or error}; choose another place"
    )
