"""The lesion study."""

from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.study import MeasureFormat, Picture, Study, later

HOME = "karikomi.studies.lesion"

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

LESION = Study(
    name="lesion",
    settings=LesionSettings,
    prepare=later(f"{HOME}.stages:prepare"),
    stages=later(f"{HOME}.stages:stages"),
    tables=later(f"{HOME}.tables:tables"),
    saved=later("karikomi.studies.healthy.tables:saved"),
    summarize=later(f"{HOME}.summary:summarize"),
    by_replicate=later(f"{HOME}.summary:by_replicate"),
    compared={
        "robustness": MeasureFormat("robustness", "R", 1, 3),
        "f50": MeasureFormat("f50", "% of the units", 100, 1),
    },
    pictures={name: Picture(later(f"{HOME}.pictures:{name}"), caption) for name, caption in CAPTIONS.items()},
)
