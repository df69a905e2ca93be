"""Learners that learn within a lifetime: plastic and modulated networks, the recurrent ones they are compared with, and a2c."""

from aiga_plasticity.a2c import A2c as A2c
from aiga_plasticity.a2c import A2cOptions as A2cOptions
from aiga_plasticity.a2c import ActorCritic as ActorCritic
from aiga_plasticity.backpropamine import BackpropamineNetwork as BackpropamineNetwork
from aiga_plasticity.classifier import PlasticClassifier as PlasticClassifier
from aiga_plasticity.controls import LstmNetwork as LstmNetwork
from aiga_plasticity.controls import RnnNetwork as RnnNetwork
from aiga_plasticity.matching import matched_units as matched_units
from aiga_plasticity.matching import parameters as parameters
from aiga_plasticity.plastic import PlasticNetwork as PlasticNetwork
from aiga_plasticity.plugin import Backpropamine as Backpropamine
from aiga_plasticity.plugin import Classifier as Classifier
from aiga_plasticity.plugin import Lstm as Lstm
from aiga_plasticity.plugin import Plastic as Plastic
from aiga_plasticity.plugin import Rnn as Rnn
