"""The chapters are what they say they are, and `tutorials/check.py` sees it when they are not."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "tutorials").glob("[0-9]*.py"))


def load_checker() -> ModuleType:
    """Load the checker by its path: the chapters' folder is no package."""
    spec = importlib.util.spec_from_file_location("tutorials_check", ROOT / "tutorials/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load_checker()

LIBRARY = '''
class Box:
    """A box."""

    def open(self, key: str = "k") -> str:
        """Open it."""
        return key + "!"

def double(x: float) -> float:
    """2 x."""
    return 2.0 * x
'''

CHAPTER = '''# %% [markdown]
# # A small chapter
# It says what it is about.

# %%
import os

# %% [markdown]
# **Exercise 1.** Double a number.


# %%
# etude: library.py::double
def double(x: float) -> float:
    """Twice x, said otherwise."""
    ### BEGIN SOLUTION
    return 2.0 * x
    ### END SOLUTION


# %%
assert double(3.0) == 6.0, "double(3) is 6"

# %% [markdown]
# **Exercise 2.** The name of the key, and a box that it opens.


# %%
class Box:
    # etude: library.py::Box.open
    def open(self, key: str = "k") -> str:
        return key + "!"


### BEGIN SOLUTION
KEY = Box().open()
### END SOLUTION

# %%
assert KEY == "k!", "the key is k!"

# %% [markdown]
# ## Look at it
# A figure, or nothing without matplotlib.

# %%
try:
    import matplotlib
    with open(os.path.join(os.environ["ETUDE_FIGURES"], "a.png"), "w") as file:
        file.write(matplotlib.__version__)
except ImportError:
    print("no figure")
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a small library."""
    (tmp_path / "library.py").write_text(LIBRARY, encoding="utf-8")
    return tmp_path


def complaints(root: Path, source: str, timeout: float = 60.0) -> list[str]:
    path = root / "01_small.py"
    path.write_text(source, encoding="utf-8")
    return check.complaints(path, root, timeout)


def changed(old: str, new: str) -> str:
    assert CHAPTER.count(old) == 1, old
    return CHAPTER.replace(old, new)


def test_there_is_a_chapter() -> None:
    assert CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_what_it_says(chapter: Path) -> None:
    assert check.complaints(chapter) == []


def test_the_small_chapter_is_good(root: Path) -> None:
    assert complaints(root, CHAPTER) == []


FORM = [
    ("# # A small chapter", "# A small chapter", "1: a chapter begins"),
    ("# It says what it is about.\n", "", "1: a cell of prose"),
    ("# It says what it is about.", "It = 1", "1: a cell of prose"),
    ("import os\n", "import os\n\n# %%\nimport sys\n", "8: this cell of code follows"),
    ("\n# %%\nimport os\n", "", "5: this cell of prose follows"),
    ("import os\n", "", "5: this cell is empty"),
    ("import os\n", "import os\n" * 41, "5: this cell has 41 lines"),
    ("import os\n", "if True:\n# %%\n    import os\n", "5: this cell is not complete"),
    (', "the key is k!"', "", "40: this assert has no message"),
    ('assert KEY == "k!", "the key is k!"', "print(KEY)", "28: an exercise is followed"),
    ("\n# %%\nassert double", "\n# %% [markdown]\n# assert double", "12: an exercise is followed"),
    ("**Exercise 1.** Double", "Double", "12: the prose before an exercise"),
    ("    ### END SOLUTION\n", "", "16: this marker of a solution has no partner"),
    ("    ### BEGIN SOLUTION\n", "", "17: this marker of a solution has no partner"),
    ("KEY = Box().open()\n### END SOLUTION\n", "KEY = Box().open()\n", "35: this marker of a"),
    ("import os\n", "import = os\n", "6: invalid syntax"),
    ("Box().open()\n### END SOLUTION", "(\n### END SOLUTION\nBox().open())", "38: unmatched ')'"),
]


@pytest.mark.parametrize("old, new, expected", FORM)
def test_a_fault_of_form_is_found(root: Path, old: str, new: str, expected: str) -> None:
    found = complaints(root, changed(old, new))
    assert any(complaint.startswith(expected) for complaint in found), found


def test_a_chapter_without_exercises_is_found(root: Path) -> None:
    plain = "".join(line for line in CHAPTER.splitlines(True) if "SOLUTION" not in line)
    assert "1: there is no exercise" in complaints(root, plain)


DEFINITIONS = [
    ("2.0 * x", "x * 2.0", "13: double differs from library.py"),
    ("double(x: float) ->", "double(x: int) ->", "13: double differs"),
    ("def double(x: float) -> float:", "@id\ndef double(x: float) -> float:", "13: double differs"),
    ('open(self, key: str = "k")', 'open(self, key: str = "j")', "30: Box.open differs"),
    ("library.py::double", "library.py::triple", "13: the library has no library.py::triple"),
    ("library.py::double", "libraries.py::double", "13: the library has no libraries.py::double"),
    ("library.py::Box.open", "library.py::Box.open, double", "30: this cell does not define"),
    ("library.py::double", "library.py, double", "13: expected '# etude: FILE::NAME, NAME'"),
]


@pytest.mark.parametrize("old, new, expected", DEFINITIONS)
def test_a_definition_that_is_not_the_library_s_is_found(
    root: Path, old: str, new: str, expected: str
) -> None:
    found = complaints(root, changed(old, new))
    assert any(complaint.startswith(expected) for complaint in found), found


def test_the_library_s_side_of_a_definition_counts_too(root: Path) -> None:
    (root / "library.py").write_text(LIBRARY.replace("2.0 * x", "x + x"), encoding="utf-8")
    (found,) = complaints(root, CHAPTER)
    assert found.startswith("13: double differs")
    assert "return 2.0 * x" in found
    assert "return x + x" in found


def test_a_chapter_that_shares_no_definition_is_found(root: Path) -> None:
    apart = "".join(line for line in CHAPTER.splitlines(True) if "# etude:" not in line)
    (found,) = complaints(root, apart)
    assert found.startswith("1: no definition")


LAST = '    print("no figure")\n'
RUNS = [
    ("import os\n", "import os\n1 / 0\n", "7: the chapter fails: ZeroDivisionError"),
    ("import os\n", "import os\nraise SystemExit\n", "0: the chapter fails: it stopped before"),
    ("import os\n", "import os\nos._exit(0)\n", "0: the chapter fails: it stopped before"),
    (LAST, "    raise\n", "48: without matplotlib the chapter fails: ImportError"),
    ("a.png", "a.txt", "1: the chapter saves no figure"),
]


@pytest.mark.parametrize("old, new, expected", RUNS)
def test_a_chapter_that_does_not_run_is_found(
    root: Path, old: str, new: str, expected: str
) -> None:
    (found,) = complaints(root, changed(old, new))
    assert found.startswith(expected)


def test_a_chapter_that_does_not_end_is_found(root: Path) -> None:
    (found,) = complaints(root, changed("import os\n", "import os\nwhile True: pass\n"), 0.5)
    assert found == "0: the chapter fails: it ran longer than 0.5 seconds"


FIRST_TEST = 'assert double(3.0) == 6.0, "double(3) is 6"'
SECOND_TEST = 'assert KEY == "k!", "the key is k!"'
EXERCISES = [
    (FIRST_TEST, 'assert True, ""', ["16: with 'raise", "16: with '...'"]),
    (FIRST_TEST, 'double(3.0)\nassert True, ""', ["16: with '...'"]),
    (FIRST_TEST, 'assert double, "no double"', ["16: with 'raise", "16: with '...'"]),
    (SECOND_TEST, 'assert True, ""', ["35: with '...'"]),
    (
        FIRST_TEST,
        f'assert True, ""\n# %% [markdown]\n# Later.\n# %%\n{FIRST_TEST}',
        ["16: with 'raise", "16: with '...'"],
    ),
    (
        FIRST_TEST,
        f"try:\n    {FIRST_TEST}\nexcept (AssertionError, NotImplementedError):\n    pass",
        ["16: with 'raise", "16: with '...'"],
    ),
    (FIRST_TEST, f"if double(3.0) != 6.0:\n    os._exit(1)\n{FIRST_TEST}", ["16: with '...'"]),
]


@pytest.mark.parametrize("old, new, expected", EXERCISES)
def test_tests_that_do_not_notice_a_missing_solution_are_found(
    root: Path, old: str, new: str, expected: list[str]
) -> None:
    found = complaints(root, changed(old, new))
    assert len(found) == len(expected), found
    for complaint, start in zip(found, expected):
        assert complaint.startswith(start)


def test_the_student_s_version_keeps_all_but_the_solutions() -> None:
    student = check.stripped(CHAPTER)
    gone = set(CHAPTER.splitlines()) - set(student.splitlines())
    assert gone == {"    return 2.0 * x", "KEY = Box().open()"}
    assert student.count('\n    raise NotImplementedError("your turn")\n') == 1
    assert student.count('\nraise NotImplementedError("your turn")\n') == 1


def test_the_notebook_holds_the_cells() -> None:
    book = json.loads(check.notebook(CHAPTER))
    kinds = [cell["cell_type"] for cell in book["cells"]]
    assert kinds == [*("markdown", "code") * 2, "code", "markdown", "code", "code"] + [
        *("markdown", "code")
    ]
    assert "".join(book["cells"][0]["source"]) == "# A small chapter\nIt says what it is about."
    assert "".join(book["cells"][1]["source"]) == "import os"
    assert book["nbformat"] == 4
    assert len({cell["id"] for cell in book["cells"]}) == len(kinds)


def test_the_program(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "complaints", lambda path: ["7: oh"] if "bad" in path.name else [])
    for name in ("01_good.py", "02_bad.py"):
        (root / name).write_text(CHAPTER, encoding="utf-8")
    good, bad, out = str(root / "01_good.py"), str(root / "02_bad.py"), str(root / "out")
    assert check.main([good, "--student", out, "--notebook", out]) == 0
    assert (root / "out/01_good.py").read_text(encoding="utf-8") == check.stripped(CHAPTER)
    assert (root / "out/01_good.ipynb").is_file()
    assert "good (2 exercises, 2 definitions)" in capsys.readouterr().out
    assert check.main([good, bad, "--student", out]) == 1
    assert f"{bad}:7: oh" in capsys.readouterr().out
    assert not (root / "out/02_bad.py").exists()


def test_solutions_are_never_overwritten(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "complaints", lambda path: [])
    chapter = root / "01_good.py"
    chapter.write_text(CHAPTER, encoding="utf-8")
    with pytest.raises(SystemExit, match="holds the chapters themselves"):
        check.main([str(chapter), "--student", str(root)])
    assert chapter.read_text(encoding="utf-8") == CHAPTER


def test_the_checker_needs_the_standard_library_only() -> None:
    tree = check.ast.parse((ROOT / "tutorials/check.py").read_text(encoding="utf-8"))
    names = [
        name.partition(".")[0]
        for node in check.ast.walk(tree)
        if isinstance(node, (check.ast.Import, check.ast.ImportFrom))
        for name in ([node.module or ""] if hasattr(node, "module") else [node.names[0].name])
    ]
    assert set(names) <= sys.stdlib_module_names
