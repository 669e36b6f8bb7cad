"""The protocol itself: densities, nesting, rewinding, and what each arm is."""

import numpy as np
import pytest
from torch import nn

from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.seeds import stream
from karikomi.studies.lottery.arms import entries, networks_per_round
from karikomi.studies.lottery.protocol import run_round
from karikomi.studies.lottery.pruning import target
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.setup import prepare

ALL = ("dense", "ticket", "reinit", "shuffled", "random")


def play_all(settings):
    """Every round of a lottery in memory: a list of rounds, each a list of outcomes with their networks."""
    setup = prepare(settings)
    tickets, rounds = {}, []

    def past(*which):
        return tickets[which]

    for number in range(settings.rounds + 1):
        outcomes = run_round(setup, number, range(settings.replicates), past)
        found = ((o.row["replicate"], number, o.row.get("variant", "")) for o in outcomes if o.ticket)
        tickets |= zip(found, (o.ticket for o in outcomes if o.ticket), strict=True)
        rounds.append(outcomes)
    return setup, tickets, rounds


def bits(array):
    return array.view(np.uint32)


@pytest.mark.parametrize(
    ("preset", "formula"),
    [
        ("blog", lambda n: 266_200 * 0.8**n),
        ("paper", lambda n: 265_200 * 0.8**n + 1_000 * 0.9**n),
    ],
)
def test_densities_follow_the_papers_formula_at_every_round(preset, formula):
    settings = LotterySettings.of(preset=preset)
    architecture = Architecture(build("lenet-300-100", (28, 28), 10))
    network = initialize(architecture, "glorot", np.random.default_rng(0))
    for number in range(19):
        left = target(settings, settings.variants[0], network, number)
        assert isinstance(left, dict)
        # Three layers, each rounded to whole links once.
        assert abs(sum(left.values()) - formula(number)) <= 1.5
    assert target(settings, settings.variants[0], network, 0) == {
        "fc1.weight": 235_200,
        "fc2.weight": 30_000,
        "output.weight": 1_000,
    }


def test_convolutions_have_a_rate_of_their_own():
    layers = [nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8, 50), nn.Linear(50, 10)]
    network = Subnetwork.from_module(nn.Sequential(*layers))
    settings = LotterySettings.of(convolution_rate=0.1, output_rate="half", rate=0.4)
    expected = {"0.weight": round(72 * 0.9**3), "2.weight": round(400 * 0.6**3), "3.weight": round(500 * 0.8**3)}
    assert target(settings, settings.variants[0], network, 3) == expected
    with pytest.raises(InputError, match="convolution_rate needs scope layer"):
        settings.changed(scope="global", output_rate="equal")


def test_a_rewound_network_goes_on_in_the_schedule(small, monkeypatch):
    settings = small(rewind=20, rounds=1, replicates=1, learning_rate_schedule="cosine", arms=("dense", "ticket"))
    rates, train = [], prepare(settings).engine.train

    def watched(trials, data, recipe, advance):
        rates.append(recipe.rates)
        return train(trials, data, recipe, advance)

    monkeypatch.setattr(prepare(settings).engine, "train", watched)
    play_all(settings)
    dense, ticket = rates
    np.testing.assert_array_equal(ticket, dense[20:])


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_tickets_are_nested_exact_zero_where_removed_and_initial_elsewhere(small, scope):
    settings = small(scope=scope)
    setup, tickets, _ = play_all(settings)
    for replicate in range(settings.replicates):
        initial = initialize(
            setup.architecture, settings.initialization, stream(settings.seed, "init", replicate)
        ).weights
        before = {name: np.ones_like(mask) for name, mask in tickets[replicate, 0, ""].trained.masks.items()}
        for number in range(1, settings.rounds + 1):
            ticket, left = (
                tickets[replicate, number, ""],
                target(settings, settings.variants[0], tickets[replicate, 0, ""].trained, number),
            )
            masks = ticket.trained.masks
            counts = {name: int(mask.sum()) for name, mask in masks.items()}
            assert counts == left if scope == "layer" else sum(counts.values()) == left
            for name, mask in masks.items():
                assert not (mask & ~before[name]).any()
                assert (bits(ticket.past["initial"][name])[mask] == bits(initial[name])[mask]).all()
                for weights in (ticket.past["initial"], ticket.trained.weights, ticket.past["final"]):
                    assert (weights[name][~mask] == 0).all()
            before = masks


def test_the_lowest_magnitudes_go(small):
    _, tickets, _ = play_all(small(rounds=1, replicates=1))
    for name, mask in tickets[0, 1, ""].trained.masks.items():
        size = np.abs(tickets[0, 0, ""].past["final"][name])
        assert size[~mask].max() <= size[mask].min()


def test_what_each_arm_is(small):
    settings = small(arms=ALL, reinits=2, rounds=2)
    _, _, rounds = play_all(settings)
    assert (
        [len(outcomes) for outcomes in rounds] == [2 * networks_per_round(settings, n) for n in range(3)] == [2, 10, 10]
    )
    assert [(o.row["arm"], o.row["reinit"]) for o in rounds[1][:5]] == [
        ("ticket", 0),
        ("reinit", 1),
        ("reinit", 2),
        ("shuffled", 0),
        ("random", 0),
    ]
    densities = {o.row["density"] for o in rounds[2]}
    assert len(densities) == 1, "every arm of a round has the same density"


