"""What screens say of a run, by values: whose weights, which pairs, how far a map may be believed."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rice_ssl.evaluation.prototypes import wilson_interval
from tests.dashboard.conftest import figures, without_labels, words
from tests.dashboard.viewed import viewed
from tests.fakes import write_fake_run

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture
def borrowed(fake):
    """The fake run as ``rice-ssl embed --weights`` leaves it: no training, no prototypes on its maps."""
    fake.update_info(weights_from="demo", weights_simulated=True, simulated=False)
    maps = fake.read_table("map")
    fake.write_table("map", maps[maps["kind"] == "image"])
    return fake


@pytest.fixture
def many(tmp_path, use_run):
    """A fake run of 40 pairs, whose maps are large enough to be measured."""
    store = write_fake_run(tmp_path / "many", pairs=40)
    use_run(store.root)
    return store


# -- weights of another run ---------------------------------------------------------------------------------------


def test_weights_from_simulated_leaves_are_said_in_the_app(borrowed):
    """In the frame that is around every screen."""
    at = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not at.exception
    assert "Weights trained on simulated leaves (run demo)" in words(at)
    assert "Simulated data" not in words(at)


def test_weights_from_real_leaves_have_no_badge(borrowed):
    borrowed.update_info(weights_simulated=False)
    at = AppTest.from_file(str(APP), default_timeout=60).run()
    assert "simulated" not in words(at)
    assert "Weights of the run **demo**" in words(at)


def test_overview_does_not_say_that_these_images_were_trained_on(borrowed, show):
    text = words(show("overview"))
    assert "Weights of the run demo, trained on simulated leaves; these images were not trained on." in text
    assert "pretraining" not in text


def test_the_map_of_borrowed_prototypes_is_in_the_run_they_come_from(borrowed, show):
    text = words(show("prototypes"))
    assert "The prototypes are those of the run demo, and so is the map of them" in text
    assert "rice-ssl map" not in text


def test_where_the_run_of_borrowed_prototypes_is_noted_their_map_can_be_made(borrowed, show):
    borrowed.update_info(weights_run="assets/demo")
    text = words(show("prototypes"))
    assert "no map of its prototypes, which are those of the run demo. Make one with `rice-ssl map" in text


def test_pairs_that_the_other_run_was_trained_on_are_said_to_be_seen(borrowed, show):
    borrowed.update_info(weights_run="assets/demo")
    assert "18 of these pairs were among its own." in words(show("overview"))  # of 24; the other 6 are test pairs
    text = words(show("sensors", split="Training"))
    assert "These pairs were seen in fine-tuning of the run demo, whose weights these are." in text
    assert "which was not trained on these pairs" in words(show("sensors", split="Test"))


def test_sensors_do_not_call_borrowed_weights_trained_on_these_pairs(borrowed, show):
    text = words(show("sensors", split="Training"))
    assert "was not trained on these pairs" in text
    assert "seen in fine-tuning" not in text


def test_a_borrowed_run_without_predictions_names_the_run_to_finetune(borrowed, show):
    (borrowed.root / "predictions.parquet").unlink()
    assert "the run demo, which has none: make them with `rice-ssl finetune RUN`, then" in words(show("sensors"))
    borrowed.update_info(weights_run="assets/demo")
    text = words(show("sensors"))
    assert f"`rice-ssl finetune assets/demo`, then `rice-ssl embed {borrowed.root.as_posix()}`." in text


# -- which pairs --------------------------------------------------------------------------------------------------


def test_overview_says_why_there_are_no_test_figures(fake, show):
    without_labels(fake, "test")
    report = fake.read_document("report")
    report["splits"]["test"] = {"pairs": 6, "sensors": {}}
    fake.write_document("report", report)
    text = words(show("overview"))
    assert "The epoch was chosen on these pairs, so these figures flatter a little." in text
    assert "There are no figures on the 6 test pairs: they have no labels." in text


def test_overview_on_test_pairs_says_neither(fake, show):
    text = words(show("overview"))
    assert "flatter" not in text
    assert "no figures" not in text
    assert "flatter" in words(show("overview", judged="Validation"))


def test_sensors_open_on_the_first_split_with_labels(fake, show):
    without_labels(fake, "test")
    at = show("sensors")
    assert at.segmented_control(key="split").value == "val"
    at.segmented_control(key="split").set_value("test").run()
    assert not at.exception
    assert list(at.dataframe[0].value.columns) == ["Pair", "Divergence (bits)", "RGB", "RGNIR", "Joint"]


def test_training_pairs_are_said_to_have_been_seen(fake, show):
    assert "These pairs were seen in fine-tuning." in words(show("sensors", split="Training"))


def test_the_list_of_one_kind_is_in_the_link(fake, show):
    at = show("sensors", split="Training", list="RGB only")
    assert set(at.dataframe[0].value["Right"]) == {"RGB only"}
    assert "id_0000" in set(at.dataframe[0].value["Pair"])


def test_leaf_shows_a_pair_that_the_filters_leave_out(fake, show):
    at = show("leaf", pair="id_0001", leaf_label="blast")
    assert "#### id_0001" in words(at)
    assert "outside the filters (8)" in words(at)
    at.selectbox(key="leaf_label").select("healthy").run()
    assert "#### id_0002" in words(at)


def test_leaf_names_the_joint_prediction_so(fake, show):
    at = show("leaf", pair="id_0000")
    assert viewed(at)["joint"]["title"] == "Joint, from all sensors"
    assert "Both" not in words(at)


# -- prototypes ---------------------------------------------------------------------------------------------------


def test_the_table_of_prototypes_has_readable_names_and_values(fake, show):
    from dashboard import access, prototype_data

    table = prototype_data.prototypes(access.current_run())
    shown = show("prototypes").dataframe[0].value.set_index("Prototype")
    assert list(shown.columns) == [
        "Images", "Cluster", "Flags", "RGB images", "RGNIR images", "Labelled images", "Most frequent label",
        "Its share (%)",
        "95% interval, low (%)", "95% interval, high (%)", "Entropy of labels (nats)", "Entropy of sensors (nats)",
    ]  # fmt: skip
    for number in table.index:
        assert shown.loc[number, "Images"] == table.loc[number, "images"]
        assert shown.loc[number, "Its share (%)"] == pytest.approx(100 * table.loc[number, "purity"], abs=0.05)
    assert shown["Images"].is_monotonic_decreasing


def test_without_labels_the_table_has_no_columns_for_them(fake, show):
    without_labels(fake)
    assert list(show("prototypes").dataframe[0].value.columns) == [
        "Prototype", "Images", "Cluster", "Flags", "RGB images", "RGNIR images", "Entropy of sensors (nats)",
    ]  # fmt: skip


def test_a_cluster_is_named_by_the_share_of_its_images(fake, show):
    """Shares are of images, whichever label is the most frequent in each prototype; one prototype is not plural."""
    maps = fake.read_table("map")
    maps.loc[maps["kind"] == "prototype", "cluster"] = np.where(
        maps.loc[maps["kind"] == "prototype", "prototype"] > 0, 1, 0
    )
    fake.write_table("map", maps)
    assigned = fake.read_table("prototypes")
    label = assigned["pair_id"].map(
        fake.read_table("manifest").drop_duplicates("pair_id").set_index("pair_id")["label"]
    )
    first = label[assigned["prototype"] == 0]
    counts = first.value_counts()
    text = words(show("prototypes"))
    low, high = wilson_interval(int(counts.iloc[0]), int(counts.sum()))
    assert (
        f"cluster 1: 1 prototype, {len(first)} images, {100 * counts.iloc[0] / counts.sum():.0f}% {counts.index[0]} "
        f"[{100 * low:.0f}, {100 * high:.0f}];"
    ) in text
    others = maps["prototype"][(maps["kind"] == "prototype") & (maps["prototype"] > 0)].nunique()
    assert f"cluster 2: {others} prototypes, {len(assigned) - len(first)} images" in text


def test_the_ring_follows_the_choice_at_once(fake, show):
    at = show("prototypes", prototype="3")
    for number in (3, 5):
        at.selectbox(key="prototype").select(number).run()
        figure = figures(at)[f"prototype_map_{number}"]
        (ring,) = [trace for trace in figure["data"] if trace["name"] == "Chosen"]
        assert ring["customdata"] == [[number]]


# -- pairs by split and label -------------------------------------------------------------------------------------


def test_overview_counts_the_pairs_of_each_split_and_label(fake, show):
    """Of 24 pairs every second is for training, every fourth test; the test pairs' labels are taken off."""
    without_labels(fake, "test")
    counts = show("overview").dataframe[0].value.set_index("Split")
    assert counts.columns.tolist() == ["blast", "brown", "healthy", "no label"]
    assert counts.index.tolist() == ["Test", "Training", "Validation"]
    assert counts.to_numpy().tolist() == [[0, 0, 0, 6], [4, 4, 4, 0], [2, 2, 2, 0]]
