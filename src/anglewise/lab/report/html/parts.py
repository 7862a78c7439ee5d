"""Parts of the page that are no figure: tables, outcome bars, configuration, provenance, the legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from anglewise.lab.outcome import MEANINGS
from anglewise.lab.report.comparison import ArmSummary, Criterion
from anglewise.lab.report.format import DASH, count_of, escape
from anglewise.lab.report.plots.style import colour, symbol
from anglewise.lab.report.results import Results
from anglewise.lab.report.summary import cells, columns, heading

OUTCOMES = {
    "grokked": ("#117733", "#fff"),
    "generalised-at-once": ("#88CCAA", "#000"),
    "reached-not-held": ("#88CCEE", "#000"),
    "memorised": ("#DDCC77", "#000"),
    "underfit": ("#CC8866", "#000"),
    "diverged": ("#882255", "#fff"),
    "missing": ("#D5D9DE", "#000"),
}
GLYPHS = {
    "circle": '<circle cx="13" cy="6" r="4"/>',
    "square": '<rect x="9.5" y="2.5" width="7" height="7"/>',
    "diamond": '<path d="M13 1l5 5-5 5-5-5z"/>',
    "triangle-up": '<path d="M13 1l5 9H8z"/>',
    "x": '<path d="M9 2l8 8M17 2l-8 8" stroke-width="3"/>',
    "cross": '<path d="M13 1v10M8 6h10" stroke-width="3"/>',
    "star": '<path d="M13 0l2 4 4 .4-3 3 1 4.4-4-2.4-4 2.4 1-4.4-3-3 4-.4z"/>',
}


def swatch(index: int) -> str:
    """An arm's line, with its marker if it has one, as a small drawing."""
    ink = colour(index)
    glyph = GLYPHS.get(symbol(index), "")
    line = f'<path d="M0 6h26" stroke="{ink}" stroke-width="3"/>'
    drawn = f'<g fill="{ink}" stroke="{ink}">{glyph}</g>'
    return f'<svg class="swatch" viewBox="0 0 26 12" aria-hidden="true">{line}{drawn}</svg>'


def legend(results: Results) -> str:
    """One legend for all figures: a click hides or shows an arm, a double click shows it alone."""
    buttons = "".join(
        f'<button type="button" data-arm="{i}" aria-pressed="true" title="{escape(arm)}">{swatch(i)}'
        f'<span class="name">{escape(arm)}</span></button>'
        for i, arm in enumerate(results.arms)
    )
    every = '<button type="button" class="all">all / none</button>' if len(results.arms) > 1 else ""
    return f'<nav class="legend" aria-label="arms">{buttons}{every}</nav>'


