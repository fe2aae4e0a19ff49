"""Claims about saying for each pixel what it shows."""

from __future__ import annotations

import etude
from etude import Tensor, nn, optim
from etude import functional as F
from etude.framework.models.fcn import FCN

from .claim import Claim, Found, Setting, in_each
from .common import fit
from .detection import backbone, shapes


class Maps(nn.Module):
    """The backbone as FCN wants it: a list of maps, here one at a fourth of the image's size."""

    map_channels = (32,)

    def __init__(self) -> None:
        super().__init__()
        self.features = backbone()

    def maps(self, x: Tensor) -> list[Tensor]:
        return [self.features(x)]


def near_outlines(masks: Tensor) -> Tensor:
    """True within two pixels of where a mask changes."""
    m = masks.float().unsqueeze(1)
    around = F.max_pool2d(m, 5, 1, 2) + F.max_pool2d(-m, 5, 1, 2)
    return (around != 0)[:, 0]


def refined(logits: Tensor, x: Tensor, weight: float) -> Tensor:
    """The classes of all pixels after mean-field inference, ten images at a time."""
    found = []
    for i in range(0, len(x), 10):
        pairs = F.crf_pairwise(x[i : i + 10], weight, 1 / 50, 3.0, weight, 1 / 4)
        theta = -F.log_softmax(logits[i : i + 10], 1)
        found.append(F.crf_mean_field(theta, pairs, 5).argmax(1))
    return etude.cat(found)


def outlines(s: Setting) -> Found:
    """Pixels within two of an outline that a coarse FCN gets wrong, and with a CRF on top of it,
    whose weight is the best of four on 30 images of the training set."""
    n, held = s.pick((300, 40), (16, 4))
    x, _, masks = shapes(n, s.seed)
    test_x, _, test_masks = shapes(held, s.seed + 1000)
    y, test_y = etude.tensor(masks), etude.tensor(test_masks)
    model = FCN(Maps(), 2, 32)
    fit(model, x, y, s.pick(250, 2), optim.Adam(model.parameters(), 0.003), batch=16)
    model.eval()
    with etude.no_grad():
        logits, own = model(test_x), model(x[: s.pick(30, 2)])

        def wrong(guess: Tensor, truth: Tensor) -> float:
            edge = near_outlines(truth)
            return 100.0 * ((guess != truth) & edge).sum().item() / edge.sum().item()

        tried = s.pick((0.01, 0.03, 0.1, 0.3), (0.1,))
        few = x[: len(own)]
        errors = [wrong(refined(own, few, w), y[: len(own)]) for w in tried]
        guess = refined(logits, test_x, tried[errors.index(min(errors))])
        effects = {
            "% wrong near outlines, FCN": wrong(logits.argmax(1), test_y),
            "% wrong near outlines, FCN + CRF": wrong(guess, test_y),
        }
    rows = [test_x[:10, 0] / 2.0 + 0.25, test_y[:10], logits.argmax(1)[:10], guess[:10]]
    shown = etude.cat([row.float() for row in rows]).clamp(0, 1).numpy()
    return Found(effects, {"weight of the CRF": (list(tried), errors)}, shown)


CLAIMS = [
    Claim("crf", "D3", "a fully connected CRF sharpens the outlines of an FCN", "synthetic",
          in_each("a fifth fewer pixels wrong near outlines", lambda e:
          e["% wrong near outlines, FCN + CRF"] < 0.8 * e["% wrong near outlines, FCN"]),
          outlines, ("weight", "% wrong near outlines", "linear"),
          "from above: images, truth, FCN, FCN + CRF"),
]  # fmt: skip
