"""Training of modules of your own, under masks that stay."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from karikomi import data as datasets
from karikomi import seeds
from karikomi.data.dataset import Dataset, Examples
from karikomi.engines.choice import choose
from karikomi.engines.contract import Engine, Trained, Trial
from karikomi.engines.population.augmentation import check_augmentation
from karikomi.engines.population.source import computing_on
from karikomi.errors import InputError, unknown
from karikomi.networks.architecture import Architecture
from karikomi.networks.samples import first_tensor
from karikomi.networks.subnetwork import Subnetwork
from karikomi.networks.tape import unwrapped
from karikomi.removal.shrink import permanent
from karikomi.studies.setup import fitted
from karikomi.studies.training import TrainingSettings

Masks = Mapping[str, "np.ndarray | Tensor"]
Data = Dataset | str | tuple[Any, Any]
ModuleT = TypeVar("ModuleT", bound=nn.Module)


@overload
def train(model: ModuleT, data: Data, *, masks: Masks | None = None, **settings: Any) -> ModuleT: ...
@overload
def train(
    model: Sequence[ModuleT], data: Data, *, masks: Masks | Sequence[Masks] | None = None, **settings: Any
) -> list[ModuleT]: ...
def train(
    model: ModuleT | Sequence[ModuleT],
    data: Data,
    *,
    masks: Masks | Sequence[Masks] | None = None,
    validation: int | None = None,
    best: bool = False,
    seed: int = 0,
    **settings: Any,
) -> ModuleT | list[ModuleT]:
    """Train a model, or many at once, under masks that stay: a removed link is exactly 0 after every step.

    It goes on from the weights that the model has. Adam's moments, momentum and weight decay cannot bring a removed
    link back. Several models are trained together, which is faster, and see the same minibatches.

    Args:
        model: a classifier that gives ``[n, classes]``, or several, whatever their architectures.
        data: a ``Dataset``, the name or path of one, or inputs and labels ``(x, y)`` as in :func:`karikomi.knock_out`.
        masks: for weights of linear, convolutional and attention layers by name, such as ``fc1.weight``, which links
            there are: bool, or 0 and 1, in the weight's shape; layers that are not named are whole. One mapping for
            all models, or one each. By default the masks of ``torch.nn.utils.prune``; without those, weights that are
            exactly 0 stay so, but in layers that are 0 as a whole. ``{}``: nothing is removed.
        validation: training examples held back, stratified, for the curve and ``best``; by default a tenth,
            at least one of each class.
        best: the weights at the lowest validation loss in place of those at the end.
        seed: draws minibatches, validation examples, dropout and augmentation.
        settings: as in every study: ``iterations`` (5000) or ``epochs``, ``batch`` (60, at most all), ``optimizer``
            (``adam``, ``adamw``, ``sgd``, ``nesterov``), ``learning_rate`` (0.0012), ``learning_rate_schedule``
            (``constant``, ``step``, ``cosine``), ``warm_up``, ``momentum`` (0.9), ``weight_decay``,
            ``label_smoothing``, ``clip``, ``augment``, ``validate_every`` (100), ``engine``, ``device``; see
            ``karikomi lottery --help``.

    Returns:
        A new model, or a list of them, of the class, device and mode of what was given, which stays as it is. Pruning
        and parametrizations are made permanent. ``.curve`` is a table with a row per validation: ``iteration``,
        ``train_loss``, ``validation_loss`` (nats) and ``validation_accuracy`` (0 … 1).

    Raises:
        InputError: if model, data, masks and settings do not fit together.

    >>> from karikomi.networks import build
    >>> x, y = np.random.default_rng(0).random((60, 4)), np.arange(60) % 2
    >>> mask = np.arange(12).reshape(3, 4) % 2
    >>> model = train(build("mlp-3", (4,), 2), (x, y), masks={"fc1.weight": mask}, iterations=20, batch=10)
    >>> (model.fc1.weight != 0).int().tolist()
    [[0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]
    >>> list(model.curve)
    ['iteration', 'train_loss', 'validation_loss', 'validation_accuracy']
    """
    models = [model] if isinstance(model, nn.Module) else list(model)
    given = [masks] * len(models) if masks is None or isinstance(masks, Mapping) else list(masks)
    if len(given) != len(models):
        raise InputError(f"there must be a mapping of masks for each of {len(models)} models; there are {len(given)}")
    known = _dataset(data)
    held_back = max(known.classes, len(known.train) // 10) if validation is None else validation
    split = known.split(held_back, seeds.stream(seed, "split", 0))
    chosen = TrainingSettings.of(**{"batch": min(60, len(split.train)), **settings})
    recipe = chosen.for_examples(len(split.train)).recipe()
    check_augmentation(recipe.augment, known.sample_shape)
    order, dropout, augment = (seeds.sequence(seed, name, 0) for name in ("order", "dropout", "augment"))
    together: dict[tuple[Engine, tuple[int, ...]], list[_Job]] = {}
    for number, (one, its_masks) in enumerate(zip(models, given, strict=True)):
        whole = permanent(unwrapped(one)).cpu()
        form, architecture = fitted(whole, known)
        trial = Trial(_start(one, architecture, its_masks), split, order, dropout=dropout, augment=augment)
        with computing_on(chosen.device):
            engine = choose(chosen.engine, architecture, recipe)
        together.setdefault((engine, form.sample_shape), []).append(_Job(number, engine, form, trial))
    done: dict[int, Any] = {}
    for jobs in together.values():
        _, engine, form, _ = jobs[0]
        with computing_on(chosen.device):
            results = engine.train([job.trial for job in jobs], form, recipe)
        done |= {job.number: _told(models[job.number], one, best) for job, one in zip(jobs, results, strict=True)}
    return done[0] if isinstance(model, nn.Module) else [done[number] for number in range(len(models))]


class _Job(NamedTuple):
    number: int
    engine: Engine
    data: Dataset
    trial: Trial


def _dataset(data: Data) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str):
        return datasets.load(data)
    x, y = (one.detach().cpu().numpy() if isinstance(one, Tensor) else one for one in data)
    examples = Examples.from_arrays(x, y)
    return Dataset("arrays", examples, examples, int(examples.y.max()) + 1)


def _start(model: nn.Module, architecture: Architecture, masks: Masks | None) -> Subnetwork:
    """The network with its own weights, and the links that the masks leave."""
    weights = {name: value.numpy().copy() for name, value in architecture.module.state_dict().items()}
    links = architecture.link_weights
    if masks is None:
        buffers = dict(unwrapped(model).named_buffers())
        pruned = {name: buffers[f"{name}_mask"] for name in links if f"{name}_mask" in buffers}
        masks = pruned or {name: weights[name] != 0 for name in links if weights[name].any()}
    if strangers := masks.keys() - set(links):
        raise unknown("weight with links", min(strangers), links)
    whole = Subnetwork.full(architecture, weights)
    return whole.masked({**whole.masks, **{name: _mask(name, mask, weights[name]) for name, mask in masks.items()}})


def _mask(name: str, given: np.ndarray | Tensor, weight: np.ndarray) -> np.ndarray:
    mask = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if mask.shape != weight.shape or not np.isin(mask, (0, 1)).all():
        shapes = f"in the shape {list(weight.shape)}; its shape is {list(mask.shape)}"
        raise InputError(f"the mask of {name} must hold 0 and 1, {shapes}")
    return mask.astype(bool)


def _told(model: nn.Module, result: Trained, best: bool) -> nn.Module:
    """The model with its new weights, where it was, and its curve."""
    network, curve = result.best if best else result.final, result.curve
    module, device = deepcopy(network.module), first_tensor(unwrapped(model)).device
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in network.weights.items()})
    module.curve = pd.DataFrame(vars(curve))  # type: ignore[assignment]
    return module.to(device)
