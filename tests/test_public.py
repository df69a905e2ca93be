"""The public surface: what strangers build on, and that it is documented."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aiga
from aiga.components import Lab, Registry
from aiga.hooks import PREFIX, Plugin

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "plugins.md"
HOOKS = [
    "aiga_register",
    "aiga_generate",
    "aiga_evaluate",
    "aiga_select",
    "aiga_transfer",
    "aiga_accept",
    "aiga_event",
    "aiga_metrics",
    "aiga_render",
]
PUBLIC = [
    "AigaError",
    "Archive",
    "Batch",
    "Contestant",
    "Cost",
    "Dense",
    "Domain",
    "Event",
    "Executor",
    "InputError",
    "Kind",
    "Lab",
    "Logger",
    "Meter",
    "Network",
    "Niches",
    "Noise",
    "Offers",
    "Optimiser",
    "Options",
    "Output",
    "Pairs",
    "Percept",
    "Plan",
    "Plugin",
    "PluginError",
    "Population",
    "Progress",
    "Registry",
    "Report",
    "Run",
    "Scores",
    "Screen",
    "Screened",
    "Setup",
    "Space",
    "Standing",
    "Status",
    "Stone",
    "StorageError",
    "Stream",
    "Subject",
    "Trainer",
    "Trajectory",
    "Verdict",
    "Watcher",
    "open",
    "resume",
    "run",
    "train",
    "wrapper",
]


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(aiga.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had_and_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(aiga, name))


def test_another_name_is_an_attribute_error_like_anywhere() -> None:
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = aiga.nothing_such


def test_importing_aiga_loads_nothing_heavy() -> None:
    code = "import aiga, sys; print(sorted({'torch', 'pydantic', 'pandas', 'pluggy', 'typer', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_hooks_are_these() -> None:
    assert [name for name in vars(Plugin) if name.startswith(PREFIX)] == HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_and_typed(name: str) -> None:
    hook = getattr(Plugin, name)
    assert len(inspect.getdoc(hook) or "") > 40
    signature = inspect.signature(hook)
    assert all(p.annotation is not inspect.Parameter.empty for n, p in signature.parameters.items() if n != "self")
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("protocol", [Lab, Registry])
def test_every_part_of_the_lab_and_the_registry_is_typed(protocol: type) -> None:
    for name, member in vars(protocol).items():
        if not name.startswith("_") and callable(member):
            assert inspect.signature(member).return_annotation is not inspect.Signature.empty, name


def test_the_author_guide_has_a_heading_with_the_exact_signature_of_every_hook() -> None:
    assert GUIDE.is_file(), f"write {GUIDE.relative_to(ROOT)}: a heading '### `aiga_generate(lab)`' for every hook"
    headings = re.findall(r"^#+ `([^`]+)`\s*$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [
        f"{name}({', '.join(p for p in inspect.signature(getattr(Plugin, name)).parameters if p != 'self')})" for name in HOOKS
    ]
    lacking = [signature for signature in wanted if signature not in headings]
    assert not lacking, f"{GUIDE.relative_to(ROOT)} lacks the headings {lacking}"


def test_the_author_guide_documents_no_hook_that_there_is_not() -> None:
    if GUIDE.is_file():
        headings = re.findall(r"^#+ `(aiga_\w+)\(", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(headings) <= set(HOOKS)
