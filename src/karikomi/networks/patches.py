"""Message passing over a grid of patches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from karikomi.networks.images import as_image, patch_side


class Passing(nn.Module):
    """h ← ReLU(W [h, mean of h over the patch and its up to eight neighbours]), W the same for all patches.

    The mean aggregator of GraphSAGE (Hamilton et al. 2017); on a grid it is a pooling, and W a 1 × 1 convolution.
    """

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * features, units, 1)

    def forward(self, h: Tensor) -> Tensor:
        around = F.avg_pool2d(h, 3, stride=1, padding=1, count_include_pad=False)
        return self.conv(torch.cat([h, around], 1)).relu()


class PatchGNN(nn.Module):
    """Patches are nodes, channels their features; each starts with its position, and maxima over nodes are read out.

    With a mean in place of the maxima, or without positions, it learns less.
    """

    def __init__(
        self, image: nn.Module, channels: int, side: int, grid: tuple[int, int], units: int, steps: int, classes: int
    ) -> None:
        super().__init__()
        self.image, self.embed = image, nn.Conv2d(channels, units, side, stride=side)
        self.positions = nn.Parameter(torch.empty(units, *grid))
        self.passing = nn.Sequential(*(Passing(units, units) for _ in range(steps)))
        self.output = nn.Linear(units, classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the positions; everything else has its own."""
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        h = (self.embed(self.image(x)) + self.positions).relu()
        return self.output(self.passing(h).amax((2, 3)))


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> PatchGNN:
    """Three rounds of messages between at most 8 × 8 patches with 64 features."""
    image, channels, height, width = as_image(name, sample_shape)
    side = patch_side(name, height, width)
    return PatchGNN(image, channels, side, (height // side, width // side), units=64, steps=3, classes=classes)
