"""Claims in plain words: what is trained, what an arm is, where something is read, how a rule decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from anglewise.lab.report.format import number, percent
from anglewise.lab.studies.claims.claim import Scale
from anglewise.lab.studies.claims.comparisons import Alike, Apart, Halves, Interaction, Interior, Precedes, Selected
from anglewise.lab.studies.claims.decision import Rule
from anglewise.lab.studies.claims.reading_rules import Close, Level, Ratio
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Generalises, Sooner

_MLP: Mapping[Scale, str] = {
    "desk": "An MLP with two hidden layers of 128 learns a + b mod 59 from 70 % of all pairs.",
    "paper": "An MLP with two hidden layers of 512 learns a + b mod 97 from 50 % of all pairs.",
}
_FAST = "A small MLP that generalises after some hundred steps learns"
TRAINED: Mapping[str, Mapping[Scale, str]] = {
    "mlp": _MLP,
    "mlp, read": {scale: f"{said} It is measured while it trains." for scale, said in _MLP.items()},
    "mlp, few examples": {
        "desk": "An MLP with two hidden layers of 128 learns a + b mod 59 from 50 % of all pairs.",
        "paper": "An MLP with two hidden layers of 512 learns a + b mod 97 from 30 % of all pairs.",
    },
    "transformer": {
        "desk": "A Transformer with 2 layers of 64 learns a + b mod 59 from 70 % of all pairs.",
        "paper": "A Transformer with 2 layers of 128 learns a + b mod 97 from 50 % of all pairs.",
    },
    "fast": {"desk": f"{_FAST} a + b mod 113 from 40 % of all pairs."},
    "fast, read": {"desk": f"{_FAST} a + b mod 113 from 40 % of all pairs. It is measured while it trains."},
    "fast, held out": {"desk": f"{_FAST} a + b mod 113. Held-out training pairs judge it."},
    "fast, a - b": {"desk": f"{_FAST} a - b mod 113 from 40 % of all pairs."},
    "fast, a * b": {"desk": f"{_FAST} a * b mod 113 from 40 % of all pairs."},
    "fast, a / b": {"desk": f"{_FAST} a / b mod 113 from 40 % of all pairs."},
    "fast, x^2+xy+y^2": {"desk": f"{_FAST} x^2+xy+y^2 mod 113 from 60 % of all pairs."},
    "fast, S5": {"desk": f"{_FAST} the composition of permutations of 5 things, from 50 % of all pairs."},
    "parity": {"desk": "An MLP with two hidden layers of 200 learns the parity of 3 of 30 bits from 1,000 examples."},
    "gpt": {"desk": "A GPT of 4 layers of 64 learns to add numbers of 3 digits from 10,000 sums."},
    "text": {"desk": "A GPT of 4 layers of 64 learns the next character of Tiny Shakespeare."},
    "early warning": {"desk": "Nothing was trained: the scores of the record of early warning decide."},
    "random labels": {scale: said.replace("a + b", "labels that mean nothing,") for scale, said in _MLP.items()},
}
"""What is trained, by system and scale; a test holds the numbers against the systems themselves."""

VERDICTS: Mapping[str, str] = {
    "supported": "our estimate reaches what is claimed, and its interval excludes the opposite",
    "refuted": "our runs exclude what is claimed",
    "inconclusive": "our runs decide neither",
    "depends": "some readings of the paper, or some tasks, support the claim, and others refute it",
}
"""What a verdict means."""

PARTS: Mapping[str, tuple[str, str]] = {
    "decay": ("AdamW", "AdamW with weight decay {}"),
    "AdamW": ("untuned AdamW", ""),
    "tuned AdamW": ("tuned AdamW", ""),
    "penalty": ("the penalty towards radius sqrt(d)", "the penalty towards radius sqrt(d) with strength {}"),
    "outer penalty": ("the penalty on radii above its target alone", "the penalty on radii above its target alone"),
    "inner penalty": ("the penalty on radii below its target alone", "the penalty on radii below its target alone"),
    "penalty to": ("", "the penalty towards radius {} sqrt(d)"),
    "MAN": ("MAN", "MAN with strength {}"),
    "dropout": ("dropout", "dropout at rate {}"),
    "LayerNorm": ("LayerNorm without gains", ""),
    "affine LayerNorm": ("LayerNorm with gains", ""),
    "RMSNorm": ("RMSNorm without gains", ""),
    "projection": ("a projection on radius sqrt(d)", "a projection on radius {} sqrt(d)"),
    "straight-through projection": (
        "a projection on radius sqrt(d), with the gradient let through",
        "a projection on radius {} sqrt(d), with the gradient let through",
    ),
    "radius at most": ("", "radii cut at {} sqrt(d)"),
    "rows at most": ("", "rows of weights cut at length {}"),
}
"""Parts of an arm's name in words, without and with a number."""


