"""Tickets that go out and come in: to the bit, under masks that stay, and with a card that says what is true."""

import json
import shlex
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import karikomi
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Arrays
from karikomi.runs.checkpoint import INITIAL, Checkpoint, load_network, provenance_of
from karikomi.statistics import mean_interval
from karikomi.tickets import Weights


def state(module: nn.Module) -> dict[str, np.ndarray]:
    """Weights by their plain names, whether pruned or not."""
    pruned = {name.removesuffix("_orig"): name for name, _ in module.named_parameters() if name.endswith("_orig")}
    values = dict(module.state_dict())
    found = {name: (values[f"{name}_orig"] * values[f"{name}_mask"]).numpy() for name in pruned}
    return found | {name: v.numpy() for name, v in values.items() if not name.endswith(("_orig", "_mask"))}


@pytest.mark.parametrize("form", ["pruned", "plain"])
def test_a_ticket_of_a_run_has_its_masks_and_weights(run, form):
    kept = run.network(1, round=2)
    expectations: dict[Weights, Arrays] = {"initial": kept.past[INITIAL], "trained": kept.trained.weights}
    for weights, expected in expectations.items():
        for source in (run, run.folder.path, str(run.folder.path)):
            ticket = karikomi.load_ticket(source, replicate=1, round=2, weights=weights, form=form)
            assert all((ticket.masks[name] == mask).all() for name, mask in kept.masks.items())
            found = state(ticket.module)
            assert found.keys() == expected.keys()
            assert all((found[name] == value).all() for name, value in expected.items())


