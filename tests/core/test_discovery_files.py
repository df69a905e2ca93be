"""Plugins from a path, components, and what is written of plugins into a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from aiga import config, discovery
from aiga.components import Cost
from aiga.config import Config
from aiga.discovery import Components
from aiga.errors import InputError

MINE = """
from __future__ import annotations
from dataclasses import dataclass
import aiga
from aiga import Plugin

@dataclass
class Land:
    size: int

class Options(aiga.Options):
    size: int = 3
    token: str = ""
    names: list[str] = []

class Mine(Plugin):
    name = "mine"
    state_version = 4
    Options = Options

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.domain("flat", Land(self.options.size))
        registry.network("line", object())
        registry.executor("here", object())
        registry.optimiser("climb", object())

    def aiga_select(self, lab, pairs, scores):
        return None
"""

DATA: dict[str, Any] = {
    "run": {"executor": "here"},
    "population": {"domain": "flat", "networks": ["line"]},
    "slots": {"select": "mine", "improve": "climb"},
    "plugins": {"mine": {"path": "./my_plugin.py", "options": {"size": 5}}},
}


def made(folder: Path, code: str = MINE, *overrides: str) -> Config:
    (folder / "my_plugin.py").write_text(code)
    return config.from_dict(DATA, folder, overrides)


def problem(loaded: Config) -> str:
    with pytest.raises(InputError) as caught:
        discovery.load(loaded)
    [found] = caught.value.problems
    return found.replace(f"{loaded.base}/", "")


def test_a_plugin_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    loaded = made(tmp_path)
    [plugin] = discovery.load(loaded)
    components = Components()
    discovery.register(plugin, components)
    discovery.check(loaded, [plugin], components)
    assert components.get("domain", "flat").size == 5
    assert sys.path == path
    assert "my_plugin" not in set(sys.modules) - modules
    assert [file.name for file in tmp_path.iterdir()] == ["my_plugin.py"]


def test_two_files_of_one_name_are_two_plugins(tmp_path: Path) -> None:
    plugins = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plugins += discovery.load(made(tmp_path / name, f"{MINE}\nWHO = {name!r}\n"))
    assert [sys.modules[type(plugin).__module__].WHO for plugin in plugins] == ["a", "b"]


def test_a_file_with_two_plugins_gives_the_one_that_is_named(tmp_path: Path) -> None:
    code = f'{MINE}\nclass Other(Mine):\n    name = "other"\n'
    [plugin] = discovery.load(made(tmp_path, code))
    assert type(plugin).__name__ == "Mine"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1", "[plugins.mine]: my_plugin.py has no plugin in it. Write a class there that derives from aiga.Plugin."),
        (
            'from aiga import Plugin\nclass A(Plugin): name = "a"\nclass B(Plugin): name = "b"\n',
            '[plugins.mine]: my_plugin.py has several plugins in it, A and B. Write name = "mine" in one of them.',
        ),
        (
            'from aiga import Plugin\nclass A(Plugin): name = "a"\n',
            '[plugins.mine]: A of my_plugin.py names itself "a". Write name = "mine" in the class.',
        ),
        (
            "import fake_nowhere",
            '[plugins.mine]: needs the module "fake_nowhere", which is not installed. Install it: pip install fake-nowhere',
        ),
        (
            "import beside",
            '[plugins.mine]: imports "beside" from its own folder, which is not searched. '
            "Put all into my_plugin.py, or make a package of both and install that.",
        ),
        (
            "x = 1\n1 / 0\n",
            "[plugins.mine]: its import raised ZeroDivisionError: division by zero (my_plugin.py:2). "
            "Mend it there, or disable the plugin.",
        ),
    ],
)
def test_a_file_that_is_no_plugin_is_answered_with(code: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("")
    before = set(sys.modules)
    assert problem(made(tmp_path, code)) == f"config: {message}"
    assert not [name for name in set(sys.modules) - before if name.startswith("aiga_path_") and "raised" in message]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert problem(made(tmp_path, MINE, "plugins.mine.path=./other.py")) == (
        f'--set plugins.mine.path=./other.py: no file "./other.py" in {tmp_path}. Paths start from the folder of plugins.toml.'
    )
    assert problem(made(tmp_path, MINE, "plugins.mine.path=.")) == (
        '--set plugins.mine.path=.: "." is a folder. Name a Python file in it.'
    )


def test_another_process_makes_the_same_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TOKEN", "hunter2")
    loaded = made(tmp_path, MINE, 'plugins.mine.options.token={ env = "FAKE_TOKEN" }')
    sources = discovery.find(loaded)
    components = Components(discovery.recipes(sources))
    for plugin in discovery.load(loaded, sources):
        discovery.register(plugin, components)
    monkeypatch.delenv("FAKE_TOKEN")
    again = discovery.assemble(components.recipe)
    assert again.get("domain", "flat").size == 5
    assert again.get("domain", "flat") is not components.get("domain", "flat")
    assert [(e.kind, e.name, e.plugin) for e in again.entries()] == [(e.kind, e.name, e.plugin) for e in components.entries()]
    assert json.loads(components.recipe)["plugins"][0]["options"] == {"size": 5, "token": "hunter2"}
    assert again.recipe == components.recipe


def test_workers_get_plugins_with_domains_and_networks_alone() -> None:
    components = Components([{"name": "a", "value": "a:A", "options": {}}, {"name": "b", "value": "b:B", "options": {}}])
    with components.registering("a"):
        components.optimiser("climb", object())  # type: ignore[arg-type]
    with components.registering("b"):
        components.network("line", object())  # type: ignore[arg-type]
    assert [plugin["name"] for plugin in json.loads(components.recipe)["plugins"]] == ["b"]


def test_a_lock_names_versions_options_and_the_files_content(tmp_path: Path) -> None:
    def locked(code: str = MINE, *overrides: str) -> dict[str, Any]:
        loaded = made(tmp_path, code, *overrides)
        sources = discovery.find(loaded)
        return discovery.lock(sources, discovery.load(loaded, sources))["mine"]

    first = locked()
    assert (first["name"], first["state_version"], first["path"]) == ("mine", 4, "my_plugin.py")
    assert locked() == first
    assert locked(MINE, "plugins.mine.options.size=6")["options"] != first["options"]
    assert locked(MINE, "plugins.mine.options.token=")["options"] == first["options"], "a default given is a default"
    assert locked(f"{MINE}\n")["sha256"] != first["sha256"]


def test_a_lock_names_the_distribution_of_an_installed_plugin(tmp_path: Path) -> None:
    (tmp_path / "my_plugin.py").write_text(MINE)
    loaded = config.from_dict({**DATA, "plugins": {**DATA["plugins"], "keep": {}}}, tmp_path)
    sources = discovery.find(loaded)
    entry = discovery.lock(sources, discovery.load(loaded, sources))["keep"]
    assert (entry["value"], entry["distribution"]) == ("aiga.keep:Keep", "aiga")
    assert entry["version"]


def test_a_run_is_given_every_option_with_its_value_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TOKEN", "hunter2")
    options = 'plugins.mine.options={ token = { env = "FAKE_TOKEN" }, names = ["x", { env = "FAKE_TOKEN" }] }'
    loaded = made(tmp_path, MINE, options)
    sources = discovery.find(loaded)
    plugins = discovery.load(loaded, sources)
    resolved = discovery.resolve(loaded, sources, plugins, {"mine": "plugins/my_plugin.py"})
    secret = {"env": "FAKE_TOKEN"}
    assert resolved.plugins["mine"].options == {"size": 3, "token": secret, "names": ["x", secret]}
    assert resolved.plugins["mine"].path == "plugins/my_plugin.py"
    assert "hunter2" not in resolved.to_toml() + str(discovery.lock(sources, plugins))
    (tmp_path / "run.toml").write_text(resolved.to_toml())
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/my_plugin.py").write_text(MINE)
    [again] = discovery.load(config.load(tmp_path / "run.toml"))
    assert again.options.model_dump() == plugins[0].options.model_dump()


def test_a_secret_that_a_plugin_copies_or_hides_is_not_written_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TOKEN", "hunter2")
    copying = """