def trained(system: str, scale: Scale) -> str:
    """What a system is, in plain sentences; its name where there are none.

    Example:
        >>> trained("transformer", "desk")
        'A Transformer with 2 layers of 64 learns a + b mod 59 from 70 % of all pairs.'
    """
    return TRAINED.get(system, {}).get(scale, f"{system}, {scale} scale.")


def arm(name: str) -> str:
    """An arm in words.

    Example:
        >>> arm("decay .1 + MAN .15")
        'AdamW with weight decay .1, and MAN with strength .15'
    """
    first, *others = (_part(part) for part in name.split(" + "))
    return ", and ".join((first, *others))


def _part(part: str) -> str:
    word, _, tail = part.rpartition(" ")
    if word in PARTS and re.fullmatch(r"[\d.]+", tail):
        return PARTS[word][1].format(tail)
    return PARTS[part][0] if part in PARTS else part


def place(site: str) -> str:
    """A site in words.

    Example:
        >>> place("hidden.1.pre"), place("hidden.0.post"), place("")
        ('layer 2, before the ReLU', 'layer 1, behind the ReLU', 'whole network')
    """
    found = re.fullmatch(r"hidden\.(\d+)\.(pre|post)", site)
    if found is None:
        return site or "whole network"
    return f"layer {int(found[1]) + 1}, {'before' if found[2] == 'pre' else 'behind'} the ReLU"


def reading(name: str) -> str:
    """The name of a value in words: ``radial_energy`` is *radial energy*.

    Example:
        >>> reading("hessian_trace"), reading("sigma_max")
        ('trace of the Hessian', 'largest singular value')
    """
    known = {
        "sigma_max": "largest singular value", "hessian_trace": "trace of the Hessian", "radius": "mean radius",
        "fourier_coherence": "Fourier coherence", "live_frequencies": "frequencies with neurons of their own",
        "penalty_step_radial_energy": "radial energy of a step on the penalty alone",
        "penalty_stable_rank_rate": "change of the stable rank by the penalty",
        "input_anisotropy_excess": "excess anisotropy of the inputs",
        "update_alignment": "cosine of the weights' change with the penalty's",
    }  # fmt: skip
    return known.get(name, name.replace("_", " "))


def sentence(says: str) -> str:
    """What a rule says as a sentence, also where it gives no number.

    Example:
        >>> sentence(" (3 of 3 runs of 'a' did not generalise)")
        "3 of 3 runs of 'a' did not generalise."
    """
    says = says.strip()
    if says.startswith("(") and says.endswith(")"):
        says = says[1:-1]
    return says if says.endswith(".") or not says else f"{says}."


WHEN: Mapping[str, str] = {
    "start": "before the first step", "early": "early in training", "mean": "mean over training", "end": "at the end",
    "equal loss": "at equal training loss",
}  # fmt: skip
"""When something is read, in words."""


def unit(of: Rule, otherwise: str) -> str:
    """What the number of a comparison counts; `otherwise` where the comparison says it well enough itself.

    Example:
        >>> from anglewise.lab.studies.claims.reading_rules import Read
        >>> unit(Ratio(Read("radius", "hidden.0.pre"), "a", "b", 2.0, True), "")
        'ratio of mean radius (layer 1, before the ReLU, at the end)'
    """
    if isinstance(of, (Ratio, Close)):
        where = f"{place(of.read.site)}, " if of.read.site else ""
        return f"ratio of {reading(of.read.name)} ({where}{WHEN[of.read.at]})"
    return otherwise


def rule(of: Rule, depth: int = 0) -> Iterator[tuple[int, str]]:
    """How a rule decides: sentences, each with its depth in the list."""
    if isinstance(of, (AllOf, AtLeast)):
        count = len(of.parts) if isinstance(of, AllOf) else of.count
        all_of = "all" if count == len(of.parts) else f"at least {count}"
        one = "one is" if count == len(of.parts) else f"more than {len(of.parts) - count} are"
        yield depth, f"{len(of.parts)} parts. Supported: {all_of} of them are. Refuted: {one} refuted."
        for name, inner in of.parts:
            (_, first), *others = rule(inner, depth + 1)
            yield depth + 1, f"{name[:1].upper()}{name[1:]}. {first}"
            yield from others
    else:
        yield depth, _comparison(of)


