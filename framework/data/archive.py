"""Unpacking archives that one did not make oneself: whole, inside their folder, or not at all."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from stat import S_ISLNK
from typing import Any

from ..errors import BadFile, fail
from ..files import make_folder

OP = "unpack"
LARGEST = 2**32  # bytes that an archive may unpack to
BLOCK = 2**16
HEADER = 2**20  # no header of a real archive is longer; a made up one would be read whole
# What tarfile, zipfile and zlib raise for files that were cut, changed or made up.
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, struct.error),
    *(NotImplementedError, RuntimeError, ValueError, KeyError, OverflowError, gzip.BadGzipFile),
)


def unpack(archive: str | Path, folder: str | Path, most: int = LARGEST) -> Path:
    """Unpack a .tar, .tar.gz or .zip into the new folder `folder`, which appears when all is there.

    Files and folders only: a link, a device, a name that is absolute or leads out of the folder, a
    name twice, an encrypted member, or more than `most` bytes in all (a decompression bomb) and
    nothing is kept. Owners, dates and permissions are not taken over.

    Returns the folder. Raises BadFile, also if the folder is there already.
    """
    source, target = Path(archive), Path(folder)
    if target.exists():
        raise fail(BadFile, OP, f"{target} is there already; remove it, or choose another folder")
    above = make_folder(target.parent, OP)
    around = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=above))
    place = around / "new"  # with the permissions of any new folder, which `around` has not
    try:
        place.mkdir()
        for path, blocks in _members(source, most):
            _write(place.joinpath(*path.parts), blocks)
        os.replace(place, target)
    except BadFile:
        raise
    except DAMAGE as error:
        why = str(error) or type(error).__name__
        raise _bad(source, f"expected a whole archive, got {why:.100}; fetch it again") from None
    except OSError as error:
        raise _bad(source, f"cannot unpack into {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(around, ignore_errors=True)
    return target


def _members(source: Path, most: int) -> Iterator[tuple[PurePosixPath, Iterator[bytes] | None]]:
    """The path and the content of each member; None for a folder."""
    try:
        with open(source, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise _bad(source, f"cannot be read: {error.strerror or error}; check the path") from None
    if magic[:2] == b"PK":
        yield from _of_zip(source, most)
    else:
        opened: Any = gzip.open if magic[:2] == b"\x1f\x8b" else open
        with opened(source, "rb") as file:
            yield from _of_tar(source, _Limited(file, most, source))


def _of_tar(source: Path, stream: Any) -> Iterator[tuple[PurePosixPath, Iterator[bytes] | None]]:
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            if member.isdir() and PurePosixPath(member.name) == PurePosixPath("."):
                continue  # the new folder itself, which `tar -c .` puts first
            path = _inside(source, member.name)
            if member.isdir():
                yield path, None
            elif member.isreg() and not member.issparse():
                stream.expect(member.size)
                yield path, _blocks(tar.extractfile(member), member.size)
            else:
                why = f"holds {member.name!r:.80}, which is a link or no plain file"
                raise _bad(source, f"{why}; do not use it")
        # tarfile takes a damaged header for the end, and does not read on to gzip's checksum.
        stream.seek(tar.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no mark of the end after its last member")
        while stream.read(tarfile.RECORDSIZE):
            pass


def _of_zip(source: Path, most: int) -> Iterator[tuple[PurePosixPath, Iterator[bytes] | None]]:
    with zipfile.ZipFile(source) as archive:
        if sum(info.file_size for info in archive.infolist()) > most:
            raise _too_large(source, most)
        for info in archive.infolist():
            path = _inside(source, info.orig_filename)
            if S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
                why = f"holds {info.filename!r:.80}, which is a link or encrypted"
                raise _bad(source, f"{why}; do not use it")
            if info.is_dir():
                yield path, None
            else:
                with archive.open(info) as file:
                    yield path, _blocks(file, info.file_size)


def _inside(source: Path, name: str) -> PurePosixPath:
    """The path of a member, which lies inside the folder that it is unpacked to."""
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)
    if leaves or not path.parts or "\\" in name or "\0" in name:
        why = f"holds the name {name!r:.80}, which leads out of the folder"
        raise _bad(source, f"{why}; do not use it")
    return path


def _blocks(file: Any, size: int) -> Iterator[bytes]:
    left = size
    while left:
        block = file.read(min(left, BLOCK))
        if not block:
            raise EOFError(f"{left} bytes less than a member declares")
        left -= len(block)
        yield block


def _write(path: Path, blocks: Iterator[bytes] | None) -> None:
    if blocks is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        for block in blocks:
            file.write(block)


class _Limited:
    """A file that gives no more than `most` bytes in all, and never much at once."""

    def __init__(self, file: Any, most: int, source: Path) -> None:
        self.file, self.most, self.source = file, most, source

    def expect(self, size: int) -> None:
        """Refuse a member that cannot fit before any of it is read."""
        if self.file.tell() + size > self.most:
            raise _too_large(self.source, self.most)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes."""
        if not 0 <= size <= HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self.expect(size if size > tarfile.RECORDSIZE else 0)
        block: bytes = self.file.read(size)
        return block

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, which must lie within the limit."""
        if whence == 0 and offset > self.most:
            raise _too_large(self.source, self.most)
        at: int = self.file.seek(offset, whence)
        return at

    def tell(self) -> int:
        """The place of the next byte."""
        at: int = self.file.tell()
        return at


def _too_large(source: Path, most: int) -> Exception:
    return _bad(source, f"unpacks to more than {most} bytes; raise the limit if you trust it")


def _bad(source: Path, what: str) -> Exception:
    text = what if "; " in what else f"{what}; choose another place"
    return fail(BadFile, OP, f"{source} {text}")
