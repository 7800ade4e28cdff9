"""Every screen loaded, empty, partial and broken."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rice_ssl.artifacts import RunStore
from tests.dashboard.conftest import SCREENS, without_labels, words
from tests.fakes import write_fake_run

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
LOADED = {
    "overview": "Joint against RGB: accuracy +10.0 points [-10.0, +30.0]: no difference shown (the interval holds 0); "
    "log loss -0.20 nats [-0.30, -0.10]: **Joint is better**.",
    "leaf": "RGB says **blast**, RGNIR says **brown**",  # pair id_0000, see tests/fakes.py
    "similar": "23 were searched, every one of them compared.",
    "sensors": "Who is right where?",
    "runs": "There is no other run beside this one.",
    "map": "Distances on a map are not evidence",
    "prototypes": "One prototype holds both images of a pair",
    "training": "schedule artefact",
}
NEEDS = {  # screen -> table it cannot do without, and the command that makes it
    "overview": ("manifest.parquet", "rice-ssl run CONFIG"),
    "leaf": ("manifest.parquet", "rice-ssl run CONFIG"),
    "similar": ("embeddings.parquet", "rice-ssl embed"),
    "sensors": ("manifest.parquet", "rice-ssl run CONFIG"),
    "runs": ("report.json", "rice-ssl evaluate"),
    "map": ("map.parquet", "rice-ssl map"),
    "prototypes": ("embeddings.parquet", "rice-ssl embed"),
    "training": ("metrics.parquet", "rice-ssl pretrain"),
}


@pytest.mark.parametrize("screen", SCREENS)
def test_a_complete_run_is_shown(screen, fake, show):
    at = show(screen)
    assert LOADED[screen] in words(at)


@pytest.mark.parametrize("screen", SCREENS)
def test_a_missing_run_names_the_command(screen, tmp_path, use_run, show):
    use_run(tmp_path / "nowhere")
    assert "rice-ssl run CONFIG" in words(show(screen))


@pytest.mark.parametrize("screen", SCREENS)
def test_an_empty_folder_names_the_command(screen, tmp_path, use_run, show):
    use_run(tmp_path)
    assert "holds no run.json" in words(show(screen))


@pytest.mark.parametrize("screen", SCREENS)
def test_a_missing_table_names_it_and_its_command(screen, fake, show):
    file, command = NEEDS[screen]
    (fake.root / file).unlink()
    text = words(show(screen))
    assert file in text
    assert command in text


@pytest.mark.parametrize("screen", [screen for screen in SCREENS if NEEDS[screen][0].endswith(".parquet")])
def test_a_truncated_table_is_explained(screen, fake, show):
    path = fake.root / NEEDS[screen][0]
    path.write_bytes(path.read_bytes()[:200])
    assert "changed after the run wrote it" in words(show(screen))


@pytest.mark.parametrize("screen", SCREENS)
def test_another_schema_version_is_explained(screen, fake, show):
    path = fake.root / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    assert "schema version 99" in words(show(screen))


@pytest.mark.parametrize("screen", SCREENS)
def test_a_run_with_nothing_but_a_manifest_is_shown_or_explained(screen, fake, show):
    for file in fake.root.iterdir():
        if file.is_file() and file.name not in {"run.json", "manifest.parquet", "findings.parquet"}:
            file.unlink()
    assert "rice-ssl" in words(show(screen))


@pytest.mark.parametrize("screen", SCREENS)
def test_one_sensor_is_shown(screen, fake, show):
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails", "cams", "map"):
        frame = fake.read_table(name)
        kept = (frame["sensor"] == "rgb") | frame["sensor"].isna()
        if name == "cams":
            fake.write_cams(frame[kept].assign(row=range(int(kept.sum()))), fake.read_cams()[1][kept.to_numpy()])
        else:
            fake.write_table(name, frame[kept])
    fake.update_info(sensors=fake.info()["sensors"][:1])
    show(screen)


@pytest.mark.parametrize("screen", SCREENS)
def test_a_run_without_labels_is_shown(screen, fake, show):
    without_labels(fake)
    at = show(screen)
    assert "None" not in words(at)
    for table in at.dataframe:
        assert "None" not in table.value.astype(str).to_string()


@pytest.mark.parametrize(
    ("screen", "query", "said"),
    [
        ("leaf", {"pair": "../../etc/passwd"}, "names pair '../../etc/passwd', which this run does not have."),
        (
            "leaf",
            {"pair": "id_0003", "class": "<script>"},
            "names class '<script>', which this run does not have. Showing predicted instead.",
        ),
        (
            "leaf",
            {"leaf_split": "x", "leaf_show": "y", "neighbours": "z"},
            "names split 'x', show 'y' and neighbours 'z', which this run does not have. "
            "Showing all, all pairs and RGB → RGB instead.",
        ),
        (
            "map",
            {"space": "nope", "method": "x", "colour": "y"},
            "names space 'nope', method 'x' and colour 'y', which this run does not have. "
            "Showing Embeddings, UMAP and Label instead.",
        ),
        ("map", {"map_labels": "weeds"}, "names labels 'weeds', which this run does not have."),
        ("prototypes", {"prototype": "-1"}, "names prototype '-1', which this run does not have. Showing prototype "),
        ("sensors", {"split": "all'; --"}, "which this run does not have. Showing Test instead."),
        ("sensors", {"part": "nope"}, "names part 'nope', which this run does not have. Showing Agreement instead."),
        ("runs", {"runs": "x/y", "runs_split": "z"}, "names runs 'x/y' and split 'z', which this run does not have."),
        ("overview", {"judged": "train"}, "names judged 'train', which this run does not have. Showing Test instead."),
    ],
)
def test_a_link_to_what_is_not_there_says_so_once(screen, query, said, fake, show):
    at = show(screen, **query)
    (notice,) = [info.value for info in at.info if "The link names" in info.value]
    assert notice.startswith("The link ")
    assert said in notice
    assert "  " not in notice
    at.run()
    assert [info.value for info in at.info if "The link names" in info.value] == []


def test_simulated_data_is_said_in_the_app(fake):
    at = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not at.exception
    assert "Simulated data" in words(at)


def test_real_data_is_not_called_simulated(tmp_path, use_run):
    use_run(write_fake_run(tmp_path / "real", simulated=False).root)
    at = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not at.exception
    assert "Simulated" not in words(at)


def test_leaf_follows_the_link_and_the_buttons(fake, show):
    at = show("leaf", pair="id_0003")
    assert "#### id_0003" in words(at)
    at.button(key="leaf_next").click().run()
    assert "#### id_0004" in words(at)
    at.button(key="leaf_previous").click().run()
    at.button(key="leaf_previous").click().run()
    assert "#### id_0002" in words(at)


def test_leaf_says_what_each_sensor_adds(fake, show):
    at = show("leaf", pair="id_0000")  # the sensors' logits are 4, 0, 0 and 0, 4, 0, and the pair's are their sum
    said = [m.value for m in at.markdown if "log-odds" in m.value]
    assert said == ["**blast** over brown by log-odds of 0.00: RGB +4.00, RGNIR -4.00."]


def test_leaf_filters_to_disagreements(fake, show):
    predictions = RunStore(fake.root).read_table("predictions")
    wide = predictions[predictions["sensor"] != "both"].pivot(index="pair_id", columns="sensor", values="prediction")
    differing = int((wide["rgb"] != wide["rgnir"]).sum())
    at = show("leaf")
    at.selectbox(key="leaf_show").select("disagree").run()
    assert f"1 of {differing}" in words(at)


def test_leaf_with_filters_that_leave_nothing_says_so(fake, show):
    at = show("leaf")
    at.text_input(key="leaf_search").input("no such id").run()
    assert "No pair fits these filters" in words(at)


def test_leaf_finds_the_neighbours_of_a_slow_loop(fake, show):
    from dashboard import access, neighbours

    embeddings = fake.read_vectors("embeddings", "embedding").astype(float)
    keys = fake.read_table("embeddings", ["pair_id", "sensor"])
    query = embeddings[0]  # id_0000, rgb
    scores = []
    for row in range(len(keys)):
        if keys["sensor"][row] == "rgnir":
            other = embeddings[row]
            cosine = sum(query * other) / (sum(query**2) ** 0.5 * sum(other**2) ** 0.5)
            scores.append((-cosine, keys["pair_id"][row]))
    expected = [pair_id for _, pair_id in sorted(scores)[:4]]
    found = neighbours.of_image(access.current_run(), "id_0000", "rgb", "rgnir", 4)
    assert found.pair_ids == expected
    assert found.cosines[0] == pytest.approx(-min(scores)[0], abs=1e-6)


def test_sensors_counts_agree_with_the_predictions(fake, show):
    from dashboard import access

    pairs = access.pairs(access.current_run())
    test = pairs[pairs["split"] == "test"]
    at = show("sensors", split="Test")
    rate = float((test["rgb_prediction"] == test["rgnir_prediction"]).mean())
    assert at.metric[0].value == f"{100 * rate:.0f}%"
    table = at.dataframe[0].value
    assert table["Divergence (bits)"].is_monotonic_decreasing
    assert set(table["Pair"]) == set(test.index)


def test_divergence_of_the_known_disagreement(fake):
    from dashboard import access

    pairs = access.pairs(access.current_run())
    p = np.exp([4.0, 0.0, 0.0])
    p, q = p / p.sum(), np.roll(p, 1) / p.sum()
    middle = (p + q) / 2
    expected = (np.sum(p * np.log2(p / middle)) + np.sum(q * np.log2(q / middle))) / 2
    assert pairs.loc["id_0000", "divergence"] == pytest.approx(expected, abs=1e-6)
    assert pairs.loc["id_0000", "who_is_right"] == "rgb only"


def test_several_runs_are_offered(tmp_path, use_run):
    for name in ("one", "two"):
        write_fake_run(tmp_path / name, pairs=6)
    use_run(tmp_path / "one", tmp_path / "two")
    at = AppTest.from_file(str(APP), default_timeout=60).run()
    assert [str(option) for option in at.selectbox(key="run").options] == ["one", "two"]
    at.selectbox(key="run").select_index(1).run()
    assert not at.exception
