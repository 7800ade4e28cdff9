"""The Training screen beyond the log: tests on checkpoints, built-in examples, validation below training, files."""

import json

import pytest
from streamlit.elements.lib.streamlit_plotly_theme import BG_COLOR

from dashboard import access
from dashboard.charts.figures import GROUND
from dashboard.charts.landscape import continuations_figure, curvature_figure, line_figure, objective_figure
from dashboard.components.checkpoint_tests import (
    continuations_sentence,
    curvature_sentence,
    line_sentence,
    objective_sentence,
)
from tests.dashboard.conftest import figures, words

TESTS = json.loads((access.EXAMPLES / "queue-start" / "dynamics_tests.json").read_text())


@pytest.fixture
def run(fake, show):
    """Draw the Training screen of the fake run."""
    return lambda **query: show("training", **query)


def tested(fake, **changes):
    """Give the fake run the example's tests."""
    content = {**TESTS, "log_hash": fake.info()["hashes"]["metrics.parquet"], **changes}
    fake.write_document("dynamics_tests", content)


def test_tests_on_checkpoints_bring_their_verdict(run, fake):
    tested(fake, verdict={"word": "undecided", "evidence": ["It was tested."], "missing": ["More seeds."]})
    at = run()
    assert "The loss dropped, but what made it drop is undecided." in words(at)
    assert "It was tested." in words(at)
    assert "To decide it: More seeds." in words(at)
    assert "Tests on checkpoints" in [title.value for title in at.subheader]
    assert "with tests on checkpoints" in words(at)
    assert "Event: queue start (step 570). Checkpoints: step 570 before the drop, 589 after it, controls 228, 912." in (
        words(at)
    )
    bars = figures(at)["tests_objective"]["data"]
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
        {"curvature": [{**TESTS["curvature"][0], "role": "beside"}]},
        {"line": None},
        {"line": {**TESTS["line"], "with": [1.0]}},
        {"line": {**TESTS["line"], "fraction": [], "with": [], "without": []}},
        {"continuations": {**TESTS["continuations"], "difference": {}}},
        {"objective": [{**TESTS["objective"][0], "split": "<b>test</b>"}]},
        {"changes_objective": None},
        {"event": {"kind": 3, "step": 570}},
        {"objective": [{"split": "val", "without": "much", "with": 1, "difference": {}}]},
        {"verdict": {"word": 3, "evidence": [], "missing": []}},
    ],
)
def test_broken_tests_are_left_out_with_a_sentence(run, fake, changes):
    tested(fake, **changes)
    at = run()
    assert f"Make it anew with `rice-ssl dynamics test {fake.root}`" in words(at)
    assert "a schedule artefact" in words(at)  # the log's own verdict stays


def test_a_document_that_is_no_json_gives_one_sentence(run, fake):
    (fake.root / "dynamics_tests.json").write_text("{")
    at = run()
    assert "cannot be read as JSON" in words(at)
    assert "a schedule artefact" in words(at)
    assert "with tests on checkpoints" not in words(at)


def test_what_a_test_could_not_tell_may_be_left_out(run, fake):
    """Neither continuations, where training cannot go on without the event, nor more than one batch."""
    before = {**TESTS["curvature"][1], "held_out": None, "alignment": None}
    tested(fake, continuations=None, event=None, curvature=[before], objective=[])
    at = run(test="curvature")
    assert at.segmented_control(key="short_link_test").options == ["Curvature", "Between the checkpoints"]
    assert "No event is known at the drop." in words(at)
    assert "Smallest eigenvalue at step 570: **-6.2 [-11, -1.6]**." in words(at)
    assert [
        axis["title"]["text"] for name, axis in figures(at)["tests_curvature"]["layout"].items() if "yaxis" in name
    ] == [
        "Smallest<br>eigenvalue",
        "Largest<br>eigenvalue",
        "Gradient<br>norm",
    ]


def test_each_test_says_what_it_found():
    assert objective_sentence(TESTS) == (
        "On the same val batches the loss is 5.58 without the event and 4.87 with it: "
        "**55% of the fall of 1.28 that was seen needs no learning.**"
    )
    assert continuations_sentence(TESTS) == (
        "After 30 steps, with the event less without it (mean of the second half): **-0.94 [-1, -0.89] nats** in the "
        "loss, 0.42 [0.27, 0.59] in the reference loss."
    )
    assert curvature_sentence(TESTS) == (
        "Smallest eigenvalue at step 570: **-6.2 [-11, -1.6]**, on other batches 2.9 [0.029, 5.7]. Of the update from "
        "there, 8.5e-05 of its squared length lies along the negative ones of the 4 lowest directions; of a random "
        "direction it would be 2e-05."
    )
    assert line_sentence(TESTS) == (
        "Along the straight line the loss goes without the event from 5.32 to 5.58 without a hump, "
        "and with the event from 4.83 to 4.16 without a hump."
    )


def test_an_event_that_leaves_the_objective_as_it_is_has_no_two_sides():
    same = {**TESTS, "changes_objective": False, "line": {**TESTS["line"], "without": [1.0, 2.5, 1.2]}}
    assert objective_sentence(same).startswith("The objective is the same with and without the event")
    assert "reference" not in continuations_sentence(same)
    assert line_sentence(same) == "Along the straight line the loss goes from 1 to 1.2 over a hump of 1.3."


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


def test_validation_below_training_is_told(run):
    at = run(log="example")
    assert "Validation below training" in [title.value for title in at.subheader]


def test_a_run_that_was_analysed_before_this_was_looked_for_tells_it_too(run, fake):
    assert "generalisation" not in fake.read_document("dynamics")
    assert "Validation loss lies below training loss nowhere" in words(run())


@pytest.mark.parametrize("broken", [{"sentence": "x"}, "text", {"sentence": "x", "stretches": [1], "causes": []}])
def test_a_broken_comparison_gives_one_sentence(run, fake, broken):
    fake.write_document("dynamics", {**fake.read_document("dynamics"), "generalisation": broken})
    at = run()
    assert f"Make it anew with `rice-ssl dynamics {fake.root}`" in words(at)
    assert "a schedule artefact" in words(at)


def test_a_figure_that_may_be_saved_has_the_theme_s_background(run):
    assert GROUND == BG_COLOR
    assert figures(run())["training_figure"]["layout"]["paper_bgcolor"] == GROUND


def test_the_evidence_that_is_saved_holds_the_tests(run, fake):
    tested(fake)
    (button,) = run().get("download_button")
    assert button.proto.label == "Evidence as JSON"


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
    (spectrum,) = (trace for trace in drawn.data if trace.name == "Next smallest")
    assert list(spectrum.y) == [value for entry in TESTS["curvature"] for value in entry["lowest"][1:]]


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
