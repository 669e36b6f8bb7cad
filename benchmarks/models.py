"""Lesions of a ResNet-20 and of a transformer side by side with a loop of forward hooks, and with captum."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from arguments import Arguments, part, say
from torch import Tensor, nn
from workers import CORES

import karikomi

IMAGES, SEQUENCES, REPEATED = 1000, 256, 3
# Units spread evenly over the layers are timed, and multiplied up.
SAMPLED = 49


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
    labels = classes.repeat(len(tokens) // 4)
    return {
        "images": many,
        "sequences": len(tokens),
        "models": {
            "ResNet-20, every channel": _compared(resnet, images, answers, "channels", hooked.bn1),
            "transformer, every head": _compared(transformer, tokens, labels, "heads", transformer.encoder.layers[3]),
        },
    }


def _compared(model: nn.Module, x: Tensor, y: Tensor, units: Any, hooked: nn.Module) -> dict:
    """Seconds for all units of a kind: ours, a pass of the model with a hook for each, and captum's ablation."""
    say(f"{type(model).__name__}")
    numbers = karikomi.knock_out(model, x[:8], y[:8], units=units)["unit"].to_numpy()
    sampled = numbers[:: max(1, len(numbers) // SAMPLED)]
    first = _seconds(lambda: karikomi.knock_out(model, x, y, units=sampled[:1]))
    several = _seconds(lambda: karikomi.knock_out(model, x, y, units=sampled))
    ours = first + (several - first) / max(1, len(sampled) - 1) * len(numbers)
    found = {"units": len(numbers), "karikomi": ours, "hooks": len(numbers) * _hook(model, x, y, hooked)}
    captum = _captum(model, x, y, hooked)
    return found if captum is None else {**found, "captum": len(numbers) * captum}


def _hook(model: nn.Module, x: Tensor, y: Tensor, hooked: nn.Module) -> float:
    """One pass in which a hook overwrites some of a layer's outputs."""

    def once() -> None:
        axis = 1 if x.is_floating_point() else -1
        handle = hooked.register_forward_hook(lambda m, given, out: out.index_fill(axis, torch.tensor([3]), 0))
        F.cross_entropy(model(x), y).item()
        handle.remove()

    return _seconds(once)


def _captum(model: nn.Module, x: Tensor, y: Tensor, layer: nn.Module) -> float | None:
    """One unit by captum's LayerFeatureAblation, which ablates all units of a layer; None where it is not there."""
    try:
        from captum.attr import LayerFeatureAblation
    except ImportError:
        return None
    if not x.is_floating_point():
        return None
    shape: list[torch.Size] = []
    handle = layer.register_forward_hook(lambda m, given, out: shape.append(out.shape))
    model(x[:2])
    handle.remove()
    channels = shape[0][1]
    mask = torch.arange(channels).view(1, -1, 1, 1).expand(1, *shape[0][1:])
    ablation = LayerFeatureAblation(lambda images: F.cross_entropy(model(images), y)[None], layer)
    began = time.perf_counter()
    ablation.attribute(x, layer_baselines=0, feature_mask=mask)
    return (time.perf_counter() - began) / channels


def _seconds(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATED):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times)


if __name__ == "__main__":
    part(measure)
