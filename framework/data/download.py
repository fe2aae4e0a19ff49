"""Published files, fetched once: mirrors, SHA-256, resuming, and no half file in the cache.

A file is written beside its place as `.NAME.part`, checked, and only then renamed. If the
connection breaks, the part is kept and the next attempt asks for the rest of it (HTTP Range, RFC
9110, section 14). A server may ignore that, or answer with another file: what counts is the
checksum of the whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArgumentError, DownloadError, fail
from ..files import cannot_write, make_folder
from .mirror import Broken, Restart, pull

VARIABLE = "ETUDE_DATA"
ATTEMPTS = 5  # at one mirror, as long as each gets further than the one before
BLOCK = 2**20


@dataclass(frozen=True)
class Resource:
    """A published file.

    Args:
        name: what it is called in the cache.
        urls: its mirrors, http or https, the first to be asked first.
        sha256: 64 hexadecimal digits: `sha256sum FILE`, of a copy that you trust.
        size: bytes, if known: an answer of another size is refused before it is read.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int | None = None


def cache_folder(name: str) -> Path:
    """The folder of a data set: in ETUDE_DATA if that is set, else in the user's cache."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen) / name
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "etude" / name


def fetch(resource: Resource, folder: str | Path, timeout: float = 20.0) -> Path:
    """The path of a published file in `folder`, downloaded if it is not there yet.

    A file that is there is used if its checksum is right, and replaced if not. `timeout` is how
    many seconds a mirror may be silent, or deliver next to nothing. A file of your own:

        >>> mine = Resource("mine.tar.gz", ("https://example.org/mine.tar.gz",), sha256="0" * 64)
        >>> path = fetch(mine, "data")  # doctest: +SKIP

    Raises ArgumentError for a resource that is none, BadFile if the folder cannot be written,
    DownloadError if no mirror gives the file; the error's notes say what each one did.
    """
    _check(resource)
    target = Path(folder) / resource.name
    if holds(target, resource.sha256):
        return target
    make_folder(folder, "fetch")
    try:
        with _alone(target):
            if not holds(target, resource.sha256):  # another process may have fetched it
                _from_mirrors(resource, target, timeout)
    except DownloadError:
        raise
    except OSError as error:
        raise cannot_write(target, "fetch", error) from None
    return target


def holds(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this SHA-256."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == sha256.lower()


def _from_mirrors(resource: Resource, target: Path, timeout: float) -> None:
    part = target.with_name(f".{target.name}.part")
    if holds(part, resource.sha256):  # whoever fetched it ended before the renaming
        os.replace(part, target)
        return
    answers = []
    for url in resource.urls:
        try:
            _from_mirror(url, resource, part, timeout)
        except Broken as error:
            answers.append(f"{url}: {error}")
        else:
            os.replace(part, target)
            return
    raise _no_mirror(resource, target.parent, answers)


def _from_mirror(url: str, resource: Resource, part: Path, timeout: float) -> None:
    """Complete `part`, or raise Broken; what is known to be wrong does not stay."""
    for _ in range(ATTEMPTS):
        had = part.stat().st_size if part.exists() else 0
        try:
            pull(url, part, resource.size, timeout)
        except Restart:
            part.unlink(missing_ok=True)
            continue
        except Broken:
            now = part.stat().st_size if part.exists() else 0
            if not now:
                part.unlink(missing_ok=True)
            if now <= had:
                raise
            continue
        if holds(part, resource.sha256):
            return
        part.unlink()
        if not had:
            raise Broken("gave a file of another SHA-256")
    raise Broken(f"broke off {ATTEMPTS} times")


def _no_mirror(resource: Resource, folder: Path, answers: list[str]) -> Exception:
    error = fail(
        DownloadError,
        "fetch",
        f"expected {resource.name} from one of {len(answers)} mirrors, got none (the last: "
        f"{answers[-1]}); connect to the network, or put a file with that name into {folder}",
    )
    for answer in answers:
        error.add_note(answer)
    error.add_note(f"SHA-256 of {resource.name}: {resource.sha256}")
    return error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until no other process fetches the same file, where the system can tell."""
    lock = target.with_name(f".{target.name}.lock")
    with open(lock, "wb") as file:
        with suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check(resource: Resource) -> None:
    name = resource.name
    if not name or name != os.path.basename(name) or name.startswith(".") or "\\" in name:
        why = f"expected the plain name of a file, got {name!r}; leave folders out"
        raise fail(ArgumentError, "fetch", why)
    if not re.fullmatch("[0-9a-fA-F]{64}", resource.sha256):
        why = f"expected a SHA-256 of 64 hexadecimal digits, got {resource.sha256!r}"
        raise fail(ArgumentError, "fetch", f"{why}; copy it from a source that you trust")
    wrong = [url for url in resource.urls if not re.match("https?://.", url)]
    if wrong or not resource.urls:
        why = f"expected http or https addresses, got {(wrong or ['none'])[0]!r:.80}"
        raise fail(ArgumentError, "fetch", f"{why}; name a mirror of the file")
