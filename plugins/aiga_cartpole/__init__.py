"""CartPole with its physics as the genome: lives that end when the pole falls (Barto, Sutton and Anderson 1983)."""

from aiga_cartpole.plugin import CartPole as CartPole
