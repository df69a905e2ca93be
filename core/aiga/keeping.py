"""What a new run's folder holds: all that it needs to be founded again, wherever it is moved to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiga import discovery
from aiga.config import Document
from aiga.founding import agent_file
from aiga.registry import Components

if TYPE_CHECKING:
    from aiga.hooks import Plugin

AGENT = "initial_agent.safetensors"  # where a run starts from an agent of the user's


def lock_text(sources: Sequence[discovery.PluginSource], plugins: Sequence[Plugin]) -> str:
    """JSON: origin, versions and hashes of every plugin."""
    return json.dumps(discovery.lock(sources, plugins), indent=2, sort_keys=True) + "\n"


def files(
    given: Document, sources: Sequence[discovery.PluginSource], plugins: Sequence[Plugin], components: Components
) -> dict[str, str | bytes]:
    """Contents by relative path: the resolved configuration, what each plugin is, files of plugins, the agent to start from."""
    paths = {source.name: f"plugins/{source.name}.py" for source in sources if source.path is not None}
    held: dict[str, str | bytes] = {paths[s.name]: s.path.read_bytes() for s in sources if s.path is not None}
    resolved = discovery.resolve(given, sources, plugins, paths)
    population = given.population
    if population is not None and population.initial_agent is not None:
        domain = components.get("domain", population.domain)
        if population.initial_agent not in getattr(domain, "agents", {}):
            held[AGENT] = agent_file(population.initial_agent, domain, given.base).read_bytes()
            resolved = resolved.model_copy(update={"population": population.model_copy(update={"initial_agent": AGENT})})
    return {"run.toml": resolved.to_toml(), "plugins.lock": lock_text(sources, plugins), **held}
