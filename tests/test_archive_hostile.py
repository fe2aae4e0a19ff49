"""Hostile program files: refused with a clear error, before anything is computed or allocated."""

from __future__ import annotations

import json
import struct

import pytest

import etude
from etude.framework.compile import archive
from etude.framework.compile.archive import load_program
from etude.framework.errors import BadFile


def crafted(path, header, body=b""):
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return path


F2 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
GOOD = {
    "format": archive.FORMAT,
    "version": archive.VERSION,
    "inputs": [[0, "float32", [2]]],
    "weights": [[1, "w"]],
    "constants": [],
    "program": [["binary", ["mul", {"value": 0}, {"value": 1}], [2], "Net"]],
    "outputs": [2],
    "result": {"output": 0},
}


def file_of(path, content, tensors=None):
    text = content if isinstance(content, str) else json.dumps(content)
    header = {"__metadata__": {"etude": text}, **({"w": F2} if tensors is None else tensors)}
    return crafted(path, json.dumps(header).encode(), struct.pack("<2f", 2.0, 3.0))


def line(method, *arguments, outputs=(2,), scope=""):
    return {"program": [[method, list(arguments), list(outputs), scope]]}


X, W = {"value": 0}, {"value": 1}
MUL = {
    "inputs": ["float32"],
    "steps": [["binary", "mul", [{"register": 0}, {"register": 0}], "float32"]],
    "results": [1],
    "reduce": None,
}
DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE = {
    "newer version": ({"version": 2}, r"version 1 ... 1, got 2 .* update etude"),
    "version is text": ({"version": "1"}, "version 1"),
    "version is true": ({"version": True}, "version 1"),
    "checkpoint": ({"format": "etude checkpoint 1"}, "holds weights but no program"),
    "no inputs": ({"inputs": None}, "damaged"),
    "input of unknown dtype": ({"inputs": [[0, "float8", [2]]]}, "dtype of an input"),
    "input of a list as dtype": ({"inputs": [[0, ["float32"], [2]]]}, "damaged"),
    "input of negative size": ({"inputs": [[0, "float32", [-2]]]}, "whole number"),
    "input of half a size": ({"inputs": [[0, "float32", [1.5]]]}, "whole number"),
    "input of true": ({"inputs": [[0, "float32", [True]]]}, "whole number"),
    "huge input": ({"inputs": [[0, "float32", [2**40, 2**40]]]}, "fits into memory"),
    "large input": ({"inputs": [[0, "float32", [2, 2**44]]]}, "do not broadcast|bytes at once"),
    "number of 5000 digits": ('{"format": ' + "1" * 5000 + "}", "damaged"),
    "value made twice": ({"inputs": [[1, "float32", [2]]]}, "%1 twice"),
    "weight that is not there": ({"weights": [[1, "v"]]}, "damaged"),
    "weight of two names": ({"weights": [[1, "w", "w"]]}, "damaged"),
    "unknown method": (line("mull", X, W), "instruction 0 'mull': there is no such method"),
    "method is a list": (line(["binary"], X, W), "a method and a scope"),
    "private method": (line("_copy", X, W), "no such method"),
    "attribute": (line("__class__", X, W), "no such method"),
    "random method": (line("uniform", 0, 0, [2], "float32"), "draws random numbers"),
    "in place": (line("assign", X, W), "changes memory in place"),
    "from host": (line("from_host", "abc", [2], "float32"), "no computation"),
    "unknown function": (line("unary", "system", X), "no such function"),
    "value before it is made": (line("binary", "mul", X, {"value": 2}), "exists by then"),
    "value is text": (line("binary", "mul", X, {"value": "0"}), "exists by then"),
    "value is true": (line("binary", "mul", X, {"value": True}), "exists by then"),
    "value is a list": (line("binary", "mul", X, {"value": [0]}), "exists by then"),
    "argument of two kinds": (line("binary", "mul", X, {"value": 0, "number": 1}), "expression"),
    "no arguments": (line("binary"), "2 to 3 arguments|3 to 3 arguments"),
    "arguments are text": ({"program": [["binary", "mul", [2], ""]]}, "a list of arguments"),
    "a line too short": ({"program": [["binary"]]}, "damaged"),
    "a line that is a number": ({"program": [7]}, "damaged"),
    "too many results": (line("unary", "exp", X, outputs=(2, 3)), "1 results, got 2"),
    "no results": (line("unary", "exp", X, outputs=()), "1 results, got 0"),
    "read beyond the end": (line("strided", X, [3], [1], 0), "positions 0 ... 1, got 0 ... 2"),
    "read before the start": (line("strided", X, [2], [1], -1), "positions"),
    "read far away": (line("strided", X, [2], [1], 2**62 - 9), "positions"),
    "read very far away": (line("strided", X, [2], [1], 2**64), "offset as int"),
    "reshaped to more": (line("reshape", X, [2**30]), "a shape for 2 elements"),
    "a result of all memory": (line("expand", X, [2**43, 2]), "bytes at once, and this machine"),
    "a result beyond memory": (line("expand", X, [2**46, 2]), "fits into memory"),
    "an axis too far": (line("softmax", X, 1), "an axis"),
    "other registers": (line("fused", {**MUL, "results": [9]}, [X], [2]), "expected results"),
    "expression of text": (line("fused", {**MUL, "steps": "abc"}, [X], [2]), "a list"),
    "expression of true": (line("fused", {**MUL, "results": [True]}, [X], [2]), "whole number"),
    "expression of lists": (
        line("fused", {**MUL, "steps": [["binary", ["mul"], [], "float32"]]}, [X], [2]),
        "expected text",
    ),
    "number that is none": (line("binary", "mul", X, {"number": "1e999"}), "one of nan"),
    "result that is not there": ({"result": {"output": 1}}, "an output below 1"),
    "result of a value": ({"outputs": [5]}, "exists by then"),
    "result of two kinds": ({"result": {"output": 0, "tuple": []}}, "an output, a tuple"),
    "result of an unknown kind": ({"result": {"set": []}}, "an output, a tuple"),
    "result that is deep": (json.dumps(GOOD).replace('{"output": 0}', DEEP), "damaged"),
    "arguments that are deep": (json.dumps(GOOD).replace('"mul"', DEEP), "damaged"),
    "not JSON": ("{", "damaged"),
    "a list": ("[]", "no program"),
    "nothing": ("{}", "no program"),
}


