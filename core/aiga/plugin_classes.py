"""From where a plugin is to its class, or to words on why not."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from aiga.errors import RAISED
from aiga.toml_lines import Place

if TYPE_CHECKING:
    from aiga.hooks import Plugin

# Distributions whose name is not that of their module, among those that plugins are likely to need.
_DISTRIBUTION_OF = {
    "Box2D": "box2d",
    "cv2": "opencv-python",
    "google.protobuf": "protobuf",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}


class PluginFault(Exception):
    """Why a plugin cannot be used, and the remedy."""


@dataclass(frozen=True)
class PluginSource:
    """Where a plugin comes from, before anything of it is imported.

    Attributes:
        name: under which it is enabled.
        value: its entry point, ``module:Class``; None for a plugin from a path.
        path: its file; None for an installed plugin.
        distribution, version: what installed it; empty for a plugin from a path.
        place: where the configuration names it.
        options: as the configuration has them, secrets unresolved.
    """

    name: str
    value: str | None = None
    path: Path | None = None
    distribution: str = ""
    version: str = ""
    place: Place = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def origin(self) -> str:
        """``aiga 0.1.0``, or the file."""
        return str(self.path) if self.path is not None else f"{self.distribution} {self.version}".strip()


def import_class(source: PluginSource) -> type[Plugin]:
    """Imports a plugin's class; what it is made of is not looked at.

    Raises:
        PluginFault: if it cannot be imported, with the remedy.
    """
    try:
        if source.path is not None:
            return _class_in_file(source, source.path)
        assert source.value is not None
        module, _, name = source.value.partition(":")
        found: type[Plugin] = getattr(importlib.import_module(module), name)
        return found
    except PluginFault:
        raise
    except ModuleNotFoundError as error:
        raise PluginFault(_missing_module(source, error)) from error
    except AttributeError as error:
        if source.value is not None and traceback.extract_tb(error.__traceback__)[-1].filename == __file__:
            what = f"{source.origin} says it is {source.value}, and there is no such class"
            raise PluginFault(f"{what}. Reinstall it: pip install --force-reinstall {source.distribution}") from error
        raise PluginFault(_raised(error)) from error
    # A plugin's import may raise anything, an exit of its own included; the message must name the plugin.
    except RAISED as error:
        raise PluginFault(_raised(error)) from error


def check_class(source: PluginSource, found: Any) -> None:
    """Whether it is a plugin's class, for this aiga, under the name that it was asked for.

    Raises:
        PluginFault: if not, with the remedy.
    """
    from aiga.hooks import API, Plugin

    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise PluginFault(f"{source.value} of {source.origin} is not a plugin. Derive it from aiga.Plugin.")
    _check_declared(found)
    if found.api != API:
        upgrade = "aiga" if found.api > API else source.distribution
        remedy = f"Upgrade: pip install --upgrade {upgrade}" if upgrade else f"Write it for API {API}."
        raise PluginFault(f"{source.origin} is written for API {found.api}, and this aiga has API {API}. {remedy}")
    name = getattr(found, "name", None)
    if name != source.name:
        has = "has no name" if name is None else f'names itself "{name}"'
        raise PluginFault(f'{found.__name__} of {source.origin} {has}. Write name = "{source.name}" in the class.')


def _check_declared(found: type[Plugin]) -> None:
    """Whether what a class says of itself is of the right type, before anything is made of it."""
    from aiga.hooks import PREFIX, Options
    from aiga.pillars import PILLARS

    wrong = []
    if type(found.api) is not int:
        wrong.append(f"api is {found.api!r}, not a whole number")
    if not (isinstance(found.Options, type) and issubclass(found.Options, Options)):
        wrong.append("Options does not derive from aiga.Options")
    if not isinstance(found.needs, tuple) or not all(isinstance(word, str) for word in found.needs):
        wrong.append(f'needs is {found.needs!r}, not a tuple of names such as ("distance",)')
    if not isinstance(found.pillar, str) or found.pillar not in {"", *PILLARS}:
        wrong.append(f"pillar is {found.pillar!r}, none of {', '.join(PILLARS)}")
    wrong += [f"{name} is no method" for name in dir(found) if name.startswith(PREFIX) and not callable(getattr(found, name))]
    if wrong:
        raise PluginFault(f"{found.__name__} cannot be used: {'; '.join(wrong)}. Mend that in the class.")


def _class_in_file(source: PluginSource, path: Path) -> type[Plugin]:
    from aiga.hooks import Plugin

    module = _module_of(source.name, path)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == module.__name__
    ]
    named = [found for found in classes if getattr(found, "name", None) == source.name]
    if len(named) == 1 or len(classes) == 1:
        return (named or classes)[0]
    if not classes:
        raise PluginFault(f"{path} has no plugin in it. Write a class there that derives from aiga.Plugin.")
    names = " and ".join(found.__name__ for found in classes)
    raise PluginFault(f'{path} has several plugins in it, {names}. Write name = "{source.name}" in one of them.')


def _module_of(name: str, path: Path) -> ModuleType:
    """Runs a file as a module of its own name, that no other file can have; the search path stays as it is."""
    try:
        code = path.read_bytes()
    except OSError as error:
        raise PluginFault(f"{path} cannot be read: {error.strerror}. Name a Python file that can be.") from error
    module = ModuleType(f"aiga_path_{re.sub(r'[^0-9A-Za-z_]', '_', name)}_{hashlib.sha256(code).hexdigest()[:12]}")
    module.__file__ = str(path)
    # Dataclasses and pydantic look their module up by name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(code, str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _raised(error: BaseException) -> str:
    """What an import raised and where; a syntax error knows its own line."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}"
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename}:{frame.lineno}"
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"its import raised {type(error).__name__}: {text} ({where}). Mend it there, or disable the plugin."


