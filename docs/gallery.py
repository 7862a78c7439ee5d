"""The pictures of ``docs/gallery.md``, from real runs: ``python -m docs.gallery [STORE]`` in the root draws them.

Without a store it trains the plateau first, with the readings that the pictures need, into ``runs/gallery``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures" / "gallery"
READINGS = "default,embedding,neuron-fourier"
SEED = 101
FILMS = (
    ("circle-adamw.gif", "circle", "adamw"),
    ("circle-penalty.gif", "circle", "adamw+radial"),
    ("phase.gif", "phase", "adamw+radial"),
    ("angle.gif", "angle", "adamw+radial"),
    ("neurons.gif", "neurons", "adamw"),
)
"""Names of files, what they show, and the arm of the run."""
STILLS = (("plateau.png", "accuracy-and-radius"), ("frequencies.png", "frequencies"), ("circles.png", "circles"))
"""Names of files, and the figure that they are."""
MOST = 400_000
"""Bytes of a file."""


def draw(store: Path) -> Iterator[Path]:
    """Draw all of them from a store that holds the plateau.

    Raises:
        ValueError: If a file is too large for a page.
    """
    from anglewise.lab.report.plots.animation import animate
    from anglewise.lab.report.plots.gallery import figure
    from anglewise.lab.report.plots.paper import SMALL, save, styled
    from anglewise.lab.report.results import load
    from anglewise.lab.store import Reader

    results = load(Reader(store))
    made = [animate(results, (arm, SEED), what, PICTURES / name) for name, what, arm in FILMS]
    with styled(SMALL):
        made += [save(figure(what, results), PICTURES / name, dpi=130) for name, what in STILLS]
    for path in made:
        if path.stat().st_size > MOST:
            raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes: expected at most {MOST:,}")
        yield path


def main(arguments: Sequence[str]) -> int:
    """Train where no store is given, then draw."""
    store = Path(arguments[0]) if arguments else Path("runs/gallery")
    if not arguments:
        from anglewise.cli.main import main as anglewise

        if status := anglewise(["run", "plateau", "--readings", READINGS, "--out", str(store)]):
            return status
    for path in draw(store):
        print(f"drawn: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
