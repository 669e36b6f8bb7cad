"""Orders and curves, against networks whose units plain PyTorch holds at 0."""

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from karikomi import data
from karikomi.removal.units import remove_units
from karikomi.studies.lesion.arms import MATCHED, RANDOM, TARGETED, Arm, all_arms, controls_of, targeted_arms
from karikomi.studies.lesion.protocol import lesion, score
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.stages import prepare
from karikomi.studies.stage import Task

SIZES = (6, 3)
LAYER_OF = np.repeat([0, 1], SIZES)
LAYERS_TAKEN = [0, 1, 0, 0, 1, 0, 0, 1, 0]
"""By removals in proportion: of equal shares the first layer loses a unit."""


def silent(n, description=None):
    pass


@pytest.fixture(scope="module")
def removed(tiny):
    """The orders of one arm in replicate 1 of a network that was trained a little, with these settings changed."""
    digits, networks = data.load(tiny), []

    def make(arm, **changes):
        given = {"data": tiny, "network": "mlp-6-3", "replicates": 2, "validation": 200, "scoring": 150, "orders": 4}
        given |= {"iterations": 60, "learning_rate": 0.01}
        given |= {"criteria": ("in-strength", "out-strength", "activation-mean"), "engine": "population"}
        setup = prepare(LesionSettings.of(**{**given, **changes}), digits)
        if not networks:
            initial = setup.initial(1, np.random.default_rng(0))
            networks.append(setup.engine.train([setup.trial(initial, 1)], digits, setup.settings.recipe())[0].best)
        [subnetwork] = networks
        scores = score(setup, silent, Task(1), subnetwork)
        return setup, subnetwork, lesion(setup, silent, Task(1, arm), (subnetwork, scores))

    return make


def in_strength(subnetwork):
    return np.concatenate([np.abs(subnetwork.weights[f"{name}.weight"]).sum(axis=1) for name in ("fc1", "fc2")])


def out_strength(subnetwork):
    return np.concatenate([np.abs(subnetwork.weights[f"{name}.weight"]).sum(axis=0) for name in ("fc2", "output")])


def outcome(setup, subnetwork, gone):
    """Loss and right answers without some units: their outputs times 0."""
    x, y = torch.from_numpy(setup.data.test.x).float() / 255, torch.from_numpy(setup.data.test.y)
    keep = np.ones(len(LAYER_OF), np.float32)
    keep[list(gone)] = 0
    hooks = [
        setup.architecture.module.get_submodule(name).register_forward_hook(lambda _m, _i, out, kept=kept: out * kept)
        for name, kept in zip(("fc1", "fc2"), map(torch.from_numpy, np.split(keep, [SIZES[0]])), strict=True)
    ]
    weights = {name: torch.from_numpy(array) for name, array in subnetwork.weights.items()}
    outputs = functional_call(setup.architecture.module, weights, x)
    for hook in hooks:
        hook.remove()
    return cross_entropy(outputs, y).item(), (outputs.argmax(1) == y).float().mean().item()


def test_curves_are_those_of_the_network_without_the_units(removed):
    for arm in (Arm("in-strength", "high", "static"), Arm()):
        setup, subnetwork, found = removed(arm)
        for control in controls_of(arm, setup.settings):
            orders = found.curves[f"{control}/orders"]
            each = [[outcome(setup, subnetwork, order[:step]) for step in range(10)] for order in orders]
            loss, accuracy = np.moveaxis(np.array(each), -1, 0)
            np.testing.assert_allclose(found.curves[f"{control}/loss"], loss.mean(axis=0), rtol=1e-5)
            np.testing.assert_allclose(found.curves[f"{control}/accuracy"], accuracy.mean(axis=0), rtol=1e-5)
            rows = [row for row in found.rows if row["control"] == control]
            assert [row["order"] for row in rows] == list(range(len(orders)))
            for row, a, b in zip(rows, accuracy, loss, strict=True):
                above = (a - 0.1) / (a[0] - 0.1)
                drops = a[:-1] - a[1:]
                assert row["robustness"] == pytest.approx(above[1:].mean(), rel=1e-4)
                assert row["loss_rise"] == pytest.approx((b[1:] - b[0]).mean(), rel=1e-4)
                assert row["drop"] == pytest.approx(drops.max(), abs=1e-6)
                assert drops[round(9 * row["drop_at"]) - 1] == pytest.approx(drops.max(), abs=1e-6)
                assert row["accuracy_at_half"] == pytest.approx(a[4])


