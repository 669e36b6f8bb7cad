"""The arms that tell what a ticket owes to what, each by the property that defines it."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karikomi import seeds
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.removal.masks import random_links, shuffle_links
from karikomi.runs.checkpoint import INITIAL
from karikomi.runs.journal import Journal
from karikomi.studies import find_study
from karikomi.studies.lottery.arms import entries, networks_per_round
from karikomi.studies.lottery.conditions import MEANINGS, ONCE, TRANSFERRED
from karikomi.studies.lottery.controls import completed, constant, reshuffled, signed_as
from karikomi.studies.lottery.protocol import run_round
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.setup import prepare

ARMS = [arm for arm in MEANINGS if arm not in TRANSFERRED]
NETWORKS = ["mlp-24-12", "conv-2-small", "resnet-8", "gru"]
MLP = Architecture(build("mlp-8-6", (4, 4), 3))


@st.composite
def tickets(draw):
    """A dense network with biases and a ticket of it, of any density, some layers perhaps empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dense = initialize(MLP, "pytorch", rng)
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    return dense, dense.masked({name: rng.random(mask.shape) < density for name, mask in dense.masks.items()})


def others(network):
    """All but the weights with links."""
    return {name: value for name, value in network.weights.items() if name not in network.masks}


@given(tickets(), st.integers(0, 2**32))
def test_signed_reinit_has_the_ticket_s_signs_and_fresh_sizes(pair, seed):
    _, ticket = pair
    fresh = initialize(MLP, "pytorch", np.random.default_rng(seed))
    found = signed_as(ticket, fresh)
    for name, mask in ticket.masks.items():
        np.testing.assert_array_equal(found.masks[name], mask)
        np.testing.assert_array_equal(np.sign(found.weights[name]), np.sign(ticket.weights[name]))
        np.testing.assert_array_equal(abs(found.weights[name][mask]), abs(fresh.weights[name][mask]))
    np.testing.assert_equal(others(found), others(fresh))


@given(tickets())
def test_constant_has_the_ticket_s_signs_and_one_size_in_a_layer(pair):
    dense, ticket = pair
    found = constant(ticket, dense)
    for name, mask in ticket.masks.items():
        np.testing.assert_array_equal(np.sign(found.weights[name]), np.sign(ticket.weights[name]))
        np.testing.assert_allclose(abs(found.weights[name][mask]), dense.weights[name].std(), rtol=1e-6)
        assert found.weights[name].dtype == np.float32
    np.testing.assert_equal(others(found), others(ticket))


@given(tickets(), st.integers(0, 2**32))
def test_reshuffled_weights_are_the_same_ones_at_other_links(pair, seed):
    _, ticket = pair
    found = reshuffled(ticket, np.random.default_rng(seed))
    for name, mask in ticket.masks.items():
        assert not found.weights[name][~mask].any()
        np.testing.assert_array_equal(np.sort(found.weights[name][mask]), np.sort(ticket.weights[name][mask]))
        assert mask.sum() < 8 or (found.weights[name] != ticket.weights[name]).any()
    np.testing.assert_equal(others(found), others(ticket))


@given(tickets())
def test_a_completed_ticket_has_every_link_of_its_origin(pair):
    dense, ticket = pair
    trained = replace(ticket, weights={name: 2 * value for name, value in ticket.weights.items()})
    found = completed(trained, dense)
    for name, mask in ticket.masks.items():
        np.testing.assert_array_equal(found.weights[name], np.where(mask, 2, 1) * dense.weights[name])
        np.testing.assert_array_equal(found.masks[name], dense.masks[name])


@given(tickets(), st.integers(0, 2**32), st.floats(0, 1))
def test_random_links_are_as_many_as_asked_for_and_nested(pair, seed, share):
    dense, ticket = pair
    many = {name: int(mask.sum()) for name, mask in ticket.masks.items()}
    few = {name: int(share * count) for name, count in many.items()}
    more, less = (random_links(dense.masks, left, np.random.default_rng(seed)) for left in (many, few))
    for name, mask in more.items():
        assert (mask.sum(), less[name].sum()) == (many[name], few[name])
        assert not (less[name] & ~mask).any()


def test_at_one_density_random_and_shuffled_masks_have_one_distribution():
    """All 10 masks of 2 of 5 links are equally likely, either way."""
    among, mask = {"a": np.ones(5, bool)}, {"a": np.array([1, 1, 0, 0, 0], bool)}
    rng = np.random.default_rng(0)
    for draw in (lambda: random_links(among, {"a": 2}, rng), lambda: shuffle_links(mask, among, rng)):
        seen = Counter(tuple(np.flatnonzero(draw()["a"])) for _ in range(4000))
        assert {*seen} == {*combinations(range(5), 2)}
        assert stats.chisquare(list(seen.values())).pvalue > 1e-3


