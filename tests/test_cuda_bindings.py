"""The CUDA backend over the real cuda.bindings and cuda.core, and a driver made up in C."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from etude.kernels.cuda import compiler, toolchain

HERE = Path(__file__).parent
COMPILER = shutil.which("gcc")
WHY = compiler.missing() or toolchain.simulator_missing()


@pytest.mark.skipif(WHY is not None, reason=str(WHY))
@pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="it needs gcc on Linux")
def test_a_training_step_goes_through_the_bindings(tmp_path: Path) -> None:
    library = tmp_path / "libcuda.so.1"
    build = ["-shared", "-fPIC", "-Wall", "-Wl,-soname,libcuda.so.1", "-o", str(library)]
    subprocess.run([COMPILER, *build, str(HERE / "cuda_stub.c")], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ETUDE_", "CUDA_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "cuda_on_stub.py"), str(library)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    refused, memory, counts = done.stdout.splitlines()
    assert refused.startswith("[cuda] the launch of probe on (1, 2, 1) x (256, 1, 1) failed: CUDA_")
    assert memory.startswith("[cuda] out of memory on Stub: asked for 4.0 GiB for (1048576, 1024)")
    kernels, launches = map(int, re.findall(r"\d+", counts))
    assert launches > kernels > 5
