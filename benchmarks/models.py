"""Lesions of a ResNet-20 and of a transformer side by side with a loop over units as one writes it, and with captum."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from arguments import Arguments, part, say
from torch import Tensor, nn
from workers import CORES

import karikomi

IMAGES, SEQUENCES, BATCH, REPEATED = 1000, 256, 256, 3


class Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.shortcut = nn.Conv2d(before, width, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        widths = [(16, 16), (16, 32), (32, 64)]
        blocks = [Block(a if k == 0 else b, b, 2 if k == 0 and a != b else 1) for a, b in widths for k in range(3)]
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(F.relu(self.bn(self.conv(x)))).mean((2, 3)))


class Transformer(nn.Module):
    """Six layers of eight heads."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 8, 4 * width, batch_first=True)
        self.emb, self.fc = nn.Embedding(100, width), nn.Linear(width, 4)
        self.encoder = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.encoder(self.emb(tokens)).mean(1))


def measure(arguments: Arguments) -> dict:
    torch.set_num_threads(CORES)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    many = 100 if arguments.quick else IMAGES
    images, answers = torch.randn(many, 3, 32, 32), torch.arange(many) % 10
    tokens, classes = torch.randint(0, 100, (SEQUENCES // (8 if arguments.quick else 1), 64)), torch.arange(4)
    resnet, transformer = ResNet20().eval(), Transformer().eval()
    hooked: Any = resnet.blocks[4]
    attention: Any = transformer.encoder.layers[3]
    labels = classes.repeat(len(tokens) // 4)
    return {
        "images": many,
        "sequences": len(tokens),
        "models": {
            "ResNet-20, every channel": _compared(resnet, images, answers, "channels", hooked.bn1),
            "transformer, every head": _compared(
                transformer, tokens, labels, "heads", attention.self_attn.out_proj.weight
            ),
        },
    }


def _compared(model: nn.Module, x: Tensor, y: Tensor, units: Any, where: nn.Module | Tensor) -> dict:
    """Seconds for all units of a kind: ours, a pass of the model for each, and captum's ablation."""
    say(f"{type(model).__name__}")
    numbers = karikomi.knock_out(model, x[:8], y[:8], units=units)["unit"].to_numpy()
    once = partial(_hooked, where) if isinstance(where, nn.Module) else partial(_masked, where)
    before = _seconds(lambda: once(lambda: _loss(model, x, y)))
    began = time.perf_counter()
    karikomi.knock_out(model, x, y, units=numbers)
    ours = time.perf_counter() - began
    loop = (before + _seconds(lambda: once(lambda: _loss(model, x, y)))) / 2
    found = {"units": len(numbers), "karikomi": ours, "hooks": len(numbers) * loop}
    captum = _captum(model, x, y, where) if isinstance(where, nn.Module) else None
    return found if captum is None else {**found, "captum": len(numbers) * captum}


def _loss(model: nn.Module, x: Tensor, y: Tensor) -> float:
    losses = [
        F.cross_entropy(model(a), b, reduction="sum") for a, b in zip(x.split(BATCH), y.split(BATCH), strict=True)
    ]
    return sum(float(loss) for loss in losses) / len(y)


def _hooked(layer: nn.Module, loss: Callable[[], float]) -> None:
    """A pass in which a hook overwrites one of a layer's channels."""
    handle = layer.register_forward_hook(lambda m, given, out: out.index_fill(1, torch.tensor([3]), 0))
    loss()
    handle.remove()


def _masked(weight: Tensor, loss: Callable[[], float]) -> None:
    """A pass without the columns of a head's weight; a hook would keep the layer from PyTorch's fast path."""
    width = len(weight) // 8
    kept = weight[:, :width].clone()
    weight[:, :width] = 0
    loss()
    weight[:, :width] = kept


def _captum(model: nn.Module, x: Tensor, y: Tensor, layer: nn.Module) -> float | None:
    """One unit by captum's LayerFeatureAblation, which ablates all units of a layer; None where it is not there."""
    try:
        from captum.attr import LayerFeatureAblation
    except ImportError:
        return None
    shape: list[torch.Size] = []
    handle = layer.register_forward_hook(lambda m, given, out: shape.append(out.shape))
    model(x[:2])
    handle.remove()
    channels = shape[0][1]
    mask = torch.arange(channels).view(1, -1, 1, 1).expand(1, *shape[0][1:])

    def ablated() -> None:
        for images, labels in zip(x.split(BATCH), y.split(BATCH), strict=True):
            ablation = LayerFeatureAblation(partial(_summed, model, labels), layer)
            ablation.attribute(images, layer_baselines=0, layer_mask=mask)

    return _seconds(ablated) / channels


def _summed(model: nn.Module, y: Tensor, x: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y, reduction="sum")[None]


def _seconds(call: Callable[[], object]) -> float:
    """The median, after one that does not count."""
    call()
    times = []
    for _ in range(REPEATED):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times)


if __name__ == "__main__":
    part(measure)
