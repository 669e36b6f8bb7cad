"""One conformance suite over the registry of criteria, and each against its formula."""

import numpy as np
import pytest

from karikomi.errors import InputError
from karikomi.removal.scores import LINK_CRITERIA, Evidence

TRAINED = {"a": np.array([[1.0, -2.0], [3.0, 0.0]]), "b": np.array([[-0.5, 4.0]])}
INITIAL = {"a": np.array([[-1.5, 1.0], [1.0, 0.0]]), "b": np.array([[0.5, -1.0]])}
MASKS = {"a": np.array([[True, True], [True, False]]), "b": np.array([[True, True]])}
EXPECTED = {
    "magnitude": {"a": [[1, 2], [3, 0]], "b": [[0.5, 4]]},
    "initial-magnitude": {"a": [[1.5, 1], [1, 0]], "b": [[0.5, 1]]},
    "magnitude-increase": {"a": [[-0.5, 1], [2, 0]], "b": [[0, 3]]},
    "taylor": {"a": [[0.5, 1], [0, 0]], "b": [[1, 0.5 * 4]]},
}


def evidence(seed=0):
    bias = {"a.bias": np.ones(2)}
    gradients = {"a": np.array([[0.5, 0.5], [0, 3]]), "b": np.array([[-2, 0.5]])}
    rng = np.random.default_rng(seed)
    return Evidence({**TRAINED, **bias}, {**INITIAL, **bias}, MASKS, rng, gradients=lambda: gradients)


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


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match="did you mean 'magnitude-increase'"):
        LINK_CRITERIA.find("magnitude_increase")
