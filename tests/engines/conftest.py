"""What the engines' tests share: a little of MNIST, networks with random masks, and the oracle."""

import copy
from importlib import resources

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.engines.contract import Recipe, Trial, minibatches
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """On tensors this small threads wait for each other, above all beside other test processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def data() -> Dataset:
    with resources.files("karikomi.data").joinpath("mnist.npz").open("rb") as file, np.load(file) as mnist:
        return Dataset.from_arrays(
            mnist["x_train"][:2000], mnist["y_train"][:2000], mnist["x_test"][:500], mnist["y_test"][:500]
        )


# With seed 0 a hidden unit's sum is 5e-8 in the sixth step of SGD with weight decay: whether that unit learns would
# then depend on the order of additions, which is each engine's own.
SEED = 2


class Make:
    """Subnetworks and trials from a seed."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def subnetwork(self, module: nn.Module, density: float = 1.0, seed: int = SEED) -> Subnetwork:
        """Fresh weights; every link is left with probability ``density``."""
        whole = initialize(Architecture(module), "glorot", seeds.stream(seed, "init"))
        rng = seeds.stream(seed, "random")
        return whole.masked({name: rng.random(mask.shape) < density for name, mask in whole.masks.items()})

    def trial(self, module: nn.Module, density: float = 1.0, seed: int = SEED, validation: int = 100) -> Trial:
        split = self.data.split(validation, seeds.stream(seed, "split"))
        return Trial(self.subnetwork(module, density, seed), split, seeds.sequence(seed, "order"))


@pytest.fixture(scope="session")
def make(data: Dataset) -> Make:
    return Make(data)


def _optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters, decay = module.parameters(), recipe.weight_decay
    if recipe.optimizer in ("adam", "adamw"):
        adam = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
        return adam(parameters, weight_decay=decay)
    nesterov = recipe.optimizer == "nesterov"
    return torch.optim.SGD(parameters, 1.0, recipe.momentum, weight_decay=decay, nesterov=nesterov)


class Oracle:
    """One network in plain PyTorch: no stacking, no masked gradients; removed links are multiplied away."""

    def __init__(self, trial: Trial, data: Dataset, recipe: Recipe, *later: tuple[Trial, Recipe]) -> None:
        self.module = copy.deepcopy(trial.subnetwork.module)
        self.module.load_state_dict({name: torch.tensor(w) for name, w in trial.subnetwork.weights.items()})
        self.masks = {name: torch.tensor(mask) for name, mask in trial.subnetwork.masks.items()}
        optimizer = _optimizer(self.module, recipe)
        rates = optimizer.param_groups[0]
        self.losses: list[float] = []
        self.frozen = {name: torch.tensor(where) for name, where in (trial.frozen or {}).items()}
        self.start = {name: torch.tensor(trial.subnetwork.weights[name]) for name in self.frozen}
        costs = {name: torch.tensor(cost) for name, cost in (trial.link_cost or {}).items()}
        for stage, told in ((trial, recipe), *later):  # with one optimizer, which goes on
            for rates["lr"], indices in zip(told.rates.tolist(), minibatches(stage, told.batch), strict=False):
                self.module.train()
                outputs, labels = self(data.train.x[indices]), torch.tensor(data.train.y[indices])
                loss = cross_entropy(outputs, labels, label_smoothing=recipe.label_smoothing)
                weights = self.module.state_dict(keep_vars=True)
                optimizer.zero_grad()
                (loss + sum((cost * weights[name].abs()).sum() for name, cost in costs.items())).backward()
                if recipe.clip is not None:
                    nn.utils.clip_grad_norm_(self.module.parameters(), recipe.clip)
                optimizer.step()
                self.losses.append(loss.item())

    def __call__(self, x: np.ndarray) -> torch.Tensor:
        weights = {name: p * self.masks.get(name, 1) for name, p in self.module.named_parameters()}
        weights |= {name: torch.where(self.frozen[name], self.start[name], weights[name]) for name in self.frozen}
        return functional_call(self.module, weights, (torch.tensor(x).float() / 255,))

    @torch.no_grad()
    def loss(self, x: np.ndarray, y: np.ndarray) -> float:
        self.module.eval()
        return cross_entropy(self(x).double(), torch.tensor(y)).item()

    def weights(self) -> dict[str, np.ndarray]:
        found = {name: value.detach() * self.masks.get(name, 1) for name, value in self.module.state_dict().items()}
        found |= {name: torch.where(self.frozen[name], self.start[name], found[name]) for name in self.frozen}
        return {name: value.numpy() for name, value in found.items()}


@pytest.fixture(scope="session")
def oracle() -> type[Oracle]:
    return Oracle