def test_class_accuracies_and_what_is_left(removed):
    arm = Arm("activation-mean", "low", "static")
    setup, subnetwork, found = removed(arm)
    share = np.bincount(setup.data.test.y) / len(setup.data.test)
    np.testing.assert_allclose(
        found.curves["targeted/class_accuracy"] @ share, found.curves["targeted/accuracy"], rtol=1e-12
    )
    order = found.curves["targeted/orders"][0]
    links = [remove_units(subnetwork, order[:step]).links for step in range(10)]
    assert found.curves["targeted/links_left"].tolist() == links
    biases = [19 - step for step in range(10)]
    assert (found.curves["targeted/parameters_left"] - links).tolist() == biases


@pytest.mark.parametrize("direction", ["low", "high"])
def test_scores_compete_in_layers_or_in_all(removed, direction):
    arm, sign = Arm("in-strength", direction, "static"), 1 if direction == "low" else -1
    _, subnetwork, by_layer = removed(arm)
    order = by_layer.curves["targeted/orders"][0]
    score = sign * in_strength(subnetwork)
    for layer in (0, 1):
        mine = order[LAYER_OF[order] == layer]
        assert (np.diff(score[mine]) > 0).all()
    assert LAYER_OF[order].tolist() == LAYERS_TAKEN
    _, _, everywhere = removed(arm, scope="global")
    assert (np.diff(score[everywhere.curves["targeted/orders"][0]]) > 0).all()


def test_an_adaptive_order_scores_those_that_are_left_again(removed):
    _, subnetwork, found = removed(Arm("out-strength", "high", "adaptive"), timing=("adaptive",), every=1)
    expected, lesioned = [], subnetwork
    for layer in LAYERS_TAKEN:
        left = [unit for unit in np.flatnonzero(layer == LAYER_OF).tolist() if unit not in expected]
        expected.append(max(left, key=lambda unit: out_strength(lesioned)[unit]))
        lesioned = remove_units(subnetwork, expected)
    assert found.curves["targeted/orders"][0].tolist() == expected
    assert expected != removed(Arm("out-strength", "high", "static"))[2].curves["targeted/orders"][0].tolist()


def test_random_orders_differ_and_matched_ones_take_the_same_layers(removed):
    _, _, shared = removed(Arm())
    orders = shared.curves["random/orders"]
    assert len({tuple(order) for order in orders}) == 4
    assert len({tuple(LAYER_OF[order]) for order in orders}) > 1
    assert (LAYER_OF[shared.curves["layer-matched/orders"]] == LAYERS_TAKEN).all()

    _, _, own = removed(Arm("in-strength", "high", "static"), scope="global")
    targeted, matched = own.curves["targeted/orders"][0], own.curves["layer-matched/orders"]
    assert (LAYER_OF[matched] == LAYER_OF[targeted]).all()
    assert len({tuple(order) for order in matched}) == 4


def test_every_arm_is_compared_with_both_controls():
    for scope in ("layer", "global"):
        settings = LesionSettings.of(replicates=2, scope=scope, timing=("static", "adaptive"))
        arms = targeted_arms(settings)
        assert len(arms) == len(set(arms)) == 7 * 2 * 2
        assert all_arms(settings) == [Arm(), *arms]
        for arm in arms:
            there = {**controls_of(Arm(), settings), **controls_of(arm, settings)}
            assert there == {RANDOM: 30, MATCHED: 30, TARGETED: 1}
