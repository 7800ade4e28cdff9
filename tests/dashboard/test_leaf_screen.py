"""The Leaf screen's pictures, maps, badges and sentences: loaded, empty and broken."""

import base64
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from dashboard.components.map_agreement import agreement_sentence, band_sentence
from dashboard.components.map_trust import measured_badge, unmeasured_badge
from rice_ssl.artifacts import TABLES
from rice_ssl.attribution.overlay import colour
from tests.dashboard.conftest import words
from tests.dashboard.viewed import grids, viewed
from tests.fake_attribution import write_attribution
from tests.fakes import CLASSES

PAIR = "id_0003"
"""The first test pair: RGB's Grad-CAM does no better than random, see tests/fake_attribution.py."""


@pytest.fixture
def explained(fake):
    """The fake run with an attribution."""
    write_attribution(fake)
    return fake


def row_of(store, pair_id, sensor):
    index = store.read_table("attribution")
    return int(index[(index["pair_id"] == pair_id) & (index["sensor"] == sensor)]["row"].iloc[0])


def register(store, confident, dx=50.0, dy=-40.0):
    ids = store.read_table("manifest")["pair_id"].unique()
    store.write_table(
        "registration",
        pd.DataFrame({"pair_id": ids, "dx": dx, "dy": dy, "confidence": 0.5, "confident": confident}),
    )


# -- loaded -----------------------------------------------------------------------------------------------------------


def test_the_viewer_gets_pictures_maps_of_all_classes_and_probabilities(explained, show):
    data = viewed(show("leaf", pair=PAIR))
    maps = np.load(explained.root / "attribution" / "grad_cam.layer4.npy")
    thumbnails = explained.read_table("thumbnails").set_index(["pair_id", "sensor"])["jpeg"]
    predictions = explained.read_table("predictions").set_index(["pair_id", "sensor"])
    assert data["pair"] == PAIR
    assert data["classes"] == CLASSES
    assert data["label"] == CLASSES.index("blast")
    for sensor, name in zip(data["sensors"], ("rgb", "rgnir"), strict=True):
        np.testing.assert_array_equal(grids(sensor), maps[row_of(explained, PAIR, name)].astype(np.float32))
        assert base64.b64decode(sensor["jpeg"]) == thumbnails[PAIR, name]
        assert sensor["probabilities"] == pytest.approx(predictions.loc[(PAIR, name), "probabilities"], abs=1e-4)
        assert data["classes"][sensor["predicted"]] == predictions.loc[(PAIR, name), "prediction"]
    assert data["joint"]["title"] == "Joint, from all sensors"
    assert data["joint"]["probabilities"] == pytest.approx(predictions.loc[(PAIR, "both"), "probabilities"], abs=1e-4)
    assert data["jointClass"] == CLASSES.index(predictions.loc[(PAIR, "both"), "prediction"])
    assert np.array(data["stops"]["evidence"])[[0, -1]].tolist() == colour(np.array([0.0, 1.0])).tolist()


def test_the_default_map_is_the_last_layers_grad_cam_and_all_kinds_can_be_chosen(explained, show):
    data = viewed(show("leaf", pair=PAIR))
    assert data["view"] == {"class": "predicted", "opacity": 0.6, "mode": "side", "map": "grad_cam.layer4"}
    assert [(one["value"], one["title"], one["group"]) for one in data["maps"]] == [
        ("grad_cam.layer4", "Grad-CAM, layer4", "Why this class?"),
        ("grad_cam_plus_plus.layer4", "Grad-CAM++, layer4", "Why this class?"),
        ("layer_cam.layer3", "LayerCAM, layer3", "Why this class?"),
        ("integrated_gradients.input", "Integrated Gradients", "Why this class?"),
        ("occlusion.input", "Occlusion", "Why this class?"),
        ("prototype", "Assigned prototype, layer4", "Why this prototype?"),
        ("similarity", "Similarity of the pair, layer4", "Why one plant?"),
    ]


