"""Whether each op is right on each backend, and by how much it errs, from the tests' case table.

The table is tests/cases*.py, which only a clone of the repository has. Values are those of float32
inputs (the first dtype of a case that has no float32), compared with the case's oracle in float64
or torch; gradients are compared with those of the numpy backend in float64, which the tests hold to
finite differences.
"""

from __future__ import annotations

import sys
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import etude

NO_TABLE = "the case table is in tests/ of a clone of the repository; run this there"


@dataclass
class Finding:
    """One op on one backend. gradient None: it has none. error: of the largest value, or of 1."""

    forward: bool = True
    gradient: bool | None = None
    error: float = 0.0
    cases: int = 0
    problem: str = ""


Findings = dict[str, dict[str, Finding]]


def table() -> tuple[list[Any], Any]:
    """All cases and the module with the checks' helpers. Raises FileNotFoundError elsewhere."""
    folder = Path(str(etude.__file__)).parent / "tests"
    if not (folder / "cases.py").is_file():
        raise FileNotFoundError(NO_TABLE)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return import_module("cases").CASES, import_module("conformance")


def fresh(case: Any, seed: int) -> Any:
    """The case with other random inputs, which nobody has seen before."""
    other = replace(case)
    draw = [seed, zlib.crc32(case.name.encode())]
    object.__setattr__(other, "rng", lambda: np.random.default_rng(draw))
    return other


def values(y: Any) -> Any:
    """A tensor of any backend as an array."""
    return y.detach().to("numpy").numpy()


def findings(
    backends: Sequence[str],
    say: Callable[[str], None],
    part: slice = slice(None),
    seed: int | None = None,
    late: Callable[[], bool] = lambda: False,
) -> Findings:
    """For each op, by its public name, what is found on each backend.

    With a seed the inputs are other ones than the tests'. Where `late()` is true the rest of the
    cases is left out.
    """
    cases, tools = table()
    found: Findings = {}
    for case in cases[part]:
        if late():
            break
        say(f"checking {case.name}")
        case = case if seed is None else fresh(case, seed)
        of_op = found.setdefault(case.subject, {name: Finding() for name in backends})
        for name in backends:
            _look(case, name, of_op[name], tools)
    return found


def _look(case: Any, backend: str, finding: Finding, tools: Any) -> None:
    dtype = "float32" if "float32" in case.dtypes else case.dtypes[0]
    finding.cases += 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = _expected(case, dtype, tools)
            got = [values(y) for y in tools.run(case, case.arrays(dtype), backend)]
            finding.forward &= _agree(got, expected, case, finding)
    except Exception as error:  # what fails is a finding
        finding.forward = False
        finding.problem = finding.problem or f"{case.name}: {type(error).__name__}: {error}"
    if dtype == "float32" and tools.has_gradient(case) and not case.random:
        try:
            expected = _gradients(case, "numpy", "float64", tools)
            right = _agree(
                _gradients(case, backend, "float32", tools), expected, case, finding, 10.0
            )
        except Exception as error:
            right = False
            finding.problem = finding.problem or f"{case.name}: {type(error).__name__}: {error}"
        finding.gradient = right and finding.gradient is not False


def _expected(case: Any, dtype: str, tools: Any) -> list[Any]:
    """By the oracle, or torch, or the numpy backend where neither can say."""
    if case.oracle is None and (case.torch is None or tools.torch_module() is None):
        return [values(y) for y in tools.run(case, case.arrays(dtype), "numpy")]
    return [np.asarray(y) for y in tools.expected_values(case, dtype)]


def _gradients(case: Any, backend: str, dtype: str, tools: Any) -> list[Any]:
    """For all inputs that have one, of the sum of the results times fixed numbers."""
    arrays = case.arrays("float32")
    inputs = tools.tensors(
        case, tools.wide(arrays) if dtype == "float64" else arrays, backend, True
    )
    with etude.use_backend(backend):
        results = [y for y in tools.outputs(tools.call(case, inputs)) if y.requires_grad]
        for y in results:
            seed = np.random.default_rng(0).uniform(0.5, 1.5, y.shape).astype(np.float32)
            y.backward(etude.tensor(seed.astype(str(y.dtype))), retain_graph=True)
    wanted = [x for x in tools.leaves(inputs, etude.Tensor) if x.requires_grad]
    return [np.zeros(x.shape) if x.grad is None else values(x.grad) for x in wanted]


def _agree(
    got: list[Any], expected: list[Any], case: Any, finding: Finding, more: float = 1.0
) -> bool:
    """Whether all are within the tests' tolerance; the largest error is noted."""
    right = len(got) == len(expected)
    for y, r in zip(got, expected):
        relative, absolute = import_module("case").TOLERANCE[str(y.dtype)]
        r = r.astype(y.dtype) if y.dtype.kind == "f" else r
        loose = more * case.loose
        good = y.shape == r.shape and np.allclose(
            y, r, relative * loose, absolute * loose * max(1.0, _largest(r) if more > 1 else 1.0),
            equal_nan=True,
        )  # fmt: skip
        if y.shape == r.shape and y.dtype.kind == "f" and y.size:
            finite = np.isfinite(r) & np.isfinite(y)
            error = np.max(np.abs(np.where(finite, y - r, 0.0)))
            scale = max(_largest(r), 1.0 if more > 1 else 1e-3)
            finding.error = max(finding.error, float(error) / scale)
        if not good:
            right = False
            finding.problem = finding.problem or f"{case.name}: beyond the tolerance"
    return right


def _largest(r: Any) -> float:
    finite = np.abs(r[np.isfinite(r)]) if r.dtype.kind == "f" else np.abs(r)
    return float(finite.max()) if finite.size else 0.0
