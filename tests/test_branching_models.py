"""Orders, Shapley values and replaced activations in models that branch, against what their authors say, one by one."""

from collections.abc import Collection

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.zoo import ORACLES, Oracle, trained
from torch import Tensor

import karikomi
from karikomi import seeds
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture

MANY = 24
BRANCHING = ("ResNet", "MobileNet", "UNet", "DenseNet", "ViT", "EinsumAttention", "TwoInputs")
Unit = tuple[str, int]


@pytest.fixture(params=BRANCHING)
def model(request: pytest.FixtureRequest) -> Oracle:
    return trained(ORACLES[request.param])


def units_of(model: Oracle) -> list[Unit]:
    parts = Architecture(model, model.given(3)).anatomy.parts
    return [(part.name, index) for part in parts for index in range(part.units)]


def loss(model: Oracle, gone: Collection[Unit], instead: dict[Unit, list[Tensor]] | None = None) -> float:
    """The loss without units, each 0, or what ``instead`` says of the places where it acts, in order."""
    counts, visits = dict[str, int](), dict[str, int]()
    for name, index in units_of(model):
        counts[name] = index + 1

    def change(name: str, signal: Tensor, axis: int = -1) -> Tensor:
        visit = visits[name] = visits.get(name, -1) + 1
        for index in (index for layer, index in gone if layer == name):
            each = signal.shape[axis] // counts[name]
            places = torch.arange(index * each, (index + 1) * each)
            if instead is None:
                signal = signal.index_fill(axis, places, 0)
            else:
                shown = instead[name, index][visit]
                signal = signal.index_copy(axis, places, shown.expand_as(signal.index_select(axis, places)))
        return signal

    outputs = model(*model.given(MANY), change=change)
    return float(F.cross_entropy(outputs, torch.arange(MANY) % outputs.shape[1]))


def shown(model: Oracle, inputs: tuple[Tensor, ...]) -> dict[Unit, list[Tensor]]:
    """What every unit does on other inputs, wherever it acts, in order."""
    found: dict[Unit, list[Tensor]] = {}
    counts = {name: index + 1 for name, index in units_of(model)}

    def note(name: str, signal: Tensor, axis: int = -1) -> Tensor:
        for index, one in enumerate(signal.chunk(counts[name], axis)):
            found.setdefault((name, index), []).append(one.clone())  # it may be changed in place
        return signal

    model(*inputs, change=note)
    return found


def labels(model: Oracle) -> Tensor:
    return torch.arange(MANY) % model(*model.given(1)).shape[1]


@torch.no_grad()
def test_units_removed_one_after_the_other(model: Oracle) -> None:
    units = units_of(model)
    order = np.random.default_rng(0).permutation(len(units))
    curve = karikomi.lesion_curve(model, model.given(MANY), labels(model), order=order)
    expected = [loss(model, [units[number] for number in order[:step]]) for step in range(len(units) + 1)]
    np.testing.assert_allclose(curve["loss"], expected, atol=1e-5)


@torch.no_grad()
def test_shapley_values_are_mean_gains_over_the_orders(model: Oracle) -> None:
    units, many = units_of(model), 2
    rng = seeds.stream(0, "lesions")
    orders = [rng.permutation(len(units)) for _ in range(many)]

    def own(outputs: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(outputs, y, reduction="none")

    found = karikomi.shapley(model, model.given(MANY), labels(model), permutations=many, loss=own)
    gains = np.zeros(len(units))
    for order in orders:
        losses = [loss(model, [units[number] for number in order[:step]]) for step in range(len(units) + 1)]
        gains[order] += np.diff(losses) / many
    np.testing.assert_allclose(found["value"], gains, atol=1e-5)


@torch.no_grad()
def test_another_example_s_activation_in_place_of_a_unit_s(model: Oracle) -> None:
    inputs, units = model.given(MANY), units_of(model)
    donors = torch.from_numpy(seeds.stream(0, "lesions").permutation(MANY))
    others = shown(model, tuple(one[donors] for one in inputs))
    found = karikomi.knock_out(model, inputs, labels(model), ablation="resample")
    expected = [loss(model, [unit], others) - loss(model, []) for unit in units]
    np.testing.assert_allclose(found["loss_rise"], expected, atol=1e-5)


@torch.no_grad()
def test_its_mean_in_place_of_a_unit_s_activation(model: Oracle) -> None:
    inputs, units = model.given(MANY), units_of(model)
    alone = shown(model, inputs)
    if any(len(places) > 1 for places in alone.values()):
        with pytest.raises(InputError, match="act in several places"):
            karikomi.knock_out(model, inputs, labels(model), ablation="mean")
        return
    means = {unit: [place.mean() for place in places] for unit, places in alone.items()}
    found = karikomi.knock_out(model, inputs, labels(model), ablation="mean")
    expected = [loss(model, [unit], means) - loss(model, []) for unit in units]
    np.testing.assert_allclose(found["loss_rise"], expected, atol=1e-5)
