"""Classifiers compared, on the Sensors screen: loaded, unfinished, empty and broken."""

import copy
import json

import pytest

from dashboard.components.trained import conditions_table, difference_sentence, differences_table
from rice_ssl.artifacts import COMPARISON_FILE
from tests.dashboard.conftest import figures, words
from tests.dashboard.judged import COMPARISON

PART = "Trained sensor by sensor"
TITLES = {"rgb": "RGB", "rgnir": "RGNIR", "both": "Joint"}


def test_conditions_differences_labels_and_transfer_are_shown(fake, use_comparison, show):
    use_comparison(COMPARISON)
    at = show("sensors", part=PART)
    text = words(at)
    assert "**fake classifiers** on paddies: 4 classifiers, each cross-validated in 5 folds with 2 seeds." in text
    assert "trainings are done" not in text
    assert "Simulated" not in text  # the run that is open is, these classifiers are not
    drawn = figures(at)
    assert set(drawn) == {"conditions", "efficiency", "transfer"}
    first = [trace for trace in drawn["conditions"]["data"] if trace.get("xaxis") == "x" and trace["x"] != [None]]
    by_judge = {trace["name"]: trace for trace in first}
    assert by_judge["RGB"]["x"] == [0.8, 0.45, 0.75, 0.6]
    assert by_judge["RGNIR"]["marker"]["symbol"] == ["circle-open", "circle", "circle", "circle"]
    assert by_judge["Joint"]["x"] == [0.85, 0.66]
    assert "never seen in fine-tuning: 50% [45%, 55%] of 200 pairs right." in text


def test_a_log_axis_has_the_numbers_of_labels(fake, use_comparison, show):
    use_comparison(COMPARISON)
    at = show("sensors", part=PART)
    figure = figures(at)["efficiency"]
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert figure["layout"]["xaxis"]["tickvals"] == [20, 100, 200]
    lines = {trace["name"]: trace for trace in figure["data"]}
    assert lines["SwAV weights, fine-tuned"]["y"] == pytest.approx([0.6, 0.7, 0.8])
    assert lines["random weights, linear probe"]["y"] == pytest.approx([0.35, 0.45, 0.55])
    assert lines["random weights, linear probe"]["error_y"]["array"] == pytest.approx([0.05] * 3)
    assert lines["random weights, linear probe"]["line"]["dash"] == "dash"
    at.segmented_control(key="efficiency_figure").set_value("log_loss").run()
    lines = {trace["name"]: trace for trace in figures(at)["efficiency"]["data"]}
    assert lines["SwAV weights, fine-tuned"]["y"] == pytest.approx([0.4, 0.3, 0.2])


def test_differences_in_words_and_signs():
    sensor, _, fusion, start = COMPARISON["differences"]
    assert difference_sentence(sensor, TITLES) == (
        "RGB, SwAV weights (RGB) against RGNIR, SwAV weights (RGNIR): accuracy +10.0 points [+5.0, +15.0], "
        "McNemar p < 0.001: **RGB, SwAV weights (RGB) is better**."
    )
    assert difference_sentence(fusion, TITLES).endswith("McNemar p = 0.13: no difference shown (the interval holds 0).")
    table = differences_table(COMPARISON["differences"], TITLES)
    assert table["Accuracy"].tolist() == [
        "+0.100 [+0.050, +0.150] ▲", "+0.050 [-0.010, +0.110]", "+0.190 [+0.140, +0.240] ▲",
    ]  # fmt: skip
    assert table["Log loss (nats)"].tolist() == ["-0.100 [-0.150, -0.050] ▼", "", ""]
    assert table["McNemar"].tolist() == ["p < 0.001", "p = 0.13", "p < 0.001"]
    assert table["Pairs"].tolist() == [200, 200, 200]


def test_a_row_for_each_classifier_and_judge():
    table = conditions_table(COMPARISON, TITLES)
    assert len(table) == 2 + 2 + 3 + 3
    assert table.loc[0, "Accuracy"] == "0.800 [0.750, 0.850]"
    assert table["Judged from"].tolist()[-1] == "Joint"


def test_an_unfinished_comparison_says_how_far_it_is(fake, use_comparison, show):
    use_comparison({**COMPARISON, "done": 3})
    assert "3 of 4 trainings are done" in words(show("sensors", part=PART))


