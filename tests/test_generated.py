"""Code that is generated for chains of functions: it gives the interpreter's bits, and is kept."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_fused import buffers, same, values

import etude
from etude import nn, optim
from etude.backends.base import Constant, Expression, Register, Step
from etude.kernels.scalar import BINARY, BOOL_RESULT, UNARY

AVAILABLE = etude.backends.available()
WHY = {name: AVAILABLE[name] for name in ("c", "numba")}
if WHY["c"] is None:
    from etude.backends import c_generate
    from etude.backends.registry import BackendUnavailable

    try:
        c_generate.compiler()
    except BackendUnavailable as error:
        WHY["c"] = str(error)
C = pytest.param("c", marks=pytest.mark.skipif(WHY["c"] is not None, reason=str(WHY["c"])))
NUMBA = pytest.param(
    "numba", marks=pytest.mark.skipif(WHY["numba"] is not None, reason=str(WHY["numba"]))
)
GENERATING = [C, NUMBA]
DTYPES = ("float32", "float64", "int32", "int64", "bool")
r = tuple(map(Register, range(20)))


def agree(name: str, e: Expression, shape: Any, shapes: Any, outs: Any = None) -> None:
    """Generated code and the interpreter, on the same numbers."""
    backend = etude.backends.get(name)
    generated = backend.generated(e)
    assert generated.generated, e
    assert generated != e
    inputs = buffers(backend, e.inputs, shapes)
    expected = [values(backend, y) for y in backend.fused(e, inputs, shape)]
    given = None if outs is None else [None if k is None else inputs[k] for k in outs]
    same([values(backend, y) for y in backend.fused(generated, inputs, shape, given)], expected, e)


def all_of(name: str, dtype: str) -> Expression:
    """An expression of every function on a dtype for which there is code, with a number or not."""
    backend = etude.backends.get(name)
    inputs = (dtype, dtype, "bool")
    number = Constant(True if dtype == "bool" else 3 if dtype[0] == "i" else -0.0)
    steps = [Step("cast", to, (r[0],), to) for to in DTYPES]
    steps += [Step("where", "where", (r[2], *pair), dtype) for pair in (r[:2], (number, r[1]))]
    for kind, names in ("unary", UNARY), ("binary", BINARY):
        for f in names:
            pairs = [r[: 1 if kind == "unary" else 2]]
            pairs += [(r[0], number), (number, r[0])] if f in ("sub", "lt") else []
            for pair in pairs:
                steps.append(Step(kind, f, tuple(pair), "bool" if f in BOOL_RESULT else dtype))
    able = [s for s in steps if exists(backend, s, inputs)]
    return Expression(inputs, tuple(able), tuple(range(3, 3 + len(able))))


def exists(backend: Any, step: Step, inputs: Any) -> bool:
    """Whether the backend has a function for these dtypes, and generates code of it."""
    floats = inputs[0][0] == "f"
    of_floats = {"reciprocal", "sqrt", "rsqrt", "div", "copysign", "tanh_grad", "sigmoid_grad"}
    of_floats |= {"exp", "expm1", "log", "log1p", "sigmoid", "tanh", "softplus", "erf", "erfc"}
    of_floats |= {"gelu", "softplus_grad", "gelu_grad", "binary_cross_entropy"}
    if not floats and step.name in of_floats:
        return False
    if inputs[0] == "bool" and step.kind in ("unary", "binary") and step.dtype != "bool":
        return False
    return bool(backend.generated(Expression(inputs, (step,), (3,))).generated)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GENERATING)
def test_every_function(name: str, dtype: str) -> None:
    if name == "numba" and dtype in ("int64", "bool"):
        dtype = "int32"  # it computes in 64 bits for all three
    e = all_of(name, dtype)
    assert len(e.steps) > (35 if dtype == "float32" else 15)
    agree(name, e, (1037,), [(1037,)] * 3)


def step(f: str, *operands: Any, dtype: str = "float32") -> Step:
    kind = "unary" if f in UNARY else "binary"
    return Step(kind, f, operands, "bool" if f in BOOL_RESULT else dtype)


HALF = Constant(0.7)
ROUNDED = {  # what a compiler that sees two functions at once would round once, or compute once
    "a product and a sum": (
        *(step("mul", r[0], r[1]), step("add", r[2], r[1]), step("mul", r[3], r[2])),
        *(step("sub", r[4], r[2]), step("sub", r[1], r[2])),
    ),
    "a product that a function has inside": (
        *(step("mul", r[0], r[0]), step("tanh_grad", r[1], r[0]), step("add", r[2], r[3])),
        *(step("sigmoid_grad", r[1], r[0]), step("sub", r[5], r[4])),
    ),
    "functions of the same number": (
        *(step("gelu", r[0]), step("gelu_grad", r[1], r[0]), step("erf", r[0])),
        *(step("mul", r[3], r[2]), step("tanh", r[0]), step("sigmoid", r[0])),
        *(step("softplus", r[0]), step("softplus", r[0])),
        *(step("add", r[3], r[2]), step("log1p", r[2]), step("mul", r[8], r[0])),
    ),
    "one after the other": (
        *(step("mul", r[0], HALF), step("log1p", r[2]), step("gelu", r[0]), step("expm1", r[4])),
        *(step("softplus_grad", r[5], r[1]), step("log1p", r[6]), step("add", r[7], r[6])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("what", ROUNDED)
@pytest.mark.parametrize("name", GENERATING)
def test_rounding(name: str, what: str, dtype: str) -> None:
    steps = [replace(s, dtype=dtype) for s in ROUNDED[what]]
    inputs = (dtype, dtype)
    e = Expression(inputs, tuple(steps), tuple(range(2, 2 + len(steps))))
    if not etude.backends.get(name).generated(e).generated:
        assert dtype == "float64"  # which is the C library's
        return
    agree(name, e, (3000,), [(3000,)] * 2)


CHAIN = Expression(
    ("float32", "float32", "bool", "float32"),
    (
        *(step("neg", r[1]), step("mul", r[0], r[4]), step("lt", r[5], HALF)),
        *(step("logical_or", r[6], r[2]), Step("where", "where", (r[7], r[5], r[3]), "float32")),
        *(step("exp", r[8]), Step("cast", "float64", (r[9],), "float64")),
    ),
    (4, 7, 9, 10),
)
FORMS = {
    "whole": ((5, 700), [(5, 700)] * 4),
    "numbers": ((5, 700), [(5, 700), (), (1, 1), (1,)]),
    "a row": ((5, 700), [(5, 700), (700,), (700,), (1, 700)]),
    "a column": ((5, 700), [(5, 700), (5, 1), (5, 1), (700,)]),
    "short rows": ((300, 7), [(300, 7), (7,), (300, 1), ()]),
    "axes between": ((3, 4, 5, 6), [(3, 4, 5, 6), (4, 1, 6), (3, 1, 5, 1), (5, 1)]),
    "nothing": ((0, 3), [(0, 3), (3,), (), ()]),
    "one": ((1,), [(1,)] * 4),
    "shared by threads": ((70_001,), [(70_001,), (), (70_001,), (70_001,)]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", GENERATING)
def test_forms(name: str, form: str) -> None:
    agree(name, CHAIN, *FORMS[form])


@pytest.mark.parametrize("outs", ["01...", ".10..", "0..1.", "...10"])
@pytest.mark.parametrize("name", GENERATING)
def test_results_over_inputs(name: str, outs: str) -> None:
    e = Expression(
        ("float32", "int32"),
        (
            *(Step("cast", "float32", (r[1],), "float32"), step("mul", r[0], r[2])),
            *(Step("cast", "int32", (r[3],), "int32"), step("sub", r[1], r[4], dtype="int32")),
            *(step("add", r[2], r[0]), step("exp", r[0])),
        ),
        (3, 5, 6, 4, 7),
    )
    given = [int(k) if k != "." else None for k in outs]
    agree(name, e, (33, 71), [(33, 71)] * 2, given)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("name", GENERATING)
def test_reductions(name: str, axes: Any) -> None:
    steps = (step("mul", r[0], r[1]), step("tanh", r[2]))
    e = Expression(("float32", "float32"), steps, (2, 3), ("sum", axes))
    agree(name, e, (6, 40, 30), [(6, 40, 30), (40, 1)])


@pytest.mark.parametrize("name", GENERATING)
def test_what_is_left_to_the_interpreter(name: str) -> None:
    backend = etude.backends.get(name)
    for f in ("sin", "pow", "floor_divide", "lgamma"):
        steps = (step(f, *r[: 1 if f in UNARY else 2]),)
        e = Expression(("float32", "float32"), steps, (2,))
        assert backend.generated(e) == e


SHORT = Expression(
    ("float32", "float32"),
    (
        *(step("neg", r[1]), step("exp", r[0]), step("mul", r[3], r[2]), step("lt", r[0], HALF)),
        Step("where", "where", (r[5], r[4], r[3]), "float32"),
    ),
    (2, 6),
)
STANDING = [False, True, True, False, False, False, False], [5, 6]  # alone, slots


def test_the_c_of_a_chain() -> None:
    if AVAILABLE["c"] is not None:
        pytest.skip(AVAILABLE["c"])
    text = c_generate.source(SHORT, *STANDING)
    before = text[text.index("chain(char") :]
    assert "/* r2 = neg(r1); r3 = exp(r0); " in text
    for line in (
        *("load_f32(r0, at[0], i, left);", "unary_exp_f32(r3, r0);"),
        *("binary_mul_f32(r4, r3, z->r2);", "binary_lt_f32(r5, r0, z->c0);"),
        *("where_f32(r6, r5, r4, r3);", "store_f32(at[6], r6, i, left);"),
    ):
        assert f"    {line}\n" in text
        assert line not in before
    for line in (
        *("repeat_f32(z.r1, at[1]);", "unary_neg_f32(z.r2, z.r1);"),
        *("repeat_f32(z.c0, at[2]);", "store_f32(at[5], z.r2, 0, 1);"),
    ):
        assert f"    {line}\n" in before


def test_the_python_of_a_chain() -> None:
    if AVAILABLE["numba"] is not None:
        pytest.skip(AVAILABLE["numba"])
    from etude.backends import numba_generate

    text, names = numba_generate.source(SHORT, *STANDING)
    before, group = text.split("    for i in range(first, last):\n")
    assert group.splitlines() == [
        "        r0 = take(x0, i)",
        "        r3 = into_float32(unary_exp_float32(float32(apart_float32(r0, z0))))",
        "        r4 = into_float32(binary_mul_float32(float32(r3), float32(r2)))",
        "        r5 = into_bool(binary_lt_float32(float32(r0), float32(c0)))",
        "        r6 = r4 if r5 else r3",
        "        put(y6, i, r6)",
    ]
    for line in ("r1 = take(x1, 0)", "c0 = take(pc0, 0)", "z0 = take(zeros, 0)", "put(y2, 0, r2)"):
        assert f"    {line}\n" in before
    assert {"pointer_float32", "apart_float32", "into_bool", "unary_exp_float32"} <= names.keys()


def test_backends_without_code() -> None:
    for name in ("python", "numpy"):
        f = etude.compile(lambda x: (x * 2).exp() + 1, generate=True)
        x = etude.tensor([1.0, -2.0], backend=name)
        assert f(x).tolist() == ((x * 2).exp() + 1).tolist()
        assert f.programs[-1][1] is f.programs[-2][1]


# steps --------------------------------------------------------------------------------------------
def trained(name: str, generate: bool) -> tuple[Any, list[bytes]]:
    """A step of a network with GELU, compiled, and the bits of all that it made in four runs."""
    etude.manual_seed(3)
    net = nn.Sequential(nn.Linear(20, 33), nn.GELU(), nn.Linear(33, 7)).to(name)
    o = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x = etude.randn(9, 20, backend=name)

    @etude.compile(generate=generate)
    def step(x: Any) -> Any:
        o.zero_grad()
        y = net(x)
        loss = ((y - 1).tanh() * y.sigmoid() + y.exp()).mean()
        loss.backward()
        o.step()
        return loss

    made = [step(x) for _ in range(4)]
    return step, [v.detach().numpy().tobytes() for v in (*made, *net.parameters())]


@pytest.mark.parametrize("name", GENERATING)
def test_a_training_step(name: str) -> None:
    (plain, expected), (step, got) = (trained(name, generate) for generate in (False, True))
    assert got == expected
    assert step.cache_info() == plain.cache_info()
    assert [p for p, _ in step.programs] == [*(p for p, _ in plain.programs), "generate"]
    report = step.explain()
    assert "generate" in report
    assert "one generated call" in report
    assert "generated" not in plain.explain()


def test_the_tape_runs_generated_code() -> None:
    if WHY["c"] is not None:
        pytest.skip(WHY["c"])
    step, _ = trained("c", True)
    runner = step.entries[0].runner
    assert not runner.called
    assert etude.backends.get("c").compile_seconds > 0


# what is kept, and what may be missing ------------------------------------------------------------
PROGRAM = """
import sys
from pathlib import Path
import etude
name, place = sys.argv[1:]
if name == "c":
    from etude.backends import c_generate
    c_generate.bases = lambda package: [Path(place)]
    count = lambda: c_generate.Compilations.count
