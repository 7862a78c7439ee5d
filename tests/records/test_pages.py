"""Pages state what the rows carry: each is rendered again, and its template holds no typed result."""

from __future__ import annotations

import re
import tomllib

import pytest
from jinja2 import nodes

from records.render import END, PICTURES, RECORDS, ROOT, environment, pages, pictures, rendered

PAGES = pages()
NAMES = [str(page.template.relative_to(RECORDS)) for page in PAGES]
TEMPLATES = sorted([*(page.template for page in PAGES), *RECORDS.rglob("*.jinja")])
SHARED = tomllib.loads((RECORDS / "record.toml").read_text(encoding="utf-8"))

NUMBER = re.compile(r"(?<![A-Za-z\d.,])\.?\d(?:[\d.,]*\d)?(?:e-?\d+)?(?![A-Za-z])")
NUMBER_WORD = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-\w+)?|dozen|half|halves|third|quarter|tenth|"
    r"twice|thrice|double[ds]?)\b",
    re.I,
)
COMPARING = re.compile(
    r"\b(?:fast(?:er|est)|slow(?:er|est)?|soon(?:er|est)|quick(?:er|est)|speeds?|sped|help(?:s|ed|ful)?|hurts?|"
    r"harm(?:s|ed|ful)?|gain(?:s|ed)?|improve[sd]?|improvement|better|worse|best|worst|beats?|wins?|fail(?:s|ed|ure)?|"
    r"outperforms?|superior|adds? nothing|as (?:fast|well|good) as|does nothing|works?|no effect|equal(?:s|ly)?|"
    r"(?:all|every|no|none|most) (?:of (?:the|them) )?(?:seeds?|runs?)|nearly|hardly|"
    r"lowest|highest|significant(?:ly)?|proves?|proved|confirms?|supports?|refutes?)\b",
    re.I,
)


def prose(source):
    """What a template says by itself: no expressions, code, link targets or comments."""
    parts = [
        node.data if isinstance(node, nodes.TemplateData) else " \u2026 "
        for output in environment().parse(source).find_all(nodes.Output)
        for node in output.nodes
    ]
    text = re.sub(r"^```.*?^```$", "", "".join(parts), flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return re.sub(r"\]\([^)]*\)|`[^`]*`", " ", text)


def declared(path):
    """What a template's record declares, with what all templates share."""
    own = path.parent / "record.toml"
    made = tomllib.loads(own.read_text(encoding="utf-8")) if path.parent != RECORDS else {}
    parts = ("settings", "published", "phrases")
    return {key: {**SHARED.get(key, {}), **made.get(key, {})} for key in parts}


def numbers(text):
    """Numbers in digits or words."""
    return {m[0].lower() for m in [*NUMBER.finditer(text), *NUMBER_WORD.finditer(text)]}


def without(text, phrases):
    """A text without the phrases that are declared; line ends count as spaces."""
    text = " ".join(text.split())
    for phrase in phrases:
        text = text.replace(phrase, " ")
    return text


def undeclared(source, known):
    """Numbers and comparing words that a template states by itself."""
    text = without(prose(source), known["phrases"])
    allowed = {key.lower() for key in (*known["settings"], *known["published"])}
    return (numbers(text) - allowed) | {m[0].lower() for m in COMPARING.finditer(text)}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_is_what_its_rows_say(page):
    assert page.target.read_text(encoding="utf-8") == rendered(page), "run python -m records.render"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(RECORDS)))
def test_no_result_is_typed_into_a_template(path):
    assert undeclared(path.read_text(encoding="utf-8"), declared(path)) == set()


def test_control_a_typed_result_is_seen():
    known = {"settings": {"113": "modulus"}, "published": {}, "phrases": {"times as fast as": "a heading"}}
    assert undeclared("mod 113: {{ runs.median('a') }} steps, `runs 7`, [link](x-9), C2", known) == set()
    assert undeclared("mod 113: 94 steps", known) == {"94"}
    assert undeclared("it takes half of the steps, on three seeds", known) == {"half", "three"}
    assert undeclared("| arm | 1.37 [1.31, 1.43] |", known) == {"1.37", "1.31", "1.43"}
    assert undeclared("The penalty helps.", known) == {"helps"}
    assert undeclared("{% if x %}faster{% endif %} and .5, times as fast as", known) == {"faster", ".5"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(RECORDS)))
def test_no_result_is_typed_into_an_expression(path):
    for output in environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Output):
        for node in output.nodes:
            assert not isinstance(node, nodes.Const), f"{path.name}: {node}"
            called = {id(c) for call in _calls(node) for c in call.find_all(nodes.Const)}
            for const in node.find_all(nodes.Const):
                assert id(const) in called, f"{path.name}: {const.value!r} stands in an expression by itself"


def _calls(node):
    kinds = (nodes.Call, nodes.Filter)
    return [*([node] if isinstance(node, kinds) else []), *node.find_all(kinds)]


@pytest.mark.parametrize("folder", sorted({path.parent for path in TEMPLATES}), ids=lambda path: path.name)
def test_every_declaration_is_used(folder):
    paths = [path for path in TEMPLATES if folder in (path.parent, RECORDS)]
    texts = [" ".join(prose(path.read_text(encoding="utf-8")).split()) for path in paths]
    own = tomllib.loads((folder / "record.toml").read_text(encoding="utf-8"))
    stated = set().union(*map(numbers, texts))
    keys = {key.lower() for part in ("settings", "published") for key in own.get(part, {})}
    assert keys - stated == set()
    assert [phrase for phrase in own.get("phrases", {}) if not any(phrase in text for text in texts)] == []


def sentences(text):
    """Sentences of a page's prose: tables, code, headings and link targets left out; a list of names is one word."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"^(?:\||#|!\[).*$", "\n", text, flags=re.M)
    text = re.sub(r"\]\([^)]*\)", "", text)
    text = re.sub(r"\[[\d.,> ]+\]", "", text)
    text = re.sub(r"\*[^*\n]+\*(?:(?:,| and) \*[^*\n]+\*)+", "names", text)
    blocks = re.split(r"\n\s*\n|\n(?=- |\d\. )", text)
    return [part for block in blocks for part in re.split(r"(?<=[.!?:])\*{0,2}\s+", " ".join(block.split())) if part]


@pytest.mark.parametrize("page", [page for page in PAGES if not page.part], ids=lambda page: page.target.parent.name)
def test_sentences_have_at_most_25_words(page):
    text = page.target.read_text(encoding="utf-8")
    long = [s for s in sentences(text) if len(re.findall(r"[^\s\u2013-]\S*", s)) > 25]
    assert long == []


def test_the_readme_states_results_only_between_the_marks():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(next(page.begin for page in PAGES if page.target == ROOT / "README.md"))
    outside = re.sub(r"^```.*?^```$", "", before + rest.split(END)[1], flags=re.M | re.S)
    assert not re.search(r"\[[\d.]+, [\d.]+\]|\b(?:faster|slower|gains?|medians?)\b|times as fast", outside)
    assert re.search(r"\bfaster\b", rest.split(END)[0])  # control: there they stand


def test_the_pictures_of_the_readme_are_what_the_rows_draw():
    for name, text in pictures().items():
        assert (PICTURES / name).read_text(encoding="utf-8") == text, "run python -m records.render"