def numbers(results: Results, criterion: Criterion, table: Sequence[ArmSummary]) -> str:
    """The summary by one criterion."""
    rows = []
    for i, summary in enumerate(table):
        first, *rest = cells(summary, results, criterion)
        mark = ' class="missing"' if summary.missing or summary.unmatched else ""
        data = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        rows.append(f'<tr{mark}><th scope="row">{swatch(i)} {escape(first)}</th>{data}</tr>')
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns(criterion))
    return (
        f'<div class="scroll"><table class="numbers"><caption>{escape(heading(criterion, results))}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def outcomes(summaries: Sequence[ArmSummary]) -> str:
    """How the runs of every arm ended, as bars of equal total; missing runs are part of them."""
    bars = []
    for summary in summaries:
        counts = summary.outcomes + Counter(missing=summary.missing)
        parts = "".join(_part(kind, counts[kind]) for kind in [*OUTCOMES, *sorted(counts.keys() - OUTCOMES)])
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        bars.append(
            f'<div class="name" title="{escape(summary.arm)}">{escape(summary.arm)}</div>'
            f'<div class="bar" role="img" aria-label="{escape(told)}">{parts}</div>'
        )
    used = {kind for s in summaries for kind in s.outcomes} | {"missing" for s in summaries if s.missing}
    key = "".join(
        f'<span title="{escape(MEANINGS.get(kind, ""))}"><i style="background:{ink}"></i>{kind}</span>'
        for kind, (ink, _) in OUTCOMES.items()
        if kind in used
    )
    told = "".join(f"<dt>{kind}</dt><dd>{escape(MEANINGS[kind])}</dd>" for kind in MEANINGS if kind in used)
    meanings = (
        f'<details><summary>What the words mean</summary><dl class="outcomes">{told}</dl></details>' if told else ""
    )
    return f'<div class="key">{key}</div><div class="bars">{"".join(bars)}</div>{meanings}'


def _part(kind: str, count: int) -> str:
    if not count:
        return ""
    back, ink = OUTCOMES.get(kind, ("#777", "#fff"))
    style = f"flex:{count};background:{back};color:{ink}"
    return f'<span style="{style}" title="{count} {escape(kind)}">{count}</span>'


def settings(results: Results) -> str:
    """Hyper-parameters of all arms side by side; rows that differ between arms are marked."""
    entries = [arm for arm in results.spec.get("arms", ()) if isinstance(arm, Mapping)]
    columns = {str(arm.get("name")): _hyper_parameters(arm.get("methods", ())) for arm in entries}
    keys = list(dict.fromkeys(key for column in columns.values() for key in column))
    if not keys:
        return ""
    rows = []
    for key in keys:
        values = [column.get(key, DASH) for column in columns.values()]
        mark = ' class="differs"' if len(set(values)) > 1 else ""
        data = "".join(f"<td>{escape(value)}</td>" for value in values)
        rows.append(f'<tr{mark}><th scope="row">{escape(key)}</th>{data}</tr>')
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    return (
        '<div class="scroll"><table class="settings"><caption>Arms; rows that differ are marked</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _hyper_parameters(methods: Sequence[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for method in methods:
        name = str(method.get("is", "method"))
        seen[name] += 1
        prefix = name if seen[name] == 1 else f"{name} #{seen[name]}"
        fields = {key: brief(value) for key, value in method.items() if key != "is"}
        found |= {f"{prefix}.{key}": value for key, value in fields.items()} or {prefix: "yes"}
    return found


def brief(value: Any) -> str:
    """A value of a specification in one line; an object as a call."""
    if isinstance(value, Mapping):
        fields = ", ".join(f"{key}={brief(item)}" for key, item in value.items() if key != "is")
        return f"{value.get('is', '')}({fields})"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(map(brief, value)) + ")"
    return str(value)


def nested(value: Any) -> str:
    """A specification as nested tables."""
    if isinstance(value, Mapping):
        rows = "".join(
            f'<tr><th scope="row">{escape(k)}</th><td>{nested(v)}</td></tr>' for k, v in value.items() if k != "is"
        )
        kind = f"<strong>{escape(value['is'])}</strong>" if "is" in value else ""
        return f'{kind}<table class="nested"><tbody>{rows}</tbody></table>'
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        return "".join(nested(item) for item in value)
    return escape(brief(value))


def provenance(results: Results) -> str:
    """Where the numbers come from; a value that differs between runs says for how many it holds."""
    rows = []
    for key, counts in results.provenance.items():
        values = [f"{value} ({n} runs)" if len(counts) > 1 else value for value, n in counts.most_common(3)]
        more = f"; {len(counts) - 3} more values" if len(counts) > 3 else ""
        rows.append(f'<tr><th scope="row">{escape(key)}</th><td>{escape("; ".join(values) + more)}</td></tr>')
    return f'<div class="scroll"><table><tbody>{"".join(rows)}</tbody></table></div>' if rows else ""


def counts(summaries: Sequence[ArmSummary]) -> str:
    """Runs finished of those planned, over all arms."""
    return count_of(sum(s.finished for s in summaries), sum(s.planned for s in summaries))


def any_reached(results: Results) -> bool:
    """Whether any run generalised."""
    return any(run.first is not None for run in results.ended.values())
