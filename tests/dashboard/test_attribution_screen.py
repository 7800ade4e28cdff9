"""The Attribution screen: loaded, empty and broken."""

import pytest

from tests.dashboard.conftest import figures, words
from tests.fake_attribution import CLASSES, spread, write_attribution


@pytest.fixture
def attributed(fake):
    write_attribution(fake)
    return fake


def changed(store, **parts):
    store.write_document("attribution", {**store.read_document("attribution"), **parts})


def figure(at, key):
    return next(own for name, own in figures(at).items() if name == key)


def test_without_attribution_it_says_what_makes_it(fake, show):
    at = show("attribution")
    assert f"rice-ssl attribution {fake.root}" in at.warning[0].value


def test_it_names_the_best_map_and_those_that_no_one_should_believe(attributed, show):
    at = show("attribution")
    assert not at.warning
    said = words(at)
    assert "On **6 pairs** drawn with seed 0" in said
    assert "a Gaussian blur of 16 px takes the place" in said
    assert (
        "**RGB**: Of those that are, Occlusion scores highest, 0.50 [0.45, 0.55]. It is better than random maps" in said
    )
    assert "by 0.50 [0.40, 0.60], and better than a Gaussian in the centre" in said
    assert "Not shown to be better than random: Integrated Gradients." in said


def test_maps_no_better_than_random_are_grey_and_baselines_are_told_apart(attributed, show):
    drawn = figure(show("attribution"), "trust_figure")
    axis = drawn["layout"]["yaxis"]
    rows = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))
    by_name = {}
    for trace in drawn["data"]:
        by_name.setdefault(trace["name"], []).append(trace)
    assert set(by_name) == {"better than random maps", "not shown to be better", "knows no image"}
    for poor in by_name["not shown to be better"]:
        assert poor["y"] == [rows["Integrated Gradients"]]
        assert poor["x"] == [0.05]
        assert poor["marker"]["symbol"] == "circle-open"
    for known in by_name["knows no image"]:
        assert dict(zip(known["y"], known["x"], strict=True)) == {
            rows["Random maps"]: 0.0,
            rows["Centred Gaussian"]: 0.25,
        }


def test_a_class_and_another_measure_can_be_chosen_by_link(attributed, show):
    document = attributed.read_document("attribution")
    for one in document["trust"]:
        if one["class"] == "brown" and one["method"] == "grad_cam":
            one["deletion"] = spread(0.123)
    changed(attributed, trust=document["trust"])
    at = show("attribution", trust_class="brown", trust_measure="Deletion: probability left, less is better")
    values = [x for trace in figure(at, "trust_figure")["data"] for x in trace["x"]]
    assert 0.123 in values
    assert "healthy leaves" not in words(at)
    assert "healthy leaves" in words(show("attribution"))


def test_figures_that_are_not_there_are_left_out(attributed, show):
    document = attributed.read_document("attribution")
    for one in document["trust"]:
        one["road"] = one["road_above_random"] = None
    changed(attributed, trust=document["trust"])
    at = show("attribution", trust_measure="ROAD: least less most relevant removed")
    assert "This was not measured." in words(at)


def test_where_no_map_beats_random_ones_it_says_so(attributed, show):
    document = attributed.read_document("attribution")
    for one in document["trust"]:
        one["above_random"] = spread(0.0)
    changed(attributed, trust=document["trust"])
    assert "no kind of map is shown to do better than random ones here" in words(show("attribution"))


def test_best_and_worst_leaves_are_those_of_the_table(attributed, show):
    at = show("attribution", attribution_part="Best and worst leaves")
    trust = attributed.read_table("trust")
    own = trust[(trust["method"] == "grad_cam") & (trust["sensor"] == "rgb")]
    assert len(own) == 6
    assert "**1** do no better than random maps" in words(at)
    buttons = [button.key for button in at.button if button.key.startswith("trust-worst")]
    assert len(buttons) == 3
    first = next(button for button in at.button if button.key == "trust-worst-0-rgb")
    assert first.label == "id_0003"


def test_the_cascade_begins_with_the_trained_network(attributed, show):
    at = show("attribution", attribution_part="Randomised network")
    for trace in figure(at, "randomisation_figure")["data"]:
        assert trace["x"] == ["trained", "head", "layer4", "layer3"]
        assert trace["y"] == [1.0, 0.6, 0.3, 0.1]
    assert "the correlation is 0.10 [0.05, 0.15]: something of it stays" in words(at)


def test_lesions_are_called_simulated_and_stand_beside_the_centre(attributed, show):
    at = show("attribution", attribution_part="Simulated lesions")
    said = words(at)
    assert "**Simulated** leaves" in said
    assert "on a lesion in 100% [95%, 105%] of 4 leaves" in said
    assert "not shown to be better than the centre" in said


def test_without_lesion_masks_there_is_no_such_part(attributed, show):
    changed(attributed, localisation=None)
    at = show("attribution", attribution_part="Simulated lesions")
    assert "trust_figure" in figures(at)
    assert "lesion_figure" not in figures(at)


def test_registered_pairs_are_told_from_others(attributed, show):
    at = show("attribution", attribution_part="Between sensors")
    said = words(at)
    assert "registered pairs (3): the two sensors' maps overlap by 0.50 [0.45, 0.55], more than maps of" in said
    assert "pairs that are not registered (3)" in said


def test_the_share_of_near_infrared_is_said(attributed, show):
    said = words(show("attribution", attribution_part="Bands"))
    assert "**50% [45%, 55%]** of the evidence in RGNIR images is near infrared." in said


@pytest.mark.parametrize("part", ["Between sensors", "Bands", "Randomised network"])
def test_empty_parts_say_that_they_are(attributed, show, part):
    changed(attributed, agreement=[], bands=[], randomisation=[])
    assert show("attribution", attribution_part=part).info


def test_a_document_of_another_shape_is_explained(attributed, show):
    changed(attributed, trust=[{"method": "grad_cam"}])
    at = show("attribution")
    assert "attribution.json lacks what is shown here" in at.warning[0].value
    assert "rice-ssl attribution" in at.warning[0].value


def test_a_table_that_is_gone_is_explained(attributed, show):
    attributed.remove("attribution/trust.parquet")
    at = show("attribution", attribution_part="Best and worst leaves")
    assert "attribution/trust.parquet" in at.warning[0].value


def test_classes_of_the_run_are_offered(attributed, show):
    at = show("attribution")
    assert {one["class"] for one in attributed.read_document("attribution")["trust"]} == {None, *CLASSES}
    assert at.title[0].value == "Attribution"
