"""The Runs screen: settings, figures, paired differences by values, cards; alone, missing and broken."""

import numpy as np
import pandas as pd
import pytest

from dashboard import access, computed
from dashboard.components.run_settings import differing
from rice_ssl.artifacts import write_comparison
from rice_ssl.errors import InputError
from tests.dashboard.conftest import figures, words
from tests.dashboard.judged import COMPARISON, report, write_compared_run, write_judged_run


@pytest.fixture
def two(tmp_path, use_run):
    """A judged run, open, and a compared one that learnt from RGB images alone, in the folder beside it."""
    first = write_judged_run(tmp_path / "runs" / "one")
    second = write_compared_run(tmp_path / "runs" / "two", sensors="rgb")
    use_run(first.root)
    return first, second


def keys(*stores):
    return [access.RunKey(store.root.as_posix(), (store.root / "run.json").read_text()) for store in stores]


def test_settings_that_differ():
    table = differing(
        {
            "a": {"config": {"name": "a", "seed": 0, "pretrain": {"views": "paired", "epochs": 5, "crops": [1, 2]}}},
            "b": {"config": {"name": "b", "seed": 1, "pretrain": {"views": "paired", "epochs": 6}}, "simulated": True},
        }
    ).set_index("Setting")
    assert table.index.tolist() == ["seed", "pretrain.epochs", "pretrain.crops", "data.simulated"]
    assert table.loc["pretrain.epochs"].tolist() == ["5", "6"]
    assert table.loc["pretrain.crops"].tolist() == ["[1, 2]", ""]
    assert table.loc["data.simulated"].tolist() == ["false", "true"]
    assert differing({"a": {"config": {"name": "a"}}, "b": {"config": {"name": "b"}}}).empty


def test_two_runs_are_compared(two, show):
    at = show("runs", runs_split="Out of fold")
    text = words(at)
    assert at.multiselect(key="runs").value == ["runs/one", "runs/two"]
    settings, table = (frame.value for frame in at.dataframe[:2])
    assert settings.set_index("Setting").loc["finetune.sensors"].tolist() == ["", "rgb"]
    assert table["Run"].tolist() == 3 * ["runs/one"] + 3 * ["runs/two"]
    assert table["Accuracy"].tolist()[:2] == ["0.700 [0.650, 0.750]", "0.800 [0.750, 0.850]"]
    drawn = [trace for trace in figures(at)["runs-figures"]["data"] if trace["x"] != [None]]
    assert drawn[0]["x"] == [0.7, 0.7]
    assert {trace["name"]: trace["marker"]["symbol"] for trace in drawn}["RGNIR"] == ["circle", "circle-open"]
    assert "runs/one (Joint) against runs/two (RGB), 18 pairs: accuracy " in text
    assert "does not show that there is none" in text
    at.segmented_control(key="runs_judge").set_value("rgnir").run()
    assert "runs/one (RGNIR) against runs/two (RGNIR), 18 pairs: accuracy " in words(at)


def test_a_paired_difference_is_that_of_a_slow_loop(two):
    first, second = two
    tables = [
        store.read_table("cross_validation").query("split == 'oof' and sensor == 'both'").set_index("pair_id")
        for store in two
    ]
    right, loss = [], []
    for pair_id in tables[0].index:
        gap_right, gap_loss = 0.0, 0.0
        for sign, table in zip((1, -1), tables, strict=True):
            row = table.loc[pair_id]
            number = ["blast", "brown", "healthy"].index(row["label"])
            gap_right += sign * (row["prediction"] == row["label"])
            gap_loss += sign * -np.log(row["probabilities"][number])
        right.append(gap_right)
        loss.append(gap_loss)
    found = computed.paired(*keys(first, second), ("both", "both"), "oof", bootstrap=500, confidence=0.95)
    assert found.pairs == 18
    assert found.accuracy.value == pytest.approx(np.mean(right))
    assert found.log_loss.value == pytest.approx(np.mean(loss), abs=1e-6)
    assert found.accuracy.low <= found.accuracy.value <= found.accuracy.high
    assert found.log_loss.low < found.log_loss.value < found.log_loss.high
    same = computed.paired(*keys(first, first), ("both", "both"), "oof", bootstrap=500, confidence=0.95)
    assert (same.accuracy.value, same.log_loss.value, same.p) == (0.0, 0.0, 1.0)


def test_only_pairs_with_the_same_images_count(two):
    first, second = two
    manifest = second.read_table("manifest")
    manifest.loc[manifest["pair_id"].isin(["id_0000", "id_0001"]), "sha256"] = "other"
    second.write_table("manifest", manifest)
    found = computed.paired(*keys(first, second), ("both", "both"), "oof", bootstrap=100, confidence=0.95)
    assert found.pairs == 16
    manifest["sha256"] = "other"
    second.write_table("manifest", manifest)
    with pytest.raises(InputError, match="0 labelled pairs in common"):
        computed.paired(*keys(first, second), ("both", "rgb"), "oof", bootstrap=100, confidence=0.95)


def test_runs_that_know_other_classes_are_not_compared_pair_by_pair(two, show):
    two[1].update_info(classes=["a", "b", "c"])
    assert "They know different classes" in words(show("runs"))


def test_a_run_without_figures_is_said_to_have_none(two, show):
    (two[0].root / "report.json").unlink()
    text = words(show("runs"))
    assert f"`rice-ssl evaluate {two[0].root.as_posix()}`" in text
    assert "Is a difference more than chance?" not in text


