"""Everything shown in README and docs runs: every python block, in order, one namespace per file.

A block that cannot run anywhere is opened with ``python no-run: the reason``.  Compiling is left to PyTorch's front
end here (``aot_eager``); the suites of the drop-in compile in earnest.
"""

from __future__ import annotations

import ast
import functools
import logging
import re
import socket
import sys
import types
from pathlib import Path

import pytest
import torch

import anglewise

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """What follows ``python`` on the opening line, the number of that line, and the code of each block."""
    return [(m[1].strip(), text[: m.start()].count("\n") + 1, m[2]) for m in BLOCK.finditer(text)]


def run(path, text):
    """Execute the blocks that are meant to run; returns how many."""
    page, ran = types.ModuleType("page"), 0
    sys.modules["page"] = page  # a dataclass asks for its module
    try:
        for marker, line, code in blocks(text):
            if not marker.startswith("no-run"):
                exec(compile("\n" * line + code, str(path), "exec", dont_inherit=True), vars(page))
                ran += 1
    finally:
        del sys.modules["page"]
    return ran


@pytest.fixture
def as_a_user(tmp_path, monkeypatch):
    """An empty folder, and what torchrun tells each process."""
    monkeypatch.chdir(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(0)


def test_docs_have_blocks_to_run():
    assert FILES[0].exists() and len(FILES) >= 3
    texts = [path.read_text(encoding="utf-8") for path in FILES[1:]]
    assert sum(not marker.startswith("no-run") for text in texts for marker, _, _ in blocks(text)) > 10


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_asserts_what_its_blocks_show(path):
    code = [block for marker, _, block in blocks(path.read_text(encoding="utf-8")) if not marker]
    assert not code or any("assert " in block for block in code)


def test_markers_are_known_and_give_a_reason():
    for path in FILES:
        for marker, line, _ in blocks(path.read_text(encoding="utf-8")):
            assert marker == "" or re.fullmatch(r"no-run: .{10,}", marker), f"{path.name}:{line}: python {marker}"


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true but no accelerator")
@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module.*returned a view tensor")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_runs(path, as_a_user):
    text = path.read_text(encoding="utf-8")
    for name in ("transformers", "lightning", "accelerate"):
        if f"from {name} import" in text or f"import {name}" in text:
            pytest.importorskip(name)
    assert run(path, text) == sum(not marker.startswith("no-run") for marker, _, _ in blocks(text))


def test_control_a_broken_block_is_seen():
    with pytest.raises(AssertionError):
        run("page", "text\n```python\nx = 1\n```\nmore\n```python\nassert x == 2\n```\n")
    assert run("page", "```python no-run: needs eight GPUs\nraise\n```\n```bash\nfalse\n```\n") == 0


def messages():
    """Every piece of text in the drop-in's own code."""
    for path in (Path(anglewise.__file__).parent / "torch").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_table_of_errors_quotes_messages_that_exist():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    table = page.split("## What each error means")[1].split("\n\n")[2]
    quoted = [row.split("|")[1].strip().strip("`") for row in table.splitlines()[2:]]
    said = list(messages())
    assert len(quoted) > 15
    assert [quote for quote in quoted if not any(quote in text for text in said)] == []


RECORDS = [path for path in sorted((ROOT / "records").rglob("*.md")) if not path.name.endswith(".template.md")]
"""A template's links are those of the page that it makes."""
PAGES = [*sorted(ROOT.glob("*.md")), *FILES[1:], *RECORDS]


def anchors(text):
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path, text):
    """Links of a page that lead nowhere in the repository, and paths in it that do not exist."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for target in re.findall(r"\]\(((?!https://)[^)]+)\)", text):
        page, _, heading = target.partition("#")
        there = path.parent / page
        if not there.exists() or (
            heading and heading not in anchors(there.read_text(encoding="utf-8") if page else text)
        ):
            yield target
    for name in re.findall(r"`((?:src|tests|docs|examples|benchmarks|records)/[\w./+-]+)`", text):
        if not (ROOT / name).exists():
            yield name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert list(dead_links(path, path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        (
            "[a](docs/faq.md) [b](docs/faq.md#limits) [c](#here)\n## Here\n `tests/laws` ![p](docs/pictures)",
            [],
        ),
        ("[a](docs/none.md)", ["docs/none.md"]),
        ("[a](docs/how-to/add-a-method.md#none)", ["docs/how-to/add-a-method.md#none"]),
        ("[a](http://old.example)", ["http://old.example"]),
        ("[c](#there)\n## Here\n", ["#there"]),
        ("`src/anglewise/none.py`", ["src/anglewise/none.py"]),
    ],
)
def test_control_dead_links_are_seen(text, dead):
    assert list(dead_links(ROOT / "README.md", text)) == dead
