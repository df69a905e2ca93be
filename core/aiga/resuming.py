"""What may be another when a run or a training is resumed, and whether everything else is as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga.complaints import Complaints, show
from aiga.config import Config, Document, TrainConfig
from aiga.errors import InputError
from aiga.toml_lines import Place

if TYPE_CHECKING:
    from aiga.registry import Components
    from aiga.tables import PopulationTable

# Results hang on these; changing them on resume would make one run of two searches.
_FIXED_RUN = ("seed", "executor", "episodes", "confirmations", "audit")
_FREE_TRAIN = (
    *("max_steps", "max_epochs", "max_time", "early_stop", "checkpoint_every", "log_every_n_steps"),
    *("accelerator", "devices", "strategy", "deterministic"),
)
_LOCKED = ("distribution", "version", "state_version", "sha256")


def check_overrides(config: Document) -> None:
    """Whether the overrides of a resume concern where and how long alone, never what is computed.

    Raises:
        InputError: naming every one that does not.
    """
    faults = [(place, _fault(config, place)) for place in config.overridden]
    problems = [f"--set {'.'.join(map(str, place))}: {fault}" for place, fault in faults if fault is not None]
    if problems:
        raise InputError(*problems)


def _fault(config: Document, place: Place) -> str | None:
    results = "results hang on it, so it stays as the run was started; start a new run to change it"
    if isinstance(config, TrainConfig):
        if place[0] == "train" and len(place) > 1:
            return None if place[1] in _FREE_TRAIN else results
        if place[0] == "run" and len(place) > 1:
            return results if place[1] == "seed" else None
        return "only train.* and run.* can change when a training is resumed; start a new one to change the rest"
    if place[0] != "run" and not (place[0] == "plugins" and place[2:] == ("on_error",)):
        what = "only run.* and a plugin's on_error can change when a run is resumed"
        return f"{what}; start a new run to change the search"
    return results if len(place) > 1 and place[1] in _FIXED_RUN else None


def fixed(config: Document) -> dict[str, Any]:
    """What of a configuration results hang on, by dotted place, as JSON holds it."""
    data = json.loads(json.dumps(config.to_dict()))
    if isinstance(config, TrainConfig):
        found = {"run.seed": data["run"]["seed"]}
        found |= {f"train.{name}": value for name, value in data["train"].items() if name not in _FREE_TRAIN}
    else:
        found = {f"run.{name}": value for name, value in data["run"].items() if name in _FIXED_RUN}
        found |= {f"slots.{name}": value for name, value in data["slots"].items()}
    # Once founded, a run is done with the agent it started from; and it has a copy of its own, under another name.
    population = {name: value for name, value in data.get("population", {}).items() if name != "initial_agent"}
    found |= {f"population.{name}": value for name, value in population.items()}
    for name, table in data["plugins"].items():
        found |= {f"plugins.{name}.options.{option}": value for option, value in table["options"].items()}
    return found


def check_fixed(held: Any, config: Document) -> None:
    """Whether ``run.toml`` still asks for what was started; one run must not be two searches.

    Args:
        held: what :func:`fixed` gave then; anything but a dict where it is not known.
        config: what the run's folder holds now.

    Raises:
        InputError: naming every value that is another one.
    """
    if not isinstance(held, dict):
        return
    now, complaints = fixed(config), Complaints(config.source)
    for dotted in sorted({*held, *now}):
        before, after = held.get(dotted), now.get(dotted)
        place = tuple(dotted.split(".", 3 if dotted.startswith("plugins.") else 1))
        # Plugins that came or went are told of as such.
        if before != after and (place[0] != "plugins" or place[1] in config.plugins):
            was = "no such value" if before is None else show(before)
            complaints.add(
                place, f"found {show(after)}, but the run was started with {was}. Write it back, or start a new run."
            )
    complaints.check()


def paths(components: Components, population: PopulationTable) -> dict[str, str]:
    """By which way the domain lives with each network, and with which data, where it tells."""
    domain = components.get("domain", population.domain)
    if not hasattr(domain, "path"):
        return {}
    return {name: domain.path(components.get("network", name)) for name in population.networks}


def check_paths(held: Any, now: Mapping[str, str], config: Config | TrainConfig) -> None:
    """Whether every network still lives by the way, and with the data, that the run was started with.

    Args:
        held: what :func:`paths` gave then; anything but a dict where it is not known.
        now: what it gives now.
        config: of the run.

    Raises:
        InputError: naming every network that does not; two ways round differently, and one run must not be two searches.
    """
    if not isinstance(held, dict) or config.population is None:
        return
    domain, remedy = (
        config.population.domain,
        "Go on with the plugins and the data that it was started with, or start a new run.",
    )
    problems = [
        f"network {name}: the run was started with its lives {before} in the domain {domain}, "
        f"now they would be {now[name]}. {remedy}"
        for name, before in held.items()
        if name in now and now[name] != before
    ]
    if problems:
        raise InputError(*problems)


def plugin_changes(path: Path, lock: str) -> list[str]:
    """What is not as ``plugins.lock`` at ``path`` has it, in words; what goes on with other plugins may go elsewhere.

    Args:
        path: of the lock that was written at the start.
        lock: what it would be now.
    """
    try:
        held = {name: {key: entry.get(key) for key in _LOCKED} for name, entry in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, AttributeError) as error:
        return [f"{path}: cannot be read ({error}), so whether the plugins are those of the start is not known"]
    found = {name: {key: entry.get(key) for key in _LOCKED} for name, entry in json.loads(lock).items()}
    words = []
    for name in sorted({*held, *found}):
        before, now = held.get(name, {}), found.get(name, {})
        changed = [f"{key} {before.get(key)} -> {now.get(key)}" for key in _LOCKED if before.get(key) != now.get(key)]
        if changed:
            words.append(f"plugin {name} is not what the run was started with: {', '.join(changed)}")
    return words