def test_figures_of_a_run_that_has_cross_validation_alone_are_made_here(two, show):
    (two[1].root / "report.json").unlink()
    table = two[1].read_table("cross_validation").query("split == 'oof' and sensor == 'both'")
    shown = show("runs", runs_split="Out of fold").dataframe[1].value.set_index(["Run", "Judged from"])
    accuracy = (table["prediction"] == table["label"]).mean()
    assert shown.loc[("runs/two", "Joint"), "Accuracy"].startswith(f"{accuracy:.3f} [")


def test_a_run_without_figures_on_these_pairs_is_named(two, show):
    two[1].write_document("report", report("oof"))
    assert show("runs").segmented_control(key="runs_split").value == "oof"  # the pairs of which most runs have figures
    assert "Without figures on these pairs: runs/two." in words(show("runs", runs_split="Test"))


def test_a_report_that_cannot_be_read_is_said(two, show):
    two[1].write_document("report", {"splits": 3})
    assert "report.json lacks what is shown here" in words(show("runs"))


def test_a_run_that_is_damaged_is_left_out(two, show):
    (two[1].root / "run.json").write_text("{")
    text = words(show("runs", runs_split="Test"))
    assert "run.json" in text
    assert "In which settings do they differ?" not in text


def test_no_run_chosen(two, show):
    at = show("runs")
    at.multiselect(key="runs").set_value([]).run()
    assert not at.exception
    assert "Choose one run or more." in words(at)


def test_cards_are_shown_and_offered(two, show):
    first, second = two
    (first.root / "card.md").write_text("# A card\n\nWhat it is *for*.")
    (first.root / "card.html").write_text("<h1>A card</h1>")
    at = show("runs")
    text = words(at)
    assert "What it is *for*." in text
    assert f"runs/two has no model card: `rice-ssl card {second.root.as_posix()}`." in text
    (button,) = at.get("download_button")
    assert button.proto.label == "Card as a page"


def test_simulated_runs_are_called_so(two, show):
    assert "Simulated data: no image here is a photograph" in words(show("runs"))
    two[1].update_info(simulated=False)
    assert "Simulated data: runs/one" in words(show("runs"))
    two[0].update_info(simulated=False)
    assert "Simulated" not in words(show("runs"))


def test_the_comparison_s_runs_are_offered(judged, use_comparison, show):
    folder = use_comparison(COMPARISON)
    for one in COMPARISON["conditions"][:2]:
        write_compared_run(folder / one["folder"], sensors=one["sensors"])
    at = show("runs", runs=["comparison/rgb-swav", "comparison/rgnir-swav"])
    assert at.multiselect(key="runs").options == ["runs/judged", "comparison/rgb-swav", "comparison/rgnir-swav"]
    assert "comparison/rgb-swav (RGB) against comparison/rgnir-swav (RGNIR)" in words(at)
    write_comparison(folder, {**COMPARISON, "conditions": [{"name": "no folder"}]})
    assert show("runs").multiselect(key="runs").options == ["runs/judged"]


def test_images_are_told_apart_by_sensor(fake):
    found = access.images(access.current_run())
    assert isinstance(found, pd.DataFrame)
    assert found.loc["id_0000"].tolist() == [f"{0:064x}", f"{1:064x}"]


def test_two_runs_of_one_name_are_both_offered(tmp_path, use_run, show):
    stores = [write_compared_run(tmp_path / place / "runs" / "a") for place in ("one", "two")]
    use_run(*(store.root for store in stores))
    assert show("runs").multiselect(key="runs").options == ["runs/a", stores[1].root.as_posix()]


def test_a_damaged_report_is_named_and_hides_nothing_else(two, show):
    content = report("oof", "test")
    del content["splits"]["oof"]["sensors"]["rgb"]["figures"]["log_loss"]
    two[1].write_document("report", content)
    at = show("runs", runs_split="Out of fold")
    text = words(at)
    assert "runs/two: report.json lacks what is shown here" in text
    assert at.dataframe[1].value["Run"].unique().tolist() == ["runs/one"]
    assert "runs/two has no model card" in text
    two[1].write_document("report", {"splits": 3})
    text = words(show("runs"))
    assert "runs/two: report.json lacks what is shown here" in text
    assert "runs/two has no model card" in text


def test_one_network_against_the_mean_of_several_is_said(two, show):
    said = (
        "One network's probabilities, as trained: runs/one. The mean of several networks, scaled by a temperature "
        "(cross-validation): runs/two."
    )
    assert said in words(show("runs", runs_split="Test"))
    text = words(show("runs", runs_split="Out of fold"))
    assert "One network's" not in text
    assert "Each pair was judged by networks that did not see it (cross-validation)." in text


def test_validation_pairs_that_chose_the_epoch_are_said(two, show):
    two[1].write_document("report", report("oof", "val", "test"))
    two[1].update_info(config={"finetune": {"keep": "last"}})
    assert "runs/one: the epoch was chosen on these pairs" in words(show("runs", runs_split="Validation"))
    two[0].update_info(config={"finetune": {"keep": "last"}})
    assert "epoch was chosen" not in words(show("runs", runs_split="Validation"))


def test_folders_outside_the_comparison_are_not_offered(judged, tmp_path, use_comparison, show):
    folder = use_comparison(COMPARISON)
    write_compared_run(tmp_path / "elsewhere" / "secret")
    write_compared_run(folder / "inside")
    conditions = [
        {**COMPARISON["conditions"][0], "folder": name}
        for name in ("../elsewhere/secret", (tmp_path / "elsewhere" / "secret").as_posix(), "inside")
    ]
    write_comparison(folder, {**COMPARISON, "conditions": conditions})
    assert show("runs").multiselect(key="runs").options == ["runs/judged", "comparison/inside"]
