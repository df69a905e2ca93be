"""What plugins and optimisers check before a run is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support

import aiga
from aiga import InputError, PluginError
from aiga import config as configs

WIDE = """
def check(self, plan):
    found = (plan.niches, sorted(plan.networks), dict(plan.slots), type(plan.domain).__name__)
    raise aiga.InputError(f"[population] niches: wide found {found}. Write 2.")
"""
OPTIMISER = """
class Poor:
    def start(self, agents):
        return {}

    def improve(self, lab, niches, state, steps):
        return niches.agents, state

    def check(self, domain):
        raise aiga.InputError(f"[plugins.poor.options] file: none for {type(domain).__name__}. Write one.")
"""


def refused(folder: Path, plugins: dict[str, Any], **changes: Any) -> str:
    """What a run with these plugins is refused with; nothing is written."""
    with pytest.raises(InputError) as caught:
        aiga.run(support.bare(plugins=plugins, **changes), name="r", runs=folder / "runs")
    assert not (folder / "runs").exists()
    return str(caught.value)


def test_a_plugin_says_what_it_lacks_before_anything_is_written(tmp_path: Path) -> None:
    told = refused(tmp_path, {"wide": support.plugin(tmp_path, "wide", WIDE)})
    population = support.bare()["population"]
    assert f"[population] niches: wide found ({population.get('niches', 1)}, {sorted(population['networks'])}, " in told
    assert "'select': 'keep', 'improve': 'none'" in told


def test_all_that_is_lacking_is_told_at_once_and_the_optimisers_own_too(tmp_path: Path) -> None:
    register = "def aiga_register(self, registry):\n    registry.optimiser('poor', Poor())"
    plugins = {
        "wide": support.plugin(tmp_path, "wide", WIDE),
        "poor": support.plugin(tmp_path, "poor", register, OPTIMISER),
    }
    told = refused(tmp_path, plugins, slots={"improve": "poor"})
    assert "wide found" in told
    assert "[plugins.poor.options] file: none for " in told


def test_a_check_that_breaks_is_the_plugins_fault(tmp_path: Path) -> None:
    table = support.plugin(tmp_path, "wide", "def check(self, plan):\n    return plan.nothing")
    with pytest.raises(PluginError, match=r"plugin 'wide' raised in check: AttributeError: .*nothing"):
        aiga.run(support.bare(plugins={"wide": table}), name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_resumed_is_not_checked_again(tmp_path: Path) -> None:
    table = support.plugin(tmp_path, "wide", "def check(self, plan):\n    return None")
    aiga.run(support.bare(plugins={"wide": table}, run={"stop": {"iterations": 1}}), name="r", runs=tmp_path)
    support.plugin(tmp_path, "wide", WIDE)
    aiga.resume(tmp_path / "r", overrides=["run.stop.iterations=2"])
    assert len(support.events(tmp_path / "r", "iteration")) == 2


def test_what_a_check_says_of_a_key_is_told_with_its_line(tmp_path: Path) -> None:
    table = support.plugin(tmp_path, "wide", WIDE)
    file = tmp_path / "plugins.toml"
    file.write_text(configs.from_dict(support.bare(plugins={"wide": table})).to_toml())
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if text.startswith("niches = "))
    with pytest.raises(InputError) as caught:
        aiga.run(file, name="r", runs=tmp_path / "runs")
    assert str(caught.value).startswith(f"{file}:{line}: [population] niches: wide found ")
    with pytest.raises(InputError, match=r"^--set population.niches=3: wide found "):
        aiga.run(file, name="r", runs=tmp_path / "runs", overrides=["population.niches=3"])
