"""explain(): what each pass did, said so that one can read it."""

from __future__ import annotations

from test_compile_passes import NUMPY, X

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework.compile.explain import explain
from etude.framework.compile.passes import stages
from etude.framework.graph import record


def test_explain_tells_what_each_pass_did():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    opt = optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(model(x * 2.0 + 1.0), y)
        loss.backward()
        opt.step()
        return loss

    program = record(step, X, etude.tensor([0, 1]), state=[model, opt])
    text = explain([("recorded", program), *stages(program, NUMPY)])
    assert "\neager " in text
    assert "\ncross_entropy*     -" in text
    assert "calls    kFLOP kB moved  at once" in text
    assert (
        "== epilogue: take bias and activation into the product before them ==\n"
        "  - %8: float32[2, 4] = linear(%7, 0.weight, 0.bias)  # Sequential.0\n"
        "  - %9: float32[2, 4] = relu(%8)  # Sequential.1\n"
        "  + %9: float32[2, 4] = linear(%7, 0.weight, 0.bias, activation='relu')  # Sequential.0\n"
    ) in text
    assert "  + %7: float32[2, 3] = one call: add(mul(input0, 2.0), 1.0)\n" in text
    assert "# gradient of Sequential.2\n" in text
    assert max(map(len, text.splitlines())) <= 120


def test_explain_shortens_long_programs():
    def f(x):
        parts = [(x * float(n)).exp().t() @ x for n in range(40)]
        return etude.cat(parts, 0)

    program = record(f, X)
    text = explain([("recorded", program), *stages(program, NUMPY)])
    assert " more changes" in text
    assert "more ..." in text
    assert len(text.splitlines()) < 250
