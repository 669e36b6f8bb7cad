"""What a GPU does, within eight minutes: ``python benchmarks/gpu.py FOLDER``. Elsewhere ``--quick`` shows that it runs.

Writes FOLDER/results.json after every part: the tests that compute on a GPU where there is one; training steps of the
population engine beside PyTorch's loop, eager and compiled; and the lottery paper's figure, as long as time allows.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from karikomi import data, seeds
from karikomi.engines import population
from karikomi.engines.contract import Recipe, Trial
from karikomi.engines.population.source import find_device
from karikomi.networks import build
from karikomi.networks.initialization import initialize
from karikomi.runs import environment
from karikomi.runs.files import write_whole
from karikomi.studies.setup import fitted

HERE = Path(__file__).parent.parent
TESTS = ("tests/engines", "tests/test_any_model.py", "tests/test_given.py")
NETWORKS, TOGETHER, BATCH, RATE = ("lenet-300-100", "conv-2-small", "resnet-8", "vit"), (1, 16, 64), 60, 1.2e-3
# Of eight minutes, how long each part may take; the lottery gets what is left.
TEST_SECONDS, END_SECONDS = 150, 470
PAPER = 5 * (1 + 18 * 4)
"""Networks that the lottery paper's figure trains: 5 trials, 18 rounds of tickets and 3 re-initializations."""


def tests(quick: bool) -> dict:
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *(TESTS[1:2] if quick else TESTS)]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=TEST_SECONDS)
        lines = done.stdout.strip().splitlines()
        return {"status": done.returncode, "said": lines[-1:], "seconds": time.perf_counter() - began}
    except subprocess.TimeoutExpired:
        return {"status": None, "said": [f"not at their end after {TEST_SECONDS} s"]}


def steps(quick: bool) -> dict:
    """Training steps a second: of all networks of a population, and of one network in a loop."""
    many, mnist = (20 if quick else 300), data.load("mnist")
    found = {}
    for name in NETWORKS[:1] if quick else NETWORKS:
        form, architecture = fitted(build(name, mnist.sample_shape, mnist.classes), mnist)
        known = form.split(1_000, np.random.default_rng(0))
        recipe = Recipe(many, BATCH, "adam", RATE, 0.0, 0.0, validate_every=many)
        rates = {}
        for networks in TOGETHER[:2] if quick else TOGETHER:
            starts = [initialize(architecture, "glorot", np.random.default_rng(n)) for n in range(networks)]
            trials = [Trial(start, known, seeds.sequence(0, "order", n)) for n, start in enumerate(starts)]
            train = partial(population.train, trials, form, recipe)
            rates[f"population of {networks}"] = networks * many / _seconds(train)
        x = torch.from_numpy(form.train.x).to(find_device()).float() * form.train.scale
        y = torch.from_numpy(form.train.y).to(x.device)
        for how, wrap in (("eager", lambda module: module), ("compiled", torch.compile)):
            if how == "compiled" and quick:
                continue
            module = wrap(deepcopy(architecture.module).to(x.device))
            rates[f"loop, {how}"] = many / _seconds(partial(_loop, module, x, y, many))
        found[name] = {key: round(value, 1) for key, value in rates.items()}
    return found


def _loop(module: nn.Module, x: Tensor, y: Tensor, many: int) -> None:
    optimizer = torch.optim.Adam(module.parameters(), RATE, fused=True)
    for indices in _minibatches(len(y), many, x.device):
        loss = cross_entropy(module(x[indices]), y[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _minibatches(examples: int, many: int, device: torch.device) -> Iterator[Tensor]:
    return iter(torch.randint(examples, (many, BATCH), device=device))


def _seconds(work: Callable[[], object]) -> float:
    """Of the second time: the first one compiles and allocates."""
    for _ in range(2):
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return time.perf_counter() - began


def lottery(quick: bool, folder: Path, rate: float, left: float) -> dict:
    """The paper's figure with as many iterations, at most 50,000, as ``rate`` steps a second allow in two thirds."""
    iterations = 20 if quick else int(np.clip(left * 2 / 3 * rate / PAPER, 100, 50_000)) // 100 * 100
    settings = ["--rounds", "1", "--replicates", "2"] if quick else []
    command = [sys.executable, "-m", "karikomi.cli", "lottery", "--preset", "paper", "--engine", "population"]
    command += [*settings, "--iterations", str(iterations), "--out", str(folder / "lottery")]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=max(60, left))
    except subprocess.TimeoutExpired:
        return {"iterations": iterations, "status": None}
    said = done.stdout if done.returncode == 0 else done.stderr
    seconds = time.perf_counter() - began
    return {"iterations": iterations, "status": done.returncode, "seconds": seconds, "answer": said}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="little of everything, on any machine")
    given = parser.parse_args()
    if not (torch.cuda.is_available() or given.quick):
        sys.exit("PyTorch finds no GPU here")
    began, results = time.perf_counter(), {"machine": environment.describe(), "device": str(find_device())}
    if torch.cuda.is_available():
        results["device"] = torch.cuda.get_device_name()
    given.folder.mkdir(parents=True, exist_ok=True)

    def keep(name: str, found: dict) -> None:
        results[name] = found
        print(json.dumps({name: found}, indent=1), flush=True)
        write_whole(given.folder / "results.json", (json.dumps(results, indent=1) + "\n").encode())

    keep("tests", tests(given.quick))
    keep("steps", steps(given.quick))
    fastest = max(rate for how, rate in results["steps"]["lenet-300-100"].items() if how.startswith("population"))
    left = END_SECONDS - (time.perf_counter() - began)
    keep("lottery", lottery(given.quick, given.folder.absolute(), fastest, left))


if __name__ == "__main__":
    main()
