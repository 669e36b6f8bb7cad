"""The anatomy of tickets: against shuffled masks, plain PyTorch and loops over the images."""

from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from karikomi.api import load
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.masks import shuffle_links
from karikomi.runs.checkpoint import FINAL, INITIAL, Checkpoint
from karikomi.studies import find_study
from karikomi.studies.lottery.anatomy import EDGES, degrees, movement, shared_links, units_of
from karikomi.studies.lottery.anatomy_answer import in_words
from karikomi.studies.lottery.anatomy_tables import _mode
from karikomi.studies.lottery.summary import summarize
from karikomi.studies.lottery.wiring import by_unit
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.stage import Stage

SHUFFLES = 400


@pytest.fixture(scope="module")
def result(small, tmp_path_factory):
    """A lottery of three replicates."""
    settings = small(replicates=3, rounds=2, rate=0.6, iterations=120, arms=("ticket",))
    return run(find_study("lottery"), settings, out=tmp_path_factory.mktemp("runs") / "anatomy", quiet=True)


def ticket_of(module, density, rng):
    """A network of random weights with so much of its links, unevenly over units, and its dense network."""
    dense = Subnetwork.from_module(module)
    masks = {}
    for name, mask in dense.masks.items():
        uneven = rng.beta(1, 3, mask.shape[0]).reshape(-1, *[1] * (mask.ndim - 1)) * rng.beta(1, 2, mask.shape[1:])
        masks[name] = rng.random(mask.shape) < density * uneven / uneven.mean()
    weights = {name: rng.normal(size=w.shape).astype(np.float32) for name, w in dense.weights.items()}
    past = {INITIAL: dense.weights, FINAL: weights}
    return Checkpoint(dense.masked(masks), past), Checkpoint(dense, past)


def modules():
    return nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4)), nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 3, 2), nn.Flatten(), nn.LazyLinear(5)
    )


@pytest.mark.parametrize("module", modules())
def test_dispersion_is_one_on_average_where_links_are_shuffled(module):
    module(torch.zeros(1, 12) if isinstance(module[0], nn.Linear) else torch.zeros(1, 2, 5, 5))
    rng = np.random.default_rng(0)
    ticket, dense = ticket_of(module, 0.3, rng)
    found = []
    for _ in range(SHUFFLES):
        shuffled = Checkpoint(ticket.trained.masked(shuffle_links(ticket.masks, dense.masks, rng)))
        found += degrees(shuffled, dense.masks)
    table = pd.DataFrame(found)
    for _, group in table.groupby(["layer", "side"]):
        error = group["dispersion"].std() / SHUFFLES**0.5
        assert abs(group["dispersion"].mean() - 1) < 4 * error
    own = pd.DataFrame(degrees(ticket, dense.masks))
    assert (own["dispersion"] > 1).any()
    for row in own.to_dict("records"):
        name = f"{row['layer']}.weight"
        links = by_unit(ticket.masks[name], ticket.trained.architecture.input_axes[name])[row["side"]]
        assert row["empty"] == (links == 0).mean()


def shuffled_along(mask, room, axis, rng):
    """The mask's links at random places of its room, in each line along an axis; of a layer in all of it."""
    if axis is None:
        return shuffle_links({"": mask}, {"": room}, rng)[""]
    pairs = zip(mask.swapaxes(0, axis), room.swapaxes(0, axis), strict=True)
    lines = [shuffle_links({"": line}, {"": places}, rng)[""] for line, places in pairs]
    return np.stack(lines).swapaxes(0, axis)


def test_chance_is_the_mean_over_shuffled_masks():
    rng = np.random.default_rng(1)
    module = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4))
    (a, _), (b, _) = ticket_of(module, 0.4, rng), ticket_of(module, 0.2, rng)
    rooms = [{name: mask | (rng.random(mask.shape) < 0.7) for name, mask in one.masks.items()} for one in (a, b)]
    for row in shared_links(a, rooms[0], b.masks, rooms[1]):
        masks = [one.masks[f"{row['layer']}.weight"] for one in (a, b)]
        given = [room[f"{row['layer']}.weight"] for room in rooms]
        assert row["shared"] == pytest.approx(2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()))
        # Along rows: units of the layer keep their links; along columns: units before it do.
        for kind, axis in (("chance", None), ("chance_into", 0), ("chance_out_of", 1)):
            common = []
            for _ in range(SHUFFLES):
                one, other = (shuffled_along(m, room, axis, rng) for m, room in zip(masks, given, strict=True))
                common.append((one & other).sum() / row["links"])
            assert abs(np.mean(common) - row[kind]) < 4 * np.std(common) / SHUFFLES**0.5


