"""Evolution strategies: optimisers that improve the agents of all niches as one batch."""

from aiga_es.cem import Cem as Cem
from aiga_es.es import Es as Es
from aiga_es.evolution import Evolution as Evolution
from aiga_es.pgpe import Pgpe as Pgpe
