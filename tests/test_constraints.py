"""What `make` installs is what aiga was tested with: no package comes in whatever version the index happens to have."""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pinned() -> dict[str, str]:
    """Version by package, from ``constraints.txt``."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in pins}


def named() -> set[str]:
    """Every package that ``pyproject.toml`` asks for, in any extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {canonicalize_name(Requirement(line).name) for line in asked}


def brought(names: set[str]) -> set[str]:
    """``names`` and everything that those of them that are installed bring along on this machine."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            lines = distribution(name).requires or []
        except ModuleNotFoundError:
            continue
        needed = [Requirement(line) for line in lines]
        wanted = {canonicalize_name(n.name) for n in needed if n.marker is None or n.marker.evaluate({"extra": ""})}
        waiting |= wanted - found
    return found


def test_every_package_that_the_project_asks_for_is_pinned() -> None:
    assert not named() - set(pinned())


def test_every_package_that_those_bring_along_is_pinned_too() -> None:
    # Every virtual environment has setuptools or not, as its Python pleases; aiga needs none.
    assert not brought(named()) - set(pinned()) - {"setuptools"}
