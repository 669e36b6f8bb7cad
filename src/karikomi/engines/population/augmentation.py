"""Images that are shifted and flipped anew each time they are trained on."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from karikomi.engines.contract import Trial
from karikomi.engines.recipe import Augmentation
from karikomi.errors import InputError

SHARE = 8
"""Images move by at most this part of their size: 4 pixels of 32, as is usual (He et al. 2016)."""


def check_augmentation(augment: Sequence[Augmentation], sample_shape: Sequence[int]) -> None:
    """Raise an InputError if samples are no images ``[h, w]`` or ``[c, h, w]``."""
    if augment and len(sample_shape) not in (2, 3):
        raise InputError(f"augment needs images, [h, w] or [c, h, w]; the samples have the shape {list(sample_shape)}")


def draws(trial: Trial, batch: int, counts: Iterable[int]) -> Iterator[np.ndarray]:
    """For each of ``counts`` so many minibatches' draws, three numbers in 0 … 1 per example, ``[count, batch, 3]``."""
    rng = np.random.default_rng(trial.augment or trial.order)
    return (rng.random((count, batch, 3), np.float32) for count in counts)


def augmented(x: Tensor, augment: Sequence[Augmentation], draw: Tensor) -> Tensor:
    """Images ``[n, …, h, w]``, each moved and flipped as its row of ``draw`` ``[n, 3]`` says.

    Numbers of the draw are those of the shift down, the shift to the right and the flip.
    """
    height, width = x.shape[-2:]
    rows, columns = (torch.arange(size, device=x.device).expand(len(x), -1) for size in (height, width))
    if "flip" in augment:
        columns = torch.where(draw[:, 2:] < 0.5, columns.flip(-1), columns)
    if "shift" in augment:
        down, right = height // SHARE, width // SHARE
        x = pad(x, (right, right, down, down))
        rows = rows + (draw[:, :1] * (2 * down + 1)).long()
        columns = columns + (draw[:, 1:2] * (2 * right + 1)).long()
    places = rows[:, :, None] * x.shape[-1] + columns[:, None]
    images = x.reshape(len(x), -1, x.shape[-2] * x.shape[-1])
    moved = images.gather(-1, places.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    return moved.view(*x.shape[:-2], height, width)
