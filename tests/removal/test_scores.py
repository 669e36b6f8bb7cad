"""One conformance suite over the registry of criteria, and each against its formula."""

from typing import Any, get_args

import numpy as np
import pytest

from karikomi.errors import InputError
from karikomi.removal.scores import LINK_CRITERIA, LINKS_SAME_AS, Evidence, link_criterion
from karikomi.removal.scores.evidence import LinkNeed

TRAINED = {"a": np.array([[1.0, -2.0], [3.0, 0.0]]), "b": np.array([[-0.5, 4.0]])}
INITIAL = {"a": np.array([[-1.5, 1.0], [1.0, 0.0]]), "b": np.array([[0.5, -1.0]])}
MASKS = {"a": np.array([[True, True], [True, False]]), "b": np.array([[True, True]])}
MEASURED = {"a": np.array([[0.5, 0.5], [0, 3]]), "b": np.array([[-2, 0.5]])}
EXPECTED = {
    "magnitude": {"a": [[1, 2], [3, 0]], "b": [[0.5, 4]]},
    "initial-magnitude": {"a": [[1.5, 1], [1, 0]], "b": [[0.5, 1]]},
    "small-final": {"a": [[-1, -2], [-3, 0]], "b": [[-0.5, -4]]},
    "small-initial": {"a": [[-1.5, -1], [-1, 0]], "b": [[-0.5, -1]]},
    "magnitude-increase": {"a": [[-0.5, 1], [2, 0]], "b": [[0, 3]]},
    "movement": {"a": [[2.5, 3], [2, 0]], "b": [[1, 5]]},
    "movement-first-order": {"a": [[-0.625, 1.5], [4, 0]], "b": [[0, 7.5]]},
    "large-final-same-sign": {"a": [[0, 0], [3, 0]], "b": [[0, 0]]},
    "large-final-different-sign": {"a": [[1, 2], [0, 0]], "b": [[0.5, 4]]},
    "magnitude-increase-same-sign": {"a": [[0, 0], [2, 0]], "b": [[0, 0]]},
    "magnitude-increase-different-sign": {"a": [[-0.5, 1], [0, 0]], "b": [[0, 3]]},
    "large-initial-large-final": {"a": [[0, 0], [0.5, 0]], "b": [[0, 1]]},
    "small-initial-small-final": {"a": [[0, 0.5], [0, 0]], "b": [[1, 0]]},
    "taylor": {"a": [[0.5, 1], [0, 0]], "b": [[1, 0.5 * 4]]},
    "snip": {"a": [[0.5, 1], [0, 0]], "b": [[1, 0.5 * 4]]},
    "grasp": {"a": [[0.5, -1], [0, 0]], "b": [[1, 2]]},
    "synflow": {"a": [[0.5, 1], [0, 0]], "b": [[-1, 2]]},
    "obd-fisher": {"a": [[0.25, 1], [0, 0]], "b": [[-0.25, 4]]},
    "wanda": {"a": [[0.5, 1], [0, 0]], "b": [[-1, 2]]},
}


def evidence(seed=0):
    bias = {"a.bias": np.ones(2)}
    measured: dict[str, Any] = dict.fromkeys(get_args(LinkNeed), lambda: MEASURED)
    return Evidence({**TRAINED, **bias}, {**INITIAL, **bias}, MASKS, np.random.default_rng(seed), **measured)


@pytest.mark.parametrize("name", LINK_CRITERIA)
def test_every_criterion_scores_every_link_and_changes_nothing(name):
    given = evidence()
    copies = [{k: v.copy() for k, v in arrays.items()} for arrays in (given.trained, given.initial, given.masks)]
    scores = LINK_CRITERIA[name].function(given)
    assert {k: v.shape for k, v in scores.items()} == {k: v.shape for k, v in MASKS.items()}
    assert all(np.isfinite(score).all() for score in scores.values())
    again = LINK_CRITERIA[name].function(evidence())
    assert all((scores[k] == again[k]).all() for k in scores), "the same streams give the same scores"
    for before, after in zip(copies, (given.trained, given.initial, given.masks), strict=True):
        assert all((before[k] == after[k]).all() for k in before)


@pytest.mark.parametrize("name", EXPECTED)
def test_formula(name):
    scores = LINK_CRITERIA[name].function(evidence())
    assert {k: v.tolist() for k, v in scores.items()} == EXPECTED[name]


def test_random_is_uniform_and_follows_its_stream():
    given = Evidence({"a": np.zeros((300, 300))}, {}, {"a": np.ones((300, 300), bool)}, np.random.default_rng(1))
    scores = LINK_CRITERIA["random"].function(given)["a"]
    counts = np.histogram(scores, 10, (0, 1))[0]
    assert np.abs(counts - 9000).max() < 5 * np.sqrt(9000)
    assert (
        LINK_CRITERIA["random"].function(evidence(2))["a"] != LINK_CRITERIA["random"].function(evidence(3))["a"]
    ).all()


def test_other_names_are_those_of_criteria_that_are_there():
    assert {link_criterion(name) for name in LINKS_SAME_AS} <= {*LINK_CRITERIA}
    assert not {*LINKS_SAME_AS} & {*LINK_CRITERIA}


def test_needs_are_what_the_evidence_has():
    assert {need for entry in LINK_CRITERIA.values() for need in entry.needs} == {*get_args(LinkNeed)}


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match="did you mean 'magnitude-increase'"):
        LINK_CRITERIA.find("magnitude_increase")