else:
    from etude.kernels.numba_cpu import generated, toolchain
    generated.folder = lambda path: place if Path(place).is_dir() else None
    count = lambda: toolchain.compilations().count
x = etude.tensor([0.5, -1.0, 3.0], backend=name)
f = etude.compile(lambda x: (x * 2 + 1).exp() - x, generate=True)
print(f(x).tolist(), f"generated={f.programs[-1][1].instructions[0].arguments[0].generated}")
print(count())
"""


def run(name: str, place: Path) -> list[str]:
    """What a process of its own prints, with its cache in a folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, name, str(place)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", GENERATING)
def test_a_second_process_compiles_nothing(name: str, tmp_path: Path) -> None:
    first, second = (run(name, tmp_path) for _ in range(2))
    assert first[0] == second[0]
    assert first[0].endswith("generated=True")
    assert (int(first[1]) > 0, int(second[1])) == (True, 0)


@pytest.mark.parametrize("name", GENERATING)
def test_without_a_place_for_the_cache(name: str, tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("no folder can be made in it")
    lines = run(name, place / "cache")
    assert lines[0].endswith("generated=True")
    assert int(lines[1]) > 0


def chained() -> tuple[Any, Any]:
    """A function to compile and its argument, on C."""
    if AVAILABLE["c"] is not None:
        pytest.skip(AVAILABLE["c"])
    x = etude.tensor([0.5, -1.0], backend="c")
    return (lambda x: (x * 1.375 + 1).exp() - x), x


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    f, x = chained()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ImportError,
        match=r"generate=True makes C, and found no compiler: expected \$CC, cc, gcc or clang; "
        "install gcc or clang, set CC to one, or leave out generate=True",
    ):
        etude.compile(f, generate=True)(x)
    assert etude.compile(f)(x).tolist() == f(x).tolist()


def test_a_compiler_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    f, x = chained()
    monkeypatch.setattr(c_generate, "bases", lambda package: [tmp_path])
    command = tmp_path / "cc"
    command.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("CC", str(command))
    with pytest.raises(
        ImportError,
        match=r"cc could not compile the C of a chain; set CC to another compiler, or leave out "
        "generate=True. It says: no space left",
    ):
        etude.compile(f, generate=True)(x)
    assert list(tmp_path.glob("chains-*/*")) == []


def test_the_compiler_that_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    if WHY["c"] is not None:
        pytest.skip(WHY["c"])
    usual = c_generate.compiler()
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    assert c_generate.compiler() == usual
    monkeypatch.setenv("CC", f"{sys.executable} -x")
    assert c_generate.compiler().command[:2] == [sys.executable, "-x"]
    assert c_generate.compiler().digest != usual.digest
