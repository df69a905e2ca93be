"""No pickle anywhere in the core and the plugins: neither imported, nor reached through torch, numpy or pandas."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import aiga

CORE = Path(aiga.__file__).parent
PLUGINS = Path(__file__).parents[2] / "plugins"
FILES = {str(path.relative_to(root.parent)): path for root in (CORE, PLUGINS) for path in sorted(root.rglob("*.py"))}
# Compiled kernels in the user's cache directory, beside a hash: machine code, which is there to be executed. Numba gives its
# descriptions of them no other form. No run holds any.
KERNELS = "plugins/aiga_walker/physics/store.py"
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {("torch", "load"), ("torch", "save"), ("pd", "read_pickle"), ("np", "load"), ("numpy", "load")}


def offences(source: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            root = node.module.split(".")[0]
            found += [node.module] if root in FORBIDDEN_MODULES else []
            found += [f"{root}.{a.name}" for a in node.names if (root, a.name) in FORBIDDEN_CALLS]
        elif isinstance(node, ast.Call):
            call = node.func
            if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name):
                found += [f"{call.value.id}.{call.attr}"] if (call.value.id, call.attr) in FORBIDDEN_CALLS else []
    return found


@pytest.mark.parametrize("file", FILES)
def test_no_file_of_the_core_or_of_a_plugin_can_unpickle(file: str) -> None:
    assert offences(FILES[file].read_text()) == (["pickle"] if file == KERNELS else [])


@pytest.mark.parametrize(
    "package", ["aiga", *(f"plugins/aiga_{name}" for name in ("es", "local", "networks", "poet", "tensorboard", "walker"))]
)
def test_every_package_is_searched(package: str) -> None:
    assert f"{package}/__init__.py" in FILES


@pytest.mark.parametrize(
    "source", ["import pickle", "from pickle import loads", "import torch\ntorch.load('x')", "from torch import load"]
)
def test_the_search_for_pickle_finds_it(source: str) -> None:
    assert offences(source)
