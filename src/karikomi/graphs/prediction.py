"""Link prediction: where a bipartite graph would grow by its structure alone."""

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
    # Of z₁, an output linked to u, the links to the community are those to inputs of v, and the one to u. (Of a pair
    # without a link u is no input of v.)
    links = mask.astype(np.float32)
    near_output = _weight(links.sum(1), links @ links.T)
    near_input = _weight(links.sum(0), links.T @ links)
    scores = np.zeros(mask.shape)
    for output, inputs in enumerate(mask):
        others = np.flatnonzero(inputs)
        # Paths by u and z₂, weighted by their z₁.
        paths = links.T @ (near_output[output][:, None] * links[:, others])
        scores[output] = (near_input[:, others] * paths).sum(1)
    scores[mask] = 0
    return scores


def _weight(degrees: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """1 / √(1 + e) of a unit (column) by the other end of the pair (row); 0 where no path goes through it."""
    outside = degrees - shared
    return np.where(outside > 0, 1 / np.sqrt(np.maximum(outside, 1)), 0).astype(np.float32)
