"""A real browser for pages: opened at a width and in a colour scheme, without a network."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """Where Chromium is; skips where there is none, and fails in CI, which must have it."""
    names = (os.environ.get("ANGLEWISE_BROWSER", ""), *NAMES)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium found, which CI must have")
        pytest.skip("no Chromium found: set ANGLEWISE_BROWSER to one")
    return found


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A running browser that resolves no name but this machine's."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser: Any, address: str, width: int = 1400, scheme: str = "light", **options: Any) -> Iterator[Any]:
    """A page that is ready; what it writes to its console or throws is in ``page.problems``."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    try:
        page.goto(address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        yield page
    finally:
        context.close()


def violations(page: Any) -> list[tuple[str, list[Any]]]:
    """What axe-core finds against the rules of accessibility: each rule with the first places that break it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
