"""A run that ``rice-ssl compare`` made has no predictions, pictures or maps: every screen says what it lacks."""

import pytest

from tests.dashboard.conftest import figures, words
from tests.dashboard.judged import write_compared_run


@pytest.fixture
def compared(tmp_path, use_run):
    store = write_compared_run(tmp_path / "compared", sensors="rgb")
    use_run(store.root)
    return store


def test_overview_has_its_figures_and_says_what_is_missing(compared, show):
    text = words(show("overview", judged="Out of fold"))
    assert "Each pair was judged by networks that did not see it (cross-validation)." in text
    assert "Joint against RGB: accuracy +20.0 points [+15.0, +25.0]: **Joint is better**" in text
    assert "thumbnails" in text
    assert "findings.parquet" in text
    assert "rice-ssl audit" in text


def test_sensors_work_on_cross_validation(compared, show):
    at = show("sensors")
    assert at.segmented_control(key="split").options == ["Test", "Out of fold"]
    text = words(at)
    assert "Judged by the networks of all folds of cross-validation" in text
    assert "trained on RGB images alone" in text
    assert len(at.dataframe[0].value) == 6
    for part in ("By class and image", "Reliability"):
        assert "rice-ssl" not in words(show("sensors", part=part, split="Out of fold"))


def test_leaf_shows_what_cross_validation_says(compared, show):
    text = words(show("leaf", pair="id_0000"))
    assert "RGB says **brown**, RGNIR says **blast**" in text
    assert "Predictions of cross-validation, by networks that did not see this pair." in text
    for missing in ("thumbnails", "cams", "embeddings"):
        assert missing in text


@pytest.mark.parametrize(("screen", "command"), [("map", "rice-ssl map"), ("prototypes", "rice-ssl embed"),
                                                 ("training", "rice-ssl pretrain")])  # fmt: skip
def test_the_others_name_the_command(compared, show, screen, command):
    assert command in words(show(screen))


def test_a_start_from_random_weights_is_said(compared, show):
    compared.update_info(config={"finetune": {"sensors": "shared", "start": "random"}})
    text = words(show("overview"))
    assert "The classifier began with random weights." in text
    assert "SwAV" not in text


def test_without_a_report_the_figures_are_made_here(compared, show):
    (compared.root / "report.json").unlink()
    table = compared.read_table("cross_validation").query("split == 'oof'")
    accuracy = table.assign(right=table["prediction"] == table["label"]).groupby("sensor")["right"].mean()
    (figure,) = [f for key, f in figures(show("overview", judged="Out of fold")).items() if key == "figure-accuracy"]
    assert [trace["x"][0] for trace in figure["data"]] == pytest.approx(list(accuracy[["both", "rgnir", "rgb"]]))
    assert "McNemar" in words(show("sensors", split="Out of fold"))
    assert "rice-ssl" not in words(show("sensors", part="Reliability", split="Out of fold"))


def test_the_log_of_swav_weights_is_in_the_run_they_come_from(compared, show):
    compared.update_info(config={"finetune": {"start": "swav", "swav_run": "out/pretraining"}})
    assert "`streamlit run dashboard/app.py -- --run out/pretraining`" in words(show("training"))
    assert "The classifier began with the SwAV weights of the run out/pretraining." in words(show("overview"))
