"""The statistics of these studies: the replicate is the unit, comparisons are paired, intervals are everywhere."""

from karikomi.statistics.association import (
    Correlation,
    partial_spearman,
    pooled_spearman,
    replicated_spearman,
    spearman,
)
from karikomi.statistics.bootstrap import hierarchical_difference, hierarchical_interval
from karikomi.statistics.calibration import calibration_error
from karikomi.statistics.cliff import Cliff, Drop, compare_drops, largest_drop
from karikomi.statistics.corrections import benjamini_hochberg, fisher_combined, holm
from karikomi.statistics.curves import f50, robustness
from karikomi.statistics.intervals import ALPHA, Difference, Interval, mean_interval, one_sided, paired_difference
from karikomi.statistics.pairs import pair_interval
from karikomi.statistics.shapley import interaction, marginals, shapley

__all__ = [
    "ALPHA",
    "Cliff",
    "Correlation",
    "Difference",
    "Drop",
    "Interval",
    "benjamini_hochberg",
    "calibration_error",
    "compare_drops",
    "f50",
    "fisher_combined",
    "hierarchical_difference",
    "hierarchical_interval",
    "holm",
    "interaction",
    "largest_drop",
    "marginals",
    "mean_interval",
    "one_sided",
    "pair_interval",
    "paired_difference",
    "partial_spearman",
    "pooled_spearman",
    "replicated_spearman",
    "robustness",
    "shapley",
    "spearman",
]
