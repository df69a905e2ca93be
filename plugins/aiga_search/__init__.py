"""Architecture search as plugins of the loop: each proposes architectures and owns ``select``."""

from aiga_search.evolution import RegularisedEvolution as RegularisedEvolution
from aiga_search.random_search import RandomSearch as RandomSearch
from aiga_search.tpe import Tpe as Tpe
