"""The command line, called in this process."""

from __future__ import annotations

from anglewise.cli.main import main


def refused(capsys, *words, status=2, **options):
    """The message of a command that fails: one line on stderr, nothing on stdout."""
    assert main(words, **options) == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("anglewise: ") and err.count("\n") == 1 and "Traceback" not in err
    return err.removeprefix("anglewise: ").rstrip("\n")
