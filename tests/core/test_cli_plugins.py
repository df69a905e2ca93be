"""The verbs plugin list, show and doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aiga.cli.app import app

TOY = str(Path(__file__).with_name("cli_toy") / "toy.py")


def aiga(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def distribution(site: Path, name: str, *, plugin: str = "", requires: tuple[str, ...] = ()) -> None:
    """Installs an empty distribution: what tells of it and nothing else."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {text}" for text in requires)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    if plugin:
        (info / "entry_points.txt").write_text(f"[aiga]\n{plugin}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def doctor() -> tuple[int, list[dict[str, Any]]]:
    code, out, _ = aiga("plugin", "doctor", "--json")
    report = json.loads(out)
    assert report["ok"] is (code == 0)
    return code, report["findings"]


def problems() -> dict[str, str]:
    code, findings = doctor()
    assert code == 1
    return {finding["subject"]: finding["message"] for finding in findings if not finding["ok"]}


def test_list_names_what_is_installed_and_where_it_comes_from() -> None:
    code, out, _ = aiga("plugin", "list", "--json")
    assert code == 0
    plugins = {plugin["name"]: plugin for plugin in json.loads(out)}
    assert {"keep", "walker", "mlp", "es", "poet", "local"} <= plugins.keys()
    assert plugins["poet"] == {
        "name": "poet",
        "distribution": "aiga",
        "version": plugins["keep"]["version"],
        "value": "aiga_poet:Poet",
    }
    assert "aiga_poet:Poet" in aiga("plugin", "list")[1]


def test_list_imports_no_plugin() -> None:
    code = """
import sys
sys.argv = ["aiga", "plugin", "list"]
from aiga.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not [name for name in sys.modules if name == "torch" or name.startswith("aiga_")]
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_show_tells_what_a_plugin_does_registers_and_takes() -> None:
    code, out, _ = aiga("plugin", "show", TOY, "--json")
    assert code == 0
    about = json.loads(out)
    assert about["name"] == "toy"
    assert about["doc"].startswith("A toy search.")
    assert [hook["name"] for hook in about["hooks"]] == [
        "aiga_register",
        "aiga_generate",
        "aiga_select",
        "aiga_transfer",
        "aiga_accept",
        "aiga_render",
    ]
    assert [(c["kind"], c["name"]) for c in about["components"]] == [
        ("domain", "line"),
        ("network", "dot"),
        ("optimiser", "halve"),
    ]
    assert about["options"] == [
        {
            "name": "every",
            "type": "a whole number of at least 1",
            "default": "2",
            "about": "iterations between proposals of a new environment.",
        },
        {"name": "fail_at", "type": "a whole number", "default": "none", "about": "an iteration in which it raises."},
        {"name": "kinds", "type": "a list of strings", "default": "[]", "about": ""},
        {"name": "mood", "type": '"calm" or "wild"', "default": '"calm"', "about": ""},
    ]


def test_show_prints_the_same_for_people() -> None:
    code, out, _ = aiga("plugin", "show", TOY)
    assert code == 0
    assert "It mutates the newest environment now and then." in out
    assert "a whole number of at least 1" in out
    assert "iterations between proposals of a new environment." in out


def test_show_tells_what_screens_cost_and_what_a_domain_must_have() -> None:
    about = json.loads(aiga("plugin", "show", "poet", "--json")[1])
    assert about["needs"] == ["initial", "mutate", "describe", "distance"]
    assert about["pillar"] == "environments"
    assert "pillar: environments, what there is to learn is generated" in aiga("plugin", "show", "poet")[1]
    assert {c["cost"] for c in about["components"] if c["kind"] == "screen"} == {"FREE", "REAL"}


def test_show_of_a_plugin_whose_options_are_required_tells_the_options_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "strict.py"
    file.write_text(
        "import aiga\nclass O(aiga.Options):\n    key: str\nclass Strict(aiga.Plugin):\n    name = 'strict'\n    Options = O\n"
    )
    about = json.loads(aiga("plugin", "show", str(file), "--json")[1])
    assert about["options"] == [{"name": "key", "type": "a string", "default": "required", "about": ""}]
    assert about["components"] == []
    assert "key" in about["components_error"]


def test_show_of_what_is_not_there_says_what_is_near() -> None:
    code, out, error = aiga("plugin", "show", "poett")
    assert (code, out) == (2, "")
    assert error == "plugin poett: no such plugin is installed. Did you mean poet?\n"
    assert aiga("plugin", "show", "./nothing.py")[0] == 2


def test_the_doctor_finds_nothing_wrong_where_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    code, findings = doctor()
    assert [finding for finding in findings if not finding["ok"]] == []
    assert code == 0
    assert {"torch", "box2d"} <= {finding["subject"] for finding in findings}
    assert "everything is in order" in aiga("plugin", "doctor")[1]


def test_the_doctor_finds_box2d_installed_twice(site: Path) -> None:
    distribution(site, "box2d")
    distribution(site, "box2d-py")
    found = problems()
    assert "both are the module Box2D" in found["box2d and box2d-py"]
    assert "pip uninstall --yes box2d-py box2d && pip install box2d" in found["box2d and box2d-py"]
    assert "1 to mend" in aiga("plugin", "doctor")[1]


def test_the_doctor_finds_two_plugins_of_one_name(site: Path) -> None:
    (site / "twin.py").write_text("import aiga\nclass Twin(aiga.Plugin):\n    name = 'twin'\n")
    distribution(site, "first", plugin="twin = twin:Twin")
    distribution(site, "second", plugin="twin = twin:Twin")
    assert problems()["twin"].endswith("Remove one: pip uninstall first or pip uninstall second")


def test_the_doctor_finds_what_cannot_be_imported_with_the_command_that_mends_it(site: Path) -> None:
    (site / "needy.py").write_text("import no_such_module_here\n")
    distribution(site, "needy", plugin="needy = needy:Needy", requires=("no-such-module-here[fast]>=2",))
    found = problems()
    assert 'Install it: pip install "no-such-module-here' in found["needy"]


def test_the_doctor_finds_requirements_that_are_not_installed(site: Path) -> None:
    (site / "calm.py").write_text("import aiga\nclass Calm(aiga.Plugin):\n    name = 'calm'\n")
    distribution(site, "calm", plugin="calm = calm:Calm", requires=("not-there-at-all>=2", 'other ; extra == "dev"'))
    message = problems()["calm"]
    assert message == 'asks for not-there-at-all>=2, which is not installed. Install it: pip install "not-there-at-all>=2"'


def test_the_doctor_finds_a_plugin_for_another_api_and_one_that_raises(site: Path) -> None:
    (site / "odd.py").write_text(
        "import aiga\n"
        "class Old(aiga.Plugin):\n    name = 'old'\n    api = 9\n"
        "class Angry(aiga.Plugin):\n    name = 'angry'\n"
        "    def aiga_register(self, registry):\n        raise ValueError('no')\n"
    )
    distribution(site, "odd", plugin="old = odd:Old\nangry = odd:Angry")
    found = problems()
    assert "is written for API 9" in found["old"]
    assert found["angry"] == "raised ValueError when it registered: no"
