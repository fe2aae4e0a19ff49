"""CIFAR-10 and CIFAR-100: small sets of both versions, and files that are none."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import etude
from etude.framework import data
from etude.framework.data import DataLoader, cifar, unpack
from etude.framework.data.cifar import read_binary, read_python
from etude.framework.data.mnist import PUBLISHED
from etude.framework.errors import ArgumentError, BadFile, EtudeError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 3, 32, 32), dtype="uint8")
COARSE, FINE = np.arange(5, dtype="uint8"), np.arange(5, dtype="uint8") * 10
TRAIN_10 = [f"data_batch_{i}" for i in range(1, 6)]


def binary(*labels: Any) -> bytes:
    rows = [y.reshape(-1, 1) for y in labels]
    return np.concatenate([*rows, IMAGES.reshape(5, -1)], axis=1).tobytes()


def python(**labels: Any) -> bytes:
    content = {k.encode(): [int(y) for y in v] for k, v in labels.items()}
    return pickle.dumps({b"data": IMAGES.reshape(5, -1), **content}, 2)


def write_10(folder: Path, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*TRAIN_10, "test_batch"):
        if version == "binary":
            (folder / f"{name}.bin").write_bytes(binary(COARSE))
        else:
            (folder / name).write_bytes(python(labels=COARSE))


def write_100(folder: Path, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        if version == "binary":
            (folder / f"{name}.bin").write_bytes(binary(COARSE, FINE))
        else:
            (folder / name).write_bytes(python(coarse_labels=COARSE, fine_labels=FINE))


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
@pytest.mark.parametrize("version", ["binary", "python"])
def test_cifar_10_is_read_in_both_versions(version: str, inner: str, tmp_path: Path) -> None:
    write_10(tmp_path / inner, version)
    splits = data.load("cifar10", root=tmp_path)
    assert (len(splits.train), len(splits.test), splits.classes) == (25, 5, 10)
    assert splits.form == "32x32"
    x, y = splits.train.batch(range(25))
    assert (x.shape, x.dtype, y.dtype) == ((25, 3, 32, 32), etude.float32, etude.int64)
    assert y.tolist() == [0, 1, 2, 3, 4] * 5
    one, label = splits.test[3]
    assert label.item() == 3
    assert (one == x[3]).all()
    back = x.numpy()[:5] * np.reshape(splits.train.std, (3, 1, 1))  # type: ignore[attr-defined]
    back += np.reshape(splits.train.mean, (3, 1, 1))  # type: ignore[attr-defined]
    np.testing.assert_allclose(back * 255, IMAGES, atol=1e-3)


def test_each_channel_has_mean_0_and_variance_1_in_training(tmp_path: Path) -> None:
    write_10(tmp_path, "binary")
    dark = np.concatenate([COARSE.reshape(-1, 1), IMAGES.reshape(5, -1) // 2], axis=1)
    (tmp_path / "test_batch.bin").write_bytes(dark.astype("uint8").tobytes())
    splits = data.cifar10(root=tmp_path)
    x = splits.train.batch(range(25))[0].numpy()
    np.testing.assert_allclose(x.mean((0, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 2, 3)), 1.0, atol=1e-5)
    test = splits.test.batch(range(5))[0].numpy()
    assert test.mean() < -0.5  # not fitted to itself


@pytest.mark.parametrize("version", ["binary", "python"])
@pytest.mark.parametrize(
    "labels, classes, expected", [("fine", 100, [0, 10, 20, 30, 40]), ("coarse", 20, range(5))]
)
def test_cifar_100_has_fine_and_coarse_labels(
    version: str, labels: str, classes: int, expected: Any, tmp_path: Path
) -> None:
    write_100(tmp_path, version)
    splits = data.cifar100(root=tmp_path, labels=labels)
    assert splits.classes == classes
    assert splits.train.batch(range(5))[1].tolist() == list(expected)


def test_images_take_the_form_of_a_model_and_go_through_a_loader(tmp_path: Path) -> None:
    write_10(tmp_path, "binary")
    splits = data.load("cifar10", shape=(3, 40, 40), root=tmp_path)
    assert splits.form == "32x32 padded to 40x40"
    batches = list(DataLoader(splits.train, 10, shuffle=True, seed=1))
    assert [x.shape for x, _ in batches] == [(10, 3, 40, 40)] * 2 + [(5, 3, 40, 40)]


def archive(folder: Path, name: str) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        tar.add(folder, name)
    return memory.getvalue()


def test_an_archive_in_the_cache_is_checked_and_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_10(tmp_path / "made", "binary")
    raw = archive(tmp_path / "made", "cifar-10-batches-bin")
    cache = tmp_path / "cache" / "cifar10"
    cache.mkdir(parents=True)
    (cache / "cifar-10-binary.tar.gz").write_bytes(raw)
    known = cifar.Resource(
        "cifar-10-binary.tar.gz", ("http://x.invalid/",), hashlib.sha256(raw).hexdigest()
    )
    kind = cifar.TEN._replace(archives={"cifar-10-batches-bin": known})
    monkeypatch.setattr(cifar, "TEN", kind)
    monkeypatch.setenv("ETUDE_DATA", str(tmp_path / "cache"))
    assert len(data.load("cifar10").train) == 25
    os.remove(cache / "cifar-10-binary.tar.gz")
    assert len(data.load("cifar10").test) == 5


def test_another_process_may_unpack_the_archive_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(archive: Path, folder: Path) -> Path:
        folder.mkdir(parents=True)
        write_10(folder, "binary")
        return unpack(archive, folder)

    monkeypatch.setattr(cifar, "unpack", slow)
    monkeypatch.setattr(cifar, "fetch", lambda resource, folder: folder / resource.name)
    monkeypatch.setenv("ETUDE_DATA", str(tmp_path))
    assert len(data.load("cifar10").train) == 25


WHOLE = python(labels=COARSE)
BAD_PYTHON = [
    ("code", b"cos\nsystem\n(S'exit 1'\ntR.", "os.system"),
    ("no data", pickle.dumps({b"labels": [1]}), "expected .* to hold 'data'"),
    ("a list", pickle.dumps([1, 2]), "expected .* to hold 'data'"),
    ("other labels", python(labels=COARSE[:4]), "as many 'labels'"),
    ("text", pickle.dumps({"data": IMAGES.reshape(5, -1), "labels": ["a"] * 5}), "as many"),
    ("floats", pickle.dumps({"data": IMAGES.reshape(5, -1) / 255, "labels": [1] * 5}), "uint8"),
    ("shape", pickle.dumps({"data": IMAGES, "labels": [1] * 5}), "3072"),
    ("empty set", pickle.dumps({"data": IMAGES[:0].reshape(0, 3072), "labels": []}), "as many"),
    ("cut", WHOLE[:-1000], "pickle of plain data"),
]  # fmt: skip


@pytest.mark.parametrize("name, raw, why", BAD_PYTHON, ids=[b[0] for b in BAD_PYTHON])
def test_a_bad_file_of_the_python_version(name: str, raw: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(BadFile, match=why):
        read_python(tmp_path / "x")


@pytest.mark.parametrize(
    "raw", [b"", b"x", binary(COARSE)[:-1], binary(COARSE) + b"x", binary(COARSE, FINE)]
)
def test_a_bad_file_of_the_binary_version(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(BadFile, match=rf"records of 3073 bytes.*got {len(raw)} bytes; fetch"):
        read_binary(tmp_path / "x")


def test_a_binary_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "LARGEST", 3073)
    (tmp_path / "x").write_bytes(binary(COARSE))
    with pytest.raises(BadFile, match="3073 bytes at most"):
        read_binary(tmp_path / "x")


def test_labels_that_the_set_does_not_have(tmp_path: Path) -> None:
    write_10(tmp_path, "binary")
    (tmp_path / "data_batch_2.bin").write_bytes(binary(FINE))
    with pytest.raises(BadFile, match=r"labels 0 \.\.\. 9, got 40"):
        data.cifar10(root=tmp_path)


WRONG = [
    (lambda: data.cifar10(root="no-such"), BadFile, "no test_batch.bin or test_batch in no-such"),
    (lambda: data.cifar100(labels="superfine"), ArgumentError, "'fine' or 'coarse'"),
    (lambda: read_binary("."), BadFile, "cannot read .: Is a directory"),
]


@pytest.mark.parametrize("call, kind, message", WRONG, ids=[w[2] for w in WRONG])
def test_what_is_wrong_is_said(call: Any, kind: type[EtudeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


def test_every_published_file_has_a_checksum_and_a_size() -> None:
    for kind in (cifar.TEN, cifar.HUNDRED):
        for resource in kind.archives.values():
            assert len(resource.sha256) == 64
            assert resource.size
            assert resource.urls[0] == f"https://www.cs.toronto.edu/~kriz/{resource.name}"
    sums = [sha for files in PUBLISHED.values() for sha, _ in files.values()]
    assert len(set(sums)) == 8
    assert {len(sha) for sha in sums} == {64}
