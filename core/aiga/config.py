"""``plugins.toml``: what a run or a training is made of, read and checked in one go."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from aiga import toml_lines
from aiga.complaints import Complaints, Source, did_you_mean, explain, show, spell
from aiga.errors import InputError
from aiga.tables import Duration as Duration
from aiga.tables import PluginTable, PopulationTable, RunTable, SlotsTable, Stop, Table, TrainTable
from aiga.toml_lines import Place

API = 1
_NOTHING = "\0"


class Document(Table):
    """A whole ``plugins.toml``, checked but for the options, which :mod:`aiga.discovery` checks with the plugins.

    Attributes:
        plugins: by name, in call order.
    """

    api: int = API
    run: RunTable = RunTable()
    population: PopulationTable | None = None
    slots: SlotsTable = SlotsTable()
    train: TrainTable | None = None
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

    def with_plugins(self, plugins: Mapping[str, PluginTable]) -> Self:
        """The same with other plugin tables, in this order."""
        return self.model_copy(update={"plugins": dict(plugins)})

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values from which the same is made; secrets stay ``{"env": "NAME"}``."""
        data = self.model_dump(exclude_none=True)
        if self.population is not None:
            data["population"]["networks"] = list(self.population.networks)
        return data

    def to_toml(self) -> str:
        """A ``plugins.toml`` from which the same is made; secrets stay ``{ env = "NAME" }``."""
        data = self.to_dict()
        tables = [toml_lines.table((), {"api": self.api})]
        tables += [toml_lines.table((name,), data[name]) for name in ("run", "population", "slots", "train") if name in data]
        for name, plugin in data["plugins"].items():
            options = plugin.pop("options")
            tables.append(toml_lines.table(("plugins", name), plugin))
            if options:
                tables.append(toml_lines.table(("plugins", name, "options"), options))
        return "\n".join(tables)


class Config(Document):
    """What ``aiga run`` runs; a table ``[train]`` is checked, and left to ``aiga train``."""

    population: PopulationTable = Field(json_schema_extra={"words": "a table with domain and networks"})

    def to_dict(self) -> dict[str, Any]:
        """As for any document, without ``[train]``."""
        data = super().to_dict()
        data.pop("train", None)
        return data


class TrainConfig(Document):
    """What ``aiga train`` trains; ``[slots]`` and what else it has no use for are checked, and left to ``aiga run``.

    Attributes:
        HEEDED: the keys of ``[run]`` that it has a use for.
    """

    HEEDED: ClassVar[tuple[str, ...]] = ("seed", "grace", "workers")

    train: TrainTable = Field(json_schema_extra={"words": "a table with trainer"})

    def to_dict(self) -> dict[str, Any]:
        """As for any document, without what is left to ``aiga run``."""
        data = super().to_dict()
        del data["slots"]
        data["run"] = {name: data["run"][name] for name in self.HEEDED}
        if isinstance(self.train.devices, tuple):
            data["train"]["devices"] = list(self.train.devices)
        return data


D = TypeVar("D", bound=Document)


class ConfigError(InputError):
    """Mistakes of a configuration.

    Attributes:
        complaints: all of them; more can be added.
        rest: the configuration without them, good for finding more and for nothing else; None where there is no telling.
    """

    def __init__(self, complaints: Complaints, rest: Document | None) -> None:
        super().__init__(*complaints.texts)
        self.complaints = complaints
        self.rest = rest


def load(file: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads and checks a ``plugins.toml`` for a run.

    Args:
        file: the file.
        overrides: ``dotted.key=value`` each, the value in TOML or, failing that, a plain string; later ones win.

    Raises:
        InputError: naming every mistake.
    """
    return read(Config, file, overrides)


def from_dict(data: Mapping[str, Any], base: Path = Path(), overrides: Sequence[str] = ()) -> Config:
    """Checks a run's configuration given as Python values of ``plugins.toml``'s shape.

    Args:
        data: the values; None counts as left out, ``api`` may be.
        base: the folder that relative paths start from.
        overrides: as for :func:`load`.

    Raises:
        InputError: naming every mistake.
    """
    return of(Config, data, base, overrides)


def read(model: type[D], file: Path, overrides: Sequence[str] = ()) -> D:
    """As :func:`load`, for either kind of document."""
    data, lines = toml_lines.read(file)
    return _build(model, data, Source(str(file), lines), file.parent, overrides)


def of(model: type[D], data: Mapping[str, Any], base: Path = Path(), overrides: Sequence[str] = ()) -> D:
    """As :func:`from_dict`, for either kind of document."""
    return _build(model, {"api": API, **_without_none(data)}, Source("config"), base, overrides)


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


def _build(model: type[D], data: Mapping[str, Any], source: Source, base: Path, overrides: Sequence[str]) -> D:
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
    config = _validate(model, values, complaints) if _check_api(values, complaints) else None
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


def _validate(model: type[D], values: Mapping[str, Any], complaints: Complaints) -> D:
    """The configuration; what is wrong is complained of and left out."""
    checked, left_out = copy.deepcopy({**values, "api": API}), list[Place]()
    while True:
        try:
            # As JSON, because strict pydantic takes no list for a tuple from Python.
            config = model.model_validate_json(json.dumps(checked, default=str))
        except ValidationError as error:
            found = list(explain(error, model, checked))
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
    needed: dict[str, dict[str, Any]] = {
        "population": {"domain": _NOTHING, "networks": [_NOTHING]},
        "train": {"trainer": _NOTHING},
    }
    table: Any = values
    last: Any = place[-1]
    for part in place[:-1]:
        table = table[part]
    if len(place) == 1 and last in needed:
        table[last] = needed[last]
    elif len(place) == 2 and last in needed.get(str(place[0]), {}):
        table[last] = needed[str(place[0])][last]
    elif place == ("train", "early_stop", "monitor"):
        table[last] = _NOTHING
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
        tables = [name for name in Document.model_fields if name != "api"]
        return f"unknown table. {did_you_mean(str(place[0]), tables)}"
    tables_of: dict[str, type[BaseModel]]
    tables_of = {"run": RunTable, "population": PopulationTable, "slots": SlotsTable, "train": TrainTable, "run.stop": Stop}
    home = next((name for name, table in tables_of.items() if place[-1] in table.model_fields and len(place) <= 2), None)
    return message if home is None else f"unknown key. It belongs at {spell((*home.split('.'), place[-1]))}."
