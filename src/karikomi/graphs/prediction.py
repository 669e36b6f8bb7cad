"""Link prediction: where a bipartite graph would grow by its structure alone."""

import numba
import numpy as np


def ch3_l3(mask: np.ndarray) -> np.ndarray:
    """CH3-L3p of every pair that has no link, 0 for those that have one; float64 ``[outputs, inputs]``.

    The Cannistraci-Hebb score of an input u and an output v, from the paths of three links u – z₁ – z₂ – v:
    Σ 1 / √((1 + e₁) (1 + e₂)), where e is the number of links of z that lead out of the local community, which is u, v
    and the units on such paths (Muscoloni et al. 2018; for layers Zhang et al. 2024, Epitopological learning and
    Cannistraci-Hebb network shape intelligence).

    Args:
        mask: the links, bool ``[outputs, inputs]``.

    >>> ch3_l3(np.array([[1, 1], [1, 0]], bool)).tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    row, column = np.nonzero(mask)
    back_column, back_row = np.nonzero(mask.T)
    starts, back_starts = (
        np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=units))])
        for ends, units in zip((row, back_column), mask.shape, strict=True)
    )
    # Of z₁, an output linked to u, the links within the community are those to inputs of v, and the one to u, which is
    # no input of v: 1 + e₁ is its degree less what it shares with v. So with z₂ and u.
    near_output = np.zeros((len(mask), len(mask)))
    near_input = np.zeros((mask.shape[1], mask.shape[1]))
    _outside(starts, column, back_starts, back_row, near_output)
    _outside(back_starts, back_row, starts, column, near_input)
    scores = np.zeros(mask.shape)
    _sum_paths(starts, column, back_starts, back_row, near_output, np.ascontiguousarray(near_input.T), scores)
    scores[mask] = 0
    return scores


@numba.njit(cache=True, nogil=True)
def _outside(
    starts: np.ndarray, others: np.ndarray, back_starts: np.ndarray, back: np.ndarray, weights: np.ndarray
) -> None:
    """1 / √(1 + e) of unit z by the unit on its side at the end of the pair, ``[end, z]``."""
    for end in range(len(weights)):
        for other in others[starts[end] : starts[end + 1]]:
            for unit in back[back_starts[other] : back_starts[other + 1]]:
                weights[end, unit] += 1
        for unit in range(len(weights)):
            # Where it is 0, no path that counts goes through the unit.
            outside = starts[unit + 1] - starts[unit] - weights[end, unit]
            weights[end, unit] = 1 / np.sqrt(outside) if outside > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _sum_paths(
    starts: np.ndarray,
    inputs: np.ndarray,
    back_starts: np.ndarray,
    outputs: np.ndarray,
    near_output: np.ndarray,
    near_input: np.ndarray,
    scores: np.ndarray,
) -> None:
    for v in range(len(scores)):
        for z2 in inputs[starts[v] : starts[v + 1]]:
            for z1 in outputs[back_starts[z2] : back_starts[z2 + 1]]:
                weight = near_output[v, z1]
                for u in inputs[starts[z1] : starts[z1 + 1]]:
                    scores[v, u] += weight * near_input[z2, u]
