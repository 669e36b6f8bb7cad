"""Which networks the sparse engine trains and lesions, and why not others."""

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.channels import channels_of


def why_not_sparse(architecture: Architecture) -> str | None:
    """The layer or operation for which the sparse engine does not train such networks; None if it does."""
    if architecture.perceptron is not None:
        return None
    try:
        _ = architecture.program
    except InputError as reason:
        return str(reason)
    return None


def why_not_lesioned(architecture: Architecture) -> str | None:
    """The layer for which the sparse engine does not lesion such networks; None if it does."""
    reason = why_not_sparse(architecture)
    if reason or architecture.perceptron is not None:
        return reason
    try:
        channels_of(architecture.program, architecture.anatomy)
    except InputError as problem:
        return str(problem)
    return None
