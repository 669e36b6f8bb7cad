"""Images as networks take them."""

from torch import nn

from karikomi.errors import InputError


def as_image(name: str, sample_shape: tuple[int, ...], smallest: int = 1) -> tuple[nn.Module, int, int, int]:
    """What gives samples an axis of channels if they lack one; channels, height and width of an image.

    Args:
        name: of the network, for the error.
        sample_shape: ``(height, width)`` or ``(channels, height, width)``.
        smallest: how high and wide an image must be.

    Raises:
        InputError: if samples are no images, or too small ones.
    """
    if len(sample_shape) not in (2, 3):
        raise InputError(f"{name} needs images, [height, width] or [channels, height, width]; these are {sample_shape}")
    channels, height, width = (1, *sample_shape)[-3:]
    if min(height, width) < smallest:
        raise InputError(f"{name} needs images of {smallest} × {smallest} or more; these are {height} × {width}")
    return nn.Identity() if len(sample_shape) == 3 else nn.Unflatten(1, (1, -1)), channels, height, width


def patch_side(name: str, height: int, width: int) -> int:
    """The side of square patches that cut an image into at most 8 × 8 of them.

    >>> patch_side("vit", 28, 28)
    4

    Raises:
        InputError: if there are no such patches, or there is only one.
    """
    for side in range(2, max(height, width)):
        if height % side == width % side == 0 and max(height, width) <= 8 * side:
            return side
    raise InputError(
        f"{name} cuts images into equal square patches, at most 8 × 8; {height} × {width} cannot be cut so"
    )
