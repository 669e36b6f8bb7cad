"""What the sparse engine is given, checked and in the form that its kernels read."""

import numpy as np
import torch

from karikomi.data.dataset import Examples
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.errors import InputError
from karikomi.networks.program import Shape
from karikomi.networks.subnetwork import Subnetwork


def check(subnetwork: Subnetwork, examples: Examples) -> None:
    """Raise an InputError if the network is not of the kinds that it trains, or does not fit ``examples``."""
    layers = subnetwork.architecture.perceptron
    if layers is None:
        outputs = _check_program(subnetwork, examples)
    else:
        pixels, inputs = examples.x[0].size, subnetwork.weights[layers[0].weight].shape[1]
        if pixels != inputs:
            raise InputError(f"the network takes {inputs} values per example; the data have {pixels}")
        outputs = subnetwork.weights[layers[-1].weight].shape[0]
    highest = examples.y.max()
    if highest >= outputs:
        raise InputError(f"the network has {outputs} outputs, too few for the label {highest}")


def _check_program(subnetwork: Subnetwork, examples: Examples) -> int:
    """The number of outputs."""
    architecture = subnetwork.architecture
    anatomy = architecture.anatomy_on((torch.from_numpy(examples.x[:3]).float(),))
    try:
        program = architecture.program
    except InputError as reason:
        raise InputError(f"the sparse engine trains no such network ({reason}); use the engine population") from None
    expected, given = tuple(anatomy.tape.values[0].shape[1:]), examples.x.shape[1:]
    first = next(program.signals[x].shape for part in program.parts for x in part.x if program.signals[x].same == 0)
    in_rows = first == Shape(examples.x[0].size)  # of numbers, whatever the shape that they come in
    if given != expected and not in_rows:
        raise InputError(f"the network takes examples of the shape {list(expected)}; these are {list(given)}")
    return program.signals[program.output].shape.channels


def check_weights(subnetwork: Subnetwork) -> None:
    """Raise an InputError if a weight is not a number."""
    for name, value in subnetwork.weights.items():
        if not np.isfinite(value).all():
            raise InputError(f"weights[{name!r}] must be finite; it holds NaN or infinite values")


def source_of(examples: Examples) -> Source:
    x = np.ascontiguousarray(examples.x).ravel()
    if x.dtype != np.uint8:
        x = x.astype(np.float32, copy=False)
    source = Source(
        bytes=x[: x.size if x.dtype == np.uint8 else 0].view(np.uint8),
        floats=x[: x.size if x.dtype == np.float32 else 0].view(np.float32),
        labels=np.ascontiguousarray(examples.y, np.int64).view(),
        pixels=x.size // len(examples),
        scale=np.float32(examples.scale),
    )
    # Kernels are compiled for one kind of array, and data may well be read-only.
    for array in (source.bytes, source.floats, source.labels):
        array.flags.writeable = False
    return source


def nonzero_fraction(examples: Examples) -> np.ndarray:
    """The share of examples in which each input is not 0, from a few thousand of them; 0 only if it never is."""
    rows = examples.x.reshape(len(examples), -1)
    some = rows[:: -(-len(rows) // 4096)]
    # Small numbers are added much faster.
    share = (some != 0).sum(axis=0, dtype=np.uint16) / len(some)
    return np.where(rows.any(axis=0), np.maximum(share, 1 / len(rows)), 0)
