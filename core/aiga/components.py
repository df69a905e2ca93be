"""What plugins provide: small protocols. Hooks decide, components compute, plugin methods keep a plugin's own state."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from torch import Tensor

from aiga.data import Batch, Leaves, Pairs, Population, Scores, State, Trajectory
from aiga.streams import Stream
from aiga.trainers import Setup as Setup
from aiga.trainers import Trainer as Trainer

if TYPE_CHECKING:
    from aiga.niches import Niches

Structure = Mapping[str, Any]
Layout = dict[str, tuple[int, ...]]  # shape of each leaf of one row
Life = dict[str, Tensor]  # lifetime state, [B, ...]; empty for a network that remembers nothing


@dataclass(frozen=True)
class Space:
    """What a network reads or writes: the shape of one row, and what its numbers are.

    Attributes:
        shape: of one row, such as ``(24,)``; ``(n,)`` scores or logits for a discrete space of ``n``.
        kind: ``continuous`` values between ``low`` and ``high``, or ``discrete`` choices.
    """

    shape: tuple[int, ...]
    kind: Literal["continuous", "discrete"] = "continuous"
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Percept:
    """What an agent perceives in one step of its life, ``[B, ...]`` each; None where a domain has no such thing."""

    observation: Tensor
    reward: Tensor | None = None
    done: Tensor | None = None
    previous_action: Tensor | None = None
    target: Tensor | None = None


@dataclass(frozen=True)
class Output:
    """What a network answers: parameters ``[B, ...]`` of an action, for the domain to make one of; perhaps a value ``[B]``."""

    action: Tensor
    value: Tensor | None = None


class Domain(Protocol):
    """Environments' genome, and how a batch of pairs lives in them.

    Capabilities, which a domain may also have: ``distance(a: Batch, b: Batch) -> Tensor`` (``[A, B]``, for novelty),
    ``loss(pairs, network, stream) -> Tensor`` (``[P]``, differentiable, on the agents' device), ``examples(envs: Batch, stream:
    Stream, count: int) -> tuple[Tensor, Tensor]`` (for each row, drawn by ``stream.each(B)``, ``count`` labelled examples of
    what may be learnt from there, on the environments' device: ``[B, count, *inputs.shape]`` float32 and ``[B, count]`` int64;
    never of what ``live`` or ``report`` judge by), ``snapshot``/``restore``,
    ``named(name: str) -> Batch`` and ``names: tuple[str, ...]`` (fixed evaluation environments),
    ``agents: Mapping[str, Path]`` (safetensors files of agents that ship with it, for ``[population] initial_agent``),
    ``check()`` (raises :class:`aiga.InputError` where this machine lacks what it needs, before a run is begun),
    ``configure(threads=...)`` (called once, how many threads of its own to use), ``prepare(say)`` (what takes long before the
    first lifetime, such as compiling, called once before a run with a function that shows a line to the user),
    ``path(network) -> str`` (by which of several ways it lives with a network, where they round differently, or with which
    data: a run or a training keeps to that), and ``report(contestants: Mapping[str, Contestant], rng) -> Report``, the
    experiment that trained agents are compared by, on lives that none was trained on.

    Attributes:
        version: of the genome; part of the environments' kind.
        solved: fitness above which an environment counts as solved.
        steps: the longest lifetime.
        inputs, outputs: what a network is built for.
        parallelism: how an executor may run it: in worker processes, in threads of its own, or on the agents' device.
    """

    version: int
    solved: float
    steps: int
    inputs: Space
    outputs: Space
    parallelism: Literal["serial", "threads", "device"]

    def initial(self, rng: Stream, count: int) -> Batch:
        """``count`` environments to start from."""
        ...

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row of ``parents``; ``rng`` has a row key for each child."""
        ...

    def describe(self, envs: Batch) -> Tensor:
        """``[B, d]`` float64 descriptions in the domain's units, for novelty, coverage and plots; seeds are left out."""
        ...

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One lifetime a pair.

        Args:
            pairs: environments of this domain with explicit agents of one kind.
            network: what the agents are made of.
            seeds: ``[P]`` int64, fixing all chance of each lifetime.
            record: return the lifetimes too.

        Returns:
            Scores with the cost counted. A row depends on its own environment, agent and seed alone.
        """
        ...


class Dense(NamedTuple):
    """A dense layer of ``B`` agents: ``activation(x @ weight + bias)``.

    Attributes:
        bias: ``[B, out]``.
        weight: ``[B, in, out]``.
        activation: ``tanh``, ``relu`` or ``identity``.
    """

    bias: Tensor
    weight: Tensor
    activation: str


class Network(Protocol):
    """An agent's substrate: a forward pass with a lifetime state, batched over agents with different parameters.

    Capabilities: ``space`` (``initial``, ``mutate``, ``cross``, ``describe``, ``distance`` over structures), which makes a
    network searchable; ``learn(leaves, life, x, y, create_graph) -> Life``, gradient descent within a life, a step for each of
    ``T`` examples ``[B, T, ...]`` of classes ``[B, T]``, -1 where there is none; ``answers(leaves, life, x)``, the action
    parameters ``[B, T, ...]`` for ``T`` observations, each by itself in one and the same life; ``anew(leaves, rate) ->
    Leaves``, the same agents with nothing known at birth of what a life is to learn, and a step size ``[B]`` of learning
    within it, and ``features(leaves, x) -> Mapping[str, Tensor]``, what ``T`` observations are made into before they are
    answered, ``[B, T, F]`` by the name of the units, both for domains that judge what a life has learnt; ``layers(leaves)``,
    the first to the last :class:`Dense` layer of a network that is nothing but these and has no life, for domains that compute
    policies themselves, beside their dynamics; ``unroll(leaves, percepts) -> Output``, whole lives at once whose percepts are
    known beforehand, for training by gradients: ``P`` agents' leaves ``[P, ...]``, percepts of ``E`` lives of each and what
    they answer ``[T, P, E, ...]``; as steps from birth on would answer, but for rounding; ``side_by_side = True``: where
    gradients are wanted, ``step`` may be given leaves ``[P, 1, ...]`` of ``P`` agents with lives and percepts ``[P, E, ...]``,
    ``E`` of each; ``traces: tuple[str, ...]``, the parts of a life that hold what was learnt in it and are not activities:
    reports ask what an agent is worth without, by :func:`aiga.forgetting.forgetful`.

    Of networks that a search compares: ``see(leaves, x) -> tuple[Tensor, Life]``, the action parameters ``[P, T, ...]`` for
    ``T`` observations seen together, ``x`` being ``[P, T, ...]`` or ``[1, T, ...]`` shared by all, and the life that holds what
    was counted over them (statistics of normalisation, of this batch alone); differentiable twice in leaves and ``x``;
    ``settled(leaves, life) -> Leaves``, agents of the same structure that answer at birth as these do in that life;
    ``bucket(structure) -> Structure``, the structure that this one is evaluated as, once :func:`aiga.padding.padded` has filled
    its leaves up with zeros to the layout of that: agents of one bucket are rows of one batch, a bucket's bucket is itself,
    answers are the same but for rounding, and descent keeps the filling zero. A ``space``'s ``initial(rng, count)``,
    ``mutate(rng, structures)`` and ``cross(rng, a, b)`` answer a list of structures, a mutant being another than its parent;
    ``compose(choices) -> Structure`` is what :class:`aiga.choices.Choices` make, for searches with a model of what is good;
    ``describe(structures)`` is ``[B, d]`` float64, ``distance(a, b)`` ``[A, B]``; the network's ``picture(structure)`` a PNG.

    Attributes:
        structure: the architecture that an agent has unless something searches over them; versioned and JSON-able.
    """

    structure: Structure

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        """The shapes of one agent's leaves."""
        ...

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        """Leaves of ``count`` random agents, ``[count, ...]``."""
        ...

    def newborn(self, leaves: Leaves) -> Life:
        """The lifetime state at birth: zero."""
        ...

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """One step of ``B`` lives, each under its own parameters."""
        ...


