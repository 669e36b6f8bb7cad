"""The sparse engine: multilayer perceptrons on CPU, one network per core, at a cost that falls with density."""

from karikomi.engines.sparse.lesions import activations, knock_out, remove_in_order
from karikomi.engines.sparse.training import evaluate, train

__all__ = ["activations", "evaluate", "knock_out", "remove_in_order", "train"]
