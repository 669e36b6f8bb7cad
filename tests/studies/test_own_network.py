"""Studies of a network that a function in a file builds: one with branches, on images without channels."""

import os
import signal
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import karikomi
from karikomi import load
from karikomi.errors import InputError
from karikomi.runs.checkpoint import read_network
from karikomi.runs.journal import Journal
from karikomi.studies import find_study
from karikomi.studies.healthy.networks import load_healthy
from karikomi.studies.lottery.tables import ticket_file
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.stage import Task

CODE = """
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.out = nn.Linear(4, classes)
        self.enter, self.bn1 = nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4)
        self.inner, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x):
        x = F.relu(self.bn1(self.enter(x)))
        return self.out(F.relu(x + self.bn2(self.inner(x))).mean((2, 3)))


def build(shape, classes):
    assert shape == (14, 14)
    return Residual(classes)
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "mine.py"
    path.write_text(CODE)
    return f"{path}:build"


@pytest.fixture(scope="module")
def given(tiny, network):
    base = {"data": tiny, "network": network, "replicates": 2, "iterations": 30, "batch": 20, "validation": 200}
    return {**base, "validate_every": 10, "learning_rate": 0.01, "scoring": 150}


def finished(name, base, folder, **more):
    study = find_study(name)
    with mock.patch.object(Result, "draw"):
        return run(study, study.settings.of(**base, **more), out=folder, quiet=True)


def test_every_unit_alone(given, tmp_path):
    more = {"criteria": ("taylor", "activation-mean", "knock-out"), "given": (), "shapley": 2, "pairs": 3}
    result = finished("importance", given, tmp_path, **more)
    setup = result.study.prepare(result.settings)
    assert setup.data.sample_shape == (1, 14, 14)
    module: Any = result.network(1).module().eval()
    x, y = torch.from_numpy(setup.data.test.x).float() * setup.data.test.scale, torch.from_numpy(setup.data.test.y)
    table = result.table.query("replicate == 1").set_index(["layer", "index"])["loss_rise"]
    with torch.no_grad():
        whole = F.cross_entropy(module(x), y)
        for unit in range(4):
            entered = F.relu(module.bn1(module.enter(x)))
            added = module.bn2(module.inner(entered)).index_fill(1, torch.tensor([unit]), 0)
            without = F.cross_entropy(module.out(F.relu(entered + added).mean((2, 3))), y)
            assert table["inner", unit] == pytest.approx(float(without - whole), abs=1e-5)


def test_removed_one_after_the_other(given, tmp_path):
    result = finished("lesion", given, tmp_path, criteria=("taylor",), orders=2)
    curves = result.tables["curves"]
    left = curves.set_index("step")["parameters_left"]
    assert left[0].eq(sum(p.numel() for p in result.network(0).module().parameters())).all()
    assert left[8].eq(4 * 10 + 10).all()  # of the last layer, whose units are outputs, nothing goes
    assert curves.groupby(["replicate", "criterion", "direction", "control"]).size().eq(9).all()
    setup = result.study.prepare(result.settings)
    healthy = load_healthy(setup, result.folder, Task(0))
    [everything] = setup.engine.evaluate([healthy], setup.data.test)
    whole = curves.query("replicate == 0 and step == 0")["loss"]
    np.testing.assert_allclose(whole, everything.loss, rtol=1e-4)


def test_a_changed_file_is_another_run(given, tmp_path):
    lesion = find_study("lesion").settings
    first = lesion.of(**given).fingerprinted(None, ())
    other = tmp_path / "mine.py"
    other.write_text(CODE + "\n# changed\n")
    second = lesion.of(**{**given, "network": f"{other}:build"}).fingerprinted(None, ())
    assert first.code_sha256 != second.code_sha256 != ""


def test_adaptive_orders_score_what_is_left(given, tmp_path):
    result = finished("lesion", given, tmp_path, criteria=("taylor",), timing=("adaptive",), every=3, orders=2)
    assert set(result.table["timing"]) == {"", "adaptive"}


@pytest.fixture(scope="module")
def aged(given):
    return {**given, "cycles": 2, "deaths": 2, "retraining": 5, "patterns": ("random", "taylor")}


@pytest.fixture(scope="module")
def there(aged, tmp_path_factory):
    """An ageing run in all arms but regrowth."""
    arms = ("none", "retrain", "sham", "homeostasis", "scratch")
    return finished("ageing", {**aged, "arms": arms}, tmp_path_factory.mktemp("aged"))


def test_the_dead_stay_dead(there):
    when = there.tables["deaths"].query("pattern == 'random' and replicate == 1").set_index(["layer", "unit"])["cycle"]
    module: Any = there.network(1, cycle=2, arm="retrain", pattern="random").module().eval()
    silent = torch.tensor([[when["enter", unit] > 0, when["inner", unit + 4] > 0] for unit in range(4)])
    assert silent.sum() == 4
    with torch.no_grad():
        entered = F.relu(module.bn1(module.enter(torch.rand(5, 1, 14, 14))))
        added = module.bn2(module.inner(entered))
    assert (entered[:, silent[:, 0]] == 0).all()
    assert (added[:, silent[:, 1]] == 0).all()
    assert all(torch.isfinite(value).all() for value in module.state_dict().values())
    layers = there.tables["layers"].query("arm == 'retrain' and pattern == 'random' and replicate == 1 and cycle == 2")
    living = layers[layers["layer"] != "out"].groupby("layer")["living"].first()
    assert living.to_dict() == {"enter": 4 - silent[:, 0].sum(), "inner": 4 - silent[:, 1].sum()}


def test_two_workers_build_it_from_the_file(aged, there, tmp_path, assert_same_run):
    pytest.importorskip("distributed")
    study = find_study("ageing")
    settings = study.settings.of(**aged, arms=there.settings.arms)
    with mock.patch.object(Result, "draw"):
        spread = run(study, settings, out=tmp_path / "run", quiet=True, cluster="local:2")
    assert_same_run(spread.folder, there.folder)


@pytest.mark.parametrize("writes", [1, 3])
def test_a_run_killed_while_it_writes_ends_the_same(aged, there, tmp_path, assert_same_run, writes):
    """In a process of its own, killed for good when it would write a piece or a cycle; both kinds of file."""
    settings = find_study("ageing").settings.of(**aged, arms=there.settings.arms)
    child = os.fork()
    if child == 0:
        left = iter(range(writes))
        append = Journal.append

        def kill(journal, record):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            append(journal, record)

        with mock.patch.object(Journal, "append", kill):
            run(find_study("ageing"), settings, out=tmp_path / "run", quiet=True)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with mock.patch.object(Result, "draw"):
        resumed = run(find_study("ageing"), settings, out=tmp_path / "run", quiet=True)
    assert_same_run(resumed.folder, there.folder)


BAD = """
from torch import nn


