"""The documentation is true: samples run, configurations validate, nothing that can be set or overridden goes unmentioned."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import aiga
from aiga import Plugin, components, config, tables
from aiga.hooks import PREFIX
from aiga.pillars import PILLARS
from aiga.registry import KINDS
from aiga.testing.workbench import POINTS

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
PLUGINS, CONFIGURATION = ROOT / "docs" / "plugins.md", ROOT / "docs" / "configuration.md"
SAMPLES = {language: [page for page in PAGES if f"\n```{language}\n" in page.read_text()] for language in ("python", "toml")}
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLES = {
    "[run]": config.RunTable,
    "[population]": config.PopulationTable,
    "[slots]": config.SlotsTable,
    "[train]": config.TrainTable,
    "[train] early_stop": tables.EarlyStopTable,
    "[plugins.NAME]": config.PluginTable,
    "[run] stop": config.Stop,
}


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """First line and text of every block of exactly this language."""
    text = page.read_text()
    for block in BLOCK.finditer(text):
        if block[1].strip() == language:
            yield text[: block.start()].count("\n") + 2, block[2]


def section(page: Path, heading: str) -> str:
    """What stands under a heading, down to the next of its level or above."""
    text = page.read_text()
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found is not None, f"{page.name} has no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def signature(name: str, of: type) -> str:
    names = [argument for argument in inspect.signature(getattr(of, name)).parameters if argument != "self"]
    return f"`{name}({', '.join(names)})`"


def shipped() -> dict[str, type[Plugin]]:
    points = importlib.metadata.distribution("aiga").entry_points
    return {point.name: point.load() for point in points if point.group == "aiga"}


@pytest.mark.parametrize("name", [name for name in vars(Plugin) if name.startswith(PREFIX)])
def test_every_hook_has_a_heading_with_its_signature_and_an_example(name: str) -> None:
    text = section(PLUGINS, signature(name, Plugin))
    assert "```python\n" in text, f"{name} has no example"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_component_has_a_heading_that_names_each_of_its_methods(kind: str) -> None:
    text = section(PLUGINS, f"`{kind}`")
    protocol = getattr(components, kind.capitalize(), None)
    if protocol is not None:
        methods = [name for name, value in vars(protocol).items() if name[0] != "_" and inspect.isfunction(value)]
        missing = [name for name in methods if signature(name, protocol) not in text]
        missing += [name for name in getattr(protocol, "__annotations__", {}) if f"`{name}`" not in text]
        assert not missing


@pytest.mark.parametrize("pillar", PILLARS)
def test_every_pillar_is_listed_with_its_meaning_and_the_shipped_plugins_of_it(pillar: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section(PLUGINS, "Pillars"), re.MULTILINE)
    ((meaning, names),) = [row[1:] for row in rows if row[0] == pillar]
    assert meaning == PILLARS[pillar]
    assert set(re.findall(r"`([^`]+)`", names)) == {name for name, plugin in shipped().items() if plugin.pillar == pillar}


@pytest.mark.parametrize("name", [name for name in vars(components.Lab) if name[0] != "_"])
def test_everything_that_the_lab_offers_is_described(name: str) -> None:
    assert f"`lab.{name}" in section(PLUGINS, "The lab")


@pytest.mark.parametrize(("heading", "model"), TABLES.items(), ids=TABLES)
def test_every_key_of_every_table_is_in_the_reference(heading: str, model: type[BaseModel]) -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", section(CONFIGURATION, f"`{heading}`"), re.MULTILINE))
    assert listed == set(model.model_fields)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_option_of_every_shipped_plugin_is_in_the_reference_with_its_default(name: str) -> None:
    text = section(CONFIGURATION, f"`[plugins.{name}.options]`")
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", text, re.MULTILINE))
    fields = shipped()[name].Options.model_fields
    assert rows.keys() == fields.keys()
    for key, field in fields.items():
        default = field.get_default(call_default_factory=True)
        if default is None:
            assert rows[key] == "none"
            continue
        (written,) = tomllib.loads(f"value = {rows[key].strip('`')}").values()
        assert written == (list(default) if isinstance(default, tuple) else default), key


@pytest.mark.parametrize("heading", ["`[run]`", "`[population]`", "`[slots]`", "`[train]`", "`[train] early_stop`"])
def test_the_defaults_in_the_reference_are_those_of_the_tables(heading: str) -> None:
    model = TABLES[heading.strip("`")]
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", section(CONFIGURATION, heading), re.MULTILINE))
    for key, field in model.model_fields.items():
        if field.is_required():
            assert rows[key] == "required"
        elif field.default is None or isinstance(field.default, BaseModel):
            assert rows[key] == "none"
        else:
            assert tomllib.loads(f"value = {rows[key].strip('`')}")["value"] == field.default, key


# The design shows protocols in outline; that they are as it says is what mypy and the tests of the walls are for.
@pytest.mark.parametrize("page", [page for page in SAMPLES["python"] if page.name != "design.md"], ids=lambda page: page.name)
def test_every_python_sample_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": f"sample_{page.stem}"}
    given, samples = set(namespace), list(blocks(page, "python"))
    for line, text in samples:
        # Blank lines in front, so that a traceback names the line of the page.
        exec(compile("\n" * (line - 1) + text, str(page), "exec"), namespace)
    assert len(samples) == page.read_text().count("\n```python\n")
    assert namespace.keys() > given | {"__builtins__"}


def test_the_suites_that_the_page_shows_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("\n\n".join(text for _, text in blocks(PLUGINS, "python")))
    passed, _, failed = pytester.inline_run("-p", "no:cacheprovider", "-W", "ignore").listoutcomes()
    assert not failed
    assert {"TestThermostat", "TestDoors", "TestElman", "TestHillClimber"} == {
        report.nodeid.split("::")[1] for report in passed
    }


def test_events_have_the_columns_that_the_page_lists(tmp_path: Path) -> None:
    section_rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section(PLUGINS, signature("aiga_event", Plugin)), re.MULTILINE)
    listed = {type: set(re.findall(r"`(\w+)`", columns)) for type, columns in section_rows}
    seen: dict[str, set[str]] = {}

    class Watcher:
        def iteration(self, progress: aiga.Progress) -> None:
            for event in progress.events:
                seen.setdefault(event.type, set()).update(event.columns)

        def message(self, text: str) -> None:
            raise AssertionError(text)

    poet = {"reproduce_every": 1, "transfer_every": 1, "capacity": 3, "children": 8, "reproduce_above": -1000.0, "episodes": 1}
    options = {"poet": poet, "es": {"population": 8, "lr": 0.1}, "local": {"device_block": 64}}
    config = {**POINTS, "run": {**POINTS["run"], "stop": {"iterations": 6}}, "slots": {"select": "poet", "improve": "es"}}
    config["plugins"] = {**POINTS["plugins"], **{name: {"options": each} for name, each in options.items()}}
    aiga.run(config, runs=tmp_path, watcher=Watcher())
    seen["admitted"] -= {"novelty", "archive_passed"}  # the owner's notes
    assert seen == listed


@pytest.mark.parametrize("page", SAMPLES["toml"], ids=lambda page: page.name)
def test_every_configuration_validates(page: Path) -> None:
    samples = list(blocks(page, "toml"))
    assert len(samples) == page.read_text().count("\n```toml\n")
    for line, text in samples:
        try:
            data = tomllib.loads(text)
            if "train" in data:
                config.of(config.TrainConfig, data)
            elif "population" in data:
                config.from_dict(data)
        except Exception as error:
            raise AssertionError(f"{page.name}:{line}: {error}") from error