def play(settings):
    """Every round in memory: the setup, what was saved, and all rows."""
    setup, saved, rows = prepare(settings), {}, []

    def past(*which):
        return saved[which]

    for number in range(settings.rounds + 1):
        outcomes = run_round(setup, number, range(settings.replicates), past)
        rows += [outcome.row for outcome in outcomes]
        saved |= {(o.row["replicate"], number, o.row.get("variant", "")): o.ticket for o in outcomes if o.ticket}
    return setup, saved, rows


def of_a_round(setup, saved, number):
    found = entries(setup, number, 0, lambda *which: saved[which])
    return {entry.arm: entry for entry in found}


@pytest.fixture(scope="module", params=NETWORKS)
def played(request, small):
    brief = {"iterations": 4, "validate_every": 2, "rounds": 2, "replicates": 1, "engine": "auto"}
    return play(small(network=request.param, arms=ARMS, **brief))


def test_every_arm_is_what_it_says_on_every_network(played):
    setup, saved, rows = played
    assert [row["arm"] for row in rows if row["round"] == 0] == list(ONCE)
    assert len([row for row in rows if row["round"] == 2]) == networks_per_round(setup.settings, 2) == len(ARMS) - 2
    dense, final = saved[0, 0, ""].past[INITIAL], saved[0, 0, ""].past["final"]
    round_1, round_2 = (of_a_round(setup, saved, number) for number in (1, 2))
    nets = {arm: entry.network for arm, entry in round_2.items()}
    for name, mask in nets["ticket"].masks.items():
        for arm in ("reinit", "signed-reinit", "constant", "reshuffled-weights"):
            np.testing.assert_array_equal(nets[arm].masks[name], mask)
        fresh = initialize(setup.architecture, "glorot", seeds.stream(0, "reinit", 0, 2, 1)).weights[name]
        np.testing.assert_array_equal(abs(nets["signed-reinit"].weights[name][mask]), abs(fresh[mask]))
        for arm in ("signed-reinit", "constant"):
            np.testing.assert_array_equal(np.sign(nets[arm].weights[name]), np.sign(nets["ticket"].weights[name]))
        np.testing.assert_allclose(abs(nets["constant"].weights[name][mask]), dense[name].std(), rtol=1e-6)
        inverted = nets["inverted"].masks[name]
        assert inverted.sum() == mask.sum()
        assert abs(final[name][inverted]).max() <= abs(final[name][~inverted]).min()
        for arm in ("inverted", "random", "layerwise-random"):
            assert nets[arm].masks[name].sum() == mask.sum()
            assert not (nets[arm].masks[name] & ~round_1[arm].network.masks[name]).any(), f"{arm} is nested"
            np.testing.assert_array_equal(
                nets[arm].weights[name], np.where(nets[arm].masks[name], dense[name], 0), err_msg=arm
            )
        np.testing.assert_array_equal(nets["frozen"].weights[name], dense[name])
        np.testing.assert_array_equal((round_2["frozen"].frozen or {})[name], ~mask)


def test_frozen_weights_keep_their_initial_values_and_count_as_removed(played):
    setup, saved, rows = played
    entry = of_a_round(setup, saved, 2)["frozen"]
    trial = replace(setup.trial(entry.network, 0), frozen=entry.frozen)
    [trained] = setup.engine.train([trial], setup.data, setup.settings.recipe())
    ticket = of_a_round(setup, saved, 2)["ticket"].network
    for name, mask in ticket.masks.items():
        np.testing.assert_array_equal(trained.final.weights[name][~mask], saved[0, 0, ""].past[INITIAL][name][~mask])
        assert (trained.final.weights[name][mask] != entry.network.weights[name][mask]).any()
    links = {row["arm"]: row["links"] for row in rows if row["round"] == 2}
    assert links["frozen"] == links["ticket"] == ticket.links


def test_accuracy_before_training_is_that_of_the_network_that_is_trained(played):
    setup, saved, rows = played
    for number in (1, 2):
        found = of_a_round(setup, saved, number)
        seen = setup.engine.evaluate([entry.network for entry in found.values()], setup.data.test)
        before = {arm: one.accuracy for arm, one in zip(found, seen, strict=True)}
        assert {row["arm"]: row["initial_test_accuracy"] for row in rows if row["round"] == number} == before
    [mask] = [row for row in rows if row["arm"] == "supermask"]
    assert mask["initial_test_accuracy"] == mask["test_accuracy"], "its weights are never trained"
    assert mask["density"] == pytest.approx(0.5, abs=0.1)


