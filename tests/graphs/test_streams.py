"""Graphs of models whose layers are no chain: each link by trying, what is refused, and the way to the criteria."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graphs.branching import MODELS, Drawn, Links, links_by_trying
from tests.zoo import ORACLES, trained
from torch import Tensor, nn

import karikomi
from karikomi.data.dataset import Examples
from karikomi.engines.contract import Activations
from karikomi.errors import InputError
from karikomi.graphs import NODE_MEASURES, LayeredGraph
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.scores import UNIT_CRITERIA, UnitEvidence

ZOO = ["ResNet", "PreActivation", "DenseNet", "MobileNet", "UNet", "TwoInputs", "HeadFirst",
       "Normalized", "Sequences", "Volumes", "InPlace"]  # fmt: skip


def links_of(graph: LayeredGraph) -> Links:
    names = [(graph.layers[last], graph.layers[first]) for first, last in graph.pairs]
    return dict(zip(names, graph.strengths, strict=True))


def agree(ours: Links, theirs: Links) -> None:
    assert ours.keys() == theirs.keys()
    for pair, strengths in ours.items():
        np.testing.assert_allclose(strengths, theirs[pair], rtol=1e-6, err_msg=str(pair))


@pytest.mark.parametrize("name", ZOO)
def test_every_link_of_the_zoo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(ORACLES[name])
    graph = karikomi.graph(model, model.given(3))
    for activation in ("relu", "relu_", "relu6"):  # or a unit that is silent would seem to be unlinked
        monkeypatch.setattr(F, activation, lambda x, inplace=False: x)
    agree(links_of(graph), links_by_trying(model, model.given(2)))


@pytest.mark.parametrize("name", MODELS)
def test_every_link_of_models_that_branch(name: str) -> None:
    torch.manual_seed(0)
    (make, shapes), generator = MODELS[name], torch.Generator().manual_seed(1)
    model, inputs = make(), [torch.randn(6, *shape, generator=generator) for shape in shapes]
    graph = karikomi.graph(model, tuple(inputs))
    agree(links_of(graph), links_by_trying(model, inputs))
    assert nx.is_directed_acyclic_graph(graph.to_networkx())


@settings(max_examples=25)
@given(st.lists(st.tuples(st.lists(st.integers(0, 20), min_size=1, max_size=3), st.booleans()), min_size=1, max_size=4))
def test_every_link_of_a_model_as_it_is_drawn(steps: list[tuple[list[int], bool]]) -> None:
    torch.manual_seed(0)
    model, x = Drawn(steps), torch.randn(4, 3)
    agree(links_of(karikomi.graph(model, x)), links_by_trying(model, [x]))


def test_a_chain_has_the_same_graph_either_way() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(6 * 9, 5), nn.Tanh(), nn.Linear(5, 3),
    )  # fmt: skip
    short, long = (
        karikomi.graph(one, torch.randn(3, 2, 8, 8)) for one in (model, nn.Sequential(AddsNothing(), *model))
    )
    assert (short.sizes, short.pairs) == (long.sizes, long.pairs)
    assert all((a == b).all() for a, b in zip(short.weights, long.weights, strict=True))


class AddsNothing(nn.Module):
    """Enough to be no chain for who looks for one: the signal branches and joins again."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros_like(x)


def test_inputs_are_guessed_where_they_can_be() -> None:
    assert karikomi.graph(trained(ORACLES["ResNet"])).sizes[0] == 3
    with pytest.raises(InputError, match="which inputs the model takes is not known"):
        karikomi.graph(trained(ORACLES["TwoInputs"]))


def test_inputs_by_name_and_one_that_is_not_read() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, *, x: Tensor, mask: Tensor, z: Tensor) -> Tensor:
            return self.b(self.a(x) + z) * mask

    given = {"x": torch.randn(3, 4), "mask": torch.ones(3, 1), "z": torch.randn(3, 3)}
    graph = karikomi.graph(Named(), given)
    assert (graph.layers, graph.pairs) == (("inputs.0", "inputs.2", "a", "b"), ((0, 2), (1, 3), (2, 3)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT", r"attention \(matmul\) has no fixed weights: attention"),
        ("Encoder", r"layer.self_attn \(multi_head_attention\) has no fixed weights: attention"),
        ("SeparateProjections", "has no fixed weights: attention"),
        ("Cells", r"cell \(gru_cell\) is recurrent"),
        ("Repeated", "inner is used more than once, and reads inner behind itself"),
        ("Gated", "mul mixes the signals of value, gate without fixed weights"),
        ("SqueezeExcite", "mul mixes the signals of conv, excite without fixed weights"),
    ],
)
def test_what_has_no_graph_is_named(name: str, message: str) -> None:
    model = trained(ORACLES[name])
    with pytest.raises(InputError, match=f"^graph: .*{message}") as refused:
        karikomi.graph(model, model.given(3))
    assert "\n" not in str(refused.value)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.words(tokens).mean(1))


