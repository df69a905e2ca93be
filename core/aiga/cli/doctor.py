"""``aiga plugin doctor``: whether what is installed can be used, and the command that mends it where it cannot."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import typer

from aiga import discovery
from aiga.errors import InputError, PluginError
from aiga.plugin_classes import PluginFault, PluginSource, check_class, import_class, install_command


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is in order, and what is to be said of it."""

    check: str
    subject: str
    ok: bool
    message: str


def show(as_json: bool) -> None:
    """Prints every finding.

    Raises:
        typer.Exit: with 1 if one is a problem.
    """
    findings = list(examine())
    problems = [finding for finding in findings if not finding.ok]
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok     ' if finding.ok else 'PROBLEM'}  {finding.subject}: {finding.message}")
        typer.echo("everything is in order" if not problems else f"{len(problems)} to mend")
    if problems:
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Looks at every installed plugin, at what its distribution asks for, at Box2D and at torch."""
    sources = discovery.available()
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            yield _duplicate(name, [source for source in sources if source.name == name])
    for source in sources:
        yield _plugin(source)
    for distribution in sorted({source.distribution for source in sources if source.distribution}):
        yield from _requirements(distribution)
    yield _box2d()
    yield _torch()


def _duplicate(name: str, sources: list[PluginSource]) -> Finding:
    origins = " and ".join(source.origin for source in sources)
    remedy = " or ".join(dict.fromkeys(f"pip uninstall {source.distribution}" for source in sources))
    return Finding("duplicate", name, False, f"several distributions bring it, {origins}. Remove one: {remedy}")


def _plugin(source: PluginSource) -> Finding:
    try:
        found = import_class(source)
        check_class(source, found)
    except PluginFault as fault:
        return Finding("plugin", source.name, False, str(fault))
    required = [name for name, field in found.Options.model_fields.items() if field.is_required()]
    if required:
        return Finding("plugin", source.name, True, f"{source.origin}; needs the options {', '.join(required)}")
    try:
        components, made = discovery.Components(), found(found.Options())
        discovery.register(made, components)
        lines = made.checkup() if hasattr(made, "checkup") else []
    # Whatever a stranger's constructor or hook raises is what the doctor is there to tell.
    except Exception as error:
        return Finding("plugin", source.name, False, _raised(error, source.distribution))
    brings = ", ".join(f"{entry.kind} {entry.name}" for entry in components.entries())
    return Finding("plugin", source.name, True, "; ".join([source.origin, *([f"brings {brings}"] if brings else []), *lines]))


def _raised(error: Exception, distribution: str) -> str:
    cause = error.__cause__ if isinstance(error, PluginError) and error.__cause__ is not None else error
    if isinstance(cause, ModuleNotFoundError):
        command = install_command(cause.name or "", distribution)
        return f'needs the module "{cause.name}", which is not installed. Install it: {command}'
    if isinstance(cause, InputError):
        return str(cause)
    return f"raised {type(cause).__name__} when it registered: {cause}"


def _requirements(distribution: str) -> Iterator[Finding]:
    """What a distribution asks for and is not there."""
    missing = [wanted for name, wanted in _asked(distribution) if not _installed(name)]
    for wanted in missing:
        text = f'asks for {wanted}, which is not installed. Install it: pip install "{wanted}"'
        yield Finding("requirement", distribution, False, text)
    if not missing:
        yield Finding("requirement", distribution, True, "all that it asks for is installed")


def _asked(distribution: str) -> Iterator[tuple[str, str]]:
    """Names and full texts of a distribution's requirements, but for those with a marker, which are pip's business.

    What the extras of a requirement bring along is not looked at: there is more than one distribution of the module Box2D.
    """
    for text in importlib.metadata.requires(distribution) or []:
        match = re.fullmatch(r"\s*([\w.-]+)\s*(\[[^\]]*\])?\s*\(?([^)]*)\)?\s*", text)
        if match is not None and ";" not in text:
            yield match[1], f"{match[1]}{match[2] or ''}{match[3].strip()}"


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _box2d() -> Finding:
    there = [name for name in ("box2d", "box2d-py") if _installed(name)]
    if len(there) == 2:
        why = "both are installed, and both are the module Box2D: whichever came last overwrote files of the other"
        remedy = "pip uninstall --yes box2d-py box2d && pip install box2d"
        return Finding("box2d", "box2d and box2d-py", False, f"{why}. Keep one: {remedy}")
    if there == ["box2d-py"]:
        return Finding("box2d", "box2d-py", True, "the old name of box2d; box2d has wheels for newer versions of Python")
    return Finding(
        "box2d", "box2d", True, "installed alone" if there else "not installed; only domains with Box2D physics need it"
    )


def _torch() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("torch", "torch", False, f"cannot be imported: {error}. Install it: pip install torch")
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Finding(
        "torch", "torch", True, f"{torch.__version__}; " + (f"CUDA: {', '.join(devices)}" if devices else "no CUDA device")
    )
