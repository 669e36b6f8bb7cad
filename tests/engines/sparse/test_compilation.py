"""Kernels compiled ahead of the work."""

import numpy as np
import pytest

from karikomi.engines import sparse
from karikomi.engines.contract import Ablation, Recipe
from karikomi.engines.sparse import flow_lesions
from karikomi.engines.sparse.compilation import compile_kernels, compiled
from karikomi.engines.sparse.kernels.flow_lesions import knock_out_channels, remove_channels, show_others
from karikomi.engines.sparse.kernels.lesions import knock_out_each, pass_whole, remove_in_orders
from karikomi.engines.sparse.kernels.play import evaluate_flow, train_flow
from karikomi.engines.sparse.kernels.steps import train_steps
from karikomi.networks import build


@pytest.mark.parametrize("kernels", [{}, {"lesions": True}, {"flows": True}, {"flows": True, "lesions": True}], ids=str)
def test_compiled_once_for_all(kernels) -> None:
    compile_kernels(**kernels)
    assert compiled(**kernels)


def test_what_is_compiled_ahead_serves_any_network_and_data(make, data) -> None:
    compile_kernels(lesions=True)
    kernels = (train_steps, knock_out_each, remove_in_orders, pass_whole)
    before = [len(kernel.signatures) for kernel in kernels]
    trial = make.trial(build("mlp-20-10", (28, 28), 10), 0.7)
    sparse.train([trial], data, Recipe(1, 60, "adam", 1e-3, 0.0, 0.0, 1))
    sparse.knock_out(trial.subnetwork, data.test)
    sparse.remove_in_order(trial.subnetwork, np.arange(4)[None], data.test)
    assert [len(kernel.signatures) for kernel in kernels] == before


def test_flows_too(make, data) -> None:
    compile_kernels(flows=True, lesions=True)
    kernels = (train_flow, evaluate_flow, knock_out_channels, remove_channels, show_others)
    before = [len(kernel.signatures) for kernel in kernels]
    trial, test = make.trial(build("conv-2-small", (28, 28), 10), 0.7), data.test.take(np.arange(20))
    sparse.train([trial], data, Recipe(1, 60, "adam", 1e-3, 0.0, 0.0, 1))
    flow_lesions.knock_out(trial.subnetwork, test)
    flow_lesions.remove_in_order(trial.subnetwork, np.arange(4)[None], test, Ablation(donors=np.arange(20)))
    assert [len(kernel.signatures) for kernel in kernels] == before
