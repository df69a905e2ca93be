"""The hooks, and the base class that declares them: what a plugin may implement, and when the core calls it.

A plugin overrides the ``aiga_*`` methods it needs; arguments it does not use may be left out. Order is the file order of
``plugins.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pluggy
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from aiga.components import Domain, Lab, Network, Registry
from aiga.data import Event, Offers, Pairs, Population, Scores, Trajectory, Verdict
from aiga.pillars import Standing

API = 1
PREFIX = "aiga_"

hookspec = pluggy.HookspecMarker("aiga")


class Options(BaseModel):
    """Base of a plugin's options: strict, no unknown key, unchangeable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def absolute(path: str) -> str:
    """What an option says of a file or folder, from the current directory on; empty where nothing is said.

    For ``Annotated[str, AfterValidator(absolute)]``: a run keeps options as they were read, and is resumed from anywhere.
    """
    return str(Path(path).expanduser().absolute()) if path else path


@dataclass(frozen=True)
class Plan:
    """What a run that is to start is made of.

    Attributes:
        domain: that of ``[population]``.
        networks: those of ``[population]``, by name.
        niches: that the run is to be founded with.
        slots: who owns ``select`` and ``improve``.
        component: a registered component, by its sort and name; KeyError names what there is.
    """

    domain: Domain
    networks: Mapping[str, Network]
    niches: int
    slots: Mapping[str, str]
    component: Callable[[str, str], Any]


@dataclass(frozen=True)
class Subject:
    """What to draw, or to put into a file.

    Attributes:
        what: ``environments`` (one picture a row, as a list of ``[H, W, 3]`` uint8 arrays), ``lifetime`` (one picture of the
            first row's trajectory), ``animation`` (``[N, H, W, 3]`` uint8 of it) or ``episode`` (``bytes`` or ``str``: that
            trajectory as a JSON file of the plugin's own format).
        envs: the environments.
        trajectory: of the same rows, where a lifetime is asked for.
        caption: words to put on it.
        fitness: of the first row's trajectory, to the bit; None where it is not known.
        about: JSON-able facts on where the trajectory comes from. `aiga replay` tells ``run``, ``env``, ``agent``, the
            ``score`` of that pair, its ``iteration`` and ``purpose``, and which ``episode`` of how many ``episodes`` it is.
    """

    what: str
    envs: Population
    trajectory: Trajectory | None = None
    caption: str = ""
    fitness: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


class Plugin:
    """Base class of every plugin.

    Attributes:
        name: under which it is enabled in ``plugins.toml``.
        api: the aiga API version it is written for.
        state_version: of what :meth:`state_dict` returns.
        Options: the model of its options; ``self.options`` is one.
        needs: capabilities a domain must have for this plugin, such as ``("distance",)``.
        pillar: ``architectures``, ``learning`` or ``environments``, where it is of one; see :mod:`aiga.pillars`.
    """

    name: ClassVar[str]
    api: ClassVar[int] = API
    state_version: ClassVar[int] = 1
    Options: ClassVar[type[Options]] = Options
    needs: ClassVar[tuple[str, ...]] = ()
    pillar: ClassVar[str] = ""

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    def notice(self) -> list[str]:
        """Lines that a person should read when a run starts, such as how far the options are from a paper's."""
        return []

    def advice(self, domain: Domain) -> list[str]:
        """Lines on options that do not suit ``domain``, as scores of domains differ in scale; read after the notice."""
        return []

    def check(self, plan: Plan) -> None:
        """Called before a run is begun and anything is written.

        Raises:
            InputError: where this plugin could not do in such a run what it is enabled for; names table, key and remedy.
        """

    def checkup(self) -> list[str]:
        """Lines for `aiga plugin doctor`, such as what was compiled; what it raises is a problem, told with its text."""
        return []

    def standing(self, lab: Lab) -> Standing:
        """Whether the plugin's pillar acts in this run as it is now, and why; asked where :attr:`pillar` names one.

        Told by `aiga status`. It is asked at the end of every iteration, so it only looks: it evaluates nothing and changes
        nothing. What it raises is shown as its answer.
        """
        return Standing(True)

    def state_dict(self) -> dict[str, Any]:
        """What the plugin must find again after a resume: JSON-able values and tensors, in dicts with string keys."""
        return {}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        """Takes back what :meth:`state_dict` gave when ``state_version`` was ``version``."""

    @hookspec
    def aiga_register(self, registry: Registry) -> None:
        """Puts the plugin's components into ``registry``. Called once, before the first iteration, in workers too."""

    @hookspec
    def aiga_generate(self, lab: Lab) -> Pairs | None:
        """Proposes new environments with a candidate agent each, or new agents for active niches' environments.

        Proposals of all plugins are joined. A new environment's id is -1. A row that keeps an active environment's id, and that
        ``select`` neither admits nor refuses with a reason, becomes an offer in the transfer phase.
        """

    @hookspec(firstresult=True)
    def aiga_evaluate(self, lab: Lab, pairs: Pairs) -> Generator[None, Scores, Scores] | Scores | None:
        """Wraps every evaluation: ``scores = yield``, then return them with columns added. Mark it with ``@aiga.wrapper``."""

    @hookspec(firstresult=True)
    def aiga_select(self, lab: Lab, pairs: Pairs, scores: Scores) -> Verdict | None:
        """Decides which scored proposals become niches and which niches retire. Only the owner of the slot is asked."""

    @hookspec
    def aiga_transfer(self, lab: Lab) -> Offers | None:
        """Offers agents for target niches. Offers of all plugins are joined."""

    @hookspec(firstresult=True)
    def aiga_accept(self, lab: Lab, offers: Offers, scores: Scores) -> Tensor | None:
        """``[O]`` bool: which offers replace the resident, at most one a niche. Asked of the owner of ``select``.

        ``scores`` has the fitness of each offer and, as column ``resident``, that of the agent that lives there, on the same
        seeds.
        """

    @hookspec
    def aiga_event(self, lab: Lab, event: Event) -> None:
        """Told of what happened, once a type and phase. Isolated: what it raises stops nobody else."""

    @hookspec
    def aiga_metrics(self, lab: Lab) -> dict[str, float] | None:
        """Numbers to follow, told to every logger under the plugin's name. Isolated."""

    @hookspec(firstresult=True)
    def aiga_render(self, lab: Lab, subject: Subject) -> Any:
        """What ``subject.what`` asks for; None where ``subject`` is not this plugin's, or it makes no such thing. Isolated.

        ``environments``, ``lifetime`` and ``animation`` are answered with uint8 arrays or a matplotlib figure, ``episode`` with
        ``bytes`` or ``str``; see :class:`Subject`. More may be asked for one day: answer None to a word that is not known.
        """


F = TypeVar("F")


def wrapper(function: F) -> F:
    """Marks an ``aiga_evaluate`` that wraps the evaluation."""
    return pluggy.HookimplMarker("aiga")(function, wrapper=True)  # type: ignore[call-overload, no-any-return]
