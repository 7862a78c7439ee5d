"""Statistics of a time that may never come: shares, medians, restricted means, paired comparisons."""

from anglewise.lab.stats.estimate import Interval, censored_median, mean_interval, median_interval, share
from anglewise.lab.stats.paired import PValue, holm, sign_flip, speed_up
from anglewise.lab.stats.survival import SurvivalCurve, capped, kaplan_meier, logrank, restricted_mean

__all__ = [
    "Interval",
    "PValue",
    "SurvivalCurve",
    "capped",
    "censored_median",
    "holm",
    "kaplan_meier",
    "logrank",
    "mean_interval",
    "median_interval",
    "restricted_mean",
    "share",
    "sign_flip",
    "speed_up",
]
