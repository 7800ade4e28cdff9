"""The Training screen: loaded, empty, broken, and with an uploaded log; its figure by values."""

import json

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.event_labels import GAP, LETTER, NARROW, place_labels
from dashboard.charts.training import AXES, envelope, metric_title, training_figure
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import log_of_run, tidy_log
from rice_ssl.dynamics.verdict import SENTENCES
from tests.dashboard.conftest import words
from tests.fakes import QUEUE_STEP


@pytest.fixture
def run(fake, show):
    """Draw the Training screen of the fake run."""
    return lambda **query: show("training", **query)


def figure_of(at):
    (chart,) = at.get("plotly_chart")
    return json.loads(chart.proto.spec)


def a_log(drop_at=100, samples=200):
    index = np.arange(samples)
    values = 4 - 0.002 * index - 0.5 * (index >= drop_at) + np.random.default_rng(0).normal(0, 0.01, samples)
    return ("step,train_loss\n" + "\n".join(f"{step},{value}" for step, value in enumerate(values))).encode()


def upload(at, content, name="log.csv"):
    at.file_uploader[0].upload(name, content, "text/csv").run()
    assert not at.exception
    return at


def test_loaded_shows_the_verdict_of_the_run(run, fake):
    at = run()
    assert "The loss dropped where the schedule switched something: a schedule artefact." in words(at)
    assert "The train loss fell by 1 at step 60, together with: **queue start (step 60)**." in words(at)
    assert "The loss fell by 1.0 nat at step 60, where the queue was switched on." in words(at)
    figure = figure_of(at)
    assert [t["name"] for t in figure["data"]][:2] == ["Training", "Validation"]
    assert [a["text"] for a in figure["layout"]["annotations"]] == ["warm-up end · 6", "queue start · 60"]
    assert at.dataframe[0].value["Events"].tolist() == ["queue start"]


def test_without_dynamics_json_the_log_is_analysed(run, fake):
    (fake.root / "dynamics.json").unlink()
    at = run()
    assert "a schedule artefact" in words(at)
    assert "rice-ssl dynamics" in words(at)
    table = at.dataframe[0].value
    assert table["Step"].tolist() == [QUEUE_STEP, QUEUE_STEP]
    assert table["Size"].tolist() == pytest.approx([1, 1], abs=0.02)


def test_other_metric_and_stage(run, fake):
    at = run(metric="code_entropy")
    assert "Drops are searched in losses alone." in words(at)
    at = run(log="finetune")
    assert "was not searched: it has 2 values" in words(at)


def test_nonsense_in_the_address_falls_back(run, fake):
    at = run(log="<script>", metric="../../etc", view="x")
    assert "a schedule artefact" in words(at)
    assert words(at).count("which this run does not have") == 1
    assert "names log '<script>', metric '../../etc' and view 'x', which" in words(at)
    assert "Showing Pretraining, Loss and Whole log instead." in words(at)


def test_the_address_holds_short_values_and_none_for_the_defaults(run):
    at = run()
    assert at.query_params == {}
    at.segmented_control(key="short_link_view").set_value("drop").run()
    at.selectbox(key="short_link_metric").set_value("code_entropy").run()
    assert at.query_params == {"view": "drop", "metric": "code_entropy"}
    at.selectbox(key="short_link_metric").set_value("loss").run()
    at.segmented_control(key="short_link_log").set_value("finetune").run()
    assert at.query_params == {"view": "drop", "log": "finetune"}


def test_metrics_are_named_as_on_the_axes(run):
    at = run()
    assert at.selectbox(key="short_link_metric").options == ["Loss", "Code entropy H(q)", "Learning rate"]
    assert len({metric_title(name) for name in AXES}) == len(AXES)
    assert metric_title("loss_epoch") == "Loss epoch"


def test_a_run_with_another_s_weights_points_to_the_log_of_that_run(run, fake):
    fake.update_info(weights_from="demo", weights_run="assets/demo")
    assert "a schedule artefact" in words(run())
    (fake.root / "metrics.parquet").unlink()
    at = run()
    assert "the weights are those of the run demo, and so is the training log" in words(at)
    assert "`streamlit run dashboard/app.py -- --run assets/demo`" in words(at)
    assert "rice-ssl pretrain" not in words(at)
    assert "Reads what fastai" in words(run(log="upload"))


