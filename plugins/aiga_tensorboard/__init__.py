"""TensorBoard: a run's numbers, its environments as pictures, its configuration as text."""

from aiga_tensorboard.plugin import TensorBoard as TensorBoard
