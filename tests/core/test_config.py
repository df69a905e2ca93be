"""plugins.toml: what it gives, and every complaint about it, word for word."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga import config
from aiga.config import Config, Duration, PluginTable
from aiga.errors import InputError

HEAD = 'api = 1\n[population]\ndomain = "walker"\nnetworks = ["mlp"]\n'

WHOLE = """\
api = 1

[run]
seed = 7
device = "cuda:1"            # a comment, with a = sign
checkpoint_every = 10
grace = "1m30s"
stop = { minutes = 5 }
workers = 0

[population]
domain = "walker"
networks = ["mlp"]

[slots]
select = "poet"
improve = "es"

[plugins.poet]
on_error = "disable"
[plugins.poet.options]
minimal_criterion = [50, 300]

[plugins.my_plugin]
path = "./my_plugin.py"

[plugins.es.options]
population = 512
key = { env = "KEY" }
"""


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "plugins.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def problems(folder: Path, text: str | bytes, *overrides: str) -> list[str]:
    file = write(folder, text)
    with pytest.raises(InputError) as caught:
        config.load(file, overrides)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_whole_file_is_read_in_file_order(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, WHOLE))
    assert (loaded.run.seed, loaded.run.device, loaded.run.workers, loaded.run.checkpoint_every) == (7, "cuda:1", 0, 10)
    assert loaded.run.grace.seconds == 90
    assert loaded.run.stop.minutes == 5
    assert loaded.run.stop.iterations is None
    assert (loaded.population.domain, loaded.population.networks) == ("walker", ("mlp",))
    assert (loaded.slots.select, loaded.slots.improve) == ("poet", "es")
    assert list(loaded.plugins) == ["poet", "my_plugin", "es"]
    assert loaded.plugins["poet"] == PluginTable(on_error="disable", options={"minimal_criterion": [50, 300]})
    assert loaded.plugins["my_plugin"].path == "./my_plugin.py"
    assert loaded.base == tmp_path


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, HEAD))
    run = loaded.run
    assert (run.seed, run.device, run.executor, run.workers, run.audit) == (0, "auto", "local", "auto", True)
    assert isinstance(run.checkpoint_every, Duration)
    assert (run.checkpoint_every.seconds, run.grace.seconds) == (300, 20)
    assert (run.episodes, run.confirmations) == (5, 20)
    assert run.stop.model_dump(exclude_none=True) == {}
    assert (loaded.population.niches, loaded.population.initial_agent, loaded.population.redraw) == (1, None, False)
    assert (loaded.slots.select, loaded.slots.improve) == ("keep", "none")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("0.5s", 0.5), ("0s", 0), ("1d2h3m4s", 93784)],
)
def test_a_duration_counts_its_seconds(text: str, seconds: float) -> None:
    assert Duration(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "30m1h", "1h 30m", "-5m", "5m5"])
def test_no_duration_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r'Write a duration such as "90s", "5m" or "1h30m"\.'):
        Duration(text)


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "a slip of a key": (
        HEAD + "[run]\nsead = 3\n",
        "plugins.toml:6: [run] sead: unknown key. Did you mean seed?",
    ),
    "a key unlike any": (
        HEAD + "[slots]\nzzz = 3\n",
        "plugins.toml:6: [slots] zzz: unknown key. There are: select, improve.",
    ),
    "a key of another table": (
        HEAD + 'select = "poet"\n',
        "plugins.toml:5: [population] select: unknown key. It belongs at [slots] select.",
    ),
    "a key above all tables": (
        "seed = 3\n" + HEAD,
        "plugins.toml:1: seed: unknown key. It belongs at [run] seed.",
    ),
    "a slip of a table": (
        HEAD + "\n[slot]\n",
        "plugins.toml:6: [slot]: unknown table. Did you mean slots?",
    ),
    "an option beside its table": (
        HEAD + "[plugins.poet]\ncapacity = 3\n",
        "plugins.toml:6: [plugins.poet] capacity: unknown key. Options go under [plugins.poet.options].",
    ),
    "a value that is none of the choices": (
        HEAD + '[plugins.poet]\non_error = "stopp"\n',
        'plugins.toml:6: [plugins.poet] on_error: found "stopp". Did you mean "stop"? '
        'Write "stop" or "disable"; the default is "stop".',
    ),
    "a number in quotes": (
        HEAD + '[run]\nseed = "3"\n',
        'plugins.toml:6: [run] seed: found "3". Write a whole number of at least 0; the default is 0.',
    ),
    "a number out of range": (
        HEAD + "[run]\nepisodes = 0\n",
        "plugins.toml:6: [run] episodes: found 0. Write a whole number of at least 1; the default is 5.",
    ),
    "a truth for a number": (
        HEAD + "[run]\nseed = true\n",
        "plugins.toml:6: [run] seed: found true. Write a whole number of at least 0; the default is 0.",
    ),
    "a device that is none": (
        HEAD + '[run]\ndevice = "gpu"\n',
        'plugins.toml:6: [run] device: found "gpu". Write "auto", "cpu", "cuda" or "cuda:1"; the default is "auto".',
    ),
    "a duration that is none": (
        HEAD + '[run]\ngrace = "20"\n',
        'plugins.toml:6: [run] grace: found "20". Write a duration such as "90s", "5m" or "1h30m".',
    ),
    "neither of two types": (
        HEAD + "[run]\ncheckpoint_every = 0\n",
        'plugins.toml:6: [run] checkpoint_every: found 0. Write a duration such as "90s", "5m" or "1h30m" '
        'or a whole number of at least 1; the default is "5m".',
    ),
    "a slip in an inline table": (
        HEAD + "[run]\nstop = { iteration = 3 }\n",
        "plugins.toml:6: [run] stop.iteration: unknown key. Did you mean iterations?",
    ),
    "a value in an inline table": (
        HEAD + "[run]\nstop = { minutes = -1 }\n",
        "plugins.toml:6: [run] stop.minutes: found -1. Write a number above 0, or leave it out.",
    ),
    "an item of a list over several lines": (
        'api = 1\n[population]\ndomain = "walker"\nnetworks = [\n  "mlp", # one\n  3,\n]\n',
        "plugins.toml:6: [population] networks[1]: found 3. Write a string.",
    ),
    "an empty list": (
        'api = 1\n[population]\ndomain = "walker"\nnetworks = []\n',
        "plugins.toml:4: [population] networks: found []. Write a list of at least one name of a network, in quotes.",
    ),
    "a network twice": (
        'api = 1\n[population]\ndomain = "walker"\nnetworks = ["mlp", "mlp"]\n',
        'plugins.toml:4: [population] networks: "mlp" is named twice. Name each network once.',
    ),
    "no domain": (
        'api = 1\n\n[population]\nnetworks = ["mlp"]\n',
        "plugins.toml:3: [population] domain: missing. Write the name of a domain in quotes.",
    ),
    "no population": (
        "api = 1\n",
        "plugins.toml: [population]: missing. Write a table with domain and networks.",
    ),
    "a table that is a value": (
        "api = 1\nrun = 3\n" + HEAD.removeprefix("api = 1\n"),
        "plugins.toml:2: [run]: found 3. Write a table.",
    ),
    "a plugin that is a value": (
        HEAD + "[plugins]\npoet = 3\n",
        "plugins.toml:6: [plugins.poet]: found 3. Write a table.",
    ),
    "no api": (
        HEAD.removeprefix("api = 1\n"),
        "plugins.toml:1: api: missing. Write api = 1 on the first line.",
    ),
    "an api in quotes": (
        HEAD.replace("api = 1", 'api = "1"'),
        'plugins.toml:1: api: found "1". Write api = 1.',
    ),
    "a newer api, whatever else": (
        HEAD.replace("api = 1", "\napi = 2\nnew = 3"),
        "plugins.toml:2: api: found 2, but this aiga reads 1. Write api = 1, or install a newer aiga.",
    ),
    "text without quotes": (
        HEAD + "[run]\ndevice = cpu\n",
        "plugins.toml:6: not TOML, column 10: invalid value. Strings stand in quotes; true and false are small.",
    ),
    "a key twice": (
        HEAD + 'domain = "maze"\n',
        "plugins.toml:5: not TOML, column 16: cannot overwrite a value. Something is there twice: keep one.",
    ),
    "a list that never ends": (
        HEAD + "[run]\nseed = [1,\n",
        "plugins.toml:6: not TOML: invalid value. Strings stand in quotes; true and false are small.",
    ),
    "not UTF-8": (
        HEAD.encode() + b"# caf\xe9\n",
        "plugins.toml:5: not UTF-8: byte 0xe9. Save the file with the encoding UTF-8.",
    ),
    "UTF-16": (
        HEAD.encode("utf-16"),
        "plugins.toml:1: not UTF-8: byte 0xff. Save the file with the encoding UTF-8.",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_answered_with(broken: str, tmp_path: Path) -> None:
    text, expected = BROKEN[broken]
    assert problems(tmp_path, text) == [expected]


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = 'api = 1\n[plugins.poet]\non_error = 3\n[slot]\n[population]\nnetworks = "mlp"\n[run]\nsead = 1\nworkers = -1\n'
    assert problems(tmp_path, text, "run.audit=maybe") == [
        'plugins.toml:3: [plugins.poet] on_error: found 3. Write "stop" or "disable"; the default is "stop".',
        "plugins.toml:4: [slot]: unknown table. Did you mean slots?",
        "plugins.toml:5: [population] domain: missing. Write the name of a domain in quotes.",
        'plugins.toml:6: [population] networks: found "mlp". Write a list of at least one name of a network, in quotes.',
        "plugins.toml:8: [run] sead: unknown key. Did you mean seed?",
        'plugins.toml:9: [run] workers: found -1. Write a whole number from 0 to 1024 or "auto"; the default is "auto".',
        '--set run.audit=maybe: found "maybe". Write true or false; the default is true.',
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file\. Name one that is there"):
        config.load(tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"a folder\. Name a file in it"):
        config.load(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    text = ("\ufeff" + WHOLE).replace("\n", "\r\n")
    assert config.load(write(tmp_path, text)).to_dict() == config.load(write(tmp_path, WHOLE)).to_dict()


def test_overrides_are_toml_and_else_plain_strings(tmp_path: Path) -> None:
    loaded = config.load(
        write(tmp_path, WHOLE),
        [
            "run.seed=3",
            "run.device=cpu",
            "run.stop.iterations=9",
            'population.networks=["a", "b"]',
            "plugins.es.options.population=64",
            "plugins.new.options.x.y=[1, 2]",
            'plugins."a.b".on_error=disable',
            "run.seed=4",
        ],
    )
    assert (loaded.run.seed, loaded.run.device) == (4, "cpu")
    assert (loaded.run.stop.minutes, loaded.run.stop.iterations) == (5, 9)
    assert loaded.population.networks == ("a", "b")
    assert loaded.plugins["es"].options == {"population": 64, "key": {"env": "KEY"}}
    assert loaded.plugins["new"].options == {"x": {"y": [1, 2]}}
    assert loaded.plugins["a.b"].on_error == "disable"
    assert loaded.overridden[:2] == (("run", "seed"), ("run", "device"))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("run.sead=3", "--set run.sead=3: unknown key. Did you mean seed?"),
        ("run.seed", "--set run.seed: no value. Write --set run.seed=VALUE."),
        ("=3", "--set =3: not a key. Write --set table.key=value."),
        ("run..seed=3", "--set run..seed=3: not a key. Write --set table.key=value."),
        ("run.seed=", '--set run.seed=: found "". Write a whole number of at least 0; the default is 0.'),
        ("run.seed.x=3", "--set run.seed.x=3: run.seed is 7, not a table. Set it as a whole."),
        ("population.networks=[1]", "--set population.networks=[1]: [population] networks[0]: found 1. Write a string."),
        ("rum.seed=3", "--set rum.seed=3: unknown table. Did you mean run?"),
        ("api=2", "--set api=2: found 2, but this aiga reads 1. Write api = 1, or install a newer aiga."),
        ("run.stop.minuts=3", "--set run.stop.minuts=3: unknown key. Did you mean minutes?"),
    ],
)
def test_a_mistake_on_the_command_line_is_named_as_it_was_typed(override: str, expected: str, tmp_path: Path) -> None:
    assert problems(tmp_path, WHOLE, override) == [expected]


def test_of_two_overrides_the_last_is_the_one_complained_of(tmp_path: Path) -> None:
    expected = '--set run.seed=b: found "b". Write a whole number of at least 0; the default is 0.'
    assert problems(tmp_path, WHOLE, "run.seed=a", "run.seed=b") == [expected]


def test_a_mistake_of_the_file_that_is_overridden_is_none(tmp_path: Path) -> None:
    assert config.load(write(tmp_path, HEAD + '[run]\nseed = "x"\n'), ["run.seed=3"]).run.seed == 3


def test_a_dict_does_as_well_as_a_file(tmp_path: Path) -> None:
    data = {"population": {"domain": "walker", "networks": ("mlp",), "initial_agent": None}, "run": {"stop": {"minutes": 1}}}
    loaded = config.from_dict(data, tmp_path, ["run.seed=3"])
    assert (loaded.api, loaded.run.seed, loaded.run.stop.minutes, loaded.base) == (1, 3, 1, tmp_path)
    with pytest.raises(InputError) as caught:
        config.from_dict({**data, "run": {"sead": 1}})
    assert caught.value.problems == ("config: [run] sead: unknown key. Did you mean seed?",)


def test_a_dict_is_not_changed_by_overrides() -> None:
    data = {"population": {"domain": "walker", "networks": ["mlp"]}, "run": {"seed": 1}}
    config.from_dict(data, overrides=["run.seed=3"])
    assert data["run"] == {"seed": 1}


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    loaded = config.load(
        write(tmp_path, WHOLE + '\n[plugins."odd name".options]\ntext = "a\\"b\\n\\u007f"\nx = [{ y = 1e30 }]\n')
    )
    again = config.load(write(tmp_path, loaded.to_toml()))
    assert again.to_dict() == loaded.to_dict() == config.from_dict(loaded.to_dict()).to_dict()
    assert list(again.plugins) == list(loaded.plugins)


def test_a_secret_is_written_as_its_variable_never_as_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "hunter2")
    loaded: Config = config.load(write(tmp_path, WHOLE))
    assert 'key = { env = "KEY" }' in loaded.to_toml()
    assert "hunter2" not in loaded.to_toml() + str(loaded.to_dict()) + repr(loaded)


def test_reading_a_file_does_not_wait_for_torch() -> None:
    code = "import sys, aiga.config, aiga.discovery; aiga.discovery.available(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.integers(0, len(WHOLE)), st.integers(0, 12), st.text("[]{}\"'=.,#\n a1\\", max_size=3))
def test_whatever_is_broken_in_a_file_the_answer_names_a_line(at: int, cut: int, put: str) -> None:
    text = WHOLE[:at] + put + WHOLE[at + cut :]
    with tempfile.TemporaryDirectory() as folder:
        try:
            config.load(write(Path(folder), text))
        except InputError as error:
            for problem in error.problems:
                assert re.match(r"\S+plugins\.toml:(\d+:)? \S", problem), problem


ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "mlp", "5m", "stop", "env"]),
    lambda deeper: (
        st.lists(deeper, max_size=2) | st.dictionaries(st.sampled_from(["options", "path", "env", "x"]), deeper, max_size=2)
    ),
    max_leaves=4,
)
KEYS = [name for table in ("RunTable", "PopulationTable", "SlotsTable", "Stop") for name in getattr(config, table).model_fields]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(list(Config.model_fields)), ANY | st.dictionaries(st.sampled_from(KEYS), ANY, max_size=3))
)
def test_whatever_values_are_given_they_are_taken_or_explained(data: dict[str, Any]) -> None:
    with contextlib.suppress(InputError):
        loaded = config.from_dict({"population": {"domain": "walker", "networks": ["mlp"]}, **data})
        assert config.from_dict(loaded.to_dict()).to_dict() == loaded.to_dict()
