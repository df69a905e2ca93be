"""Carts on hilly tracks: a domain for aiga, with a screen and metrics of its own."""

from aiga_hills.domain import HillsDomain as HillsDomain
from aiga_hills.plugin import Hills as Hills
