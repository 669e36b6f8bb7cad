"""From modules and subnetworks to graphs."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from karikomi.errors import InputError
from karikomi.graphs import LayeredGraph
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp
from karikomi.networks.subnetwork import Subnetwork


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def weight_of(module: nn.Module, name: str) -> np.ndarray:
    return array(module.get_parameter(f"{name}.weight"))


def test_a_perceptron() -> None:
    torch.manual_seed(0)  # of as many weights one now and then is drawn as exactly 0
    module = mlp((28, 28), (256, 256), 10)
    graph = LayeredGraph.from_module(module)
    assert graph.layers == ("inputs", "fc1", "fc2", "output")
    assert (graph.nodes, graph.links) == (1306, 268_800)
    for name, weight in zip(graph.layers[1:], graph.weights, strict=True):
        np.testing.assert_array_equal(weight, weight_of(module, name))


def test_a_subnetwork_has_the_links_of_its_masks_even_where_a_weight_is_zero() -> None:
    module = mlp((3,), (4,), 2)
    weights = {name: np.ones(value.shape, np.float32) for name, value in module.state_dict().items()}
    weights["fc1.weight"][1, 2] = 0
    whole = Subnetwork.full(Architecture(module), weights)
    masks = {name: mask.copy() for name, mask in whole.masks.items()}
    masks["fc1.weight"][0, 0] = False
    graph = LayeredGraph.from_subnetwork(whole.masked(masks))
    assert graph.links == 4 * 3 + 2 * 4 - 1
    assert graph.masks[0][1, 2]
    assert not graph.masks[0][0, 0]
    assert graph.weights[0][1, 2] == 0


def test_in_a_plain_module_a_zero_is_a_removed_link() -> None:
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    prune.random_unstructured(module[0], "weight", amount=10)
    graph = LayeredGraph.from_module(module)
    assert graph.links == 30 - 10 + 10


def test_what_leaves_units_to_themselves_is_passed_over() -> None:
    layers = [nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)]
    between = [layers[0], nn.BatchNorm1d(3), nn.Dropout(), nn.Sequential(nn.GELU(), nn.Identity()), layers[2]]
    short, long = (
        LayeredGraph.from_module(nn.Sequential(*parts)) for parts in (layers, [nn.Flatten(), *between, nn.Softmax(1)])
    )
    assert all((a == b).all() for a, b in zip(short.weights, long.weights, strict=True))


class Written(nn.Module):
    """A model as people write it, its parts in another order than the signal's."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 2)
        self.conv = nn.Conv2d(1, 3, 3)
        self.hidden = nn.Linear(3 * 4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv(x)), 2)
        x = x.view(x.size(0), -1)
        x = functional.dropout(torch.relu(self.hidden(x)), 0.5, self.training)
        return functional.log_softmax(self.out(x), dim=1)


def test_a_module_with_its_own_forward_is_followed() -> None:
    module = Written()
    module(torch.zeros(1, 1, 6, 6))
    graph = LayeredGraph.from_module(module)
    assert (graph.layers, graph.sizes) == (("inputs", "conv", "hidden", "out"), (1, 3, 6, 2))


def test_one_linear_layer_alone() -> None:
    assert LayeredGraph.from_module(nn.Linear(3, 2)).sizes == (3, 2)


def test_convolutions_are_summed_up_by_channel() -> None:
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=1, groups=2),
        nn.BatchNorm2d(6),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 4, 5),
    )
    module(torch.zeros(2, 2, 4, 4))
    first, second, third = (weight_of(module, place) for place in "026")
    graph = LayeredGraph.from_module(module)
    assert graph.sizes == (2, 4, 6, 5)
    for out in range(4):
        for channel in range(2):
            assert graph.weights[0][out, channel] == pytest.approx(np.abs(first[out, channel]).sum())
    for out in range(6):
        for channel in range(4):
            same_group = out // 3 == channel // 2
            expected = np.abs(second[out, channel % 2]).sum() if same_group else 0
            assert graph.weights[1][out, channel] == pytest.approx(expected)
            assert graph.masks[1][out, channel] == same_group
    for channel in range(6):
        columns = third[:, 4 * channel : 4 * channel + 4]
        np.testing.assert_allclose(graph.weights[2][:, channel], np.abs(columns).sum(axis=1))


def test_a_channel_is_linked_as_long_as_one_weight_is_left() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 4, 1))
    weights = {name: array(value) for name, value in module.state_dict().items()}
    masks = {"0.weight": np.zeros((2, 1, 3), bool), "2.weight": np.zeros((1, 8), bool)}
    masks["0.weight"][0, 0, 1] = masks["2.weight"][0, 7] = True
    graph = LayeredGraph.from_subnetwork(Subnetwork.full(Architecture(module), weights).masked(masks))
    assert [mask.tolist() for mask in graph.masks] == [[[True], [False]], [[False, True]]]
    assert graph.weights[1][0, 1] == abs(weights["2.weight"][0, 7])


def broken() -> nn.Module:
    layer = nn.Linear(3, 3)
    nn.init.constant_(layer.weight, float("nan"))
    return nn.Sequential(layer)


@pytest.mark.parametrize(
    ("module", "message"),
    [(nn.Sequential(nn.ReLU()), "no layer"), (broken(), "0 contain NaN")],
)
def test_what_cannot_be_drawn_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LayeredGraph.from_module(module)


def test_the_module_stays_as_it_was() -> None:
    module = mlp((4,), (3,), 2).train()
    before = copy.deepcopy(module.state_dict())
    LayeredGraph.from_module(module)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
