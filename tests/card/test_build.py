"""What a card says against the run that it is of."""

import pandas as pd
import pytest

from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.card.blocks import Bullets, Grid
from rice_ssl.card.build import build_card
from rice_ssl.card.markdown import to_markdown
from rice_ssl.card.words import code, figure, setting
from rice_ssl.errors import ArtifactError
from tests.card.small_run import CHANNELS, REPORT, begin, findings

SECTIONS = [
    "In short",
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Bands the classifier relies on",
    "Maps of the evidence, and their trust",
    "Audit of images and labels",
    "Ethical considerations",
    "Caveats and recommendations",
    "Where it comes from",
    "Configuration",
]


def section_of(store, title):
    return next(section for section in build_card(store, "a: 1\n").sections if section.title == title)


def text_of(store, title):
    """A section's text, without Markdown's backslashes."""
    whole = to_markdown(build_card(store, "a: 1\n"))
    return whole.split(f"## {title}\n")[1].split("\n## ")[0].replace("\\", "")


def grids(store, title):
    return {block.caption: block for block in section_of(store, title).blocks if isinstance(block, Grid)}


def limits(store):
    (found,) = [one for one in section_of(store, "Caveats and recommendations").blocks if isinstance(one, Bullets)]
    return found.items


def test_the_sections_are_those_of_model_cards_and_the_configuration_is_last(tmp_path):
    card = build_card(begin(tmp_path), "a: 1\n")
    assert card.title == "Model card: small"
    assert [section.title for section in card.sections] == SECTIONS
    assert to_markdown(card).endswith("```yaml\na: 1\n```\n")


def test_figures_are_the_reports(tmp_path):
    store = begin(tmp_path)
    tables = grids(store, "Quantitative analyses")
    found = tables["Split `oof`, out of fold: labelled pairs, each judged by networks that did not see it"]
    assert found.header == (
        "Judged from", "Labelled pairs", "Accuracy", "Log loss (nats)", "Macro F1", "Brier score",
        "Calibration error (ECE)",
    )  # fmt: skip
    assert found.rows[0] == (
        "rgb alone", "150", "0.701 [0.651, 0.751]", "0.802 [0.602, 1.002]", "0.610 [0.560, 0.660]",
        "0.303 [0.253, 0.353]", "0.044 [-0.006, 0.094]",
    )  # fmt: skip
    assert found.rows[1][:3] == ("all images of a pair", "150", "0.811 [0.761, 0.861]")
    assert found.rows[1][-2:] == ("–", "–")
    by_class = tables["Split `oof` by class, judged from all images of a pair"]
    assert by_class.rows[0] == ("blast", "90", "0.777 [0.727, 0.827]", "0.888 [0.838, 0.938]", "0.829")
    assert by_class.rows[1] == ("healthy", "0", "–", "–", "–")
    (row,) = tables["Split `oof`: paired differences"].rows
    assert row == ("all images of a pair minus rgb alone", "Log loss (nats)", "-0.290 [-0.340, -0.240]")
    every = {figure(one) for part in REPORT["splits"].values() for judge in part["sensors"].values()
             for one in judge["figures"].values()}  # fmt: skip
    text = text_of(store, "Quantitative analyses")
    assert all(one in text for one in every)


def test_agreement_and_complementarity_in_words(tmp_path):
    text = text_of(begin(tmp_path), "Quantitative analyses")
    assert (
        "Split `oof`: rgb and rgnir agree on 0.734 [0.684, 0.784] of 149 pairs, Cohen's kappa 0.555 [0.505, 0.605], "
        "Jensen-Shannon divergence 0.222 [0.172, 0.272] bits; only rgb is right on 7, only rgnir on 19 "
        "(McNemar, exact: p = 0.0291)." in text
    )
    assert (
        "both sensors are right on 90 of 148 pairs, neither on 32; whoever knew which of the two to trust would be "
        "right on 0.784 [0.734, 0.834], the better sensor alone (rgnir) is on 0.736 [0.686, 0.786], both together on "
        "0.811 [0.761, 0.861], a gain of 0.075 [0.025, 0.125]." in text
    )


def test_the_first_paragraph_takes_the_split_that_says_most(tmp_path):
    store = begin(tmp_path)
    assert text_of(store, "In short").strip() == (
        "89 pairs, 84 of them with one of 3 classes. On the 150 labelled pairs of the split `oof`, judged from all "
        "images of a pair: accuracy 0.811 [0.761, 0.861], log loss 0.512 [0.312, 0.712] nats."
    )
    store.write_document("report", {"splits": {}})
    assert text_of(store, "In short").strip().endswith("There are no figures yet.")
    assert "No pair outside the training split has a label." in text_of(store, "Quantitative analyses")


