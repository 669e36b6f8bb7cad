"""One conformance suite over the criteria for units, and each against its formula."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from torch import nn

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Activations, Outcomes
from karikomi.errors import InputError
from karikomi.graphs import NODE_MEASURES, REFUSED, LayeredGraph, node_measure
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.orders import adaptive_order
from karikomi.removal.scores import SAME_AS, UNIT_CRITERIA, Need, UnitEvidence, unit_criterion
from karikomi.removal.units import remove_units

# Of units with the same weights in another place they may draw another number.
DRAWN = {"random", "participation"}
# What is gone does no harm, so it need not be the lowest.
SIGNED = {"preactivation-mean", "knock-out", "shapley", "random"}


@pytest.mark.parametrize("name", UNIT_CRITERIA)
def test_every_criterion_scores_every_hidden_unit_and_changes_nothing(name, small, examples, evidence):
    given = [*small.weights.values(), *small.masks.values(), examples.x, examples.y]
    copies = [array.copy() for array in given]
    known = evidence(small, examples)
    scores = UNIT_CRITERIA[name].function(known)
    assert (scores.shape, scores.dtype) == ((7,), np.float64)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 0
    np.testing.assert_array_equal(scores, UNIT_CRITERIA[name].function(known), "asked twice")
    np.testing.assert_array_equal(scores, UNIT_CRITERIA[name].function(evidence(small, examples)), "measured twice")
    assert all((a == b).all() for a, b in zip(copies, given, strict=True))


@pytest.mark.parametrize("name", sorted(UNIT_CRITERIA.keys() - DRAWN))
def test_numbering_units_otherwise_only_renumbers_the_scores(name, small, examples, evidence):
    first, second = np.array([2, 0, 3, 1]), np.array([1, 2, 0])

    def moved(arrays):
        of_units = {"fc1.weight": (first,), "fc1.bias": (first,), "fc2.bias": (second,)}
        of_units |= {"fc2.weight": np.ix_(second, first), "output.weight": (slice(None), second)}
        return {key: array[of_units[key]] if key in of_units else array for key, array in arrays.items()}

    renumbered = replace(small, weights=moved(small.weights), masks=moved(small.masks))
    scores = UNIT_CRITERIA[name].function(evidence(small, examples))
    others = UNIT_CRITERIA[name].function(evidence(renumbered, examples))
    np.testing.assert_allclose(scores[np.concatenate([first, 4 + second])], others, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", sorted(UNIT_CRITERIA.keys() - SIGNED))
def test_units_that_are_gone_are_the_lowest(name, small, examples, evidence):
    dead = [1, 5]
    scores = UNIT_CRITERIA[name].function(evidence(remove_units(small, dead), examples))
    assert scores[dead].max() <= np.delete(scores, dead).min()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", UNIT_CRITERIA)
def test_every_criterion_can_be_followed_until_all_units_are_gone(name, small, examples, evidence):
    def score(network):
        return UNIT_CRITERIA[name].function(evidence(network, examples))

    assert sorted(adaptive_order(score, small, "low", np.random.default_rng(0), every=2)) == list(range(7))


@pytest.mark.parametrize("name", UNIT_CRITERIA)
def test_of_a_network_without_any_units_left_every_score_is_a_number(name, small, examples, evidence):
    nothing = remove_units(small, np.arange(7))
    assert np.isfinite(UNIT_CRITERIA[name].function(evidence(nothing, examples))).all()


@pytest.mark.parametrize("name", UNIT_CRITERIA)
def test_just_what_a_criterion_needs_is_measured_and_once(name, small, examples, evidence):
    known, measured = evidence(small, examples), []

    def watched(need):
        return lambda: measured.append(need) or getattr(known, need)()

    watching = replace(known, **{need: watched(need) for need in get_args(Need)})
    for _ in range(2):
        UNIT_CRITERIA[name].function(watching)
    assert tuple(measured) == UNIT_CRITERIA[name].needs


@pytest.mark.parametrize("name", UNIT_CRITERIA)
def test_every_criterion_says_what_it_means_in_one_line(name):
    assert UNIT_CRITERIA[name].meaning
    assert "\n" not in UNIT_CRITERIA[name].meaning


@pytest.mark.parametrize("name", [name for name, measure in NODE_MEASURES.items() if not measure.needs])
def test_the_graphs_measures_of_hidden_units(name, small, examples, evidence):
    expected = node_measure(LayeredGraph.from_subnetwork(small), name)
    scores = UNIT_CRITERIA[name].function(evidence(small, examples))
    np.testing.assert_array_equal(scores, np.nan_to_num(np.concatenate([expected["fc1"], expected["fc2"]])))


@pytest.mark.parametrize("as_bytes", [False, True])
def test_flow_is_strength_by_mean_activation(as_bytes, small, examples, evidence):
    if as_bytes:
        examples = Examples(np.random.default_rng(0).integers(0, 256, (50, 2, 3)).astype(np.uint8), examples.y)
        given = Examples(examples.x.astype(np.float32) / 255, examples.y)
    else:
        given = examples
    known = evidence(small, given)
    x, a = np.abs(given.x).reshape(50, 6).mean(axis=0), known.activations().activation.mean(axis=1)
    w1, w2, w3 = (np.abs(small.weights[f"{name}.weight"]) for name in ("fc1", "fc2", "output"))
    into, out = (UNIT_CRITERIA[name].function(replace(known, examples=examples)) for name in ("in-flow", "out-flow"))
    np.testing.assert_allclose(into, [*w1 @ x, *w2 @ a[:4]], rtol=1e-5)
    np.testing.assert_allclose(out, [*w2.sum(axis=0) * a[:4], *w3.sum(axis=0) * a[4:]], rtol=1e-5)


def test_flow_between_channels_is_by_kernel_and_mean_over_places(subnetwork):
    network = subnetwork(nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)))
    x = np.random.default_rng(0).standard_normal((5, 2, 3, 3)).astype(np.float32)
    known = replace(of_activations([[1.0], [2.0], [3.0]]), subnetwork=network, examples=Examples(x, np.zeros(5, int)))
    kernels, columns = np.abs(network.weights["0.weight"]), np.abs(network.weights["3.weight"])
    into = kernels.sum(axis=(2, 3)) @ np.abs(x).mean(axis=(0, 2, 3))
    out = columns.reshape(2, 3, 4).sum(axis=(0, 2)) * [1, 2, 3]
    np.testing.assert_allclose(UNIT_CRITERIA["in-flow"].function(known), into, rtol=1e-6)
    np.testing.assert_allclose(UNIT_CRITERIA["out-flow"].function(known), out, rtol=1e-6)


def of_activations(after, before=None, labels=None) -> UnitEvidence:
    after = np.asarray(after, np.float32)
    labels = np.zeros(after.shape[1], int) if labels is None else np.asarray(labels)
    examples = Examples(np.zeros((len(labels), 1), np.float32), labels)
    network = Subnetwork(Architecture(nn.Identity()), {}, {})
    before = after if before is None else np.asarray(before, np.float32)
    unknown = np.zeros(0)
    return UnitEvidence(
        network,
        examples,
        np.random.SeedSequence(0),
        activations=lambda: Activations(before, after),
        attributions=lambda: np.array([[1.0, -3.0], [0.0, 0.0]], np.float32),
        knock_out=lambda: Outcomes(np.array([1.0, 1.5, 0.75]), np.zeros((3, 2), int), np.ones(2, int)),
        shapley=lambda: unknown,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("activation-mean", [2, 0, 1]),
        ("activation-sd", [np.sqrt(2), 0, 0]),
        ("firing-rate", [0.75, 0, 1]),
        ("activation-entropy", [1.5, 0, 0]),
        ("preactivation-mean", [-2, 0, -1]),
        ("taylor", [2, 0]),
        ("knock-out", [0.5, -0.25]),
    ],
)
def test_formula(name, expected):
    after = [[0, 2, 4, 2], [0, 0, 0, 0], [1, 1, 1, 1]]
    given = of_activations(after, before=-np.asarray(after))
    np.testing.assert_allclose(UNIT_CRITERIA[name].function(given), expected)


def test_entropy_is_that_of_32_equal_bins_whatever_the_scale():
    rng = np.random.default_rng(0)
    flat = (np.arange(6400) + 0.5) / 6400
    halves = np.where(np.arange(6400) < 1600, 0.0, 5.0)
    lone = np.where(np.arange(6400) == 7, 1.0, 0.0)
    rows = np.stack([rng.permutation(row) for row in (flat, halves, lone)])
    entropy = UNIT_CRITERIA["activation-entropy"].function
    quarter, few = -0.25 * np.log2(0.25) - 0.75 * np.log2(0.75), 1 / 6400
    expected = [5, quarter, -few * np.log2(few) - (1 - few) * np.log2(1 - few)]
    np.testing.assert_allclose(entropy(of_activations(rows)), expected, rtol=1e-3)
    np.testing.assert_allclose(entropy(of_activations(1e-4 * rows - 3)), expected, rtol=1e-3)


def test_a_saturated_unit_has_an_entropy():
    almost = np.where(np.arange(40) < 20, np.float32(1), np.nextafter(np.float32(1), np.float32(0)))
    assert UNIT_CRITERIA["activation-entropy"].function(of_activations(almost[None])) == pytest.approx([1])


def test_class_selectivity_by_a_loop():
    rng = np.random.default_rng(3)
    after, labels = np.maximum(rng.standard_normal((6, 90)), 0), rng.integers(0, 4, 90) * 2
    expected = []
    for unit in after:
        means = sorted(unit[labels == label].mean() for label in (0, 2, 4, 6))
        rest = np.mean(means[:-1])
        expected.append((means[-1] - rest) / (means[-1] + rest))
    selectivity = UNIT_CRITERIA["class-selectivity"].function
    np.testing.assert_allclose(selectivity(of_activations(after, labels=labels)), expected, rtol=1e-5)
    extremes = [[1, 1, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]]
    assert selectivity(of_activations(extremes, labels=[0, 0, 1, 1])).tolist() == [1, 0, 0]


def test_class_selectivity_is_refused_where_it_says_nothing():
    with pytest.raises(InputError, match="needs activations from 0"):
        UNIT_CRITERIA["class-selectivity"].function(of_activations([[1, -1]], labels=[0, 1]))
    with pytest.raises(InputError, match="all examples are of class 1"):
        UNIT_CRITERIA["class-selectivity"].function(of_activations([[1, 1]], labels=[1, 1]))


def test_norms_of_perceptrons_are_numpys(small, examples, evidence):
    w1, w2, w3 = (small.weights[f"{name}.weight"] for name in ("fc1", "fc2", "output"))
    norms = [np.linalg.norm(w, axis=axis) for w, axis in ((w1, 1), (w2, 1), (w2, 0), (w3, 0))]
    known = evidence(small, examples)
    np.testing.assert_allclose(UNIT_CRITERIA["in-l2"].function(known), np.concatenate(norms[:2]), rtol=1e-6)
    np.testing.assert_allclose(UNIT_CRITERIA["out-l2"].function(known), np.concatenate(norms[2:]), rtol=1e-6)


def test_norms_of_channels_are_those_of_their_kernels(subnetwork):
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4, 3)
    )
    network = subnetwork(module, 0.8)
    known = replace(of_activations([[0.0]]), subnetwork=network)
    first, second, last = (network.weights[f"{name}.weight"] for name in (0, 2, 5))
    into = [np.sqrt((kernel**2).sum()) for kernel in (*first, *second)]
    # Channels 0 and 1 feed the first three channels of the second layer, 2 and 3 the others.
    out = [np.sqrt((second[3 * (unit // 2) : 3 * (unit // 2) + 3, unit % 2] ** 2).sum()) for unit in range(4)]
    out += [np.sqrt((last[:, 4 * unit : 4 * unit + 4] ** 2).sum()) for unit in range(6)]
    np.testing.assert_allclose(UNIT_CRITERIA["in-l2"].function(known), into, rtol=1e-6)
    np.testing.assert_allclose(UNIT_CRITERIA["out-l2"].function(known), out, rtol=1e-6)


def test_random_is_uniform_and_each_seeds_own(subnetwork, examples, evidence):
    network = subnetwork(mlp((2, 3), [8000], 3))
    draws = [UNIT_CRITERIA["random"].function(evidence(network, examples, seed)) for seed in (0, 1)]
    counts = np.histogram(draws[0], 10, (0, 1))[0]
    assert np.abs(counts - 800).max() < 5 * np.sqrt(800)
    assert (draws[0] != draws[1]).all()


@pytest.mark.parametrize("name", [name for name, measure in NODE_MEASURES.items() if measure.wiring])
def test_wiring_alone_is_refused_in_a_full_network_and_ties_once_units_are_gone(name, subnetwork, examples, evidence):
    full = subnetwork(mlp((2, 3), [4, 3], 3))
    with pytest.raises(InputError, match=f"{name} tells no units of fc1 apart"):
        UNIT_CRITERIA[name].function(evidence(full, examples))
    scores = UNIT_CRITERIA[name].function(evidence(remove_units(full, [6]), examples))
    assert np.ptp(scores[:4]) < 1e-12


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_stays_refused_with_its_reason(name):
    with pytest.raises(InputError) as refused:
        unit_criterion(name)
    assert REFUSED[name] in str(refused.value)


@pytest.mark.parametrize("name", SAME_AS)
def test_another_name_for_a_criterion_is_told_ours(name):
    with pytest.raises(InputError, match=f"did you mean '{SAME_AS[name]}'"):
        unit_criterion(name)
    assert SAME_AS[name] in UNIT_CRITERIA


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match="did you mean 'firing-rate'"):
        unit_criterion("firing_rate")
    assert unit_criterion("firing-rate") is UNIT_CRITERIA["firing-rate"]
