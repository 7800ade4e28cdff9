"""The parts of the Sensors screen: out-of-fold pairs, classes and pictures, reliability, channels."""

import pytest

from dashboard import access
from tests.dashboard.conftest import figures, words
from tests.dashboard.judged import report

STRATA, RELIABILITY, CHANNELS = "By class and picture", "Reliability", "Channels"


def test_out_of_fold_pairs_are_those_of_cross_validation(judged, show):
    table = judged.read_table("cross_validation")
    oof = table[table["split"] == "oof"]
    wide = oof[oof["sensor"] != "both"].pivot(index="pair_id", columns="sensor", values="prediction")
    at = show("sensors", split="Out of fold")
    assert "each judged by networks that did not see it" in words(at)
    assert at.metric[0].label == f"Agreement on {len(wide)} pairs"
    assert at.metric[0].value == f"{100 * (wide['rgb'] == wide['rgnir']).mean():.0f}%"
    listed = at.dataframe[0].value.set_index("Pair")
    assert set(listed.index) == set(wide.index)
    assert listed.loc["id_0000", "RGB"].startswith("brown ")  # predictions.parquet has it the other way round
    assert listed.loc["id_0000", "RGNIR"].startswith("blast ")
    assert listed.loc["id_0000", "Right"] == "RGNIR only"
    assert show("sensors").segmented_control(key="split").options == ["Test", "Out of fold", "Validation", "Training"]


def test_the_paired_tests_are_said(judged, show):
    text = words(show("sensors", split="Out of fold"))
    assert "RGB is right on 2 pairs where RGNIR is wrong, and wrong on 9 pairs where RGNIR is right" in text
    assert "p = 0.065): no difference in accuracy is shown." in text
    assert "would be right (the oracle)" in text
    assert "mean divergence 0.21 [0.16, 0.26] bits; over 20 pairs." in text


def test_a_former_report_has_fewer_words_and_no_errors(fake, show):
    text = words(show("sensors"))
    assert "McNemar" not in text
    assert "oracle" not in text
    for part in (STRATA, RELIABILITY):
        text = words(show("sensors", part=part))
        assert "report.json lacks what is shown here" in text
        assert f"`rice-ssl evaluate {fake.root.as_posix()}`" in text


def test_agreement_by_class_and_by_picture(judged, show):
    at = show("sensors", part=STRATA)
    drawn = figures(at)
    by_class = [trace for trace in drawn["by-class"]["data"] if trace["x"] != [None]]
    assert [trace["x"] for trace in by_class] == [[0.6, 0.8, 0.9], pytest.approx([0.4, 0.2, 0.1])]
    assert drawn["by-class"]["layout"]["yaxis"]["ticktext"] == ["healthy", "brown", "blast"]
    rows = drawn["by-picture"]["layout"]["yaxis"]["ticktext"]
    assert rows[-1] == "RGB 0.1 to 0.3"
    assert len(rows) == 6
    assert "Brightness: mean of the image's values, 0 to 1; thirds of each sensor's images, 7 pairs each." in words(at)
    at.segmented_control(key="measure").set_value("leaf_area").run()
    assert not at.exception
    assert "Leaf area: share of the image that is leaf" in words(at)


def test_classes_and_thirds_of_too_few_pairs_are_left_out(judged, show):
    content = report()
    agreement = content["splits"]["test"]["agreement"]
    agreement["by_class"][0].update(pairs=1, divergence=None)
    agreement["by_class"][1].update(pairs=0, rate=None, divergence=None)
    agreement["strata"] = []
    judged.write_document("report", content)
    at = show("sensors", part=STRATA)
    agreed, diverged = (trace["x"] for trace in figures(at)["by-class"]["data"] if trace["x"] != [None])
    assert (agreed, diverged) == ([0.6, 0.9], pytest.approx([0.1]))
    assert f"`rice-ssl audit {judged.root.as_posix()}`, then `rice-ssl evaluate" in words(at)


def test_reliability_has_bins_whiskers_and_the_diagonal(judged, show):
    at = show("sensors", part=RELIABILITY, split="Out of fold")
    traces = figures(at)["reliability"]["data"]
    diagonals = [trace for trace in traces if trace.get("line", {}).get("dash") == "dot"]
    assert [(trace["x"], trace["y"]) for trace in diagonals] == 3 * [([0, 1], [0, 1])]
    dots = [trace for trace in traces if trace.get("mode") == "markers"]
    assert (dots[0]["x"], dots[0]["y"]) == ([0.56, 0.95], [0.5, 0.92])
    assert dots[0]["error_y"]["arrayminus"] == pytest.approx([0.28, 0.27])
    assert [trace["y"] for trace in traces if trace["type"] == "bar"] == 3 * [[8, 12]]
    table = at.dataframe[0].value.set_index("Judge")
    assert table.loc["RGB", "Calibration error"] == "0.080 [0.050, 0.110]"
    assert table.loc["RGB", "Brier score"] == "0.310 [0.260, 0.360]"
    assert table["Temperature"].tolist() == ["1.50", "1.25", "1.50"]
    assert "Temperature" not in show("sensors", part=RELIABILITY, split="Test").dataframe[0].value  # of the classifier


def test_abstention_tells_coverage_and_accuracy(judged, show):
    at = show("sensors", part=RELIABILITY)
    assert "**RGB** answers 100% of the pairs (20): 70% [60%, 75%] right." in words(at)
    at.select_slider(key="abstain").set_value(0.6).run()
    assert not at.exception
    assert "**RGB** answers 60% of the pairs (12): 92% [65%, 99%] right." in words(at)


