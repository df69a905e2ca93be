"""The examples are what strangers begin with: built, installed, tested and run as a stranger would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import aiga

EXAMPLES = Path(__file__).parents[1] / "examples"
PACKAGE = EXAMPLES / "third_party_plugin"
SHORT = ["run.seed=0", "run.workers=0", "run.device=cpu", "run.stop={iterations=11}", "plugins.poet.options.children=16"]


def call(*command: str | Path, cwd: Path) -> str:
    plain = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=plain, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh virtual environment in which the example's wheel is installed.

    What aiga itself needs is not downloaded again: the environment sees the packages of the one that runs the tests.
    """
    folder = tmp_path_factory.mktemp("stranger")
    source = shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("dist", "__pycache__", ".*_cache"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    call(*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder / "dist", source, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    packages = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # Added as a site directory, so that .pth files in it (aiga's own, where it is installed for editing) count too.
    (packages / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    call(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    return python


def test_a_strangers_wheel_is_listed_beside_what_ships_with_aiga(stranger: Path, tmp_path: Path) -> None:
    listed = json.loads(call(stranger, "-c", "from aiga.cli import main; main()", "plugin", "list", "--json", cwd=tmp_path))
    found = {plugin["name"]: plugin for plugin in listed}
    assert {"hills", "poet", "es", "walker"} <= found.keys()
    assert (found["hills"]["distribution"], found["hills"]["version"]) == ("aiga-hills", "0.1.0")


def test_a_strangers_wheel_holds_its_types_and_nothing_of_its_tests(stranger: Path) -> None:
    (package,) = (stranger.parents[1] / "lib").glob("python*/site-packages/aiga_hills")
    held = {path.name for path in package.iterdir() if path.is_file()}
    assert held == {"__init__.py", "domain.py", "draw.py", "plugin.py", "py.typed", "track.py"}
    assert not list(package.parent.glob("test*"))


def test_a_strangers_domain_is_searched_by_poet_and_its_run_resumes(stranger: Path, tmp_path: Path) -> None:
    settings = [word for setting in SHORT for word in ("--set", setting)]
    verbs = (stranger, "-c", "from aiga.cli import main; main()")
    call(*verbs, "run", PACKAGE / "plugins.toml", "--runs", tmp_path, "--name", "hills", *settings, cwd=tmp_path)
    run = aiga.open(tmp_path / "hills")
    journal = run.journal()
    admitted = journal[(journal["type"] == "admitted") & (journal["iteration"] > 0)]
    assert len(admitted) >= 2
    assert len(journal[journal["type"] == "born"]) > 16
    assert len(journal[journal["type"] == "transferred"])
    assert len(journal[journal["type"] == "solved"])
    call(*verbs, "resume", "hills", "--runs", tmp_path, "--set", "run.stop={iterations=12}", cwd=tmp_path)
    assert run.journal()["iteration"].max() == 12
    written = b"".join(path.read_bytes() for path in (run.path / "tb").iterdir())
    assert b"hills/summit" in written
    assert b"hills/height" in written


def test_a_strangers_own_tests_pass_against_this_aiga(stranger: Path, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    said = call(stranger, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "tests", cwd=tmp_path)
    assert " passed" in said


def test_one_file_is_a_plugin() -> None:
    assert len((EXAMPLES / "my_plugin.py").read_text().splitlines()) <= 60


def test_the_one_file_plugin_screens_and_measures_a_run(tmp_path: Path) -> None:
    metrics: list[dict[str, float]] = []

    class Watcher:
        def iteration(self, progress: aiga.Progress) -> None:
            metrics.append(dict(progress.metrics))

        def message(self, text: str) -> None:
            raise AssertionError(text)

    overrides = [
        *("run.stop={iterations=2}", "run.episodes=1", "run.confirmations=1", "population.niches=2", "run.workers=0"),
        *("plugins.poet.options={reproduce_every=1, transfer_every=9, children=8, episodes=1, reproduce_above=-1000.0}",),
        *("plugins.walker.options.steps=20", "plugins.es.options.population=2", "plugins.my_plugin.options.nearest=1000.0"),
    ]
    run = aiga.run(EXAMPLES / "my_plugin.toml", runs=tmp_path, overrides=overrides, watcher=Watcher())
    rejected = run.journal("rejected")
    mine = rejected[rejected["by"] == "my_plugin.nearest"]
    assert len(mine) >= 8
    assert mine["reason"].str.endswith("from an active environment").all()
    assert metrics[-1]["my_plugin/diversity"] >= 0.0
    assert (run.path / "plugins" / "my_plugin.py").read_bytes() == (EXAMPLES / "my_plugin.py").read_bytes()
