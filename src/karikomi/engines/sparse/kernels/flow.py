"""A program of parts as the flat arrays that kernels play."""

from typing import Any, NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.convolution_layout import Convolutions
from karikomi.engines.sparse.kernels.layout import Network
from karikomi.engines.sparse.kernels.passing import Passing

KINDS = (
    *("convolution", "linear", "maximum", "average", "statistics", "normalization", "sum", "to_rows", "to_planes"),
    *("bend", "concatenation", "layer_norm", "dropout"),
)
CONVOLUTION, LINEAR, MAXIMUM, AVERAGE, STATISTICS, NORMALIZATION, SUM, TO_ROWS, TO_PLANES, *_others = range(len(KINDS))
BEND, CONCATENATION, LAYER_NORM, DROPOUT = _others

OPERATION = np.dtype(
    [
        *(
            (name, np.int64)
            for name in (
                # ``activation`` is done last; ``bent`` is the one whose slope the way back has to begin with: none
                # where the first reader of the signal sees to it, which is then ``gated``.
                *("kind", "activation", "bent", "gated"),
                # Whether what is made passes, so that the way back has to make it again.
                "passing",
                # Numbers of the signals read (the same one twice if there is no second one), of the one made, and of
                # the one in whose planes the loss's derivatives by what is made are.
                *("x", "z", "y", "slopes"),
                # Whether the loss's derivatives by what is read are asked for, and are the first ones to be there.
                *("back_x", "back_z", "fresh_x", "fresh_z"),
                *("kernel_height", "kernel_width", "stride_height", "stride_width", "padding_height", "padding_width"),
                # Which of the linear layers, of the convolutions, or of the BENDS.
                "number",
                # Where in the parameters (-1: none), and in ``moments``, they start.
                *("weight", "bias", "mean", "variance", "moments"),
            )
        ),
        ("momentum", np.float64),
        ("epsilon", np.float64),
    ],
    align=True,
)


class Flow(NamedTuple):
    """A program laid out.

    Signals are planes with ROW examples in a block, ``block`` elements of ``units`` each. The loss's derivatives by
    them are laid out as ``slopes`` tell, ``slope_block`` elements of ``deltas`` for a block: signals of one shape share
    a place where the derivatives by one are not yet asked for or needed no more. Signals of
    linear layers are rows of ``network`` with LANES examples in a block. It holds the parameters of all parts, the
    first ``learned`` of which belong to planes and have a ``gradient``. Behind its layers is one without links, the
    outputs.

    ``segments`` are rows of operations from a first one to before a last one, and whether they work on rows; in a
    segment a block goes through all of them before the next one does. Every block has a gradient of its own,
    ``gradient_block`` elements of ``gradient``. What is ``passing`` has its room behind all blocks.

    ``moments`` are for every channel that is normalized the minibatch's mean and 1 / standard deviation, and the sums
    on the way back; in ``block_moments`` are those of each block alone. ``real`` is 1 in the lanes of a minibatch's
    examples and 0 beyond. ``held`` are the parameters that stay 0 beside links. ``drawn`` are the seed of dropout and
    the step, int64.
    """

    network: Network
    convolutions: Convolutions
    # Records, whose fields no type tells.
    operations: Any
    signals: Any
    slopes: Any
    segments: np.ndarray
    block: int
    units: np.ndarray
    slope_block: int
    deltas: np.ndarray
    # Of ``deltas`` in memory.
    address: int
    learned: int
    gradient_block: int
    gradient: np.ndarray
    moments: np.ndarray
    block_moments: np.ndarray
    real: np.ndarray
    held: np.ndarray
    drawn: np.ndarray
    # Which numbers of an example are gathered, sixteen at a time, and where in a block each one goes.
    pieces: np.ndarray
    slots: np.ndarray
    passing: Passing
