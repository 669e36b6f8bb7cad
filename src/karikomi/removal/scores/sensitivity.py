"""Criteria that look at what a link does: to the loss, to its gradient, or to what flows through the network."""

import numpy as np

from karikomi.removal.scores.evidence import Evidence

Scores = dict[str, np.ndarray]


def taylor(evidence: Evidence) -> Scores:
    """|w · ∂L/∂w|: to first order, how much the loss changes without the link (Molchanov et al. 2017).

    At the start of training it is the connection sensitivity of SNIP (Lee et al. 2019), but for their division by its
    sum, which ranks nothing anew.
    """
    gradients = evidence.gradients()
    return {name: np.abs(evidence.trained[name] * gradients[name]) for name in evidence.masks}


def obd_fisher(evidence: Evidence) -> Scores:
    """½ h w², h the diagonal of the empirical Fisher, E[(∂ℓ/∂w)²] (Theis et al. 2018).

    Optimal brain damage (LeCun et al. 1990) has the diagonal of the Hessian for h: to second order, how much the loss
    rises without the link at a minimum. The Fisher is what it comes to where the network gives the labels their odds.
    """
    curvature = evidence.squared_gradients()
    return {name: evidence.trained[name] ** 2 * curvature[name] / 2 for name in evidence.masks}


def grasp(evidence: Evidence) -> Scores:
    """w · (H ∂L/∂w): how much |∂L/∂w|² / 2 falls, to first order, without the link (Wang et al. 2020).

    Theirs is the negative, of which the highest go; softmax has a temperature of 1 here.
    """
    product = evidence.hessian_gradient()
    return {name: evidence.trained[name] * product[name] for name in evidence.masks}


def synflow(evidence: Evidence) -> Scores:
    """|w| · ∂R/∂|w|: the share of all paths, by the products of |w| along them, that lead over the link.

    Synaptic flow (Tanaka et al. 2020). Of a chain every layer has the sum R, so that a small layer's links score high:
    pruned in small steps it never empties a layer while another one has links to give.
    """
    flow = evidence.flow()
    return {name: np.abs(evidence.trained[name]) * flow[name] for name in evidence.masks}


def wanda(evidence: Evidence) -> Scores:
    """|w| · ‖x‖₂, x what the weight multiplies, over all examples (Sun et al. 2024).

    They let the weights into each unit compete among themselves; here scores compete as the allocation says.
    """
    norms = evidence.input_norms()
    return {name: np.abs(evidence.trained[name]) * norms[name] for name in evidence.masks}
