"""Findings on the Overview: of the import and of the audit, by kind and page; none, missing and broken."""

import pytest

from tests.dashboard.conftest import figures, words
from tests.dashboard.judged import AUDIT, add_audit


def test_both_are_there(judged, show):
    at = show("overview")
    text = words(at)
    assert "missing twin: 1" in text  # of the import
    assert "Of all kinds: labels in doubt 1, duplicates 1, wrong pairs 1, shifted pairs 1, exposure 1" in text
    assert at.segmented_control(key="audit").options == [
        "Labels in doubt", "Duplicates", "Wrong pairs", "Shifted pairs", "Exposure", "Blur", "Saturation",
    ]  # fmt: skip


def test_a_label_in_doubt_is_told_with_what_networks_say(judged, show):
    table = judged.read_table("cross_validation").query("pair_id == 'id_0000'").set_index("sensor")
    text = words(show("overview"))
    assert "Labelled blast, judged brown." in text
    assert "Judged by cross-validation, which agrees with 90% of the labels." in text
    said = ", ".join(
        f"{title} {table.loc[name, 'prediction']} {table.loc[name, 'confidence']:.2f}"
        for name, title in (("both", "Joint"), ("rgb", "RGB"), ("rgnir", "RGNIR"))
    )
    assert f"Label blast. Cross-validation: {said}." in text


def test_a_duplicate_has_both_pairs(judged, show):
    at = show("overview", audit="Duplicates")
    assert "id_0001: brown · id_0004: brown" in words(at)
    assert {button.label for button in at.button if str(button.key).startswith("audit-")} == {"id_0001", "id_0004"}
    named = [image.proto.imgs[0].alt for image in at.get("image")]
    assert named[-4:] == [f"{s} image of {p}" for p in ("id_0001", "id_0004") for s in ("RGB", "RGNIR")]


def test_a_shift_is_told_and_drawn(judged, show):
    at = show("overview", audit="Shifted pairs")
    text = words(at)
    assert "Shift +11.0 px across, -4.8 px down; confidence 0.80." in text
    assert "Measured with confidence in 24 of 24 pairs. Median shift of these: +1.5 px across, -2.0 px down" in text
    (trace,) = figures(at)["offsets"]["data"]
    assert len(trace["text"]) == 24


def test_pages_hold_six_the_worst_first(judged, show):
    add_audit(judged, [("label", f"id_{k:04d}", None, None, k / 100, f"Doubt {k}.") for k in range(8)])
    at = show("overview")
    shown = [m.value for m in at.markdown if m.value.startswith("Doubt ")]
    assert shown == [f"Doubt {k}." for k in (7, 6, 5, 4, 3, 2)]
    at = show("overview", audit_label_page="2")
    assert [m.value for m in at.markdown if m.value.startswith("Doubt ")] == ["Doubt 1.", "Doubt 0."]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"audit": "x"}, "names audit 'x', which this run does not have. Showing Labels in doubt instead."),
        ({"audit_label_page": "9"}, "names page '9', which this run does not have. Showing page 1 instead."),
    ],
)
def test_a_link_to_what_is_not_there_says_so(judged, show, query, said):
    add_audit(judged, [("label", f"id_{k:04d}", None, None, k / 100, f"Doubt {k}.") for k in range(8)])
    assert said in words(show("overview", **query))


def test_an_audit_that_found_nothing_says_so(judged, show):
    add_audit(judged, [])
    assert (
        "The audit found nothing wrong. It looked at images (exposure, blur, saturation), duplicates, shifts between "
        "sensors, wrong pairs and labels (judged by cross-validation)."
    ) in words(show("overview"))


@pytest.mark.parametrize("found", [[], AUDIT[:1]])
def test_what_the_audit_did_not_look_at_is_said(judged, show, found):
    add_audit(judged, found)
    labels = "Labels were not judged: 3 labelled pairs of 1 classes are too few."
    alone = "No pair has images of two sensors (sensors: rgb), so pairs were neither registered nor compared."
    document = {
        "registration": {"pairs": 0, "note": alone},
        "wrong_pairs": {"source": "none", "note": alone},
        "labels": {"source": None, "note": labels},
    }
    judged.write_document("audit", document)
    text = words(show("overview"))
    assert labels in text
    assert alone in text
    cleared = "The audit found nothing wrong. It looked at images (exposure, blur, saturation) and duplicates."
    assert (cleared in text) == (not found)


def test_without_audit_json_nothing_is_cleared(judged, show):
    add_audit(judged, [])
    (judged.root / "audit.json").unlink()
    text = words(show("overview"))
    assert "found nothing wrong. It" not in text
    assert "what was looked at is not known" in text


def test_without_an_audit_the_command_is_named(fake, show):
    assert f"have not been looked for: `rice-ssl audit {fake.root.as_posix()}`." in words(show("overview"))


def test_a_kind_of_another_version_is_shown_by_its_name(judged, show):
    add_audit(judged, [*AUDIT, ("odd_light", "id_0001", None, None, 0.5, "Odd.")])
    assert "Odd." in words(show("overview", audit="Odd light"))


def test_a_damaged_table_is_explained(judged, show):
    path = judged.root / "audit.parquet"
    path.write_bytes(path.read_bytes()[:100])
    text = words(show("overview"))
    assert "changed after the run wrote it" in text
    assert "missing twin: 1" in text


def test_a_pair_that_is_gone_is_told(judged, show):
    add_audit(judged, [("exposure", "id_9999", "rgb", None, 0.9, "Too bright.")])
    assert "Too bright." in words(show("overview"))


def test_without_pictures_the_findings_are_told(judged, show):
    (judged.root / "thumbnails" / "images.parquet").unlink()
    text = words(show("overview"))
    assert "Labelled blast, judged brown." in text
    assert "rice-ssl embed" in text
