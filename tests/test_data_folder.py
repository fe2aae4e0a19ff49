"""Folders of pictures, good and bad ones."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework import data
from etude.framework.data import DataLoader, ImageFolder
from etude.framework.data.folder import read_image
from etude.framework.errors import ArgumentError, BadFile, MissingLibrary

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 8, 3), dtype="uint8")


def write(root: Path, name: str, array: np.ndarray = COLOUR) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def write_classes(root: Path) -> None:
    for label, name in enumerate(("cat", "dog")):
        for i in range(3 + label):
            write(root, f"{name}/{i}.png", COLOUR // (label + 1))
    (root / "dog" / "notes.txt").write_text("no picture")
    (root / "dog" / ".hidden.png").write_text("no picture")
    (root / ".cache").mkdir()


def test_pictures_are_read_by_class_when_they_are_asked_for(tmp_path: Path) -> None:
    write_classes(tmp_path)
    pictures = ImageFolder(tmp_path, (3, 6, 8))
    assert (len(pictures), pictures.classes) == (7, ["cat", "dog"])
    x, y = pictures[3]
    assert (x.shape, x.dtype, y.item(), y.dtype) == ((3, 6, 8), etude.float32, 1, etude.int64)
    np.testing.assert_allclose(x.numpy() * 255, np.moveaxis(COLOUR // 2, -1, 0), atol=1e-4)
    (tmp_path / "cat" / "1.png").write_bytes(b"spoilt")
    with pytest.raises(BadFile, match=r"1\.png to be a whole picture"):
        pictures.batch([0, 1])


@pytest.mark.parametrize(
    "size, window", [((6, 6), np.s_[:, 1:7]), ((3, 4), None), ((12, 16), None)]
)
def test_pictures_cover_the_shape_and_are_cut_to_their_middle(
    size: tuple[int, int], window: Any, tmp_path: Path
) -> None:
    path = write(tmp_path, "x.png")
    found = read_image(path, (3, *size))
    assert found.shape == (3, *size)
    if window is not None:
        assert (found == np.moveaxis(COLOUR[window], -1, 0)).all()
    flat = write(tmp_path, "flat.png", np.full((9, 5, 3), 77, "uint8"))
    assert (read_image(flat, (3, *size)) == 77).all()


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tif", "webp", "jpg", "gif"])
def test_formats_and_grey(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"x.{ending}", np.full((5, 5, 3), 128, "uint8"))
    assert abs(read_image(path, (1, 5, 5)).astype(int) - 128).max() <= 2


def test_a_folder_with_train_and_test(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_classes(tmp_path / part)
    splits = data.load("folder", root=tmp_path, shape=(3, 6, 8))
    assert (len(splits.train), len(splits.test), splits.classes) == (7, 7, 2)
    x, y = next(iter(DataLoader(splits.train, 7)))
    assert y.tolist() == [0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(x.numpy().mean((0, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(x.numpy().std((0, 2, 3)), 1.0, atol=1e-5)


def test_a_folder_cut_at_random(tmp_path: Path) -> None:
    write_classes(tmp_path)
    splits = data.load("folder", "random", root=tmp_path, shape=(1, 6, 6))
    assert (len(splits.train), len(splits.test)) == (5, 2)
    assert splits.train[0][0].shape == (1, 6, 6)


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that says it has this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(
            ">I", zlib.crc32(kind + content))  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body))
            + chunk(b"IEND", b""))  # fmt: skip


def saved(kind: str) -> bytes:
    memory = io.BytesIO()
    Image.fromarray(COLOUR).save(memory, kind)
    return memory.getvalue()


BAD = [
    ("bomb", png(8_000, 8_000), "8000 x 8000 pixels, 50000000 at most"),
    ("bomb beyond Pillow's limit", png(100_000, 100_000), "pixels"),
    ("no pixels", png(50, 50), "truncated|whole picture"),
    ("cut png", saved("PNG")[:-60], "whole picture"),
    ("cut jpeg", saved("JPEG")[:-100], "[Tt]runcated"),
    ("text", b"<html>404</html>", "cannot identify"),
    ("empty", b"", "cannot identify"),
    ("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n%%EndComments\n",
     "cannot identify"),
    ("zip", b"PK\x03\x04" + b"\0" * 50, "cannot identify"),
]  # fmt: skip


@pytest.mark.parametrize("name, raw, why", BAD, ids=[b[0] for b in BAD])
def test_a_bad_picture_is_refused(name: str, raw: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(raw)
    with pytest.raises(BadFile, match=rf"^\[ImageFolder\] expected .*x\.png .*({why})"):
        read_image(path, (3, 8, 8))


def test_parts_with_other_classes(tmp_path: Path) -> None:
    write_classes(tmp_path / "train")
    write(tmp_path / "test", "cow/x.png")
    with pytest.raises(BadFile, match=r"classes of train in test .*\['cow'\]; give both"):
        data.load("folder", root=tmp_path)


def test_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadFile, match="no pictures in folders of"):
        ImageFolder(tmp_path)
    with pytest.raises(BadFile, match="No such file or directory; check the path"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(ArgumentError, match=r"shape \(1 or 3, H, W\), got \(2, 4, 4\)"):
        ImageFolder(tmp_path, (2, 4, 4))
    with pytest.raises(ArgumentError, match="expected root"):
        data.load("folder")
    path = write(tmp_path, "x.png")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingLibrary, match=r"needs PIL.*pip install 'etude\[images\]'"):
        read_image(path, (3, 4, 4))
