"""The Training screen: loaded, empty, broken, and with an uploaded log; its figure by values."""

import json
import sys
import types

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.charts.training import envelope, label_levels, training_figure
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import log_of_run, tidy_log
from tests.fakes import QUEUE_STEP, write_fake_run


def script():
    from dashboard.screens.training import page

    page()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A fake run behind the interface of dashboard.access, without that module's cache and its way to find the run."""
    store = write_fake_run(tmp_path / "run")
    access = types.ModuleType("dashboard.access")
    access.current_run = lambda: "run"
    access.info = lambda run: store.info()
    access.table = lambda run, name, columns=None: store.read_table(name, columns)
    access.document = lambda run, name: store.read_document(name)
    access.events = lambda run: store.events()
    notice = types.ModuleType("dashboard.components.notice")
    notice.explain = lambda error: __import__("streamlit").warning(str(error))
    import dashboard

    monkeypatch.setattr(dashboard, "access", access, raising=False)
    monkeypatch.setitem(sys.modules, "dashboard.access", access)
    monkeypatch.setitem(sys.modules, "dashboard.components.notice", notice)
    monkeypatch.delitem(sys.modules, "dashboard.screens.training", raising=False)
    yield store
    sys.modules.pop("dashboard.screens.training", None)


def run(**query):
    at = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def texts(at):
    return " ".join(str(element.value) for kind in ("markdown", "caption", "warning") for element in getattr(at, kind))


def figure_of(at):
    (chart,) = at.get("plotly_chart")
    return json.loads(chart.proto.spec)


def test_loaded_shows_the_verdict_of_the_run(store):
    at = run()
    assert "The loss dropped where the schedule switched something: a schedule artefact." in texts(at)
    assert "The loss fell by 1.0 nat at step 60, where the queue was switched on." in texts(at)
    figure = figure_of(at)
    assert [t["name"] for t in figure["data"]][:2] == ["Training", "Validation"]
    assert [a["text"] for a in figure["layout"]["annotations"]] == ["warm-up end · step 6", "queue start · step 60"]
    assert at.dataframe[0].value["Events"].tolist() == ["queue start"]


def test_without_dynamics_json_the_log_is_analysed(store):
    (store.root / "dynamics.json").unlink()
    at = run()
    assert "a schedule artefact" in texts(at)
    assert "rice-ssl dynamics" in texts(at)
    table = at.dataframe[0].value
    assert table["Step"].tolist() == [QUEUE_STEP, QUEUE_STEP]
    assert table["Size"].tolist() == pytest.approx([1, 1], abs=0.02)


def test_other_metric_and_stage(store):
    at = run(metric="code entropy")
    assert "Drops are searched in losses alone." in texts(at)
    at = run(log="Fine-tuning")
    assert "was not searched: it has 2 values" in texts(at)


def test_nonsense_in_the_address_falls_back(store):
    at = run(log="<script>", metric="../../etc", view="x")
    assert "a schedule artefact" in texts(at)


def test_zoom_narrows_the_axis(store):
    at = run()
    at.segmented_control(key="view").set_value("Around the drop").run()
    low, high = figure_of(at)["layout"]["xaxis"]["range"]
    assert 45 < low < QUEUE_STEP < high < 75


def test_empty_run_names_the_command(store):
    (store.root / "metrics.parquet").unlink()
    assert "This run has no metrics.parquet. Make it with `rice-ssl pretrain" in texts(run())


def test_broken_table_and_documents(store):
    (store.root / "dynamics.json").write_text('{"drops": [{"step": "x"}]}')
    assert "dynamics.json lacks what this screen shows" in texts(run())
    (store.root / "dynamics.json").write_text("{")
    assert "cannot be read as JSON" in texts(run())
    (store.root / "metrics.parquet").write_bytes(b"broken")
    assert "was changed after the run wrote it" in texts(run())


def test_a_stage_without_rows(store):
    metrics = store.read_table("metrics")
    store.write_table("metrics", metrics[metrics["stage"] == "pretrain"])
    assert "logged nothing in its stage 'finetune'" in texts(run(log="Fine-tuning"))


def test_an_uploaded_log_with_and_without_its_recipe(store):
    values = 4 - 0.002 * np.arange(200) - 0.5 * (np.arange(200) >= 100) + np.random.default_rng(0).normal(0, 0.01, 200)
    content = "step,train_loss\n" + "\n".join(f"{step},{value}" for step, value in enumerate(values))
    at = run(log="Upload a log")
    assert "Reads what fastai" in texts(at)
    at.file_uploader[0].upload("log.csv", content.encode(), "text/csv").run()
    assert not at.exception
    assert "what made it drop is undecided" in texts(at)
    for key, value in (("queue_start_pct", 0.5), ("epochs", 20), ("steps_per_epoch", 10)):
        at.number_input(key=f"training_{key}").set_value(value)
    at.run()
    assert not at.exception
    assert "a schedule artefact" in texts(at)
    assert at.dataframe[0].value["Step"].tolist() == [100]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"a,b\n1,2\n2,3\n", "no step or epoch column"), (bytes(range(256)), "not text"), (b" ", "is empty")],
)
def test_a_broken_upload_gives_one_sentence(store, content, says):
    at = run(log="Upload a log")
    at.file_uploader[0].upload("log.csv", content, "text/csv").run()
    assert not at.exception
    assert says in texts(at)


def test_the_figure_holds_raw_values_and_marks(store):
    log = log_of_run(store.read_table("metrics"), "pretrain")
    drops = store.read_document("dynamics")["drops"]
    figure = training_figure(log, "loss", drops=drops, events=[Event("queue_start", QUEUE_STEP)])
    assert figure.data[0].y.tolist() == log.curve("loss", "train")[1].tolist()
    band = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (band.x0, band.x1) == (QUEUE_STEP - 1, QUEUE_STEP + 1)
    assert figure.layout.yaxis.title.text == "Loss (nats)"
    mark = next(trace for trace in figure.data if trace.mode == "markers")
    assert mark.x[0] == QUEUE_STEP
    assert {trace.name for trace in figure.data} >= {"Code entropy H(q)", "Learning rate"}


def test_labels_that_would_touch_take_another_row():
    assert label_levels([0.1, 0.5, 0.9], [0.1, 0.1, 0.1], 0.01) == [0, 0, 0]
    assert label_levels([0.50, 0.52, 0.54, 0.70], [0.1] * 4, 0.01) == [0, 1, 2, 0]


def test_the_envelope_keeps_extremes():
    values = np.random.default_rng(0).normal(0, 1, 50_000)
    values[12_345], values[40_001] = 99, -99
    steps, kept = envelope(np.arange(50_000.0), values, most=1000)
    assert len(kept) <= 1002
    assert (steps[kept.argmax()], steps[kept.argmin()]) == (12_345, 40_001)
    assert (values[steps.astype(int)] == kept).all()


def test_a_log_of_one_curve_has_one_panel():
    log = tidy_log(
        pd.DataFrame({"step": [0, 1], "split": "val", "name": "loss", "value": [2.0, 1.0]}), source="x", unit="epoch"
    )
    figure = training_figure(log, "loss", units_known=False)
    assert [trace.name for trace in figure.data] == ["Validation"]
    assert figure.layout.yaxis.title.text == "Loss (as logged)"
    assert figure.layout.xaxis.title.text == "Epochs since the start of training"
