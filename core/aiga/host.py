"""Calls hooks one implementation at a time, so that a result, an exception and the seconds spent carry the plugin's name."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from aiga.answers import Check, anything
from aiga.components import Domain
from aiga.errors import RAISED, Abandoned, InputError, PluginError, StorageError
from aiga.hooks import PREFIX, Plugin
from aiga.meter import Meter

T = TypeVar("T")


class _Manager(pluggy.PluginManager):
    """Finds hooks by their prefix, and takes those alone that a plugin overrides."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if not name.startswith(PREFIX) or getattr(type(plugin), name, None) is getattr(Plugin, name, None):
            return None
        plain = dict.fromkeys(("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast"), False)
        return super().parse_hookimpl_opts(plugin, name) or {**plain, "specname": None}


@dataclass
class Failure:
    """A plugin raised and the run went on, or is about to end."""

    plugin: str
    hook: str
    iteration: int
    error: BaseException
    disabled: bool


@dataclass
class Host:
    """The plugins of one run, and how they are called.

    Attributes:
        plugins: in call order.
        owners: names in ``[slots]``; a run cannot go on without one of these.
        on_error: ``stop`` or ``disable``, by plugin.
        meter: gets the seconds.
        failures: what went wrong since last looked at.
    """

    plugins: Sequence[Plugin]
    meter: Meter
    owners: frozenset[str] = frozenset()
    on_error: Mapping[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    iteration: int = 0

    def __post_init__(self) -> None:
        self._manager = _Manager("aiga")
        self._manager.add_hookspecs(Plugin)
        # pluggy calls what was registered last first; call order is file order.
        for plugin in reversed(self.plugins):
            try:
                self._manager.register(plugin, plugin.name)
            except pluggy.PluginValidationError as error:
                raise InputError(f"plugin {plugin.name!r}: {error}") from error
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise InputError(_unknown_hook(error)) from error

    def implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """Implementations of ``hook`` in call order, those of disabled plugins left out."""
        found = getattr(self._manager.hook, PREFIX + hook).get_hookimpls()
        return [impl for impl in reversed(found) if impl.plugin_name not in self.disabled]

    def each(self, hook: str, lab: Callable[[str], Any], check: Check = anything, **arguments: Any) -> list[tuple[str, Any]]:
        """Calls every implementation; (plugin, result) of each that answered something, and that ``check`` let pass."""
        results = []
        for impl in self.implementations(hook):
            result = self._ask(impl, hook, lab, check, arguments)
            if result is not None:
                results.append((impl.plugin_name, result))
        return results

    def first(self, hook: str, lab: Callable[[str], Any], **arguments: Any) -> Any:
        """The answer of the first implementation that has one; None where nobody has."""
        for impl in self.implementations(hook):
            answer = self._ask(impl, hook, lab, anything, arguments)
            if answer is not None:
                return answer
        return None

    def isolated(
        self, hook: str, lab: Callable[[str], Any], check: Check = anything, **arguments: Any
    ) -> list[tuple[str, Any]]:
        """Like :meth:`each`, but all are called before one that raised, under ``stop``, ends the run."""
        results, fatal = [], None
        for impl in self.implementations(hook):
            try:
                result = self._ask(impl, hook, lab, check, arguments)
            except PluginError as error:
                fatal = fatal or error
                continue
            if result is not None:
                results.append((impl.plugin_name, result))
        if fatal is not None:
            raise fatal
        return results

    def owner(self, name: str, hook: str, lab: Callable[[str], Any], check: Check = anything, **arguments: Any) -> Any:
        """Asks the plugin ``name`` alone.

        Raises:
            PluginError: if it does not implement ``hook``, raises or answers nothing.
        """
        for impl in self.implementations(hook):
            if impl.plugin_name == name:
                answer = self._ask(impl, hook, lab, check, arguments)
                if answer is not None:
                    return answer
        raise PluginError(f"plugin {name!r} owns a slot but gave no answer to aiga_{hook} in iteration {self.iteration}")

    def wrapped(
        self, hook: str, lab: Callable[[str], Any], inner: Callable[[], T], check: Check = anything, **arguments: Any
    ) -> T:
        """Runs ``inner`` inside every wrapper of ``hook``; the first in file order is the outermost."""
        open_: list[tuple[str, Generator[None, T, T]]] = []
        for impl in self.implementations(hook):
            generator = self.guard(impl.plugin_name, hook, lambda impl=impl: _open(impl, lab, arguments))  # type: ignore[misc]
            if generator is not None:
                open_.append((impl.plugin_name, generator))
        result = inner()
        for name, generator in reversed(open_):
            before = result
            answer = self.guard(name, hook, lambda generator=generator, before=before: _close(generator, before), check)  # type: ignore[misc]
            result = before if answer is None else answer
        return result

    def _ask(self, impl: pluggy.HookImpl, hook: str, lab: Callable[[str], Any], check: Check, arguments: dict[str, Any]) -> Any:
        """One implementation's answer, checked; None where it has none, or was disabled."""
        return self.guard(impl.plugin_name, hook, lambda: _call(impl, lab, arguments), check)

    def guard(self, plugin: str, hook: str, call: Callable[[], T], check: Check = anything) -> T | None:
        """Calls something of a plugin's: timed, and what it raises, or ``check`` of its answer, handled as ``on_error`` says.

        Raises:
            PluginError: under ``stop``, or where the plugin owns a slot.
        """
        with self.meter.timed(plugin, hook):
            try:
                answer = call()
                if answer is not None:
                    check(answer)
                return answer
            except (Abandoned, PluginError, StorageError):
                raise  # of the core, which said all there is to say; whatever else comes out of here is the plugin's own
            except RAISED as error:
                disable = self.on_error.get(plugin) == "disable" and plugin not in self.owners
                self.failures.append(Failure(plugin, hook, self.iteration, error, disable))
                if disable:
                    self.disabled.add(plugin)
                    return None
                remedy = "it owns a slot and cannot be disabled" if plugin in self.owners else _remedy(plugin)
                message = f"plugin {plugin!r} raised in {hook}, iteration {self.iteration}: {_say(error)} ({remedy})"
                raise PluginError(message) from error


def notices(plugins: Sequence[Plugin], domain: Domain | None = None) -> Iterator[str]:
    """What plugins want a person to read when a run in ``domain`` starts; that one cannot tell keeps no run from starting."""
    for plugin in plugins:
        try:
            lines = plugin.notice() if hasattr(plugin, "notice") else []
            if domain is not None and hasattr(plugin, "advice"):
                lines = [*lines, *plugin.advice(domain)]
            yield from [f"{plugin.name}: {line}" for line in lines]
        except Exception as error:
            yield f"{plugin.name}: its notice cannot be shown: {type(error).__name__}: {error}"


def _say(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) + where


def _remedy(plugin: str) -> str:
    return f'to go on without it: [plugins.{plugin}] on_error = "disable"'


def _unknown_hook(error: pluggy.PluginValidationError) -> str:
    known = [name for name in dir(Plugin) if name.startswith(PREFIX)]
    text = str(error)
    found = next((word.strip("'\",") for word in text.split() if word.strip("'\",").startswith(PREFIX)), "")
    close = difflib.get_close_matches(found, known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
    return f"plugin {getattr(error.plugin, 'name', error.plugin)!r}: no hook named {found!r}; {hint}"


def _call(impl: pluggy.HookImpl, lab: Callable[[str], Any], arguments: dict[str, Any]) -> Any:
    given = {"lab": lab(impl.plugin_name), **arguments}
    return impl.function(*(given[name] for name in impl.argnames))


def _open(impl: pluggy.HookImpl, lab: Callable[[str], Any], arguments: dict[str, Any]) -> Any:
    generator = _call(impl, lab, arguments)
    if not isinstance(generator, Generator):
        raise TypeError("a wrapper must be a generator that yields once; mark it with @aiga.wrapper")
    try:
        next(generator)
    except StopIteration:
        raise RuntimeError("a wrapper must yield once, it never did") from None
    return generator


def _close(generator: Generator[None, T, T], result: T) -> T:
    try:
        generator.send(result)
    except StopIteration as stop:
        return result if stop.value is None else stop.value
    raise RuntimeError("a wrapper must yield once, it did so twice")