def test_a_link_chooses_class_opacity_mode_and_map(explained, show):
    at = show(
        "leaf", pair=PAIR, leaf_map="occlusion.input", leaf_mode="swipe", leaf_opacity="0.4", **{"class": "blast"}
    )
    data = viewed(at)
    assert data["view"] == {"class": "blast", "opacity": 0.4, "mode": "swipe", "map": "occlusion.input"}
    assert data["signed"]
    assert grids(data["sensors"][0]).min() < 0
    assert grids(data["sensors"][0]).shape == (3, 6, 7)
    assert [info.value for info in at.info if "The link" in info.value] == []


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("class", "weeds", "names class 'weeds', which this run does not have. Showing predicted instead."),
        ("leaf_opacity", "2", "names opacity '2', which this run does not have. Showing 0.6 instead."),
        ("leaf_opacity", "nan", "names opacity 'nan', which this run does not have. Showing 0.6 instead."),
        ("leaf_mode", "upside", "names mode 'upside', which this run does not have. Showing side instead."),
        ("leaf_map", "magic", "names map 'magic', which this run does not have. Showing grad_cam.layer4 instead."),
    ],
)
def test_a_link_to_an_unknown_view_says_so_once(parameter, value, said, explained, show):
    at = show("leaf", pair=PAIR, **{parameter: value})
    (notice,) = [info.value for info in at.info if "The link" in info.value]
    assert said in notice
    assert parameter not in at.query_params
    at.run()
    assert [info.value for info in at.info if "The link" in info.value] == []


@pytest.mark.parametrize(
    ("kind", "explained_by"),
    [("prototype", "what makes it belong to its prototype"),
     ("similarity", "what makes the encoder take the two for one plant")],
)  # fmt: skip
def test_maps_of_no_class_say_what_they_explain_and_that_their_trust_is_not_measured(
    kind, explained_by, explained, show
):
    data = viewed(show("leaf", pair=PAIR, leaf_map=kind))
    assert not data["perClass"]
    assert data["explained"] == explained_by
    for sensor, name in zip(data["sensors"], ("rgb", "rgnir"), strict=True):
        own = np.load(explained.root / "attribution" / f"{kind}.npy")[row_of(explained, PAIR, name)]
        np.testing.assert_array_equal(grids(sensor)[0], own.astype(np.float32))
        assert sensor["badge"] is None
        assert sensor["otherwise"]["text"] == "trust not measured"


def test_badges_say_which_map_is_to_be_believed(explained, show):
    first, second = viewed(show("leaf", pair=PAIR))["sensors"]
    assert (first["badge"]["tone"], first["badge"]["text"]) == ("grey", "no better than random")
    assert (second["badge"]["tone"], second["badge"]["text"]) == ("good", "✓ better than random maps")
    assert first["badge"]["class"] == first["predicted"]
    assert first["otherwise"]["text"] == "measured for the predicted class only"
    for said in ("0.20 of", "0.60: a score of +0.40", "score +0.00 (p = 0.05", "+0.25", "+0.20"):
        assert said in second["badge"]["detail"]


def test_a_map_below_the_centred_gaussian_is_orange(explained, show):
    (badge,) = {s["badge"]["text"] for s in viewed(show("leaf", pair=PAIR, leaf_map="layer_cam.layer3"))["sensors"]}
    assert badge == "no better than looking at the centre"


def test_a_leaf_that_was_not_measured_says_what_the_runs_maps_do(explained, show):
    for sensor in viewed(show("leaf", pair="id_0000"))["sensors"]:
        assert sensor["badge"] is None
        assert sensor["otherwise"]["tone"] == "outline"
        assert sensor["otherwise"]["text"] == "not measured for this leaf"
        assert "are better than random ones" in sensor["otherwise"]["detail"]
        assert "higher by 0.40 [0.30, 0.50]" in sensor["otherwise"]["detail"]


def test_maps_of_measured_leaves_alone_are_missed_in_one_sentence(explained, show):
    data = viewed(show("leaf", pair="id_0000", leaf_map="occlusion.input"))
    assert data["note"] == "Occlusion was asked for measured leaves alone, and this one is not among them."
    assert [sensor["maps"] for sensor in data["sensors"]] == [None, None]
    assert data["sensors"][0]["jpeg"]


def test_agreement_and_bands_are_sentences(explained, show):
    text = words(show("leaf", pair=PAIR))
    assert "overlap by 0.50, more than maps of different leaves do (0.30, p = 0.05). The pictures were laid on" in text
    assert "**50%** of the evidence in the RGNIR image is near infrared. By band, RGB: red 20%, green 30%," in text
    assert "Grad-CAM, layer4, 4x5 cells" in text
    assert "which need not be where the disease is" in text


@pytest.mark.parametrize("confident", [True, False])
def test_a_shift_is_sent_where_the_audit_is_sure_of_it(confident, explained, show):
    register(explained, confident)
    data = viewed(show("leaf", pair=PAIR))
    # The fake files have 500 x 400 pixels.
    assert data["registration"] == ({"right": 0.1, "down": -0.1} if confident else None)
    assert data["moved"] == ("50 pixels to the right and 40 up" if confident else "")


