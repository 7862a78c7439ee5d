"""An experiment in a notebook: its verdict and its tables, on a light page as on a dark one.

There is no script in it, and every text of a user is escaped.  Colours are those of the page, or half transparent.
"""

from __future__ import annotations

from anglewise.lab.report.comparison import CRITERIA
from anglewise.lab.report.format import escape
from anglewise.lab.report.html import parts
from anglewise.lab.report.results import Results
from anglewise.lab.report.runs import every_of
from anglewise.lab.report.summary import NOTE, explained, summaries
from anglewise.lab.report.verdict import verdict

STYLE = """\
.anglewise { max-width: 1100px; line-height: 1.45; }
.anglewise p { margin: 4px 0; }
.anglewise .title { font-weight: 600; font-size: 1.15em; }
.anglewise .verdict { margin: 8px 0; padding: 8px 14px; border-left: 4px solid #0072B2; background: #80808018; }
.anglewise .warning { border-left-color: #E69F00; }
.anglewise .scroll { overflow-x: auto; }
.anglewise table { border-collapse: collapse; margin: 8px 0; border: 0; color: inherit; font-size: .92em; }
.anglewise caption { caption-side: top; text-align: left; padding: 4px 0; color: inherit; opacity: .75; }
.anglewise tr, .anglewise th, .anglewise td { background: none !important; color: inherit; border: 0; }
.anglewise th, .anglewise td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid #80808050; }
.anglewise td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.anglewise thead th { vertical-align: bottom; font-weight: 600; }
.anglewise th:first-child { text-align: left; }
.anglewise th[scope=row] { font-weight: 400; white-space: nowrap; }
.anglewise tr.missing { background: #E69F0030 !important; }
.anglewise svg.swatch { width: 26px; height: 12px; vertical-align: middle; display: inline; }
.anglewise details { margin: 4px 0; } .anglewise summary { cursor: pointer; opacity: .75; }
.anglewise .note { font-size: .88em; opacity: .75; max-width: 78ch; }
"""


def card(results: Results) -> str:
    """The HTML that a notebook shows: the verdict, the first criterion's table, and the others folded away.

    Args:
        results: Of the experiment.

    Returns:
        One element, with a style sheet that touches nothing outside of it.
    """
    tables = summaries(results)
    first, *others = verdict(results, tables)
    lines = f"<p><strong>{escape(first)}</strong></p>" + "".join(f"<p>{escape(line)}</p>" for line in others)
    mark = " warning" if any(summary.missing for summary in tables["first"]) else ""
    shown, *folded = [
        parts.numbers(results, criterion, tables[criterion]).replace(" %", "&nbsp;%") for criterion in CRITERIA
    ]
    return (
        f'<div class="anglewise"><style>{STYLE}</style>'
        f'<p class="title">{escape(results.title or results.name)}</p>'
        f'<div class="verdict{mark}">{lines}</div>{shown}'
        f"<details><summary>Other criteria, and what the columns mean</summary>{''.join(folded)}"
        f'<p class="note">{escape(explained(NOTE, every_of(results)))}</p></details></div>'
    )
