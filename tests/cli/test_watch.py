"""``anglewise watch`` and ``anglewise run --watch``, as whole commands."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from anglewise.cli import watch
from anglewise.cli.main import main
from anglewise.lab.store import Store

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["watch", "nowhere"], "nowhere is no folder: give a store, or a folder of stores such as runs/"),
        (["watch", "--port", "x"], "expected a port from 0 to 65535, got 'x'"),
        (["watch", "--port", "70000"], "expected a port from 0 to 65535, got '70000'"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(words, said, capsys):
    try:
        assert main(words) == 2
    except SystemExit as error:
        assert error.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["watch"], ["run", "quickstart", "--watch"]])
def test_without_its_libraries_it_says_how_to_install_them(words, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr("anglewise.errors.find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"anglewise: anglewise {' '.join([words[0], *words[2:]])} needs uvicorn: ")
    assert "make watch" in line


def test_it_prints_an_address_that_answers_and_ends_with_ctrl_c(tmp_path):
    Store.open(tmp_path / "store").close()
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "anglewise", "watch", "--no-browser", "--port", "0", str(tmp_path / "store")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    address = re.fullmatch(r"live page: (http://127\.0\.0\.1:\d+/[0-9a-f]{32}/)\n", process.stdout.readline())[1]
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert "anglewise" in answer.read().decode()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0 and process.communicate()[1] == ""


def test_beside_training_the_page_ends_with_the_block(tmp_path, monkeypatch):
    from anglewise.lab.watch.beside import served

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Store.open(tmp_path / "store").close()
    with served(tmp_path / "store") as address, urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=2)


def test_the_browser_is_handed_a_file_that_only_the_user_can_read(tmp_path, monkeypatch):
    from anglewise.lab.watch import beside

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    opened = []
    monkeypatch.setattr(beside.webbrowser, "open", lambda address: opened.append(address) or True)
    assert beside.open_browser("http://127.0.0.1:1/secret/") and "secret" not in opened[0]
    page = tmp_path / "anglewise" / "open.html"
    assert "url=http://127.0.0.1:1/secret/" in page.read_text() and page.stat().st_mode & 0o077 == 0


def test_a_port_is_a_whole_number():
    assert watch.number("0") == 0 and watch.number("65535") == 65535
