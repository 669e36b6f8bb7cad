"""The stability study, put together."""

from karikomi.studies.stability.settings import StabilitySettings
from karikomi.studies.study import MeasureFormat, Way, study

CAPTIONS = {
    "error": "Test error on the straight line between twins that part after K iterations, by the links that are left;"
    " bands are 95 % intervals over replicates.",
    "loss": "Test loss on the same lines.",
    "barrier_over_iteration": "The error barrier between twins against the iteration K at which they part, with 95 %"
    " intervals; below the dashed line, 2 points, a network is stable.",
    "barrier_over_density": "The error barrier against the links that are left: between twins, and between the tickets"
    " of a round and of the one before.",
}

STUDY = study(
    "stability",
    StabilitySettings,
    compared={
        "error_barrier": MeasureFormat("error barrier", "points", 100, 2),
        "loss_barrier": MeasureFormat("loss barrier", "nats", 1, 4),
        "error": MeasureFormat("error at the ends", "%", 100, 2),
    },
    captions=CAPTIONS,
    prepare="karikomi.studies.setup:prepare",
    way=Way("lines", "position", ("after", "round", "pair"), ("error", "loss"), 100),
)
