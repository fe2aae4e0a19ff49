"""Every function on torch's own sample inputs: values, dtypes and gradients must be torch's.

The samples are those that torch tests itself with (op_db). What is left out stands in the tables
below with the reason; each function must have run on at least one sample.
"""

from __future__ import annotations

import importlib
import random
import sys
import types
import unittest
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import islice
from typing import Any

import numpy as np
import pytest

import etude
from etude import functional as F

pytestmark = pytest.mark.no_cover  # other tests reach the same lines, and tracing doubles the time

torch = pytest.importorskip("torch")

SAMPLES = {"numpy": 5}  # per function and dtype; on other backends, which may be slow:
FEW = 2
DRAWN = 48  # of an operation's samples, from which these are spread
LARGE = 3000  # elements, too many for the slow ones
DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool)
NAMES = {torch.float64: "float64", torch.float32: "float32", torch.int64: "int64"}
NAMES |= {torch.int32: "int32", torch.bool: "bool"}
TOLERANCE = {"float64": 1e-7, "float32": 1e-4}  # torch's own float64 results differ by that much

# Torch's names where they have a prefix, and the order of arguments where the samples turn it.
PREFIXES = ("nn.functional.", "special.")
RENAMED = {"linalg.vector_norm": "linalg_vector_norm", "linalg.vecdot": "linalg_vecdot"}
RENAMED |= {"unfold": "Tensor.unfold"}
TURNED: dict[str, Callable[..., Any]] = {
    "where": lambda x, condition, *rest: (condition, x, *rest),
    "embedding": lambda weight, indices, *rest: (indices, weight, *rest),
    "einsum": lambda operands, equation: (equation, *operands),
}

RANDOM = "its result is random"
BOOLS = "refuses bool, whose arithmetic is more often a mistake than wanted"
WHOLE = "refuses whole numbers, which most often are labels"
TIES = "which of equal elements is named is not specified"
FACTORS = "a fractional factor of whole numbers gives floats; torch cuts the factor off"

# Functions without a comparison.
UNCOMPARED = {
    **dict.fromkeys(("alpha_dropout", "bernoulli", "dropout", "dropout1d", "dropout2d"), RANDOM),
    **dict.fromkeys(("dropout3d", "feature_alpha_dropout", "multinomial", "normal"), RANDOM),
    **dict.fromkeys(("rand_like", "randint", "randint_like", "randn", "randn_like"), RANDOM),
    "triplet_margin_with_distance_loss": "the samples' distance is a torch module",
}


def of(*dtypes: Any) -> Callable[[Any, Any], bool]:
    return lambda sample, dtype: dtype in dtypes


def given(**arguments: Any) -> Callable[[Any, Any], bool]:
    """Samples with one of these keyword arguments, of this value unless it is ...."""
    return lambda sample, dtype: any(
        k in sample.kwargs and (v is ... or sample.kwargs[k] == v) for k, v in arguments.items()
    )


def shaped(*shape: int) -> Callable[[Any, Any], bool]:
    return lambda sample, dtype: tuple(getattr(sample.input, "shape", (None,))) == shape


def argument(value: Any) -> Callable[[Any, Any], bool]:
    return lambda sample, dtype: any(type(a) is type(value) and a == value for a in sample.args)


# Samples that are left out: (functions, which, why).
SKIPPED: list[tuple[str, Callable[[Any, Any], bool], str]] = [
    ("sign sgn masked_fill addr", of(torch.bool), BOOLS),
    ("argsort sort msort", of(torch.bool), TIES),
    ("kthvalue topk median nanmedian mode", of(torch.int64), TIES),
    (
        "avg_pool1d avg_pool2d avg_pool3d local_response_norm hardtanh relu6",
        of(torch.int64, torch.bool),
        WHOLE,
    ),
    ("margin_ranking_loss softsign tanhshrink threshold", of(torch.int64, torch.bool), WHOLE),
    (
        "triplet_margin_loss cosine_embedding_loss poisson_nll_loss",
        of(torch.int64, torch.bool),
        WHOLE,
    ),
    ("pairwise_distance cosine_similarity", of(torch.int64, torch.bool), WHOLE),
    ("addmm addmv addbmm baddbmm", of(torch.int64), FACTORS),
    ("embedding", given(max_norm=..., sparse=..., scale_grad_by_freq=...), "options not offered"),
    ("norm", argument("nuc"), "the nuclear norm needs a singular value decomposition"),
    ("batch_norm", shaped(0), "expects (N, C, ...)"),
    ("multi_margin_loss multilabel_margin_loss", shaped(), "expects (N, C) or (C,)"),
    ("rrelu", given(training=True), RANDOM),
    ("scaled_dot_product_attention", given(dropout_p=0.5), RANDOM),
]
# Where the values agree and the gradients do not.
VALUES_ONLY = {
    "max_unpool1d": "where positions repeat the last one gets the gradient; torch gives it to all",
    "max_unpool2d": "as max_unpool1d",
    "max_unpool3d": "as max_unpool1d",
}


