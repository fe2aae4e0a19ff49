"""The plan of the house, checked: who imports whom, what files are called, how long they are.

Every rule is a function from a source tree to a list of complaints, so that the same functions can
be run on a small tree with a fault planted in it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("framework", "backends", "kernels", "bench")
UNSHIPPED = ("tests", "tutorials")

# Room -> what of etude it may import. "" is the root package's own names (`from etude import nn`).
ALLOWED = {
    "kernels": ("kernels",),
    "backends": ("backends", "kernels"),
    "framework": ("framework", "backends.base", "backends.registry"),
    "": ("", "framework", "backends"),
    "bench": ("", *ROOMS),
    "tests": ("", *ROOMS),
    "tutorials": ("", *ROOMS),
}

ARRAY_LIBRARIES = {"jax", "matplotlib", "numba", "numpy", "pandas", "scipy", "sklearn", "torch"}
# These run on every backend, so they may not load an array library; inside a function they may.
ARRAY_FREE_AT_IMPORT = (
    "framework",
    "backends.base",
    "backends.defaults",
    "backends.registry",
    "backends.tier1",
)
ARRAY_FREE = ("kernels.python",)

LONGEST_FILE = 450
# What a distribution is imported as, where that is not its own name.
IMPORT_NAMES = {"scikit-learn": "sklearn"}


class Import(NamedTuple):
    """One imported name, dotted and absolute; `loads` says whether it runs at import."""

    line: int
    target: str
    loads: bool


def sources(root: Path, *suffixes: str) -> Iterator[Path]:
    """Yield the files of the root and of every room, shipped or not, that end in `suffixes`."""
    folders = [root.glob("*")] + [(root / room).rglob("*") for room in (*ROOMS, *UNSHIPPED)]
    for folder in folders:
        files = (path for path in folder if path.suffix in suffixes and path.is_file())
        yield from sorted(path for path in files if "__pycache__" not in path.parts)


def dotted(root: Path, path: Path) -> str:
    """Return the name of a file's module inside etude: `framework.tensor`, "" for the root's."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] in ("__init__", "__main__") else parts)


def within(name: str, places: tuple[str, ...]) -> bool:
    """Say whether a dotted name is one of `places` or lies inside one."""
    return any(name == place or (place and name.startswith(place + ".")) for place in places)


def is_module(root: Path, name: str) -> bool:
    """Say whether an absolute dotted name such as `etude.backends.base` is a module here."""
    top, *rest = name.split(".")
    path = root.joinpath(*rest)
    return top == "etude" and (path.is_dir() or path.with_suffix(".py").is_file())


def from_targets(root: Path, path: Path, node: ast.ImportFrom) -> list[str]:
    """Return what `from base import names` reaches: a module where the name is one, else the base.

    So `from etude import nn`, which names no file here, reaches the root package.
    """
    base = node.module or ""
    if node.level:
        folder = ("etude", *path.relative_to(root).parent.parts)
        above = folder[: len(folder) - node.level + 1]
        base = ".".join((*above, base) if base else above)
    names = [f"{base}.{alias.name}" for alias in node.names]
    return [name if is_module(root, name) else base for name in names]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def call_target(node: ast.Call) -> list[str]:
    """Return the module that `import_module("...")` or `__import__("...")` names outright."""
    name = ast.unparse(node.func).rpartition(".")[2]
    literal = node.args[0] if node.args else None
    if name in ("import_module", "__import__") and isinstance(literal, ast.Constant):
        return [str(literal.value)]
    return []


def imports(root: Path, path: Path) -> Iterator[Import]:
    """Yield every import of a file, those inside functions and those by name included."""

    def visit(node: ast.AST, loads: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = from_targets(root, path, node)
        else:
            targets = call_target(node) if isinstance(node, ast.Call) else []
        for target in targets:
            yield Import(node.lineno, target, loads)
        deferred = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, loads and not deferred and not is_type_checking(node))

    yield from visit(ast.parse(path.read_text(encoding="utf-8"), str(path)), True)


def room_of(name: str) -> str:
    room = name.partition(".")[0]
    return room if room in ALLOWED else ""


def wrong_arrows(root: Path) -> list[str]:
    """Complain of imports that run against the plan, or that reach a room without `etude.`."""
    found = []
    for path in sources(root, ".py"):
        room = room_of(dotted(root, path))
        for line, target, _ in imports(root, path):
            top, _, inner = target.partition(".")
            where = f"{path.relative_to(root)}:{line}"
            if top in (*ROOMS, *UNSHIPPED):
                found.append(f"{where} imports {target}; its name is etude.{target}")
            elif top == "etude" and not within(inner, ALLOWED[room]):
                found.append(f"{where} imports {target}; {room or 'the root'} may not")
    return found


def array_libraries(root: Path) -> list[str]:
    """Complain of array libraries where operations are defined or spelled out by hand."""
    found = []
    for path in sources(root, ".py"):
        name = dotted(root, path)
        never, at_import = within(name, ARRAY_FREE), within(name, ARRAY_FREE_AT_IMPORT)
        for line, target, loads in imports(root, path):
            if target.partition(".")[0] in ARRAY_LIBRARIES and (never or (at_import and loads)):
                how = "" if never else " at module level"
                found.append(f"{path.relative_to(root)}:{line} imports {target}{how}")
    return found


