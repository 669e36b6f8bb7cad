"""Graphs of models whose layers are no chain: each link by trying, what is refused, and the way to the criteria."""

import networkx as nx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graphs.branching import MODELS, Links, links_by_trying
from tests.zoo import ORACLES, trained
from torch import Tensor, nn

import karikomi
from karikomi.errors import InputError
from karikomi.graphs import NODE_MEASURES, LayeredGraph
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork

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
def test_every_link_of_the_zoo(name: str) -> None:
    model = trained(ORACLES[name])
    agree(links_of(karikomi.graph(model, model.given(3))), links_by_trying(model, model.given(8)))


@pytest.mark.parametrize("name", MODELS)
def test_every_link_of_models_that_branch(name: str) -> None:
    torch.manual_seed(0)
    (make, shapes), generator = MODELS[name], torch.Generator().manual_seed(1)
    model, inputs = make(), [torch.randn(6, *shape, generator=generator) for shape in shapes]
    graph = karikomi.graph(model, tuple(inputs))
    agree(links_of(graph), links_by_trying(model, inputs))
    assert nx.is_directed_acyclic_graph(graph.to_networkx())
