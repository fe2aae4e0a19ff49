"""Checkpoints: any nest of tensors, numbers and text, in one safetensors file.

Tensors are stored as such; the rest is JSON in the file's header, with names for the
tensors. The file is written beside its place, synced, and renamed: whatever happens, the old
checkpoint or the new one is there, whole. Nothing in it can run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import weights
from .errors import BadFile, DTypeError, fail
from .guard import came
from .tensor import Tensor

FORMAT = "etude checkpoint 1"
TENSOR, PAIRS, TUPLE = "__tensor__", "__pairs__", "__tuple__"


def save(state: Any, path: str | Path) -> Path:
    """Write a nest of dicts, lists, tuples, Tensors, numbers, text and None. Returns the path.

    Raises BadFile if it cannot be written (the old file is then untouched), DTypeError for a value
    of another kind.
    """
    tensors: dict[str, Tensor] = {}
    plain = _pack(state, tensors, "state")
    # One entry, because several are written in any order, and equal states give equal files.
    facts = {"etude": json.dumps({"format": FORMAT, "state": plain})}
    return weights.save(tensors, path, facts)


def load(path: str | Path, backend: Any = None) -> Any:
    """What `save` was given, with its tensors on the default backend or another.

    Raises BadFile if the file is missing, damaged, or not a checkpoint.
    """
    facts = weights.load_metadata(path)
    try:
        content = json.loads(facts.get("etude", "{}"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise fail(
                BadFile,
                "checkpoint.load",
                f"{path} holds weights but is no checkpoint of the format {FORMAT!r}; use "
                "etude.weights.load for weights",
            )
        return _unpack(content["state"], weights.load(path, backend))
    except BadFile:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise fail(
            BadFile,
            "checkpoint.load",
            f"{path} is damaged: its description does not fit its tensors ({error!r}); use an "
            "earlier checkpoint",
        ) from None


def _pack(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """Plain JSON data for a value; its tensors go into `tensors` under their paths."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {TENSOR: name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        if all(isinstance(k, str) and not k.startswith("__") for k in value):
            return {k: _pack(v, tensors, f"{name}.{k}") for k, v in value.items()}
        return {PAIRS: [[k, _pack(v, tensors, f"{name}.{k}")] for k, v in value.items()]}
    if isinstance(value, (tuple, list)):
        parts = [_pack(v, tensors, f"{name}.{i}") for i, v in enumerate(value)]
        return {TUPLE: parts} if isinstance(value, tuple) else parts
    raise fail(
        DTypeError,
        "checkpoint.save",
        f"expected Tensors, numbers, text, None, and dicts, lists and tuples of them, got "
        f"{name}, {came(value)}; convert it to one of them",
    )


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The opposite of `_pack`."""
    if isinstance(value, list):
        return [_unpack(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    if TENSOR in value:
        return tensors[value[TENSOR]]
    if PAIRS in value:
        return {k: _unpack(v, tensors) for k, v in value[PAIRS]}
    if TUPLE in value:
        return tuple(_unpack(v, tensors) for v in value[TUPLE])
    return {k: _unpack(v, tensors) for k, v in value.items()}
