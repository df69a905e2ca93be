"""``plugins.toml``: what a run is made of, read and checked in one go."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PrivateAttr,
    ValidationError,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from aiga import toml_lines
from aiga.complaints import Complaints, Source, did_you_mean, explain, show, spell
from aiga.errors import InputError
from aiga.toml_lines import Place

API = 1
_NOTHING = "\0"
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


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Stop(_Table):
    """When a run ends; whatever is reached first, and never where nothing is set.

    Attributes:
        minutes: of this stretch.
        iterations, evaluations: of the whole run.
    """

    minutes: float | None = Field(default=None, gt=0)
    iterations: int | None = Field(default=None, ge=1)
    evaluations: int | None = Field(default=None, ge=1)


class RunTable(_Table):
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
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    episodes: int = Field(default=5, ge=1)
    confirmations: int = Field(default=20, ge=1)
    audit: bool = True


class PopulationTable(_Table):
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


class SlotsTable(_Table):
    """``[slots]``.

    Attributes:
        select: the plugin that admits, retires and accepts.
        improve: the optimiser of every niche's agent; ``none`` is legal.
    """

    select: str = "keep"
    improve: str = "none"


class PluginTable(_Table):
    """``[plugins.NAME]``.

    Attributes:
        on_error: what happens to the run when a hook of the plugin raises.
        path: of a Python file with the plugin, from the folder of ``plugins.toml``; None for an installed plugin.
        options: as written, secrets still ``{env = "NAME"}``.
    """

    on_error: Literal["stop", "disable"] = "stop"
    path: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Config(_Table):
    """A whole ``plugins.toml``, checked but for the options, which :mod:`aiga.discovery` checks with the plugins.

    Attributes:
        plugins: by name, in call order.
    """

    api: int = API
    run: RunTable = RunTable()
    population: PopulationTable = Field(json_schema_extra={"words": "a table with domain and networks"})
    slots: SlotsTable = SlotsTable()
    plugins: dict[str, PluginTable] = Field(default_factory=dict)

    _source: Source = PrivateAttr(default=Source("config"))
    _base: Path = PrivateAttr(default=Path())
    _left_out: tuple[Place, ...] = PrivateAttr(default=())

    @property
    def source(self) -> Source:
        """Where this was written, for complaints."""
        return self._source

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self._base

    @property
    def overridden(self) -> tuple[Place, ...]:
        """The places that overrides set, in the order given."""
        return tuple(place for place, _ in self._source.overrides)

    @property
    def left_out(self) -> tuple[Place, ...]:
        """The places of mistakes, where this is :attr:`ConfigError.rest`; what stands at them is made up."""
        return self._left_out

    def with_plugins(self, plugins: Mapping[str, PluginTable]) -> Config:
        """The same with other plugin tables, in this order."""
        return self.model_copy(update={"plugins": dict(plugins)})

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values from which :func:`from_dict` makes the same; secrets stay ``{"env": "NAME"}``."""
        data = self.model_dump(exclude_none=True)
        data["population"]["networks"] = list(self.population.networks)
        return data

    def to_toml(self) -> str:
        """A ``plugins.toml`` from which :func:`load` makes the same; secrets stay ``{ env = "NAME" }``."""
        data = self.to_dict()
        tables = [toml_lines.table((), {"api": self.api})]
        tables += [toml_lines.table((name,), data[name]) for name in ("run", "population", "slots")]
        for name, plugin in data["plugins"].items():
            options = plugin.pop("options")
            tables.append(toml_lines.table(("plugins", name), plugin))
            if options:
                tables.append(toml_lines.table(("plugins", name, "options"), options))
        return "\n".join(tables)


class ConfigError(InputError):
    """Mistakes of a configuration.

    Attributes:
        complaints: all of them; more can be added.
        rest: the configuration without them, good for finding more and for nothing else; None where there is no telling.
    """

    def __init__(self, complaints: Complaints, rest: Config | None) -> None:
        super().__init__(*complaints.texts)
        self.complaints = complaints
        self.rest = rest


def load(file: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads and checks a ``plugins.toml``.

    Args:
        file: the file.
        overrides: ``dotted.key=value`` each, the value in TOML or, failing that, a plain string; later ones win.

    Raises:
        InputError: naming every mistake.
    """
    data, lines = toml_lines.read(file)
    return _build(data, Source(str(file), lines), file.parent, overrides)


def from_dict(data: Mapping[str, Any], base: Path = Path(), overrides: Sequence[str] = ()) -> Config:
    """Checks a configuration given as Python values of ``plugins.toml``'s shape; None counts as left out, ``api`` may be.

    Args:
        data: the values.
        base: the folder that relative paths start from.
        overrides: as for :func:`load`.

    Raises:
        InputError: naming every mistake.
    """
    return _build({"api": API, **_without_none(data)}, Source("config"), base, overrides)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_none(entry) for name, entry in value.items() if entry is not None}
    return [_without_none(item) for item in value] if isinstance(value, (list, tuple)) else value


def parse_override(text: str) -> tuple[Place, Any]:
    """``run.seed=3`` as a place and a value.

    Raises:
        ValueError: with what is wrong and the remedy.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"no value. Write --set {name}=VALUE.")
    place: list[str] = []
    try:
        key: Any = tomllib.loads(f"{name.strip()} = 0")
    except tomllib.TOMLDecodeError:
        raise ValueError("not a key. Write --set table.key=value.") from None
    while isinstance(key, dict):
        # A line break in the name would make several keys of it.
        place.append(next(iter(key)))
        key = key[place[-1]]
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return tuple(place), value
    return tuple(place), parsed["value"] if len(parsed) == 1 else value


