"""Only a page that knows the secret, on this machine, is answered; and only one of this server changes anything."""

import os
import stat

import pytest

from anglewise.lab.watch import security
from anglewise.lab.watch.security import HEADERS, POLICY, secret_for


@pytest.fixture
def running(writer, serve):
    return serve(writer().store.root.parent)


def test_without_the_whole_secret_every_address_is_unknown(running):
    good = running.address.rstrip("/").rsplit("/", 1)[1]
    assert running.get()[0] == 200 and len(good) == 32
    wrong = (good[:-1], good + "0", "x" + good[1:], "%2e%2e", "%C3%A9")
    for secret in wrong:
        assert running.get("", secret=secret)[0] == 404
    assert running.get("files/main.js", secret="files")[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0:80", ""])
def test_a_name_that_is_made_to_point_here_learns_nothing(running, host):
    status, _, text = running.get(headers={"Host": host})
    assert status == 403 and "127.0.0.1" in text


def test_every_answer_has_the_policy_and_is_not_kept(running):
    for path, secret in (("", None), ("files/watch.css", None), ("nothing", None), ("", "wrong")):
        headers = running.get(path, secret=secret)[1]
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY and "http" not in POLICY


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_without_the_playground_nothing_can_be_changed(running, method):
    host = running.address.split("/")[2]
    assert running.get("play/start", method, {"Origin": f"http://{host}"}, "{}")[0] == 403
    assert running.get("", method)[0] == 403


def test_the_server_listens_on_this_machine_alone(running):
    assert running.server.socket.getsockname()[0] == "127.0.0.1"


def test_the_secret_stays_over_a_restart_and_is_another_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first = secret_for(8765, (tmp_path,))
    assert first == secret_for(8765, (tmp_path,))
    assert len({first, secret_for(8766, (tmp_path,)), secret_for(8765, (tmp_path / "x",))}) == 3
    key = tmp_path / "anglewise" / "watch.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(key.read_bytes()) == 32


def test_a_key_that_others_can_read_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first = secret_for(8765, (tmp_path,))
    os.chmod(tmp_path / "anglewise" / "watch.key", 0o644)
    assert secret_for(8765, (tmp_path,)) != first
    assert stat.S_IMODE((tmp_path / "anglewise" / "watch.key").stat().st_mode) == 0o600


def test_where_no_key_can_be_kept_the_secret_is_for_this_start(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert secret_for(1, ()) != secret_for(1, ()) and security.private_file("x", b"") is None
