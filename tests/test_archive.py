"""Saved programs: they give what the model gave, and no file makes a backend read wrongly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import etude
from etude import functional as F
from etude import nn, optim
from etude.backends.base import Constant, Expression, Instruction, Register, Step, Value
from etude.framework import models
from etude.framework.compile.archive import load_program, save_program
from etude.framework.compile.passes import EXACT
from etude.framework.errors import ArgumentError, BackendMismatch, BadFile, ShapeError
from etude.framework.graph import Program, record

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


class Tagger(nn.Module):
    """Embedding, LSTM, a layer for each step; returns a dict with a tuple in it."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(7, 5)
        self.rnn = nn.LSTM(5, 4)
        self.norm = nn.LayerNorm(4)
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        h, (last, cell) = self.rnn(self.words(x))
        scores = F.log_softmax(self.out(self.norm(h.clone())), -1)
        return {"scores": scores, "best": scores.argmax(-1), "state": (last, [cell, None, "lstm"])}


def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3))


MODELS = {
    "lenet5": (lambda: models.create("lenet5"), lambda: etude.rand(2, 1, 32, 32)),
    "resnet20": (lambda: models.create("resnet20"), lambda: etude.rand(2, 3, 16, 16)),
    "mlp": (mlp, lambda: etude.rand(5, 4)),
    "tagger": (Tagger, lambda: etude.tensor([[0, 6, 3], [2, 2, 5]])),
}


def build(name, backend="numpy"):
    make, draw = MODELS[name]
    etude.manual_seed(3)
    with etude.use_backend(backend):
        model, x = make().eval(), draw()
    return model, x


def recorded(model, *inputs):
    with etude.no_grad():
        return record(model, *inputs, state=[model])


def flat(nest):
    if isinstance(nest, etude.Tensor):
        return [(nest.dtype, nest.shape, nest.tolist())]
    if isinstance(nest, dict):
        return [(k, flat(v)) for k, v in nest.items()]
    return [type(nest), *map(flat, nest)] if isinstance(nest, (list, tuple)) else nest


def close(nest, expected):
    """Whether two nests of tensors are equal up to rounding."""
    if isinstance(nest, etude.Tensor):
        same = (nest.dtype, nest.shape) == (expected.dtype, expected.shape)
        gap = (nest.double() - expected.double()).abs()
        return same and (0 in gap.shape or gap.max().item() < 1e-4)
    if isinstance(nest, dict):
        return all(close(nest[k], expected[k]) for k in expected)
    return all(map(close, nest, expected)) if isinstance(nest, (list, tuple)) else nest == expected


@pytest.mark.no_cover  # long, and every line is reached by others
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
def test_equal_to_eager_to_the_bit_on_every_backend(tmp_path, name, backend):
    path = save_program(recorded(*build(name)), tmp_path / "p")
    model, x = build(name, backend)
    with etude.no_grad():
        expected = flat(model(x))
    program = load_program(path, backend, EXACT)
    assert flat(program(x)) == expected
    assert flat(load_program(path, "numpy", EXACT).to(backend)(x)) == expected
    assert close(load_program(path, backend)(x), program(x))
    again = program.save(tmp_path / "q")
    assert again.read_bytes() == path.read_bytes()
    assert {t.backend.name for t in program.weights.values()} == {backend}


