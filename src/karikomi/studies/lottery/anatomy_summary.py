"""The statistics of the anatomy of tickets: over replicates, and over pairs of them where masks are compared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from karikomi.statistics import pair_interval
from karikomi.statistics.frames import Question, differences, intervals, with_holm
from karikomi.statistics.intervals import Difference

MOVED = ("distance", "outward", "sign_kept", "rank_correlation")
CHANCES = ("chance", "chance_out_of", "chance_into")
PREDICTED = ("accuracy", "confidence", "calibration_error", "agreement")


@dataclass(frozen=True, repr=False)
class Anatomy:
    """What tickets are made of, by round; all with mean, low and high, the density, and p_holm where they are tested.

    Attributes:
        movement: by layer, links (ticket, survivors, removed) and measure.
        degrees: by layer and side: the dispersion minus 1, which is chance, and the share of units without links,
            ``empty``; Holm over layers and sides.
        shared: by layer and against (chance, chance_out_of, chance_into): the share of links that two replicates have
            in common (``shared``), what it is by chance (``expected``), and the mean difference, over pairs of
            replicates, with jackknife intervals; Holm over layers.
        predictions: of tickets and of the dense networks (round 0), by measure.
        calibration: calibration_error of tickets minus that of their dense networks, Holm over rounds.
        agreement: between two replicates' networks of a round, jackknife intervals.
        recalls: by class, tickets minus dense networks: change of recall, and ``beyond`` that of accuracy; Holm over
            classes.
        exemplars: images whose answer by most tickets is not that by most dense networks (Hooker et al. 2019): their
            share, of which lost (only the dense networks are right) and gained, and the accuracy of dense networks on
            these images and on the others. A majority is one value for all replicates: there is no interval.
    """

    movement: pd.DataFrame
    degrees: pd.DataFrame
    shared: pd.DataFrame
    predictions: pd.DataFrame
    calibration: pd.DataFrame
    agreement: pd.DataFrame
    recalls: pd.DataFrame
    exemplars: pd.DataFrame


def summarize_anatomy(tables: Mapping[str, pd.DataFrame]) -> Anatomy | None:
    """The statistics; None where no ticket has been taken apart."""
    if any(tables.get(name, pd.DataFrame()).empty for name in ("movement", "predictions")):
        return None
    by = ["round", "density"]
    return Anatomy(
        movement=intervals(tables["movement"], [*by, "layer", "links"], MOVED),
        degrees=_degrees(tables["degrees"]),
        shared=_shared(tables["shared_links"]),
        predictions=intervals(tables["predictions"], by, PREDICTED),
        calibration=_calibration(tables["predictions"]),
        agreement=_pairs(tables["agreement"], by, "agreement"),
        recalls=_recalls(tables["recalls"], tables["predictions"]),
        exemplars=_exemplars(tables["images"]),
    )


def _degrees(table: pd.DataFrame) -> pd.DataFrame:
    by = ["round", "density", "layer", "side"]
    questions = []
    for key, group in table.groupby(by, sort=False):
        dispersion = group.set_index("replicate")["dispersion"]
        questions.append(Question(dict(zip(by, key, strict=True)), dispersion, dispersion * 0 + 1))
    empty = intervals(table, by, ["empty"]).rename(columns={"mean": "empty"})
    return differences(questions, by, ["round"]).merge(empty[[*by, "empty"]], on=by)


def _shared(table: pd.DataFrame) -> pd.DataFrame:
    by, parts = ["round", "density", "layer"], []
    for against in CHANCES if len(table) else ():
        minus = table.assign(more=table["shared"] - table[against])
        means = table.groupby(by, sort=False)[["shared", against]].mean().rename(columns={against: "expected"})
        parts.append(means.reset_index().assign(against=against).merge(_pairs(minus, by, "more"), on=by))
    columns = [*by, "shared", "expected", "against", *Difference._fields, "replicates"]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return with_holm(found, ["round", "against"])


def _pairs(table: pd.DataFrame, by: list[str], measure: str) -> pd.DataFrame:
    """Mean over pairs of replicates with its jackknife interval."""
    rows = []
    for key, group in table.groupby(by, sort=False) if len(table) else ():
        pairs = group[["replicate", "other"]].to_numpy(int)
        values = np.zeros((1 + pairs.max(), 1 + pairs.max()))
        values[pairs[:, 0], pairs[:, 1]] = values[pairs[:, 1], pairs[:, 0]] = group[measure]
        rows.append({**dict(zip(by, key, strict=True)), **pair_interval(values)._asdict(), "replicates": len(values)})
    return pd.DataFrame(rows, columns=[*by, *Difference._fields, "replicates"])


def _calibration(predictions: pd.DataFrame) -> pd.DataFrame:
    errors = predictions.set_index(["round", "density", "replicate"])["calibration_error"]
    labels = ["round", "density"]
    questions = [
        Question({"round": number, "density": density}, tickets.droplevel(labels), errors.loc[0].droplevel("density"))
        for (number, density), tickets in errors.groupby(labels)
        if number != 0
    ]
    return differences(questions, labels, [])


def _recalls(recalls: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    key = ["round", "replicate"]
    accuracy = predictions.set_index(key)["accuracy"]
    beyond = recalls["recall"].to_numpy() - accuracy.loc[pd.MultiIndex.from_frame(recalls[key])].to_numpy()
    measures = {"recall": recalls["recall"], "beyond": beyond}
    labels, questions = ["round", "density", "class", "measure"], []
    for measure, values in measures.items():
        each = recalls.assign(value=values).set_index(["round", "density", "class", "replicate"])["value"]
        dense = each.loc[0].droplevel("density")
        for (number, density, label), tickets in each.groupby(labels[:3]):
            if number != 0:
                where = {"round": number, "density": density, "class": label, "measure": measure}
                questions.append(Question(where, tickets.droplevel(labels[:3]), dense.loc[label]))
    return differences(questions, labels, ["measure", "round"])


def _exemplars(images: pd.DataFrame) -> pd.DataFrame:
    tickets = images[images["round"] > 0]
    differ, right = tickets["dense"] != tickets["ticket"], tickets["dense_right"]
    lost = differ & (tickets["dense"] == tickets["label"])
    gained = differ & (tickets["ticket"] == tickets["label"])
    each = tickets[["round", "density"]].assign(
        share=differ, lost=lost, gained=gained, dense_accuracy=right.where(differ), elsewhere=right.where(~differ)
    )
    return each.groupby(["round", "density"], as_index=False).mean()