def test_layerwise_random_has_the_ticket_s_links_of_each_layer_where_layers_compete(small):
    setup, saved, _ = play(small(arms=("layerwise-random", "random", "shuffled"), allocation="global", replicates=1))
    for number in (1, 2, 3):
        nets = {arm: entry.network for arm, entry in of_a_round(setup, saved, number).items()}
        by_layer = {arm: [int(mask.sum()) for mask in net.masks.values()] for arm, net in nets.items()}
        assert by_layer["layerwise-random"] == by_layer["shuffled"] == by_layer["ticket"] != by_layer["random"]
        assert sum(by_layer["random"]) == sum(by_layer["ticket"])


@pytest.mark.parametrize(
    "given",
    [{"rewind": 20}, {"rewind": "none"}, {"criterion": "synflow", "prunings": 3}, {"allocation": "lamp"}],
    ids=["late", "fine-tuned", "synflow", "lamp"],
)
def test_controls_begin_where_the_ticket_does(small, given):
    setup, saved, _ = play(small(arms=ARMS, replicates=1, rounds=2, **given))
    nets = {arm: entry.network for arm, entry in of_a_round(setup, saved, 2).items()}
    initial = saved[0, 0, ""].past[INITIAL]
    origin = saved[0, 0, ""].past["at-20" if given.get("rewind") == 20 else INITIAL]
    for name, mask in nets["ticket"].masks.items():
        start = nets["ticket"].weights[name]
        np.testing.assert_array_equal(np.sign(nets["constant"].weights[name]), np.sign(start))
        np.testing.assert_allclose(abs(nets["constant"].weights[name][mask]), initial[name].std(), rtol=1e-6)
        np.testing.assert_array_equal(np.sort(nets["reshuffled-weights"].weights[name][mask]), np.sort(start[mask]))
        np.testing.assert_array_equal(nets["frozen"].weights[name], np.where(mask, start, origin[name]))
        assert nets["inverted"].masks[name].sum() == mask.sum() or "criterion" in given or "allocation" in given
    assert nets["inverted"].links == nets["ticket"].links


@pytest.mark.parametrize("network", NETWORKS)
def test_stopped_after_each_round_all_arms_go_on_to_the_same_bits(network, small, assert_same_run, tmp_path):
    brief = {"iterations": 3, "validate_every": 1, "rounds": 1, "replicates": 2, "engine": "auto"}
    settings, append = small(network=network, arms=ARMS, **brief), Journal.append

    def play_in(folder):
        with mock.patch.object(Result, "draw"):
            return run(find_study("lottery"), settings, out=tmp_path / folder, quiet=True)

    def stop(journal, record):
        append(journal, record)
        raise KeyboardInterrupt

    whole = play_in("whole")
    with mock.patch.object(Journal, "append", stop):
        for _ in range(settings.rounds + 1):
            with pytest.raises(KeyboardInterrupt):
                play_in("stopped")
    assert_same_run(play_in("stopped").folder, whole.folder)


def test_accuracy_before_training_is_drawn_where_an_arm_asks_for_it(small, tmp_path):
    brief = {"rounds": 1, "iterations": 5, "network": "mlp-8"}
    with mock.patch.object(Result, "draw"):
        asked, not_asked = (
            run(find_study("lottery"), small(arms=arms, **brief), out=tmp_path / arms[0], quiet=True)
            for arms in (("constant", "supermask"), ("reinit",))
        )
    drawn = str(asked.figure("initial_accuracy").to_dict())
    assert all(label in drawn for label in ("signed constants", "supermask", "before training"))
    assert not_asked.figure("initial_accuracy") is None


def test_what_was_before_an_arm_was_added_stays(small):
    few, many = (play(small(arms=arms, replicates=1, rounds=1, engine="sparse"))[2] for arms in (("reinit",), ARMS))
    kept = [{k: v for k, v in row.items() if k != "seconds"} for row in many if row["arm"] in {r["arm"] for r in few}]
    assert kept == [{k: v for k, v in row.items() if k != "seconds"} for row in few]


def test_arms_bring_the_ticket_that_they_are_made_from(small):
    assert small(arms=("constant",)).arms == ("dense", "ticket", "constant")
    assert small(arms=("supermask", "inverted", "random")).arms == ("dense", "random", "inverted", "supermask")