def networks_of_a_round(settings, number):
    setup, tickets, _ = play_all(settings)
    found = entries(setup, number, 0, lambda *which: tickets[which])
    return setup, tickets, {(e.arm, e.reinit): e.network for e in found}


def test_controls_keep_what_they_should_and_change_the_rest(small):
    settings = small(arms=ALL, reinits=2, rounds=2)
    setup, _, networks = networks_of_a_round(settings, 2)
    ticket = networks["ticket", 0]
    initial = initialize(setup.architecture, settings.initialization, stream(settings.seed, "init", 0)).weights
    for name, mask in ticket.masks.items():
        for k in (1, 2):
            reinit = networks["reinit", k]
            assert (reinit.masks[name] == mask).all()
            assert (reinit.weights[name][mask] != initial[name][mask]).all()
        for arm in ("shuffled", "random"):
            other = networks[arm, 0]
            assert other.masks[name].sum() == mask.sum()
            assert (other.masks[name] != mask).any()
            assert (other.weights[name][other.masks[name]] == initial[name][other.masks[name]]).all()
    assert (networks["reinit", 1].weights["fc1.weight"] != networks["reinit", 2].weights["fc1.weight"]).any()
    _, _, earlier = networks_of_a_round(settings, 1)
    for name, mask in networks["random", 0].masks.items():
        assert not (mask & ~earlier["random", 0].masks[name]).any(), "random removal is iterative too"


def test_noise_is_so_many_sigma_of_each_layer_on_the_links_of_the_ticket(small):
    levels = {"noise-0.5": 0.5, "noise-1": 1, "noise-2": 2, "noise-3": 3}
    settings = small(arms=tuple(levels), rounds=2, replicates=1)
    assert settings.arms == ("dense", "ticket", *levels)
    setup, _, networks = networks_of_a_round(settings, 2)
    initial = initialize(setup.architecture, settings.initialization, stream(settings.seed, "init", 0)).weights
    ticket = networks["ticket", 0]
    for arm, level in levels.items():
        noised = networks[arm, 0]
        for name, weights in noised.weights.items():
            if name not in ticket.masks:
                assert (weights == ticket.weights[name]).all(), "biases are left as they are"
                continue
            mask = ticket.masks[name]
            assert (noised.masks[name] == mask).all()
            assert (weights[~mask] == 0).all()
            noise = (weights - ticket.weights[name])[mask]
            once = (networks["noise-1", 0].weights[name] - ticket.weights[name])[mask]
            np.testing.assert_allclose(noise, level * once, atol=1e-6)
            assert abs(noise.mean()) < 5 * level * initial[name].std() / mask.sum() ** 0.5
            assert noise.std() == pytest.approx(level * initial[name].std(), rel=4 / mask.sum() ** 0.5)


def test_rewinding_to_a_later_iteration_returns_to_its_weights(small):
    _, tickets, _ = play_all(small(rewind=20, rounds=2))
    _, stopped, _ = play_all(small(iterations=20, rounds=1))
    point = stopped[0, 0, ""].past["final"]
    for number in (1, 2):
        for name, mask in tickets[0, number, ""].trained.masks.items():
            assert (bits(tickets[0, number, ""].past["initial"][name])[mask] == bits(point[name])[mask]).all()
    assert (tickets[0, 0, ""].past["initial"]["fc1.weight"] != point["fc1.weight"]).any()


def test_without_rewinding_survivors_keep_their_trained_weights(small):
    _, tickets, _ = play_all(small(rewind="none", rounds=2, replicates=1))
    for number in (1, 2):
        for name, mask in tickets[0, number, ""].trained.masks.items():
            trained = tickets[0, number - 1, ""].past["final"][name]
            assert (bits(tickets[0, number, ""].past["initial"][name])[mask] == bits(trained)[mask]).all()


def test_one_shot_removes_from_the_dense_network_at_once(small):
    settings = small(schedule="one-shot", rounds=3, replicates=1)
    _, tickets, _ = play_all(settings)
    left = target(settings, settings.variants[0], tickets[0, 0, ""].trained, 3)
    assert isinstance(left, dict)
    for name, mask in tickets[0, 3, ""].trained.masks.items():
        size = np.abs(tickets[0, 0, ""].past["final"][name])
        assert mask.sum() == left[name]
        assert size[~mask].max() <= size[mask].min()


def test_replicates_are_whole_repetitions_and_arms_share_their_replicates_streams(small):
    setup, tickets, rounds = play_all(small(rounds=1))
    a, b = setup.splits
    assert set(a.validation) != set(b.validation)
    assert (tickets[0, 0, ""].past["initial"]["fc1.weight"] != tickets[1, 0, ""].past["initial"]["fc1.weight"]).any()
    # A replicate is the same experiment whoever runs beside it, to float tolerance in a stacked population.
    alone = play_all(small(rounds=1, replicates=1))[2][0][0]
    assert alone.curve["train_loss"] == pytest.approx(rounds[0][0].curve["train_loss"], rel=1e-5)
    assert alone.row["validation_loss"] == pytest.approx(rounds[0][0].row["validation_loss"], rel=1e-5)
    assert alone.row["validation_loss"] != pytest.approx(rounds[0][1].row["validation_loss"], rel=1e-5)
