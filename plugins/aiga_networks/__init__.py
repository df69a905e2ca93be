"""Networks: what agents are made of."""

from aiga_networks.mlp import Mlp as Mlp
from aiga_networks.mlp import MlpNetwork as MlpNetwork
