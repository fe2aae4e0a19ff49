"""Which build of the C kernels is used, and why there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import etude

REASON = etude.backends.available()["c"]
CODE = "import etude; print(etude.backends.get('c').isa)"


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def module(*runs: str) -> Any:
    """A build whose processor runs these instruction sets."""
    return SimpleNamespace(lib=SimpleNamespace(cpu_runs=lambda isa: isa.decode() in runs))


def choose(modules: dict[str, Any], wanted: str | None = None) -> str:
    from etude.backends.c_library import choose

    return choose(modules, wanted)[0]


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_the_environment_forces_one() -> None:
    from etude.backends.c_library import built

    for isa, found in built().items():
        done = python(CODE, ETUDE_ISA=isa)
        if found.lib.cpu_runs(isa.encode()):
            assert done.stdout == f"{isa}\n"
        else:
            assert f"ETUDE_ISA={isa}: expected one of" in done.stderr


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_the_best_that_runs_is_taken() -> None:
    both = {"avx512": module("avx2", "baseline"), "avx2": module("avx2", "baseline")}
    assert choose(both) == "avx2"
    assert choose({"avx512": module("avx512"), "avx2": module("avx512", "avx2")}) == "avx512"
    with pytest.raises(ImportError, match="ETUDE_ISA=sse9: expected one of avx2"):
        choose(both, "sse9")
    with pytest.raises(ImportError, match="runs none of the builds: avx512"):
        choose({"avx512": module()})
    with pytest.raises(ImportError, match="not built; install a C compiler"):
        choose({})


def test_without_a_build_everything_else_works() -> None:
    code = """
import sys
for isa in ("baseline", "avx2", "avx512", "neon"):
    sys.modules["etude.kernels.c._" + isa] = None
import etude
print(etude.ones(2).sum().item(), etude.backends.available()["c"])
etude.zeros(1, backend="c")
"""
    done = python(code)
    assert "2.0 [backend] 'c' is not available here: the C kernels were not built" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("--no-deps")


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_kernels_are_grouped_by_type() -> None:
    from etude.backends.c_library import KERNELS, kernels, lib

    assert set(KERNELS.matmul) == {"float32", "float64", "int32", "int64", "bool"}
    assert set(KERNELS.conv) == {"float32", "float64"}
    assert KERNELS.gather is lib.gather
    named = kernels(lib, lambda name, function: name)
    assert (named.conv["float64"], named.gather) == ("conv_f64", "gather")
