"""The protocol of ageing against its definition: who dies, what each arm does, on which budget."""

import numpy as np
import pytest

from karikomi import seeds
from karikomi.engines.contract import Recipe, Trial
from karikomi.removal.deaths import surviving_state
from karikomi.removal.homeostasis import restore_variance, scale_by_count
from karikomi.removal.units import remove_units
from karikomi.studies.ageing import schedule as drawn
from karikomi.studies.ageing.lives import Aged, Life, Past, lives, read_lives, write_lives
from karikomi.studies.ageing.protocol import run_cycle
from karikomi.studies.ageing.schedule import UNITS, draw_schedules
from karikomi.studies.ageing.stages import prepare
from karikomi.studies.healthy.scoring import scoring_examples

ALL = ("none", "retrain", "sham", "homeostasis", "regrowth", "scratch")


def dying(when, cycle) -> np.ndarray:
    return np.asarray(drawn.dying(when, cycle))


def dead(when, cycle) -> np.ndarray:
    return np.asarray(drawn.dead(when, cycle))


def quiet(n, description=None):
    pass


def live(settings):
    """A whole life in memory: the setup, the healthy networks, the schedules, and every cycle."""
    setup = prepare(settings)
    healthy = [setup.initial(r, seeds.stream(settings.seed, "init", r)) for r in range(settings.replicates)]
    cycles, schedules = draw_schedules(setup, healthy, lambda replicate, name: np.arange(18.0))
    now = {r: {life: Aged(network) for life in lives(settings)} for r, network in enumerate(healthy)}
    passed = []
    for number in range(1, cycles + 1):
        pasts = {r: Past(healthy[r], schedules[r], now[r], scratch=True) for r in now}
        passed.append(run_cycle(setup, quiet, number, pasts))
        now = passed[-1].lives
    return setup, healthy, schedules, passed


def trained(setup, network, steps, replicate, *key, state=None):
    recipe = Recipe(steps, 20, "adam", 0.01, 0.9, 0.0, steps)
    order = seeds.sequence(setup.settings.seed, "order", replicate, *key)
    (result,) = setup.engine.train([Trial(network, setup.splits[replicate], order, state)], setup.data, recipe)
    return result


def same(a, b):
    return all((a.weights[name] == b.weights[name]).all() for name in a.weights)


@pytest.fixture(scope="module")
def life(ageing):
    return live(ageing(arms=ALL))


def test_the_same_units_die_in_every_arm(life):
    _, healthy, schedules, passed = life
    for number, cycle in enumerate(passed, start=1):
        for replicate, now in cycle.lives.items():
            gone = dead(schedules[replicate]["random"], number)
            assert len(gone) == 2 * number
            survivors = remove_units(healthy[replicate], gone).masks
            for arm in ("none", "retrain", "homeostasis"):
                masks = now[Life(arm, "random")].network.masks
                assert all((masks[name] == survivors[name]).all() for name in masks)
            for arm, pattern in (("sham", ""), ("regrowth", "random")):
                assert all(mask.all() for mask in now[Life(arm, pattern)].network.masks.values())


def test_retraining_goes_on_from_the_survivors_slice_of_adams_state(life):
    setup, healthy, schedules, passed = life
    for replicate, network in enumerate(healthy):
        state = None
        for number, cycle in enumerate(passed, start=1):
            deaths = dying(schedules[replicate]["random"], number)
            state = state and surviving_state(state, network, deaths)
            result = trained(setup, remove_units(network, deaths), 10, replicate, number, state=state)
            network, state = result.final, result.state
            found = cycle.lives[replicate][Life("retrain", "random")]
            assert same(found.network, network)
            assert found.state is not None
            assert found.state.steps == state.steps == 10 * number


def test_the_sham_trains_on_the_same_minibatches_and_loses_nothing(life):
    setup, (network, _), _, passed = life
    state = None
    for number, cycle in enumerate(passed, start=1):
        result = trained(setup, network, 10, 0, number, state=state)
        network, state = result.final, result.state
        assert same(cycle.lives[0][Life("sham", "")].network, network)


def test_a_state_that_is_reset_begins_anew_in_every_cycle(ageing):
    setup, (network, _), schedules, passed = live(ageing(arms=("retrain",), optimizer_state="reset", cycles=2))
    for number, cycle in enumerate(passed, start=1):
        left = remove_units(network, dying(schedules[0]["random"], number))
        network = trained(setup, left, 10, 0, number).final
        assert same(cycle.lives[0][Life("retrain", "random")].network, network)


