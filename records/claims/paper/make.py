"""Make this record: ``python records/claims/paper/make.py [STORES]``.

With a folder of stores (``runs/claims`` by default of ``anglewise verify``) it gathers rows and arrays first: what the
stores lack is missing.  It always draws the figures from the record, and writes the package's copy of the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def gather(stores: Path) -> None:
    """Write rows, arrays and provenance from a folder of stores."""
    import json

    from anglewise.lab.studies.claims import rows
    from anglewise.lab.studies.claims.paper import arrays, extras

    record = extras.gather(stores)
    rows.write(HERE / "runs.parquet", record.runs)
    rows.write(HERE / "values.parquet", record.values)
    arrays.write(HERE / "arrays.parquet", extras.gather_arrays(stores))
    text = json.dumps(dict(record.provenance), indent=1, sort_keys=True, ensure_ascii=False)
    (HERE / "provenance.json").write_text(f"{text}\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Gather where a folder is given, then draw, then write the copy."""
    from anglewise.lab.studies.claims.paper import figures, show

    if arguments:
        gather(Path(arguments[0]))
    for path in figures.draw(HERE.parent, HERE):
        print(f"drawn: {path}")
    print(f"copied: {show.copy(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
