"""What a user would write in plain PyTorch: data in memory, masks multiplied in, fused Adam."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines.contract import Recipe, Trial, minibatches
from karikomi.networks.subnetwork import Subnetwork

# Images that pass through the network at once in an evaluation: of 500 to 10,000, 1,000 and 2,000 were the fastest.
BLOCK = 2000


def tensors(examples: Examples) -> tuple[Tensor, Tensor]:
    """Inputs as float32 and labels."""
    return torch.from_numpy(examples.x * np.float32(examples.scale)), torch.from_numpy(examples.y)


def model_of(subnetwork: Subnetwork) -> nn.Module:
    model = deepcopy(subnetwork.module)
    model.load_state_dict({name: torch.tensor(value) for name, value in subnetwork.weights.items()})
    return model


def masks_of(subnetwork: Subnetwork) -> dict[str, Tensor]:
    """As floats, for layers that have lost links: a dense network has nothing to multiply."""
    return {name: torch.tensor(mask, dtype=torch.float32) for name, mask in subnetwork.masks.items() if not mask.all()}


def minibatch_losses(
    model: nn.Module,
    masks: dict[str, Tensor],
    x: Tensor,
    y: Tensor,
    order: Tensor,
    rate: float,
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Tensor]:
    """The training loop; it hands over the loss after every step. ``forward`` is the model compiled, if it is."""
    forward = model if forward is None else forward
    optimizer = torch.optim.Adam(model.parameters(), rate, fused=True)
    masked = [(model.get_parameter(name), mask) for name, mask in masks.items()]
    for indices in order:
        loss = cross_entropy(forward(x.index_select(0, indices)), y.index_select(0, indices))
        optimizer.zero_grad()
        loss.backward()
        # Adam's moments then stay 0 where a link is removed, and so does the weight.
        for weight, mask in masked:
            if weight.grad is not None:
                weight.grad.mul_(mask)
        optimizer.step()
        yield loss.detach()


@torch.no_grad()
def evaluate(model: nn.Module, blocks: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Mean loss and accuracy."""
    loss, hits, seen = 0.0, 0, 0
    for x, y in blocks:
        logits = model(x)
        loss += float(cross_entropy(logits, y, reduction="sum"))
        hits += int((logits.argmax(1) == y).sum())
        seen += len(y)
    return loss / seen, hits / seen


def _blocks(x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(x.split(BLOCK), y.split(BLOCK), strict=True))


@dataclass(frozen=True)
class Measured:
    """What the lottery wants to know of a network."""

    test_accuracy: float
    final_test_accuracy: float
    train_accuracy: float


class Lottery:
    """Trains and measures networks one by one, with all data in memory."""

    def __init__(self, data: Dataset) -> None:
        self.train, self.test = tensors(data.train), _blocks(*tensors(data.test))

    def measure(self, trial: Trial, recipe: Recipe) -> Measured:
        """Train, validate on the way, and evaluate at the early stop and at the end."""
        x, y = self.train
        held_back, train = torch.from_numpy(trial.split.validation), torch.from_numpy(trial.split.train)
        validation = _blocks(x[held_back], y[held_back])
        stream = minibatches(trial, recipe.batch)
        order = torch.from_numpy(np.stack([next(stream) for _ in range(recipe.iterations)]))
        model, masks = model_of(trial.subnetwork), masks_of(trial.subnetwork)
        lowest, total, due = np.inf, torch.zeros(()), set(recipe.validations())
        best = deepcopy(model.state_dict())
        for iteration, loss in enumerate(minibatch_losses(model, masks, x, y, order, recipe.learning_rate), start=1):
            total += loss
            if iteration in due:
                validation_loss, _ = evaluate(model, validation)
                if validation_loss < lowest:
                    lowest, best = validation_loss, deepcopy(model.state_dict())
        _, final_test = evaluate(model, self.test)
        _, final_train = evaluate(model, ((x[some], y[some]) for some in train.split(BLOCK)))
        model.load_state_dict(best)
        _, test = evaluate(model, self.test)
        return Measured(test, final_test, final_train)