class Foreign(Exception):
    """A sample holds what etude has not: complex or half numbers, sparse or quantized layouts."""


@cache
def catalogue() -> dict[str, list[Any]]:
    """op_db by the names that etude's functions have."""
    stub = types.ModuleType("expecttest")  # the base class of torch's own tests, unused here
    stub.TestCase = unittest.TestCase  # type: ignore[attr-defined]
    sys.modules.setdefault("expecttest", stub)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        methods = importlib.import_module("torch.testing._internal.common_methods_invocations")
        common = importlib.import_module("torch.testing._internal.common_utils")
        core = importlib.import_module("torch.testing._internal.opinfo.core")
    # Before each sample they look through the whole stack for the test of torch's that asks, and
    # note where a device that is not there was given its seed: two thirds of the time.
    common.extract_test_fn = core.extract_test_fn = lambda: None
    common.set_rng_seed = seed_all
    found: dict[str, list[Any]] = {}
    for op in methods.op_db:
        name = RENAMED.get(op.name, op.name)
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        found.setdefault(name, []).append(op)
    return found


def seed_all(seed: int) -> None:
    """Torch's `set_rng_seed`, on the CPU alone."""
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def public_functions() -> list[str]:
    functions = [n for n, f in vars(F).items() if isinstance(f, types.FunctionType)]
    return [n for n in sorted(functions) if n.islower() and not n.startswith("_")]


def function(name: str) -> Callable[..., Any]:
    return etude.Tensor.unfold if name == "Tensor.unfold" else getattr(F, name)


# from torch to etude ------------------------------------------------------------------------------
def converted(x: Any, backend: str, pairs: list[tuple[Any, Any]]) -> Any:
    """An argument in etude's terms; tensors that require a gradient are noted in `pairs`."""
    if isinstance(x, torch.Tensor):
        if x.layout is not torch.strided or x.dtype not in NAMES:
            raise Foreign
        y = etude.tensor(x.detach().numpy(), backend=backend, requires_grad=x.requires_grad)
        if x.requires_grad:
            pairs.append((x, y))
        return y
    if isinstance(x, torch.dtype) and x in NAMES:
        return NAMES[x]
    if isinstance(x, (torch.dtype, torch.layout, torch.memory_format, complex)):
        raise Foreign
    if isinstance(x, (list, tuple)):
        parts = [converted(v, backend, pairs) for v in x]
        return parts if isinstance(x, list) else tuple(parts)
    if isinstance(x, dict):
        items = {k: v for k, v in x.items() if k != "device"}
        return {k: converted(v, backend, pairs) for k, v in items.items()}
    return x


def flat(x: Any) -> list[Any]:
    return [z for v in x for z in flat(v)] if isinstance(x, (list, tuple)) else [x]


@lru_cache(maxsize=16)  # the backends take the same ones, one after the other
def drawn(name: str, number: int, dtype: Any) -> list[Any]:
    """Samples of one of the operations with a name."""
    op = catalogue()[name][number]
    if dtype not in op.dtypes:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wants_grad = dtype is torch.float64 and op.supports_autograd
        return list(islice(op.sample_inputs("cpu", dtype, requires_grad=wants_grad), DRAWN))