def raises():
    raise ValueError("no such width\\nand more")


def asks(width, depth, shape):
    return nn.Linear(196, 10)


def by_name(*, width):
    return nn.Linear(196, 10)


def nothing():
    return None


def few():
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 5))
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "raises in {} cannot build the network: ValueError: no such width"),
        ("asks", "asks in {} asks for width, depth, shape; it takes nothing, or a sample's shape and the number of"),
        ("by_name", "by_name in {} asks for width; it takes nothing,"),
        ("nothing", "nothing in {} must give an nn.Module; it gives a NoneType"),
        ("few", "the network must give outputs [n, 10] or more, one per class; it gives [n, 5]"),
        ("absent", "{} has no function absent"),
    ],
)
def test_a_file_that_builds_no_network_costs_one_line(command, tmp_path, tiny, name, message):
    (tmp_path / "bad.py").write_text(BAD)
    status, out, err = command("lottery", "--data", tiny, "--preset", "quick", "--network", f"bad.py:{name}")
    assert (status, out) == (2, "")
    assert message.format("bad.py") in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "karikomi-runs").exists()


def test_every_study_from_the_command_line(command, tmp_path, tiny):
    (tmp_path / "mine.py").write_text(CODE)
    small = ["--data", tiny, "--preset", "quick", "--network", "mine.py:build", "--iterations", "20", "--batch", "20"]
    small += ["--validation", "200", "--replicates", "2", "--quiet"]
    units = [*small, "--scoring", "100", "--criteria", "taylor"]
    for study in (
        ["lottery", *small, "--rounds", "2", "--output-rate", "half"],
        ["lesion", *units, "--orders", "2"],
        ["importance", *units, "--shapley", "2", "--pairs", "2", "--given", "activation-mean"],
        ["ageing", *small, "--cycles", "2", "--retraining", "5"],
    ):
        status, out, err = command(*study)
        assert (status, err) == (0, ""), study[0]
        assert out
    [run_folder] = (tmp_path / "karikomi-runs").glob("lottery-*")
    ticket = load(run_folder).network(1, round=2)
    shares = {name: mask.mean() for name, mask in ticket.masks.items()}
    assert shares["out.weight"] == pytest.approx(0.75**2, abs=0.02), "it is declared first, and gives the outputs"
    assert shares["inner.weight"] == pytest.approx(0.5**2, abs=0.02)
    weights = tmp_path / "weights.safetensors"
    save_file(ticket.module().state_dict(), weights)
    status, _, err = command("lesion", *units, "--orders", "2", "--weights", str(weights), str(weights))
    assert (status, err) == (0, "")