class TwoAtOnce(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both, self.head = nn.Bilinear(4, 4, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.both(x, x.flip(1)))


class Competing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.a(x).softmax(1))


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (Words(), torch.zeros(3, 5, dtype=torch.int64), "words .* reads no signal"),
        (TwoAtOnce(), torch.randn(3, 4), "both .* no single weight that reads a single signal"),
        (Competing(), torch.randn(3, 4), "softmax mixes the signals of a without"),
        (AddsNothing(), torch.randn(3, 4), "no layers that lead to its outputs"),
    ],
)
def test_other_models_without_a_graph(model: nn.Module, x: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=f"^graph: .*{message}"):
        karikomi.graph(model, x)


def residual() -> Subnetwork:
    """A few links are left of it; between channels there is one where any of nine weights is."""
    module = trained(ORACLES["ResNet"])
    whole = Subnetwork.from_module(module, Architecture(module, module.given(3)))
    rng = np.random.default_rng(0)
    return whole.masked({name: rng.random(mask.shape) < 0.05 for name, mask in whole.masks.items()})


def test_the_graph_of_a_subnetwork_is_that_of_a_module_with_its_weights() -> None:
    small = residual()
    small.module.load_state_dict({name: torch.tensor(value) for name, value in small.weights.items()})
    ours, theirs = LayeredGraph.from_subnetwork(small), LayeredGraph.from_module(small.module)
    assert (ours.layers, ours.pairs, ours.links) == (theirs.layers, theirs.pairs, theirs.links)
    assert all((a == b).all() for a, b in zip(ours.weights, theirs.weights, strict=True))
    assert 0.1 < ours.links / sum(mask.size for mask in ours.masks) < 1


def test_weights_that_are_computed_belong_to_a_module_only() -> None:
    model = trained(ORACLES["TiedAutoencoder"])
    graph = LayeredGraph.from_module(model)
    np.testing.assert_array_equal(graph.weights[1], graph.weights[0].T)
    with pytest.raises(InputError, match=r"is computed from encoder\.weight"):
        LayeredGraph.from_subnetwork(Subnetwork.from_module(model))


@pytest.mark.parametrize("name", NODE_MEASURES)
def test_criteria_score_the_units_of_a_residual_network(name: str) -> None:
    small = residual()
    units, x = small.architecture.units, np.random.default_rng(1).random((5, 3, 16, 16), np.float32)
    activity = np.linspace(0, 1, units * 5, dtype=np.float32).reshape(units, 5)
    known = UnitEvidence(
        small,
        Examples(x, np.zeros(5, int)),
        np.random.SeedSequence(0),
        activations=lambda: Activations(activity, activity),
        attributions=lambda: activity,
        knock_out=pytest.fail,
        shapley=pytest.fail,
    )
    scores = UNIT_CRITERIA[name].function(known)
    assert (scores.shape, scores.dtype) == ((units,), np.float64)
    if not NODE_MEASURES[name].needs:
        values = NODE_MEASURES[name].function(LayeredGraph.from_subnetwork(small))
        expected = np.concatenate([values[layer] for layer in small.architecture.hidden_units])
        np.testing.assert_array_equal(scores, np.nan_to_num(expected) if "clustering" in name else expected)


class Looks(nn.Module):
    """Its forward reads a signal into Python."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        return self.head(a + self.b(x) if a.sum().item() > -1e9 else a)


def test_a_layer_whose_signal_is_read_into_python_is_named() -> None:
    with pytest.raises(InputError, match=r"^graph: a is left out: the forward reads its signal into Python \(item\)"):
        karikomi.graph(Looks(), torch.randn(3, 4))


def test_graphml_of_a_residual_network_comes_back(tmp_path: Path) -> None:
    graph = LayeredGraph.from_subnetwork(residual())
    graph.write_graphml(tmp_path / "graph.graphml")
    back = nx.read_graphml(tmp_path / "graph.graphml", node_type=int)
    assert sorted(back.edges(data="weight")) == sorted(graph.to_networkx().edges(data="weight"))
    assert back.number_of_edges() == graph.links > 100
