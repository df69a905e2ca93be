"""What can be set of the recurrent networks, with the papers' values where they have one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

import aiga

Wiring = Literal["projected", "additive", "clamped"]
_Count = Annotated[int, Field(strict=True, ge=1)]
_SEARCH = "what a search varies; all else stays as set, and where nothing is named there is nothing to search"


def _ordered(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} is above the upper bound {bounds[1]}. Write the lower one first.")
    return bounds


class RecurrentOptions(aiga.Options):
    """What all recurrent networks share."""

    units: int | None = Field(
        default=None,
        ge=1,
        description="recurrent units; left out, 100, or in a wiring other than projected as many as are wired",
    )
    wiring: Wiring = Field(
        default="projected",
        description="how what is perceived reaches the units: projected by learned weights; additive, 20 times each number to "
        "a unit of its own; clamped, a number other than 0 holds its unit; wired units are also the answer",
    )
    reward: bool = Field(default=True, description="perceive the reward of the step before, where the domain has one")
    previous_action: bool = Field(default=True, description="perceive the last action, where the domain has one")
    target: bool = Field(default=False, description="perceive the target, where the domain gives one")
    value: bool = Field(default=True, description="answer a value too, as actor-critic optimisers need")
    weight_scale: float = Field(
        default=0.9, ge=0.0, description="standard deviation of newborn recurrent weights, in units of 1 / sqrt(units)"
    )


class LstmOptions(RecurrentOptions):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000)."""


class SearchedOptions(RecurrentOptions):
    """What networks share whose architecture a search may vary."""

    search: tuple[str, ...] = Field(default=(), description=_SEARCH)
    widths: Annotated[tuple[_Count, _Count], Field(strict=False), AfterValidator(_ordered)] = Field(
        default=(16, 64), description="fewest and most units in a search"
    )

    @model_validator(mode="after")
    def _searched_are_projected(self) -> SearchedOptions:
        if self.search and self.wiring != "projected":
            raise ValueError(
                f'search varies networks with wiring "projected" alone, found wiring "{self.wiring}", whose units are what is '
                'perceived. Write wiring = "projected", or leave search out.'
            )
        return self


class RnnOptions(SearchedOptions):
    """A recurrent network of tanh units (Elman 1990)."""

    search: Annotated[tuple[Literal["width"], ...], Field(strict=False)] = Field(default=(), description=_SEARCH)


class TraceOptions(SearchedOptions):
    """What networks with Hebbian traces share."""

    alpha: Literal["connection", "shared"] = Field(
        default="connection", description="a plasticity of its own for each connection, or one for all"
    )
    alpha_init: Literal["normal", "uniform"] = Field(
        default="normal", description="how newborn plasticities are drawn: around 0, or from 0 up; a shared one is alpha_scale"
    )
    alpha_scale: float = Field(
        default=0.01, ge=0.0, description="standard deviation of normal newborn plasticities, bound of uniform ones"
    )
    bound: float = Field(default=1.0, gt=0.0, description="largest absolute value of a trace in rules that have one")
    eta: float = Field(default=0.01, description="rate of change within a life at birth; it is learned")


class PlasticOptions(TraceOptions):
    """Differentiable plasticity (Miconi et al. 2018)."""

    rule: Literal["decay", "oja", "clip", "soft-clip"] = Field(
        default="decay",
        description="how traces change: Hebb with decay; Oja's; Hebb added up and clipped, as controls of backpropamine are",
    )
    trace: Literal["auto", "kept", "free"] = Field(
        default="auto",
        description="whole lives of rule decay under gradients: keep the traces, or do without (the same numbers but for "
        "rounding); auto does without where that is faster",
    )
    search: Annotated[tuple[Literal["width", "alpha", "rule"], ...], Field(strict=False)] = Field(
        default=(), description=_SEARCH
    )


class BackpropamineOptions(TraceOptions):
    """Self-modulated plasticity (Miconi et al. 2019)."""

    modulation: Literal["simple", "retroactive"] = Field(
        default="simple", description="what the modulator gates: Hebb's product now, or an eligibility trace of it"
    )
    limit: Literal["clip", "soft-clip"] = Field(
        default="clip", description="how traces are kept within bound: cut off, or changing less the nearer they are"
    )
    weight_scale: float = Field(
        default=0.3,
        ge=0.0,
        description="standard deviation of newborn recurrent weights, in units of 1 / sqrt(units); small, as what echoes is "
        "stored in traces too",
    )
    fan_out: bool = Field(default=False, description="a learned gain and offset of the modulator for each postsynaptic unit")
    eta: float = Field(default=0.1, description="rate of the eligibility trace at birth, where there is one; it is learned")
    search: Annotated[tuple[Literal["width", "alpha", "modulation", "limit", "fan_out"], ...], Field(strict=False)] = Field(
        default=(), description=_SEARCH
    )


_Layers = Annotated[tuple[_Count, ...], Field(strict=False, min_length=1)]


class ClassifierOptions(aiga.Options):
    """Classification of what was shown once (Miconi et al. 2018)."""

    channels: _Layers = Field(default=(64, 64, 64, 64), description="of the convolutions, each 3 x 3 and followed by tanh")
    strides: _Layers = Field(
        default=(2, 2, 1, 1), description="of the convolutions, in positions; the paper's are all 2, for pictures of 31 x 31"
    )
    rule: Literal["decay", "oja"] = Field(default="oja", description="how traces change: Hebb with decay, or Oja's")
    label: float = Field(default=1000.0, ge=0.0, description="what a target adds to the sum of its class")
    alpha: Literal["connection", "shared"] = Field(
        default="connection", description="a plasticity of its own for each connection, or one for all"
    )
    alpha_scale: float = Field(
        default=0.01, ge=0.0, description="bound of newborn plasticities, which are uniform from 0; a shared one itself"
    )
    eta: float = Field(default=0.01, description="rate of change within a life at birth; it is learned")
    weight_scale: float = Field(default=0.01, ge=0.0, description="standard deviation of newborn innate weights to the classes")

    @model_validator(mode="after")
    def _strides_fit(self) -> ClassifierOptions:
        if len(self.strides) != len(self.channels):
            raise ValueError(
                f"strides has {len(self.strides)} numbers for {len(self.channels)} layers of channels. "
                "Write one for each layer."
            )
        return self
