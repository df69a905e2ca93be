"""Architectures as genomes: networks that a search can vary, and that are evaluated many unlike ones at once."""

from aiga_architectures.convnet import ConvnetNetwork as ConvnetNetwork
from aiga_architectures.counting import parameters as parameters
from aiga_architectures.options import ConvnetOptions as ConvnetOptions
from aiga_architectures.options import PerceptronOptions as PerceptronOptions
from aiga_architectures.options import PolicyOptions as PolicyOptions
from aiga_architectures.perceptron import PerceptronNetwork as PerceptronNetwork
from aiga_architectures.picture import picture as picture
from aiga_architectures.plugin import Convnet as Convnet
from aiga_architectures.plugin import Perceptron as Perceptron
from aiga_architectures.plugin import Policy as Policy
from aiga_architectures.policy import PolicyNetwork as PolicyNetwork
