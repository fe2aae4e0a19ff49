"""One answer of one mirror, written to the end of what is there already."""

from __future__ import annotations

import re
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO
from urllib import request
from urllib.error import HTTPError, URLError

BLOCK = 2**16
LARGEST = 2**33  # bytes, of a file whose size nobody stated
SLOWEST = 64  # bytes per second; a server that gives less is as good as silent
PARTIAL, UNSATISFIABLE = 206, 416


class Broken(Exception):
    """The mirror did not give the rest of the file; the message says why."""


class Restart(Exception):
    """What is there is not the beginning of this mirror's file."""


def pull(url: str, part: Path, size: int | None, timeout: float) -> None:
    """Append to `part` what is missing, or write it anew if the mirror starts at the beginning.

    Raises Broken if it ends too early, is too long or too slow, or does not come at all; Restart
    if the mirror cannot go on from the end of `part`; OSError if `part` cannot be written.
    """
    had = part.stat().st_size if part.exists() else 0
    with _ask(url, had, timeout) as answer:
        at, total = _place(answer, had)
        if size is not None and total is not None and total != size:
            raise Broken(f"offered {total} bytes, expected {size}")
        end = total if size is None else size
        if (end or 0) > LARGEST and size is None:
            raise Broken(f"offered {end} bytes, which is more than {LARGEST}")
        with open(part, "ab" if at else "wb") as file:
            written = at + _copy(answer, file, (LARGEST if end is None else end) - at, timeout)
    if end is not None and written != end:
        raise Broken(f"broke off after {written} of {end} bytes")


def _ask(url: str, had: int, timeout: float) -> Any:
    headers = {"User-Agent": "etude", "Accept-Encoding": "identity"}
    if had:
        headers["Range"] = f"bytes={had}-"
    try:
        return _opener().open(request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        error.close()
        if had and error.code == UNSATISFIABLE:
            raise Restart from None
        raise Broken(f"HTTP {error.code} {error.reason}") from None
    except URLError as error:
        raise Broken(str(getattr(error.reason, "strerror", None) or error.reason)) from None
    except (OSError, HTTPException, ValueError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from None


def _opener() -> request.OpenerDirector:
    """No address, and no redirection to one, reads local files or speaks anything but HTTP."""
    opener = request.OpenerDirector()
    for name in (
        *("ProxyHandler", "UnknownHandler", "HTTPHandler", "HTTPSHandler"),
        *("HTTPDefaultErrorHandler", "HTTPRedirectHandler", "HTTPErrorProcessor"),
    ):
        if hasattr(request, name):  # HTTPS is missing where Python was built without it
            opener.add_handler(getattr(request, name)())
    return opener


def _place(answer: Any, had: int) -> tuple[int, int | None]:
    """Where in the file the answer begins, and the size of the whole file, if it is said."""
    length = answer.headers.get("Content-Length", "")
    rest = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
    if answer.status != PARTIAL:
        return 0, rest
    said = answer.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", said)
    if found is None or int(found[1]) != had:
        raise Restart
    if found[2] != "*":
        return had, int(found[2])
    return had, None if rest is None else had + rest


def _copy(answer: Any, file: BinaryIO, most: int, timeout: float) -> int:
    """Copy to the end, at most `most` bytes; how many there were."""
    copied, recent, since = 0, 0, monotonic()
    while block := _read(answer, copied):
        copied, recent = copied + len(block), recent + len(block)
        if copied > most:
            file.truncate(0)
            raise Broken("sent more bytes than the file has")
        file.write(block)
        if monotonic() - since > timeout:
            if recent < SLOWEST * timeout:
                raise Broken(f"sent {recent} bytes in {timeout:g} seconds")
            recent, since = 0, monotonic()
    return copied


def _read(answer: Any, copied: int) -> bytes:
    try:
        block: bytes = answer.read1(BLOCK)
    except (OSError, HTTPException, ValueError) as error:
        raise Broken(f"broke off after {copied} bytes: {error or type(error).__name__}") from None
    return block