# -- in words ---------------------------------------------------------------------------------------------------------

KIND = {"method": "grad_cam", "layer": "layer4"}


def trust_row(**more):
    row = {
        "sensor": "rgb", "method": "grad_cam", "layer": "layer4", "class_name": "blast", "deletion": 0.2,
        "insertion": 0.5, "score": 0.3, "random_score": 0.0, "gaussian_score": 0.1, "p_random": 0.05, "road": None,
    }  # fmt: skip
    return pd.DataFrame([{**row, **more}])


@pytest.mark.parametrize(
    ("row", "tone"),
    [
        ({}, "good"),
        ({"p_random": np.float32(0.05)}, "good"),
        ({"score": 0.1}, "orange"),
        ({"p_random": 0.1}, "grey"),
        ({"p_random": 0.1, "score": -1.0}, "grey"),
    ],
)
def test_tones(row, tone):
    badge, class_name = measured_badge(trust_row(**row), "rgb", KIND)
    assert (badge.tone, class_name) == (tone, "blast")
    assert "ROAD" not in badge.detail


def test_what_was_not_measured_has_no_badge_of_its_own():
    assert measured_badge(trust_row(p_random=None), "rgb", KIND) is None
    assert measured_badge(trust_row(), "rgnir", KIND) is None
    assert measured_badge(trust_row(), "rgb", {**KIND, "layer": "layer3"}) is None
    assert unmeasured_badge([], "rgb", KIND).detail == ""


def agreement_row(**more):
    row = {
        **KIND, "class_name": "blast", "registered": False, "overlap": 0.5, "rank_correlation": 0.4,
        "centre_distance": 0.1, "null_overlap": 0.3, "null_rank_correlation": 0.0, "null_centre_distance": 0.2,
        "p_overlap": 0.05,
    }  # fmt: skip
    return pd.DataFrame([{**row, **more}])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "more than maps of different leaves do (0.30, p = 0.05). The two pictures are not registered, so this "
             "compares where in the frame the maps point."),
        ({"p_overlap": 0.2}, "not shown to be more than maps of different leaves do (0.30, p = 0.20)."),
        ({"overlap": 0.2}, "overlap by 0.20, no more than maps of different leaves do"),
        ({"overlap": None}, "cannot be said: one of them is empty"),
    ],
)  # fmt: skip
def test_agreement_in_words(row, said):
    sentence, meaning = agreement_sentence(agreement_row(**row), KIND)
    assert said in sentence
    assert "Rank correlation of their cells: +0.40 (different leaves: +0.00)." in meaning
    assert agreement_sentence(agreement_row(), {**KIND, "method": "occlusion"}) is None


def test_bands_without_near_infrared():
    rows = pd.DataFrame({"sensor": ["a", "a"], "band": ["red", "*green*"], "share": [0.25, 0.75]})
    assert band_sentence(rows, {"a": "A"})[0] == "By band, A: red 25%, \\*green\\* 75%."
    assert band_sentence(rows[:0], {}) is None


# -- empty ------------------------------------------------------------------------------------------------------------


def test_without_attribution_the_grad_cams_of_embed_are_shown(fake, show):
    at = show("leaf", pair=PAIR)
    data = viewed(at)
    index, maps = fake.read_cams()
    row = int(index[(index["pair_id"] == PAIR) & (index["sensor"] == "rgb")]["row"].iloc[0])
    np.testing.assert_array_equal(grids(data["sensors"][0]), maps[row].astype(np.float32))
    assert data["maps"] == []
    assert data["sensors"][0]["otherwise"]["text"] == "trust not measured"
    assert f"rice-ssl attribution {fake.root.as_posix()}" in data["sensors"][0]["otherwise"]["detail"]
    assert "overlap" not in words(at)


def test_without_predictions_the_pictures_are_shown(fake, show):
    (fake.root / "predictions.parquet").unlink()
    data = viewed(show("leaf", pair=PAIR))
    assert data["joint"] is None
    for sensor in data["sensors"]:
        assert sensor["jpeg"]
        assert sensor["probabilities"] is None
        assert sensor["predicted"] is None