def _override(data: dict[str, Any], place: Place, value: Any) -> None:
    table: Any = data
    for depth, part in enumerate(place[:-1], start=1):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ValueError(f"{'.'.join(map(str, place[:depth]))} is {show(table)}, not a table. Set it as a whole.")
    table[place[-1]] = value


def _build(data: Mapping[str, Any], source: Source, base: Path, overrides: Sequence[str]) -> Config:
    values, placed, problems = dict(data), [], []
    for text in overrides:
        try:
            place, value = parse_override(text)
            _override(values, place, value)
        except ValueError as error:
            problems.append(f"--set {text}: {error}")
        else:
            placed.append((place, f"--set {text}"))
    source = Source(source.label, source.lines, tuple(placed))
    complaints = Complaints(source)
    for problem in problems:
        complaints.add_text(problem)
    config = _validate(values, complaints) if _check_api(values, complaints) else None
    if config is not None:
        config._source, config._base = source, base
    if complaints or config is None:
        # An override that cannot be read might have set anything.
        raise ConfigError(complaints, None if problems else config)
    return config


def _check_api(values: Mapping[str, Any], complaints: Complaints) -> bool:
    """Whether the rest is worth a look: another version may have other tables."""
    api = values.get("api")
    if api is None:
        complaints.add(("api",), f"missing. Write api = {API} on the first line.")
    elif type(api) is not int:
        complaints.add(("api",), f"found {show(api)}. Write api = {API}.")
    elif api != API:
        remedy = f"Write api = {API}" + (", or install a newer aiga." if api > API else ".")
        complaints.add(("api",), f"found {api}, but this aiga reads {API}. {remedy}")
        return False
    return True


def _validate(values: Mapping[str, Any], complaints: Complaints) -> Config:
    """The configuration; what is wrong is complained of and left out."""
    checked, left_out = copy.deepcopy({**values, "api": API}), list[Place]()
    while True:
        try:
            # As JSON, because strict pydantic takes no list for a tuple from Python.
            config = Config.model_validate_json(json.dumps(checked, default=str))
        except ValidationError as error:
            found = list(explain(error, Config, checked))
            for place, message, table in found:
                complaints.add(place, _with_hint(place, message, checked), table or _unknown_table(place, checked))
            for place, _, _ in found:
                _leave_out(checked, place)
                left_out.append(place)
        else:
            config._left_out = tuple(left_out)
            return config


def _leave_out(values: dict[str, Any], place: Place) -> None:
    """Takes out what stands at a place; what cannot be missed gets a name that nothing has."""
    needed: dict[str, Any] = {"domain": _NOTHING, "networks": [_NOTHING]}
    table: Any = values
    last: Any = place[-1]
    for part in place[:-1]:
        table = table[part]
    if place == ("population",):
        table[last] = needed
    elif place[:-1] == ("population",) and last in needed:
        table[last] = needed[last]
    elif isinstance(table, list):
        # The items after it keep their places.
        table[last] = f"{_NOTHING}{last}"
    elif place[:-1] == ("plugins",):
        table[last] = {}
    else:
        table.pop(last)


def _unknown_table(place: Place, values: Mapping[str, Any]) -> bool:
    return len(place) == 1 and isinstance(values.get(str(place[0])), Mapping)


def _with_hint(place: Place, message: str, values: Mapping[str, Any]) -> str:
    """An unknown key's message, pointed at where such a key belongs."""
    if not message.startswith("unknown key"):
        return message
    if len(place) == 3 and place[0] == "plugins" and "Did you mean" not in message:
        return f"unknown key. Options go under {toml_lines.header((*place[:2], 'options'))}."
    if _unknown_table(place, values):
        tables = [name for name in Config.model_fields if name != "api"]
        return f"unknown table. {did_you_mean(str(place[0]), tables)}"
    tables_of: dict[str, type[BaseModel]]
    tables_of = {"run": RunTable, "population": PopulationTable, "slots": SlotsTable, "run.stop": Stop}
    home = next((name for name, table in tables_of.items() if place[-1] in table.model_fields and len(place) <= 2), None)
    return message if home is None else f"unknown key. It belongs at {spell((*home.split('.'), place[-1]))}."
