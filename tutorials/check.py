"""Proves that the chapters are what they say they are, and writes the students' versions.

    python tutorials/check.py [CHAPTER ...] [--student FOLDER] [--notebook FOLDER]

A chapter is a script in percent format: `# %%` opens a cell of code, `# %% [markdown]` a cell of
prose. Code between `### BEGIN SOLUTION` and `### END SOLUTION` is missing in the student's version;
such a cell is an exercise, and the next cell is its tests. For each chapter this program checks:

- form: it begins with a title; prose stands before every cell of code, except between an exercise
  and its tests; no cell is longer than 40 lines; tests assert, and each assert has a message;
- definitions: those under `# etude: FILE::NAME, NAME` in the same cell equal the library's. Equal
  means the same syntax tree, annotations included, once docstrings are dropped from both
  (comments and layout are not in the tree);
- runs: it reaches its last line and leaves a figure, and also ends well without matplotlib;
- exercises: with the code of one solution replaced by `raise NotImplementedError`, and with it
  replaced by `...`, the chapter fails at that exercise: the latter shows that the tests notice.

It needs the standard library only, and the chapters' own imports.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LONGEST_CELL = 40
TIMEOUT = 120.0  # seconds for one run of a chapter
MARKER = re.compile(r"# %%(?P<kind>.*)")
SOLUTION = re.compile(r"\s*### (?P<side>BEGIN|END) SOLUTION\s*")
EXPORT = re.compile(r"\s*# etude: (?P<file>\S+)::(?P<names>[\w.]+(, [\w.]+)*)")
STOP = 'raise NotImplementedError("your turn")'
BLANK = "..."


class Cell(NamedTuple):
    """A cell: `first` is the line of its marker, from 1; `lines` are those under it."""

    is_code: bool
    first: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_exercise(self) -> bool:
        return self.is_code and any(map(SOLUTION.fullmatch, self.lines))


def cells_of(source: str) -> list[Cell]:
    """Split a chapter; blank lines at the end of a cell belong to no cell."""
    lines = source.splitlines()
    starts = [i for i, line in enumerate(lines) if MARKER.fullmatch(line)]
    found = []
    for start, stop in zip(starts, [*starts[1:], len(lines)]):
        body = "\n".join(lines[start + 1 : stop]).rstrip().splitlines()
        found.append(Cell("[markdown]" not in lines[start], start + 1, body))
    return found


def solutions_of(source: str) -> list[tuple[int, int]]:
    """The lines, from 1, of each BEGIN and its END; ValueError if they do not pair up."""
    found: list[tuple[int, int]] = []
    begin = 0
    for number, line in enumerate(source.splitlines(), 1):
        match = SOLUTION.fullmatch(line)
        if match and (match["side"] == "BEGIN") == bool(begin):
            raise ValueError(f"{begin or number}: this marker of a solution has no partner")
        if match and begin:
            found.append((begin, number))
        if match:
            begin = 0 if begin else number
    if begin:
        raise ValueError(f"{begin}: this marker of a solution has no partner")
    return found


def stripped(source: str, filler: str = STOP, which: Collection[int] | None = None) -> str:
    """The chapter with its solutions, or those with a number in `which`, replaced by a line."""
    lines = source.splitlines()
    solutions = solutions_of(source)
    for number, (begin, end) in reversed(list(enumerate(solutions))):
        if which is None or number in which:
            indent = lines[begin - 1][: lines[begin - 1].index("#")]
            lines[begin : end - 1] = [indent + filler]
    return "\n".join(lines) + "\n"


# form -------------------------------------------------------------------------------------------
def form_complaints(source: str) -> Iterator[str]:
    """Complain of what can be seen without running anything."""
    try:
        for text in (source, stripped(source), stripped(source, BLANK)):
            ast.parse(text)
    except SyntaxError as error:
        yield f"{error.lineno}: {error.msg}, with the solutions or without"
        return
    except ValueError as error:
        yield str(error)
        return
    cells = cells_of(source)
    if cut := [cell.first for cell in cells if cell.is_code and not parses(cell.text)]:
        yield f"{cut[0]}: this cell is not complete by itself"
        return
    if not cells or cells[0].is_code or not cells[0].text.startswith("# # "):
        yield "1: a chapter begins with a cell of prose that begins with a title"
    if not any(cell.is_exercise for cell in cells):
        yield "1: there is no exercise"
    for before, cell, after in zip([None, *cells], cells, [*cells[1:], None]):
        for complaint in cell_complaints(before, cell, after):
            yield f"{cell.first}: {complaint}"
    for node in asserts_in(source):
        if node.msg is None:
            yield f"{node.lineno}: this assert has no message for the student"


def parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def asserts_in(source: str) -> list[ast.Assert]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]


def cell_complaints(before: Cell | None, cell: Cell, after: Cell | None) -> Iterator[str]:
    if not cell.text:
        yield "this cell is empty"
    if len(cell.lines) > LONGEST_CELL:
        yield f"this cell has {len(cell.lines)} lines, over {LONGEST_CELL}"
    if before and before.is_code and cell.is_code and not before.is_exercise:
        yield "this cell of code follows another; say in between what it does"
    if before and not before.is_code and not cell.is_code:
        yield "this cell of prose follows another; join them"
    if not cell.is_code:
        prose = [line for line in cell.lines if re.match(r"# [^#]", line)]
        if not all(line.startswith("#") for line in cell.lines) or not prose:
            yield "a cell of prose is made of comments, with more than headings in them"
    if cell.is_exercise:
        if before is None or "**Exercise" not in before.text:
            yield "the prose before an exercise sets it: **Exercise N.**"
        if after is None or not after.is_code or after.is_exercise or not asserts_in(after.text):
            yield "an exercise is followed by a cell with its tests"


# definitions ------------------------------------------------------------------------------------
def definition(tree: ast.Module, name: str) -> ast.stmt | None:
    """The statement at top level, or in a class for `Class.name`, that binds a name last."""
    body, node = tree.body, None
    for part in name.split("."):
        node = next((n for n in reversed(body) if part in bound_names(n)), None)
        body = node.body if isinstance(node, ast.ClassDef) else []
    return node


def bound_names(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def without_docstrings(definition: ast.stmt) -> ast.stmt:
    """A copy in which no class and no function has a docstring."""
    copy = ast.parse(ast.unparse(definition)).body[0]
    for node in ast.walk(copy):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node.body = node.body[ast.get_docstring(node) is not None :]
    return copy


def exports_of(source: str) -> Iterator[tuple[int, str, str, ast.Module]]:
    """(line, file, name, syntax tree of the cell) for each definition said to be the library's."""
    for cell in cells_of(source):
        for number, line in enumerate(cell.lines, cell.first + 1):
            if match := EXPORT.fullmatch(line):
                for name in match["names"].split(", "):
                    yield number, match["file"], name, ast.parse(cell.text)
            elif cell.is_code and re.match(r"\s*# *etude:", line):
                raise ValueError(f"{number}: expected '# etude: FILE::NAME, NAME', got {line!r}")


