"""What pyproject.toml cannot say: the sub-packages, what stays out of the wheel, the C build."""

from __future__ import annotations

import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zlib import crc32

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOMS = ("framework", "backends", "kernels", "bench")
KERNELS = "kernels/c/extensions.py"


class BuildPy(build_py):
    """The root of the repository is the package `etude`, so this file looks like its module."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [found for found in modules if found[:2] != ("etude", "setup")]


class BuildExt(build_ext):
    """Objects are compiled on all cores, and kept in build/ for the next installation.

    Each extension has a folder for each compiler and its flags, so that none meets others' objects.
    """

    def finalize_options(self) -> None:
        given = self.build_temp
        super().finalize_options()
        self.build_temp = given or os.path.join("build", "objects")  # not pip's, which is removed

    def build_extension(self, ext: Any) -> None:
        folder = self.build_temp
        by = (sys.implementation.cache_tag, self.compiler.compiler_so, ext.extra_compile_args)
        own = f"{ext.name.rpartition('.')[2]}-{crc32(repr(by).encode()):08x}"
        self.build_temp = os.path.join(folder, own)
        self.compiler.compile = self.compile_stale
        self.newest_header = max((Path(p).stat().st_mtime for p in ext.depends), default=0.0)
        try:
            super().build_extension(ext)
        finally:
            self.build_temp = folder

    def compile_stale(
        self,
        sources: list[str],
        output_dir: str | None = None,
        macros: Any = None,
        include_dirs: Any = None,
        debug: bool = False,
        extra_preargs: Any = None,
        extra_postargs: Any = None,
        depends: Any = None,
    ) -> list[str]:
        """distutils' `compile`, in parallel and only where an object is older than its source."""
        compiler = self.compiler
        macros, objects, extra, pp, build = compiler._setup_compile(
            output_dir, macros, include_dirs, sources, depends, extra_postargs
        )
        flags = compiler._get_cc_args(pp, debug, extra_preargs)

        def compile_one(obj: str) -> None:
            source, extension = build[obj]
            newest = max(Path(source).stat().st_mtime, self.newest_header)
            if self.force or not Path(obj).exists() or Path(obj).stat().st_mtime < newest:
                compiler._compile(f"{obj}.new", source, extension, flags, extra, pp)
                os.replace(f"{obj}.new", obj)  # a whole one: it may be the next installation's

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, [obj for obj in objects if obj in build]))
        return objects


def packages() -> list[str]:
    """Return `etude` and each folder of the shipped rooms that has an `__init__.py`."""
    patterns = [pattern for room in ROOMS for pattern in (room, f"{room}.*")]
    return ["etude", *(f"etude.{name}" for name in find_packages(include=patterns))]


def wheel_options() -> dict[str, str]:
    """Ask for one abi3 wheel for all Pythons; free-threaded ones have no limited API."""
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    return {} if free_threaded else {"py_limited_api": "cp311"}


def c_builds() -> list[str]:
    """The instruction sets to build, as cffi wants them: file:name. ETUDE_BUILD=isa,... chooses."""
    scope: dict[str, Any] = {"__file__": KERNELS, "__name__": "build"}
    exec(Path(KERNELS).read_text(encoding="utf-8"), scope)
    known = list(scope["instruction_sets"]())
    wanted = os.environ.get("ETUDE_BUILD", ",".join(known))
    return [f"{KERNELS}:{isa}" for isa in wanted.split(",") if isa in known]


setup(
    packages=packages(),
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
    cffi_modules=c_builds(),
    options={"bdist_wheel": wheel_options()},
)
