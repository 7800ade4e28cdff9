"""A fake run on the command line, as ``streamlit run dashboard/app.py -- --run DIR`` has it."""

import json
import sys

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from rice_ssl.artifacts import write_comparison
from tests.dashboard.judged import write_judged_run
from tests.fakes import write_fake_run

SCREENS = ("overview", "leaf", "similar", "sensors", "runs", "map", "prototypes", "training")


@pytest.fixture(autouse=True)
def fresh_cache():
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """AppTest puts its script in the place of ``__main__``, where later tests' processes would look for it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def use_run(monkeypatch):
    """Call it with run directories to put them on the command line."""

    def use(*folders):
        monkeypatch.setattr(sys, "argv", ["app.py", *[part for folder in folders for part in ("--run", str(folder))]])

    return use


@pytest.fixture
def fake(tmp_path, use_run):
    """A complete fake run, in use."""
    store = write_fake_run(tmp_path / "run")
    use_run(store.root)
    return store


def _script(screen):
    import importlib

    from dashboard.components.notice import guarded

    guarded(importlib.import_module(f"dashboard.screens.{screen}").page)()


@pytest.fixture
def use_comparison(tmp_path, monkeypatch):
    """Call it with what ``comparison.json`` shall hold, after the run is on the command line."""

    def use(content):
        folder = tmp_path / "comparison"
        write_comparison(folder, content)
        monkeypatch.setattr(sys, "argv", [*sys.argv, "--comparison", str(folder)])
        return folder

    return use


@pytest.fixture
def judged(tmp_path, use_run):
    """A complete fake run with cross-validation, a whole report, an audit and channels, in use."""
    store = write_judged_run(tmp_path / "runs" / "judged")
    use_run(store.root)
    return store


@pytest.fixture
def show():
    """Draw one screen and give the AppTest; fails on any exception."""

    def draw(screen, **query):
        at = AppTest.from_function(_script, default_timeout=60, kwargs={"screen": screen})
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception, at.exception
        return at

    return draw


def words(at):
    """All the text on screen."""
    kinds = ("title", "subheader", "markdown", "caption", "warning", "info", "success")
    return " ".join(str(element.value) for kind in kinds for element in getattr(at, kind))


def without_labels(store, split=None):
    """Take the labels off a run's pairs, or off those of one split."""
    for name in ("manifest", "predictions"):
        frame = store.read_table(name)
        frame.loc[(frame["split"] == split) if split else slice(None), "label"] = None
        store.write_table(name, frame)


def figures(at):
    """The figures on screen by key, as plotly gets them."""
    return {chart.key: json.loads(chart.proto.spec) for chart in at.get("plotly_chart")}
