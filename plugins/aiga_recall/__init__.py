"""Recall: patterns or images shown a few times, then one of them in part, to be completed from memory."""

from aiga_recall.plugin import Recall as Recall
