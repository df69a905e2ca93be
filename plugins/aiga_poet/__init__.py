"""POET: environments and agents invented together, each a stepping stone for the other (Wang et al. 2019, arXiv 1901.01753)."""

from aiga_poet.options import PoetOptions as PoetOptions
from aiga_poet.plugin import Poet as Poet
