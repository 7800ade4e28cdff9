"""The simulator: values of its physics, the challenge's layout, determinism, resuming, refusals."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.simulate import simulate
from rice_ssl.data.simulate import SimulationConfig, simulate_dataset
from rice_ssl.data.simulate.difficulty import colour_histogram
from rice_ssl.data.simulate.leaf import LeafShape
from rice_ssl.data.simulate.pair import CLASS_SHARES, CLASSES, SENSORS, draw_pair, plan_pair
from rice_ssl.data.simulate.reflectance import BANDS, MATERIALS, NIR, RED, mixed, spectrum
from rice_ssl.data.simulate.responses import RGBResponse, RGNIRResponse
from rice_ssl.data.simulate.scene import EVIDENCES
from rice_ssl.errors import InputError

PAIRS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "rice"
    simulate_dataset(path, SimulationConfig(pairs=PAIRS, test_fraction=0.25, seed=3), workers=1, progress=False)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_spectra_are_reflectances_with_a_red_edge_in_green_leaves() -> None:
    assert BANDS == ("blue", "green", "red", "nir")
    for material in MATERIALS:
        assert np.all((spectrum(material) > 0) & (spectrum(material) < 1))
    leaf = spectrum("leaf")
    assert (leaf[NIR] - leaf[RED]) / (leaf[NIR] + leaf[RED]) == pytest.approx(0.8008, abs=1e-4)  # NDVI by hand
    np.testing.assert_allclose(mixed("leaf", "chlorotic", 0.25), 0.75 * leaf + 0.25 * spectrum("chlorotic"), rtol=1e-6)


def test_leaf_coordinates_follow_the_bent_midrib() -> None:
    shape = LeafShape(length=800, half_width=40, taper_from=0.5, angle=np.pi / 2, bend=1e-3, anchor_u=300)
    # Pointing down: 100 units below the anchor and 10 (= 1e-3 * 100**2) to the left lies on the midrib.
    u, v = shape.leaf_coordinates(np.float32([-10.0]), np.float32([100.0]))
    assert u[0] == pytest.approx(400, abs=1e-3)
    assert v[0] == pytest.approx(0, abs=1e-3)
    assert shape.half_width_at(np.float32([400.0, 800.0, 900.0])).tolist() == [40.0, 0.0, 0.0]


def develop(response: RGNIRResponse, red: float, green: float, nir: float) -> list[int]:
    light = np.stack([np.full((9, 9), value, dtype=np.float32) for value in (red, green, nir)])
    image = response.develop(np.random.default_rng(0), light)
    return [int(value) for value in image[4, 4]]


def test_rgnir_bands_wrap_as_the_real_camera_s_do() -> None:
    response = RGNIRResponse(
        nir_gain=600, leak=0.15, green_share=0.7, spill=0.5, red_cut=0, green_cut=400, haze=0, noise=0
    )
    # Vegetation at .5 light: n = 600 * .235 = 141; red = .15 * 141 + 4 = 25.2; green .7 of it less 0; nir + 8 = 149.
    assert develop(response, 0.026, 0.055, 0.235) == [25, 18, 149]
    # A near leaf: n = 288 overflows to 288 + 8 - 256 = 40; red = 43.2 + .5 * 58 + 4 = 76.2; green = 53.3: brown.
    assert develop(response, 0.052, 0.110, 0.480) == [76, 53, 40]
    # Dim soil: n = 84; excess = .6*.2 + .4*.15 - .155*.14 = .1583; green = .7*16.6 - 63.3 = -51.7 wraps: clipped green.
    red, green, nir = develop(response, 0.2, 0.15, 0.14)
    assert (red, nir) == (17, 92)
    assert green == round(256 - 34 * np.tanh(51.7 / 60))


def test_rgb_response_is_neutral_for_grey_and_monotonic() -> None:
    response = RGBResponse(exposure=2.0, red_gain=1, blue_gain=1, haze=0, saturation=1, contrast=0, noise=0)
    light = np.broadcast_to(np.linspace(0, 0.24, 25, dtype=np.float32), (3, 1, 25))
    image = response.develop(np.random.default_rng(0), np.ascontiguousarray(light))
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[0, 12].tolist() == [round(255 * 0.24 ** (1 / 2.2))] * 3
    assert np.all(np.diff(image[0, :, 0].astype(int)) > 0)


def test_classes_splits_and_evidence_keep_their_shares() -> None:
    plans = [plan_pair(0, index, 0.25) for index in range(1200)]
    labels = Counter(plan.label for plan in plans)
    for label, share in zip(CLASSES, CLASS_SHARES, strict=True):
        assert labels[label] / 1200 == pytest.approx(share, abs=0.01)
    assert sum(plan.split == "test" for plan in plans) / 1200 == pytest.approx(0.25, abs=0.01)
    assert len({plan.pair_id for plan in plans}) == 1200
    diseased = [plan for plan in plans if plan.label != "healthy"]
    assert sum(plan.evidence == "rgb" for plan in diseased) / len(diseased) == pytest.approx(0.12, abs=0.02)
    assert all(plan.evidence == "both" for plan in plans if plan.label == "healthy")
    for split in ("train", "test"):  # label and split are independent of each other
        part = [plan for plan in plans if plan.split == split]
        assert sum(plan.label == "blast" for plan in part) / len(part) == pytest.approx(0.45, abs=0.03)


def test_layout_is_the_challenge_s(folder: Path) -> None:
    truth = rows(folder / "truth.csv")
    ids = [row["pair_id"] for row in truth]
    assert ids == sorted(plan_pair(3, index, 0.25).pair_id for index in range(PAIRS))
    assert all(re.fullmatch(r"id_[0-9a-z]{10}", name) for name in ids)
    images = {f"{name}{suffix}.jpg" for name in ids for suffix in ("", "_rgn")}
    masks = {f"{name}{suffix}_{kind}.png" for name in ids for suffix in ("", "_rgn") for kind in ("leaf", "lesion")}
    tables = {"Train.csv", "Test.csv", "SampleSubmission.csv", "test_labels.csv", "truth.csv", "SIMULATED.json"}
    assert set(digests(folder)) == {f"Images/{name}" for name in images} | {f"masks/{name}" for name in masks} | tables
    for name in images:
        with Image.open(folder / "Images" / name) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (500, 400), "RGB")
    split = {row["pair_id"]: row["split"] for row in truth}
    label = {row["pair_id"]: row["label"] for row in truth}
    train, test = ([name for name in ids if split[name] == part] for part in ("train", "test"))
    assert test
    assert [(row["Image_id"], row["Label"]) for row in rows(folder / "Train.csv")] == [
        (f"{name}{suffix}.jpg", label[name]) for name in train for suffix in ("", "_rgn")
    ]
    assert [row["Image_id"] for row in rows(folder / "Test.csv")] == [
        f"{name}{suffix}.jpg" for name in test for suffix in ("", "_rgn")
    ]
    assert rows(folder / "SampleSubmission.csv") == [
        {"Image_id": f"{name}.jpg", "blast": "0", "brown": "0", "healthy": "0"} for name in test
    ]
    assert rows(folder / "test_labels.csv") == [{"pair_id": name, "label": label[name]} for name in test]
    marker = json.loads((folder / "SIMULATED.json").read_text())
    assert (marker["simulated"], marker["complete"], marker["seed"], marker["pairs"]) == (True, True, 3, PAIRS)


def test_masks_agree_with_the_truth(folder: Path) -> None:
    for row in rows(folder / "truth.csv"):
        for sensor, suffix in (("rgb", ""), ("rgnir", "_rgn")):
            masks = {}
            for kind in ("leaf", "lesion"):
                values = np.asarray(Image.open(folder / "masks" / f"{row['pair_id']}{suffix}_{kind}.png"))
                assert values.shape == (400, 500)
                assert set(np.unique(values)) <= {0, 255}
                masks[kind] = values > 0
                assert masks[kind].sum() == int(row[f"{sensor}_{kind}_pixels"])
            assert not np.any(masks["lesion"] & ~masks["leaf"])
            assert masks["leaf"][150:250, 150:350].any()  # the main leaf sits mid-image
            assert masks["lesion"].any() == (row["label"] != "healthy")
        assert (float(row["severity"]) > 0.01) == (row["label"] != "healthy")


def test_one_sensor_evidence_shows_in_that_sensor_only() -> None:
    plan = next(plan for plan in (plan_pair(0, index, 0.25) for index in range(50)) if plan.label == "brown")
    clean = draw_pair(0, replace(plan, label="healthy", evidence="both"))[0]
    changed = {}
    for evidence in EVIDENCES:
        pictures = draw_pair(0, replace(plan, evidence=evidence))[0]
        for sensor in SENSORS:
            assert pictures[sensor].lesion.sum() > 500  # the mask is there even where the sensor shows nothing
            difference = np.abs(pictures[sensor].image.astype(float) - clean[sensor].image.astype(float))
            changed[evidence, sensor] = float(difference[pictures[sensor].lesion].mean())
    assert changed["both", "rgb"] == changed["rgb", "rgb"] > 20
    assert changed["both", "rgnir"] > 20
    assert changed["rgnir", "rgnir"] > 20
    assert changed["rgnir", "rgb"] == 0
    assert changed["rgb", "rgnir"] < 2


def test_pictures_depend_on_seed_and_index_alone(folder: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    simulate_dataset(longer, SimulationConfig(pairs=PAIRS + 2, test_fraction=0.25, seed=3), workers=2, progress=False)
    first, second = digests(folder), digests(longer)
    shared = {name for name in first if name.startswith(("Images/", "masks/"))}
    assert shared <= set(second)
    assert all(first[name] == second[name] for name in shared)
    other = draw_pair(4, plan_pair(4, 0, 0.25))[0]["rgb"].image
    assert not np.array_equal(draw_pair(3, plan_pair(3, 0, 0.25))[0]["rgb"].image, other)


def test_a_second_call_draws_only_what_is_missing(folder: Path) -> None:
    before = digests(folder)
    again = simulate(folder, pairs=PAIRS, seed=3, workers=1, progress=False)
    assert again.drawn == 0
    lost = sorted((folder / "Images").iterdir())[0]
    lost.unlink()
    (folder / "Images" / ".half.tmp").write_bytes(b"half a picture")
    repaired = simulate(folder, pairs=PAIRS, seed=3, workers=1, progress=False)
    assert repaired.drawn == 1
    assert "12 simulated pairs (1 drawn now)" in repaired.text()
    assert digests(folder) == before


@pytest.mark.parametrize("names", [["Train.csv"], ["SampleSubmission.csv", "Test.csv"], ["test_labels.csv"]])
def test_tables_that_are_gone_are_written_again_and_the_others_left_alone(folder: Path, names: list[str]) -> None:
    before = digests(folder)
    kept = (folder / "truth.csv").stat().st_mtime_ns
    for name in names:
        (folder / name).unlink()
    assert simulate(folder, pairs=PAIRS, seed=3, workers=1, progress=False).drawn == 0
    assert digests(folder) == before
    assert (folder / "truth.csv").stat().st_mtime_ns == kept


def test_an_interrupted_call_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rice_ssl.data.simulate.dataset as dataset

    config, target, written = SimulationConfig(pairs=PAIRS, seed=3), tmp_path / "rice", []
    write_pair = dataset.write_pair

    def killed_at_five(*arguments: object) -> str:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(write_pair(*arguments))  # type: ignore[arg-type]
        return written[-1]

    monkeypatch.setattr(dataset, "write_pair", killed_at_five)
    with pytest.raises(KeyboardInterrupt):
        simulate_dataset(target, config, workers=1, progress=False)
    assert not (target / "Train.csv").exists()
    assert json.loads((target / "SIMULATED.json").read_text())["complete"] is False
    monkeypatch.setattr(dataset, "write_pair", write_pair)
    assert simulate_dataset(target, config, workers=1, progress=False).drawn == PAIRS - 5
    assert digests(target) == digests(folder)


def test_refusals_name_the_thing_and_the_remedy(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed 3 instead of 4.*another folder"):
        simulate(folder, pairs=PAIRS, seed=4, progress=False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt.*empty or a new folder"):
        simulate(tmp_path, pairs=2, progress=False)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(InputError, match="is a file"):
        simulate(tmp_path / "notes.txt", pairs=2, progress=False)
    for wrong, message in (
        ({"pairs": 0}, "pairs is 0"),
        ({"test_fraction": 1.0}, "test_fraction is 1.0"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": 0}, "workers is 0"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(tmp_path / "new", progress=False, **wrong)  # type: ignore[arg-type]


def test_colour_histograms_count_by_hand() -> None:
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[0, 0] = (255, 32, 0)
    joint = colour_histogram(image, "joint")
    assert joint[0] == pytest.approx(np.sqrt(0.75))
    assert joint[7 * 64 + 1 * 8] == pytest.approx(0.5)
    marginal = colour_histogram(image, "marginal")
    assert marginal[[0, 31, 32, 36, 64]] == pytest.approx(np.sqrt([0.75, 0.25, 0.75, 0.25, 1.0]))
