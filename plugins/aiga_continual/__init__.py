"""Learners that descend a gradient within their lives, and the optimiser that descends one through them."""

from aiga_continual.architecture import fresh as fresh
from aiga_continual.architecture import relearning as relearning
from aiga_continual.meta_gradient import MetaGradient as MetaGradient
from aiga_continual.meta_gradient import MetaGradientPlugin as MetaGradientPlugin
from aiga_continual.network import ContinualNetwork as ContinualNetwork
from aiga_continual.plugin import Anml as Anml
from aiga_continual.plugin import Maml as Maml
from aiga_continual.plugin import Oml as Oml
