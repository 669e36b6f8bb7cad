"""The lines for one's own model, against plain PyTorch with the units' rows, biases and columns at 0."""

import copy
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import karikomi
from karikomi.errors import InputError


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight *= 4 if name.endswith("weight") else 1  # so that answers depend on the inputs, not on biases
    return model


@pytest.fixture
def x() -> Tensor:
    return torch.randn(40, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
@torch.no_grad()
def y(model, x) -> Tensor:
    """What the model says, but for every fifth example."""
    labels = model(x).argmax(dim=1)
    labels[:3] = torch.arange(3)
    return torch.where(torch.arange(40) % 5 == 0, (labels + 1) % 3, labels)


LAYERS, FIRSTS = (1, 3), (0, 7)


def without(model: nn.Sequential, units: list[int]) -> nn.Sequential:
    lesioned = copy.deepcopy(model)
    weights = lesioned.state_dict()
    for unit in units:
        number = 0 if unit < 7 else 1
        layer, index = LAYERS[number], unit - FIRSTS[number]
        weights[f"{layer}.weight"][index], weights[f"{layer}.bias"][index] = 0, 0
        weights[f"{layer + 2}.weight"][:, index] = 0
    return lesioned


@torch.no_grad()
def right(model: nn.Module, x: Tensor, y: Tensor) -> float:
    return float((model(x).argmax(dim=1) == y).double().mean())


@torch.no_grad()
def loss(model: nn.Module, x: Tensor, y: Tensor) -> float:
    return float(nn.functional.cross_entropy(model(x).double(), y))


def test_knock_out_says_what_each_unit_costs(model, x, y):
    table = karikomi.knock_out(model, x, y)
    assert list(table["layer"]) == ["1"] * 7 + ["3"] * 5
    assert list(table["index"]) == [*range(7), *range(5)]
    for unit, row in table.iterrows():
        lesioned = without(model, [unit])
        assert row["accuracy_drop"] == pytest.approx(right(model, x, y) - right(lesioned, x, y), abs=1e-12)
        assert row["loss_rise"] == pytest.approx(loss(lesioned, x, y) - loss(model, x, y), abs=1e-5)
        of_class = y == 1
        drop = right(model, x[of_class], y[of_class]) - right(lesioned, x[of_class], y[of_class])
        assert row["accuracy_drop_1"] == pytest.approx(drop, abs=1e-12)


def test_knock_out_of_some_units_are_rows_of_all(model, x, y):
    everyone, some = karikomi.knock_out(model, x, y), karikomi.knock_out(model, x.numpy(), y.numpy(), units=[9, 2])
    assert list(some["unit"]) == [9, 2]
    np.testing.assert_allclose(some["loss_rise"], everyone["loss_rise"].iloc[[9, 2]], atol=1e-6)


def test_shapley_values_share_out_what_all_units_give(model, x, y):
    table = karikomi.shapley(model, x, y, permutations=20)
    nothing = right(without(model, list(range(12))), x, y)
    assert table["value"].sum() == pytest.approx(right(model, x, y) - nothing, abs=1e-12)
    assert (table["standard_error"] >= 0).all()
    assert table.equals(karikomi.shapley(model, x, y, permutations=20))
    assert not table.equals(karikomi.shapley(model, x, y, permutations=20, seed=1))


def test_lesion_curve_follows_an_order(model, x, y):
    order = [8, 0, 3]
    table = karikomi.lesion_curve(model, x, y, order=order)
    assert table["unit"].isna().tolist() == [True, False, False, False]
    assert table["unit"].tolist()[1:] == order
    assert table["layer"].tolist()[1:] == ["3", "1", "1"]
    for step, row in table.iterrows():
        lesioned = without(model, order[:step])
        assert row["accuracy"] == pytest.approx(right(lesioned, x, y), abs=1e-12)
        assert row["loss"] == pytest.approx(loss(lesioned, x, y), abs=1e-5)


def test_lesion_curves_without_an_order_are_random(model, x, y):
    table = karikomi.lesion_curve(model, x, y, orders=4)
    orders = table[table["step"] > 0].groupby("order")["unit"].apply(list)
    assert len(orders) == 4
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert len({tuple(order) for order in orders}) > 1


@pytest.mark.parametrize("ablation", ["mean", "resample"])
def test_other_ablations_leave_nothing_out_of_a_unit_that_never_changes(model, x, y, ablation):
    with torch.no_grad():
        model[1].weight[2] = 0  # the unit shows the same for every example
        model[1].bias[2] = 1.0
    assert karikomi.knock_out(model, x, y, ablation=ablation)["loss_rise"][2] == pytest.approx(0, abs=1e-6)
    assert abs(karikomi.knock_out(model, x, y)["loss_rise"][2]) > 1e-4


def test_graph_has_a_link_per_weight_that_is_left(model):
    with torch.no_grad():
        model[3].weight[1, 2] = 0
    graph = karikomi.graph(model)
    assert repr(graph) == "LayeredGraph(12-7-5-3, 133 links)"
    assert nx.is_directed_acyclic_graph(graph.to_networkx())


def test_shrink_gives_what_the_lesioned_model_gives(model, x):
    smaller = karikomi.shrink(model, [1, 4, 10])
    torch.testing.assert_close(smaller(x), without(model, [1, 4, 10])(x), atol=1e-5, rtol=0)
    assert [len(bias) for name, bias in smaller.named_parameters() if name.endswith("bias")] == [5, 4, 3]


def test_a_convolutional_model_goes_the_same_way(y):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3)).eval()
    images = torch.randn(40, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    table = karikomi.knock_out(model, images, y)
    for unit, row in table.iterrows():
        lesioned = copy.deepcopy(model)
        lesioned.state_dict()["4.weight"].view(3, 4, 16)[:, int(str(unit))] = 0
        assert row["loss_rise"] == pytest.approx(loss(lesioned, images, y) - loss(model, images, y), abs=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, y: karikomi.knock_out(m, x, y, units=[12]), "there is no hidden unit 12"),
        (lambda m, x, y: karikomi.knock_out(m, x, y, units=[3, 3]), "named twice"),
        (lambda m, x, y: karikomi.knock_out(m, x[:, :2], y), "12"),
        (lambda m, x, y: karikomi.knock_out(m, x, y + 9), "label"),
        (lambda m, x, y: karikomi.knock_out(m, x, y, ablation="meen"), "did you mean 'mean'"),  # pyright: ignore
        (lambda m, x, y: karikomi.knock_out(m, x * float("nan"), y), "NaN"),
        (lambda m, x, y: karikomi.lesion_curve(m, x, y, order=[0, 0]), "named twice"),
        (lambda m, x, y: karikomi.lesion_curve(m, x, y, order=np.array([0.5])), "whole numbers"),
        (lambda m, x, y: karikomi.lesion_curve(m, x, y, orders=0), "whole number from 1"),
        (lambda m, x, y: karikomi.shapley(m, x, y, permutations=0), "whole number from 1"),
        (lambda m, x, y: karikomi.shrink(m, [99]), "there is no hidden unit 99"),
        (lambda m, x, y: karikomi.graph(nn.LSTM(3, 4)), "lstm"),
    ],
)
def test_what_does_not_fit_costs_one_line(model, x, y, call, message):
    with pytest.raises(InputError, match=message) as problem:
        call(model, x, y)
    assert "\n" not in str(problem.value)


def test_weights_that_are_no_numbers_are_refused(model, x, y):
    with torch.no_grad():
        model[1].weight[0, 0] = float("nan")
    with pytest.raises(InputError, match="NaN"):
        karikomi.knock_out(model, x, y)


def test_the_lesions_of_a_convolutional_network_load_no_compiler():
    code = (
        "import sys, torch, karikomi; from torch import nn;"
        "model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3));"
        "x, y = torch.rand(8, 1, 6, 6), torch.arange(8) % 3;"
        "print(len(karikomi.knock_out(model, x, y)), 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "False"]