def definition_complaints(source: str, root: Path) -> Iterator[str]:
    """Complain of definitions that are not the library's, and if there are none at all."""
    number = 0
    for number, file, name, tree in exports_of(source):
        path = root / file
        library = path.is_file() and definition(ast.parse(path.read_text(encoding="utf-8")), name)
        chapter = definition(tree, name)
        if not library:
            yield f"{number}: the library has no {file}::{name}"
        elif not chapter:
            yield f"{number}: this cell does not define {name}"
        else:
            here, there = map(without_docstrings, (chapter, library))
            if ast.dump(here) != ast.dump(there):
                yield (
                    f"{number}: {name} differs from {file}; the chapter has\n{ast.unparse(here)}\n"
                    f"and the library\n{ast.unparse(there)}"
                )
    if not number:
        yield "1: no definition is said to be the library's (# etude: FILE::NAME)"


# running ----------------------------------------------------------------------------------------
class Outcome(NamedTuple):
    """How a run ended: `line` is where the script itself stood when it failed, if that is known."""

    finished: bool
    line: int
    message: str


def run(source: str, folder: Path, timeout: float, **environment: str) -> Outcome:
    """Run a chapter in a folder; it has finished if a line added at its end was printed."""
    folder.mkdir(parents=True, exist_ok=True)
    path, proof = folder / "chapter.py", secrets.token_hex(16)
    path.write_text(f"{source}\nprint('\\n{proof}')\n", encoding="utf-8")
    settings = os.environ | {"MPLBACKEND": "Agg", "ETUDE_FIGURES": str(folder)} | environment
    try:
        done = subprocess.run(
            [sys.executable, str(path)],
            cwd=folder,
            env=settings,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return Outcome(False, 0, f"it ran longer than {timeout:g} seconds")
    lines = re.findall(rf'File "{re.escape(str(path))}", line (\d+), in <module>', done.stderr)
    finished = done.returncode == 0 and proof in done.stdout.splitlines()
    errors = done.stderr.strip().splitlines() or ["it stopped before its last line"]
    return Outcome(finished, int(lines[-1]) if lines else 0, errors[-1])


def run_complaints(source: str, folder: Path, timeout: float) -> Iterator[str]:
    """Complain if the chapter does not reach its end, or leaves no figure where it can draw one."""
    shown = run(source, folder / "shown", timeout)
    if not shown.finished:
        yield f"{shown.line}: the chapter fails: {shown.message}"
        return
    if find_spec("matplotlib") and not any((folder / "shown").glob("*.png")):
        yield "1: the chapter saves no figure (*.png) in the folder ETUDE_FIGURES"
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "matplotlib.py").write_text("raise ImportError('no matplotlib here')\n")
    paths = os.pathsep.join(filter(None, [str(hidden), os.environ.get("PYTHONPATH")]))
    plain = run(source, folder / "plain", timeout, PYTHONPATH=paths)
    if not plain.finished:
        yield f"{plain.line}: without matplotlib the chapter fails: {plain.message}"


