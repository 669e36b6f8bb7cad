"""The command as a user meets it: one line and status 2 for what is wrong, help that does not load torch."""

import json
import re
import subprocess
import sys
from collections import Counter
from typing import get_args

import pytest

from karikomi import load_network
from karikomi.data import DATASETS
from karikomi.networks import NETWORKS
from karikomi.studies.lottery.conditions import MEANINGS, Arm
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.settings import ONLY_MODULAR

SMALL = ["--network", "mlp-8", "--iterations", "4", "--rounds", "2", "--replicates", "2", "--validation", "100"]
SMALL += ["--engine", "population"]


WRONG = [
    ("lottery --rate 1", "--rate should be less than 1; it is 1"),
    ("lottery --rate 0", "--rate should be greater than 0; it is 0"),
    ("lottery --rate much", "--rate should be a valid number; it is much"),
    ("lottery --rounds 0", "--rounds should be greater than or equal to 1; it is 0"),
    ("lottery --rewind never", "--rewind should be a valid integer or 'none' or 'lr'; it is never"),
    (
        "lottery --rewind 6000",
        "rewind must lie between 0 and 4999, before the last iteration, or be none or lr; it is 6000",
    ),
    ("lottery --scope global --output-rate half", "output_rate half needs scope layer"),
    ("lottery --arms dence", "--arms should be 'dense', 'ticket'"),
    ("lottery --arms", "--arms needs at least one value"),
    ("lottery --rat 0.1", "Did you mean --rate?"),
    ("lottery 0.1", "what is '0.1'? Settings are given by name"),
    ("lottery --network lenet-300", "did you mean 'lenet-300-100'?"),
    ("lottery --network resnet-8 --dropout 0.5", "dropout can be chosen for lenet-300-100, mlp-<h1>-<h2>-…; not for"),
    ("lottery --activation gel", "--activation should be 'relu', 'tanh'"),
    ("lottery --dropout 1", "--dropout should be less than 1; it is 1"),
    ("lottery --network mlp-0", "is not of the form mlp-<h1>-<h2>-…"),
    ("lottery --criterion magnitud", "did you mean 'magnitude'?"),
    ("lottery --preset papr", "did you mean 'paper'?"),
    ("lottery --data mnits", "did you mean 'mnist'?"),
    ("lottery --data absent.npz", "cannot read absent.npz: No such file or directory"),
    ("lottery --data kmnist", "kmnist is not here; get it with: karikomi datasets --get kmnist"),
    ("lottery --data absent/", "cannot read absent: No such file or directory"),
    ("lottery --data teacher-5", "unknown data set 'teacher-5'; did you mean 'teacher'?"),
    ("lottery --label-column kind", "label_column needs a table, such as a .csv file; the data are mnist"),
    ("lottery --label-noise 1", "--label-noise should be less than 1; it is 1"),
    ("lottery --train-share 0", "--train-share should be greater than 0; it is 0"),
    ("datasets --get mnist", "unknown data set to download 'mnist'; did you mean 'kmnist'?"),
    ("lottery --data broken.npz", "broken.npz is no readable .npz file"),
    ("lottery --batch 100000", "batch must be at most 50000, the training examples that are left"),
    ("lottery --network nowhere.py:build", "there is no file nowhere.py"),
    ("lottery --validation 60000", "validation must lie between 10 and 59990 examples for mnist"),
    ("lottery --out /proc/run", "cannot write the run folder /proc/run"),
    ("lottery --out broken.npz", "broken.npz"),
    ("lesion --criteria taylr", "did you mean 'taylor'?"),
    ("lesion --criteria clustering", "clustering means nothing for the units of a layered network"),
    ("lesion --directions up", "--directions should be 'low' or 'high'"),
    ("lesion --orders 1", "--orders should be greater than or equal to 2; it is 1"),
    ("lesion --models absent.safetensors", "cannot read absent.safetensors"),
    ("lesion --network model", "only Python can give"),
    ("ageing --patterns regoinal", "did you mean 'regional'?"),
    ("ageing --patterns regional", "needs a network with groups"),
    ("ageing --retraining 0", "retrain needs training steps"),
    ("ageing --deaths 300 --cycles 2", "600 units cannot die in 2 cycles: there are 512"),
    ("ageing --network modular-5-9-9-9 --long-range 0", "nothing crosses from group 0 to group 2"),
    ("lottery --network modular-5-9-9-9 --entry 7", "entry is group 7; there are 5"),
    ("lotery", 'Did you mean "lottery"?'),
    ("show nothing", "there is no run 'nothing'"),
    ("figure nothing", "there is no run 'nothing'"),
    ("plan nothing", "there is no run 'nothing'"),
    ("export nothing --replicate 0 --round 0 --to x.safetensors", "there is no run 'nothing'"),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_what_is_wrong_costs_one_line_and_nothing_else(command, tmp_path, line, message):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    status, out, err = command(*line.split())
    assert (status, out) == (2, "")
    assert err.startswith("karikomi: ")
    assert message in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["broken.npz"]


def test_a_run_from_start_to_ticket(command, tmp_path):
    status, out, err = command("lottery", *SMALL)
    assert status == 0
    assert "Ticket minus dense" in out
    assert "round 2 of 2" in err, "progress goes to stderr"
    run = next((tmp_path / "karikomi-runs").iterdir())

    status, again, err = command("lottery", *SMALL)
    assert (status, again, err) == (0, out, ""), "a finished run answers at once"

    status, listed, _ = command("runs")
    assert (status, listed.count("finished"), run.name in listed) == (0, 1, True)

    assert command("show", run.name[:12])[1] == out
    assert command("show", str(run), "--margin", "0.9")[1] != out

    status, _, err = command("lottery", *SMALL, "--seed", "1", "--out", str(run))
    assert status == 2
    assert "seed: 0 → 1" in err

    status, _, err = command("export", run.name, "--replicate", "2", "--round", "1", "--to", "t.safetensors")
    assert (status, "no network of replicate 2, round 1; choose among replicate 0, 1; round 0, 1, 2" in err) == (
        2,
        True,
    )
    assert command("export", run.name, "--replicate", "1", "--round", "2", "--to", "t.safetensors")[0] == 0
    ticket = load_network("t.safetensors")
    assert ticket.trained.links == round(784 * 8 * 0.64) + round(80 * 0.64)
    assert json.loads(ticket.provenance["settings"])["iterations"] == 4
    assert ticket.past.keys() == {"initial"}
    assert ticket.provenance["run"]


def test_two_runs_side_by_side(command):
    for seed in ("0", "1"):
        assert command("lottery", *SMALL, "--seed", seed, "--out", seed)[0] == 0
    status, out, _ = command("compare", "0", "1")
    assert status == 0
    assert "0 minus 1, which differ in seed (0 minus 1)" in " ".join(out.split())
    assert out.count("ticket") == 2 * 2
    status, _, err = command("compare", "0", "0")
    assert (status, err.count("\n")) == (2, 1)
    assert "same settings" in err


def test_answers_in_japanese(command):
    for seed in ("0", "1"):
        assert command("lottery", *SMALL, "--seed", seed, "--out", seed)[0] == 0
    english = command("show", "0")[1]
    status, out, _ = command("lottery", *SMALL, "--out", "0", "--language", "ja")
    assert (status, command("show", "0", "--language", "ja")[1]) == (0, out)
    assert "判定" in out
    assert "verdict" not in out
    assert Counter(re.findall(r"\d+", out)) == Counter(re.findall(r"\d+", english))
    assert "反復" in command("compare", "0", "1", "--language", "ja")[1]
    assert command("show", "0")[1] == english
    status, _, err = command("show", "0", "--language", "jp")
    assert (status, err.count("\n")) == (2, 1)


def test_a_run_goes_into_a_paper(command, tmp_path):
    assert command("lottery", *SMALL, "--out", "run")[0] == 0
    for kind, name, files in (("figure", "accuracy", ("a.pdf", "a.svg", "a.png")), ("table", "every-arm", ("a.tex",))):
        status, listed, _ = command(kind, "run")
        assert (status, name in listed) == (0, True)
        for file in files:
            assert command(kind, "run", name, "--to", file) == (0, f"{file}\n", "")
            assert (tmp_path / file).stat().st_size > 100
        for wrong, message in (
            (["nam"], f"unknown {kind} 'nam'"),
            ([name], f"where should the {kind} go?"),
            ([name, "--to", "a.doc"], f"a {kind} is written as"),
        ):
            status, out, err = command(kind, "run", *wrong)
            assert (status, out, err.count("\n"), message in err) == (2, "", 1, True)
    status, planned, _ = command("plan", "run", "--difference", "1", "--measure", "early_stop_iteration")
    assert status == 0
    assert "Replicates for 1 iterations: early stop" in planned


def test_a_perceptron_with_options_comes_back_as_it_was(command):
    options = ["--activation", "gelu", "--dropout", "0.2", "--normalization", "batch"]
    assert command("lottery", *SMALL, *options, "--out", "run")[0] == 0
    assert command("export", "run", "--round", "1", "--to", "t.safetensors")[0] == 0
    ticket = load_network("t.safetensors")
    names = ["flatten", "fc1", "norm1", "gelu1", "dropout1", "output"]
    assert [name for name, _ in ticket.module().named_children()] == names


def test_networks_are_listed_with_their_sizes_and_studies(command):
    status, out, _ = command("networks")
    assert status == 0
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines()}
    assert {entry.example or name for name, entry in NETWORKS.items()} <= lines.keys()
    assert lines["lenet-5"].startswith("lenet-5 61,706 226 all two convolutions and a perceptron")
    assert " 269,322 512 all mlp-<h1>-<h2>-…: perceptron" in lines["mlp-256-256"]


