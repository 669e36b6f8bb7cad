"""The documentation as tests see it: its code, and settings small enough to run all of it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import karikomi
from karikomi.data import load
from karikomi.studies import STUDIES, find_study
from karikomi.studies.settings import StudySettings

TOP = Path(__file__).parents[1]
DATA = "small.npz"


class Block(NamedTuple):
    """A fenced block of a page: its language and its text."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    fenced = re.findall(r"^```(\w+)\n(.*?)^```$", (TOP / page).read_text(), re.DOTALL | re.MULTILINE)
    return [Block(*found) for found in fenced]


def _first_iterations(values: tuple) -> tuple:
    return tuple(dict.fromkeys(2 if isinstance(value, int) and value else value for value in values))


# What replaces a setting's value, whatever a page gives: networks, data and trainings of a size that tests can bear.
SMALL: Mapping[str, Callable[[Any], Any]] = {
    "data": lambda data: data if data.startswith("mine") else DATA,
    "network": lambda network: "mlp-20-12" if network.startswith(("mlp-", "lenet-300")) else network,
    "iterations": lambda _: 6,
    "epochs": lambda _: None,
    "batch": lambda _: 20,
    "validate_every": lambda _: 3,
    "validation": lambda _: 100,
    "replicates": lambda replicates: min(replicates, 3),
    "scoring": lambda _: 60,
    "rounds": lambda rounds: min(rounds, 4),
    "rewind": _first_iterations,
    "after": _first_iterations,
    "orders": lambda _: 2,
    "shapley": lambda orders: min(orders, 2),
    "pairs": lambda _: 3,
    "cycles": lambda cycles: min(cycles or 4, 4),
    "retraining": lambda _: 2,
    "every": lambda _: 2,
    "parameters": lambda sizes: (3000,) if sizes else (),
    "examples": lambda _: 50,
    "observations": lambda _: 1,
    "ticket_rate": lambda _: 0.6,
}


def smaller(settings: StudySettings) -> dict[str, Any]:
    """What ``SMALL`` makes of the settings of a study, by name."""
    return {name: value(getattr(settings, name)) for name, value in SMALL.items() if hasattr(settings, name)}


def write_small_data(folder: Path) -> None:
    """MNIST with 400 training and 200 test images, as ``small.npz``."""
    mnist = load("mnist")
    train, test = mnist.train.take(np.arange(400)), mnist.test.take(np.arange(200))
    np.savez(folder / DATA, x_train=train.x, y_train=train.y, x_test=test.x, y_test=test.y)


def make_small(monkeypatch) -> None:
    """Let the functions of all studies take small settings, whatever they are given."""
    for name in STUDIES:
        monkeypatch.setattr(karikomi, name, _small_function(name), raising=False)


def run_python(text: str, file: str, names: dict[str, Any]) -> None:
    """Run code in a namespace; from a file, since what is registered or built must have a source."""
    Path(file).write_text(text)
    exec(compile(text, str(Path(file).resolve()), "exec"), names)


def _small_function(name: str) -> Callable[..., Any]:
    function = getattr(karikomi, name)

    def run(**given: Any) -> Any:
        apart = {key: given.pop(key) for key in ("model", "models", "out", "quiet", "cluster", "track") if key in given}
        data = given.pop("data", "mnist")
        chosen = smaller(find_study(name).settings.of(**given))
        del chosen["data"]
        if "model" in apart or "models" in apart:
            chosen.pop("network", None)
        if "models" in apart:
            del chosen["replicates"]
        return function(**{"quiet": True, **apart, **given, **chosen, "data": DATA if isinstance(data, str) else data})

    return run
