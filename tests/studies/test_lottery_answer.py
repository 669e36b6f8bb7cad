"""Words of the lottery's answer."""

import numpy as np
import pandas as pd
import pytest

from karikomi.studies.lottery.answer import LOST, NOT_SHOWN, WINNING, in_a_sentence, percent, verdict
from karikomi.studies.words import HEADLINE_WORDS


@pytest.mark.parametrize(
    ("p_winning", "p_lost", "expected"),
    [(0.049, 1, WINNING), (0.05, 1, NOT_SHOWN), (1, 0.049, LOST), (1, 0.05, NOT_SHOWN), (np.nan, np.nan, NOT_SHOWN)],
)
def test_verdict(p_winning, p_lost, expected):
    assert verdict(p_winning, p_lost) == expected


@pytest.mark.parametrize("order", [(0, 1, 2) * 6, (0,) * 6 + (1,) * 6 + (2,) * 6])
def test_a_headline_has_at_most_25_words(order):
    kinds = (WINNING, NOT_SHOWN, LOST)
    verdicts = pd.DataFrame({"verdict": [kinds[i] for i in order], "density": 0.8 ** np.arange(1, 19)})
    transfer = {"arm": "transferred", "against": "transferred-reinit", "measure": "test_accuracy"}
    untrained = {"arm": "supermask", "against": "dense", "measure": "initial_test_accuracy", "round": 0}
    arms = pd.DataFrame([{**untrained, "mean": 0.953, "density": 0.506}])
    shown = {"mean": 0.01, "p_holm": 0.01}
    for given in ([], [transfer | shown], [untrained | shown], [transfer | shown, untrained | shown]):
        differences = pd.DataFrame(given, columns=[*untrained, "mean", "p_holm"])
        assert len(in_a_sentence(verdicts, differences, arms).split()) <= HEADLINE_WORDS


@pytest.mark.parametrize(("share", "text"), [(1, "100.0 %"), (0.512, "51.2 %"), (0.0094, "0.94 %"), (0.03604, "3.6 %")])
def test_percent(share, text):
    assert percent(share) == text
