"""``random-search``: architectures drawn one like the other, what any search must beat (Bergstra & Bengio 2012)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

import aiga
from aiga_search.options import RandomOptions
from aiga_search.search import ArchitectureSearch, Proposed, all_but_the_best
from aiga_search.site import Residents, Site


class RandomSearch(ArchitectureSearch):
    """Proposes random architectures; the best stay."""

    name = "random-search"
    Options: ClassVar[type[RandomOptions]] = RandomOptions
    options: RandomOptions

    def propose(self, site: Site, residents: Residents, rng: aiga.Stream) -> Proposed:
        assert rng.row_keys is not None
        return Proposed.without_parents(site.space.initial(rng, len(rng.row_keys)), "random")

    def leaving(self, residents: Residents, scores: Tensor) -> Tensor:
        return all_but_the_best(residents, scores, self.options.best)
