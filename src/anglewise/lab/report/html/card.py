"""An experiment in a notebook: its headline and its tables, on a light page as on a dark one.

There is no script in it.  Colours are those of the page, or half transparent.
"""

from __future__ import annotations

from anglewise.lab.report.comparison import CRITERIA, summaries
from anglewise.lab.report.headline import headline
from anglewise.lab.report.html.document import environment
from anglewise.lab.report.results import Results
from anglewise.lab.report.summary import summary


def card(results: Results) -> str:
    """The HTML that a notebook shows: the headline, the first criterion's table, and the others folded away.

    Args:
        results: Of the experiment.

    Returns:
        One element, with a style sheet that touches nothing outside of it.
    """
    tables = summaries(results)
    return environment().get_template("card.html.jinja").render(
        inks=results.inks,
        title=results.title or results.name,
        headline=headline(results, tables),
        missing=any(arm.missing for arm in tables["first"]),
        tables=[summary(results, criterion, tables[criterion]) for criterion in CRITERIA],
    )  # fmt: skip
