"""The walls of the layout: who may import whom, how long a file may be, and that the core knows no algorithm."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "aiga"
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if path.name.startswith("aiga_"))

# Each module stands on what is above it; the modules of one layer may import one another.
LAYERS = [
    "errors crossing streams sums threads products adam batches data niches choices components trainers resample downloads",
    "image_files pillars reports hooks lockstep wrapped forgetting padding newborns spaces forecasts toml_lines vector",
    "answers codec meter host complaints tables config plugin_classes registry wanted discovery",
    "durable database views journal checkpoint stones rundir art_style plots tiles",
    "archive lab changes standings loop founding keep keeping resuming",
    "stop machine engine runs experiment training",
    "viewing replay images art art_annecs art_layout art_phylogeny art_pictures art_story cli testing",
    "__main__",
]
PLACE = {name: layer for layer, names in enumerate(LAYERS) for name in names.split()}

ALGORITHMS = {
    *("poet", "epoet", "es", "pgpe", "cem", "cma", "cmaes", "nes", "a2c", "ppo", "gtn", "anml", "oml", "neat", "cppn", "qd"),
    *("elites", "mapelites", "explore", "adr", "plr", "accel", "pata", "walker", "maze", "mlp", "rnn", "lstm"),
}


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, wherever in it, for type checking too, with the line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            assert node.module is not None
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def of_packages(file: Path, packages: set[str]) -> list[str]:
    """Where a file imports one of these."""
    return [f"{file}:{line}: {name}" for name, line in imports(file) if name.split(".")[0] in packages]


def python(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_the_core_imports_no_plugin() -> None:
    names = {path.name for path in PLUGINS} | {"plugins"}
    assert not [where for file in python(CORE) for where in of_packages(file, names)]


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_no_other_plugin(package: Path) -> None:
    others = {path.name for path in PLUGINS} - {package.name}
    found = [
        f"{file}:{line}: {name}" for file in python(package) for name, line in imports(file) if name.split(".")[0] in others
    ]
    assert not found


def test_no_import_of_the_core_runs_back() -> None:
    back = []
    for file in python(CORE):
        own = file.relative_to(CORE).parts[0].removesuffix(".py")
        if own == "__init__":  # the face: it names what is public, and loads none of it
            continue
        for name, line in imports(file):
            parts = name.split(".")
            if parts[0] == "aiga" and len(parts) > 1 and parts[1] in PLACE and PLACE[parts[1]] > PLACE[own]:
                back.append(f"{file.relative_to(ROOT)}:{line}: {own} imports {parts[1]}")
    assert not back


def test_every_module_of_the_core_has_its_layer() -> None:
    there = {
        path.name.removesuffix(".py") for path in CORE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"__init__"} == set(PLACE)


def test_every_file_is_under_400_lines_and_the_loop_under_200() -> None:
    files = [*python(ROOT / "core"), *python(ROOT / "plugins"), *python(ROOT / "benchmarks"), *python(ROOT / "tests")]
    length = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert not {str(file.relative_to(ROOT)): count for file, count in length.items() if count >= 400}
    assert length[CORE / "loop.py"] < 200


def test_nothing_is_called_utils() -> None:
    names = re.compile(r"(utils?|helpers?|misc|common)(\.py)?")
    assert not [path for folder in ("core", "plugins") for path in (ROOT / folder).rglob("*") if names.fullmatch(path.name)]


def test_the_core_names_no_algorithm() -> None:
    """In code; docstrings and comments may say where an idea comes from, and the tests' own domain may be written about."""
    found = []
    for file in python(CORE):
        if "testing" in file.relative_to(CORE).parts:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for text, line in words(tree):
            spelled = set(re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()))
            if spelled & ALGORITHMS:
                found.append(f"{file.relative_to(ROOT)}:{line}: {text!r}")
    assert not found


def words(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names and strings of a module, docstrings left out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    heads = {
        id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in heads:
            yield node.value, node.lineno
        for field in ("id", "attr", "arg", "name"):
            name = getattr(node, field, None)
            if isinstance(name, str) and hasattr(node, "lineno"):
                yield name, node.lineno


def test_every_plugin_package_is_in_the_wheel_and_registers_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == ["core/aiga", *(f"plugins/{path.name}" for path in PLUGINS)]
    registered = {value.split(":")[0].split(".")[0] for value in project["project"]["entry-points"]["aiga"].values()}
    assert registered == {"aiga", *(path.name for path in PLUGINS)}