def samples(name: str, number: int, dtype: Any, count: int, small: bool) -> list[Any]:
    """At most `count` of an operation's samples, spread over all of them."""
    every = [
        s
        for s in drawn(name, number, dtype)
        if not any(name in names.split() and matches(s, dtype) for names, matches, _ in SKIPPED)
    ]
    if small:
        every = [s for s in every if elements((s.input, s.args, s.kwargs)) < LARGE]
    return every[:: max(1, -(-len(every) // count))]


def elements(x: Any) -> int:
    if isinstance(x, dict):
        return elements(list(x.values()))
    if isinstance(x, (list, tuple)):
        return sum(map(elements, x))
    return x.numel() if isinstance(x, torch.Tensor) else 0


# comparing ----------------------------------------------------------------------------------------
def agree(got: Any, expected: Any, what: str) -> None:
    tolerance = TOLERANCE.get(str(got.dtype), 0.0)
    torch.testing.assert_close(
        torch.from_numpy(np.array(got.detach().numpy())),
        expected.detach(),
        rtol=tolerance,
        atol=tolerance,
        equal_nan=True,
        msg=lambda text: f"{what}: {text}",
    )


def check_sample(name: str, op: Any, sample: Any, backend: str) -> None:
    pairs: list[tuple[Any, Any]] = []
    args = converted((sample.input, *sample.args), backend, pairs)
    kwargs = converted(sample.kwargs, backend, pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = flat(op.op(sample.input, *sample.args, **sample.kwargs))
    with etude.use_backend(backend):
        args = TURNED[name](*args) if name in TURNED else args
        got = flat(function(name)(*args, **kwargs))
    assert len(got) == len(expected)
    for y, r in zip(got, expected):
        if not isinstance(r, torch.Tensor):
            assert y == r
            continue
        assert NAMES.get(r.dtype) == y.dtype
        agree(y, r, "value")
    if name not in VALUES_ONLY:
        check_gradients(pairs, [(r, y) for r, y in zip(expected, got) if may_differ(r)])


def may_differ(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.requires_grad


def check_gradients(pairs: list[Any], results: list[Any]) -> None:
    """Gradients of a weighted sum of the results, for all inputs that require one."""
    if not results or not pairs:
        return
    weights = [
        torch.sin(1 + torch.arange(r.numel(), dtype=r.dtype)).reshape(r.shape) for r, _ in results
    ]
    expected = torch.autograd.grad(
        [r for r, _ in results], [x for x, _ in pairs], weights, allow_unused=True
    )
    ours = [(y, w) for (_, y), w in zip(results, weights) if y.requires_grad]
    got: Any = [None] * len(pairs)
    if ours:
        seeds = [etude.tensor(w.numpy(), backend=y.backend) for y, w in ours]
        inputs = [x for _, x in pairs]
        got = etude.grad([y for y, _ in ours], inputs, seeds, allow_unused=True)
    for k, ((x, y), g, r) in enumerate(zip(pairs, got, expected)):
        if g is not None or r is not None:
            agree(
                etude.zeros_like(y) if g is None else g,
                torch.zeros_like(x) if r is None else r,
                f"gradient of input {k}",
            )


# the tests ----------------------------------------------------------------------------------------
BACKENDS = [name for name, why in etude.backends.available().items() if why is None]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [*public_functions(), "Tensor.unfold"])
def test_samples(name: str, backend: str) -> None:
    if name in UNCOMPARED:
        pytest.skip(UNCOMPARED[name])
    operations = catalogue().get(name, [])
    if not operations:
        pytest.skip("torch has no samples of it")
    ran = 0
    for number, op in enumerate(operations):
        for dtype in DTYPES if backend == "numpy" else DTYPES[:1]:
            count = SAMPLES.get(backend, FEW)
            for sample in samples(name, number, dtype, count, backend != "numpy"):
                try:
                    check_sample(name, op, sample, backend)
                except Foreign:
                    continue
                except Exception as error:
                    error.add_note(f"{name} {op.variant_test_name} {dtype}: {sample.summary()}")
                    raise
                ran += 1
    assert ran or backend != "numpy", "no sample was left"


def test_the_samples_cover_the_vocabulary() -> None:
    covered = {n for n in public_functions() if n in catalogue() and n not in UNCOMPARED}
    assert len(covered) > 320
    named = {n for names, _, _ in SKIPPED for n in names.split()} | {*UNCOMPARED, *VALUES_ONLY}
    assert named <= {*public_functions(), "mode"}
