"""Archives and pickles that were made to do harm, or were damaged: a named error, and no trace."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import pickle
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.framework.data import load_pickle, unpack
from etude.framework.errors import BadFile

FILES = {"a.txt": b"first", "folder/b.bin": bytes(range(256)) * 300, "folder/empty": b""}


# archives ---------------------------------------------------------------------------------------
def tar_of(*members: tuple[str, bytes | None, bytes], mode: str = "w") -> bytes:
    """(name, content, type) each; None for a folder."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = (content or b"").decode()
                archive.addfile(info)
            else:
                info.size = len(content or b"")
                archive.addfile(info, io.BytesIO(content or b""))
    return memory.getvalue()


def plain_tar(mode: str) -> bytes:
    members = [(name, content, tarfile.REGTYPE) for name, content in FILES.items()]
    return tar_of(("folder", None, tarfile.DIRTYPE), *members, mode=mode)


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


STORED = gzip.compress(plain_tar("w"), 0)  # as it is, so that a change of it is no damage to see


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return memory.getvalue()


def zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    "raw",
    [
        plain_tar("w"),
        plain_tar("w:gz"),
        zip_of(("folder/", b""), *FILES.items()),
        tar_of(
            ("./", None, tarfile.DIRTYPE),
            *((f"./{n}", b, tarfile.REGTYPE) for n, b in FILES.items()),
        ),
    ],
    ids=["tar", "tar.gz", "zip", "tar of ."],
)
def test_an_archive_is_unpacked_whole(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(raw)
    folder = unpack(tmp_path / "archive", tmp_path / "new" / "place")
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == FILES
    assert sorted(os.listdir(tmp_path / "new")) == ["place"]


def test_permissions_of_strangers_are_not_taken_over(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        info = tarfile.TarInfo("tool")
        info.mode, info.uid = 0o4777, 0
        archive.addfile(info)
    (tmp_path / "archive").write_bytes(memory.getvalue())
    unpack(tmp_path / "archive", tmp_path / "place")
    mode = (tmp_path / "place" / "tool").stat().st_mode
    assert not mode & (stat.S_ISUID | stat.S_IXUSR)
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "place").stat().st_mode == (tmp_path / "usual").stat().st_mode


def long_header(size: int) -> bytes:
    """A tar whose first name takes `size` bytes, all of them there, in a small gzip."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"a" * size)


def sparse() -> bytes:
    """A member of a few bytes that stands for 8 GiB of nothing."""
    info = tarfile.TarInfo("hole")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[483:495] = b"77777777777\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + b"\0" * 1024


def declares(size: int) -> bytes:
    """A zip whose member says that it is larger than it is."""
    raw = bytearray(zip_of(("a", b"12345678")))
    at = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, at + 24, size)
    return bytes(raw)


def encrypted() -> bytes:
    raw = bytearray(zip_of(("a", b"12345678")))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(magic) + offset] |= 1
    return bytes(raw)


REG, SYM, HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
LINK = stat.S_IFLNK | 0o777
LEAVES, NO_FILE = "leads out of the folder", "which is a link or"
HOSTILE: list[tuple[str, bytes, str]] = [
    ("tar up", tar_of(("a", b"1", REG), ("../b", b"2", REG)), LEAVES),
    ("tar up inside", tar_of(("x/../../b", b"2", REG)), LEAVES),
    ("tar absolute", tar_of(("/tmp/b", b"2", REG)), LEAVES),
    ("tar folder up", tar_of(("../folder", None, REG)), LEAVES),
    ("tar backslash", tar_of(("..\\b", b"2", REG)), LEAVES),
    ("tar drive", tar_of(("C:b", b"2", REG)), LEAVES),
    ("tar dot", tar_of((".", b"2", REG)), LEAVES),
    ("tar symlink", tar_of(("a", b"/etc", SYM), ("a/b", b"2", REG)), NO_FILE),
    ("tar symlink inside", tar_of(("a", b"b", SYM)), NO_FILE),
    ("tar hard link", tar_of(("a", b"/etc/passwd", HARD)), NO_FILE),
    ("tar device", tar_of(("a", b"", tarfile.CHRTYPE)), NO_FILE),
    ("tar pipe", tar_of(("a", b"", tarfile.FIFOTYPE)), NO_FILE),
    ("tar sparse", sparse(), "8589934591 bytes|a link or"),
    ("tar twice", tar_of(("a", b"1", REG), ("a", b"2", REG)), "File exists"),
    ("tar file as folder", tar_of(("a", b"1", REG), ("a/b", b"2", REG)), "Not a directory|exists"),
    ("tar bomb", gzip.compress(tar_of(("a", b"\0" * 3_000_000, REG))), "more than 2000000 bytes"),
    ("tar bomb in parts", gzip.compress(tar_of(*((str(i), b"\0" * 500_000, REG)
                                                 for i in range(5)))), "more than 2000000"),
    ("tar long header", long_header(1_500_000), "a header of"),
    ("tar cut", plain_tar("w")[:40_000], "whole archive"),
    ("tar cut between members", plain_tar("w")[:1536], "whole archive"),
    ("tar damaged header", flipped(plain_tar("w"), 1536), "whole archive"),
    ("tar.gz of another checksum", flipped(STORED, STORED.index(b"first")), "whole archive"),
    ("tar.gz cut", plain_tar("w:gz")[:-300], "whole archive"),
    ("tar.gz damaged", plain_tar("w:gz")[:100] + b"\xff" * 50, "whole archive"),
    ("text", b"<html>404</html>" * 99, "whole archive"),
    ("empty", b"", "whole archive"),
    ("zip up", zip_of(("a", b"1"), ("../b", b"2")), LEAVES),
    ("zip absolute", zip_of(("/tmp/b", b"2")), LEAVES),
    ("zip backslash", zip_of(("..\\b", b"2")), LEAVES),
    ("zip link", zip_of((zip_entry("a", LINK), b"/etc/passwd")), NO_FILE),
    ("zip bomb", zip_of(("a", b"\0" * 3_000_000)), "more than 2000000 bytes"),
    ("zip encrypted", encrypted(), "link or encrypted"),
    ("zip declares more", declares(99), "whole archive"),
    ("zip declares less", declares(3), "whole archive"),
    ("zip cut", zip_of(*FILES.items())[:-40], "whole archive"),
    ("zip damaged", zip_of(("a", b"12345678" * 99)).replace(b"PK\x03\x04", b"PK\x03\x05"),
     "whole archive"),
]  # fmt: skip


@pytest.mark.parametrize("name, raw, why", HOSTILE, ids=[h[0] for h in HOSTILE])
def test_a_hostile_archive_leaves_nothing(name: str, raw: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(raw)
    with pytest.raises(BadFile, match=rf"^\[unpack\] .*({why}).*; "):
        unpack(tmp_path / "archive", tmp_path / "cache" / "place", most=2_000_000)
    assert os.listdir(tmp_path / "cache") == []
    assert sorted(os.listdir(tmp_path)) == ["archive", "cache"]


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    with pytest.raises(BadFile, match="is there already; remove it"):
        unpack(tmp_path / "archive", tmp_path / "place")


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="No such file or directory; check the path"):
        unpack(tmp_path / "archive", tmp_path / "place")
    assert os.listdir(tmp_path) == []


# pickles ----------------------------------------------------------------------------------------
DATA: Any = {
    b"data": np.arange(12, dtype="uint8").reshape(3, 4),
    b"labels": [0, 1, 2],
    b"batch_label": b"one of one",
    b"more": ("text", 1.5, None, True, {"x": np.eye(2, dtype=">f4")}, np.array(3)),
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_and_arrays_are_read(protocol: int, tmp_path: Path) -> None:
    content = {**DATA, b"columns": np.asfortranarray(DATA[b"data"])}
    (tmp_path / "x").write_bytes(pickle.dumps(content, protocol))
    assert same(load_pickle(tmp_path / "x"), content)


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """By hand, as Python 2 wrote it: its str are our bytes, and numpy's core had its old name."""
    raw = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
        b"q\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x01K\x03\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01"
        b"\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x03abctb"
        b"U\x06labels]q\x08K\x07au."
    )
    (tmp_path / "x").write_bytes(raw)
    found = load_pickle(tmp_path / "x")
    assert found.keys() == {b"data", b"labels"}
    assert found[b"data"].tolist() == [[97, 98, 99]]
    assert found[b"labels"] == [7]


