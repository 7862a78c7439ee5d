"""The gallery: each picture that is drawn is shown, and small."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from docs import gallery

PAGE = Path(gallery.__file__).with_suffix(".md")


def test_the_page_shows_every_picture_and_no_other():
    shown = re.findall(r"\(pictures/gallery/([\w.-]+)\)", PAGE.read_text(encoding="utf-8"))
    made = [name for name, *_ in (*gallery.FILMS, *gallery.STILLS)]
    assert sorted(shown) == sorted(made) == sorted(path.name for path in gallery.PICTURES.iterdir())


def test_pictures_are_small():
    assert max(path.stat().st_size for path in gallery.PICTURES.iterdir()) <= gallery.MOST


def test_a_picture_that_is_too_large_is_refused(monkeypatch, tmp_path):
    from anglewise.lab import store
    from anglewise.lab.report import results
    from anglewise.lab.report.plots import animation

    def animate(found, key, what, path):
        path.write_bytes(b"0" * 20)
        return path

    import_module("anglewise.lab.report.plots.gallery")  # imported later, it would keep the stand-in for `load`
    monkeypatch.setattr(gallery, "PICTURES", tmp_path)
    monkeypatch.setattr(gallery, "STILLS", ())
    monkeypatch.setattr(gallery, "MOST", 10)
    monkeypatch.setattr(animation, "animate", animate)
    monkeypatch.setattr(results, "load", lambda reader: None)
    monkeypatch.setattr(store, "Reader", lambda folder: None)
    with pytest.raises(ValueError, match="circle-adamw.gif has 20 bytes: expected at most 10"):
        list(gallery.draw(tmp_path))