def test_quiet_is_quiet(command):
    status, out, err = command("lottery", *SMALL, "--quiet")
    assert (status, err) == (0, "")
    assert out


def test_data_sets_are_listed_with_how_to_get_what_is_not_here(command):
    status, out, err = command("datasets")
    assert (status, err) == (0, "")
    told = [" ".join(line.split()) for line in out.splitlines()]
    assert all(any(line.startswith(f"{name} ") for line in told) for name in DATASETS)
    assert any("in the package, CC BY-SA 3.0 yes LeCun" in line for line in told)
    assert any(line.startswith("cifar-10 photographs") and " no Krizhevsky" in line for line in told)
    assert "kmnist is not here; get it with: karikomi datasets --get kmnist" in told


def test_no_runs_yet(command):
    status, out, err = command("runs")
    assert (status, out) == (0, "")
    assert "There are no runs in karikomi-runs yet" in " ".join(err.split())


def loaded(*arguments):
    script = "import sys\nfrom karikomi.cli import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


@pytest.mark.parametrize("line", ["--help", "lottery --help", "lesion --help", "ageing --help", "runs", "datasets"])
def test_help_and_lists_load_nothing_heavy(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not loaded(*line.split()) & {"torch", "numba", "pandas", "scipy", "altair"}


def test_help_names_every_setting(command):
    _, out, _ = command("lottery", "--help")
    for name in LotterySettings.model_fields:
        hidden = name in (*ONLY_MODULAR, "data_sha256", "code_sha256", "start_sha256")
        assert (f"--{name.replace('_', '-')} " in out) != hidden


def test_help_says_what_each_arm_of_a_lottery_is(command):
    _, out, _ = command("lottery", "--help")
    words = " ".join(out.replace("│", " ").split())
    assert [*MEANINGS] == [*get_args(Arm)]
    assert all(f" {arm}: {meaning}" in words for arm, meaning in MEANINGS.items())


def test_settings_of_modular_networks_are_shown_where_one_is_chosen_and_refused_elsewhere(command):
    shown = subprocess.run(
        [sys.executable, "-m", "karikomi.cli", "lottery", "--network", "modular-5-9-9-9", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(f"--{name.replace('_', '-')} " in shown.stdout for name in ONLY_MODULAR)
    for flags in (["--entry", "1"], ["--within", "0.5"], ["--wiring-cost", "0.1"], ["--control", "matched"]):
        status, _, err = command("lottery", *flags)
        assert (status, "needs a network with groups, such as modular-5-100-400-100; it is lenet" in err) == (2, True)


def test_a_full_disk_is_said_in_one_line(command, monkeypatch):
    from karikomi.runs.journal import Journal

    def full(self, record):
        raise OSError(28, "No space left on device", "journal.jsonl")

    monkeypatch.setattr(Journal, "append", full)
    status, out, err = command("lottery", *SMALL, "--quiet")
    assert (status, out) == (1, "")
    expected = (
        "karikomi: [Errno 28] No space left on device: 'journal.jsonl'; the same command goes on from what is written"
    )
    assert err == f"{expected}\n"
