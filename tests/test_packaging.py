"""What is built is what is imported: sdist, then wheel, then `import etude` from anywhere."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="the `build` front end is not installed")

ROOT = Path(__file__).parent.parent
ROOMS = ("framework", "backends", "kernels", "bench")
SIMPLEST = "neon" if platform.machine().lower() in ("arm64", "aarch64") else "baseline"
# What a fresh clone does not have; a stale egg-info would even add its old file list to the sdist.
LEFT_OVERS = shutil.ignore_patterns(
    *(".*cache", ".git", ".hypothesis", ".venv*", "*.egg-info", "__pycache__", "build", "dist"),
    *("runs", "*.so"),
)


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command and return its output; on failure show all it said."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an sdist of the tree and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("packaging")
    clone = shutil.copytree(ROOT, folder / "clone", symlinks=True, ignore=LEFT_OVERS)
    built = folder / "dist"
    # One instruction set: the others are the same sources with other flags. It is only loaded.
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", built)
    run(*command, cwd=clone, ETUDE_BUILD=SIMPLEST, ETUDE_CFLAGS="-O0")
    return built


@pytest.fixture(scope="module")
def wheel_without_compiler(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel built from the sdist where no C compiler works."""
    folder = tmp_path_factory.mktemp("no-compiler")
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    run(*command, cwd=source, CC="/bin/false", ETUDE_BUILD=SIMPLEST)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that stands for site-packages: the wheel, unpacked."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_the_wheel_adds_one_package(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    (info,) = top - {"etude"}
    assert "etude" in top
    assert info.startswith("etude-")
    assert info.endswith(".dist-info")


def test_the_wheel_has_the_rooms_and_nothing_else(site: Path) -> None:
    suffixes = (".py", ".c", ".h")
    tree = {path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*")}
    expected = {path for path in tree if path.suffix in suffixes}
    expected = {path for path in expected if not {"tests", "__pycache__"} & {*path.parts}}
    expected |= {Path("__init__.py"), Path("__main__.py")}
    shipped = {path.relative_to(site / "etude") for path in (site / "etude").rglob("*")}
    # A compiled extension is made at build time and has no file in the tree.
    files = {path for path in shipped if path.suffix and path.suffix not in (".so", ".pyd")}
    assert files == expected


def test_the_sdist_can_be_built_and_tested(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"setup.py", "Makefile", "LICENSE", "tests/conftest.py", "tests/cases.py"}
    assert "bench/tests/test_kernels.py" in names
    assert not any(name.startswith((".typing", ".venv")) or "__pycache__" in name for name in names)


@pytest.mark.parametrize("folder", [ROOT, *(ROOT / room for room in ROOMS), Path(ROOT.anchor)])
def test_import_from_any_folder(folder: Path, site: Path) -> None:
    code = "import etude; print(etude.__file__, etude.__version__)"
    out = run(sys.executable, "-c", code, cwd=folder, PYTHONPATH=str(site))
    file, version = out.split()
    assert Path(file) == site / "etude" / "__init__.py"
    assert (site / f"etude-{version}.dist-info").is_dir()


def test_the_console_script_is_declared(site: Path) -> None:
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    assert "etude = etude.framework.cli:main" in entry_points.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_the_c_kernels_are_built_where_there_is_a_compiler(site: Path) -> None:
    built = [path.name.partition(".")[0] for path in (site / "etude/kernels/c").glob("_*.so")]
    assert built == [f"_{SIMPLEST}"]


def test_without_a_compiler_the_rest_installs_and_says_why(
    wheel_without_compiler: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel_without_compiler).extractall(tmp_path)
    assert not list(tmp_path.rglob("*.so"))
    code = "import etude; print(etude.ones(2).sum().item(), etude.backends.available()['c'])"
    out = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert out.startswith("2.0 [backend] 'c' is not available here: the C kernels were not built")
