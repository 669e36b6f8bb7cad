"""Have the sparse engine's kernels compiled before work begins, so that a user can be told what takes so long."""

from typing import Any

import numba
import numpy as np
from torch import nn

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation, Recipe
from karikomi.engines.sparse import flow_lesions
from karikomi.engines.sparse.flow_layout import lay_out_flow
from karikomi.engines.sparse.input import source_of
from karikomi.engines.sparse.kernels.circuits import make_orders, make_packs, make_state
from karikomi.engines.sparse.kernels.flow_lesions import knock_out_channels, remove_channels, show_others
from karikomi.engines.sparse.kernels.layout import lay_out
from karikomi.engines.sparse.kernels.lesions import knock_out_each, pass_whole, remove_in_orders
from karikomi.engines.sparse.kernels.meeting import team_of
from karikomi.engines.sparse.kernels.play import evaluate_flow, train_flow
from karikomi.engines.sparse.kernels.steps import evaluate_all, train_steps
from karikomi.engines.sparse.lesions import Room, Whole, empty_tally
from karikomi.engines.sparse.training import optimizer_of
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork

Calls = list[tuple[Any, tuple[Any, ...]]]
"""Kernels with arguments of the types they always have."""


def compiled(*, lesions: bool = False, flows: bool = False) -> bool:
    """Whether the kernels of perceptrons or ``flows``, with ``lesions`` those too, are loaded, or in Numba's cache."""
    return all(
        kernel.signatures or kernel._cache.load_overload(tuple(map(numba.typeof, arguments)), kernel.targetctx)
        for kernel, arguments in _entry_points(lesions, flows)
    )


def compile_kernels(*, lesions: bool = False, flows: bool = False) -> None:
    """Compile the kernels, or load them: some seconds, once per machine and version of this package."""
    for kernel, arguments in _entry_points(lesions, flows):
        kernel(*arguments)


def _entry_points(lesions: bool, flows: bool) -> Calls:
    examples = Examples(np.zeros((2, 1), np.uint8), np.arange(2))
    if flows:
        return _of_flows(examples, lesions)
    weights = {f"{name}.weight": np.zeros((2, width), np.float32) for name, width in (("0", 1), ("2", 2))}
    biases = {f"{name}.bias": np.zeros(2, np.float32) for name in ("0", "2")}
    architecture = Architecture(nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)))
    subnetwork = Subnetwork.full(architecture, weights | biases)
    return _of_training(subnetwork, examples) + (_of_lesions(subnetwork, examples) if lesions else [])


def _of_training(subnetwork: Subnetwork, examples: Examples) -> Calls:
    source, chosen, correct = source_of(examples), np.arange(2), np.zeros(2, np.int64)
    network, _ = lay_out(subnetwork, np.ones(1), 2, keep_idle=False)
    optimizer = optimizer_of(Recipe(1, 2, "adam", 0.0, 0.0, 0.0, 1), network)
    return [
        (train_steps, (source, chosen[None].copy(), network, optimizer, 0, 0)),
        (evaluate_all, (source, chosen, network, correct)),
    ]


def _of_flows(examples: Examples, lesions: bool) -> Calls:
    weights = {f"{name}.weight": np.zeros((2, inputs, 1), np.float32) for name, inputs in (("1", 1), ("2", 2))}
    biases = {f"{name}.bias": np.zeros(2, np.float32) for name in ("1", "2")}
    module = nn.Sequential(nn.Unflatten(1, (1, 1)), nn.Conv1d(1, 2, 1), nn.Conv1d(2, 2, 1), nn.Flatten())
    subnetwork = Subnetwork.full(Architecture(module, sample_shape=(1,)), weights | biases)
    source, chosen, correct = source_of(examples), np.arange(2), np.zeros(2, np.int64)
    flow, _ = lay_out_flow(subnetwork, 2)
    [team] = team_of(1)
    optimizer = optimizer_of(Recipe(1, 2, "adam", 0.0, 0.0, 0.0, 1), flow.network)
    calls: Calls = [
        (train_flow, (source, chosen[None].copy(), flow, optimizer, 0, 0, team)),
        (evaluate_flow, (source, chosen, flow, correct, team)),
    ]
    return calls + (_of_flow_lesions(subnetwork, examples) if lesions else [])


def _of_flow_lesions(subnetwork: Subnetwork, examples: Examples) -> Calls:
    whole = flow_lesions.Whole.of(subnetwork, examples, threads=1)
    room, none = flow_lesions.Room(whole, Ablation()), np.zeros(0, np.int64)
    given = room.given(room.pack(make_packs(whole.source.labels), 0))
    loss, correct = np.zeros(1), np.zeros((whole.classes, 1), np.int64)
    return [
        (show_others, (whole.source, given[1].examples, room.flow, room.cuts, room.state.some)),
        (knock_out_channels, (*given, none, none, loss, correct)),
        (remove_channels, (*given, none[None], loss, correct)),
    ]


def _of_lesions(subnetwork: Subnetwork, examples: Examples) -> Calls:
    whole = Whole.of(subnetwork, examples, threads=1)
    circuit, portion = whole.circuit, whole.portions()[0]
    signals, state, tally = Room(whole).signals(portion), make_state(circuit), empty_tally(2, 3, 1)
    orders, packs = make_orders(circuit, np.arange(2)[None]), (0, 1)
    return [
        (pass_whole, (whole.source, portion.examples.ravel(), whole.network, circuit, signals)),
        (knock_out_each, (circuit, state, signals, packs, whole.rows, tally)),
        (remove_in_orders, (circuit, state, signals, packs, orders, tally)),
    ]
