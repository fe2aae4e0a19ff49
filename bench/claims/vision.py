"""Claims about how convolutional nets are fooled."""

from __future__ import annotations

import etude
from etude import optim
from etude.framework.visualize import fgsm

from .claim import Claim, Found, Setting, in_each
from .common import digits, error, fit
from .networks import conv_net


def adversarial(s: Setting) -> Found:
    """A convolutional net, and steps of its test digits by the gradient's sign or a random one."""
    d = digits(s.seed)
    model = conv_net(24, 48)
    for rate in (0.003, 0.001, 0.0003):
        fit(model, d.x, d.y, s.pick(500, 3), optim.Adam(model.parameters(), rate))
    span = max(d.x.max().item(), d.test_x.max().item()) - d.black
    sizes = [0.0, 0.05, 0.1, 0.15, 0.2, 0.3]
    wrong, noisy, shown = [], [], d.test_x
    for eps in sizes:
        step = eps * span
        high = d.black + span
        x = fgsm(model, d.test_x, d.test_y, step, low=d.black, high=high)
        signs = etude.where(etude.rand_like(d.test_x) < 0.5, -step, step)
        wrong.append(error(model, x, d.test_y))
        noisy.append(error(model, (d.test_x + signs).clamp(d.black, high), d.test_y))
        shown = x if eps == 0.2 else shown
    pairs = etude.cat([d.test_x[:20], shown[:20]])
    images = ((pairs - d.black) / span).reshape(-1, 8, 8).numpy()
    effects = {
        "% right": 100.0 - wrong[0],
        "% right at eps 0.2": 100.0 - wrong[4],
        "% right, random signs": 100.0 - noisy[4],
    }
    return Found(effects, {"FGSM": (sizes, wrong), "random signs": (sizes, noisy)}, images)


CLAIMS = [
    Claim("fgsm", "D0", "one signed gradient step breaks a net that reads 98 % of the digits",
          "digits", in_each("> 97 % right; < 50 % at eps 0.2; > 80 % with random signs", lambda e:
          e["% right"] > 97 and e["% right at eps 0.2"] < 50 and e["% right, random signs"] > 80),
          adversarial, ("eps, as a share of the range of pixels", "% wrong", "linear"),
          "test digits, and below them with eps 0.2"),
]  # fmt: skip
