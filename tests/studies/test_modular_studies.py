"""Every study runs on a modular network, from the links that its wiring has."""

from unittest import mock

import numpy as np
import pytest

import karikomi
from karikomi import seeds
from karikomi.errors import InputError
from karikomi.networks.modular import Layout
from karikomi.removal.deaths import die
from karikomi.runs.checkpoint import load_network
from karikomi.studies import find_study
from karikomi.studies.healthy.networks import load_healthy, training
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.setup import prepare
from karikomi.studies.stage import Task
from karikomi.studies.work import run_stages

FILLED_IN = {"data_sha256", "code_sha256"}
NETWORK = {"network": "modular-3-9-14-9", "long_range": 0.3, "entry": 2, "exit": 0}


@pytest.fixture
def given(tiny):
    return {"data": tiny, **NETWORK, "replicates": 2, "iterations": 40, "validation": 200, "validate_every": 20}


def run_study(name, out, **given):
    with mock.patch.object(Result, "draw"):
        return getattr(karikomi, name)(out=out, quiet=True, **given)


def wirings(given):
    masks = prepare(LotterySettings.of(**given)).wirings
    return [wiring for wiring in masks if wiring is not None]


def layout_of(setup) -> Layout:
    assert setup.layout is not None
    return setup.layout


def test_a_lottery_begins_with_the_wiring_and_removes_from_it_alone(given, tmp_path):
    arms = ["ticket", "reinit", "shuffled", "random"]
    result = run_study("lottery", tmp_path, **given, rounds=2, rate=0.5, arms=arms)
    masks = wirings(given)
    for replicate in (0, 1):
        table = result.table[result.table["replicate"] == replicate]
        assert table.loc[table["round"] == 0, "density"].tolist() == [1]
        links = sum(int(mask.sum()) for mask in masks[replicate].values())
        assert table.loc[table["round"] == 2, "density"].to_numpy() == pytest.approx(0.25, abs=3 / links)
        for number in (0, 1, 2):
            ticket = load_network(result.folder.subnetworks / f"replicate-{replicate}-round-{number}.safetensors")
            for name, mask in ticket.trained.masks.items():
                assert not (mask & ~masks[replicate][name]).any()
                assert number > 0 or (mask == masks[replicate][name]).all()


def test_shuffled_and_fresh_networks_of_a_lottery_stay_within_the_wiring(given):
    from karikomi.studies.lottery.arms import entries as entries_of
    from karikomi.studies.lottery.protocol import run_round

    setup = prepare(LotterySettings.of(**given, rounds=1, rate=0.5, arms=["ticket", "reinit", "shuffled", "random"]))
    dense, _ = (outcome.ticket for outcome in run_round(setup, 0, [0, 1], lambda *of: pytest.fail("has no past")))
    assert dense is not None
    entries = list(entries_of(setup, 1, 0, lambda *of: dense))
    (wiring, _) = wirings(given)
    assert [entry.arm for entry in entries] == ["ticket", "reinit", "shuffled", "random"]
    for entry in entries:
        for name, mask in entry.network.masks.items():
            assert not (mask & ~wiring[name]).any()
            assert mask.sum() == entries[0].network.masks[name].sum()
    shuffled, ticket = entries[2].network.masks, entries[0].network.masks
    assert any((shuffled[name] != ticket[name]).any() for name in ticket)


@pytest.mark.parametrize("name", ["lesion", "importance"])
def test_lesions_and_knock_outs_count_the_links_that_are_there(given, tmp_path, name):
    few = {"criteria": ["in-strength", "taylor"], "scoring": 150}
    few |= {"orders": 2} if name == "lesion" else {"shapley": 0, "pairs": 0}
    result = run_study(name, tmp_path, **given, **few)
    masks = wirings(given)
    setup = find_study(name).prepare(result.settings)
    for replicate in (0, 1):
        healthy = load_healthy(setup, result.folder, Task(replicate))
        assert all((healthy.masks[key] == masks[replicate][key]).all() for key in healthy.masks)
    if name == "lesion":
        first = result.tables["curves"].query("step == 0 and replicate == 0")
        assert set(first["links_left"]) == {sum(int(mask.sum()) for mask in masks[0].values())}


def test_initial_weights_know_the_real_fan_in(given):
    setup = prepare(LotterySettings.of(**given, initialization="kaiming", within=0.5))
    network = setup.initial(0, seeds.stream(0, "init", 0))
    fan_in = network.masks["fc2.weight"].sum(axis=1)
    z = network.weights["fc2.weight"][fan_in > 0] * np.sqrt(fan_in[fan_in > 0, None] / 2)
    assert z[network.masks["fc2.weight"][fan_in > 0]].std() == pytest.approx(1, abs=0.3)


