"""A store that is written row by row, without training, while others read it; the server that shows it; a browser."""

from __future__ import annotations

import dataclasses
import http.client
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest

from anglewise.lab.outcome import Outcome, Rule, outcome_under
from anglewise.lab.spec import Manifest, Planned
from anglewise.lab.store import Store
from anglewise.lab.watch.server import Server
from tests.support.pages import browser_path

TRAINING = {"budget": 200, "every": 10, "threshold": 0.95, "sustain": 2, "further": -1, "measure_every": 0}
SITES = ("hidden.0.pre", "hidden.1.pre")


class Writer:
    """Writes an experiment as training would, one evaluation after the other."""

    def __init__(self, root, arms=("plain", "radial"), seeds=2, name="tiny", title="Does it?", sites=SITES, **training):
        self.store, self.sites = Store.open(root), sites
        training = TRAINING | training
        methods = [{"is": "AdamW"}], [{"is": "AdamW"}, {"is": "RadialPenalty", "strength": 0.1, "target": 1.0}]
        spec = {
            "arms": [{"name": arm, "methods": methods["radial" in arm]} for arm in arms],
            "training": training,
        }
        runs = [Planned(f"{i:02x}{seed:04x}", arm, seed) for i, arm in enumerate(arms) for seed in range(seeds)]
        self.rule = Rule.of(training)
        self.manifest = Manifest(
            "tiny-0123abcd", name, tuple(runs), title, spec, arms[0], tuple(arms), "anglewise run tiny"
        )
        self.store.manifest(self.manifest)
        self.rows = {run.run_id: [] for run in runs}

    def ids(self):
        return list(self.rows)

    def add(self, run_id, *accuracies, radius=1.25):
        """Add evaluations, each at the next step."""
        if not self.rows[run_id]:
            self.store.begin(run_id, {"seed": run_id}, {})
        for accuracy in accuracies:
            step = 10 * len(self.rows[run_id])
            values = {"train_accuracy": 1.0, "test_accuracy": accuracy, "train_loss": 0.1, "test_loss": 0.5}
            row = {"step": step, **values}
            radii = [{"step": step, "site": site, "name": "radius", "value": radius} for site in self.sites]
            other = {"step": step, "site": self.sites[0], "name": "radius_std", "value": 0.5}
            self.store.append(run_id, [row], [*radii, other])
            self.rows[run_id].append(row)

    def finish(self, run_id, reached=150):
        """Add what is missing to the budget, and end the run."""
        while 10 * len(self.rows[run_id]) <= self.rule.budget:
            self.add(run_id, 0.99 if 10 * len(self.rows[run_id]) >= reached else 0.1)
        columns = {name: np.array([row[name] for row in self.rows[run_id]]) for name in self.rows[run_id][0]}
        ending = outcome_under(self.rule, columns)
        self.store.finish(
            run_id, Outcome(**vars(ending), seconds=1.0, trained=self.rule.budget, every=10, rule=self.rule)
        )


@pytest.fixture
def writer(tmp_path):
    made = []

    def write(folder="store", **options):
        made.append(Writer(tmp_path / folder, **options))
        return made[-1]

    yield write
    for one in made:
        one.store.close()


@dataclasses.dataclass
class Running:
    """A server that runs in a thread."""

    server: Server
    thread: threading.Thread

    @property
    def address(self):
        return self.server.address

    def get(self, path="", method="GET", headers=None, body=None, secret=None):
        """Status, headers and text of one request."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        connection.request(method, (f"/{secret}/" if secret else parts.path) + path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), text

    def stop(self):
        self.server.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    running = []

    def start(*places, port=0, play=False):
        server = Server(places, port=port, play=play)
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=(ready.set,), daemon=True)
        thread.start()
        assert ready.wait(20)
        running.append(Running(server, thread))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="session")
def chromium():
    return browser_path()


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """Opens an address; whatever the console says goes to the page's `said`."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(10_000)

    def open_page(address):
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    context.close()
