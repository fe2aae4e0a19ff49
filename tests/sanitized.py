"""A pytest plugin: run the tests on C kernels that were built with sanitizers.

    python tests/sanitized.py PYTEST-ARGUMENTS

builds the kernels for this processor's best instruction set with AddressSanitizer and
UndefinedBehaviorSanitizer in build/sanitized, then runs pytest with this file as a plugin (`-p
sanitized`), which puts that build in the place of the ordinary ones. Python itself is not built
with AddressSanitizer, so its library has to be loaded before everything else. Without arguments it
only builds.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "sanitized"
PACKAGE = "etude.kernels.c"
ISAS = ("avx512", "avx2", "neon", "baseline")
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1"
FLAGS += " -fno-sanitize=null,object-size"  # AddressSanitizer sees both; a fifth of the compilation
FLAGS += " -fira-region=one"  # registers given out in a simpler way: another fifth


def best() -> str:
    """The instruction set that an ordinary build would use."""
    code = "import etude; print(etude.backends.get('c').isa)"
    return subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).strip()


def build(isa: str) -> None:
    """Build one instruction set's extension below PLACE."""
    flags = {"ETUDE_BUILD": isa, "ETUDE_CFLAGS": FLAGS, "LDFLAGS": "-fsanitize=address,undefined"}
    command = [sys.executable, "setup.py", "-q", "build_ext"]
    command += ["--build-lib", str(PLACE), "--build-temp", str(PLACE / "temp")]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **flags}, check=True)


def pytest_configure() -> None:
    """Let `import etude.kernels.c._<isa>` find the sanitized build, and no other one."""
    folder = PLACE.joinpath(*PACKAGE.split("."))
    for isa in ISAS:
        name = f"{PACKAGE}._{isa}"
        found = next(folder.glob(f"_{isa}.*"), None)
        if found is None:
            sys.modules[name] = None  # type: ignore[assignment]
            continue
        spec = importlib.util.spec_from_file_location(name, found)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module


def main(*arguments: str) -> int:
    """Build, then run pytest; its exit code."""
    build(best())
    if not arguments:
        return 0
    compiler = os.environ.get("CC", "cc").split()
    library = subprocess.check_output([*compiler, "-print-file-name=libasan.so"], text=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": os.path.realpath(library.strip()),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": str(ROOT / "tests"),
        "ETUDE_SANITIZED": "1",  # for repeated.py
    }
    command = [sys.executable, "-m", "pytest", "-p", "sanitized", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
