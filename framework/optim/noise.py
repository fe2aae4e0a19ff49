"""Noise on gradients, between backward() and step()."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from ..checks import real
from ..creation import zeros
from ..dtypes import float64
from ..errors import ArgumentError, fail
from ..ops.sampling import Generator, randn_like
from ..tensor import Tensor


class GradientNoise:
    """Add N(0, sigma_t^2) to every gradient: sigma_t = sigma0 / (1 + t)^kappa, t = 0, 1, 2, ...

    Call step() between backward() and the optimizer's step(). t is a tensor on the parameters'
    backend, so that compiled steps count on. Neelakantan et al., "Adding gradient noise improves
    learning for very deep networks", 2015, whose variance eta / (1 + t)^0.55 with eta in {0.01,
    0.3, 1} is sigma0 = sqrt(eta), kappa = 0.275. Decks: D0.
    """

    def __init__(
        self,
        parameters: Any,
        sigma0: float = 0.1,
        kappa: float = 0.275,
        generator: Generator | None = None,
    ) -> None:
        op = "GradientNoise"
        self.parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        if not self.parameters:
            raise fail(
                ArgumentError, op, "expected parameters, got none; call model.parameters() again"
            )
        self.sigma0, self.kappa = real(op, "sigma0", sigma0), real(op, "kappa", kappa)
        self.generator = generator
        self.t = zeros((), dtype=float64, backend=self.parameters[0].backend)

    def step(self) -> None:
        """Add the noise, each gradient its own, and count up."""
        with no_grad():
            sigma = (self.t + 1.0) ** -self.kappa * self.sigma0
            for p in self.parameters:
                if p.grad is not None:
                    noise = randn_like(p.grad, generator=self.generator)
                    p.grad = p.grad + noise * sigma.to(p.backend, dtype=p.dtype)
            self.t.copy_(self.t + 1.0)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"t": self.t.item()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.t.fill_(state_dict["t"])
