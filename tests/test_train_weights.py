"""Weights on disk: safetensors files, written whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import etude
from etude.framework import weights
from etude.framework.errors import BadFile, MissingLibrary
from etude.framework.files import make_folder, write_atomic

safetensors = pytest.importorskip("safetensors")

TENSORS = {
    "a.weight": etude.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
    "b": etude.tensor([True, False]),
    "c": etude.tensor(3),
    "empty": etude.zeros(0, 3),
    "d": etude.tensor([0.1], dtype="float64", backend="python"),
}


def test_tensors_and_text_come_back(tmp_path: Path) -> None:
    path = weights.save(TENSORS, tmp_path / "w.safetensors", {"model": "lenet5"})
    loaded = weights.load(path)
    assert loaded.keys() == TENSORS.keys()
    for name, t in TENSORS.items():
        assert (loaded[name].shape, loaded[name].dtype) == (t.shape, t.dtype)
        assert loaded[name].tolist() == t.tolist()
    assert weights.load_metadata(path) == {"model": "lenet5"}
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_tensors_load_onto_a_backend(tmp_path: Path) -> None:
    path = weights.save(TENSORS, tmp_path / "w.safetensors")
    assert weights.load(path, backend="python")["c"].backend.name == "python"


def test_torch_reads_what_etude_wrote(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from safetensors.torch import load_file

    loaded = load_file(weights.save(TENSORS, tmp_path / "w.safetensors"))
    assert loaded["a.weight"].tolist() == TENSORS["a.weight"].tolist()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = weights.save(TENSORS, tmp_path / "w.safetensors").read_bytes()
    path = tmp_path / "bad.safetensors"
    for raw in (b"", b"abc", whole[:20], whole[:-1], whole + b"x", b"\xff" * 100):
        path.write_bytes(raw)
        with pytest.raises(BadFile, match="not a whole safetensors file"):
            weights.load(path)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="there is no file"):
        weights.load(tmp_path / "w.safetensors")
    with pytest.raises(BadFile, match="not a whole safetensors file"):
        weights.load(tmp_path)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomic(tmp_path / "x.json", "old", "test")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BadFile, match=r"cannot write .*x\.json: No space left on device"):
        write_atomic(path, "new", "test")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadFile, match=r"\[train\] cannot write .*file/runs: Not a directory"):
        make_folder(tmp_path / "file" / "runs", "train")
    with pytest.raises(BadFile, match="choose another place"):
        weights.save(TENSORS, tmp_path / "file" / "w.safetensors")
    assert make_folder(tmp_path / "a" / "b", "train").is_dir()


def test_without_safetensors_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(MissingLibrary, match=r"pip install 'etude\[io\]'"):
        weights.load(tmp_path / "w.safetensors")
    with pytest.raises(MissingLibrary, match=r"pip install 'etude\[io\]'"):
        weights.save(TENSORS, tmp_path / "w.safetensors")
