"""Losses of generative models: variational auto-encoders, adversarial pairs, InfoGAN.

`reduction` is "mean", "sum" or "none" over examples; what belongs to one example is summed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import tensor as _tensor
from ..checks import choice, real
from ..errors import ShapeError, fail
from ..ops import derivatives as e
from ..ops.checks import float_tensor
from ..ops.sampling import Generator, randn_like
from .common import reduced, same_shape
from .losses_classify import cross_entropy

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "elbo",
    "gan_discriminator_loss",
    "gan_generator_loss",
    "gaussian_kl",
    "mutual_information_bound",
    "optimal_discriminator",
    "reparameterize",
]

LOG_2_PI = math.log(2.0 * math.pi)


# variational auto-encoders ------------------------------------------------------------------------
def reparameterize(
    mean: Tensor,
    log_var: Tensor,
    noise: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """z = mean + exp(log_var / 2) * noise: a draw from N(mean, var) that gradients pass through.

    Args: mean and log_var = log sigma^2 of one shape, float; noise of that shape, N(0, 1) drawn
    here if it is not given. Returns: that shape. Raises: ShapeError.
    Source: Kingma & Welling, "Auto-encoding variational Bayes", 2014, section 2.4. Decks: D4.
    """
    op = "reparameterize"
    mu, lv = float_tensor(op, mean), float_tensor(op, log_var)
    same_shape(op, mu, lv, "log_var")
    if noise is None:
        noise = randn_like(mu.detach(), generator=generator)
    same_shape(op, mu, noise, "noise")
    return mu + e.EXP(lv * 0.5) * noise


def gaussian_kl(
    mean: Tensor,
    log_var: Tensor,
    prior_mean: Tensor | float = 0.0,
    prior_log_var: Tensor | float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """KL(N(m, v) || N(p, w)) = 1/2 sum (v / w - 1 - log(v / w) + (m - p)^2 / w), in closed form.

    Against N(0, 1) this is -1/2 sum (1 + log v - m^2 - v). The sum runs over the last axis, that
    of the latent variables, which are independent.

    Args: mean and log_var (..., D), float; the prior's mean and log-variance, tensors that
    broadcast or numbers. Returns: () or, for reduction "none", (...). Raises: ShapeError.
    Source: Kingma & Welling 2014, appendix B. Decks: D3, D4.
    """
    op = "gaussian_kl"
    m, lv = float_tensor(op, mean), float_tensor(op, log_var)
    same_shape(op, m, lv, "log_var")
    if not m.shape:
        raise fail(ShapeError, op, "expected a mean (..., D), got (); give the latents an axis")
    d, ratio = m - prior_mean, lv - prior_log_var
    tensor = isinstance(prior_log_var, _tensor.Tensor)
    narrow = e.EXP(e.NEG(prior_log_var)) if tensor else math.exp(-prior_log_var)
    away = d * d * narrow
    return reduced(op, ((e.EXPM1(ratio) - ratio + away) * 0.5).sum(-1), reduction)


def elbo(
    input: Tensor,
    target: Tensor,
    mean: Tensor,
    log_var: Tensor,
    likelihood: str = "bernoulli",
    beta: float = 1.0,
    reduction: str = "mean",
) -> Tensor:
    """The evidence lower bound log p(x | z) - beta KL(q(z | x) || N(0, 1)) <= log p(x).

    z is one draw (`reparameterize`), so the first term is an estimate. To train, minimise -elbo,
    which is D4's reconstruction loss plus divergence.

    Args: input (N, ...), what the decoder made of z: logits for likelihood "bernoulli", means of
    unit variance for "gaussian"; target (N, ...), the data, in [0, 1] for "bernoulli"; mean and
    log_var (N, D) of q(z | x); beta weighs the divergence.
    Returns: () or, for reduction "none", (N,). Raises: ShapeError, ArgumentError.
    Source: Kingma & Welling 2014, equation 10; beta: Higgins et al. 2017. Decks: D3, D4.
    """
    op = "elbo"
    x = float_tensor(op, input)
    same_shape(op, x, target)
    choice(op, "likelihood", likelihood, ("bernoulli", "gaussian"))
    real(op, "beta", beta)
    if not x.shape or mean.shape[:-1] != x.shape[:1]:
        raise fail(
            ShapeError,
            op,
            f"expected an input (N, ...) with a mean (N, D), got {x.shape} and {mean.shape}; "
            "flatten the latents to one axis",
        )
    if likelihood == "bernoulli":
        each = target * e.SOFTPLUS(e.NEG(x)) + (1.0 - target) * e.SOFTPLUS(x)
    else:
        each = ((x - target) * (x - target) + LOG_2_PI) * 0.5
    per_example = each.reshape(x.shape[0], -1).sum(1)
    bound = -per_example - gaussian_kl(mean, log_var, reduction="none") * beta
    return reduced(op, bound, reduction)


# adversarial pairs --------------------------------------------------------------------------------
def gan_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-mean log D(x) - mean log(1 - D(G(z))), D being the sigmoid of what comes in.

    At its best D = p / (p + p_g) (`optimal_discriminator`); it is log 4 where nothing can be told.

    Args: real and fake, logits of any shape for data and for generated examples (detach those).
    Returns: (). Raises: DTypeError.
    Source: Goodfellow et al., "Generative adversarial nets", 2014, algorithm 1. Decks: D4, whose
    slide nests one sum over the batch in the other: they stand side by side.
    """
    op = "gan_discriminator_loss"
    x, y = float_tensor(op, real), float_tensor(op, fake)
    return e.SOFTPLUS(e.NEG(x)).mean() + e.SOFTPLUS(y).mean()


