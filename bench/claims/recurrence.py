"""Claims about nets that read sequences."""

from __future__ import annotations

from typing import Any

import etude
from etude import Tensor, nn, optim
from etude import functional as F

from .claim import Claim, Found, Setting, in_each
from .common import error, fit


class Reader(nn.Module):
    """A recurrent layer and a decision from its last state."""

    def __init__(self, cell: Any, hidden: int) -> None:
        super().__init__()
        self.cell = cell(2, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cell(x)[0][:, -1])


def reader(cell: Any, lag: int, prepared: bool) -> Reader:
    """As layers start, with forget gates at 1 (Jozefowicz et al. 2015); or `prepared` for lags.

    An RNN by orthogonal weights (Le et al. 2015), an LSTM by forget and input gates that are spread
    over times up to the lag (Tallec & Ollivier 2018).
    """
    n = 16
    model = Reader(cell, n)
    with etude.no_grad():
        if cell is nn.LSTM:
            open_ = F.log(1.0 + etude.rand(n) * (lag - 2)) if prepared else etude.ones(n)
            model.cell.bias_ih_l0[n : 2 * n] = open_
            if prepared:
                model.cell.bias_ih_l0[:n] = -open_
            model.cell.bias_hh_l0[: 2 * n] = 0.0
        elif prepared:
            nn.init.orthogonal_(model.cell.weight_hh_l0)
    return model


def memory(s: Setting) -> Found:
    """The sign of a first number, asked for after a lag of noise of the same size.

    Each net from both starts and with both rates; that which is best on 500 sequences is tried on
    500 others.
    """
    effects, curves = {}, {}
    lags = s.pick((30, 60, 120, 240), (5,))
    for name, cell in (("RNN", nn.RNN), ("LSTM", nn.LSTM)):
        found = []
        for lag in lags:
            etude.manual_seed(s.seed)
            n = s.pick(3000, 1100)
            y = etude.randint(2, (n,))
            start = etude.stack([y.float() * 2 - 1, etude.ones(n)], 1).unsqueeze(1)
            noise = etude.cat([etude.randn(n, lag, 1), etude.zeros(n, lag, 1)], 2)
            x = etude.cat([start, noise], 1)
            tried = []
            for prepared in (False, True):
                for rate in s.pick((0.003, 0.01), (0.003,)):
                    etude.manual_seed(s.seed)
                    model = reader(cell, lag, prepared)
                    optimizer = optim.Adam(model.parameters(), rate)
                    clip = lambda m=model: nn.utils.clip_grad_norm_(m.parameters(), 1.0)  # noqa: E731
                    few = x[:-1000], y[:-1000]
                    fit(model, *few, s.pick(1500, 2), optimizer, batch=32, before_step=clip)
                    parts = (slice(-1000, -500), slice(-500, None))
                    tried.append(tuple(error(model, x[part], y[part]) for part in parts))
            found.append(min(tried)[1])
            effects[f"% wrong, {name} lag {lag}"] = found[-1]
        curves[name] = ([float(lag) for lag in lags], found)
    return Found(effects, curves)


def remembers(e: dict[str, float]) -> bool:
    lags = [k.split()[-1] for k in e if "LSTM" in k]
    return any(e[f"% wrong, LSTM lag {k}"] < 5 and e[f"% wrong, RNN lag {k}"] > 30 for k in lags)


CLAIMS = [
    Claim("memory", "D3", "an LSTM remembers over a lag where a simple RNN does not",
          "synthetic", in_each("at one of the lags LSTM < 5 % wrong, RNN > 30 %", remembers),
          memory, ("lag", "% wrong", "linear")),
]  # fmt: skip
