"""Digits: small images to be told apart, from scikit-learn's own to CIFAR-10's."""

from aiga_digits.plugin import Digits as Digits