@cache
def taken_names() -> frozenset[str]:
    """Return the import names of the standard library and of every declared dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[^\w.-]", line)[0].lower() for lines in lists for line in lines}
    imported = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in declared - {"etude"}}
    return frozenset(imported | ARRAY_LIBRARIES | sys.stdlib_module_names)


def shadowing_names(root: Path) -> list[str]:
    """Complain of files that another module's import would find first from inside their folder."""
    return [
        f"{path.relative_to(root)} bears the name of another module"
        for path in sources(root, ".py")
        if path.stem in taken_names() and path.stem not in ("__init__", "__main__")
    ]


def long_files(root: Path) -> list[str]:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(root, ".py", ".c", ".h")
    }
    return [
        f"{path.relative_to(root)} has {lines} lines, over {LONGEST_FILE}"
        for path, lines in lengths.items()
        if lines > LONGEST_FILE
    ]


RULES = [wrong_arrows, array_libraries, shadowing_names, long_files]


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps_the_rule(rule: Callable[[Path], list[str]]) -> None:
    assert rule(ROOT) == []


def test_the_rules_see_the_whole_tree() -> None:
    assert {room_of(dotted(ROOT, path)) for path in sources(ROOT, ".py")} >= {"", *ROOMS, "tests"}


PLANTED = [
    (wrong_arrows, "kernels/relu.py", "from etude.backends import base"),
    (wrong_arrows, "kernels/python/relu.py", "from ...framework.shape import broadcast"),
    (wrong_arrows, "backends/fast.py", "from etude.framework.tensor import Tensor"),
    (wrong_arrows, "backends/fast.py", "def f():\n    from ..framework import tensor"),
    (wrong_arrows, "backends/fast.py", "if TYPE_CHECKING:\n    import etude.framework.tensor"),
    (wrong_arrows, "framework/ops/add.py", "from etude.backends import numpy_backend"),
    (wrong_arrows, "framework/ops/add.py", "from ...backends.numpy_backend import NumpyBackend"),
    (wrong_arrows, "framework/add.py", "import_module('etude.backends.numpy_backend')"),
    (wrong_arrows, "framework/add.py", "import etude.kernels.scalar"),
    (wrong_arrows, "framework/add.py", "import etude"),
    (wrong_arrows, "framework/add.py", "from .. import Tensor"),
    (wrong_arrows, "framework/add.py", "from etude.bench import cases"),
    (wrong_arrows, "framework/add.py", "from framework.shape import broadcast"),
    (wrong_arrows, "__init__.py", "from .kernels import scalar"),
    (wrong_arrows, "bench/run.py", "from tests import cases"),
    (wrong_arrows, "tests/test_add.py", "import framework.tensor"),
    (array_libraries, "framework/add.py", "import numpy as np"),
    (array_libraries, "framework/add.py", "try:\n    from numpy import add\nfinally: ..."),
    (array_libraries, "framework/add.py", "class A:\n    import scipy.special"),
    (array_libraries, "backends/defaults/add.py", "import numpy"),
    (array_libraries, "kernels/python/add.py", "def f():\n    import numpy"),
    (shadowing_names, "framework/ops/random.py", ""),
    (shadowing_names, "bench/sklearn.py", ""),
    (shadowing_names, "kernels/c/cffi.py", ""),
    (long_files, "tests/cases.py", "x = 1\n" * (LONGEST_FILE + 1)),
    (long_files, "kernels/c/gemm.c", "\n" * (LONGEST_FILE + 1)),
]

ALLOWED_SOURCES = [
    ("kernels/python/relu.py", "from ..scalar import relu\nimport math"),
    ("backends/fast.py", "import numpy\nfrom etude.kernels import scalar\nfrom . import base"),
    ("framework/add.py", "from etude.backends import base, registry\nfrom .shape import broadcast"),
    ("framework/add.py", "def f():\n    import numpy"),
    ("framework/add.py", "if TYPE_CHECKING:\n    import numpy"),
    ("__init__.py", "from .framework.tensor import Tensor\nfrom etude.backends import registry"),
    ("__main__.py", "from etude.framework.cli import main"),
    ("bench/run.py", "import etude\nimport torch\nfrom etude.kernels import scalar"),
    ("tests/test_add.py", "import etude\nfrom cases import CASES"),
]


def small_tree(root: Path, name: str, source: str) -> None:
    """Write a tree with the modules that the samples import, then the sample itself."""
    for module in (
        "backends/base.py",
        "backends/registry.py",
        "backends/numpy_backend.py",
        "bench/cases.py",
        "framework/cli.py",
        "framework/shape.py",
        "framework/tensor.py",
        "kernels/scalar.py",
        name,
    ):
        path = root / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source if module == name else "", encoding="utf-8")


@pytest.mark.parametrize("rule, name, source", PLANTED)
def test_a_planted_fault_is_found(
    rule: Callable[[Path], list[str]], name: str, source: str, tmp_path: Path
) -> None:
    small_tree(tmp_path, name, source)
    complaints = rule(tmp_path)
    assert len(complaints) == 1
    assert complaints[0].startswith(name)


@pytest.mark.parametrize("name, source", ALLOWED_SOURCES)
def test_what_the_plan_allows_passes(name: str, source: str, tmp_path: Path) -> None:
    small_tree(tmp_path, name, source)
    assert [complaint for rule in RULES for complaint in rule(tmp_path)] == []


def test_import_loads_no_optional_library() -> None:
    heavy = sorted((ARRAY_LIBRARIES - {"numpy"}) | {"click", "rich", "safetensors"})
    code = f"import sys, etude; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_pytest_does_not_import_the_root_under_another_name() -> None:
    init = str(ROOT / "__init__.py")
    found = [
        name
        for name, module in sys.modules.items()
        if getattr(module, "__dict__", {}).get("__file__") == init
    ]
    assert found in ([], ["etude"])
