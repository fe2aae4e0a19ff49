"""Pictures of benchmarks, and the page of stored results."""

from __future__ import annotations

import json
import re
import shlex
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from etude.bench import __main__ as command
from etude.bench import conformity, cuda, page, plots, report
from etude.bench.claims import runner
from etude.bench.conformity import Finding
from etude.bench.report import Table

VOID = ("meta", "br", "link", "img")


def kernel(case: str, family: str, by: str, seconds: float, **more: Any) -> dict[str, Any]:
    figures = {"flops": 1e6, "bytes": 1e5, "share": 0.5, "spread": 0.02, "error": 1e-7}
    return {
        "case": case,
        "family": family,
        "by": by,
        "seconds": seconds,
        "ratios": {},
        **figures,
        **more,
    }


def stored() -> dict[str, list[Table]]:
    """A run of two families, with the ceilings first."""
    ceilings = {"flops": 1e12, "bytes": [[1 << 20, 9e10], [1 << 28, 3e10]], "by": "a test, so"}
    ours = kernel("matmul 512x512x512 NN", "matmul", "etude c", 1e-4, ratios={"torch": 1.25})
    theirs = kernel("matmul 512x512x512 NN", "matmul", "torch", 1.25e-4)
    relu = kernel("relu 16M <b>", "large", "etude c", 1e-3, flops=0.0, ratios={"torch": 0.5})
    tables = [
        Table("Ceilings of this machine", ["", "", "unit"], [["x", 1.0, "GB/s"]], [], [ceilings]),
        Table("matmul", ["case"], [["matmul"]], [], [ours, theirs]),
        Table("large", ["case"], [["relu"]], [], [relu, kernel("r", "large", "torch", 5e-4)]),
    ]
    return {"ops": tables, "imports": [Table("Import <times>", ["a"], [["b"]], ["a remark"])]}


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The run as a JSON file."""
    path = str(tmp_path / "run.json")
    report.save(path, {"cpu": "A & B", "cores": 2, "versions": {"numpy": "2"}}, stored())
    return path


class Reader(HTMLParser):
    """Text, tags that are open, and whatever would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert reader.fetched == []
    return reader


def test_a_page_is_whole_in_itself(file: str, tmp_path: Path, monkeypatch: Any) -> None:
    ops = {"matmul": {"c": Finding(gradient=True, error=2e-7, cases=3)}}
    monkeypatch.setattr(page, "findings", lambda names, say: ops)
    out = tmp_path / "page.html"
    assert command.main(["report", file, "--out", str(out)]) == 0
    html = out.read_text(encoding="utf-8")
    reader = read(html)
    for word in ("A & B", "relu 16M <b>", "Import <times>", "a remark", "matmul", "1.25", "2e-07"):
        assert word in reader.text
    assert "matrix products from n = 256" in reader.text
    assert "prefers-color-scheme: dark" in html


def test_elsewhere_than_in_a_clone_the_table_of_ops_is_left_out(
    file: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    (tmp_path / "__init__.py").touch()
    monkeypatch.setattr(conformity.etude, "__file__", str(tmp_path / "__init__.py"))
    out = tmp_path / "page.html"
    assert command.main(["report", file, "--out", str(out)]) == 0
    assert "clone of the repository" in read(out.read_text(encoding="utf-8")).text
    assert "left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "No such file"),
        ("{", "is no JSON"),
        ("[1]", "holds no results of python -m etude.bench"),
    ],
)
def test_files_that_are_no_results(
    content: str | None, message: str, tmp_path: Path, capsys: Any
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert command.main(["report", str(path), "--out", str(tmp_path / "p.html")]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_backend(file: str, tmp_path: Path, capsys: Any) -> None:
    given = ["report", file, "--out", str(tmp_path / "p.html"), "--backend", "nmpy"]
    assert command.main(given) == 2
    assert "backend 'nmpy': expected some of" in capsys.readouterr().err


def test_ops_are_judged_by_the_case_table() -> None:
    pytest.importorskip("torch")
    found = conformity.findings(("numpy",), lambda _: None, slice(None, None, 12))
    assert len(found) > 60
    for op, of_op in found.items():
        f = of_op["numpy"]
        assert f.forward, (op, f)
        assert f.gradient is not False, (op, f)
        assert f.error < 1e-3, (op, f)
    assert sum(of_op["numpy"].gradient is True for of_op in found.values()) > 30


def test_a_wrong_op_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cases, tools = conformity.table()
    case = next(case for case in cases if case.subject == "exp")
    backend = conformity.etude.backends.registry.get("numpy")
    original = backend.unary
    monkeypatch.setitem(
        vars(backend), "unary", lambda name, x, out=None: 1.01 * original(name, x, out)
    )
    finding = Finding()
    conformity._look(case, "numpy", finding, tools)
    assert not finding.forward
    assert finding.error > 0.005
    assert "beyond the tolerance" in finding.problem

    def fails(*_: Any) -> None:
        raise RuntimeError("so")

    monkeypatch.setitem(vars(backend), "unary", fails)
    finding = Finding()
    conformity._look(case, "numpy", finding, tools)
    assert (finding.forward, finding.gradient) == (False, False)
    assert "RuntimeError: so" in finding.problem


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    written = plots.save_all(str(tmp_path / "pictures"), stored())
    assert [path.name for path in written] == ["roofline.png", "matmul.png", "large.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert plots.save_all(str(tmp_path), {}) == []


def test_no_pictures_without_matplotlib(monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    from etude.bench import memory

    monkeypatch.setattr(memory, "run", lambda _: [])
    monkeypatch.setitem(command.sys.modules, "matplotlib", None)
    assert command.main(["memory", "--plots", str(tmp_path)]) == 2
    assert "pip install etude[plots]" in capsys.readouterr().err


def test_what_is_stored_is_json(file: str) -> None:
    assert json.loads(Path(file).read_text(encoding="utf-8"))["suites"]["ops"][1]["records"]


README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m etude\.bench (.*)$", README, flags=re.MULTILINE)


def test_readme_s_commands_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, in one folder, with stored tables in the place of what takes minutes."""
    asked: list[str] = []

    def kept(name: str) -> Any:
        return lambda *given: asked.append(name) or stored()["ops"]

    for name in command.SUITES:
        monkeypatch.setattr(import_module(f"etude.bench.{name}"), "run", kept(name))
    monkeypatch.setattr(page, "findings", lambda names, say: {})
    monkeypatch.chdir(tmp_path)
    for words in map(shlex.split, COMMANDS):
        if words[0] == "claims":
            assert runner._chosen(runner._parser(), runner._parser().parse_args(words[1:]).only)
        elif words[0] == "cuda":
            assert cuda._parser().parse_args(words[1:]).quick
        else:
            assert command.main(words) == 0
    assert {"ops", "models", "train", "recording", "overhead"} <= {*asked}
    assert (tmp_path / "benchmarks.html").exists()
    assert list((tmp_path / "pictures").iterdir())
