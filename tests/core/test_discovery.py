"""From a configuration to plugins: what is found, in which order, and every complaint, word for word."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiga import config, discovery
from aiga.config import Config
from aiga.discovery import Components
from aiga.errors import InputError

Install = Callable[..., None]

PLUGIN = """
import aiga

class Options(aiga.Options):
    size: int = 3
    token: str = ""

class {cls}(aiga.Plugin):
    name = "{name}"
    Options = Options
    {body}
"""


def plugin(name: str, body: str = "", cls: str = "Made") -> str:
    return PLUGIN.format(name=name, cls=cls, body=textwrap.indent(textwrap.dedent(body), "    ").lstrip())


BRINGS = 'def aiga_register(self, registry): registry.{kind}("{name}", self)'
OWNS = "def aiga_select(self, lab, pairs, scores): return None"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with plugins where Python finds it: entry points by name, one module's code, requirements."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def put(distribution: str, points: dict[str, str], code: str, *requires: str, version: str = "1.0") -> None:
        info = site / f"{distribution}-{version}.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {version}"]
        (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {text}" for text in requires), ""]))
        (info / "entry_points.txt").write_text("[aiga]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()))
        (site / f"{distribution}.py").write_text(code)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield put
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


@pytest.fixture
def base(install: Install) -> Install:
    """A domain, a network, an owner and an executor to fill ``[population]``, ``[slots]`` and ``[run]`` with."""
    install("fake_domain", {"flatland": "fake_domain:Made"}, plugin("flatland", BRINGS.format(kind="domain", name="flatland")))
    install("fake_net", {"line": "fake_net:Made"}, plugin("line", BRINGS.format(kind="network", name="line")))
    install("fake_owner", {"fake_keep": "fake_owner:Made"}, plugin("fake_keep", OWNS))
    install("fake_exec", {"here": "fake_exec:Made"}, plugin("here", BRINGS.format(kind="executor", name="here")))
    return install


HEAD = """\
api = 1
[run]
executor = "here"
[population]
domain = "flatland"
networks = ["line"]
[slots]
select = "fake_keep"
"""


def read(folder: Path, text: str = "", *overrides: str) -> Config:
    (folder / "plugins.toml").write_text(HEAD + text)
    return config.load(folder / "plugins.toml", overrides)


def problems(folder: Path, text: str = "", *overrides: str) -> list[str]:
    """What is complained of on the way from a file to registered components; paths as seen from the file."""
    with pytest.raises(InputError) as caught:
        registered(read(folder, text, *overrides))
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def registered(loaded: Config) -> Components:
    plugins = discovery.load(loaded)
    components = Components(discovery.recipes(discovery.find(loaded)))
    for each in plugins:
        discovery.register(each, components)
    discovery.check(loaded, plugins, components)
    return components


def test_plugins_come_in_file_order_then_those_that_are_only_named(base: Install, tmp_path: Path) -> None:
    base("fake_more", {"zed": "fake_more:Z", "alf": "fake_more:A"}, plugin("zed", cls="Z") + plugin("alf", cls="A"))
    loaded = read(tmp_path, "[plugins.zed]\n[plugins.here]\n[plugins.alf]\n")
    assert [source.name for source in discovery.find(loaded)] == ["zed", "here", "alf", "flatland", "line", "fake_keep"]
    assert [each.name for each in discovery.load(loaded)] == ["zed", "here", "alf", "flatland", "line", "fake_keep"]


def test_what_is_installed_is_listed_without_being_imported(base: Install) -> None:
    base("fake_bomb", {"bomb": "fake_bomb:Made"}, "raise SystemExit('imported')", version="2.5")
    listed = {source.name: (source.value, source.distribution, source.version) for source in discovery.available()}
    assert listed["bomb"] == ("fake_bomb:Made", "fake_bomb", "2.5")
    assert listed["poet"][0] == "aiga_poet:Poet"
    assert "fake_bomb" not in sys.modules


def test_nothing_is_imported_unless_it_is_named(base: Install, tmp_path: Path) -> None:
    base("fake_bomb", {"bomb": "fake_bomb:Made"}, "raise SystemExit('imported')")
    read(tmp_path, "[plugins.line]\n")
    code = f"""
        import sys
        from pathlib import Path
        from aiga import config, discovery
        loaded = config.load(Path({str(tmp_path / "plugins.toml")!r}))
        sources = discovery.find(loaded)
        assert not [name for name in sys.modules if name.startswith(("fake_", "aiga_", "torch"))], "find imports nothing"
        discovery.load(loaded, sources)
        assert {{name for name in sys.modules if name.startswith(("fake_", "aiga_"))}} == {{
            "fake_domain", "fake_net", "fake_owner", "fake_exec"}}
    """
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)


def test_options_reach_the_plugin_checked(base: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TOKEN", "hunter2")
    loaded = read(tmp_path, '[plugins.line.options]\nsize = 8\ntoken = { env = "FAKE_TOKEN" }\n')
    made: Any = next(each for each in discovery.load(loaded) if each.name == "line")
    assert (made.options.size, made.options.token) == (8, "hunter2")


def test_an_unknown_plugin(base: Install, tmp_path: Path) -> None:
    assert problems(tmp_path, "\n[plugins.lines]\n") == [
        "plugins.toml:10: [plugins.lines]: no such plugin is installed. Did you mean line?"
    ]
    [found] = problems(tmp_path, "[plugins.qqqqqq]\n")
    assert found.startswith("plugins.toml:9: [plugins.qqqqqq]: no such plugin is installed. There are: ")
    assert found.endswith(' A file of your own needs path = "./qqqqqq.py".')
    assert problems(tmp_path, "", "plugins.lines.options.x=1") == [
        "--set plugins.lines.options.x=1: no such plugin is installed. Did you mean line?"
    ]


def test_an_owner_that_is_no_plugin(base: Install, tmp_path: Path) -> None:
    assert problems(tmp_path, "", "slots.select=fake_kep") == [
        '--set slots.select=fake_kep: no plugin named "fake_kep". Did you mean "fake_keep"?'
    ]


def test_an_owner_that_decides_nothing(base: Install, tmp_path: Path) -> None:
    text = "[plugins.fake_keep]\n"
    assert problems(tmp_path, text, "slots.select=line") == [
        '--set slots.select=line: the plugin "line" does not decide admissions: it has no aiga_select. '
        'There are: "fake_keep", "keep".'
    ]


def test_two_distributions_with_one_name(base: Install, tmp_path: Path) -> None:
    base("fake_rival", {"line": "fake_rival:Made"}, plugin("line"), version="3")
    assert problems(tmp_path) == [
        'plugins.toml:6: [population] networks[0]: two distributions bring a plugin "line": fake_net 1.0 and fake_rival 3. '
        "Remove one: pip uninstall fake_net or pip uninstall fake_rival"
    ]


BROKEN = {
    "a dependency of its own": (
        "import fake_missing.sub",
        ["Fake-Missing[fast]>=2.1,<3"],
        'needs the module "fake_missing", which is not installed. Install it: pip install "Fake-Missing[fast]>=2.1,<3"',
    ),
    "a dependency of an extra": (
        "import fake_missing",
        ["other", 'fake.missing (>=2) ; extra == "plots"'],
        'needs the module "fake_missing", which is not installed. Install it: pip install "fake_bad[plots]"',
    ),
    "a dependency by another name": (
        "import Box2D_missing",
        [],
        'needs the module "Box2D_missing", which is not installed. Install it: pip install box2d-missing',
    ),
    "no such module": (
        "import fake_bad.deeper",
        [],
        "fake_bad 1.0 says it is fake_bad:Made, and there is no module fake_bad.deeper. "
        "Reinstall it: pip install --force-reinstall fake_bad",
    ),
    "no such class": (
        "x = 1",
        [],
        "fake_bad 1.0 says it is fake_bad:Made, and there is no such class. "
        "Reinstall it: pip install --force-reinstall fake_bad",
    ),
    "an import that raises": (
        "def f():\n    raise ValueError('boom')\nf()",
        [],
        "its import raised ValueError: boom (site/fake_bad.py:2). Mend it there, or disable the plugin.",
    ),
    "an import that ends the process": (
        "raise SystemExit(3)",
        [],
        "its import raised SystemExit: 3 (site/fake_bad.py:1). Mend it there, or disable the plugin.",
    ),
    "an import that does not parse": (
        "x = 1\ny = = 2",
        [],
        "its import raised SyntaxError: invalid syntax (site/fake_bad.py:2). Mend it there, or disable the plugin.",
    ),
    "no plugin": (
        "class Made: pass",
        [],
        "fake_bad:Made of fake_bad 1.0 is not a plugin. Derive it from aiga.Plugin.",
    ),
    "a function": (
        "def Made(): pass",
        [],
        "fake_bad:Made of fake_bad 1.0 is not a plugin. Derive it from aiga.Plugin.",
    ),
    "an older api": (
        plugin("bad", "api = 0"),
        [],
        "fake_bad 1.0 is written for API 0, and this aiga has API 1. Upgrade: pip install --upgrade fake_bad",
    ),
    "a newer api": (
        plugin("bad", "api = 2"),
        [],
        "fake_bad 1.0 is written for API 2, and this aiga has API 1. Upgrade: pip install --upgrade aiga",
    ),
    "another name": (
        plugin("good"),
        [],
        'Made of fake_bad 1.0 names itself "good". Write name = "bad" in the class.',
    ),
    "no name": (
        "import aiga\nclass Made(aiga.Plugin): pass",
        [],
        'Made of fake_bad 1.0 has no name. Write name = "bad" in the class.',
    ),
    "a constructor that raises": (
        plugin("bad", "def __init__(self, options):\n    raise OSError('no such device')"),
        [],
        "raised OSError when it was made: no such device. Mend that, or disable the plugin.",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_plugin_is_answered_with(broken: str, base: Install, tmp_path: Path) -> None:
    code, requires, message = BROKEN[broken]
    base("fake_bad", {"bad": "fake_bad:Made"}, code, *requires)
    assert problems(tmp_path, "[plugins.bad]\n") == [f"plugins.toml:9: [plugins.bad]: {message}"]


def test_a_module_of_another_name_than_its_distribution() -> None:
    from aiga.plugin_classes import install_command

    assert install_command("Box2D.b2", "aiga") == 'pip install "box2d>=2.3.10"'
    assert install_command("cv2", "") == "pip install opencv-python"


def test_mistakes_of_all_plugins_are_told_at_once(base: Install, tmp_path: Path) -> None:
    base("fake_bad", {"bad": "fake_bad:Made"}, "import fake_missing")
    text = """
