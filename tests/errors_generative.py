"""Wrong calls of generative losses, penalties, and pooling of regions and pyramids."""

from __future__ import annotations

from typing import Any

from wrong import Wrong

import etude
from etude import functional as F
from etude import nn
from etude.framework.errors import (
    ArgumentError,
    CallError,
    DTypeError,
    GradError,
    IndexOutOfRange,
    ShapeError,
)


def x(*shape: int, **kwargs: Any) -> Any:
    return etude.ones(shape, **kwargs)


def box(*numbers: float) -> Any:
    return etude.tensor([list(map(float, numbers))])


def encoder(**given: Any) -> Any:
    def call() -> Any:
        inputs = x(3, 2, requires_grad=True)
        return F.contractive_penalty(inputs * 2.0, inputs, **given)

    return call


MAPS = x(2, 3, 4, 5)
POOLS = [
    Wrong("roi_pool one map", lambda: F.roi_pool(x(3, 4, 5), box(0, 0, 0, 1, 1), 2), ShapeError),
    Wrong("roi_pool corners alone", lambda: F.roi_pool(MAPS, x(1, 4), 2), ShapeError, "(1, 4)"),
    Wrong(
        "roi_pool too few lists", lambda: F.roi_pool(MAPS, [x(1, 4)], 2), ShapeError, "2 tensors"
    ),
    Wrong(
        "roi_pool another image",
        lambda: F.roi_pool(MAPS, box(2, 0, 0, 1, 1), 2),
        IndexOutOfRange,
        "2",
    ),
    Wrong(
        "roi_pool outside",
        lambda: F.roi_pool(MAPS, box(0, 0, -1, 1, 1), 2),
        ArgumentError,
        "-1.0",
        "clip",
    ),
    Wrong(
        "roi_pool too far right",
        lambda: F.roi_pool(MAPS, box(0, 0, 0, 7, 1), 2),
        ArgumentError,
        "7.0",
    ),
    Wrong("roi_pool no cells", lambda: F.roi_pool(MAPS, x(1, 5), 0), ArgumentError, "output_size"),
    Wrong("spatial_pyramid_pool one image", lambda: F.spatial_pyramid_pool(x(3, 4, 5)), ShapeError),
    Wrong("spatial_pyramid_pool no level", lambda: F.spatial_pyramid_pool(MAPS, ()), ArgumentError),
    Wrong(
        "spatial_pyramid_pool level 0",
        lambda: F.spatial_pyramid_pool(MAPS, (2, 0)),
        ArgumentError,
        "0",
    ),
    Wrong(
        "spatial_pyramid_pool mode",
        lambda: F.spatial_pyramid_pool(MAPS, mode="sum"),
        ArgumentError,
        "'sum'",
    ),
    Wrong("RoIPool scale 0", lambda: nn.RoIPool(7, 0.0), ArgumentError, "spatial_scale"),
    Wrong("SpatialPyramidPool level", lambda: nn.SpatialPyramidPool((0,)), ArgumentError, "0"),
    Wrong("LPPool2d power 0", lambda: nn.LPPool2d(0, 2), ArgumentError, "norm_type"),
    Wrong("MaxUnpool2d kernel", lambda: nn.MaxUnpool2d(0), ArgumentError, "kernel_size"),
    Wrong("AdaptiveMaxPool2d size", lambda: nn.AdaptiveMaxPool2d(-1), ArgumentError, "-1"),
    Wrong("L2Normalize eps", lambda: nn.L2Normalize(eps=-1.0), ArgumentError, "eps"),
]

LOSSES = [
    Wrong("reparameterize shapes", lambda: F.reparameterize(x(2, 3), x(3)), ShapeError, "log_var"),
    Wrong("reparameterize noise", lambda: F.reparameterize(x(2), x(2), x(3)), ShapeError, "noise"),
    Wrong("gaussian_kl shapes", lambda: F.gaussian_kl(x(2, 3), x(2, 1)), ShapeError, "(2, 1)"),
    Wrong("gaussian_kl no axis", lambda: F.gaussian_kl(x(), x()), ShapeError, "()"),
    Wrong(
        "elbo latents of other examples",
        lambda: F.elbo(x(4, 5), x(4, 5), x(3, 2), x(3, 2)),
        ShapeError,
        "(3, 2)",
    ),
    Wrong(
        "elbo likelihood",
        lambda: F.elbo(x(4, 5), x(4, 5), x(4, 2), x(4, 2), "normal"),
        ArgumentError,
        "'normal'",
    ),
    Wrong(
        "elbo beta below 0",
        lambda: F.elbo(x(4, 5), x(4, 5), x(4, 2), x(4, 2), beta=-1.0),
        ArgumentError,
        "beta",
    ),
    Wrong(
        "gan_discriminator_loss labels",
        lambda: F.gan_discriminator_loss(etude.tensor([1]), x(1)),
        DTypeError,
    ),
    Wrong(
        "gan_generator_loss form", lambda: F.gan_generator_loss(x(2), "max"), ArgumentError, "'max'"
    ),
    Wrong("optimal_discriminator shapes", lambda: F.optimal_discriminator(x(2), x(3)), ShapeError),
    Wrong(
        "mutual_information_bound one axis",
        lambda: F.mutual_information_bound(x(3), x(3)),
        ShapeError,
        "(3,)",
    ),
    Wrong(
        "mutual_information_bound codes",
        lambda: F.mutual_information_bound(x(3, 2), x(3, 1)),
        ShapeError,
        "(3, 1)",
    ),
]

PENALTIES = [
    Wrong("l2_penalty one tensor", lambda: F.l2_penalty(x(3)), CallError, "list"),
    Wrong("l2_penalty nothing", lambda: F.l2_penalty([]), ArgumentError, "none"),
    Wrong(
        "l1_penalty biases alone",
        lambda: F.l1_penalty([x(3)], weights_only=True),
        ArgumentError,
        "two axes",
    ),
    Wrong("l2_penalty strength", lambda: F.l2_penalty([x(3)], -1.0), ArgumentError, "strength"),
    Wrong("l1_penalty labels", lambda: F.l1_penalty([etude.tensor([1])]), DTypeError, "int64"),
    Wrong("activity_penalty one axis", lambda: F.activity_penalty(x(3)), ShapeError, "(3,)"),
    Wrong(
        "contractive_penalty no gradient",
        lambda: F.contractive_penalty(x(3, 2), x(3, 4)),
        GradError,
        "requires_grad_()",
    ),
    Wrong(
        "contractive_penalty other examples",
        lambda: F.contractive_penalty(x(3, 2), x(2, 4)),
        ShapeError,
        "(2, 4)",
    ),
    Wrong("contractive_penalty samples", encoder(samples=0), ArgumentError, "samples"),
    Wrong("contractive_penalty strength", encoder(strength=-1.0), ArgumentError, "strength"),
    Wrong(
        "contractive_penalty no units",
        lambda: F.contractive_penalty(x(3, 0), x(3, 2, requires_grad=True)),
        ShapeError,
        "(3, 0)",
    ),
]

WRONG = [*POOLS, *LOSSES, *PENALTIES]
