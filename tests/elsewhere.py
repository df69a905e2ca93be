"""Small searches, in a process of their own, whose agents live on a device that is told apart from the host.

    python tests/elsewhere.py FOLDER

The last line is one JSON object: by name of a search, what went wrong, or nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import far

import aiga
import aiga.experiment

SEARCHES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "digits, meta-gradient": ("digits", "perceptron", "meta-gradient", {"lifetimes": 2}),
    "recall, meta-gradient": ("recall", "plastic", "meta-gradient", {"lifetimes": 2}),
}


def search(domain: str, network: str, optimiser: str, options: dict[str, Any]) -> dict[str, Any]:
    """Its configuration."""
    run = {"seed": 1, "workers": 0, "episodes": 2, "confirmations": 2, "stop": {"iterations": 2}}
    plugins = {domain: {}, network: {}, optimiser: {"options": options}, "local": {}}
    population = {"domain": domain, "networks": [network], "niches": 2}
    return {"api": 1, "run": run, "population": population, "slots": {"improve": optimiser}, "plugins": plugins}


def main(folder: str) -> None:
    """All of them."""
    aiga.experiment.choose_device = lambda wanted, parallelism: far.NAME
    said: dict[str, str] = {}
    with far.there():
        for name, given in SEARCHES.items():
            try:
                done = aiga.run(search(*given), name=name.replace(", ", "-"), runs=Path(folder))
                said[name] = "" if bool(done.niches.score.isfinite().all()) else "agents could not be scored"
            except aiga.AigaError as error:
                said[name] = str(error)
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
