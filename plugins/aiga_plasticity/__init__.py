"""Learners that learn within a lifetime, and how they are trained."""

from aiga_plasticity.a2c import A2c as A2c