def test_runs_where_the_model_is_not_known(tmp_path):
    model, x = build("tagger")
    path = save_program(recorded(model, x), tmp_path / "p")
    code = f"""
import etude
program = etude.load_program({str(path)!r}, "python")
print(program(etude.tensor({x.tolist()}, backend="python"))["best"].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    with etude.no_grad():
        assert done.stdout.strip() == str(model(x)["best"].tolist())


def test_weights_are_ordinary_tensors_by_name(tmp_path):
    model, x = build("lenet5")
    path = save_program(recorded(model, x), tmp_path / "p.safetensors")
    found = etude.weights.load(path)
    assert found.keys() == model.state_dict().keys()
    assert load_program(path).weights["fc1.bias"].tolist() == model.fc1.bias.tolist()


def test_only_what_results_need_is_saved(tmp_path):
    w, unused = etude.rand(3, 3), etude.rand(9)

    def f(x):
        (unused * 2.0).sum()
        return x @ w + etude.tensor([1.0, 2.0, 3.0])

    path = save_program(record(f, etude.ones(2, 3), state=[w, unused]), tmp_path / "p")
    program = load_program(path)
    assert [i.method for i in program.program.instructions] == ["matmul", "cast", "binary"]
    assert len(program.weights) == 1
    assert program(etude.ones(2, 3)).tolist() == f(etude.ones(2, 3)).tolist()


def test_gradients_of_inputs_can_be_saved(tmp_path):
    model, x = build("lenet5")

    def saliency(x):
        (g,) = etude.grad(model(x).sum(), [x])
        return g.abs()

    x.requires_grad_()
    program = load_program(save_program(record(saliency, x, state=[model]), tmp_path / "p"))
    assert program(x.detach()).tolist() == saliency(x).tolist()


def test_checks_of_values_stay(tmp_path):
    model, x = build("tagger")
    program = load_program(save_program(recorded(model, x), tmp_path / "p"))
    with pytest.raises(IndexError):
        program(etude.tensor([[0, 7, 3], [2, 2, 5]]))


def test_numbers_that_json_has_not(tmp_path):
    def f(x):
        return etude.where(x > 0, x, float("-inf")).maximum(float("nan"))

    program = load_program(save_program(record(f, etude.ones(2)), tmp_path / "p"))
    assert str(program(etude.tensor([1.0, -1.0]))) == str(f(etude.tensor([1.0, -1.0])))
    assert b"NaN" not in (tmp_path / "p").read_bytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_functions_can_be_saved(tmp_path, backend):
    model, x = build("tagger", backend)
    with etude.no_grad():
        f = etude.compile(lambda x, scale: [model(x)["scores"] * scale, "scaled"])
        expected = f(x, 2.0)
    path = f.save(tmp_path / "p")
    assert flat(etude.load_program(path, backend)(x)) == flat(expected)


def test_what_a_compiled_function_does_besides_is_refused(tmp_path):
    w = etude.ones(3, requires_grad=True)
    f = etude.compile(lambda x: (x * w).sum())
    with pytest.raises(ArgumentError, match="expected a recording, got none yet"):
        f.save(tmp_path / "p")

    def changes(x):
        x.add_(1.0)
        return x.sum()

    def differentiates(x):
        (x * x).sum().backward()
        return x.sum()

    for g, what in ((changes, "changes its arguments"), (differentiates, "changes its arguments")):
        h = etude.compile(g)
        h(etude.ones(3, requires_grad=g is differentiates))
        with pytest.raises(ArgumentError, match=what):
            h.save(tmp_path / "p")


def fused_program():
    """where(x > 0, x * y + 0.5, nan) and its sum over rows, in one instruction."""
    x, y, a, b = Value(0, (2, 3), "float32"), Value(1, (3,), "float32"), *map(none, (2, 3))
    r = [Register(i) for i in range(5)]
    steps = (
        Step("binary", "mul", (r[0], r[1]), "float32"),
        Step("binary", "add", (r[2], Constant(0.5)), "float32"),
        Step("binary", "gt", (r[0], Constant(0.0)), "bool"),
        Step("where", "where", (r[4], r[3], Constant(float("nan"))), "float32"),
        Step("cast", "float64", (r[3],), "float64"),
    )
    e = Expression(("float32", "float32"), steps, (5, 6), ("sum", (1,)))
    a.shape, a.dtype, b.shape, b.dtype = (2, 3), "float32", (2,), "float64"
    line = Instruction("fused", (e, [x, y], (2, 3)), (a, b))
    return Program(inputs=[x, y], outputs=[a, b], instructions=[line], structure=tuple)


def none(number):
    return Value(number, None, None)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fused_expressions(tmp_path, backend):
    program = fused_program()
    found = load_program(save_program(program, tmp_path / "p"), backend)
    assert found.program.instructions[0].arguments[0] == program.instructions[0].arguments[0]
    x = etude.tensor([[1.0, -1.0, 2.0], [3.0, 4.0, -2.0]], backend=backend)
    whole, total = found(x, etude.tensor([1.0, 2.0, 3.0], backend=backend))
    assert str(whole.tolist()) == "[[1.5, nan, 6.5], [3.5, 8.5, nan]]"
    assert (total.tolist(), total.dtype) == ([6.5, 6.5], etude.float64)


def test_it_prints(tmp_path):
    program = load_program(save_program(recorded(*build("lenet5")), tmp_path / "p"), "numpy")
    assert "conv(%10, %0, %1, stride=(1, 1)" in str(program)
    assert "# LeNet5.conv1" in str(program)
    assert repr(program).startswith("<program of 12 instructions on 'numpy', inputs float32 (2, 1,")


# what cannot be saved -----------------------------------------------------------------------------
def trains(**options):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(options.get("p", 0.0)))
    opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x):
        loss = model(x).sum()
        if options.get("backward"):
            loss.backward()
        if options.get("step"):
            opt.step()
        opt.zero_grad() if options.get("forget") else None
        return loss

    step(etude.rand(3, 4))
    opt.zero_grad()
    return record(step, etude.rand(3, 4), state=[model, opt])


REFUSED = {
    "gradients": ({"backward": True}, "it leaves gradients in parameters; save the forward pass"),
    "optimizer": ({"backward": True, "step": True, "forget": True}, "it reads <lr> of an optim"),
    "random": ({"p": 0.5}, r"it draws random numbers; switch dropout off with model.eval\(\)"),
    "statistics": ({}, r"it changes 1.running_mean; call model.eval\(\) first"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_programs_that_train_are_refused(tmp_path, name):
    options, message = REFUSED[name]
    with pytest.raises(ArgumentError, match=message):
        save_program(trains(**options), tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_changes_in_place_are_refused(tmp_path):
    x = Value(0, (2,), "float32")
    line = Instruction("assign", (x, x), ())
    with pytest.raises(ArgumentError, match="assign changes memory in place"):
        save_program(Program(inputs=[x], outputs=[x], instructions=[line]), tmp_path / "p")


def test_results_that_are_no_tensors_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="got a set"):
        save_program(record(lambda x: (x, {1}), etude.ones(2)), tmp_path / "p")


# what it is called with ---------------------------------------------------------------------------
def test_wrong_inputs(tmp_path):
    program = load_program(save_program(recorded(*build("mlp")), tmp_path / "p"), "numpy")
    with pytest.raises(ShapeError, match=r"expected float32 \(5, 4\), as when it was recorded"):
        program(etude.rand(6, 4))
    with pytest.raises(ShapeError, match="got float64"):
        program(etude.rand(5, 4).double())
    with pytest.raises(BackendMismatch, match=r"move it with .to\('numpy'\), or the program"):
        program(etude.rand(5, 4, backend="python"))
    with pytest.raises(ArgumentError, match="expected 1 tensors, got 2"):
        program(etude.rand(5, 4), etude.rand(5, 4))
    with pytest.raises(ArgumentError, match=r"expected 1 tensors, got \[1.0\]"):
        program([1.0])


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = save_program(recorded(*build("mlp")), tmp_path / "p")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadFile, match="No space left"):
        save_program(recorded(*build("tagger")), path)
    assert path.read_bytes() == before
