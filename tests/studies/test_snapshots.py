"""What a run keeps for the viewer: as it was, to the precision that it is kept in; costs by brute force."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi import data
from karikomi.engines import population
from karikomi.graphs.layered import LayeredGraph
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.units import remove_units
from karikomi.studies.snapshots import Snapshot, read_snapshots, snapshot, write_snapshots


def setup_of(shape: tuple[int, ...]) -> Any:
    return SimpleNamespace(data=SimpleNamespace(sample_shape=shape))


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.booleans())
def test_what_is_written_is_read(tmp_path_factory, seed, density, costs):
    rng, path = np.random.default_rng(seed), tmp_path_factory.mktemp("seen") / "snapshots.safetensors"
    seen = {}
    for at in (0, 3, 12):
        masks = rng.random((5, 6)) < density, rng.random((3, 5)) < density
        graph = LayeredGraph(("inputs", "fc1", "output"), (rng.normal(size=(5, 6)), rng.normal(size=(3, 5))), masks)
        cost = (rng.normal(size=5), rng.normal(size=(5, 3))) if costs else ()
        seen[at] = Snapshot(graph, rng.random(3), *cost)
    write_snapshots(path, setup_of((2, 3)), seen)
    found, pixels = read_snapshots(path)
    assert list(found) == [0, 3, 12]
    assert pixels == (2, 3)
    for at, was in seen.items():
        ours, theirs = found[at].graph, was.graph
        assert ours is not None
        assert theirs is not None
        assert (ours.layers, ours.pairs) == (theirs.layers, theirs.pairs)
        for block in range(2):
            assert (ours.masks[block] == theirs.masks[block]).all()
            assert ours.weights[block] == pytest.approx(theirs.weights[block], rel=1e-3, abs=1e-7)
        assert found[at].class_accuracy == pytest.approx(was.class_accuracy)
        assert (found[at].loss_rise is None) == (not costs)
        if was.loss_rise is not None:
            assert found[at].loss_rise == pytest.approx(was.loss_rise, rel=1e-6)


def test_samples_that_are_no_image_have_no_pixels(tmp_path):
    graph = LayeredGraph(("inputs", "output"), (np.ones((3, 6)),), (np.ones((3, 6), bool),))
    write_snapshots(tmp_path / "a", setup_of((6,)), {0: Snapshot(graph, np.ones(3))})
    assert read_snapshots(tmp_path / "a")[1] is None


def test_costs_are_those_of_removing_each_unit(tiny):
    given = data.load(tiny)
    module = build("mlp-5-4", given.sample_shape, given.classes)
    network = Subnetwork.from_module(module, Architecture(module, sample_shape=given.sample_shape))
    setup: Any = SimpleNamespace(data=given, architecture=network.architecture, engine=population)
    seen = snapshot(setup, network)
    lesioned = [remove_units(network, [unit]) for unit in range(9)]
    whole, *others = population.evaluate([network, *lesioned], given.test)
    assert seen.class_accuracy == pytest.approx(whole.class_accuracy)
    assert seen.loss_rise == pytest.approx([other.loss - whole.loss for other in others], abs=1e-5)
    drops = [whole.class_accuracy - other.class_accuracy for other in others]
    assert seen.class_drop == pytest.approx(np.array(drops), abs=1e-6)


def test_a_network_without_fixed_links_has_its_accuracy_alone(tiny, tmp_path):
    given = data.load(tiny)
    module = build("vit", given.sample_shape, given.classes)
    network = Subnetwork.from_module(module, Architecture(module, sample_shape=given.sample_shape))
    setup: Any = SimpleNamespace(data=given, architecture=network.architecture, engine=population)
    write_snapshots(tmp_path / "a", setup, {0: snapshot(setup, network)})
    [found] = read_snapshots(tmp_path / "a")[0].values()
    assert (found.graph, found.loss_rise, found.class_drop) == (None, None, None)
    assert found.class_accuracy == pytest.approx(population.evaluate([network], given.test)[0].class_accuracy)
