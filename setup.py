"""What pyproject.toml cannot say: where the sub-packages are, and what stays out of the wheel."""

from __future__ import annotations

import sysconfig

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOMS = ("framework", "backends", "kernels", "bench")


class BuildPy(build_py):
    """The root of the repository is the package `etude`, so this file looks like its module."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [found for found in modules if found[:2] != ("etude", "setup")]


def packages() -> list[str]:
    """Return `etude` and each folder of the shipped rooms that has an `__init__.py`."""
    patterns = [pattern for room in ROOMS for pattern in (room, f"{room}.*")]
    return ["etude", *(f"etude.{name}" for name in find_packages(include=patterns))]


def wheel_options() -> dict[str, str]:
    """Ask for one abi3 wheel for all Pythons; free-threaded ones have no limited API."""
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    return {} if free_threaded else {"py_limited_api": "cp311"}


setup(
    packages=packages(),
    cmdclass={"build_py": BuildPy},
    options={"bdist_wheel": wheel_options()},
)
