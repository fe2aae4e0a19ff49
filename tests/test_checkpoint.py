"""Checkpoints: what goes in comes out, damage is refused, and a failed write leaves the old one."""

from __future__ import annotations

import json
import os
import struct

import pytest

import etude
from etude.framework import checkpoint
from etude.framework.errors import BadFile, DTypeError

STATE = {
    "model": {"w": etude.arange(6).reshape(2, 3).float(), "empty": etude.zeros(0, 3)},
    "optimizer": {"state": {0: {"step": 3, "m": etude.ones(2)}}, "betas": (0.9, 0.999)},
    "flags": [True, None, "text", 1e-8, float("inf")],
    "scalar": etude.tensor(7),
}


def same(a, b):
    if isinstance(a, etude.Tensor):
        return a.dtype is b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_round_trip(tmp_path, backend):
    path = checkpoint.save(STATE, tmp_path / "c.safetensors")
    found = checkpoint.load(path, backend)
    assert same(STATE, found)
    assert found["scalar"].backend.name == backend


def test_what_cannot_be_stored_is_named(tmp_path):
    with pytest.raises(DTypeError, match=r"got state\.a\.1, a set"):
        checkpoint.save({"a": [1, {2}]}, tmp_path / "c")


def test_weights_are_not_a_checkpoint(tmp_path):
    etude.framework.weights.save({"w": etude.ones(2)}, tmp_path / "w")
    with pytest.raises(BadFile, match="is no checkpoint"):
        checkpoint.load(tmp_path / "w")


def test_missing_file(tmp_path):
    with pytest.raises(BadFile, match="there is no file"):
        checkpoint.load(tmp_path / "none")


def crafted(path, header: bytes, body: bytes = b""):
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return path


def meta(state: str, **tensors):
    content = f'{{"format": "{checkpoint.FORMAT}", "state": {state}}}'
    return json.dumps({"__metadata__": {"etude": content}, **tensors}).encode()


F2 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
HOSTILE = {
    "empty file": b"",
    "short length": b"\x01\x02",
    "header longer than the file": struct.pack("<Q", 2**60) + b"{}",
    "header is no JSON": struct.pack("<Q", 4) + b"{{{{",
    "header is a list": struct.pack("<Q", 2) + b"[]",
    "deep header": struct.pack("<Q", 200_000) + b"[" * 200_000,
}
HOSTILE_HEADERS = {
    "tensor beyond the file": meta("{}", a={**F2, "data_offsets": [0, 2**40]}),
    "overlapping tensors": meta("{}", a=F2, b=F2),
    "shape and bytes disagree": meta("{}", a={**F2, "shape": [3]}),
    "huge shape": meta("{}", a={**F2, "shape": [2**40, 2**40]}),
    "negative size": meta("{}", a={**F2, "shape": [-2]}),
    "nan size": meta("{}", a={**F2, "shape": [float("nan")]}),
    "unknown dtype": meta("{}", a={**F2, "dtype": "F99"}),
    "dtype that etude lacks": meta("{}", a={"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}),
    "state is no JSON": meta("{", a=F2),
    "deep state": meta("[" * 100_000 + "]" * 100_000, a=F2),
    "tensor that is not there": meta('{"x": {"__tensor__": "b"}}', a=F2),
    "pairs that are none": meta('{"__pairs__": 3}', a=F2),
    "key that cannot be one": meta('{"__pairs__": [[[1], 2]]}', a=F2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes(tmp_path, name):
    path = tmp_path / "c"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(BadFile):
        checkpoint.load(path)


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_hostile_headers(tmp_path, name):
    path = crafted(tmp_path / "c", HOSTILE_HEADERS[name], bytes(8))
    with pytest.raises(BadFile):
        checkpoint.load(path)


def test_every_truncation_is_refused(tmp_path):
    path = checkpoint.save({"w": etude.ones(3)}, tmp_path / "c")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(BadFile):
            checkpoint.load(path)


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = checkpoint.save({"n": 1}, tmp_path / "c")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadFile, match="No space left"):
        checkpoint.save({"n": 2}, path)
    monkeypatch.undo()
    assert checkpoint.load(path) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