class Optimiser(Protocol):
    """Improves agents in their niches; the core owns and saves its state, one row an agent.

    Capabilities: ``losses(trajectory: Trajectory, lives: int) -> Tensor``, ``[P]``: what it descends, of each of ``P`` recorded
    lives, ``lives`` of each agent in a row; differentiable in the trajectory's logits, and so for trainers that follow it
    further than into an agent's leaves. ``check(domain)`` (raises :class:`aiga.InputError` where it lacks what it needs there).
    """

    def start(self, agents: Population) -> State:
        """Fresh state for agents of any kinds."""
        ...

    def improve(self, lab: Lab, niches: Pairs, state: State, steps: int) -> tuple[Population, State]:
        """``steps`` steps for every niche at once.

        Returns:
            ``niches.agents`` after the steps, row for row and kind for kind, and its state; nothing given is changed.
        """
        ...


class Executor(Protocol):
    """Runs a batch of pairs: blocks, back-off, worker time-outs and respawn. Names and tensors cross it, never callables.

    Capabilities: ``record(domain, pairs, seeds) -> tuple[Scores, Trajectory]`` (one lifetime a pair, bit for bit the scored
    one, for replays); ``configure(workers=..., device=...)``, called once before the first run; ``interrupted``, which the core
    sets to a function that is true once an iteration is given up; ``drain_losses() -> list[dict]``, what went wrong since.
    """

    def run(self, domain: str, pairs: Pairs, seeds: Tensor) -> Scores:
        """Lives every pair ``E`` times.

        Args:
            domain: name of the domain.
            pairs: environments and agents of any kinds; agents may be implicit.
            seeds: ``[P, E]`` int64.

        Returns:
            Scores whose columns are means over the episodes, with ``returns`` ``[P, E]`` float64 beside them.
        """
        ...

    def close(self) -> None:
        """Lets go of everything it holds."""
        ...