def test_a_simulated_comparison_is_called_so(fake, use_comparison, show):
    use_comparison({**COMPARISON, "simulated": True})
    assert "Simulated data" in words(show("sensors", part=PART))


def test_nothing_done_yet_and_only_conditions(fake, use_comparison, show):
    empty = {"differences": [], "label_efficiency": [], "transfer": []}
    folder = use_comparison({**COMPARISON, **empty, "conditions": [], "done": 0})
    assert "No classifier of this comparison is done yet" in words(show("sensors", part=PART))
    content = {**json.loads((folder / COMPARISON_FILE).read_text()), "conditions": COMPARISON["conditions"]}
    (folder / COMPARISON_FILE).write_text(json.dumps(content))
    assert set(figures(show("sensors", part=PART))) == {"conditions"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no comparison at"),
        ("{", "cannot be read as JSON"),
        (json.dumps({"schema_version": 9}), "Update rice_ssl."),
        (json.dumps({**COMPARISON, "schema_version": 1, "conditions": [{"name": "a"}]}), "comparison.json lacks what"),
    ],
)
def test_what_cannot_be_read_is_said(fake, use_comparison, show, content, says):
    path = use_comparison(COMPARISON) / COMPARISON_FILE
    path.unlink()
    if content is not None:
        path.write_text(content)
    text = words(show("sensors", part=PART))
    assert says in text
    assert "rice_ssl" in text or "rice-ssl compare CONFIG" in text


def test_a_link_to_another_classifier_says_so(fake, use_comparison, show):
    use_comparison(COMPARISON)
    assert "names kind 'x', which this run does not have. Showing SwAV weights, fine-tuned instead." in words(
        show("sensors", part=PART, transfer_kind="x")
    )


def test_names_of_unknown_kinds_are_shown_as_they_are(fake, use_comparison, show):
    content = copy.deepcopy(COMPARISON)
    content["transfer"][0].update(method="svm", start="moon")
    content["differences"][0]["question"] = "moon"
    use_comparison(content)
    text = words(show("sensors", part=PART))
    assert "**moon**" in text


def test_one_classifier_judged_from_two_sensors_is_told_apart():
    gap = {
        "a": "shared, SwAV weights", "judge_a": "rgb", "b": "shared, SwAV weights", "judge_b": "rgnir",
        "value": 0.1, "low": 0.05, "high": 0.15, "mcnemar_p": None,
    }  # fmt: skip
    assert difference_sentence(gap, TITLES) == (
        "shared, SwAV weights (RGB) against shared, SwAV weights (RGNIR): accuracy +10.0 points [+5.0, +15.0]: "
        "**shared, SwAV weights (RGB) is better**."
    )
    gap |= {"value": -0.1, "low": -0.15, "high": -0.05}
    assert difference_sentence(gap, TITLES).endswith("**shared, SwAV weights (RGNIR) is better**.")


def test_without_a_classifier_of_all_labels_there_is_no_chart_and_no_error(fake, use_comparison, show):
    conditions = [{**one, "label_fraction": 0.5} for one in COMPARISON["conditions"]]
    use_comparison({**COMPARISON, "conditions": conditions, "differences": []})
    at = show("sensors", part=PART)
    text = words(at)
    assert "No classifier that learnt from all labels is done yet" in text
    assert "comparison.json lacks" not in text
    assert set(figures(at)) == {"efficiency", "transfer"}


def test_no_transfer_without_a_sensor_that_was_not_learnt_from(fake, use_comparison, show):
    own = [one for one in COMPARISON["transfer"] if one["trained_on"] == one["tested_on"]]
    use_comparison({**COMPARISON, "transfer": own})
    at = show("sensors", part=PART)
    assert "transfer" not in figures(at)
    assert "understand the other's images" not in words(at)


def test_swav_weights_saw_the_images(fake, use_comparison, show):
    told = "SwAV pretraining saw their images, not their labels."
    use_comparison(COMPARISON)
    assert told in words(show("sensors", part=PART))
    use_comparison({**COMPARISON, "conditions": [{**one, "start": "random"} for one in COMPARISON["conditions"]]})
    assert told not in words(show("sensors", part=PART))


def test_names_are_no_markup(fake, use_comparison, show):
    use_comparison({**COMPARISON, "name": "a $x$ *b*"})
    assert "**a \\$x\\$ \\*b\\*** on paddies" in words(show("sensors", part=PART))
