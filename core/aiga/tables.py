"""The tables of a ``plugins.toml``: their keys, types and defaults."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic_core import CoreSchema, core_schema

from aiga.complaints import show

_DURATION_WORDS = 'a duration such as "90s", "5m" or "1h30m"'
_DURATION = re.compile(r"(?=\d)" + "".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in "dhms"))
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


class Duration(str):
    """A time such as ``"90s"``, ``"5m"``, ``"2h"``, ``"1d"`` or ``"1h30m"``; also a field type for a plugin's options."""

    __slots__ = ()

    def __new__(cls, text: str) -> Duration:
        if _DURATION.fullmatch(text) is None:
            raise ValueError(f"found {show(text)}. Write {_DURATION_WORDS}.")
        return super().__new__(cls, text)

    @property
    def seconds(self) -> float:
        match = _DURATION.fullmatch(self)
        assert match is not None
        return sum(float(match[unit] or 0) * size for unit, size in _SECONDS.items())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "words": _DURATION_WORDS}


class Table(BaseModel):
    """Strict, without unknown keys, unchangeable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Stop(Table):
    """When a run ends; whatever is reached first, and never where nothing is set.

    Attributes:
        minutes: of this stretch.
        iterations, evaluations: of the whole run.
    """

    minutes: float | None = Field(default=None, gt=0)
    iterations: int | None = Field(default=None, ge=1)
    evaluations: int | None = Field(default=None, ge=1)


class RunTable(Table):
    """``[run]``.

    Attributes:
        seed: everything random hangs on it.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        executor: name of the component that runs evaluations.
        checkpoint_every: a time, or a number of iterations.
        grace: on a request to stop, how long the iteration may still take.
        stop: when the run ends.
        workers: processes for serial domains; 0 runs them in this process.
        episodes: lifetimes a scoring evaluation averages.
        confirmations: lifetimes on fresh seeds that confirm a solve.
        audit: score accepted transfers once more, on fresh seeds.
    """

    seed: int = Field(default=0, ge=0)
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$",
        json_schema_extra={"words": '"auto", "cpu", "cuda" or "cuda:1"'},
    )
    executor: str = "local"
    checkpoint_every: Duration | Annotated[int, Field(ge=1)] = Duration("5m")
    grace: Duration = Duration("20s")
    stop: Stop = Stop()
    workers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = "auto"
    episodes: int = Field(default=5, ge=1)
    confirmations: int = Field(default=20, ge=1)
    audit: bool = True


class PopulationTable(Table):
    """``[population]``.

    Attributes:
        domain: name of the domain that environments come from.
        networks: names of the networks that agents are made of.
        niches: how many environments to start from.
        initial_agent: name or file of an agent to start from, as the domain understands it; random agents where None.
        redraw: makes an environment a distribution, redrawn each episode.
    """

    domain: str = Field(json_schema_extra={"words": "the name of a domain in quotes"})
    networks: tuple[str, ...] = Field(
        min_length=1, json_schema_extra={"words": "a list of at least one name of a network, in quotes"}
    )
    niches: int = Field(default=1, ge=1)
    initial_agent: str | None = None
    redraw: bool = False

    @field_validator("networks")
    @classmethod
    def _each_once(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for name in networks if networks.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'"{twice}" is named twice. Name each network once.')
        return networks


class SlotsTable(Table):
    """``[slots]``.

    Attributes:
        select: the plugin that admits, retires and accepts.
        improve: the optimiser of every niche's agent; ``none`` is legal.
    """

    select: str = "keep"
    improve: str = "none"


class EarlyStopTable(Table):
    """``[train] early_stop``.

    Attributes:
        monitor: what the trainer's module logs under this name is watched.
        patience: checks without an improvement before training ends.
        mode: whether less or more of it is better.
        min_delta: what counts as an improvement at least.
    """

    monitor: str = Field(min_length=1, json_schema_extra={"words": "the name of a logged value in quotes"})
    patience: int = Field(default=3, ge=1)
    mode: Literal["min", "max"] = "min"
    min_delta: float = Field(default=0.0, ge=0.0)


class TrainTable(Table):
    """``[train]``: what ``aiga train`` trains, and how long and where. Names are those of Lightning's ``Trainer``.

    Attributes:
        trainer: name of the component that makes the module and its data.
        max_steps, max_epochs: optimiser steps and epochs of the whole training.
        max_time: of the whole training, all its stretches together.
        accelerator, devices, strategy: what it trains on.
        precision: of the module's numbers.
        deterministic: only algorithms that repeat to the bit, on a GPU too.
        gradient_clip_val: longest gradient, or greatest element of one, as ``gradient_clip_algorithm`` says.
        accumulate_grad_batches: batches whose gradients make one step.
        val_check_interval: training batches between two validations; None validates at the ends of epochs.
        check_val_every_n_epoch: epochs between two validations.
        log_every_n_steps: steps between two lines of the logs.
        checkpoint_every: a time, or a number of steps.
        early_stop: ends it where a logged value becomes no better.
    """

    trainer: str = Field(json_schema_extra={"words": "the name of a trainer in quotes"})
    max_steps: int | None = Field(default=None, ge=1)
    max_epochs: int | None = Field(default=None, ge=1)
    max_time: Duration | None = None
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: (
        Annotated[int, Field(ge=1)] | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | Literal["auto"]
    ) = Field(default="auto", json_schema_extra={"words": '"auto", a number of devices, or a list of their numbers'})
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = "auto"
    precision: Literal["32-true", "64-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true"] = "32-true"
    deterministic: bool = False
    gradient_clip_val: float | None = Field(default=None, gt=0)
    gradient_clip_algorithm: Literal["norm", "value"] = "norm"
    accumulate_grad_batches: int = Field(default=1, ge=1)
    val_check_interval: int | None = Field(default=None, ge=1)
    check_val_every_n_epoch: int = Field(default=1, ge=1)
    log_every_n_steps: int = Field(default=50, ge=1)
    checkpoint_every: Duration | Annotated[int, Field(ge=1)] = Duration("5m")
    early_stop: EarlyStopTable | None = None


class PluginTable(Table):
    """``[plugins.NAME]``.

    Attributes:
        on_error: what happens to the run when a hook of the plugin raises.
        path: of a Python file with the plugin, from the folder of ``plugins.toml``; None for an installed plugin.
        options: as written, secrets still ``{env = "NAME"}``.
    """

    on_error: Literal["stop", "disable"] = "stop"
    path: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
