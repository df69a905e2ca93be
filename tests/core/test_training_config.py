"""The table [train]: every mistake at once, with line and remedy, before anything is written or Lightning imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aiga import config, discovery
from aiga.config import TrainConfig
from aiga.errors import InputError
from aiga.testing import linear, points
from aiga.training.assembly import prepare

LEARNERS = Path(__file__).parent / "train_toy" / "learners.py"
HEAD = f"""api = 1

[population]
domain = "points"
networks = ["linear"]

[plugins]
points = {{ path = "{points.__file__}" }}
linear = {{ path = "{linear.__file__}" }}
learners = {{ path = "{LEARNERS}" }}

[train]
"""
FIRST = HEAD.count("\n") + 1  # the first line within [train]


def complaints(folder: Path, table: str, *overrides: str) -> list[str]:
    """What is complained of where ``[train]`` holds this."""
    file = folder / "train.toml"
    file.write_text(HEAD + table)
    with pytest.raises(InputError) as caught:
        prepare(file, overrides)
    return [problem.replace(f"{file}:", "") for problem in caught.value.problems]


def test_every_mistake_is_told_at_once_with_its_line_and_a_remedy(tmp_path: Path) -> None:
    table = 'trainer = "reech"\nmax_step = 3\nmax_time = "soon"\naccelerator = "gpus"\nearly_stop = { patience = 0 }\n'
    assert complaints(tmp_path, table) == [
        f'{FIRST}: [train] trainer: no trainer named "reech". Did you mean "reach"?',
        f"{FIRST + 1}: [train] max_step: unknown key. Did you mean max_steps?",
        f'{FIRST + 2}: [train] max_time: found "soon". Write a duration such as "90s", "5m" or "1h30m".',
        f'{FIRST + 3}: [train] accelerator: found "gpus". Did you mean "gpu"? '
        'Write "auto", "cpu", "gpu", "cuda" or "mps"; the default is "auto".',
        f"{FIRST + 4}: [train] early_stop.monitor: missing. Write the name of a logged value in quotes.",
        f"{FIRST + 4}: [train] early_stop.patience: found 0. Write a whole number of at least 1; the default is 3.",
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("devices = 0", '[train] devices: found 0. Write "auto", a number of devices, or a list of their numbers'),
        ("devices = []", "[train] devices: found []. Write"),
        ("devices = [0]", "[train] devices: the CPU has no numbered devices. Write how many processes shall train, such as 1."),
        ('precision = "16-mixed"', '[train] precision: "16-mixed" needs a GPU. Write "bf16-mixed" or "32-true".'),
        ("seed = 3", "[train] seed: unknown key. It belongs at [run] seed."),
        ("checkpoint_every = 0", "[train] checkpoint_every: found 0. Write"),
    ],
)
def test_keys_say_what_they_take(tmp_path: Path, table: str, message: str) -> None:
    found = complaints(tmp_path, f'trainer = "reach"\naccelerator = "cpu"\n{table}\n')
    assert len(found) == 1
    assert found[0].partition(": ")[2].startswith(message)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (found,) = complaints(tmp_path, 'trainer = "reach"\naccelerator = "cuda"\n')
    assert '[train] accelerator: there is no "cuda" on this machine (0 CUDA devices). Write "auto" or "cpu".' in found
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    (found,) = complaints(tmp_path, 'trainer = "reach"\naccelerator = "cuda"\ndevices = [0, 2]\n')
    assert '[train] devices: there are 2 devices of kind "cuda". Name no more, or write "auto".' in found
    (found,) = complaints(tmp_path, 'trainer = "reach"\naccelerator = "gpu"\ndevices = [1, 1]\n')
    assert "[train] devices: names a device twice. Name each once." in found


def test_a_file_without_the_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plugins.toml").write_text('api = 1\n[population]\ndomain = "points"\nnetworks = ["linear"]\n')
    with pytest.raises(InputError, match=r"\[train\]: missing\. Write a table with trainer\."):
        prepare(tmp_path / "plugins.toml")


def test_a_runs_key_is_sent_to_its_table() -> None:
    with pytest.raises(InputError, match=r"\[run\] max_steps: unknown key\. It belongs at \[train\] max_steps\."):
        config.from_dict({"run": {"max_steps": 3}, "population": {"domain": "d", "networks": ["n"]}})


def test_a_population_may_be_left_out_and_is_checked_where_it_is_not(tmp_path: Path) -> None:
    bare = {"train": {"trainer": "reach"}, "plugins": {"learners": {"path": str(LEARNERS)}}}
    assert prepare(bare)[1].setup(tmp_path).domain is None
    text = HEAD.replace("[plugins]", 'initial_agent = "no.safetensors"\n[plugins]')
    (tmp_path / "train.toml").write_text(f'{text}trainer = "reach"\n')
    with pytest.raises(InputError, match=r"\[population\] initial_agent: there is no file"):
        prepare(tmp_path / "train.toml")


def test_a_plugin_whose_name_is_the_trainers_needs_no_table() -> None:
    given = config.of(TrainConfig, {"train": {"trainer": "mlp"}})
    assert [source.name for source in discovery.find(given)] == ["mlp"]
    with pytest.raises(InputError, match=r'no trainer named "mlp"; the plugin mlp brings network "mlp"'):
        prepare({"train": {"trainer": "mlp"}})


@pytest.mark.parametrize("devices", ["auto", 2, [0, 1]])
def test_what_is_written_into_a_training_is_read_back_the_same(tmp_path: Path, devices: Any) -> None:
    table = {"trainer": "t", "max_steps": 3, "max_time": "1h", "devices": devices, "early_stop": {"monitor": "m"}}
    given = config.of(TrainConfig, {"train": table, "run": {"seed": 3, "grace": "3s"}, "plugins": {"p": {"options": {"a": 1}}}})
    (tmp_path / "run.toml").write_text(given.to_toml())
    again = config.read(TrainConfig, tmp_path / "run.toml")
    assert again.to_dict() == given.to_dict()
    assert again.to_toml() == given.to_toml()


def test_mistakes_are_told_without_waiting_for_lightning(tmp_path: Path) -> None:
    code = """
import json, sys
from aiga.errors import InputError
from aiga.training.assembly import prepare
try:
    prepare(json.loads(sys.argv[1]))
except InputError as error:
    print(error, "pytorch_lightning" in sys.modules)
"""
    given = json.dumps({"train": {"trainer": "none"}})
    told = subprocess.run([sys.executable, "-c", code, given], capture_output=True, text=True, check=True).stdout
    assert 'no trainer named "none"' in told
    assert told.split()[-1] == "False"
