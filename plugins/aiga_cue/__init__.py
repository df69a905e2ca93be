"""Cue-reward association: a domain for agents that learn within a life (Miconi et al. 2019)."""

from aiga_cue.plugin import Cue as Cue
