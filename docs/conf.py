"""The site: ``make docs`` builds it with Sphinx from the Markdown pages of the repository.

Pages stay plain Markdown, so the order of the pages stands here and not in them.  Formulas become MathML while the site
is built.  The site loads no script, style or font from elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

project = "anglewise"
author = "The anglewise authors"
copyright = author
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/**/*.md",
    "records/README.md",
    "records/*/README.md",
    "records/claims/*/README.md",
    "*.md",
]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
myst_dmath_double_inline = False
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "anglewise"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["site"]
html_css_files = ["site.css"]

HOW_IT_WORKS = ("geometry", "gradients", "theory", "weights", "spectra", "curvature", "circuits", "logits-and-neurons",
                "attention", "parity", "early-warning", "pictures")  # fmt: skip
ORDER: dict[str, tuple[str, ...]] = {
    "Start": ("install", "concepts", "tutorials/first-experiment", "tutorials/add-the-penalty", "tutorials/read-a-run",
              "gallery", "faq"),
    "How to": ("how-to/watch-a-run", "how-to/training-loops", "how-to/choose-sites-strength-target", "how-to/sweep",
               "how-to/train-a-gpt", "how-to/decide-a-claim", "how-to/resume",
               "how-to/export", "how-to/compare-stores", "how-to/many-cores",
               "how-to/cluster", "scale", "how-to/add-a-method", "how-to/add-a-task",
               "how-to/add-a-model", "how-to/add-a-reading"),
    "Reference": ("reference/cli", "reference/json", "reference/anglewise", "reference/torch", "reference/lab",
                  "reference/values", "reference/store", "reference/errors", "reference/benchmarks"),
    "Explanation": ("verdicts", "paper", "findings", "explanation/how-it-works/index", "explanation/published-settings",
                    "architecture", "performance"),
    "Project": ("README </README>", "/CONTRIBUTING", "/CHANGELOG", "/records/README"),
}  # fmt: skip
"""The pages in the order of the side bar, by its headings."""


def _toctree(pages: tuple[str, ...] | list[str], caption: str = "") -> str:
    lines = ["```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), *pages, "```"]
    return "\n" + "\n".join(lines) + "\n"


def order(app: Any, page: str, source: list[str]) -> None:
    """Give the side bar its order; the Markdown files know nothing of it."""
    if page == root_doc:
        source[0] += "".join(_toctree(pages, caption) for caption, pages in ORDER.items())
    if page == "docs/explanation/how-it-works/index":
        source[0] += _toctree(HOW_IT_WORKS)
    if page == "records/README":
        found = app.env.found_docs
        source[0] += _toctree(sorted(f"/{name}" for name in found if name.startswith("records/") and name != page))


def formula(translator: Any, node: nodes.Element) -> None:
    """Write a formula as MathML."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(convert(node.astext().strip(), display=display))
    raise nodes.SkipNode


def front_page(app: Any, error: Exception | None) -> None:
    """Let the root of the site lead to the first page."""
    if error is None:
        to_docs = (
            '<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html"><title>anglewise</title>\n'
        )
        (Path(app.outdir) / "index.html").write_text(to_docs, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", order)
    app.connect("build-finished", front_page)
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
