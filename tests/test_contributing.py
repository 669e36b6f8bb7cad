"""docs/extending.md and docs/a-study.md, followed word for word in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

TOP = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (TOP / "docs/extending.md").read_text(), re.DOTALL)
LISTED = re.findall(
    r"`(src/karikomi/\S+\.py)`\n\n```python\n(.*?)```", (TOP / "docs/a-study.md").read_text(), re.DOTALL
)
SMALL = ["--preset", "quick", "--replicates", "2", "--validation", "100", "--iterations", "4", "--quiet"]
LOTTERY = [*SMALL, "--rounds", "1", "--network", "mlp-8"]


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    top = tmp_path_factory.mktemp("copy")
    shutil.copytree(TOP / "src", top / "src", ignore=shutil.ignore_patterns("__pycache__"))
    rooms = top / "src/karikomi"

    def insert(file: str, before: str, text: str) -> None:
        whole = (rooms / file).read_text()
        assert whole.count(before) == 1, (file, before)
        (rooms / file).write_text(whole.replace(before, text + before))

    criterion, its_line, network, network_line, loader, loader_line, figure = BLOCKS
    (rooms / "removal/scores/slope.py").write_text(criterion)
    insert("removal/scores/__init__.py", "size, wiring\n", "slope, ")
    insert("removal/scores/__init__.py", '"random": LinkCriterion(chance.random,', its_line)
    (rooms / "networks/tiny.py").write_text(network)
    insert("networks/__init__.py", '"mlp-<h1>-<h2>-…": Network(', network_line)
    (rooms / "data/matlab.py").write_text(loader)
    insert("data/__init__.py", '"*.npz": Entry(', loader_line)
    drawn, caption = re.split(r"# \S+study\.py.*\n", figure)
    with (rooms / "studies/lottery/pictures.py").open("a") as pictures:
        pictures.write("\n\n" + drawn)
    insert("studies/lottery/study.py", '"accuracy": "Test accuracy at', caption)
    for path, content in LISTED:
        (top / path).parent.mkdir(exist_ok=True)
        (top / path).write_text(content)
    insert("studies/__init__.py", '"stability")', '"noise", ')
    return top


def run(package: Path, folder: Path, *code: str) -> str:
    environment = {
        "PYTHONPATH": str(package / "src"),
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run([sys.executable, *code], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def karikomi(package: Path, folder: Path, *arguments: str) -> str:
    return run(package, folder, "-m", "karikomi.cli", *arguments)


def test_a_criterion_with_gradients_and_a_figure(package: Path, tmp_path: Path) -> None:
    assert "steepest" in karikomi(package, tmp_path, "criteria")
    karikomi(package, tmp_path, "lottery", *LOTTERY, "--criterion", "steepest", "--out", "run")
    assert (tmp_path / "run/figures/seconds.svg").exists()
    assert "Training time of each network by arm." in (tmp_path / "run/report.html").read_text()


def test_a_residual_network_with_batch_normalization(package: Path, tmp_path: Path) -> None:
    assert "resnet-tiny" in karikomi(package, tmp_path, "networks")
    lottery = [*SMALL, "--rounds", "1", "--network", "resnet-tiny"]
    assert "Ticket minus dense" in karikomi(package, tmp_path, "lottery", *lottery)


def test_a_data_set_from_matlab(package: Path, tmp_path: Path) -> None:
    assert "*.mat" in karikomi(package, tmp_path, "datasets")
    x, y = np.random.default_rng(0).normal(size=(400, 3)), np.arange(400) % 4
    parts = {"x_train": x[:300], "y_train": y[:300], "x_test": x[300:], "y_test": y[300:]}
    savemat(tmp_path / "mine.mat", parts)
    assert "Ticket minus dense" in karikomi(package, tmp_path, "lottery", *LOTTERY, "--data", "mine.mat")


def test_a_study(package: Path, tmp_path: Path) -> None:
    assert "noise" in karikomi(package, tmp_path, "--help")
    noise = ["noise", *SMALL, "--scoring", "100"]
    assert "Accuracy falls from" in karikomi(package, tmp_path, *noise, "--out", "one")
    karikomi(package, tmp_path, *noise, "--out", "other", "--seed", "1")
    assert "accuracy" in karikomi(package, tmp_path, "compare", "one", "other")
    shown = "r.figures, r.network(1), inspect.signature(karikomi.noise)"
    told = run(package, tmp_path, "-c", f"import karikomi, inspect; r = karikomi.load('one'); print({shown})")
    assert "['accuracy'] Checkpoint(study noise, network mlp-32, replicate 1" in told
    assert "levels: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)" in told


def test_the_conformance_tests_pick_all_of_it_up(package: Path, tmp_path: Path) -> None:
    suite = TOP / "tests/test_registries.py"
    collected = run(package, tmp_path, "-m", "pytest", "-q", "--collect-only", "-c", os.devnull, str(suite))
    for name in ("link criteria: steepest", "networks: resnet-tiny", "data sets: *.mat", "figures of noise: accuracy"):
        assert name in collected


def test_each_addition_takes_less_than_30_lines() -> None:
    assert max(len(block.splitlines()) for block in BLOCKS) < 30
