"""A small vision transformer (Dosovitskiy et al. 2021)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from karikomi.networks.images import as_image, patch_side


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            project(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        return self.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a perceptron, each beside a shortcut and behind a layer normalization."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.fc1, self.fc2 = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    """Patches with learned positions, blocks, and a mean over patches in place of a class token (Beyer et al. 2022)."""

    def __init__(
        self, image: nn.Module, channels: int, side: int, patches: int, width: int, depth: int, heads: int, classes: int
    ) -> None:
        super().__init__()
        self.image, self.embed = image, nn.Conv2d(channels, width, side, stride=side)
        self.positions = nn.Parameter(torch.empty(patches, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the positions; everything else has its own."""
        nn.init.normal_(self.positions, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(self.image(x)).flatten(2).transpose(1, 2) + self.positions
        return self.output(self.norm(self.blocks(x)).mean(1))


def build(name: str, sample_shape: tuple[int, ...], classes: int) -> ViT:
    """Three blocks of 32 units and 4 heads, on at most 8 × 8 patches."""
    image, channels, height, width = as_image(name, sample_shape)
    side = patch_side(name, height, width)
    return ViT(image, channels, side, height * width // side**2, width=32, depth=3, heads=4, classes=classes)