def test_data_by_split_and_class(tmp_path):
    store = begin(tmp_path)
    found = grids(store, "Training data")
    assert found["Pairs by split and class"].header == ("Split", "blast", "brown", "healthy", "without a label", "all")
    assert found["Pairs by split and class"].rows == (
        ("training", "40", "30", "5", "0", "75"),
        ("validation", "4", "3", "2", "0", "9"),
        ("test", "0", "0", "0", "5", "5"),
    )
    source = dict(found["Source"].rows)
    assert source["Images"] == "177 images of 89 pairs, as imported"
    assert source["Pairs without one of their images"] == "1"
    assert source["Groups of two pairs or more (a site, or photos that are the same)"] == "44, which hold 88 pairs"
    assert "This run has no findings.parquet. Make it with `rice-ssl run CONFIG`." in text_of(store, "Training data")
    findings(store, "findings", ["near_duplicate", "missing_twin", "near_duplicate"])
    (table,) = [one for name, one in grids(store, "Training data").items() if name.startswith("What the import")]
    assert table.rows == (("missing twin", "1"), ("near duplicate", "2"))


def test_bands_and_their_worth(tmp_path):
    store = begin(tmp_path)
    rows = grids(store, "Factors")["Sensors, their bands in the order of the file's channels, and images"].rows
    assert rows[1] == ("RGNIR", "`rgnir`", "red, green, near infrared", "`{id}_rgn.jpg`", "88")
    missing = (
        f"The classifier was not asked. This run has no channels.json. Make it with `rice-ssl channels {tmp_path}`."
    )
    assert missing in text_of(store, "Bands the classifier relies on")
    store.write_document("channels", CHANNELS)
    (table,) = grids(store, "Bands the classifier relies on").values()
    assert table.rows == (
        (
            "rgnir, near infrared", "other sensor", "8", "0.376 [0.326, 0.426]", "-0.251 [-0.301, -0.201]",
            "0.407 [0.357, 0.457]", "0.143 [0.093, 0.193]", "–",
        ),
    )  # fmt: skip
    text = text_of(store, "Bands the classifier relies on")
    assert "- other sensor: the band is the other sensor's." in text
    assert "replaced by blue of RGB, which has no near infrared." in text
    assert "replaced by red of RGNIR" not in text


def test_what_is_missing_is_named_with_its_command(tmp_path):
    store = begin(tmp_path, report=None)
    whole = to_markdown(build_card(store, ""))
    for command in ("evaluate", "channels", "attribution", "audit", "cross-validate"):
        assert f"`rice-ssl {command} {tmp_path}`" in whole
    assert f"Nothing was pretrained in this run; `rice-ssl pretrain {tmp_path}` does it." in whole
    assert any(line.startswith("There are no figures at all.") for line in limits(store))


def test_a_damaged_file_is_told_like_a_missing_one(tmp_path):
    store = begin(tmp_path)
    (tmp_path / "report.json").write_text('{"splits": {}}')
    text = text_of(store, "Quantitative analyses")
    assert "was changed after the run wrote it" in text
    assert f"Make it anew with `rice-ssl evaluate {tmp_path}`" in text


def test_recipe_hashes_and_stages(tmp_path):
    store = begin(tmp_path, cross_validation={"seeds": [1, 2], "views": 4}, info={"temperatures": {"both": 1.5}})
    store.finish_stage("finetune", "f", seconds=12.5, finished="2026-11-25T10:00:00+00:00")
    weights = store.weights_path("classifier")
    weights.parent.mkdir()
    weights.write_bytes(b"x")
    store.note_hash("weights/classifier.safetensors")
    details = grids(store, "Model details")
    assert details["Fine-tuning of the classifier"].rows == (("`epochs`", "7"),)
    assert details["Cross-validation"].rows == (("`seeds`", "1, 2"), ("`views`", "4"))
    assert "Self-supervised pretraining (SwAV)" not in details
    assert dict(details["Model"].rows)["Code"] == "rice_ssl, revision `abc123`"
    assert "Temperatures by which cross-validation divides logits: both 1.5." in text_of(store, "Model details")
    origin = grids(store, "Where it comes from")
    hashes = store.info()["hashes"]
    assert origin["SHA-256 of files"].rows == tuple(
        (f"`{name}`", f"`{hashes[name]['sha256']}`") for name in ("manifest.parquet", "weights/classifier.safetensors")
    )
    assert origin["Stages of the run"].rows == (("finetune", "2026-11-25T10:00:00+00:00", "12.5"),)
    assert origin["Versions of packages"].rows == (("torch", "2.99"),)


