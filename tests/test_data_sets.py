"""The data sets that etude knows by name, and the files that some are read from."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

import etude
from etude.framework import data
from etude.framework.data.mnist import read_idx
from etude.framework.errors import ArgumentError, BadFile, EtudeError, MissingLibrary


# digits -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def sklearn() -> object:
    return pytest.importorskip("sklearn")


def test_digits_split_at_random(sklearn: object) -> None:
    splits = data.load("digits", "random", seed=1)
    assert (len(splits.train), len(splits.test), splits.classes) == (1347, 450, 10)
    x, y = splits.train.tensors
    assert (x.shape[1:], x.dtype, y.dtype) == ((1, 8, 8), etude.float32, etude.int64)
    assert abs(x.mean().item()) < 1e-5
    assert abs(x.std().item() - 1.0) < 1e-5
    assert abs(x.min().item() - splits.background) < 1e-6
    same = data.digits("random", seed=1).train.tensors[1].tolist()
    other = data.digits("random", seed=2).train.tensors[1].tolist()
    assert y.tolist() == same != other


def test_digits_in_order_are_first_and_second_half(sklearn: object) -> None:
    splits = data.load("digits", "ordered", seed=4)
    assert (len(splits.train), len(splits.test)) == (898, 899)
    assert splits.train.tensors[1][:10].tolist() == list(range(10))


def test_the_two_parts_hold_every_digit_once(sklearn: object) -> None:
    splits = data.digits("random", seed=0)
    images = np.concatenate([part.tensors[0].numpy() for part in (splits.train, splits.test)])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images) == 1797


@pytest.mark.parametrize(
    "shape, form",
    [
        ((1, 32, 32), "8x8 enlarged bilinearly to 32x32"),
        ((1, 10, 10), "8x8 padded to 10x10"),
        ((3, 8, 8), "8x8, 3 equal channels"),
        ((1, 8, 8), "8x8"),
    ],
)
def test_digits_take_the_form_that_a_model_needs(
    sklearn: object, shape: tuple[int, int, int], form: str
) -> None:
    splits = data.load("digits", shape=shape)
    assert splits.form == form
    assert splits.test.tensors[0].shape == (450, *shape)


def test_without_scikit_learn_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingLibrary, match=r"needs sklearn.*pip install 'etude\[demo\]'"):
        data.digits()


# mnist ------------------------------------------------------------------------------------------
def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.astype("uint8").tobytes()


def write_set(root: Path) -> None:
    rng = np.random.default_rng(0)
    for name, n in (("train", 20), ("t10k", 6)):
        images, labels = rng.integers(0, 256, (n, 28, 28)), np.arange(n) % 10
        (root / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (root / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))


def test_mnist_is_read_from_a_folder_plain_or_gzipped(tmp_path: Path) -> None:
    write_set(tmp_path)
    splits = data.load("mnist", shape=(1, 32, 32), root=tmp_path)
    assert (len(splits.train), len(splits.test), splits.classes) == (20, 6, 10)
    assert splits.train.tensors[0].shape == (20, 1, 32, 32)
    assert splits.train.tensors[1][:11].tolist() == [*range(10), 0]
    assert splits.form == "28x28 padded to 32x32"


HEAD = b"\0\0\x08\x01\0\0\0\x05"
BAD_FILES = [
    ("empty", b"", "got nothing"),
    ("short", b"\0\0\x08", "got 00 00 08"),
    ("text", b"<html>not found</html>", "to be an IDX file"),
    ("floats", b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "to be an IDX file of bytes"),
    ("axes", b"\0\0\x08\x00", "1 to 4 axes"),
    ("half a head", b"\0\0\x08\x03\0\0\0\x05", "impossible shape"),
    ("huge", b"\0\0\x08\x03" + b"\xff" * 12, "impossible shape"),
    ("cut", HEAD + b"1234", "holds only 4"),
    ("long", HEAD + b"123456", "holds more"),
    ("gz", b"not gzip", "to be a whole gzip file"),
    ("cut gz", gzip.compress(HEAD + b"12345")[:-6], "to be a whole gzip file"),
    ("bomb gz", gzip.compress(HEAD + b"\0" * 10**6), "holds more"),
    ("broken gz", gzip.compress(HEAD + b"12345")[:10] + b"\xff" * 20, "to be a whole gzip file"),
]


@pytest.mark.parametrize("name, raw, message", BAD_FILES, ids=[b[0] for b in BAD_FILES])
def test_a_damaged_file_is_refused(name: str, raw: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / ("x.gz" if "gz" in name else "x")
    path.write_bytes(raw)
    with pytest.raises(BadFile, match=message):
        read_idx(path)


def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((5, 28, 28))))
    with pytest.raises(BadFile, match=r"as many labels .*\(5, 28, 28\) and \(6,\)"):
        data.mnist(root=tmp_path)


WRONG = [
    (lambda: data.load("digit"), ArgumentError, "did you mean 'digits'?"),
    (lambda: data.load("digits", "randm"), ArgumentError, "did you mean 'random'?"),
    (lambda: data.load("mnist", root="no-such-folder"), BadFile, "put the four files"),
    (lambda: read_idx("."), BadFile, "cannot read .: Is a directory"),
    (lambda: data.digits(shape=(1, 4, 4)), ArgumentError, "cannot bring images (1, 8, 8) to"),
    (lambda: data.digits(shape=(1, 8, 16)), ArgumentError, "expected a square"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[w[2] for w in WRONG])
def test_what_is_wrong_is_said(
    sklearn: object, call: object, kind: type[EtudeError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)
