"""Bad input: one message, exit code 2, nothing written or changed. Every kind that a person is likely to meet."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiga import experiment
from aiga.cli.app import app
from aiga.errors import InputError
from aiga.rundir import RunDirectory

TOY = Path(__file__).with_name("cli_toy")
TEXT = (TOY / "plugins.toml").read_text()


def aiga(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def held(folder: Path) -> dict[str, bytes]:
    """Every file, but for the log's index that SQLite makes anew for a reader, and what Python compiles."""
    passing = ("journal.db-shm", "journal.db-wal")
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if path.name not in passing and path.suffix != ".pyc"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.py").write_text((TOY / "toy.py").read_text())
    (tmp_path / "plugins.toml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("bad") / "runs"
    assert (
        aiga("run", str(TOY / "plugins.toml"), "--name", "toy", "--runs", str(runs), "--set", "run.stop.iterations=2")[0] == 0
    )
    return runs


def refused(*words: str) -> str:
    """What is said on standard error; on standard output there is nothing, and no file is changed."""
    before = held(Path.cwd())
    code, out, error = aiga(*words)
    assert code == 2, error
    assert out == ""
    assert "Traceback" not in error
    assert held(Path.cwd()) == before
    assert not Path("runs").exists()
    return error.strip()


def run_refused(folder: Path, old: str = "", new: str = "", *words: str) -> str:
    assert old in TEXT
    (folder / "plugins.toml").write_text(TEXT.replace(old, new) if old else TEXT + new)
    return refused("run", *words)


def test_an_unknown_plugin_is_named_with_what_was_meant(folder: Path) -> None:
    assert run_refused(folder, new="[plugins.tensorbord]\n").startswith(
        "plugins.toml:18: [plugins.tensorbord]: no such plugin is installed. Did you mean tensorboard?"
    )


def test_an_unknown_option_is_named_with_what_was_meant(folder: Path) -> None:
    error = run_refused(folder, new="[plugins.toy.options]\nevry = 3\n")
    assert error == "plugins.toml:19: [plugins.toy.options] evry: unknown option. Did you mean every?"


def test_all_mistakes_of_a_file_are_told_at_once(folder: Path) -> None:
    error = run_refused(folder, "[run]\n", '[run]\nsed = 3\ngrace = "soon"\n')
    assert [line.split(": ")[1] for line in error.splitlines()] == ["[run] sed", "[run] grace"]


def test_a_plugin_for_another_api_is_refused(folder: Path) -> None:
    (folder / "toy.py").write_text((TOY / "toy.py").read_text().replace('    name = "toy"', '    name = "toy"\n    api = 9'))
    assert "is written for API 9, and this aiga has API 1" in refused("run")


def test_two_plugins_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        info = folder / "site" / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[aiga]\ntwin = somewhere:Twin\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    error = run_refused(folder, new="[plugins.twin]\n")
    assert 'two distributions bring a plugin "twin": first 1.0 and second 1.0' in error
    assert "pip uninstall first or pip uninstall second" in error


def test_a_missing_dependency_is_named_with_the_command_that_installs_it(folder: Path) -> None:
    (folder / "toy.py").write_text(
        (TOY / "toy.py").read_text().replace("import torch\n", "import torch\nimport no_such_module_here\n")
    )
    error = refused("run")
    assert (
        'needs the module "no_such_module_here", which is not installed. Install it: pip install no-such-module-here' in error
    )


def test_a_slot_without_an_owner_is_refused(folder: Path) -> None:
    error = run_refused(folder, 'select = "toy"', 'select = "toi"')
    assert error == 'plugins.toml:13: [slots] select: no plugin named "toi". Did you mean "toy"?'
    error = run_refused(folder, 'select = "toy"', 'select = "mlp"')
    assert 'the plugin "mlp" does not decide admissions: it has no aiga_select' in error


def test_a_domain_that_lacks_what_poet_needs_is_refused_with_the_capability(folder: Path) -> None:
    error = run_refused(folder, 'select = "toy"', 'select = "poet"')
    assert 'needs a domain with distance, which "line" has not' in error


def test_a_file_that_is_not_toml_is_refused_with_the_line(folder: Path) -> None:
    assert run_refused(folder, "[run]\n", "[run\n").startswith("plugins.toml:3: ")


def test_a_file_that_is_not_utf_8_is_refused(folder: Path) -> None:
    (folder / "plugins.toml").write_bytes(b"api = 1\n# caf\xe9\n")
    error = refused("run")
    assert error.startswith("plugins.toml:2: ")
    assert "UTF-8" in error


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    assert refused("run", "other.toml").startswith("other.toml: no such file.")


def test_a_setting_that_means_nothing_is_refused(folder: Path) -> None:
    assert refused("run", "--set", "run.seed").startswith("--set run.seed: no value.")
    assert refused("run", "--set", "run.sed=3") == "--set run.sed=3: unknown key. Did you mean seed?"


def test_an_initial_agent_that_is_not_there_is_refused(folder: Path) -> None:
    asked = "population.initial_agent=x"
    assert refused("run", "--set", asked).startswith(f"--set {asked}: there is no file 'x'")


def test_what_only_the_machine_can_tell_is_wrong_is_told_with_its_line_too(folder: Path) -> None:
    lines = TEXT.replace("[run]\n", '[run]\ndevice = "cuda:77"\n').replace(
        "[population]\n", '[population]\ninitial_agent = "x"\n'
    )
    device, agent = (lines.splitlines().index(line) + 1 for line in ('device = "cuda:77"', 'initial_agent = "x"'))
    assert [line.partition(": there is no ")[0] for line in told(folder, lines)] == [
        f"{device}: [run] device",
        f"{agent}: [population] initial_agent",
    ]


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    assert "there is no 'cuda:77' on this machine" in refused("run", "--set", "run.device=cuda:77")


def test_usage_errors_have_exit_code_2(folder: Path) -> None:
    assert aiga("run", "--nonsense")[0] == 2
    assert aiga("resume")[0] == 2
    assert aiga("replay", "a", "not-a-number")[0] == 2
    assert aiga("frobnicate")[0] == 2


def test_a_name_that_is_taken_is_refused_with_the_way_to_resume(finished: Path) -> None:
    before = held(finished)
    code, out, error = aiga("run", str(TOY / "plugins.toml"), "--name", "toy", "--runs", str(finished))
    assert (code, out) == (2, "")
    assert f"aiga resume toy --runs {finished}" in error
    assert held(finished) == before


def test_a_name_that_cannot_be_one_is_refused(folder: Path) -> None:
    for name in ("a/b", "..", "-x y"):
        code, _, error = aiga("run", f"--name={name}")
        assert code == 2
        assert "cannot name a run" in error
        assert error.count("\n") == 1
        assert not (folder / "runs").exists()


@pytest.mark.parametrize("verb", [["resume"], ["status"], ["journal"], ["replay", "1"]])
class TestRunsThatCannotBeRead:
    def said(self, verb: list[str], path: Path) -> str:
        before = held(path.parent)
        code, out, error = aiga(verb[0], str(path), *verb[1:])
        assert (code, out) == (2, "")
        assert "Traceback" not in error
        assert held(path.parent) == before
        return error

    def test_a_run_that_is_not_there(self, verb: list[str], finished: Path) -> None:
        assert "there is no such run. Did you mean toy?" in self.said(verb, finished / "toi")

    def test_a_folder_that_is_no_run(self, verb: list[str], tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "notes.txt").write_text("mine")
        assert "not a run directory: it has no run.toml" in self.said(verb, tmp_path / "other")

    def test_a_run_of_a_newer_aiga(
        self, verb: list[str], finished: Path, tmp_path: Path, copy: Callable[[Path, Path], Path]
    ) -> None:
        newer = copy(finished / "toy", tmp_path / "newer")
        (newer / "aiga.json").write_text(json.dumps({"format": 99, "aiga": "7.0"}))
        assert "made by a newer aiga, 7.0" in self.said(verb, newer)

    def test_a_journal_of_a_newer_aiga(
        self, verb: list[str], finished: Path, tmp_path: Path, copy: Callable[[Path, Path], Path]
    ) -> None:
        newer = copy(finished / "toy", tmp_path / "newer")
        with sqlite3.connect(newer / "journal.db") as db:
            db.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
        db.close()
        code, out, error = aiga(verb[0], str(newer), *verb[1:])
        assert (code, out) == (2, "")
        assert "written by a newer aiga (journal version 99" in error


@pytest.fixture
def copy() -> Callable[[Path, Path], Path]:
    import shutil

    return lambda source, target: Path(shutil.copytree(source, target))


def test_a_run_that_a_live_process_holds_is_not_resumed(finished: Path) -> None:
    with RunDirectory.open(finished / "toy").lock():
        before = held(finished)
        code, out, error = aiga("resume", "toy", "--runs", str(finished))
        assert (code, out) == (2, "")
        assert "in use by process" in error
        assert held(finished) == before


def test_resume_changes_run_settings_alone(finished: Path) -> None:
    before = held(finished)
    for setting, why in (
        ("plugins.toy.options.every=5", "can change when a run is resumed"),
        ("run.seed=5", "results hang on it"),
    ):
        code, out, error = aiga("resume", "toy", "--runs", str(finished), "--set", setting)
        assert (code, out) == (2, "")
        assert why in error
    for time, why in (("10x", "Write a duration"), ("0s", "no time at all")):
        code, out, error = aiga("resume", "toy", "--runs", str(finished), "--for", time)
        assert (code, out) == (2, "")
        assert error.startswith(f"--for {time}: ")
        assert why in error
    assert {name: data for name, data in held(finished).items() if not name.endswith("lock")} == {
        name: data for name, data in before.items() if not name.endswith("lock")
    }


def test_watching_needs_a_terminal(finished: Path) -> None:
    code, out, error = aiga("status", "toy", "--runs", str(finished), "--watch")
    assert (code, out) == (2, "")
    assert error.startswith("--watch: needs a terminal.")


def test_a_picture_of_another_format_is_refused_before_anything_is_lived(finished: Path, tmp_path: Path) -> None:
    for out, why in (
        (
            tmp_path / "a.jpg",
            'found ".jpg". Write a file that ends in .png for a picture, .gif for an animation or .json for the episode',
        ),
        (tmp_path / "a", "found no suffix"),
        (tmp_path / "missing" / "a.png", "there is no folder"),
    ):
        code, said, error = aiga("replay", "toy", "1", "--runs", str(finished), "--out", str(out))
        assert (code, said) == (2, "")
        assert why in error
    assert list(tmp_path.iterdir()) == []


def test_a_stone_that_is_not_there_is_refused(finished: Path) -> None:
    code, out, error = aiga("replay", "toy", "999", "--runs", str(finished))
    assert (code, out) == (2, "")
    assert "no stepping stone has id 999" in error


HEAD = 'api = 1\n[population]\ndomain = "walker"\nnetworks = ["mlp"]\n'


def told(folder: Path, text: str, *words: str) -> list[str]:
    (folder / "plugins.toml").write_text(text)
    return refused("run", *words).replace("plugins.toml:", "").splitlines()


def test_mistakes_of_tables_names_and_options_are_told_together_in_the_order_of_lines(folder: Path) -> None:
    text = """api = 1
[run]
sead = 3
[population]
domain = "walker"
networks = ["mlpp"]
[slots]
select = "poet"
[plugins.poet.options]
capcity = 3
minimal_criterion = [300, 50]
[plugins.esx]
"""
    assert told(folder, text) == [
        "3: [run] sead: unknown key. Did you mean seed?",
        '6: [population] networks[0]: no network named "mlpp". Did you mean "mlp"?',
        "10: [plugins.poet.options] capcity: unknown option. Did you mean capacity?",
        "11: [plugins.poet.options] minimal_criterion: lower bound 300 must be below upper bound 50. Write [50, 300].",
        "12: [plugins.esx]: no such plugin is installed. Did you mean es?",
    ]


def test_from_python_all_mistakes_are_told_at_once_too(folder: Path) -> None:
    population = {"domain": "walker", "networks": ["mlp"]}
    with pytest.raises(InputError) as caught:
        experiment.run({"population": population, "run": {"sead": 3}, "plugins": {"es": {"options": {"poplation": 3}}}})
    assert caught.value.problems == (
        "config: [run] sead: unknown key. Did you mean seed?",
        "config: [plugins.es.options] poplation: unknown option. Did you mean population?",
    )
    assert not Path("runs").exists()


def test_a_plugin_with_a_wrong_option_still_says_what_its_domain_lacks(folder: Path) -> None:
    text = TEXT.replace('select = "toy"', 'select = "poet"') + "[plugins.poet.options]\ncapcity = 3\n"
    assert [line.partition(". ")[0] for line in told(folder, text)] == [
        '18: [plugins.poet]: needs a domain with distance, which "line" has not',
        "19: [plugins.poet.options] capcity: unknown option",
    ]


def test_what_is_checked_last_is_told_with_the_first_mistake(folder: Path) -> None:
    settings = ("run.sead=3", "run.device=cuda:77", "population.initial_agent=x")
    error = refused("run", *(word for setting in settings for word in ("--set", setting)))
    assert sorted(line.split(": ")[0] for line in error.splitlines()) == [
        "--set population.initial_agent=x",
        "--set run.device=cuda:77",
        "--set run.sead=3",
    ]


ALONE = {
    "a domain that is no name": (HEAD.replace('"walker"', "3"), "3: [population] domain"),
    "no domain": (HEAD.replace("domain", "#"), "2: [population] domain"),
    "a network that is no name": (HEAD.replace('"mlp"', '3, "mlp"'), "4: [population] networks[0]"),
    "networks that are none": (HEAD.replace('["mlp"]', "[]"), "4: [population] networks"),
    "a population that is a value": ("api = 1\npopulation = 3\n", "2: [population]"),
    "an owner that is no name": (HEAD + "[slots]\nselect = 3\n", "6: [slots] select"),
    "an executor that is no name": (HEAD + "[run]\nexecutor = 3\n", "6: [run] executor"),
    "a path that is none": (HEAD + '[slots]\nselect = "mine"\n[plugins.mine]\npath = 3\n', "8: [plugins.mine] path"),
    "a slip of path": (HEAD + '[slots]\nselect = "mine"\n[plugins.mine]\npth = "a.py"\n', "8: [plugins.mine] pth"),
    "a plugin that is a value": (HEAD + '[slots]\nselect = "mine"\n[plugins]\nmine = 3\n', "8: [plugins.mine]"),
    "plugins that are a value": ("plugins = 3\n" + HEAD + '[slots]\nselect = "mine"\n', "1: [plugins]"),
    "a slip of plugins": (HEAD + '[slots]\nselect = "mine"\n[plugin.mine]\npath = "./toy.py"\n', "7: [plugin]"),
    "options that are a value": (HEAD + "[plugins.needy]\npath = 'needy.py'\noptions = 3\n", "7: [plugins.needy.options]"),
    "an option beside its table": (HEAD + "[plugins.needy]\npath = 'needy.py'\nkey = 3\n", "7: [plugins.needy] key"),
    "a plugin that might bring the network": (
        HEAD.replace("mlp", "zzzz") + '[plugins.mine]\npath = "no.py"\n',
        "6: [plugins.mine] path",
    ),
}

NEEDY = """
import aiga


class Options(aiga.Options):
    key: int


class Needy(aiga.Plugin):
    name = "needy"
    Options = Options
"""


@pytest.mark.parametrize("mistake", ALONE)
def test_one_mistake_brings_no_second_message(mistake: str, folder: Path) -> None:
    text, where = ALONE[mistake]
    (folder / "needy.py").write_text(NEEDY)
    [line] = told(folder, text)
    assert line.startswith(f"{where}: ")


def test_items_after_a_wrong_one_are_looked_at_in_their_places(folder: Path) -> None:
    assert [line.partition(": no")[0] for line in told(folder, HEAD.replace('"mlp"', '\n3,\n"mlpp"'))] == [
        "5: [population] networks[0]: found 3. Write a string.",
        "6: [population] networks[1]",
    ]
