"""The Training screen beyond the log: tests on checkpoints, built-in examples, runs laid over each other."""

import json
import shutil

import pytest

from dashboard import access
from dashboard.charts.landscape import continuations_figure, curvature_figure, line_figure, objective_figure
from dashboard.charts.overlay import Overlaid, overlay_figure
from rice_ssl.dynamics.csv_log import parse_csv_log
from tests.dashboard.conftest import words

TESTS = json.loads((access.EXAMPLES / "queue-start" / "dynamics_tests.json").read_text())


@pytest.fixture
def run(fake, show):
    """Draw the Training screen of the fake run."""
    return lambda **query: show("training", **query)


def tested(fake, **changes):
    """Give the fake run the example's tests."""
    content = {**TESTS, "log_hash": fake.info()["hashes"]["metrics.parquet"], **changes}
    fake.write_document("dynamics_tests", content)


def figures(at):
    return {chart.proto.id.rpartition("-")[2]: json.loads(chart.proto.spec) for chart in at.get("plotly_chart")}


def figure(at, key):
    return next(spec for name, spec in figures(at).items() if name == key)


def test_tests_on_checkpoints_bring_their_verdict(run, fake):
    tested(fake, verdict={"word": "undecided", "evidence": ["It was tested."], "missing": ["More seeds."]})
    at = run()
    assert "The loss dropped, but what made it drop is undecided." in words(at)
    assert "It was tested." in words(at)
    assert "To decide it: More seeds." in words(at)
    assert "Tests on checkpoints" in [title.value for title in at.subheader]
    bars = figure(at, "tests_objective")["data"]
    assert [trace["name"] for trace in bars[:2]] == ["Without the event", "With the event"]


@pytest.mark.parametrize("test", ["continuations", "curvature", "line"])
def test_every_test_has_its_figure(run, fake, test):
    tested(fake)
    at = run(test=test)
    assert f"tests_{test}" in figures(at)


def test_without_tests_the_command_that_makes_them_is_named(run, fake):
    at = run()
    assert f"rice-ssl dynamics test {fake.root}" in words(at)
    assert "Tests on checkpoints" not in [title.value for title in at.subheader]


@pytest.mark.parametrize(
    "changes",
    [
        {"curvature": [{"step": 3}]},
        {"line": None},
        {"objective": [{"split": "val", "without": "much", "with": 1, "difference": {}}]},
        {"verdict": {"word": 3, "evidence": [], "missing": []}},
    ],
)
def test_broken_tests_are_left_out_with_a_sentence(run, fake, changes):
    tested(fake, **changes)
    at = run()
    assert f"Make it anew with `rice-ssl dynamics test {fake.root}`" in words(at)
    assert "a schedule artefact" in words(at)  # the log's own verdict stays


def test_tests_of_a_former_training_are_not_shown(run, fake):
    tested(fake, log_hash={"sha256": "0", "bytes": 1})
    at = run()
    assert "dynamics_tests.json is of a former training of this run" in words(at)
    assert "Tests on checkpoints" not in [title.value for title in at.subheader]


def test_the_original_s_curve_with_and_without_its_recipe(run):
    at = run(log="original")
    assert "a schedule artefact" in words(at)
    assert "together with: **queue start (step 24,900)**" in words(at)
    assert "Qeios U1Y01E" in words(at)
    at.toggle(key="training_original_recipe").set_value(False).run()
    assert not at.exception
    assert "what made it drop is undecided" in words(at)
    assert "give the recipe" in words(at)


def test_the_simulated_example_shows_all_its_evidence(run):
    at = run(log="example")
    assert "a schedule artefact" in words(at)
    assert "55% of the fall of 1.28 that was seen at once" in words(at)
    assert "not negative beyond its interval" in words(at)
    assert {"training_figure", "tests_objective"} <= set(figures(at))


def test_another_run_is_laid_over(run):
    at = run()
    at.multiselect(key="training_overlay").set_value(["The original's curve"]).run()
    assert not at.exception
    table = next(frame.value for frame in at.dataframe if "Verdict" in frame.value)
    assert table["Run"].tolist() == ["This run", "The original's curve"]
    assert table["Verdict"].tolist() == ["schedule artefact", "schedule artefact"]
    assert table["Drop at"].tolist()[1] == pytest.approx(24_900, abs=150)
    names = [trace["name"] for trace in figure(at, "overlay_figure")["data"] if trace.get("showlegend", True)]
    assert names == [f"{name}, {split}" for name in table["Run"] for split in ("training", "validation")]


def test_batch_sizes_are_held_against_each_other(run, fake):
    """A second run beside the open one; two are too few for a correlation, and the screen says so."""
    fake.update_info(config={"pretrain": {"batch_size": 16}})
    beside = shutil.copytree(fake.root, fake.root.parent / "second")
    at = run()
    name = f"{beside.parent.name}/second"
    at.multiselect(key="training_overlay").set_value([name]).run()
    assert not at.exception
    assert "Validation below training, by batch size:" in words(at)
    table = next(frame.value for frame in at.dataframe if "Verdict" in frame.value)
    assert table["Run"].tolist() == ["This run", name]


def test_validation_below_training_is_told(run):
    at = run(log="example")
    assert "Validation below training" in [title.value for title in at.subheader]


def test_the_objective_s_bars_hold_the_figures():
    drawn = objective_figure(TESTS["objective"])
    first = TESTS["objective"][0]
    assert drawn.data[0].y[0] == first["without"]
    assert drawn.data[1].y[0] == first["with"]
    assert drawn.data[1].error_y.array[0] == first["difference"]["high"] - first["difference"]["value"]
    assert drawn.data[2].y[0] == first["without"] - first["fall_seen"]


def test_the_curvature_s_marks_hold_the_figures():
    drawn = curvature_figure(TESTS["curvature"])
    before = next(entry for entry in TESTS["curvature"] if entry["role"] == "before")
    marks = [trace for trace in drawn.data if trace.name == "Before the drop"]
    assert [trace.y[0] for trace in marks] == [
        before[name]["value"] for name in ("smallest", "held_out", "largest", "gradient_norm")
    ]


def test_continuations_and_line_hold_the_figures():
    going = TESTS["continuations"]
    drawn = continuations_figure(going)
    assert [trace.name for trace in drawn.data] == [  # without the queue, the loss is the reference loss
        "Without the event, loss",
        "With the event, loss",
        "With the event, reference loss",
    ]
    assert list(drawn.data[1].y) == going["with"]["loss"]
    assert len(line_figure(TESTS["line"], both=True).data) == 2
    assert [trace.name for trace in line_figure(TESTS["line"], both=False).data] == ["Loss"]


def test_runs_of_different_length_are_aligned_by_share():
    short, long = (
        parse_csv_log(b"step,train_loss\n" + "".join(f"{k},{9 - k / n}\n" for k in range(n)).encode())
        for n in (50, 200)
    )
    drop = {"split": "train", "step": 98, "size": 1.0}
    drawn = overlay_figure([Overlaid("a", short, []), Overlaid("b", long, [drop])], "loss", share=True)
    assert [trace.x[-1] for trace in drawn.data[:2]] == pytest.approx([1.0, 1.0])
    assert drawn.data[2].x[0] == pytest.approx(98 / 199)
    by_step = overlay_figure([Overlaid("a", short, []), Overlaid("b", long, [drop])], "loss", share=False)
    assert [trace.x[-1] for trace in by_step.data[:2]] == [49, 199]
    assert by_step.layout.xaxis.title.text == "Steps since the start"
