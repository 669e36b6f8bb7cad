"""The tables of the anatomy of tickets, from the journal and from what the networks answered on the test set."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from karikomi.runs.files import read_arrays
from karikomi.runs.folder import RunFolder
from karikomi.statistics import calibration_error
from karikomi.studies.stage import records

ANATOMY = "anatomy"
"""The stage that takes tickets apart."""

EXEMPLARS = "exemplars"
"""The stage that keeps what some images look like."""

Answers = Mapping[str, np.ndarray]


def predictions_file(folder: RunFolder, replicate: int, number: int) -> Path:
    """Where the answers of a replicate's ticket are: label, answer and confidence of every test example."""
    return folder.pieces / f"replicate-{replicate}-round-{number}-predictions.safetensors"


def exemplars_file(folder: RunFolder) -> Path:
    """Where the numbers and the pixels of images are that tickets answer differently."""
    return folder.pieces / "exemplars.safetensors"


def differing_images(folder: RunFolder) -> np.ndarray:
    """Numbers of the test images that most tickets of the last round answer differently from most dense networks.

    Those first whose share of right answers changes most.
    """
    images = _images(_all_answers(folder))
    last = images[(images["round"] == images["round"].max()) & (images["dense"] != images["ticket"])]
    change = (last["dense_right"] - last["ticket_right"]).abs()
    return last["image"].to_numpy()[np.argsort(-change.to_numpy(), kind="stable")]


def anatomy_tables(folder: RunFolder, densities: Mapping[int, float]) -> dict[str, pd.DataFrame]:
    """What a run has so far; empty where it has nothing. Round 0 is the dense networks.

    ``movement``, ``degrees``, ``shared_links`` (a row per pair of replicates) and ``histograms`` are as
    :mod:`karikomi.studies.lottery.anatomy` says. ``predictions``: of each network accuracy, mean confidence,
    calibration_error, and agreement, the share of its answers that are its dense network's. ``agreement``: the same
    between two replicates. ``recalls``: recall of every class. ``images``: of every round and test example its label,
    the answer of most replicates' tickets and dense networks (by confidence where votes are equal), and the share of
    either that is right.

    Args:
        folder: of the run.
        densities: of each round.
    """
    found = records(folder, ANATOMY)
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in ("movement", "degrees", "shared_links", "histograms")}
    for task in sorted(found, key=lambda task: (task.step, task.replicate)):
        for name in (name for name in rows if found[task].get(name)):
            table = pd.DataFrame(found[task][name]).assign(round=task.step, replicate=task.replicate)
            rows[name].append(_spelled_out(table, found[task]["bins"]) if name == "histograms" else table)
    tables = {name: _located(pd.concat(parts), densities) if parts else _EMPTY for name, parts in rows.items()}
    answers = _all_answers(folder)
    return tables | {
        name: _located(pd.DataFrame(measure(answers)), densities) if answers else _EMPTY
        for name, measure in _MEASURED.items()
    }


def _all_answers(folder: RunFolder) -> dict[tuple[int, int], Answers]:
    """By round and replicate."""
    done = sorted((task.step, task.replicate) for task in records(folder, ANATOMY))
    return {(number, each): read_arrays(predictions_file(folder, each, number))[0] for number, each in done}


def _spelled_out(histograms: pd.DataFrame, bins: list[float]) -> pd.DataFrame:
    """A row per bin."""
    each = histograms.assign(**{"from": [bins] * len(histograms)}).explode(["from", "weights"], ignore_index=True)
    return each.astype({"from": float, "weights": int})


def _located(table: pd.DataFrame, densities: Mapping[int, float]) -> pd.DataFrame:
    if table.empty:
        return table
    first = [name for name in ("round", "replicate", "other") if name in table]
    ordered = table.sort_values(first, kind="stable", ignore_index=True)
    places = ordered[first].assign(density=ordered["round"].map(densities))
    return pd.concat([places, ordered.drop(columns=first)], axis=1)


def _predictions(answers: Mapping[tuple[int, int], Answers]) -> list[dict[str, float]]:
    return [
        {
            "round": number,
            "replicate": replicate,
            "accuracy": float((one["answer"] == one["label"]).mean()),
            "confidence": float(one["confidence"].mean(dtype=float)),
            "calibration_error": calibration_error(one["confidence"], one["answer"] == one["label"]),
            "agreement": _alike(one, answers[0, replicate]),
        }
        for (number, replicate), one in answers.items()
    ]


def _recalls(answers: Mapping[tuple[int, int], Answers]) -> list[dict[str, float]]:
    return [
        {
            "round": number,
            "replicate": replicate,
            "class": int(label),
            "recall": float(right[one["label"] == label].mean()),
        }
        for (number, replicate), one in answers.items()
        for right in [one["answer"] == one["label"]]
        for label in np.unique(one["label"])
    ]


def _agreement(answers: Mapping[tuple[int, int], Answers]) -> list[dict[str, float]]:
    return [
        {"round": number, "replicate": replicate, "other": other, "agreement": _alike(one, answers[number, other])}
        for ((number, replicate), one), ((again, other), _) in combinations(answers.items(), 2)
        if number == again
    ]


def _images(answers: Mapping[tuple[int, int], Answers]) -> pd.DataFrame:
    """Of the rounds that all replicates have finished."""
    rounds: dict[int, list[Answers]] = {}
    for (number, _), one in answers.items():
        rounds.setdefault(number, []).append(one)
    label = rounds[0][0]["label"]
    seen = {
        number: (_mode(votes), np.mean([one["answer"] == label for one in votes], axis=0))
        for number, votes in rounds.items()
        if len(votes) == len(rounds[0])
    }
    columns = {"image": np.arange(len(label)), "label": label, "dense": seen[0][0], "dense_right": seen[0][1]}
    return pd.concat(
        pd.DataFrame({"round": number, **columns, "ticket": ticket, "ticket_right": right})
        for number, (ticket, right) in seen.items()
        if number > 0 or len(seen) == 1
    )


def _mode(votes: list[Answers]) -> np.ndarray:
    """The answer that most networks give, of equal votes the more confident one."""
    outputs = 1 + max(int(one["answer"].max()) for one in votes)
    tally = np.zeros((len(votes[0]["answer"]), outputs))
    for one in votes:
        tally[np.arange(len(tally)), one["answer"]] += 1 + np.nan_to_num(one["confidence"]) / (len(votes) + 1)
    return tally.argmax(axis=1)


def _alike(one: Answers, other: Answers) -> float:
    return float((one["answer"] == other["answer"]).mean())


_EMPTY = pd.DataFrame()
_MEASURED = {"predictions": _predictions, "recalls": _recalls, "agreement": _agreement, "images": _images}
