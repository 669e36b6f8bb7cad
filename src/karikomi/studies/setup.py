"""What every study needs before its first network is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from karikomi import data as datasets
from karikomi import seeds
from karikomi.data.dataset import Dataset, Split
from karikomi.engines.choice import choose
from karikomi.engines.contract import Engine, OptimizerState, Trial
from karikomi.engines.population.augmentation import check_augmentation
from karikomi.errors import InputError
from karikomi.networks import build, layout
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import Initialization, drawing, initialize
from karikomi.networks.modular import Layout, wire
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.runs.checkpoint import provenance_of
from karikomi.studies.settings import StudySettings

SettingsT = TypeVar("SettingsT", bound=StudySettings)


@dataclass(frozen=True)
class Setup(Generic[SettingsT]):
    """Settings with the data, the architecture and the engine they name.

    Attributes:
        trained: networks that are trained already, one per replicate; none where they are trained here.
        layout: groups and places of a modular network's units; None for any other network.
        built_for: the shape of a sample that the network was built for; the data may have got an axis of channels.
        left_out: criteria of the defaults that do not suit the network, with the reason.
    """

    settings: SettingsT
    data: Dataset
    architecture: Architecture
    engine: Engine
    trained: Sequence[Subnetwork] = ()
    layout: Layout | None = None
    built_for: tuple[int, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def splits(self) -> list[Split]:
        """Training and validation examples of each replicate."""
        s = self.settings
        splits = [
            self.data.split(s.validation, seeds.stream(s.seed, "split", replicate)) for replicate in range(s.replicates)
        ]
        if s.train_share is None:
            return splits
        streams = (seeds.stream(s.seed, "subset", replicate) for replicate in range(s.replicates))
        labels = self.data.train.y
        return [split.reduced(s.train_share, labels, rng) for split, rng in zip(splits, streams, strict=True)]

    @cached_property
    def wirings(self) -> list[Arrays | None]:
        """Which links each replicate's network has before any is removed; None: every one."""
        s = self.settings
        if self.layout is None:
            return [None] * s.replicates
        streams = (seeds.stream(s.seed, "wiring", replicate) for replicate in range(s.replicates))
        return [wire(self.layout, s.modular, rng) for rng in streams]

    @cached_property
    def link_cost(self) -> Arrays | None:
        """What a link of size 1 costs in the loss, by weight; None: nothing."""
        price = self.settings.wiring_cost
        if price == 0:
            return None
        assert self.layout is not None, "the settings refuse a wiring cost of networks without places"
        return {name: (price * length).astype(np.float32) for name, length in self.layout.distances().items()}

    @property
    def initialization(self) -> Initialization:
        """How initial weights are drawn; of a network's own ones, what builds it."""
        s = self.settings
        if s.initialization != "own":
            return s.initialization
        return partial(build, s.network, self.built_for, self.data.classes, **s.options)

    def initial(self, replicate: int, rng: np.random.Generator) -> Subnetwork:
        """A replicate's network with fresh weights."""
        return initialize(self.architecture, self.initialization, rng, self.wirings[replicate])

    def trial(self, subnetwork: Subnetwork, replicate: int, *key: int, state: OptimizerState | None = None) -> Trial:
        """To train a network of a replicate; those of equal ``key`` see the same minibatches and shifts."""
        names = ("order", "dropout", "augment")
        order, dropout, augment = (seeds.sequence(self.settings.seed, name, replicate, *key) for name in names)
        return Trial(subnetwork, self.splits[replicate], order, state, self.link_cost, dropout, augment)

    def provenance(self, study: str, replicate: int, **more: object) -> dict[str, str]:
        """What a file says of a network of this study: what rebuilds it, the settings, and more about it."""
        network, settings = self.settings.network, self.settings.model_dump_json()
        about = {"study": study, "settings": settings, "replicate": replicate, **more}
        return provenance_of(network, self.built_for, self.data.classes, **about)


def prepare(settings: SettingsT, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> Setup[SettingsT]:
    """Load and check everything, so that what cannot work is refused before anything is written.

    Args:
        settings: those of the study.
        data: your own data; without it the data that the settings name.
        models: your own trained modules of one architecture, one per replicate.

    Raises:
        InputError: where the data or the architecture do not exist or do not fit.
    """
    if data is None:
        if settings.data_sha256 and datasets.fingerprint(settings.data) != settings.data_sha256:
            raise InputError(f"{settings.data} has changed since this run began; choose another run folder")
        data = datasets.load(settings.data, settings.label_column)
    if settings.label_noise is not None:
        data = data.with_label_noise(settings.label_noise, seeds.stream(settings.seed, "labels"))
    if settings.standardize:
        data = data.standardized()
    if models:
        module = models[0]
    else:
        with drawing(seeds.stream(settings.seed, "init")):  # for what no scheme draws again
            module = build(settings.network, data.sample_shape, data.classes, **settings.options)
    built_for = data.sample_shape
    data, architecture = fitted(module, data)
    _check_outputs(architecture.anatomy.tape.output, data.classes)
    trained = [Subnetwork.from_module(model, architecture) for model in models]
    places = None if models else layout(settings.network, architecture, settings.modular)
    engine = choose(settings.engine, architecture, settings.recipe())
    check_augmentation(settings.augment or (), data.sample_shape)
    setup = Setup(settings, data, architecture, engine, trained, places, built_for)
    _ = setup.wirings, setup.link_cost
    if settings.trains:
        setup = replace(setup, settings=settings.for_examples(len(setup.splits[0].train)))
    return setup


def _check_outputs(outputs: Any, classes: int) -> None:
    if not isinstance(outputs, torch.Tensor):
        raise InputError(f"the network must give one tensor of outputs; it gives a {type(outputs).__name__}")
    if outputs.ndim != 2 or outputs.shape[1] < classes:
        shape = ", ".join(["n", *map(str, outputs.shape[1:])])
        raise InputError(f"the network must give outputs [n, {classes}] or more, one per class; it gives [{shape}]")


def fitted(module: nn.Module, data: Dataset) -> tuple[Dataset, Architecture]:
    """The data as the module takes them, and the module's architecture.

    Images without channels get an axis of them where only that is taken.

    Raises:
        InputError: if the module takes them in neither form.
    """
    problem = None
    for form in (data, data.with_channels()) if len(data.sample_shape) == 2 else (data,):
        some = form.train.take(np.arange(3))
        architecture = Architecture(module, (torch.from_numpy(some.x).float() * some.scale,))
        try:
            _ = architecture.anatomy
        except InputError as error:
            problem = problem or error
        else:
            return form, architecture
    assert problem, "one form was tried"
    raise problem