class Cost(enum.IntEnum):
    """What a screen costs for each row, cheapest first."""

    FREE = 0
    SURROGATE = 1
    REAL = 2


@dataclass(frozen=True)
class Screened:
    """What a screen let through, in its order, perhaps with better agents; and the rows of its input that it rejected."""

    pairs: Pairs
    rejected: Tensor
    reasons: tuple[str, ...]


class Screen(Protocol):
    """Narrows proposals before they are scored."""

    def __call__(self, lab: Lab, pairs: Pairs) -> Screened: ...


class Archive(Protocol):
    """Every stepping stone of the run; genomes stay on disk, ids and descriptions in memory."""

    @property
    def env_ids(self) -> Tensor:
        """``[A]`` int64: every environment ever admitted, in order of admission."""
        ...

    @property
    def agent_ids(self) -> Tensor:
        """``[S]`` int64: every agent ever remembered."""
        ...

    @property
    def descriptions(self) -> Tensor:
        """``[A, d]`` float64: the domain's descriptions of ``env_ids``."""
        ...

    def environments(self, ids: Tensor) -> tuple[Population, Tensor]:
        """These environments, read from disk; and where each asked-for one is among its rows."""
        ...

    def agents(self, ids: Tensor) -> tuple[Population, Tensor]:
        """These agents, read from disk; and where each asked-for one is among its rows."""
        ...


