"""The study of growing networks, put together."""

from karikomi.studies.grow.settings import GrowSettings
from karikomi.studies.study import FOREST, MeasureFormat, Way, study

CAPTIONS = {
    "accuracy": "Test accuracy at the end of training against the links that the sparse arms have. The line across is"
    " the dense network; bands are 95 % intervals over replicates.",
    "units_alive": "Units on a path from the inputs to the outputs, by layer and density, while links grow; means over"
    " replicates.",
    "new_links": "Share of the links that were not there at the start; bands are 95 % intervals over replicates.",
    "strengths": "In-strength of the units, Σ |w|: median and the middle 80 % of each layer, means over replicates.",
    "links_per_pixel": "First-layer links of each pixel at the end, mean over replicates.",
    "comparisons": f"{FOREST} Colours: the links of the sparse arms.",
}

STUDY = study(
    "grow",
    GrowSettings,
    compared={
        "final_test_accuracy": MeasureFormat("accuracy", "%", 100, 2),
        "new": MeasureFormat("new links", "%", 100, 1),
    },
    captions=CAPTIONS,
    comparisons=True,
    life=True,
    way=Way("curves", "iteration", ("arm", "density"), ("validation_accuracy", "validation_loss")),
)
