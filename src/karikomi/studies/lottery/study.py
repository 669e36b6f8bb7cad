"""The lottery study, put together."""

from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.study import FOREST, MeasureFormat, Way, study

CAPTIONS = {
    "variants": "Test accuracy at the early stop of the tickets of every variant against the links that are left; bands"
    " are 95 % intervals over replicates. The figures of single links below are those of the first variant.",
    "accuracy": "Test accuracy at the early stop against the links that are left. The line across is the dense"
    " network; bands are 95 % intervals over replicates.",
    "initial_accuracy": "Test accuracy before any weight is trained: what masks and signs alone do (Zhou et al. 2019).",
    "early_stop": "How soon each network is at its best: the iteration of minimum validation loss. Lower is faster.",
    "final_accuracy": "Test accuracy after all iterations.",
    "learning_curves": "Validation accuracy and loss during training at several densities, with 95 % intervals.",
    "links_per_pixel": "Surviving first-layer links of each pixel after every round, mean over replicates.",
    "first_layer_mask": "The first layer's mask in replicate 0: a dot is a surviving link.",
    "links_per_unit": "Surviving links into and out of each unit in replicate 0, after the last round.",
    "weights": "Weights of the links that survive, before and after training, by layer; mean over replicates. In grey"
    " all weights; σ is the standard deviation of the layer's initial weights.",
    "links_in_common": "Links that two replicates' tickets have in common, over what they have where masks are shuffled"
    " in the layer; dashed, where units keep their numbers of links. Bands are 95 % jackknife intervals.",
    "answers": "Test images that are answered differently, and the calibration error (15 bins), with 95 % intervals. A"
    " majority of replicates is one for all of them and has none.",
    "exemplars": "Test images whose answer by most tickets of the last round is not that by most dense networks. Below"
    " each its class, and the answers of the dense networks and of the tickets.",
    "recalls": "Change of recall from the dense network to the ticket by class, with 95 % intervals; filled: shown.",
    "comparisons": f"{FOREST} Colours: the links that are left.",
}

STUDY = study(
    "lottery",
    LotterySettings,
    compared={
        "test_accuracy": MeasureFormat("accuracy at the early stop", "%", 100, 2),
        "early_stop_iteration": MeasureFormat("early stop", "iterations", 1, 0),
    },
    captions=CAPTIONS,
    comparisons=True,
    life=True,
    margin=True,
    way=Way("curves", "iteration", ("variant", "arm", "round"), ("validation_accuracy", "validation_loss")),
)
