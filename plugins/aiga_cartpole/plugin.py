"""The plugin ``cartpole``: registers the domain and draws carts and lives."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

import aiga


class CartPoleOptions(aiga.Options):
    """Options of CartPole.

    Attributes:
        start: the environment to start from, by name: ``CartPole``, or a harder one such as ``long-pole``.
        steps: the longest life: 500 as in Gymnasium's ``CartPole-v1``, 200 as in ``v0``.
        actions: ``sampled`` from the network's logits, or ``greedy``, the one with the greater logit.
        sigma: standard deviation of a mutated gene's change, in doublings.
    """

    start: str = "CartPole"
    steps: int = Field(default=500, ge=1)
    actions: Literal["sampled", "greedy"] = "sampled"
    sigma: float = Field(default=0.5, gt=0.0)


class CartPole(aiga.Plugin):
    """A pole to be kept upright on a cart, whose physics are the genome."""

    name: ClassVar[str] = "cartpole"
    Options: ClassVar[type[CartPoleOptions]] = CartPoleOptions
    options: CartPoleOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``cartpole``."""
        from aiga_cartpole.domain import CartPoleDomain

        options = self.options
        try:
            domain = CartPoleDomain(options.start, options.steps, options.actions, options.sigma)
        except aiga.InputError as error:
            raise aiga.InputError(*(f"[plugins.cartpole.options] start: {problem}" for problem in error.problems)) from error
        registry.domain("cartpole", domain)

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Carts and poles, a life as angle and place over time or as an animation; see :func:`aiga_cartpole.render.render`."""
        from aiga_cartpole.render import render

        return render(subject)