def gan_generator_loss(fake: Tensor, form: str = "non_saturating") -> Tensor:
    """-mean log D(G(z)), or with form "minimax" mean log(1 - D(G(z))).

    Both fall as D takes fakes for data. The minimax form (D4's) is the game's own, but its gradient
    fades where D is sure of a fake, which is where training starts; the other's does not.

    Args: fake, the discriminator's logits for generated examples, any shape. Returns: ().
    Raises: ArgumentError, DTypeError. Source: Goodfellow et al. 2014, section 3. Decks: D4.
    """
    op = "gan_generator_loss"
    y = float_tensor(op, fake)
    choice(op, "form", form, ("non_saturating", "minimax"))
    return e.SOFTPLUS(e.NEG(y)).mean() if form == "non_saturating" else -e.SOFTPLUS(y).mean()


def optimal_discriminator(p_data: Tensor, p_model: Tensor) -> Tensor:
    """D*(x) = p(x) / (p(x) + p_g(x)): what the best discriminator says of x; 1/2 where both are 0.

    Args: the two densities at the same places, >= 0, any shape. Returns: that shape.
    Raises: ShapeError. Source: Goodfellow et al. 2014, proposition 1. Decks: D4.
    """
    op = "optimal_discriminator"
    p, q = float_tensor(op, p_data), float_tensor(op, p_model)
    same_shape(op, p, q, "p_model")
    nothing = e.EQ(p + q, 0)
    half = nothing.to(p.dtype)
    return (p + half * 0.5) / (p + q + half)


def mutual_information_bound(
    input: Tensor,
    code: Tensor,
    log_var: Tensor | None = None,
    entropy: float | None = None,
    reduction: str = "mean",
) -> Tensor:
    """E[log Q(c | G(z, c))] + H(c) <= I(c; G(z, c)): InfoGAN's lower bound, in nats.

    To train, add -lambda times it to the losses of generator and Q. Q says what code c an example
    was made from; the bound reaches H(c) for a categorical code that it always reads right.

    Args: for a categorical code, input (N, K) logits of Q and code (N,) int64; for a continuous
    one, input (N, D) Q's means, code (N, D) floats, and log_var (N, D), 0 if not given. entropy
    H(c): log K of equal chances, D log 2 for c uniform on [-1, 1], unless given.
    Returns: () or, for reduction "none", (N,). Raises: ShapeError, DTypeError.
    Source: Chen et al., "InfoGAN", 2016, equations 4 and 5. Decks: D4, which writes H(X) without
    its minus: H(X) = -sum p log p.
    """
    op = "mutual_information_bound"
    x = float_tensor(op, input)
    if len(x.shape) != 2:
        raise fail(ShapeError, op, f"expected an input (N, K) or (N, D), got {x.shape}; reshape it")
    if not code.dtype.is_floating_point:
        log_q = -cross_entropy(x, code, reduction="none")
        known = math.log(x.shape[1]) if entropy is None else entropy
    else:
        same_shape(op, x, code, "code")
        d = code - x
        square = d * d if log_var is None else d * d * e.EXP(e.NEG(log_var)) + log_var
        log_q = (square + LOG_2_PI).sum(1) * -0.5
        known = x.shape[1] * math.log(2.0) if entropy is None else entropy
    return reduced(op, log_q + known, reduction)