def test_a_folder_gives_back_every_bit(run, tmp_path):
    kept = run.network(2, round=1)
    folder = karikomi.save_ticket(run, tmp_path / "ticket", replicate=2, round=1)
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    back = load_network(folder / "model.safetensors")
    for ours, theirs in ((back.masks, kept.masks), (back.trained.weights, kept.trained.weights)):
        assert ours.keys() == theirs.keys()
        assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)
    for weights in ("initial", "trained"):
        of_run = karikomi.load_ticket(run, replicate=2, round=1, weights=weights)
        of_folder = karikomi.load_ticket(folder, weights=weights)
        assert all((state(of_run.module)[name] == value).all() for name, value in state(of_folder.module).items())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    karikomi.save_ticket(run.folder.path, folder, replicate=2, round=1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_other_programs_read_the_weights(run, tmp_path):
    from safetensors.torch import load_file

    folder = karikomi.save_ticket(run, tmp_path / "ticket", round=1)
    config = json.loads((folder / "config.json").read_text())
    module = build(config["network"], tuple(config["sample_shape"]), config["classes"])
    left = module.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert left.missing_keys == []
    assert all(name.startswith(("mask/", "initial/")) for name in left.unexpected_keys)
    assert (config["replicate"], config["round"]) == (0, 1)
    assert config["links"] == {name: [int(m.sum()), m.size] for name, m in run.network(0, round=1).masks.items()}


def test_the_card_says_what_the_table_says_and_how_to_get_there(run, command, tmp_path):
    folder = karikomi.save_ticket(run, tmp_path / "ticket", replicate=1, density=0.25)
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    about = yaml.safe_load(front)
    rows = run.table.query("arm == 'ticket' and round == 2").set_index("replicate")["test_accuracy"]
    [result] = about["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == rows[1]
    mean, low, high = mean_interval(rows)
    assert f"{100 * mean:.2f} ± {50 * (high - low):.2f}" in text
    assert f"({100 * run.network(1, round=2).trained.density:.2f} %)" in text
    assert "datasets" not in about, "a path means nothing on another machine"
    flags = shlex.split(text.split("`karikomi ")[1].split("`")[0])
    status, _, err = command(*flags, "--out", str(run.folder.path), "--quiet")
    assert (status, err) == (0, ""), "the same settings: the run is finished already"


def test_the_hub_s_own_library_reads_the_card(run, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    folder = karikomi.save_ticket(run, tmp_path / "ticket", round=2)
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.library_name == "karikomi"
    [evaluated] = card.data.eval_results
    assert evaluated.metric_value == pytest.approx(float(run.network(0, round=2).provenance["test_accuracy"]))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("mlp-9-7", (5, 5)), ("lenet-5", (28, 28)), ("resnet-8", (12, 12)), ("vit", (12, 12)), ("gru", (8, 8))],
)
@given(seed=st.integers(0, 2**16), density=st.floats(0, 1))
@settings(max_examples=5)
def test_pruned_and_plain_compute_the_same(name, shape, seed, density, tmp_path_factory):
    network = initialize(Architecture(build(name, shape, 3)), "pytorch", np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    network = network.masked({key: rng.random(mask.shape) < density for key, mask in network.masks.items()})
    path = tmp_path_factory.mktemp("file") / "t.safetensors"
    Checkpoint(network, {INITIAL: network.weights}, provenance_of(name, shape, 3)).save(path)
    pruned, plain = (karikomi.load_ticket(path, form=form).module.eval() for form in ("pruned", "plain"))
    x = torch.from_numpy(rng.random((4, *shape)).astype(np.float32))
    with torch.no_grad():
        try:
            expected = plain(x)
        except RuntimeError:  # it wants an axis of channels
            x = x.unsqueeze(1)
            expected = plain(x)
        assert torch.equal(pruned(x), expected)


@pytest.mark.parametrize("form", ["pruned", "plain"])
@pytest.mark.parametrize("engine", ["sparse", "population"])
def test_training_keeps_the_masks(run, tiny, form, engine):
    module, masks = karikomi.load_ticket(run, round=2, form=form)
    for given_masks in (masks, None) if form == "pruned" else (masks,):
        trained = karikomi.train(module, tiny, masks=given_masks, iterations=20, engine=engine, weight_decay=0.1)
        for name, mask in masks.items():
            weight = trained.get_parameter(name).detach().numpy()
            assert ((weight != 0) == mask).all()
            assert (weight != run.network(0, round=2).past[INITIAL][name])[mask].any()


def test_a_loop_of_one_s_own_keeps_them_too(run):
    module, masks = karikomi.load_ticket(run, round=2)
    optimizer = torch.optim.Adam(module.parameters(), weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.rand(8, 14, 14)), torch.arange(8)).backward()
        optimizer.step()
    weights = state(module)
    assert all((weights[name][~mask] == 0).all() for name, mask in masks.items())


def test_the_nearest_density_is_meant_within_a_twentieth(run):
    for density, number in ((1.0, 0), (0.5, 1), (0.252, 2)):
        _, masks = karikomi.load_ticket(run, density=density)
        assert all((masks[name] == mask).all() for name, mask in run.network(0, round=number).masks.items())


def test_of_several_variants_one_must_be_named(lottery, command, tmp_path):
    run = lottery(criteria=["magnitude", "random"], rounds=1)
    variants = sorted({saved.where["variant"] for saved in run.study.saved(run.folder) if saved.where["round"]})
    ways: list[dict[str, Any]] = [{"round": 1}, {"density": 0.5}]
    for which in ways:
        with pytest.raises(InputError, match="several networks"):
            karikomi.load_ticket(run, **which)
        named = [karikomi.load_ticket(run, **which, variant=variant).masks for variant in variants]
        assert any((named[0][name] != mask).any() for name, mask in named[1].items())
    folder = karikomi.save_ticket(run, tmp_path / "ticket", round=1, variant=variants[-1])
    flags = shlex.split((folder / "README.md").read_text().split("`karikomi ")[1].split("`")[0])
    assert command(*flags, "--out", str(run.folder.path), "--quiet")[::2] == (0, "")


def test_what_is_wrong_costs_a_line(run, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no network")
    bare, kept = tmp_path / "bare.safetensors", run.network(0, round=1)
    Checkpoint(kept.trained, {}, kept.provenance).save(bare)
    folder = karikomi.save_ticket(run, tmp_path / "ticket", round=1)
    wrong = [
        ((run,), {"density": 0.3}, "no network with 30 % of the links; it has 100 %, 50 %, 25 %"),
        ((run,), {}, "several networks of replicate 0; choose among replicate 0; round 0, 1, 2"),
        ((run,), {"round": 7}, "no network of replicate 0, round 7"),
        ((run,), {"round": 1, "form": "prune"}, "form"),
        ((run,), {"round": 1, "weights": "last"}, "weights"),
        ((folder,), {"round": 1}, "is one ticket"),
        ((tmp_path,), {}, "no run folder, no folder with a model.safetensors and no safetensors file"),
        ((broken,), {}, "damaged or no safetensors file"),
        ((bare,), {}, "holds no ticket"),
        ((folder,), {"module": build("mlp-5", (14, 14), 10)}, "does not fit the network"),
    ]
    for positional, named, message in wrong:
        with pytest.raises(InputError, match=message) as refused:
            karikomi.load_ticket(*positional, **named)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="is no run folder"):
        karikomi.save_ticket(folder, tmp_path / "again")
    with pytest.raises(InputError, match="cannot write"):
        karikomi.save_ticket(run, bare / "below", round=1)


def test_the_command_writes_a_folder_to_share(run, command, tmp_path):
    to = tmp_path / "shared"
    status, out, _ = command("export", str(run.folder.path), "--round", "2", "--to", str(to))
    assert (status, out.strip()) == (0, str(to))
    assert karikomi.load_ticket(to).masks.keys() == run.network(0, round=2).masks.keys()
