"""How hooks are called: in order, one implementation at a time, each timed and answerable for itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

import aiga
from aiga.errors import Abandoned, PluginError
from aiga.hooks import Plugin
from aiga.host import Host
from aiga.meter import Meter


class One(Plugin):
    """Counts to one."""

    name = "one"

    def aiga_metrics(self, lab: Any) -> dict[str, float]:
        return {"value": 1.0, "lab": lab}


class Nothing(Plugin):
    """Has nothing to say."""

    name = "nothing"

    def aiga_metrics(self, lab: Any) -> None:
        return None


class Raises(Plugin):
    """Raises what it is given."""

    name = "raises"
    error: BaseException = ValueError("no")

    def aiga_metrics(self, lab: Any) -> dict[str, float]:
        raise self.error


class Two(One):
    """Comes last."""

    name = "two"


def host(*plugins: Plugin, disable: tuple[str, ...] = (), owners: tuple[str, ...] = ()) -> Host:
    return Host(plugins, Meter(), frozenset(owners), dict.fromkeys(disable, "disable"), iteration=4)


def lab(plugin: str) -> Any:
    return f"lab of {plugin}"


def test_each_answers_in_order_with_its_name_and_a_lab_of_its_own() -> None:
    answers = host(Two(), Nothing(), One()).each("metrics", lab)
    assert [name for name, _ in answers] == ["two", "one"]
    assert [answer["lab"] for _, answer in answers] == ["lab of two", "lab of one"]


def test_a_hook_that_a_plugin_does_not_override_is_not_called() -> None:
    meter = Meter()
    Host([One()], meter).each("generate", lab)
    assert meter.calls() == {}


def test_what_is_raised_names_plugin_hook_iteration_and_remedy() -> None:
    with pytest.raises(
        PluginError, match=r"'raises' raised in metrics, iteration 4: ValueError: no .*\[plugins.raises\] on_error"
    ):
        host(Raises()).each("metrics", lab)


def test_isolated_calls_everybody_before_the_run_ends() -> None:
    heard: list[str] = []

    class Hears(Plugin):
        """Hears."""

        name = "hears"

        def aiga_event(self, lab: Any, event: Any) -> None:
            heard.append(event)

    class Breaks(Plugin):
        """Breaks."""

        name = "breaks"

        def aiga_event(self, lab: Any, event: Any) -> None:
            raise KeyError("gone")

    with pytest.raises(PluginError, match="'breaks' raised in event"):
        host(Breaks(), Hears()).isolated("event", lab, event="solved")
    assert heard == ["solved"]


def test_a_disabled_plugin_is_asked_no_more() -> None:
    it = host(Raises(), One(), disable=("raises",))
    for _ in range(2):
        assert [name for name, _ in it.each("metrics", lab)] == ["one"]
    assert [(failure.plugin, failure.hook, failure.disabled) for failure in it.failures] == [("raises", "metrics", True)]


def test_an_owner_is_never_disabled() -> None:
    with pytest.raises(PluginError, match="cannot be disabled"):
        host(Raises(), disable=("raises",), owners=("raises",)).each("metrics", lab)


@pytest.mark.parametrize("error", [Abandoned(), aiga.StorageError("full"), KeyboardInterrupt()])
def test_what_is_nobodys_fault_passes_through(error: BaseException) -> None:
    plugin = Raises()
    plugin.error = error
    it = host(plugin, disable=("raises",))
    with pytest.raises(type(error)):
        it.each("metrics", lab)
    assert not it.disabled


def test_seconds_of_a_call_inside_a_call_are_counted_once() -> None:
    meter = Meter()
    with meter.timed("a", "outer"):
        for _ in range(2):
            with meter.timed("b", "inner"):
                pass
    assert meter.calls() == {("b", "inner"): 2, ("a", "outer"): 1}
    assert all(seconds >= 0 for seconds in meter.seconds().values())


def wrapping(name_: str, wrap: Callable[[list[str]], Generator[None, list[str], Any]]) -> Plugin:
    class Wraps(Plugin):
        """Wraps."""

        name = name_

        @aiga.wrapper
        def aiga_evaluate(self, lab: Any, pairs: list[str]) -> Any:
            return (yield from wrap(pairs))

    return Wraps()


def test_the_first_wrapper_is_the_outermost() -> None:
    def wrap(name: str) -> Callable[[list[str]], Generator[None, list[str], Any]]:
        def body(pairs: list[str]) -> Generator[None, list[str], Any]:
            pairs.append(f"open {name}")
            got = yield
            return [*got, f"close {name}"]

        return body

    pairs: list[str] = []
    out = host(wrapping("a", wrap("a")), wrapping("b", wrap("b"))).wrapped("evaluate", lab, lambda: ["run"], pairs=pairs)
    assert pairs == ["open a", "open b"]
    assert out == ["run", "close b", "close a"]


def test_a_wrapper_that_answers_nothing_changes_nothing() -> None:
    def silent(pairs: list[str]) -> Generator[None, list[str], Any]:
        yield

    assert host(wrapping("a", silent)).wrapped("evaluate", lab, lambda: ["run"], pairs=[]) == ["run"]


@pytest.mark.parametrize("yields", [0, 2])
def test_a_wrapper_yields_once(yields: int) -> None:
    def body(pairs: list[str]) -> Generator[None, list[str], Any]:
        for _ in range(yields):
            yield

    with pytest.raises(PluginError, match=r"'a' raised in evaluate.*must yield once"):
        host(wrapping("a", body)).wrapped("evaluate", lab, lambda: ["run"], pairs=[])


def test_a_wrapper_without_a_yield_is_told_how() -> None:
    class Plain(Plugin):
        """Returns at once."""

        name = "plain"

        def aiga_evaluate(self, lab: Any, pairs: Any) -> Any:
            return None

    with pytest.raises(PluginError, match=r"mark it with @aiga\.wrapper"):
        host(Plain()).wrapped("evaluate", lab, lambda: 1, pairs=[])


def test_the_first_answer_is_enough() -> None:
    assert host(Nothing(), Two(), Raises()).first("metrics", lab)["lab"] == "lab of two"
    assert host(Nothing()).first("metrics", lab) is None


def test_an_owner_that_has_no_answer_is_an_error() -> None:
    with pytest.raises(PluginError, match="'nothing' owns a slot but gave no answer to aiga_metrics in iteration 4"):
        host(Nothing(), One()).owner("nothing", "metrics", lab)


def test_a_misspelt_hook_and_a_wrong_argument_are_found_when_plugins_are_put_together() -> None:
    class Misspelt(Plugin):
        """Means metrics."""

        name = "misspelt"

        def aiga_metric(self, lab: Any) -> None: ...

    class Wrong(Plugin):
        """Wants what there is not."""

        name = "wrong"

        def aiga_metrics(self, laboratory: Any) -> None: ...

    with pytest.raises(aiga.InputError, match="no hook named 'aiga_metric'; did you mean 'aiga_metrics'"):
        host(Misspelt())
    with pytest.raises(aiga.InputError, match="laboratory"):
        host(Wrong())


def test_two_hosts_share_nothing() -> None:
    one, other = host(Raises(), One(), disable=("raises",)), host(One())
    one.each("metrics", lab)
    assert one.disabled == {"raises"}
    assert not other.disabled