def test_normalization_and_its_statistics_are_rewound_with_the_weights(given, tmp_path):
    base = {key: value for key, value in given.items() if key != "scoring"}
    result = finished("lottery", {**base, "rounds": 1, "rewind": 10}, tmp_path, arms=("ticket",))
    dense, ticket = (read_network(ticket_file(result.folder, 1, number)) for number in (0, 1))
    for name in ("bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "out.bias"):
        began = ticket.past["initial"][name]
        np.testing.assert_array_equal(began, dense.past["at-10"][name])
        assert (began != dense.past["final"][name]).any()
        assert name not in ticket.masks


class Small(nn.Module):
    """Its initial weights are its own: no layer's ``reset_parameters`` draws them."""

    def __init__(self, shape, classes, width=6):
        super().__init__()
        self.enter, self.leave = (nn.Parameter(torch.randn(*size) / 5) for size in ((width, 196), (width, classes)))

    def forward(self, x):
        return F.relu(F.linear(x.flatten(1), self.enter)) @ self.leave


def test_a_function_builds_every_replicate_afresh(given, tmp_path):
    few = {"iterations": 5, "batch": 20, "validation": 200, "replicates": 2, "data": given["data"], "quiet": True}
    with mock.patch.object(Result, "draw"):
        first = karikomi.lottery(model=Small, rounds=1, out=tmp_path / "a", **few)
        torch.manual_seed(3)
        again = karikomi.lottery(
            model=lambda shape, classes: Small(shape, classes), rounds=1, out=tmp_path / "b", **few
        )
        wider = karikomi.lottery(
            model=lambda shape, classes: Small(shape, classes, 7), rounds=1, out=tmp_path / "c", **few
        )
    initial = [first.network(replicate, round=0).initial_module().state_dict() for replicate in range(2)]
    assert not torch.equal(initial[0]["enter"], initial[1]["enter"])
    torch.testing.assert_close(again.network(1, round=0).initial_module().state_dict(), initial[1], rtol=0, atol=0)
    assert first.settings.network != again.settings.network != wider.settings.network
    assert wider.network(0, round=1).trained.links == round(0.8 * 7 * 196) + round(0.8 * 70)
    reinit = [karikomi.load(tmp_path / "a").table.query("arm == 'reinit'")["validation_loss"]]
    assert reinit[0].nunique() == 2


def test_a_module_is_drawn_anew_and_arrays_are_data(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((120, 5)).astype(np.float32), np.arange(120) % 3
    data = karikomi.Dataset.from_arrays(x, y, x[:30], y[:30], name="noise")
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    given = {"data": data, "iterations": 5, "batch": 10, "validation": 30, "replicates": 2, "quiet": True}
    with mock.patch.object(Result, "draw"):
        result = karikomi.ageing(model=model, cycles=1, deaths=1, scoring=30, out=tmp_path / "run", **given)
    one, other = (result.network(replicate, cycle=0).module() for replicate in range(2))
    assert not torch.equal(one[0].weight, other[0].weight)
    assert result.settings.initialization == "own"
    with pytest.raises(InputError, match="nothing draws enter of the model anew; give a function"):
        karikomi.lottery(model=Small((14, 14), 3), data=data)
    with pytest.raises(InputError, match="without models or network"):
        karikomi.lottery(model=model, network="mlp-3", data=data)