def _comparison(of: Rule) -> str:
    if isinstance(of, Sooner):
        return (
            f"The ratio of epochs, '{of.baseline}' over '{of.arm}', seed by seed. "
            + _large(of.claimed, of.least)
            + _crossing(of.crossing)
        )
    if isinstance(of, Alike):
        return (
            f"The ratio of epochs, '{of.baseline}' over '{of.arm}', seed by seed. "
            + _range(of.within)
            + _crossing(of.crossing)
        )
    if isinstance(of, Selected):
        return (
            f"{_chosen(of.rivals)} against {_chosen(of.family, False)}. The first {of.selection} seeds choose. "
            "The other seeds compare the two chosen, by the ratio of epochs. " + _large(of.claimed, of.least)
        )
    if isinstance(of, Interior):
        return (
            f"Supported: '{of.best}' is faster than both ends of the sweep, '{of.sweep[0]}' and '{of.sweep[-1]}'. "
            "Refuted: it is not faster than one of them."
        )
    if isinstance(of, Interaction):
        return (
            f"The speed-up from '{of.here[0]}' to '{of.here[1]}', over that from '{of.there[0]}' to '{of.there[1]}'. "
            f"Supported: the interval lies below {number(of.claimed)}. Refuted: it lies above."
        )
    if isinstance(of, Generalises):
        what = "generalise" if of.claimed == "does" else "do not generalise"
        return (
            f"The share of runs of '{of.arm}' that {what} in the budget. Supported: at least {percent(of.share)} %. "
            "Refuted: the interval lies below that."
        )
    return _of_reading(of)


def _of_reading(of: Rule) -> str:
    if isinstance(of, Ratio):
        margins = _large(of.claimed, of.least) if of.larger else _small(of.claimed, of.least)
        return f"The {unit(of, '')}, '{of.arm}' over '{of.baseline}', seed by seed. {margins}"
    if isinstance(of, Close):
        return f"The {unit(of, '')}, '{of.arm}' over '{of.baseline}', seed by seed. {_range(of.within)}"
    if isinstance(of, Level):
        margins = _large(of.claimed, of.claimed) if of.larger else _small(of.claimed, of.claimed)
        return f"The mean over seeds of '{of.arm}': {of.unit or of.read.called}. {margins}"
    if isinstance(of, Precedes):
        share = "every run" if of.claimed == 1 else f"{percent(of.claimed)} % of the runs"
        return (
            f"Runs of '{of.arm}' that generalised. Supported: in {share} the {reading(of.name)} reaches "
            f"{number(of.level)} no later than the accuracy its threshold. Refuted: in fewer."
        )
    if isinstance(of, Halves):
        return (
            f"One half of the seeds of '{of.arm}' against the other half. Supported: the interval of the ratio holds 1."
        )
    if isinstance(of, Apart):
        return (
            f"The {of.unit} of '{of.arm}' and of '{of.baseline}'. "
            "Supported: the first interval lies above the second. Refuted: it lies below."
        )
    return type(of).__name__


def _chosen(family: Sequence[str], first: bool = True) -> str:
    if len(family) == 1:
        return f"'{family[0]}'"
    return f"{'The' if first else 'the'} fastest of {len(family)} arms ('{family[0]}' to '{family[-1]}')"


def _large(claimed: float, least: float) -> str:
    if claimed == least:
        return f"Supported: its interval lies above {number(claimed)}. Refuted: the interval lies below."
    return (
        f"Supported: it is at least {number(claimed)} and its interval lies above {number(least)}. "
        f"Refuted: the interval lies below {number(claimed)}."
    )


def _small(claimed: float, least: float) -> str:
    if claimed == least:
        return f"Supported: its interval lies below {number(claimed)}. Refuted: the interval lies above."
    return (
        f"Supported: it is at most {number(claimed)} and its interval lies below {number(least)}. "
        f"Refuted: the interval lies above {number(claimed)}."
    )


def _range(within: float) -> str:
    return (
        f"Supported: its interval lies between {number(1 / within)} and {number(within)}. "
        "Refuted: the interval lies outside."
    )


def _crossing(crossing: str) -> str:
    return " The first crossing counts." if crossing == "first" else ""