def test_movement_is_final_minus_initial_in_sigma():
    ticket, dense = ticket_of(nn.Sequential(nn.Linear(12, 9)), 0.4, np.random.default_rng(2))
    [sigma] = units_of(dense).values()
    initial, final, mask = dense.past[INITIAL]["0.weight"], dense.past[FINAL]["0.weight"], ticket.masks["0.weight"]
    assert sigma == pytest.approx(initial.std())
    found = {row["links"]: row for row in movement(ticket, dense, {"0.weight": sigma})}
    for links, chosen in (("ticket", mask), ("survivors", mask), ("removed", ~mask)):
        before, after = initial[chosen].astype(float), final[chosen].astype(float)
        row = found[links]
        assert row["weights"] == chosen.sum()
        assert row["distance"] == pytest.approx(np.mean(abs(after - before)) / sigma, rel=1e-5)
        assert row["outward"] == pytest.approx(np.mean(abs(after) - abs(before)) / sigma, rel=1e-4)
        assert row["sign_kept"] == pytest.approx(np.mean(before * after > 0))
    expected = stats.spearmanr(initial[mask], final[mask]).statistic
    assert found["ticket"]["rank_correlation"] == pytest.approx(expected)
    assert np.isnan(found["removed"]["rank_correlation"])


def test_histograms_count_every_surviving_weight(result):
    bins = result.tables["histograms"]
    for (replicate, number, layer, state), group in bins.groupby(["replicate", "round", "layer", "state"]):
        ticket, dense = (result.network(replicate, round=n) for n in (number, 0))
        name = f"{layer}.weight"
        weights = ticket.past[state][name][ticket.masks[name]] / dense.past[INITIAL][name].std()
        assert group["weights"].sum() == len(weights)
        row = group.iloc[len(group) // 2 + 2]
        inside = (weights >= row["from"]) & (weights < row["from"] + EDGES[1] - EDGES[0])
        assert row["weights"] == inside.sum()


def answers_of(result, replicate, number):
    """Labels, answers and confidences on the test set by plain PyTorch."""
    with np.load(result.settings.data) as file:
        x, y = torch.from_numpy(file["x_test"]).float() / 255, file["y_test"]
    shares = result.network(replicate, round=number).module().eval()(x).softmax(1).detach()
    return y, shares.argmax(1).numpy(), shares.max(1).values.numpy()


def test_answers_are_those_of_the_networks(result):
    table = result.tables["predictions"].set_index(["replicate", "round"])
    recalls = result.tables["recalls"].set_index(["replicate", "round", "class"])["recall"]
    accuracy = result.table.set_index(["replicate", "round"])["test_accuracy"]
    for replicate, number in table.index:
        label, answer, confidence = answers_of(result, replicate, number)
        row = table.loc[(replicate, number)]
        assert row["accuracy"] == pytest.approx((answer == label).mean()) == accuracy[replicate, number]
        assert row["confidence"] == pytest.approx(confidence.mean(), rel=1e-5)
        assert row["agreement"] == (answer == answers_of(result, replicate, 0)[1]).mean()
        assert recalls[replicate, number, 3] == pytest.approx((answer[label == 3] == 3).mean())
    agreement = result.tables["agreement"]
    assert len(agreement) == 3 * 3
    for row in agreement.to_dict("records"):
        one, other = (answers_of(result, int(row[r]), int(row["round"]))[1] for r in ("replicate", "other"))
        assert row["agreement"] == (one == other).mean()


def test_images_whose_majority_changes(result):
    images = result.tables["images"]
    last = images[images["round"] == 2]
    votes = {n: np.stack([answers_of(result, r, n)[1] for r in range(3)]) for n in (0, 2)}
    for column, number in (("dense", 0), ("ticket", 2)):
        mode, count = stats.mode(votes[number])
        decided = count > 1
        assert (last[column].to_numpy()[decided] == mode[decided]).all()
    exemplars = result.summary().anatomy.exemplars.set_index("round").loc[2]
    differ = last["dense"] != last["ticket"]
    assert differ.any()
    assert exemplars["share"] == differ.mean()
    assert exemplars["lost"] == (differ & (last["dense"] == last["label"])).mean()
    assert exemplars["gained"] == (differ & (last["ticket"] == last["label"])).mean()
    assert exemplars["dense_accuracy"] == pytest.approx((votes[0] == last["label"].to_numpy())[:, differ].mean())


def test_equal_votes_are_decided_by_confidence():
    def vote(answer, confidence):
        return {"answer": np.array([answer]), "confidence": np.array([confidence], np.float32)}

    assert _mode([vote(2, 0.9), vote(1, 0.6)]) == [2]
    assert _mode([vote(1, 0.9), vote(2, 0.6)]) == [1]
    assert _mode([vote(2, 1.0), vote(1, 0.2), vote(1, 0.2)]) == [1], "confidence never outweighs a vote"


def test_recalls_are_paired_and_corrected_over_classes(result):
    found = result.summary().anatomy.recalls
    recalls = result.tables["recalls"].set_index(["round", "class", "replicate"])["recall"].sort_index()
    accuracy = result.tables["predictions"].set_index(["round", "replicate"])["accuracy"]
    for (measure, number), family in found.groupby(["measure", "round"]):
        assert len(family) == 10
        assert (family["p_holm"] >= family["p"]).all()
        for row in family.to_dict("records"):
            change = recalls[number, row["class"]] - recalls[0, row["class"]]
            change = change - (accuracy[number] - accuracy[0]) if measure == "beyond" else change
            expected = stats.ttest_1samp(change, 0)
            assert row["mean"] == pytest.approx(change.mean())
            if change.std() > 0:
                assert row["p"] == pytest.approx(expected.pvalue)


def test_the_words_say_what_is_shown_and_no_more(result):
    anatomy = result.summary().anatomy
    shared, recalls = anatomy.shared.assign(p_holm=1.0), anatomy.recalls.assign(p_holm=1.0)
    nothing = mock.Mock(shared=shared, recalls=recalls)
    assert "are not shown to have more links in common" in in_words(nothing)
    assert "recall is not shown to change in any class" in in_words(nothing)
    fc1 = shared["layer"] == "fc1"
    above = shared.assign(p_holm=shared["p_holm"].mask(fc1 & (shared["against"] == "chance"), 0.01), mean=0.1)
    falls = recalls.assign(p_holm=recalls["p_holm"].mask(recalls["class"].isin((3, 8)), 0.01), mean=-0.1)
    said = in_words(mock.Mock(shared=above, recalls=falls))
    assert "than by chance in fc1 (more than the links of their units explain: not shown)" in said
    assert "recall falls in classes 3 and 8" in said
    beyond = above.assign(p_holm=above["p_holm"].mask(fc1, 0.01))
    assert "explain in fc1)" in in_words(mock.Mock(shared=beyond, recalls=recalls))


def test_a_killed_anatomy_goes_on_to_the_same_tables(result, small, tmp_path, assert_same_run):
    done = []

    def dies(function):
        def compute(*given):
            if len(done) == 4:
                raise KeyboardInterrupt
            done.append(given)
            return function(*given)

        return compute

    real = Stage.__init__

    def dying(self, name, tasks, compute, *rest, **more):
        real(self, name, tasks, dies(compute) if name == "anatomy" else compute, *rest, **more)

    with (
        mock.patch.object(Stage, "__init__", dying),
        mock.patch.object(Result, "draw"),
        pytest.raises(KeyboardInterrupt),
    ):
        run(find_study("lottery"), result.settings, out=tmp_path / "run", quiet=True)
    halfway = load(tmp_path / "run")
    assert len(halfway.tables["predictions"]) == 4
    assert str(halfway.summary())
    with mock.patch.object(Result, "draw"):
        run(find_study("lottery"), result.settings, out=tmp_path / "run", quiet=True)
    assert_same_run(result.folder, halfway.folder)


def test_a_run_without_tickets_or_from_before_has_no_anatomy(result, small, tmp_path):
    with mock.patch.object(Result, "draw"):
        dense = run(
            find_study("lottery"), small(arms=("dense",), rounds=1, replicates=1), out=tmp_path / "run", quiet=True
        )
    assert dense.summary().anatomy is None
    assert dense.figure("weights") is None
    before = {name: table for name, table in result.tables.items() if name in ("table", "curves")}
    assert summarize(before, result.settings).anatomy is None


def test_one_replicate_has_an_anatomy_without_intervals_and_pairs(small, tmp_path):
    result = run(find_study("lottery"), small(replicates=1, rounds=1), out=tmp_path / "run", quiet=True)
    assert result.figure("links_in_common") is None
    assert "not shown to have more links in common" in str(result.summary()).replace("\n", " ")
    anatomy = result.summary().anatomy
    assert anatomy.shared.empty
    assert anatomy.movement["low"].isna().all()
    assert anatomy.recalls["p_holm"].isna().all()