class Meter(Protocol):
    """Counted work and spent seconds, by plugin and purpose."""

    def count(self, cost: Mapping[str, int], purpose: str) -> None:
        """Adds counted work (environment steps, examples, gradient steps) of the plugin that holds this meter."""
        ...

    def total(self, kind: str) -> int:
        """Work of one kind over the whole run."""
        ...

    def rows(self) -> Iterator[tuple[str, str, str, int]]:
        """(plugin, purpose, kind, amount) over the whole run."""
        ...

    def seconds(self) -> dict[tuple[str, str], float]:
        """Seconds by (plugin, hook) in this stretch; never a ground for a search decision."""
        ...


class Lab(Protocol):
    """What a hook sees of the run, and asks of it.

    Attributes:
        iteration: the current one, from 1; 0 is the founding.
        niches: the active niches.
        archive: every stepping stone.
        domain: where environments come from.
        meter: counted work; asking the lab counts by itself.
        path: the run's folder, for plugins that write files of their own (``tb/``, ``art/``).
        slots: who owns what, as ``[slots]`` says: the plugin of ``select``, the optimiser of ``improve``.
        events: of this iteration so far.
    """

    @property
    def iteration(self) -> int: ...
    @property
    def niches(self) -> Niches: ...
    @property
    def archive(self) -> Archive: ...
    @property
    def domain(self) -> Domain: ...
    @property
    def meter(self) -> Meter: ...
    @property
    def path(self) -> Path: ...
    @property
    def slots(self) -> Mapping[str, str]: ...
    @property
    def events(self) -> tuple[Any, ...]: ...

    def component(self, kind: str, name: str) -> Any:
        """A registered component; KeyError names what there is."""
        ...

    def evaluate(self, pairs: Pairs, *, episodes: int = 1, purpose: str) -> Scores:
        """Scores of pairs, on seeds made of the run's seed, ``purpose``, iteration, environment's content and episode.

        Two calls of one purpose in one iteration share their seeds, so that agents can be compared; another purpose draws
        fresh ones.
        """
        ...

    def improve(
        self, pairs: Pairs, steps: int, *, state: Literal["niche", "fresh"] = "fresh", purpose: str = "scratch"
    ) -> Population:
        """Scratch work of the optimiser: ``pairs``' agents after ``steps`` steps, one row a pair; nothing else is kept.

        Two calls of one purpose in one iteration share noise and seeds, where environments are the same. With ``state="niche"``
        each row starts from a copy of the optimiser state of the active niche whose environment it names, and from a fresh one
        where there is none or the kinds differ.
        """
        ...

    def rng(self, *key: int | str) -> Stream:
        """A stream of the calling plugin's own, for this iteration and ``key``."""
        ...

    def render(self, subject: Any) -> Any:
        """What the first plugin that answers to an :class:`aiga.Subject` made of it; None where nobody does."""
        ...

    def remember(self, agents: Population) -> Tensor:
        """``[N]`` int64 ids of new stepping stones."""
        ...


class Logger(Protocol):
    """Follows a run's numbers."""

    def log(self, lab: Lab, metrics: Mapping[str, float]) -> None:
        """Told of an iteration at its end: ``lab.events`` has its events, ``metrics`` every plugin's, named ``plugin/name``."""
        ...

    def close(self) -> None:
        """Writes what it still holds; the stretch is over."""
        ...


class Registry(Protocol):
    """Where ``aiga_register`` puts components, by kind and name."""

    def domain(self, name: str, domain: Domain) -> None: ...
    def network(self, name: str, network: Network) -> None: ...
    def optimiser(self, name: str, optimiser: Optimiser) -> None: ...
    def executor(self, name: str, executor: Executor) -> None: ...
    def screen(self, name: str, screen: Screen, cost: Cost) -> None: ...
    def trainer(self, name: str, trainer: Trainer) -> None: ...
    def logger(self, name: str, logger: Logger) -> None: ...

    def get(self, kind: str, name: str) -> Any:
        """A registered component; KeyError names what there is."""
        ...

    @property
    def recipe(self) -> str:
        """JSON from which ``aiga.discovery.assemble`` makes the same components in another process."""
        ...