@pytest.mark.parametrize("by", ["count", "variance"])
def test_homeostasis_scales_what_survives(ageing, by):
    setup, (network, _), schedules, passed = live(ageing(arms=("homeostasis",), homeostasis=by, cycles=2))
    examples = scoring_examples(setup, 0)
    for number, cycle in enumerate(passed, start=1):
        left = remove_units(network, dying(schedules[0]["random"], number))
        if by == "count":
            network = scale_by_count(network, left)
        else:
            network = restore_variance(network, left, lambda n: setup.engine.activations(n, examples))
        assert same(cycle.lives[0][Life("homeostasis", "random")].network, network)


def test_without_training_the_table_is_a_curve_of_removals(life):
    setup, healthy, schedules, passed = life
    order = np.concatenate([dying(schedules[1]["random"], number) for number in (1, 2, 3)])
    curve = setup.engine.remove_in_order(healthy[1], order[None], setup.data.test)
    for number, cycle in enumerate(passed, start=1):
        rows = [row for row in cycle.rows if (row["replicate"], row["arm"]) == (1, "none")]
        assert [row["when"] for row in rows] == ["before", "after"]
        for row in rows:
            assert row["accuracy"] == curve.accuracy[0, 2 * number]
            assert row["loss"] == pytest.approx(curve.loss[0, 2 * number], rel=1e-5)


def test_budgets_are_equal_to_the_iteration(life):
    for number, cycle in enumerate(life[-1], start=1):
        for row in cycle.rows:
            cycles = 0 if row["arm"] in ("none", "homeostasis") else number - (row["when"] == "before")
            assert row["iterations"] == 40 + 10 * cycles
        assert sum(row["arm"] == "scratch" for row in cycle.rows) == 2, "and only after its training"


def test_sizes_in_the_table_are_counted(life):
    _, healthy, schedules, passed = life
    for number, cycle in enumerate(passed, start=1):
        for row in cycle.rows:
            when = schedules[row["replicate"]]["random"]
            gone = dead(when, number)
            if row["arm"] == "sham" or (row["arm"], row["when"]) == ("regrowth", "after"):
                gone = gone[:0]
            elif row["arm"] == "regrowth":
                gone = dying(when, number)
            links = remove_units(healthy[row["replicate"]], gone).links
            assert row["units_left"] == 18 - len(gone)
            assert row["links_left"] == links
            assert row["parameters_left"] == links + 18 - len(gone) + 10


def test_what_is_measured_of_a_layer(life):
    setup, healthy, _, passed = life
    row = next(row for row in passed[-1].rows if row["arm"] == "sham" and row["when"] == "after")
    network = passed[-1].lives[0][Life("sham", "")].network
    seen = setup.data.test.take(seeds.stream(0, "probe").permutation(300)[:2000])
    now, then = (setup.engine.activations(n, seen).activation[:10].astype(float) for n in (network, healthy[0]))
    x, y = (a - a.mean(axis=1, keepdims=True) for a in (now, then))
    alike = np.linalg.norm(y @ x.T) ** 2 / np.linalg.norm(x @ x.T) / np.linalg.norm(y @ y.T)
    size = np.abs(now).mean(axis=1)
    layer = row["layers"]["fc1"]
    assert layer["cka"] == pytest.approx(alike, rel=1e-5)
    assert (layer["living"], layer["dormant"]) == (10, (size <= 0.025 * size.mean()).sum())
    assert layer["norm"] == pytest.approx(np.linalg.norm(network.weights["fc1.weight"]), rel=1e-6)
    assert row["norm"] == pytest.approx(np.sqrt(sum(part["norm"] ** 2 for part in row["layers"].values())))


def test_lives_come_back_from_their_file(life, tmp_path):
    setup, healthy, _, passed = life
    before = passed[-1].lives[1]
    write_lives(tmp_path / "lives.safetensors", before, setup, 1, len(passed))
    after = read_lives(tmp_path / "lives.safetensors", healthy[1].architecture)
    assert before.keys() == after.keys()
    for name, aged in before.items():
        assert same(aged.network, after[name].network)
        assert (aged.state is None) == (after[name].state is None) == (name.arm in ("none", "homeostasis"))
        if aged.state is not None and (state := after[name].state) is not None:
            assert state.steps == aged.state.steps
            assert all((state.second[key] == moment).all() for key, moment in aged.state.second.items())


