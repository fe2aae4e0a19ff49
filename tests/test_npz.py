"""Weights as .npz: both ways with NumPy, and hostile files refused before memory is taken."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

import etude
from etude import nn, weights
from etude.framework.errors import ArgumentError, BadFile

TENSORS = {
    "w": etude.arange(6).reshape(2, 3).float(),
    "d": etude.tensor([1.5], dtype="float64"),
    "n": etude.tensor(7),
    "flag": etude.tensor([True, False]),
    "empty": etude.zeros(0, 3),
}


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_round_trip(tmp_path, backend):
    path = weights.save(TENSORS, tmp_path / "w.npz")
    found = weights.load(path, backend)
    assert list(found) == list(TENSORS)
    for name, t in TENSORS.items():
        assert (found[name].dtype, found[name].shape) == (t.dtype, t.shape)
        assert found[name].tolist() == t.tolist()


def test_numpy_reads_ours_and_we_read_numpy_s(tmp_path):
    path = weights.save(TENSORS, tmp_path / "w.npz")
    with np.load(path) as theirs:
        assert all(np.array_equal(theirs[name], t.numpy()) for name, t in TENSORS.items())
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez_compressed(tmp_path / "c.npz", a=fortran)
    assert weights.load(tmp_path / "c.npz")["a"].tolist() == fortran.tolist()


def test_a_model_s_state(tmp_path):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    path = weights.save(model.state_dict(), tmp_path / "m.npz")
    other = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    other.load_state_dict(weights.load(path))
    assert other[0].weight.tolist() == model[0].weight.tolist()


def test_equal_tensors_give_equal_files(tmp_path):
    a, b = (weights.save(TENSORS, tmp_path / name).read_bytes() for name in ("a.npz", "b.npz"))
    assert a == b


def test_text_has_no_place(tmp_path):
    with pytest.raises(ArgumentError, match=r"use a \.safetensors file"):
        weights.save(TENSORS, tmp_path / "w.npz", {"about": "x"})


def npy(header: str, body: bytes = b"") -> bytes:
    padded = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + body


def fact(shape="(2,)", descr="'<f4'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


HOSTILE = {
    "no npy": b"hello, this is text",
    "nothing": b"",
    "shape larger than the data": npy(fact("(2**40,)"), bytes(8)),
    "huge shape": npy(fact("(1099511627776, 1099511627776)"), bytes(8)),
    "negative shape": npy(fact("(-2,)"), bytes(8)),
    "nan shape": npy(fact("(nan,)"), bytes(8)),
    "short data": npy(fact("(3,)"), bytes(8)),
    "long data": npy(fact("(1,)"), bytes(8)),
    "pickled objects": npy(fact("(1,)", "'|O'"), bytes(8)),
    "complex numbers": npy(fact("(1,)", "'<c8'"), bytes(8)),
    "code in the header": npy("__import__('os').getcwd()"),
    "deep header": npy("(" * 5000),
    "future version": b"\x93NUMPY\x09\x00" + bytes(20),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_members(tmp_path, name):
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", HOSTILE[name])
    with pytest.raises(BadFile):
        weights.load(path)


def test_hostile_archives(tmp_path):
    path = tmp_path / "w.npz"
    with pytest.raises(BadFile, match="there is no file"):
        weights.load(path)
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadFile):
        weights.load(path)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.npy", npy(fact(), bytes(8)))
    for size in range(0, len(whole.getvalue()), 7):
        path.write_bytes(whole.getvalue()[:size])
        with pytest.raises(BadFile):
            weights.load(path)


def test_a_member_that_claims_to_be_huge(tmp_path):
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(fact(), bytes(8)))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")  # the central directory, whose sizes are the claim
    raw[at + 24 : at + 28] = struct.pack("<I", 2**31)
    path.write_bytes(raw)
    with pytest.raises(BadFile, match="claim to hold"):
        weights.load(path)