def test_zoom_narrows_the_axis(run, fake):
    at = run()
    at.segmented_control(key="short_link_view").set_value("drop").run()
    low, high = figure_of(at)["layout"]["xaxis"]["range"]
    assert 45 < low < QUEUE_STEP < high < 75


def test_zoom_shows_the_loss_without_the_queue_too():
    rows = [(step, "train", "loss", 4.0 - (step >= 50)) for step in range(100)]
    rows += [(step, "train", "reference_loss", 6.0) for step in range(50, 100)]
    log = tidy_log(pd.DataFrame(rows, columns=["step", "split", "name", "value"]), source="x", unit="step")
    low, high = training_figure(log, "loss", view=(40, 60)).layout.yaxis.range
    assert low < 3
    assert high > 6


def test_empty_run_names_the_command(run, fake):
    (fake.root / "metrics.parquet").unlink()
    assert "This run has no metrics.parquet. Make it with `rice-ssl pretrain" in words(run())


def test_broken_table_and_documents(run, fake):
    fake.write_document("dynamics", {"drops": [{"step": "x"}]})
    assert "dynamics.json lacks what this screen shows" in words(run())
    (fake.root / "dynamics.json").write_text("{")
    fake.update_info(name="changed")  # the run is read anew
    assert "cannot be read as JSON" in words(run())
    (fake.root / "metrics.parquet").write_bytes(b"broken")
    fake.update_info(name="changed again")
    assert "was changed after the run wrote it" in words(run())


def test_a_stage_without_rows(run, fake):
    metrics = fake.read_table("metrics")
    fake.write_table("metrics", metrics[metrics["stage"] == "pretrain"])
    assert "logged nothing in its stage 'finetune'" in words(run(log="finetune"))


def test_an_uploaded_log_with_and_without_its_recipe(run):
    at = run(log="upload")
    assert "Reads what fastai" in words(at)
    upload(at, a_log())
    assert "what made it drop is undecided" in words(at)
    assert "no known event lies within its interval" in words(at)
    assert "To decide it: The schedule's events: give the recipe" in words(at)
    at.number_input(key="training_queue_start_pct").set_value(0.5)
    at.number_input(key="training_epochs").set_value(20)
    at.run()
    assert "Not placed in this log of steps: queue start. Give steps_per_epoch too." in words(at)
    at.number_input(key="training_steps_per_epoch").set_value(10).run()
    assert not at.exception
    assert "a schedule artefact" in words(at)
    assert "together with: **queue start (step 100)**." in words(at)
    assert at.dataframe[0].value["Step"].tolist() == [100]


def test_warm_up_and_an_event_of_one_s_own(run):
    at = upload(run(log="upload"), a_log())
    for key, value in (("warmup_pct", 0.5), ("epochs", 20), ("steps_per_epoch", 10)):
        at.number_input(key=f"training_{key}").set_value(value)
    at.run()
    assert "together with: **warm-up end (step 100)**." in words(at)
    assert "a learning-rate effect" in words(at)
    at.number_input(key="training_warmup_pct").set_value(None)
    at.number_input(key="training_event_at").set_value(10.0).run()
    assert "Say also what changed." in words(at)
    at.selectbox(key="training_event").set_value("data_change")
    at.selectbox(key="training_event_unit").set_value("epoch").run()
    assert not at.exception
    assert "together with: **data changed (step 100)**." in words(at)
    assert "a data or resume effect" in words(at)