def exercise_complaints(source: str, folder: Path, timeout: float) -> Iterator[str]:
    """Complain of solutions that can be left out and nothing fails, or not at that exercise."""
    for number, (begin, _) in enumerate(solutions_of(source)):
        for filler in (STOP, BLANK):
            student = stripped(source, filler, {number})
            starts = [cell.first for cell in cells_of(student)] + [len(student.splitlines()) + 1]
            at = max(i for i, start in enumerate(starts) if start <= begin)
            first = starts[at] if filler == STOP else starts[at + 1]
            end = run(student, folder / "student", timeout)
            if end.finished:
                yield f"{begin}: with {filler!r} for the solution the chapter still runs to its end"
            elif not first <= end.line < starts[at + 2]:
                where = f"at line {end.line}, not in the tests of" if end.line else "outside of"
                yield (
                    f"{begin}: with {filler!r} for the solution the chapter fails {where} "
                    f"this exercise: {end.message}"
                )


def complaints(chapter: Path, root: Path = ROOT, timeout: float = TIMEOUT) -> list[str]:
    """All that is wrong with a chapter, each as "line: what"; later checks need the earlier."""
    source = chapter.read_text(encoding="utf-8")
    found = list(form_complaints(source))
    if found:
        return found
    try:
        found = list(definition_complaints(source, root))
    except ValueError as error:
        found = [str(error)]
    with TemporaryDirectory() as name:
        broken = list(run_complaints(source, Path(name), timeout))
        return found + (broken or list(exercise_complaints(source, Path(name), timeout)))


# the student's version --------------------------------------------------------------------------
def notebook(source: str) -> str:
    """A chapter as a Jupyter notebook (nbformat 4.5)."""
    cells = []
    for number, cell in enumerate(cells_of(source)):
        text = cell.text if cell.is_code else re.sub(r"^# ?", "", cell.text, flags=re.MULTILINE)
        kind: dict[str, Any] = {"cell_type": "markdown"}
        if cell.is_code:
            kind = {"cell_type": "code", "execution_count": None, "outputs": []}
        lines = text.splitlines(keepends=True)
        cells.append(kind | {"id": f"cell-{number}", "metadata": {}, "source": lines})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def write(chapter: Path, target: Path, text: str) -> None:
    """Write a file for students; never over the chapter, which holds the solutions."""
    if target.resolve() == chapter.resolve():
        raise SystemExit(f"{target.parent} holds the chapters themselves; name another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"wrote {target}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("chapters", nargs="*", type=Path, help="default: all of this folder")
    parser.add_argument("--student", type=Path, help="write the versions without solutions here")
    parser.add_argument("--notebook", type=Path, help="write them here as notebooks")
    chosen = parser.parse_args(arguments)
    failed = False
    for path in chosen.chapters or sorted(Path(__file__).parent.glob("[0-9]*.py")):
        if found := complaints(path):
            failed = True
            print(*(f"{path}:{complaint}" for complaint in found), sep="\n")
            continue
        source = path.read_text(encoding="utf-8")
        exercises = sum(cell.is_exercise for cell in cells_of(source))
        print(f"{path}: good ({exercises} exercises, {len(list(exports_of(source)))} definitions)")
        if chosen.student:
            write(path, chosen.student / path.name, stripped(source))
        if chosen.notebook:
            write(path, chosen.notebook / f"{path.stem}.ipynb", notebook(stripped(source)))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