def test_criteria_take_the_highest_scores_of_every_layer_in_proportion(ageing):
    for direction, first in (("high", {9, 17}), ("low", {0, 10})):
        _, _, schedules, _ = live(ageing(patterns=("taylor",), direction=direction, arms=("none",), replicates=1))
        assert set(dying(schedules[0]["taylor"], 1)) == first


def test_regions_die_in_their_order_and_scattered_units_in_the_same_layers(ageing):
    settings = ageing(
        network="modular-3-9-14-9", long_range=0.3, patterns=("regional", "scattered"), regions=(2, 1), cycles=5
    )
    setup = prepare(settings)
    healthy = [setup.initial(r, seeds.stream(0, "init", r)) for r in range(2)]
    _, schedules = draw_schedules(setup, healthy, lambda replicate, name: np.zeros(32))
    assert setup.layout is not None
    groups, layer_of = setup.layout.unit_groups, np.repeat([0, 1, 2], [9, 14, 9])
    for schedule in schedules:
        assert set(schedule) == {"regional", "scattered-regional"}
        for number in range(1, 6):
            regional, scattered = (dying(when, number) for when in schedule.values())
            assert (np.bincount(layer_of[regional], minlength=3) == np.bincount(layer_of[scattered], minlength=3)).all()
            assert len(regional) == 2
        # Group 2 has 4 units, so the fifth to die is the first of group 1.
        assert (groups[dead(schedule["regional"], 2)] == 2).all()
        assert (groups[dying(schedule["regional"], 3)] == 1).all()
    assert (schedules[0]["regional"][UNITS] != schedules[1]["regional"][UNITS]).any()


def test_links_die_local_and_long_range_in_equal_number(ageing):
    names = ("local", "long-range", "scattered-links")
    settings = ageing(
        network="modular-3-12-24-12",
        long_range=0.4,
        patterns=("local", "long-range", "scattered"),
        deaths=6,
        arms=("none", "sham"),
    )
    setup, healthy, schedules, passed = live(settings)
    assert setup.layout is not None
    far = setup.layout.long_range()
    for replicate, network in enumerate(healthy):
        assert tuple(schedules[replicate]) == names
        for number, cycle in enumerate(passed, start=1):
            left = {name: cycle.lives[replicate][Life("none", name)].network for name in names}
            for name, mask in network.masks.items():
                gone = {pattern: mask & ~now.masks[name] for pattern, now in left.items()}
                assert len({int(those.sum()) for those in gone.values()}) == 1
                assert not (gone["local"] & far[name]).any()
                assert not (gone["long-range"] & ~far[name]).any()
            assert all(now.links == network.links - 6 * number for now in left.values())
            row = next(row for row in cycle.rows if row["replicate"] == replicate and row["pattern"] == "local")
            assert (row["links_left"], row["units_left"]) == (network.links - 6 * number, 48)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"units_left": 11}, 4),
        ({"units_left": 11, "cycles": 3}, 3),
        ({"parameters_left": 1200}, None),
        ({}, None),
        ({"deaths": 0.2, "units_left": 9}, 3),
    ],
)
def test_a_life_ends_with_the_first_limit_that_is_reached(ageing, limits, expected):
    settings = ageing(**{"cycles": None, **limits})
    setup = prepare(settings)
    healthy = [setup.initial(r, seeds.stream(0, "init", r)) for r in range(2)]
    cycles, schedules = draw_schedules(setup, healthy, lambda replicate, name: np.zeros(18))
    if expected is not None:
        assert cycles == expected
        return
    whole = 196 * 10 + 10 + 10 * 8 + 8 + 8 * 10 + 10
    limit = limits.get("parameters_left", round(200_000 / 269_322 * whole))

    def left(replicate, number):
        gone = dead(schedules[replicate]["random"], number)
        return remove_units(healthy[replicate], gone).links + 18 - len(gone) + 10

    assert all(left(replicate, cycles) <= limit for replicate in (0, 1))
    assert any(left(replicate, cycles - 1) > limit for replicate in (0, 1))
