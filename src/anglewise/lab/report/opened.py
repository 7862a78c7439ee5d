"""An experiment of a store, opened in Python: its tables, its summary, its report, and what a notebook shows of it."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from anglewise.errors import AnglewiseError, StoreError, unknown
from anglewise.lab.report.comparison import Criterion, summaries
from anglewise.lab.report.format import plain
from anglewise.lab.report.headline import headline
from anglewise.lab.report.html.card import card
from anglewise.lab.report.html.experiment import write_report
from anglewise.lab.report.results import Results, load, newest
from anglewise.lab.report.summary import narrow, print_results
from anglewise.lab.report.table import terminal
from anglewise.lab.store import Reader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

WIDTH = 110
"""Characters of a line of the summary."""


@dataclasses.dataclass(frozen=True, repr=False)
class ExperimentResults:
    """One experiment of a store.

    Everything is read when it is asked for, so an experiment that still trains shows what it has so far.  Tables are
    Arrow tables; ``.to_pandas()`` turns one into a data frame where pandas is installed.

    Args:
        store: Folder of the store.
        experiment_id: Which of its experiments.
        baseline: Name of the arm that speed-ups refer to; None for the experiment's own.

    Example::

        results = anglewise.lab.run("quickstart", seeds=2)
        results.curves().to_pandas().groupby("arm").test_accuracy.max()
    """

    store: Path
    experiment_id: str
    baseline: str | None = None

    @property
    def reader(self) -> Reader:
        """The store, open for reading: for weights, provenance and SQL over all its experiments."""
        return Reader(self.store)

    def runs(self) -> pa.Table:
        """How every run ended, one row per run.

        Returns:
            Columns `arm`, `seed`, `outcome`, `steps`, `first` and `sustained` (steps to the two crossings), and more.
        """
        return self.query("SELECT * FROM runs")

    def curves(self) -> pa.Table:
        """Accuracy and loss over time, one row per evaluation.

        Returns:
            Columns `arm`, `seed`, `step`, `train_accuracy`, `test_accuracy`, `train_loss`, `test_loss`, and more.
        """
        return self.query("SELECT * FROM curves")

    def readings(self, *names: str) -> pa.Table:
        """What was read of the networks, one row per number.

        Args:
            names: Values to keep, for instance ``"radius"``; none for all.

        Returns:
            Columns `arm`, `seed`, `step`, `site`, `name`, `value`, and more.

        Raises:
            StoreError: If no run has a value of such a name.
        """
        return self._named("readings", names)

    def arrays(self, *names: str) -> pa.Table:
        """What was read of the networks and is no single number: spectra, maps, circles; one row per array.

        Args:
            names: Values to keep; none for all.

        Returns:
            Columns `arm`, `seed`, `step`, `site`, `name`, `shape` (a text such as ``200,56``), `values`, and more.

        Raises:
            StoreError: If no run has an array of such a name.
        """
        return self._named("arrays", names)

    def query(self, sql: str, *, timeout: float | None = None) -> pa.Table:
        """Answer SQL over the views `runs`, `curves`, `readings` and `arrays` of this experiment.

        Args:
            sql: One statement of DuckDB's dialect.
            timeout: Seconds after which it is stopped; None for never.

        Returns:
            Its result.

        Raises:
            StoreError: If the SQL has an error, wants files, or takes too long.

        Example::

            results.query("SELECT arm, median(t_capped) AS steps FROM runs GROUP BY arm")
        """
        return self.reader.query(sql, self.experiment_id, timeout=timeout)

    def weights(self, arm: str, seed: int) -> dict[str, np.ndarray]:
        """The last weights of a run.

        Args:
            arm: Name of its arm.
            seed: Its seed.

        Returns:
            Arrays by the names that they have in the network, such as ``layers.0.weight``.

        Raises:
            StoreError: If there is no such run, or it kept no weights.
        """
        runs = {(row["arm"], row["seed"]): row["run_id"] for row in self.query("SELECT * FROM experiments").to_pylist()}
        if (arm, seed) not in runs:
            raise StoreError(unknown("run", f"{arm}, seed {seed}", [f"{name}, seed {n}" for name, n in runs]))
        return self.reader.weights(runs[arm, seed])

    def report(self, to: str | Path | None = None) -> Path:
        """Write the report: one HTML file that holds everything.

        Args:
            to: Where to; None for ``report.html`` in the store.

        Returns:
            The path of the file.

        Raises:
            AnglewiseError: If it cannot be written.
        """
        to = self.store / "report.html" if to is None else Path(to)
        return write_report(self.reader, self.experiment_id, to, baseline=self.baseline)

    def figure(self, name: str, to: str | Path) -> Path:
        """Draw one figure for a paper.

        Args:
            name: Which; ``anglewise list figures`` lists them.
            to: A file that ends in ``.svg``, ``.pdf`` or ``.png``.

        Returns:
            The path of the file.

        Raises:
            AnglewiseError: If there is no such figure, if it lacks its readings, or if it cannot be written.
        """
        from anglewise.lab.report.plots.gallery import draw_figure

        return draw_figure(name, self.reader, Path(to), experiment=self.experiment_id)

    def summary(self, tables: Sequence[Criterion] = ("first",)) -> str:
        """The headline, a table, and what its columns mean.

        Args:
            tables: Criteria, a table for each: ``"first"``, ``"sustained"``, ``"seconds"``.

        Returns:
            Lines of text, as the command line prints them.
        """
        return _printed(lambda console: print_results(self._load(), console, tables))

    def __repr__(self) -> str:
        """The headline and the table of the first criterion; the reason where there is none."""
        try:
            results = self._load()
        except AnglewiseError as error:
            return f"ExperimentResults({str(self.store)!r}, {self.experiment_id!r}): {error}"
        tables = summaries(results)
        lines = map(Text, (plain(results.title or results.name), *headline(results, tables)))
        table = terminal(narrow(results, "first", tables["first"]), WIDTH)
        return _printed(lambda console: console.print(*lines, table, sep="\n"))

    def _repr_html_(self) -> str:
        return card(self._load())

    def _load(self) -> Results:
        return load(self.reader, self.experiment_id, self.baseline)

    def _named(self, view: str, names: tuple[str, ...]) -> pa.Table:
        table = self.query(f"SELECT * FROM {view}")
        if not names:
            return table
        known = table.column("name").unique().to_pylist()
        for name in names:
            if name not in known:
                raise StoreError(unknown("name in " + view, name, known))
        import pyarrow as pa
        import pyarrow.compute as pc

        return table.filter(pc.is_in(table.column("name").cast(pa.string()), pa.array(names)))


def _printed(show: Callable[[Console], None]) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, record=True)
    show(console)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def open_results(store: str | Path, experiment: str | None = None, *, baseline: str | None = None) -> ExperimentResults:
    """Open an experiment that was run, from the folder it was trained into.

    Args:
        store: The folder, for instance ``"runs/quickstart"``.
        experiment: The id of one of its experiments; None for the one that ran last.
        baseline: Name of the arm that speed-ups refer to; None for the experiment's own.

    Returns:
        The same as :func:`anglewise.lab.run` returned.

    Raises:
        StoreError: If there is no store, no such experiment in it, or no such arm.

    Example::

        open_results("runs/quickstart").report("quickstart.html")
    """
    reader = Reader(store)
    results = load(reader, newest(reader)[0] if experiment is None else experiment, baseline)
    return ExperimentResults(reader.root, results.experiment_id, baseline)