def test_replicates_are_wired_anew_and_always_alike(given):
    first, second = wirings(given)
    assert any((first[name] != second[name]).any() for name in first)
    again = wirings(given)[0]
    assert all((first[name] == again[name]).all() for name in first)


def test_with_all_long_range_links_dead_a_healthy_network_gives_one_answer(ageing, tmp_path):
    settings = ageing(**NETWORK, iterations=150)
    setup = find_study("ageing").prepare(settings)
    from karikomi.runs.folder import RunFolder
    from karikomi.studies.settings import SCHEMA

    with RunFolder.create_or_resume(tmp_path / "run", "ageing", settings.model_dump(), SCHEMA) as folder:
        run_stages([training(setup)], setup, folder, True, None)
        healthy = load_healthy(setup, folder, Task(0))
    cut = die(healthy, layout_of(setup).long_range())
    whole, dead = setup.engine.evaluate([healthy, cut], setup.data.test)
    present = np.bincount(setup.data.test.y)
    assert whole.accuracy > 0.4
    assert dead.accuracy in present / present.sum()
    assert sorted(dead.class_accuracy) == [0] * 9 + [1]


def test_an_ageing_run_pictures_the_groups_and_links_of_its_first_network(ageing, tmp_path):
    result = run_study("ageing", tmp_path, **ageing(**NETWORK, cycles=1).model_dump(exclude=FILLED_IN))
    setup = find_study("ageing").prepare(result.settings)
    layout, masks = layout_of(setup), setup.wirings[0]
    assert masks is not None
    traffic, space = (result.figure(name).to_dict() for name in ("traffic", "groups"))
    cells = traffic["datasets"][traffic["concat"][0]["data"]["name"]]
    between = layout.links(masks)["fc2.weight"] + layout.links(masks)["fc3.weight"]
    assert {(c["from"], c["to"]): c["number"] for c in cells if c["number"] != "–"} == {
        (of, to): f"{between[to, of]}" for of in range(3) for to in range(3) if of == 2 or to == 0
    }
    lines, dots = (space["datasets"][layer["data"]["name"]] for layer in space["layer"][:2])
    assert len(lines) == sum(int((masks[name] & far).sum()) for name, far in layout.long_range().items())
    assert len(dots) == sum(map(len, layout.groups.values()))


def test_links_that_die_keep_their_ends_in_a_network_of_more_layers_than_ten(ageing, tmp_path):
    deep = {"network": "modular-2-4-8-8-8-8-8-8-8-8-8-4", "long_range": 0.6, "patterns": ["local"], "arms": ["none"]}
    settings = ageing(**deep, deaths=20, cycles=2, iterations=1, replicates=1)
    result = run_study("ageing", tmp_path, **settings.model_dump(exclude=FILLED_IN))
    layout = layout_of(find_study("ageing").prepare(result.settings))
    before = dict(zip(list(layout.positions)[1:], layout.positions, strict=False))
    deaths = result.tables["deaths"]
    assert len(deaths) == 40
    assert {"fc2", "fc10"} < set(deaths["layer"])
    for row in deaths.to_dict("records"):
        start, end = layout.positions[before[row["layer"]]][row["from"]], layout.positions[row["layer"]][row["to"]]
        assert [row["x"], row["y"], row["x2"], row["y2"]] == [*start, *end]


def test_a_wiring_cost_shortens_the_wiring(given, tmp_path):
    lengths = {}
    for cost in (0.0, 0.01):
        settings = LotterySettings.of(**given, wiring_cost=cost, rounds=1, arms=["ticket"])
        result = run_study("lottery", tmp_path / str(cost), **settings.model_dump(exclude=FILLED_IN))
        setup = prepare(settings)
        ticket = load_network(result.folder.subnetworks / "replicate-0-round-0.safetensors")
        distances, weights = layout_of(setup).distances(), ticket.trained.weights
        lengths[cost] = sum((abs(weights[name]) * distance).sum() for name, distance in distances.items())
    assert lengths[0.01] < 0.9 * lengths[0.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"long_range": 0.0}, "nothing crosses from group 2 to group 0"),
        ({"entry": 5}, "entry is group 5; there are 3, numbered 0 to 2"),
        ({"exit": -1}, "exit is group -1"),
        ({"long_range": 1.5}, "long_range is a probability"),
        ({"reach": 0.0}, "reach is a distance above 0"),
        ({"control": "mached"}, "control should be 'none' or 'matched'"),
        ({"network": "modular-3-9-9"}, "at least three hidden layers"),
        ({"network": "mlp-9", "wiring_cost": 0.1}, "needs a network with groups"),
        ({"wiring_cost": -1}, "wiring_cost should be greater than or equal to 0"),
    ],
)
def test_what_cannot_be_wired_is_refused_in_one_line(given, changes, message):
    with pytest.raises(InputError, match=message) as refused:
        prepare(LotterySettings.of(**{**given, **changes}))
    assert "\n" not in str(refused.value)
