"""Statistics of a time that may never come: shares, medians, restricted means, paired comparisons."""

from anglewise.lab.stats.estimate import Interval, bootstrap_interval, censored_median, median_interval, wilson
from anglewise.lab.stats.paired import holm, sign_flip, speed_up
from anglewise.lab.stats.survival import SurvivalCurve, capped, kaplan_meier, logrank, restricted_mean

__all__ = [
    "Interval",
    "SurvivalCurve",
    "bootstrap_interval",
    "capped",
    "censored_median",
    "holm",
    "kaplan_meier",
    "logrank",
    "median_interval",
    "restricted_mean",
    "sign_flip",
    "speed_up",
    "wilson",
]
