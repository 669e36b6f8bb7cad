"""The population engine: any ``nn.Module``, on CPU or CUDA; the reference for the other engines.

Subnetworks of one structure are stacked: each parameter becomes one tensor ``[P, …]``, ``torch.func.vmap`` runs the
P networks as one, and the optimizer, being elementwise, updates all of them at once and each as if it were alone.
"""

from karikomi.engines.population.gradients import gradients as gradients
from karikomi.engines.population.gradients import hessian_gradient as hessian_gradient
from karikomi.engines.population.gradients import input_norms as input_norms
from karikomi.engines.population.gradients import squared_gradients as squared_gradients
from karikomi.engines.population.gradients import synaptic_flow as synaptic_flow
from karikomi.engines.population.lesions import activations as activations
from karikomi.engines.population.lesions import attributions as attributions
from karikomi.engines.population.lesions import knock_out as knock_out
from karikomi.engines.population.lesions import remove_in_order as remove_in_order
from karikomi.engines.population.normalization import reestimated as reestimated
from karikomi.engines.population.predictions import probabilities as probabilities
from karikomi.engines.population.training import evaluate as evaluate
from karikomi.engines.population.training import train as train