def test_a_judge_that_is_never_so_sure_answers_no_pair(judged, show):
    content = report()
    content["splits"]["test"]["sensors"]["rgb"]["abstention"].pop()  # beyond that it has no answer
    judged.write_document("report", content)
    at = show("sensors", part=RELIABILITY)
    at.select_slider(key="abstain").set_value(0.6).run()
    assert "**RGB** answers no pair." in words(at)
    assert "**Joint** answers 60% of the pairs" in words(at)


@pytest.mark.parametrize("part", [STRATA, RELIABILITY])
def test_pairs_that_were_learnt_from_have_no_such_figures(judged, show, part):
    assert "says nothing of training pairs: figures on pairs that were learnt from mean little." in words(
        show("sensors", part=part, split="Training")
    )


@pytest.mark.parametrize("part", [STRATA, RELIABILITY])
def test_without_labels_that_is_said(judged, show, part):
    content = report()
    content["splits"]["test"].update(sensors={}, complementarity=None, differences=[])
    for one in content["splits"]["test"]["agreement"]["by_class"]:
        one.update(pairs=0, rate=None, divergence=None)
    judged.write_document("report", content)
    assert "have no labels" in words(show("sensors", part=part))


def test_channels_say_which_band_counts_and_list_the_leaves(judged, show):
    at = show("sensors", part=CHANNELS)
    assert "**RGNIR near infrared** replaced by its mean: 25% [20%, 30%] of 24 pairs." in words(at)
    own, pair = (trace["x"] for trace in figures(at)["flips"]["data"] if trace["x"] != [None])
    assert (own, pair) == ([0.08, 0.25], [0.04, 0.125])
    table = at.dataframe[0].value.set_index("Band")
    assert table.loc["RGB blue", "Changed"] == "8% [3%, 13%]"
    assert table.loc["RGB blue", "Accuracy after - before"] == "-10.0 points [-15.0, -5.0]"
    assert at.dataframe[1].value["Pair"].tolist() == ["id_0000", "id_0001", *[f"id_{k:04d}" for k in range(6)]]
    at.selectbox(key="band").select("RGB blue").run()
    assert at.dataframe[1].value["Pair"].tolist() == ["id_0000", "id_0001"]
    assert at.dataframe[1].value["Pair's prediction"].tolist() == ["blast → brown", "blast"]


def test_channels_that_were_not_asked_name_the_command(fake, show):
    assert f"`rice-ssl channels {fake.root.as_posix()}`" in words(show("sensors", part=CHANNELS))
    assert f"That has not been asked: `rice-ssl channels {fake.root.as_posix()}`." in words(show("leaf"))


def test_channels_that_cannot_be_read_are_said(judged, show):
    judged.write_document("channels", {"questions": [{"split": "test"}]})
    assert "channels.json lacks what is shown here" in words(show("sensors", part=CHANNELS))
    path = judged.root / "channels.parquet"
    path.write_bytes(path.read_bytes()[:100])
    text = words(show("leaf", pair="id_0001"))
    assert "changed after the run wrote it" in text
    assert "Nearest leaves" in text


def test_a_leaf_says_what_its_bands_do(judged, show):
    at = show("leaf", pair="id_0003")
    assert "1 of 2 replacements change what a sensor's image alone is called." in words(at)
    (table,) = [frame.value for frame in at.dataframe if "Replaced by" in frame.value]
    assert table["Prediction"].tolist() == ["blast", "blast → brown"]
    assert table["Band"].tolist() == ["RGB blue", "RGNIR near infrared"]


@pytest.mark.parametrize(
    ("part", "name", "said"),
    [
        (STRATA, "measure", "names measure 'x', which this run does not have. Showing Brightness instead."),
        (CHANNELS, "band", "names band 'x', which this run does not have. Showing any band instead."),
        (CHANNELS, "channel_split", "names split 'x', which this run does not have. Showing Test instead."),
    ],
)
def test_a_link_to_what_is_not_there_says_so(judged, show, part, name, said):
    assert said in words(show("sensors", **{"part": part, name: "x"}))


def test_a_classifier_of_one_sensor_is_said_to_be_so(judged, show):
    config = {"finetune": {"sensors": "rgb"}}
    judged.update_info(config=config)
    told = "trained on RGB images alone: what it says of RGNIR images is transfer to a sensor never seen in training."
    assert told in words(show("sensors"))
    assert told in words(show("overview"))
    judged.update_info(config={"finetune": {"sensors": "fused"}})
    assert "The classifier is fused" in words(show("sensors"))


def test_logits_that_are_no_sum_are_not_split_up(fake):
    run = access.current_run()
    assert set(access.contributions(run, "id_0000")) == {"rgb", "rgnir"}
    predictions = fake.read_table("predictions")
    joint = predictions["sensor"] == "both"
    predictions.loc[joint, "logits"] = predictions.loc[joint, "logits"].map(lambda values: values + 1.0)
    fake.write_table("predictions", predictions)
    assert access.contributions(access.current_run(), "id_0000") == {}


def test_a_report_that_is_no_report_is_said(judged, show):
    judged.write_document("report", {"splits": 3})
    for query in ({}, {"part": STRATA}, {"part": RELIABILITY}):
        assert "report.json lacks what is shown here" in words(show("sensors", **query))
    assert "report.json lacks what is shown here" in words(show("overview"))