def test_limits_come_from_facts(tmp_path):
    store = begin(tmp_path)
    found = limits(store)
    assert found == (
        "1 of 89 pairs lack one of their images and are judged from what there is.",
        "Few labelled pairs outside the test split: healthy (7). Figures of these classes rest on little.",
        f"Labels were not audited: how many of them are wrong is not known. `rice-ssl audit {tmp_path}` looks.",
        "The epoch that was kept is the best on the validation pairs: figures of the split `val` flatter.",
        "Pretraining saw the images (not the labels) of all pairs but test pairs: those of the splits `oof`, `val` "
        "were not new to the encoder.",
        "Each pair of the split `oof` was judged by the one training that left out its fold: what another seed would "
        "give is not within the intervals.",
        "The interval of accuracy on the split `oof`, from all images of a pair, is 0.10 wide.",
        "The split `val` holds 9 labelled pairs: few enough for chance to rule its figures.",
        "The interval of accuracy on the split `val`, from all images of a pair, is 0.10 wide.",
        "No figures of the split `test`: too few of its pairs have a label.",
    )


@pytest.mark.parametrize(
    ("changes", "said", "is_said"),
    [
        ({"info": {"simulated": True}}, "The images are simulated, not photographed", True),
        ({}, "simulated", False),
        ({"info": {"weights_from": "other", "weights_run": "r"}}, "The weights are of another run", True),
        ({"info": {"weights_from": "other", "weights_run": "r"}}, "The epoch that was kept", False),
        ({"info": {"weights_simulated": True}}, "The weights were trained on simulated images.", True),
        ({"groups": False}, "No sites or repeated photos are known", True),
        ({}, "No sites or repeated photos are known", False),
        ({"finetune": {"sensors": "rgnir"}}, "trained on the images of rgnir alone", True),
        ({"finetune": {"sensors": "fused"}}, "alone: what it says", False),
        ({"finetune": {"start": "random"}}, "Pretraining saw the images", False),
        ({"finetune": {"swav_run": "runs/x"}}, "Pretraining saw the images", False),
        ({"finetune": {"swav_run": "runs/x"}}, "began with the SwAV weights of `runs/x`: which of these", True),
        ({"finetune": {"keep": "last"}}, "The epoch that was kept", False),
        ({"finetune": {"keep": "last", "patience": 3}}, "Validation pairs told when to end the training", True),
        ({"finetune": {"keep": "last"}}, "Validation pairs told", False),
        ({"finetune": {"class_weights": "balanced"}}, "Classes were weighted to be equal", True),
        ({"cross_validation": {"seeds": [1, 2]}}, "Several seeds are averaged", True),
        ({"cross_validation": {"seeds": [1, 2]}}, "Every figure is of one training", False),
        ({"labels": {"train": [40, 40, 40], "test": [1, 0, 0]}}, "No test pair has a label", False),
        ({"labels": {"train": [40, 40, 40]}}, "Few labelled pairs", False),
    ],
)
def test_a_limit_is_said_where_it_holds_and_nowhere_else(tmp_path, changes, said, is_said):
    assert any(said in line for line in limits(begin(tmp_path, **changes))) == is_said


def test_audit_findings_by_kind(tmp_path):
    store = begin(tmp_path)
    findings(store, "audit", ["label", "blur", "label"])
    findings(store, "findings", ["duplicate_across_splits", "site_across_splits", "near_duplicate"])
    (table,) = grids(store, "Audit of images and labels").values()
    assert table.rows == (("blur", "1"), ("label", "2"))
    found = limits(store)
    assert "2 labels are suspected of being wrong; figures count the labels as they are." in found
    assert any(line.startswith("2 findings say that the same photo or site lies in two splits") for line in found)
    assert "Whether the audit judged the labels is not known." in " ".join(found)


def test_an_audit_without_findings_clears_only_what_it_looked_at(tmp_path):
    store = begin(tmp_path)
    findings(store, "audit", [])
    nothing = "Labels were not judged: 3 labelled pairs are too few."
    alone = "No pair has images of two sensors (sensors: rgb), so pairs were neither registered nor compared."
    document = {
        "registration": {"pairs": 0, "note": alone},
        "wrong_pairs": {"source": "none", "note": alone},
        "labels": {"source": None, "note": nothing},
    }
    store.write_document("audit", document)
    text = text_of(store, "Audit of images and labels")
    assert "The audit points at nothing." in text
    assert "Looked at: images (exposure, blur, saturation) and duplicates.\n" in text
    assert nothing in text
    assert alone in text
    assert nothing in limits(store)
    store.write_document(
        "audit",
        {
            "registration": {"pairs": 8},
            "wrong_pairs": {"source": "structure", "note": "By structure."},
            "labels": {"source": "embeddings", "note": None},
        },
    )
    text = text_of(store, "Audit of images and labels")
    assert "duplicates, shifts between sensors, wrong pairs and labels (judged by embeddings)." in text
    assert not any("Labels were not" in line or "By structure" in line for line in limits(store))


