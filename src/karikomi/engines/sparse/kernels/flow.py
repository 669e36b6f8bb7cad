"""A program of parts as the flat arrays that kernels play."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.layout import Network

KINDS = CONVOLUTION, LINEAR, MAXIMUM, AVERAGE, NORMALIZATION, SUM = range(6)

OPERATION = np.dtype(
    [
        *(
            (name, np.int64)
            for name in (
                *("kind", "activation"),
                # Numbers of the signals read, -1 for no second one, and of the one made.
                *("x", "z", "y"),
                # Whether the loss's derivatives by what is read are asked for, and are the first ones to be there.
                *("back_x", "back_z", "fresh_x", "fresh_z"),
                *("kernel_height", "kernel_width", "stride_height", "stride_width", "padding_height", "padding_width"),
                # Which of the linear layers, or of the convolutions.
                "number",
                # Where in the parameters (-1: none) and in ``moments`` they start.
                *("weight", "bias", "mean", "variance", "moments", "keep", "groups"),
            )
        ),
        ("momentum", np.float64),
        ("epsilon", np.float64),
    ],
    align=True,
)


class Flow(NamedTuple):
    """A program laid out.

    ``network`` has the linear layers, behind them one without links that is the outputs, the parameters of all parts
    and the signals' values; its ``layers`` are numbered as in ``operations``. ``signals`` are PLANES. ``moments`` are
    the mean and 1 / standard deviation of the minibatch for every channel that is normalized. ``real`` is 1 in the
    lanes of a minibatch's examples and 0 beyond. ``held`` are the parameters that stay 0 beside links.
    """

    network: Network
    operations: np.ndarray
    signals: np.ndarray
    moments: np.ndarray
    real: np.ndarray
    held: np.ndarray
