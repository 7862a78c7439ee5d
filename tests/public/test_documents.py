"""README, docs and examples use public names only: nothing in them reaches deeper than the three public modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import anglewise
from anglewise.lazy import public_names

ROOT = Path(__file__).parents[2]
PACKAGE = Path(anglewise.__file__).parent
PUBLIC = {
    "anglewise": {*public_names(PACKAGE / "__init__.pyi"), "__version__", "lab", "torch"},
    "anglewise.lab": set(public_names(PACKAGE / "lab" / "__init__.pyi")),
    "anglewise.torch": set(public_names(PACKAGE / "torch" / "__init__.pyi")),
}
FILES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.py")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
IMPORT = re.compile(r"from (anglewise[.\w]*) import (\([^)]*\)|[^\n;#\"]*)")
DOTTED = re.compile(r"(?<![\w./-])anglewise((?:\.\w+)+)(?![\w/-])")


def not_public(text: str) -> list[str]:
    """What a document names of anglewise that is not public, in code and in prose."""
    strange = []
    for module, names in IMPORT.findall(text):
        for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", names):
            if name not in PUBLIC.get(module, ()):
                strange.append(f"from {module} import {name}")
    for path in DOTTED.findall(text):
        *parents, last = f"anglewise{path}".split(".")
        module = ".".join(parents)
        if module not in PUBLIC or last not in PUBLIC[module]:
            strange.append(f"anglewise{path}")
    return strange


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_public_names_only(path):
    assert not_public(path.read_text(encoding="utf-8")) == []


def test_control_documents_are_found():
    assert {"README.md", "add-a-method.md", "1_add_to_your_loop.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("from anglewise.lab import Arm, AdamW as Plain\nimport anglewise.torch", []),
        ("from anglewise.lab import (\n    Arm,\n    train,\n)", []),
        ("```\nfrom anglewise.lab.spec import X\n```", ["from anglewise.lab.spec import X", "anglewise.lab.spec"]),
        ("from anglewise import geometry", ["from anglewise import geometry"]),
        ("import anglewise.lab.runner as runner", ["anglewise.lab.runner"]),
        ("see `anglewise.lab.Task` and `anglewise.lab.protocols.Task`", ["anglewise.lab.protocols.Task"]),
        ("https://x.org/anglewise.lab.spec and src/anglewise/lab/spec.py", []),
    ],
)  # fmt: skip
def test_control_what_is_not_public_is_seen(text, strange):
    assert not_public(text) == strange