def test_the_good_file_is_good(tmp_path):
    program = load_program(file_of(tmp_path / "p", GOOD), "numpy")
    assert program(etude.tensor([5.0, 7.0], backend="numpy")).tolist() == [10.0, 21.0]
    fused = load_program(file_of(tmp_path / "q", {**GOOD, **line("fused", MUL, [X], [2])}), "numpy")
    assert fused(etude.tensor([5.0, 7.0], backend="numpy")).tolist() == [25.0, 49.0]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name):
    change, message = HOSTILE[name]
    content = change if isinstance(change, str) else {**GOOD, **change}
    with pytest.raises(BadFile, match=message) as caught:
        load_program(file_of(tmp_path / "p", content))
    assert len(str(caught.value)) < 1000


def test_long_chains_are_no_trouble(tmp_path):
    chain = [["unary", ["neg", {"value": n or 0}], [n + 2], ""] for n in range(0, 40_000, 2)]
    body = {**GOOD, "program": chain, "outputs": [40_000]}
    program = load_program(file_of(tmp_path / "p", body), "numpy")
    assert program(etude.tensor([5.0, 7.0], backend="numpy")).tolist() == [5.0, 7.0]


def test_a_weight_of_another_shape_is_found(tmp_path):
    tensors = {"w": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}
    with pytest.raises(BadFile, match="buffers of one dtype"):
        load_program(file_of(tmp_path / "p", GOOD, tensors))


def test_files_that_are_no_programs(tmp_path):
    etude.weights.save({"w": etude.ones(2)}, tmp_path / "w")
    with pytest.raises(BadFile, match="holds weights but no program"):
        load_program(tmp_path / "w")
    with pytest.raises(BadFile, match="there is no file"):
        load_program(tmp_path / "none")


def test_every_truncation_is_refused(tmp_path):
    whole = file_of(tmp_path / "p", GOOD).read_bytes()
    for size in range(len(whole)):
        (tmp_path / "p").write_bytes(whole[:size])
        with pytest.raises(BadFile):
            load_program(tmp_path / "p")