def test_a_log_and_its_recipe_outlive_a_look_at_the_run_until_they_are_forgotten(run):
    at = upload(run(log="upload"), a_log())
    at.text_input(key="training_train_column").set_value("train_loss")
    for key, value in (("queue_start_pct", 0.5), ("epochs", 20), ("steps_per_epoch", 10)):
        at.number_input(key=f"training_{key}").set_value(value)
    at.run()
    at.segmented_control(key="short_link_log").set_value("pretrain").run()
    assert "Forget this log" not in [button.label for button in at.button]
    at.segmented_control(key="short_link_log").set_value("upload").run()
    assert "`log.csv` (4 kB)" in words(at)
    assert len(at.file_uploader) == 0
    assert at.number_input(key="training_epochs").value == 20
    assert at.text_input(key="training_train_column").value == "train_loss"
    assert "together with: **queue start (step 100)**." in words(at)
    at.button(key="training_forget").click().run()
    assert not at.exception
    assert len(at.file_uploader) == 1
    assert at.text_input(key="training_train_column").value == ""
    assert at.number_input(key="training_epochs").value == 20
    upload(at, a_log(drop_at=150), "other.csv")
    assert "`other.csv` (4 kB)" in words(at)
    assert "at step 150" in words(at)


def test_a_short_log_and_one_column_named_twice(run):
    at = upload(run(log="upload"), b"step,loss\n1,3\n2,2\n")
    assert SENTENCES["too short"] in words(at)
    assert "too short" in words(at)
    assert "To decide it: A log of at least 16 values" in words(at)
    for key in ("train", "val"):
        at.text_input(key=f"training_{key}_column").set_value("loss")
    at.run()
    assert not at.exception
    assert "Column 'loss' is named for training and for validation" in words(at)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"a,b\n1,2\n2,3\n", "no step or epoch column"), (bytes(range(256)), "not text"), (b" ", "is empty")],
)
def test_a_broken_upload_gives_one_sentence(run, content, says):
    assert says in words(upload(run(log="upload"), content))


def test_the_figure_holds_raw_values_and_marks(run, fake):
    log = log_of_run(fake.read_table("metrics"), "pretrain")
    drops = fake.read_document("dynamics")["drops"]
    figure = training_figure(log, "loss", drops=drops, events=[Event("queue_start", QUEUE_STEP)])
    assert figure.data[0].y.tolist() == log.curve("loss", "train")[1].tolist()
    band = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (band.x0, band.x1) == (QUEUE_STEP - 1, QUEUE_STEP + 1)
    assert figure.layout.yaxis.title.text == "Loss (nats)"
    mark = next(trace for trace in figure.data if trace.mode == "markers")
    assert mark.x[0] == QUEUE_STEP
    assert {trace.name for trace in figure.data} >= {"Code entropy H(q)", "Learning rate"}


@pytest.mark.parametrize("seed", range(30))
def test_labels_never_touch_on_a_screen_of_420_pixels(seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["queue_start", "lr_phase", "resume", "a word of the user's own that is rather long"], 12)
    events = [Event(str(kind), float(step)) for kind, step in zip(kinds, rng.integers(0, 25_000, 12), strict=True)]
    first = events[5]
    labels, left_out = place_labels(events, (0, 25_000), [first])
    assert {*(label.event for label in labels), *left_out} == set(events)
    assert first in [label.event for label in labels]
    boxes = []
    for label in labels:
        place, width = label.event.step / 25_000 * NARROW, len(label.text) * LETTER
        left = place - {"left": 0, "center": width / 2, "right": width}[label.anchor]
        assert left >= -1e-9
        assert left + width <= NARROW + 1e-9
        boxes.append((label.row, left, left + width))
    assert max(row for row, *_ in boxes) <= 2
    for row, left, right in boxes:
        touching = [b for b in boxes if b[0] == row and b[1] < right + GAP and b[2] > left - GAP]
        assert len(touching) == 1


def test_events_without_room_for_a_label_are_marked_and_listed(run, fake):
    entries = [{"stage": "pretrain", "kind": "resume", "step": 10 * k, "detail": f"No. {k}."} for k in range(1, 12)]
    fake.write_events([*fake.events(), *entries])
    at = run()
    texts = [a["text"] for a in figure_of(at)["layout"]["annotations"]]
    assert "queue start · 60" in texts
    assert texts.count("▼") == 13 - sum("·" in text for text in texts) > 5
    assert "Events marked ▼: " in words(at)
    assert "resume (step 110)" in words(at)


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