from pydantic import SecretStr, model_validator
class Options(aiga.Options):
    token: SecretStr
    copy_of_it: str = ""
    @model_validator(mode="before")
    @classmethod
    def _copy(cls, data):
        return {**data, "copy_of_it": data["token"]}
Mine.Options = Options
"""
    loaded = made(tmp_path, MINE + copying, 'plugins.mine.options={ token = { env = "FAKE_TOKEN" } }')
    sources = discovery.find(loaded)
    plugins = discovery.load(loaded, sources)
    secret = {"env": "FAKE_TOKEN"}
    options: Any = plugins[0].options
    assert options.token.get_secret_value() == "hunter2"
    assert discovery.resolve(loaded, sources, plugins).plugins["mine"].options == {"token": secret, "copy_of_it": secret}


def test_two_plugins_that_register_one_name_are_both_named() -> None:
    components = Components()
    with components.registering("a"):
        components.network("line", object())  # type: ignore[arg-type]
        components.optimiser("line", object())  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r'network "line": plugin a registers it twice'):
            components.network("line", object())  # type: ignore[arg-type]
    with (
        components.registering("b"),
        pytest.raises(InputError, match=r'^network "line": registered by two plugins, a and b\. Disable one of them'),
    ):
        components.network("line", object())  # type: ignore[arg-type]


def test_screens_come_cheapest_first_and_in_order_of_registration() -> None:
    components = Components()
    screens: dict[str, Any] = {name: object() for name in "abcd"}
    for plugin, name, cost in (("p", "a", Cost.REAL), ("q", "b", Cost.FREE), ("p", "c", Cost.SURROGATE), ("p", "d", Cost.FREE)):
        with components.registering(plugin):
            components.screen(name, screens[name], cost)
    expected = [("q", "b"), ("p", "d"), ("p", "c"), ("p", "a")]
    assert components.screens() == [(plugin, name, screens[name]) for plugin, name in expected]


def test_a_missing_component_names_what_there_is() -> None:
    components = Components()
    components.network("line", object())  # type: ignore[arg-type]
    components.network("curve", object())  # type: ignore[arg-type]
    with pytest.raises(KeyError, match=r"no network named 'lin'; there are: line, curve"):
        components.get("network", "lin")
    with pytest.raises(KeyError, match="no kind of component named 'net'"):
        components.get("net", "line")


def test_components_are_found_by_kind_name_and_plugin() -> None:
    components = Components()
    one: Any = object()
    with components.registering("a"):
        components.logger("board", one)
    assert components.all("logger") == {"board": one}
    assert components.owner("logger", "board") == "a"
    assert components.names("trainer") == ()


def test_a_file_under_the_name_of_an_installed_plugin_is_refused(tmp_path: Path) -> None:
    import aiga

    (tmp_path / "p.py").write_text('import aiga\n\n\nclass P(aiga.Plugin):\n    name = "tensorboard"\n')
    file = tmp_path / "plugins.toml"
    text = 'api = 1\n[population]\ndomain = "walker"\nnetworks = ["mlp"]\n[plugins.tensorboard]\npath = "./p.py"\n'
    file.write_text(text)
    with pytest.raises(aiga.InputError, match=r"plugins.toml:6: .*\"tensorboard\" is the name of an installed plugin too"):
        aiga.run(file, name="r", runs=tmp_path)
    assert not (tmp_path / "r").exists()
