"""The lesion study, put together."""

from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.study import MeasureFormat, Way, study

CAPTIONS = {
    "accuracy": "Test accuracy while units go, those of the highest scores first or of the lowest; grey: random orders,"
    " of all units and within the layers. Bands are 95 % intervals over replicates.",
    "loss": "Test loss while units go.",
    "accuracy_by_parameters": "Test accuracy against the parameters that are left.",
    "differences": "Robustness R minus that of random orders, with 95 % intervals. Left of 0 accuracy falls sooner than"
    " by chance. Filled marks are shown to differ (p < 0.05, Holm-corrected).",
    "cliffs": "The largest drop of accuracy by a single unit in every order and replicate: how large, and when. A cliff"
    " stands out above the grey dots, the layer-matched random orders.",
    "class_accuracy": "Accuracy of each class while units go, by the criterion that differs most from random orders.",
}

STUDY = study(
    "lesion",
    LesionSettings,
    compared={
        "robustness": MeasureFormat("robustness", "R", 1, 3),
        "f50": MeasureFormat("f50", "% of the units", 100, 1),
    },
    captions=CAPTIONS,
    comparisons=True,
    life=True,
    saved="karikomi.studies.healthy.tables:saved",
    way=Way("curves", "step", ("criterion", "direction", "timing", "control"), ("accuracy", "loss")),
)