def _missing_module(source: PluginSource, error: ModuleNotFoundError) -> str:
    name = error.name or ""
    top = name.partition(".")[0]
    if source.value is not None and top == source.value.partition(":")[0].partition(".")[0]:
        what = f"{source.origin} says it is {source.value}, and there is no module {name}"
        return f"{what}. Reinstall it: pip install --force-reinstall {source.distribution}"
    if source.path is not None and any((source.path.parent / beside).exists() for beside in (top, f"{top}.py")):
        # Never name a stranger's package for a file that lies there.
        what = f'imports "{top}" from its own folder, which is not searched'
        return f"{what}. Put all into {source.path.name}, or make a package of both and install that."
    return f'needs the module "{name}", which is not installed. Install it: {install_command(name, source.distribution)}'


def install_command(module: str, distribution: str) -> str:
    """The command that installs what has ``module``, in the versions that ``distribution`` asks for."""
    top = module.partition(".")[0]
    wanted = _fold(_DISTRIBUTION_OF.get(module, _DISTRIBUTION_OF.get(top, top)))
    for name, extras, versions, extra in _requirements(distribution):
        if _fold(name) == wanted or wanted in map(_fold, extras):
            if extra:
                return f'pip install "{distribution}[{extra}]"'
            suffix = f"[{','.join(extras)}]" if extras else ""
            text = f"{name}{suffix}{versions}"
            return f'pip install "{text}"' if text != name else f"pip install {name}"
    return f"pip install {wanted}"


def _requirements(distribution: str) -> Iterator[tuple[str, list[str], str, str]]:
    """Name, extras and versions of all that a distribution asks for, and the extra of its own that asks."""
    try:
        texts = importlib.metadata.requires(distribution) if distribution else None
    except importlib.metadata.PackageNotFoundError:
        return
    for text in texts or []:
        what, _, marker = text.partition(";")
        found = re.fullmatch(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?\s*(.*?)\s*", what)
        if found is not None:
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
            extras = [part.strip() for part in (found[2] or "").split(",") if part.strip()]
            yield found[1], extras, found[3].strip("()"), extra[1] if extra else ""


def _fold(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