[plugins.lin]
[plugins.bad]
[plugins.line.options]
sise = 3
token = { env = "FAKE_UNSET" }
size = { env = "FAKE_UNSET" }
[plugins.here.options]
size = "x"
"""
    assert problems(tmp_path, text, "population.domain=flatlend") == [
        "plugins.toml:10: [plugins.lin]: no such plugin is installed. Did you mean line?",
        'plugins.toml:11: [plugins.bad]: needs the module "fake_missing", which is not installed. '
        "Install it: pip install fake-missing",
        "plugins.toml:13: [plugins.line.options] sise: unknown option. Did you mean size?",
        "plugins.toml:14: [plugins.line.options] token: the environment variable FAKE_UNSET is not set. "
        "Set it: export FAKE_UNSET=...",
        "plugins.toml:15: [plugins.line.options] size: the environment variable FAKE_UNSET is not set. "
        "Set it: export FAKE_UNSET=...",
        'plugins.toml:17: [plugins.here.options] size: found "x". Write a whole number; the default is 3.',
        '--set population.domain=flatlend: no domain named "flatlend". Did you mean "flatland"?',
    ]


def test_a_component_that_nobody_registered(base: Install, tmp_path: Path) -> None:
    assert problems(tmp_path, "", 'population.networks=["line", "lines"]') == [
        '--set population.networks=["line", "lines"]: [population] networks[1]: no network named "lines". Did you mean "line"?'
    ]
    assert problems(tmp_path, "", "slots.improve=line") == [
        '--set slots.improve=line: no optimiser named "line"; the plugin line brings network "line". '
        "Name a plugin that brings one, or enable it in [plugins]."
    ]
    assert problems(tmp_path, "", "population.domain=qqqqq") == [
        '--set population.domain=qqqqq: no domain named "qqqqq". Name a plugin that brings one, or enable it in [plugins].'
    ]


def test_a_component_may_come_from_a_plugin_of_another_name(base: Install, tmp_path: Path) -> None:
    base("fake_zoo", {"zoo": "fake_zoo:Made"}, plugin("zoo", BRINGS.format(kind="network", name="ape")))
    loaded = read(tmp_path, "[plugins.zoo]\n", 'population.networks=["ape"]')
    assert registered(loaded).owner("network", "ape") == "zoo"


def test_a_domain_that_lacks_what_a_plugin_needs(base: Install, tmp_path: Path) -> None:
    base("fake_needy", {"needy": "fake_needy:Made"}, plugin("needy", 'needs = ("distance", "loss", "aiga_register")'))
    assert problems(tmp_path, "[plugins.needy]\n") == [
        'plugins.toml:9: [plugins.needy]: needs a domain with distance and loss, which "flatland" has not. '
        "Write what is missing, name another domain in [population], or do without needy."
    ]


def test_a_secret_is_never_in_a_message(base: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TOKEN", "hunter2")
    code = """
import aiga
from pydantic import field_validator
class Options(aiga.Options):
    token: str
    size: int = 1
    @field_validator("token")
    @classmethod
    def _long(cls, token):
        raise ValueError(f"{token} is too short")
class Made(aiga.Plugin):
    name = "shy"
    Options = Options
"""
    base("fake_shy", {"shy": "fake_shy:Made"}, code)
    text = '[plugins.shy.options]\ntoken = { env = "FAKE_TOKEN" }\nsize = { env = "FAKE_TOKEN" }\n'
    assert problems(tmp_path, text) == [
        "plugins.toml:10: [plugins.shy.options] token: $FAKE_TOKEN is too short.",
        'plugins.toml:11: [plugins.shy.options] size: found { env = "FAKE_TOKEN" }. Write a whole number; the default is 1.',
    ]
