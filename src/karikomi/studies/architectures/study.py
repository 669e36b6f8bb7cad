"""The study of architectures, put together."""

from karikomi.studies.architectures.settings import ArchitecturesSettings
from karikomi.studies.study import MeasureFormat, Way, study

CAPTIONS = {
    "curves": "Test accuracy while units are removed at random, layers in proportion, in every condition; bands are"
    " 95 % intervals over replicates.",
    "effects": "Effects of size, depth, dropout and normalization on robustness R, averaged over the other factors,"
    " with 95 % intervals. Filled marks are shown to differ from 0 (p < 0.05, Holm-corrected).",
    "recovery": "Accuracy of each network after ageing without training, and retrained.",
}

STUDY = study(
    "architectures",
    ArchitecturesSettings,
    compared={
        "accuracy": MeasureFormat("accuracy", "%", 100, 2),
        "robustness": MeasureFormat("robustness", "R", 1, 3),
        "recovered": MeasureFormat("recovered", "%", 100, 2),
    },
    captions=CAPTIONS,
    comparisons=True,
    way=Way("curves", "share_removed", ("network", "dropout", "normalization"), ("accuracy",), 100),
)
