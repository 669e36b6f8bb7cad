"""Tables as a lottery study makes them: 5 replicates, 10 rounds, numbers of a realistic shape."""

import functools

import numpy as np
import pandas as pd
import pytest

from karikomi.figures.theme import ARMS

ROUNDS, REPLICATES, ITERATIONS = 10, 5, 5000
DENSITY = [(265_200 * 0.8**n + 1_000 * 0.9**n) / 266_200 for n in range(ROUNDS + 1)]
MEASURES = (
    "early_stop_iteration",
    "initial_test_accuracy",
    "test_accuracy",
    "final_test_accuracy",
    "train_accuracy",
    "validation_loss",
    "test_loss",
)


@pytest.fixture(scope="session")
def arms() -> pd.DataFrame:
    return make_arms()


@pytest.fixture(scope="session")
def curves() -> pd.DataFrame:
    return make_curves()


@pytest.fixture(scope="session")
def pixels() -> pd.DataFrame:
    return make_pixels()


@pytest.fixture(scope="session")
def units() -> pd.DataFrame:
    return make_units()


@pytest.fixture(scope="session")
def masks() -> dict[int, np.ndarray]:
    return make_masks()


def networks() -> list[tuple[str, int]]:
    return [("dense", 0)] + [(arm, n) for arm in ARMS if arm != "dense" for n in range(1, ROUNDS + 1)]


def make_arms() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for arm, n in networks():
        loss_of_init = {"dense": 0.0, "ticket": 0.0, "shuffled": 6e-4, "random": 9e-4}.get(arm, 7e-4) * n
        typical = {
            "early_stop_iteration": 4300 - 160 * n + 14 * n * n + 4e5 * loss_of_init,
            "initial_test_accuracy": 0.1 + 0.04 * n - loss_of_init,
            "test_accuracy": 0.979 + 0.0011 * n - 1.4e-4 * n * n - loss_of_init,
            "final_test_accuracy": 0.979 + 0.0010 * n - 1.4e-4 * n * n - loss_of_init,
            "train_accuracy": 0.999 - 1e-5 * n * n - loss_of_init,
            "validation_loss": 0.075 + 3e-4 * n * n / 10 + 10 * loss_of_init,
            "test_loss": 0.072 + 3e-4 * n * n / 10 + 10 * loss_of_init,
        }
        for measure in MEASURES:
            half = (200 if measure == "early_stop_iteration" else 0.001) * rng.uniform(0.7, 1.3)
            mean = min(typical[measure], 5000) + 0.2 * half * rng.standard_normal()
            rows.append(
                (arm, n, DENSITY[n], round(266_200 * DENSITY[n]), measure, mean, mean - half, mean + half, REPLICATES)
            )
    return pd.DataFrame(
        rows, columns=["arm", "round", "density", "links", "measure", "mean", "low", "high", "replicates"]
    )


def make_curves() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    iteration = np.arange(100, ITERATIONS + 1, 100)
    parts = []
    for arm, n in networks():
        speed = {"dense": 1.0, "ticket": 1.0 + 0.09 * n - 0.006 * n * n}.get(arm, 1 - 0.03 * n)
        for replicate in range(REPLICATES):
            for reinit in range(2 if arm == "reinit" else 1):
                time = speed * iteration / 1000
                loss = 0.06 + 0.42 * np.exp(-2.4 * time**0.6) + 0.006 * np.maximum(time - 3.5, 0) ** 2
                loss = loss * np.exp(0.03 * rng.standard_normal(len(loss)))
                accuracy = 0.98 - 0.09 * np.exp(-2.1 * time**0.7) + 0.0012 * rng.standard_normal(len(loss))
                parts.append(
                    pd.DataFrame(
                        {
                            "replicate": replicate,
                            "arm": arm,
                            "reinit": reinit,
                            "round": n,
                            "density": DENSITY[n],
                            "iteration": iteration,
                            "train_loss": 0.9 * loss,
                            "validation_loss": loss,
                            "validation_accuracy": accuracy,
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)


@functools.cache
def make_masks() -> dict[int, np.ndarray]:
    """Nested masks of a 784-300 layer; the image's centre keeps more."""
    rng = np.random.default_rng(2)
    row, column = np.divmod(np.arange(784), 28)
    centre = np.exp(-(((row - 13.5) / 7) ** 2 + ((column - 13.5) / 6) ** 2))
    score = rng.uniform(size=(300, 784)) ** (0.15 / (0.03 + centre))
    return {n: score >= np.quantile(score, 1 - 0.8**n) for n in range(1, ROUNDS + 1)}


def make_pixels() -> pd.DataFrame:
    row, column = np.divmod(np.arange(784), 28)
    return pd.concat(
        [
            pd.DataFrame(
                {"round": n, "density": DENSITY[n], "row": row, "column": column, "links": mask.sum(0).astype(float)}
            )
            for n, mask in make_masks().items()
        ],
        ignore_index=True,
    )


def make_units() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    mask = make_masks()[ROUNDS]
    links = {
        ("fc1", "into"): mask.sum(1),
        ("fc1", "out of"): mask.sum(0),
        ("fc2", "into"): rng.poisson(32, 100),
        ("fc2", "out of"): rng.poisson(rng.gamma(1.2, 9, 300)),
        ("output", "into"): rng.poisson(11, 10),
        ("output", "out of"): rng.poisson(rng.gamma(2, 0.6, 100)),
    }
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "round": ROUNDS,
                    "density": DENSITY[ROUNDS],
                    "layer": layer,
                    "side": side,
                    "unit": range(len(n)),
                    "links": n,
                }
            )
            for (layer, side), n in links.items()
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="session")
def knocked_out() -> pd.DataFrame:
    """An importance study's table of units."""
    rng = np.random.default_rng(0)
    units = pd.DataFrame(
        [(r, layer, i) for r in range(3) for layer in ("fc1", "fc2") for i in range(20)],
        columns=["replicate", "layer", "index"],
    )
    rise = np.exp(rng.normal(-7, 1, len(units)))
    return units.assign(
        loss_rise=rise,
        shapley_value=10 * rise,
        shapley_error=rise,
        **{"taylor": rise * rng.uniform(0.5, 2, len(units)), "in-strength": rng.uniform(10, 20, len(units))},
    )