def test_how_many_trainings_a_figure_is_of(tmp_path):
    store = begin(tmp_path)
    splits = {"oof": REPORT["splits"]["oof"], "test": REPORT["splits"]["val"]}
    store.write_document("report", {**REPORT, "splits": splits})
    folds = "Test pairs are judged by the mean of all folds' networks, those of the split `oof` by their own fold's."
    assert folds in limits(store)
    assert not any(line.startswith("Every figure is of one") for line in limits(store))
    rows = {column: ["x"] for column in TABLES["predictions"].columns}
    rows |= {"logits": [[0.0]], "probabilities": [[1.0]], "fold": [0], "label": [None]}
    store.write_table("predictions", pd.DataFrame(rows)[list(TABLES["predictions"].columns)])
    found = limits(store)
    assert folds not in found
    assert any(line.startswith("Figures of `test` are of one training, the run's own classifier") for line in found)
    store.write_document("report", {**REPORT, "splits": {"val": REPORT["splits"]["val"]}})
    found = limits(store)
    assert any(line.startswith("Every figure is of one training each") for line in found)
    assert "No test pair has a label: there is no figure of pairs on which no choice was made." in found


def test_one_sensor(tmp_path):
    store = begin(tmp_path)
    store.update_info(sensors=store.info()["sensors"][:1])
    assert any(line.startswith("There is one sensor") for line in limits(store))


def test_a_run_of_an_older_version_with_little_in_it(tmp_path):
    store = begin(tmp_path, report=None)
    kept = ("schema_version", "stages", "hashes")
    (tmp_path / "run.json").write_text("{}")
    store._write_json("run.json", {name: {} for name in kept} | {"schema_version": 1})
    card = build_card(store, "")
    assert card.title == f"Model card: {tmp_path.name}"
    assert [section.title for section in card.sections] == SECTIONS


def test_no_run_is_no_card(tmp_path):
    with pytest.raises(ArtifactError, match="There is no run directory"):
        build_card(RunStore(tmp_path / "none"), "")


def test_how_figures_and_settings_are_written():
    assert figure({"value": 0.12345, "low": 0.1, "high": 0.2}) == "0.123 [0.100, 0.200]"
    assert figure({"value": 0.5}) == "0.500"
    assert figure({"value": 0.5, "low": float("nan"), "high": 1.0}) == "0.500"
    assert [figure(one) for one in (None, {}, {"value": None}, True, "0.5")] == ["–"] * 5
    assert [setting(one) for one in (None, True, [1, 0.5], {"a": [1]}, 0.001, "x")] == [
        "–", "yes", "1, 0.5", "a 1", "0.001", "x",
    ]  # fmt: skip
    assert code("a`b") == "`a'b`"


def trust(method, score, above, **more):
    return {
        "method": method,
        "layer": "layer4",
        "sensor": "rgb",
        "class": None,
        "pairs": 9,
        "score": spread(score),
        "above_random": spread(above),
        "above_gaussian": spread(0.1),
        "better_share": spread(0.5),
        **more,
    }


def spread(value):
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def test_maps_are_told_with_their_trust_and_the_untrustworthy_ones_among_the_caveats(tmp_path):
    store = begin(tmp_path)
    title = "Maps of the evidence, and their trust"
    assert "rice-ssl attribution" in text_of(store, title)
    store.write_document(
        "attribution",
        {
            "blur": {"rgb": {"sigma": 8.0, "remaining": 0.36, "chance": 1 / 3}},
            "trust": [
                trust("grad_cam", 0.4, 0.3),
                trust("layer_cam", 0.1, 0.02),
                trust("x", 0, 0, **{"class": "blast"}),
            ],
            "localisation": [
                {
                    "method": "grad_cam",
                    "layer": "layer4",
                    "sensor": "rgb",
                    "visible": True,
                    "pairs": 4,
                    "pointing": spread(0.7),
                    "mass": spread(0.2),
                    "rank": spread(0.3),
                }
            ],
        },
    )
    rows = grids(store, title)["Score of each kind of map"].rows
    assert [row[0] for row in rows] == ["rgb, grad cam of layer4", "rgb, layer cam of layer4"]
    assert rows[0][2] == figure(spread(0.4))
    assert grids(store, title)["Simulated lesions that the sensor shows"].rows[0][2] == figure(spread(0.7))
    assert "rgb: Gaussian blur of 8 px" in text_of(store, title)
    caveats = text_of(store, "Caveats and recommendations")
    assert "On rgb, maps by layer cam (layer4) were not shown to beat random ones." in caveats
    assert "maps by grad cam" not in caveats