def test_one_image_only(explained, show):
    for name in ("manifest", "predictions", "thumbnails"):
        frame = explained.read_table(name)
        explained.write_table(name, frame[(frame["pair_id"] != PAIR) | ~frame["sensor"].isin(["rgnir", "both"])])
    index = explained.read_table("attribution")
    explained.write_table("attribution", index[(index["pair_id"] != PAIR) | (index["sensor"] != "rgnir")])
    at = show("leaf", pair=PAIR)
    first, second = viewed(at)["sensors"]
    assert first["jpeg"]
    assert grids(first).shape == (3, 4, 5)
    assert (second["jpeg"], second["maps"]) == (None, None)
    assert second["missing"] == "This pair has no RGNIR image."
    assert viewed(at)["joint"] is None
    assert "overlap by" not in words(at)


def test_a_run_of_one_sensor(explained, show):
    explained.update_info(sensors=explained.info()["sensors"][:1])
    assert len(viewed(show("leaf", pair=PAIR))["sensors"]) == 1


# -- broken -----------------------------------------------------------------------------------------------------------


def rest_is_drawn(at):
    text = words(at)
    assert "Nearest leaves" in text
    assert f"#### {PAIR}" in text
    assert viewed(at)["sensors"][0]["jpeg"]
    assert viewed(at)["sensors"][0]["probabilities"]


def test_a_damaged_attribution_json_is_explained(explained, show):
    (explained.root / "attribution.json").write_text("{")
    at = show("leaf", pair=PAIR)
    (said,) = [warning.value for warning in at.warning]
    assert "attribution.json" in said
    assert "rice-ssl attribution" in said
    rest_is_drawn(at)
    assert grids(viewed(at)["sensors"][0]).shape == (3, 4, 5)  # of embed


@pytest.mark.parametrize(
    "content", [{}, {"maps": None}, {"maps": [{"method": "grad_cam"}]}, {"maps": [1]}, {"maps": {"a": 1}}]
)
def test_an_attribution_json_of_another_kind_is_explained(content, explained, show):
    explained.write_document("attribution", content)
    at = show("leaf", pair=PAIR)
    (said,) = [warning.value for warning in at.warning]
    assert said.startswith("attribution.json lacks what is shown here")
    rest_is_drawn(at)


def test_an_attribution_without_figures_still_shows_its_maps(explained, show):
    document = explained.read_document("attribution")
    explained.write_document("attribution", {"maps": document["maps"]})
    at = show("leaf", pair="id_0000")
    assert ["lacks what is shown here" in warning.value for warning in at.warning] == [True]
    assert grids(viewed(at)["sensors"][0]).shape == (3, 4, 5)


@pytest.mark.parametrize("harm", ["remove", "change"])
def test_maps_that_are_gone_or_changed_are_explained(harm, explained, show):
    path = explained.root / "attribution" / "grad_cam.layer4.npy"
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-10])
    at = show("leaf", pair=PAIR)
    (said,) = [warning.value for warning in at.warning]
    assert "grad_cam.layer4.npy" in said
    assert "rice-ssl attribution" in said
    rest_is_drawn(at)
    assert viewed(at)["sensors"][0]["maps"] is None


def test_maps_of_another_number_of_classes_are_explained(explained, show):
    explained.write_array("attribution/grad_cam.layer4.npy", np.zeros((48, 2, 4, 5), dtype=np.float16))
    at = show("leaf", pair=PAIR)
    assert ["do not fit the run's 3 classes" in warning.value for warning in at.warning] == [True]
    rest_is_drawn(at)


@pytest.mark.parametrize("table", ["trust", "map_agreement", "band_evidence", "registration"])
def test_a_damaged_table_is_explained_and_the_maps_are_shown(table, explained, show):
    register(explained, True)
    path = explained.root / TABLES[table].file
    path.write_bytes(path.read_bytes()[:100])
    at = show("leaf", pair=PAIR)
    (said,) = [warning.value for warning in at.warning]
    assert path.name in said
    rest_is_drawn(at)
    assert grids(viewed(at)["sensors"][0]).shape == (3, 4, 5)


def test_a_folder_without_maps_is_a_run_without_attribution(explained, show):
    shutil.rmtree(explained.root / "attribution")
    (explained.root / "attribution.json").unlink()
    data = viewed(show("leaf", pair=PAIR))
    assert data["maps"] == []
    assert grids(data["sensors"][0]).shape == (3, 4, 5)


def test_what_is_sent_has_no_markup_of_its_own(explained, show):
    """Names out of files come as JSON, and the scripts put them on screen as text alone."""
    from dashboard.components import pair_viewer

    scripts = "".join(pair_viewer._text(name) for name in pair_viewer._SCRIPTS)
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert unsafe not in scripts
    assert json.dumps(viewed(show("leaf", pair=PAIR)))
