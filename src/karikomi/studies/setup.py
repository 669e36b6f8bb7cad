"""What every study needs before its first network is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from torch import nn

from karikomi import data as datasets
from karikomi import seeds
from karikomi.data.dataset import Dataset, Split
from karikomi.engines.choice import choose
from karikomi.engines.contract import Engine, Recipe
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.subnetwork import Subnetwork
from karikomi.studies.settings import StudySettings

SettingsT = TypeVar("SettingsT", bound=StudySettings)


@dataclass(frozen=True)
class Setup(Generic[SettingsT]):
    """Settings with the data, the architecture and the engine they name.

    Attributes:
        trained: networks that are trained already, one per replicate; none where they are trained here.
    """

    settings: SettingsT
    data: Dataset
    module: nn.Module
    engine: Engine
    trained: Sequence[Subnetwork] = ()

    @cached_property
    def splits(self) -> list[Split]:
        """Training and validation examples of each replicate."""
        s = self.settings
        return [
            self.data.split(s.validation, seeds.stream(s.seed, "split", replicate)) for replicate in range(s.replicates)
        ]

    def recipe(self, snapshot_at: int | None = None) -> Recipe:
        """How the settings say that networks are trained."""
        s = self.settings
        return Recipe(
            iterations=s.iterations,
            batch=s.batch,
            optimizer=s.optimizer,
            learning_rate=s.learning_rate,
            momentum=s.momentum,
            weight_decay=s.weight_decay,
            validate_every=s.validate_every,
            snapshot_at=snapshot_at,
        )


def prepare(
    settings: SettingsT, data: Dataset | None = None, models: Sequence[nn.Module] = ()
) -> Setup[SettingsT]:
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
        data = datasets.load(settings.data)
    module = models[0] if models else build(settings.network, data.sample_shape, data.classes)
    trained = [Subnetwork.from_module(model) for model in models]
    setup = Setup(settings, data, module, choose(settings.engine, module), trained)
    if settings.trains:
        _ = setup.splits
    return setup
