"""The population engine: any ``nn.Module``, on CPU or CUDA; the reference for the other engines.

Subnetworks of one structure are stacked: each parameter becomes one tensor ``[P, …]``, ``torch.func.vmap`` runs the
P networks as one, and the optimizer, being elementwise, updates all of them at once and each as if it were alone.
"""

from karikomi.engines.population.gradients import (
    gradients,
    hessian_gradient,
    input_norms,
    squared_gradients,
    synaptic_flow,
)
from karikomi.engines.population.lesions import activations, attributions, knock_out, remove_in_order
from karikomi.engines.population.normalization import reestimated
from karikomi.engines.population.predictions import probabilities
from karikomi.engines.population.training import evaluate, train

__all__ = [
    "activations",
    "attributions",
    "evaluate",
    "gradients",
    "hessian_gradient",
    "input_norms",
    "knock_out",
    "probabilities",
    "reestimated",
    "remove_in_order",
    "squared_gradients",
    "synaptic_flow",
    "train",
]
