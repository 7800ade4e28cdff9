"""The parts of the Sensors screen: out-of-fold pairs, classes and images, reliability, bands."""

import pandas as pd
import pytest

from dashboard import access
from dashboard.components.sensor_strata import thirds
from tests.dashboard.conftest import figures, words
from tests.dashboard.judged import report

STRATA, RELIABILITY, CHANNELS = "By class and image", "Reliability", "Bands"


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
    assert "RGNIR is right (McNemar's test, exact, p = 0.065). " in text
    assert "more often" not in text
    assert text.count("Which is better is said where the difference's interval leaves out 0.") == 1
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


def test_agreement_by_class_and_by_image(judged, show):
    at = show("sensors", part=STRATA)
    drawn = figures(at)
    by_class = [trace for trace in drawn["by-class"]["data"] if trace["x"] != [None]]
    assert [trace["x"] for trace in by_class] == [[0.6, 0.8, 0.9], pytest.approx([0.4, 0.2, 0.1])]
    assert drawn["by-class"]["layout"]["yaxis"]["ticktext"] == ["healthy", "brown", "blast"]
    rows = drawn["by-image"]["layout"]["yaxis"]["ticktext"]
    assert rows[-1] == "RGB lowest third, 0.1 to 0.3"
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
    judged.write_document("report", content)
    at = show("sensors", part=STRATA)
    agreed, diverged = (trace["x"] for trace in figures(at)["by-class"]["data"] if trace["x"] != [None])
    assert (agreed, diverged) == ([0.6, 0.9], pytest.approx([0.1]))


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
    told = (
        "trained on RGB images alone: what it says of RGNIR images is transfer to a sensor never seen in fine-tuning."
    )
    assert told in words(show("sensors"))
    assert told in words(show("overview"))
    judged.update_info(config={"finetune": {"sensors": "fused"}})
    assert "one sensor alone is judged as a pair whose other image is missing." in words(show("sensors"))


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


def test_a_link_of_a_former_version_finds_its_part(judged, show):
    at = show("sensors", part="Channels")
    assert at.segmented_control(key="part").value == "channels"
    assert at.query_params["part"] == "Bands"
    at.segmented_control(key="part").set_value("reliability").run()
    assert at.segmented_control(key="part").value == "reliability"
    assert "which this run does not have" not in words(at)


def test_thirds_of_too_few_pairs_name_the_number_and_older_reports_the_command(judged, show):
    content = report()
    agreement = content["splits"]["test"]["agreement"]
    agreement["strata"] = []
    judged.write_document("report", content)
    measured = "have not been measured: `rice-ssl audit"
    assert measured in words(show("sensors", part=STRATA))
    ids = judged.read_table("manifest")["pair_id"].unique()
    quality = pd.DataFrame({"pair_id": ids, "sensor": "rgb"})
    quality = quality.assign(brightness=0.5, sharpness=-2.0, clipped=0.0, leaf_area=0.4)
    judged.write_table("quality", quality)
    text = words(show("sensors", part=STRATA))
    assert "20 pairs here have images of two sensors: fewer than 30 pairs are too few for thirds." in text
    assert measured not in text
    agreement["pairs"] = 40
    judged.write_document("report", content)
    assert f"Make it anew with `rice-ssl evaluate {judged.root.as_posix()}`" in words(show("sensors", part=STRATA))


def test_thirds_have_three_digits_and_names():
    assert thirds(3) == ("lowest third, ", "middle third, ", "highest third, ")
    assert thirds(2) == ("", "")


def test_sharpness_is_said_to_be_a_logarithm(judged, show):
    content = report()
    for one in content["splits"]["test"]["agreement"]["strata"]:
        if one["measure"] == "sharpness":
            for each, (low, high) in zip(one["bins"], ((-3.4567, -2.5), (-2.5, -2.4444), (-2.4444, -1)), strict=True):
                each.update(low=low, high=high)
    judged.write_document("report", content)
    at = show("sensors", part=STRATA, measure="Sharpness")
    assert "Sharpness: a logarithm (base 10), higher is sharper;" in words(at)
    rows = figures(at)["by-image"]["layout"]["yaxis"]["ticktext"]
    assert rows[::-1][:3] == [
        "RGB lowest third, -3.46 to -2.5", "RGB middle third, -2.5 to -2.44", "RGB highest third, -2.44 to -1",
    ]  # fmt: skip


def test_where_nothing_changes_no_band_is_named(judged, show):
    content = judged.read_document("channels")
    none = {"value": 0.0, "low": 0.0, "high": 0.1}
    for one in content["questions"]:
        one["flipped"] = none
    judged.write_document("channels", content)
    assert "No prediction of a sensor alone changes." in words(show("sensors", part=CHANNELS))
    for one in content["questions"]:
        one["joint"]["flipped"] = none
    judged.write_document("channels", content)
    text = words(show("sensors", part=CHANNELS))
    assert "No prediction changes." in text
    assert "The most predictions" not in text
    assert "Intervals: 95%, over pairs." in text


def test_the_other_sensors_band_that_stood_in_is_named(judged, show):
    content = judged.read_document("channels")
    content["sources"] = [
        {"sensor": "rgnir", "band": "near infrared", "from_sensor": "rgb", "from_band": "blue", "same_band": False,
         "words": "near infrared of RGNIR is replaced by blue of RGB, which has no near infrared"}
    ]  # fmt: skip
    content["replacements"]["other_sensor"] = "the band is one of the pair's other sensor"
    content["questions"][1].update(replacement="other_sensor", divergence=None)
    judged.write_document("channels", content)
    at = show("sensors", part=CHANNELS)
    assert "**RGNIR near infrared** replaced by the other sensor's (blue of RGB): 25%" in words(at)
    table = at.dataframe[0].value.set_index("Band")
    assert table["Replaced by"].tolist() == ["its mean", "the other sensor's (blue of RGB)"]
    assert table.loc["RGNIR near infrared", "Divergence (bits)"] == ""


def test_two_sensors_but_no_complete_pair(judged, show):
    table = judged.read_table("cross_validation")
    half = [int(pair_id[-4:]) % 2 for pair_id in table["pair_id"]]
    judged.write_table("cross_validation", table[table["sensor"] == pd.Series(half).map({0: "rgb", 1: "rgnir"})])
    text = words(show("sensors", split="Out of fold"))
    assert "No pair here has images of two sensors" in text
    assert "of one sensor only" not in text
