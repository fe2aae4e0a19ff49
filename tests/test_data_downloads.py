"""Downloads from a server on this machine that fails in every way that servers do."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from etude.framework.data import Resource, cache_folder, download, fetch, mnist
from etude.framework.data import mirror as mirror_module
from etude.framework.errors import BadFile, DownloadError

CONTENT = bytes(range(256)) * 40
SHA = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)
HALF = SIZE // 2


class Handler(BaseHTTPRequestHandler):
    """Answers by the name in the path; the server keeps what was asked."""

    server: Any

    def log_message(self, *parts: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.strip("/")
        asked = self.headers.get("Range")
        self.server.asked.append((name, asked))
        start = int(asked.split("=")[1].rstrip("-")) if asked else 0
        getattr(self, name)(start)

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def rest(self, start: int, content: bytes = CONTENT, stop: int | None = None) -> None:
        """What a good server says; with `stop` it breaks off there."""
        if start >= len(content):
            return self.head(416, 0)
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206, len(content) - start, Content_Range=span)
        else:
            self.head(200, len(content))
        self.wfile.write(content[start:stop])

    def good(self, start: int) -> None:
        self.rest(start)

    def missing(self, start: int) -> None:
        self.send_error(404)

    def broken(self, start: int) -> None:
        self.send_error(503)

    def cut(self, start: int) -> None:
        self.rest(start, stop=start + SIZE // 3)

    def cut_at_once(self, start: int) -> None:
        self.rest(start, stop=start)

    def no_range(self, start: int) -> None:
        """Breaks off at first, and when asked for the rest sends everything."""
        self.rest(0, stop=None if start else HALF)

    def no_length(self, start: int) -> None:
        self.head(200, None)
        self.wfile.write(CONTENT)

    def wrong_range(self, start: int) -> None:
        if not start:
            return self.rest(0)
        self.head(206, SIZE, Content_Range=f"bytes 0-{SIZE - 1}/{SIZE}")
        self.wfile.write(CONTENT)

    def part_unasked(self, start: int) -> None:
        self.head(206, HALF, Content_Range=f"bytes {HALF}-{SIZE - 1}/{SIZE}")
        self.wfile.write(CONTENT[HALF:])

    def corrupt(self, start: int) -> None:
        self.rest(start, CONTENT[:-1] + b"!")

    def large(self, start: int) -> None:
        self.rest(start, CONTENT * 3)

    def endless(self, start: int) -> None:
        """Says nothing of a length, and does not stop before the client goes."""
        self.head(200, None)
        while True:
            self.wfile.write(CONTENT)

    def silent(self, start: int) -> None:
        self.head(200, SIZE)
        self.wfile.flush()
        self.server.stop.wait(20)

    def trickle(self, start: int) -> None:
        self.head(200, SIZE)
        for i in range(SIZE):
            self.wfile.write(CONTENT[i : i + 1])
            if self.server.stop.wait(0.02):
                return

    def moved(self, start: int) -> None:
        self.head(302, 0, Location="/good")

    def to_a_file(self, start: int) -> None:
        self.head(302, 0, Location="file:///etc/hostname")

    def to_ftp(self, start: int) -> None:
        self.head(302, 0, Location="ftp://127.0.0.1/x")

    def to_itself(self, start: int) -> None:
        self.head(302, 0, Location="/to_itself")

    def nonsense(self, start: int) -> None:
        self.wfile.write(b"\x00\xffwhat?\r\n\r\n")


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *parts: Any) -> None:
        """A client that goes away is part of these tests."""


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.asked, server.stop = [], threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.stop.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


Get = Callable[..., Path]


@pytest.fixture
def get(server: Any, tmp_path: Path) -> Get:
    """Fetch from mirrors of these names into an empty folder."""
    server.asked.clear()

    def call(*names: str, size: int | None = SIZE, sha256: str = SHA, timeout: float = 5.0) -> Path:
        urls = tuple(f"http://127.0.0.1:{server.server_port}/{name}" for name in names)
        return fetch(Resource("x.bin", urls, sha256, size), tmp_path / "cache", timeout)

    return call


def files(path: Path) -> list[str]:
    """What is in the cache, but for the lock."""
    return sorted(p.name for p in path.iterdir() if p.suffix != ".lock")


# what works -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["good", "moved", "no_length"])
@pytest.mark.parametrize("size", [SIZE, None], ids=["size known", "size unknown"])
def test_a_file_is_fetched_once(get: Get, server: Any, name: str, size: int | None) -> None:
    path = get(name, size=size)
    assert path.read_bytes() == CONTENT
    assert files(path.parent) == ["x.bin"]
    asked = len(server.asked)
    assert get(name) == path
    assert len(server.asked) == asked


@pytest.mark.parametrize("bad", ["missing", "broken", "cut_at_once", "corrupt", "large",
                                 "to_a_file", "to_ftp", "to_itself", "nonsense",
                                 "part_unasked"])  # fmt: skip
@pytest.mark.parametrize("size", [SIZE, None], ids=["size known", "size unknown"])
def test_the_next_mirror_helps_out(get: Get, bad: str, size: int | None) -> None:
    path = get(bad, "good", size=size)
    assert path.read_bytes() == CONTENT
    assert files(path.parent) == ["x.bin"]


def test_a_broken_download_goes_on_where_it_broke_off(get: Get, server: Any) -> None:
    assert get("cut").read_bytes() == CONTENT
    third = SIZE // 3
    ranges = [asked for _, asked in server.asked]
    assert ranges == [None, f"bytes={third}-", f"bytes={2 * third}-", f"bytes={3 * third}-"]


def test_the_next_call_goes_on_with_another_mirror(
    get: Get, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    with pytest.raises(DownloadError, match="broke off 1 times"):
        get("cut")
    assert files(tmp_path / "cache") == [".x.bin.part"]
    assert get("good").read_bytes() == CONTENT
    assert server.asked[-1] == ("good", f"bytes={SIZE // 3}-")


def test_a_part_that_is_there_is_completed(get: Get, server: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".x.bin.part").write_bytes(CONTENT[:100])
    assert get("good").read_bytes() == CONTENT
    assert server.asked == [("good", "bytes=100-")]


def test_a_part_that_is_whole_needs_no_server(get: Get, server: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".x.bin.part").write_bytes(CONTENT)
    assert get("missing").read_bytes() == CONTENT
    assert server.asked == []


@pytest.mark.parametrize("name", ["no_range", "wrong_range", "no_length"])
@pytest.mark.parametrize(
    "part", [CONTENT[:50], b"of another file", CONTENT + b"more", CONTENT[:-1] + b"?"],
    ids=["half", "other", "long", "wrong"],
)  # fmt: skip
def test_a_server_that_ignores_ranges_is_read_from_the_start(
    get: Get, tmp_path: Path, name: str, part: bytes
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".x.bin.part").write_bytes(part)
    assert get(name).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"of another file", CONTENT + b"more", CONTENT[:-1] + b"?"],
                         ids=["other", "long", "wrong"])  # fmt: skip
def test_a_part_of_something_else_is_thrown_away(get: Get, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".x.bin.part").write_bytes(part)
    assert get("good").read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_replaced(get: Get, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "x.bin").write_bytes(CONTENT[:-1])
    assert get("good").read_bytes() == CONTENT


def test_two_that_want_one_file_fetch_it_once(get: Get, server: Any) -> None:
    threads = [threading.Thread(target=get, args=("good",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1


# what does not ----------------------------------------------------------------------------------
REFUSED = [
    ("missing", "HTTP 404"),
    ("broken", "HTTP 503"),
    ("corrupt", "another SHA-256"),
    ("large", f"offered {3 * SIZE} bytes, expected {SIZE}"),
    ("cut_at_once", f"broke off after 0 of {SIZE}"),
    ("endless", "more bytes than the file has"),
    ("to_a_file", "HTTP 302"),
    ("to_itself", "HTTP 302"),
    ("nonsense", "BadStatusLine"),
    ("part_unasked", "broke off 5 times"),
]


@pytest.mark.parametrize("name, why", REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_not_the_file_leaves_nothing(get: Get, tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(
        DownloadError, match=r"^\[fetch\] expected x.bin from one of 1 mirrors"
    ) as e:
        get(name)
    assert why in str(e.value)
    assert files(tmp_path / "cache") == []


def test_all_that_was_asked_is_in_the_notes(get: Get) -> None:
    with pytest.raises(DownloadError) as caught:
        get("missing", "corrupt")
    notes = "\n".join(caught.value.__notes__)
    assert "missing: HTTP 404" in notes
    assert "corrupt: gave a file of another SHA-256" in notes
    assert SHA in notes


def test_a_wrong_file_does_not_touch_the_one_that_is_there(get: Get, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "x.bin").write_bytes(b"mine")
    with pytest.raises(DownloadError):
        get("corrupt")
    assert (tmp_path / "cache" / "x.bin").read_bytes() == b"mine"


def test_a_size_that_nobody_knows_has_a_limit(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "LARGEST", 1000)
    with pytest.raises(DownloadError, match="which is more than 1000"):
        get("good", size=None)
    with pytest.raises(DownloadError, match="more bytes than the file has"):
        get("endless", size=None)


@pytest.mark.parametrize(
    "name, why", [("silent", "timed out"), ("trickle", "bytes in 0.2 seconds")]
)
def test_a_slow_mirror_is_left(get: Get, name: str, why: str) -> None:
    started = time.monotonic()
    with pytest.raises(DownloadError, match=why):
        get(name, timeout=0.2)
    assert get(name, "good", timeout=0.2).read_bytes() == CONTENT
    assert time.monotonic() - started < 15  # and not until the server ends


def test_off_line_the_message_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x.bin"
        with pytest.raises(DownloadError) as caught:
            fetch(Resource("x.bin", (url,), SHA), tmp_path)
    said = str(caught.value)
    assert "refused" in said
    assert f"; connect to the network, or put a file with that name into {tmp_path}" in said


def test_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(*parts: Any, **named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with pytest.raises(DownloadError, match="Name or service not known"):
        fetch(Resource("x.bin", ("https://example.invalid/x.bin",), SHA), tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadFile, match="Not a directory"):
        fetch(Resource("x.bin", ("http://127.0.0.1/x",), SHA), tmp_path / "file" / "cache")


def test_a_full_disk_is_not_the_mirrors_fault(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*parts: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mirror_module, "_copy", full)
    with pytest.raises(BadFile, match=r"cannot write .*x\.bin: No space left on device"):
        get("good")


# the cache --------------------------------------------------------------------------------------
def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ETUDE_DATA", str(tmp_path))
    assert cache_folder("mnist") == tmp_path / "mnist"
    monkeypatch.delenv("ETUDE_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder("mnist") == Path("/caches/etude/mnist")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("mnist") == Path.home() / ".cache/etude/mnist"


def test_a_set_that_cannot_be_fetched_says_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ETUDE_DATA", str(tmp_path))
    monkeypatch.setattr(mirror_module, "_ask", off_line)
    with pytest.raises(DownloadError, match=r"train-images-idx3-ubyte.gz from one of 2 mirrors.*"
                       rf"into {tmp_path}/mnist"):  # fmt: skip
        mnist()


def off_line(*parts: Any) -> Any:
    raise mirror_module.Broken("Network is unreachable")