class Call:
    """Pickles as a call of `function` with these arguments."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> Any:
        return self.parts


class Other:
    pass


def touch(tmp: str) -> None:
    raise AssertionError("code from a pickle was run")


def nested(levels: int, width: int) -> list[Any]:
    inner: list[Any] = [0]
    for _ in range(levels):
        inner = [inner] * width
    return inner


def array(shape: bytes, code: bytes, raw: bytes) -> bytes:
    """A pickle of an array with this shape, code of a dtype, and content."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n" + shape
        + b"cnumpy\ndtype\n(S'" + code + b"'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\n" + raw
        + b"tb."
    )  # fmt: skip


HARM: list[tuple[str, bytes, str]] = [
    ("system", pickle.dumps(Call(os.system, "exit 1")), "posix.system|nt.system"),
    ("eval", pickle.dumps(Call(eval, "1 + 1")), "builtins.eval"),
    ("eval of protocol 0", b"c__builtin__\neval\n(S'1'\ntR.", "builtins?.*eval"),
    ("own function", pickle.dumps(Call(touch, "x")), "touch"),
    ("own class", pickle.dumps(Other()), "Other"),
    ("getattr", pickle.dumps(Call(getattr, 1, "real")), "getattr"),
    ("codecs", pickle.dumps(Call(codecs.decode, b"00", "hex")), "_codecs.decode"),
    ("other encoding", pickle.dumps(Call(codecs.encode, "x", "rot13")), "encoding 'rot13'"),
    ("numpy load", b"cnumpy\nload\n(S'/etc/passwd'\ntR.", "numpy.load"),
    ("numpy with dots", b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.", "ndarray.dumps"),
    ("object array", pickle.dumps(np.array([{}, None], dtype=object)), "array of a list"),
    ("records", pickle.dumps(np.zeros(2, dtype="i4,f4")), "got: "),
    ("dates", pickle.dumps(np.zeros(2, dtype="M8[s]")), "datetime"),
    ("instance", b"(S'exit 1'\nios\nsystem\n.", "os.system"),
    ("extension", b"\x82\x01.", "extension 1"),
    ("persistent", b"Pname\n.", "persistent"),
    ("state of a function", b"c_codecs\nencode\n(N}S'__defaults__'\n(tstb.", "a state for"),
    ("state of a class", b"cnumpy\ndtype\n}b.", "a state for"),
    ("a name alone", b"cnumpy\ndtype\n.", "a type"),
    ("set", pickle.dumps({1, 2}), "a set|builtins.set"),
    ("complex", pickle.dumps(1j), "builtins.complex"),
    ("too many bytes", array(b"(I2\nt", b"u1", b"S'abc'\n"), "in 3 bytes"),
    ("no bytes", array(b"(I1000000000000\nt", b"f8", b"S''\n"), "in 0 bytes"),
    ("bytes by number", array(b"(I8\nt", b"u1", b"I1000000000000\n"), "an array of a int"),
    ("negative shape", array(b"(I-1\nI-3\nt", b"u1", b"S'abc'\n"), "in 3 bytes"),
    ("shape of text", array(b"(S'3'\nt", b"u1", b"S'abc'\n"), "in 3 bytes"),
    (
        "unfinished array",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nI0\nNtR.",
        "got",
    ),
    ("shared to be multiplied", pickle.dumps(nested(12, 12)), "more values"),
    ("deep", pickle.dumps(nested(40, 1)), "more values"),
    ("notes beyond number", b"\x80\x02Nr\xff\xff\xff\x7f0r\xfe\xff\xff\x7f.", "got"),
    ("length beyond the file", b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "got"),
    ("cut", pickle.dumps(DATA)[:-20], "got"),
    ("text", b"<html>not found</html>", "got"),
    ("empty", b"", "got"),
]


@pytest.mark.parametrize("name, raw, why", HARM, ids=[h[0] for h in HARM])
def test_a_hostile_pickle_is_refused_and_nothing_run(
    name: str, raw: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(BadFile, match=rf"^\[load_pickle\] expected .*({why})") as caught:
        load_pickle(tmp_path / "x")
    assert caught.value.__cause__ is None


def test_random_damage_gives_a_named_error_or_plain_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = pickle.dumps(DATA, 2)
    for _ in range(300):
        raw = bytearray(whole)
        for place in rng.integers(0, len(raw), 3):
            raw[place] = rng.integers(0, 256)
        (tmp_path / "x").write_bytes(raw)
        with suppress(BadFile):
            load_pickle(tmp_path / "x")


def test_a_pickle_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etude.framework.data.pickles.LARGEST", 100)
    (tmp_path / "x").write_bytes(pickle.dumps(DATA))
    with pytest.raises(BadFile, match="larger than 100 bytes"):
        load_pickle(tmp_path / "x")
    with pytest.raises(BadFile, match=r"cannot read .*: Is a directory"):
        load_pickle(tmp_path)
