"""Training with and without etude.compile: everything that is left, to be compared."""

from __future__ import annotations

from typing import Any

import etude
from etude import functional as F
from etude import nn, optim
from etude.framework.compile.passes import EXACT

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.1),
    "momentum": lambda p: optim.SGD(p, 0.1, 0.9, dampening=0.2, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, 0.1, 0.9, nesterov=True, maximize=True),
    "adam": lambda p: optim.Adam(p, 0.01, (0.8, 0.95), 1e-3, 0.1),
    "adamw": lambda p: optim.AdamW(p, 0.01),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5, weight_decay=0.1),
    "D0": lambda p: optim.SGD(p, 0.1, 0.9, weight_decay=0.01, nesterov=True, form="D0"),
    "D2": lambda p: optim.SGD(p, 0.1, 0.9, form="D2"),
    "amsgrad": lambda p: optim.Adam(p, 0.01, (0.5, 0.6), amsgrad=True),
    "together": lambda p: optim.AllTogether(p, 0.1, 0.9, 0.01, 0.1),
    "adagrad": lambda p: optim.Adagrad(p, 0.1, 0.1, 0.01),
}
SCHEDULES = {
    "none": lambda o: None,
    "cosine": lambda o: optim.CosineAnnealingLR(o, 7),
    "step": lambda o: optim.StepLR(o, 2, 0.5),
    "lambda": lambda o: optim.LambdaLR(o, lambda t: 1.0 / (t + 1)),
    "warm-up": lambda o: optim.SequentialLR(
        o, [optim.LinearLR(o, 0.1, total_iters=3), optim.ExponentialLR(o, 0.9)], [3]
    ),
}


def plain(x: Any) -> Any:
    """Tensors of a nest as bytes, so that == compares to the bit."""
    if isinstance(x, etude.Tensor):
        return x.detach().cpu().numpy().tobytes(), x.dtype, x.shape, x.requires_grad
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return type(x)(map(plain, x)) if isinstance(x, (list, tuple)) else x


def net(backend: str) -> nn.Module:
    etude.manual_seed(3)
    with etude.use_backend(backend):
        return nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3)
        )


def train(
    backend: str, optimizer: str, schedule: str, compiled: bool, passes: Any = EXACT
) -> dict[str, Any]:
    """Eight steps: what each returned, and everything that is left."""
    with etude.use_backend(backend):
        model = net(backend)
        opt = OPTIMIZERS[optimizer](model.parameters())
        plan = SCHEDULES[schedule](opt)

        def step(x, y):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = optim.clip_grad_norm_(model.parameters(), 0.5)
            opt.step()
            if plan is not None:
                plan.step()
            return {"loss": loss, "norm": norm}

        run = etude.compile(step, passes=passes) if compiled else step
        results = []
        for i in range(8):
            if i == 5:
                opt.param_groups[0]["lr"] *= 0.5  # by hand, besides the schedule
            results.append(run(etude.rand(5, 4), etude.tensor([0, 1, 2, 1, 0])))
        if compiled:
            assert run.cache_info().size == 1
            assert run.cache_info().hits >= 6
        return {
            "results": plain(results),
            "model": plain(model.state_dict()),
            "optimizer": plain(opt.state_dict()),
            "schedule": None if plan is None else plan.state_dict(),
            "gradients": [plain(p.grad) for p in model.parameters()],
            "rng": etude.get_rng_state(),
        }
