"""``rice-ssl attribution`` on a tiny run that was trained."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

import pipelines.attribution as stage
from pipelines.attribution import run_attribution
from pipelines.stages import STAGES, is_current
from rice_ssl.artifacts import RunStore
from rice_ssl.attribution import measured as measuring
from rice_ssl.attribution.faithfulness import deletion_insertion
from rice_ssl.attribution.removal import blurred
from rice_ssl.config import AttributionConfig
from rice_ssl.data.simulate.lesion_masks import lesion_mask, sensors_that_show
from rice_ssl.embeddings.run_networks import load_run_networks
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.localisation import mass, pointing, rank
from rice_ssl.evaluation.map_agreement import compare
from rice_ssl.run_config import config_of_run
from rice_ssl.training.run_pictures import run_pictures
from tests.pipelines.tiny_run import FILES, files_of, rice_ssl
from tests.training.test_two_processes import torchrun

KEYS = ["pair_id", "sensor"]
OWN = {file for file in FILES if file.startswith("attribution")}
KINDS = 8
"""Three CAM methods of two layers, integrated gradients and occlusion."""


@pytest.fixture(scope="module")
def run(folder, first):
    """The tiny run; read only."""
    return RunStore(folder / "run")


def copied(folder, where):
    """A copy of the tiny run that was not explained yet."""
    shutil.copytree(folder / "run", where / "run")
    shutil.rmtree(where / "run" / "attribution")
    store = RunStore(where / "run")
    store.remove("attribution.json", *OWN)
    return store


def arrays(store):
    return {path.name: np.load(path) for path in (store.root / "attribution").glob("*.npy")}


def test_it_writes_exactly_its_files_and_says_what_it_measured(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    before = files_of(store.root)
    said = json.loads(rice_ssl("attribution", store.root, "--json", "--no-progress").stdout)
    assert files_of(store.root) - before == OWN
    assert set(store.info()["hashes"]) >= OWN
    assert said["images"] == 48
    assert said["measured"] == 4
    assert said["trust"] == store.read_document("attribution")["trust"]
    assert not (store.root / "cache" / "attribution").exists() or not any((store.root / "cache/attribution").iterdir())


def test_measured_images_are_of_test_pairs_and_come_first(run):
    index = run.read_table("attribution")
    split = run.read_table("manifest").groupby("pair_id")["split"].first()
    assert index["row"].tolist() == list(range(48))
    assert index["measured"].tolist() == [True] * 8 + [False] * 40
    assert (split[index["pair_id"][:8]] == "test").all()
    assert not index.duplicated(KEYS).any()
    shapes = {name: own.shape for name, own in arrays(run).items()}
    assert shapes["grad_cam.layer4.npy"][:2] == (48, 3)
    assert shapes["occlusion.input.npy"] == (8, *shapes["grad_cam.layer4.npy"][1:])
    assert shapes["prototype.npy"] == shapes["similarity.npy"] == (48, *shapes["grad_cam.layer4.npy"][2:])


def test_the_last_layers_grad_cam_is_that_of_embed(run):
    index, cams = run.read_cams()
    rows = index.set_index(KEYS)["row"]
    own, maps = run.read_table("attribution"), arrays(run)["grad_cam.layer4.npy"]
    wanted = np.stack([cams[rows[key]] for key in own[KEYS].itertuples(index=False, name=None)])
    np.testing.assert_allclose(maps.astype(float), wanted.astype(float), atol=2e-3)


def test_faithfulness_in_the_table_is_that_of_the_map_in_the_file(run):
    store, config = run, config_of_run(run)
    own = load_run_networks(store, torch.device("cpu"))
    pictures, table, _ = run_pictures(store, config, torch.device("cpu"), progress=False)
    trust, index = store.read_table("trust"), store.read_table("attribution").set_index(KEYS)["row"]
    blur = store.read_document("attribution")["blur"]
    rows = table.reset_index().set_index(KEYS)["index"]
    classifier = own.networks.classifier
    for method, layer in (("layer_cam", "layer3"), ("occlusion", "input")):
        maps = arrays(run)[f"{method}.{layer}.npy"].astype(np.float32)
        part = trust[(trust["method"] == method) & (trust["layer"] == layer)]
        assert len(part) == 8
        for one in part.head(3).itertuples():
            key = (one.pair_id, one.sensor)
            image = pictures.whole(np.array([rows[key]]))
            number = own.classes.index(one.class_name)
            assert int(classifier(image).argmax()) == number
            down, up = deletion_insertion(
                classifier,
                image,
                blurred(image, blur[one.sensor]["sigma"]),
                torch.from_numpy(maps[index[key], number])[None, None],
                torch.tensor([number]),
                steps=2,
            )
            assert float(down) == pytest.approx(one.deletion, abs=0.02)  # the file is in float16: near ties may turn
            assert float(up) == pytest.approx(one.insertion, abs=0.02)
            assert one.score == pytest.approx(one.insertion - one.deletion, abs=1e-6)


def test_every_map_is_compared_with_random_and_gaussian_ones(run):
    trust = run.read_table("trust")
    assert len(trust) == 8 * (KINDS + 2)
    maps = trust[~trust["method"].isin(["random", "gaussian"])]
    beaten = maps["p_random"] * 20 - 1  # 19 random maps
    np.testing.assert_allclose(beaten, beaten.round(), atol=1e-4)
    assert beaten.round().between(0, 19).all()
    layer4 = maps[maps["layer"] == "layer4"].set_index(KEYS)
    for name in ("random", "gaussian"):
        own = trust[trust["method"] == name].set_index(KEYS)
        assert own["p_random"].isna().all()
        wanted = layer4.groupby(KEYS)[f"{name}_score"].first()
        np.testing.assert_allclose(own.loc[wanted.index, "score"], wanted, atol=1e-6)
    solved = trust[trust["road"].notna()]
    assert solved["pair_id"].nunique() == 1
    assert len(solved) == 2 * (KINDS + 2)


def test_lesions_are_looked_for_with_the_maps_of_the_label(run):
    info, found = run.info(), run.read_table("localisation")
    root, index = run.root.parent / "images", run.read_table("attribution").set_index(KEYS)["row"]
    assert info["simulated"]
    manifest = run.read_table("manifest").set_index(KEYS)
    maps, shown = arrays(run)["grad_cam.layer4.npy"].astype(np.float32), sensors_that_show(root)
    part = found[(found["method"] == "grad_cam") & (found["layer"] == "layer4")]
    assert len(part)
    for one in part.itertuples():
        key = (one.pair_id, one.sensor)
        label, mask = manifest.loc[key, "label"], lesion_mask(root, manifest.loc[key, "path"])
        assert label != "healthy"
        own = maps[index[key], info["classes"].index(label)]
        assert one.mass == pytest.approx(mass(own, mask), abs=1e-3)
        assert one.rank == pytest.approx(rank(own, mask), abs=1e-2)
        assert one.pointing == pytest.approx(pointing(own, mask), abs=1e-6)
        assert one.visible == (shown[one.pair_id] in ("both", one.sensor))


def test_the_two_sensors_maps_are_compared_for_the_pairs_class(run):
    found, index = run.read_table("map_agreement"), run.read_table("attribution").set_index(KEYS)["row"]
    assert len(found) == 4 * KINDS
    assert not found["registered"].any()  # there was no audit
    joint = run.read_table("predictions").set_index(KEYS)["prediction"]
    classes, maps = run.info()["classes"], arrays(run)["grad_cam.layer4.npy"].astype(np.float64)
    part = found[(found["method"] == "grad_cam") & (found["layer"] == "layer4")]
    for one in part.itertuples():
        assert one.class_name == joint[one.pair_id, "both"]
        number = classes.index(one.class_name)
        first, second = (maps[index[one.pair_id, name], number] for name in ("rgb", "rgnir"))
        wanted = compare(first[None], second[None], None)
        np.testing.assert_allclose(one.overlap, wanted.overlap[0], atol=2e-3)
        assert one.strength_first == pytest.approx(first.max(), rel=1e-2)


def test_shares_of_bands_are_whole(run):
    bands = run.read_table("band_evidence")
    assert len(bands) == 8 * 3
    np.testing.assert_allclose(bands.groupby(KEYS)["share"].sum(), 1, atol=1e-5)
    assert set(bands.loc[bands["sensor"] == "rgnir", "band"]) == {"red", "green", "near infrared"}


def test_networks_are_randomised_from_the_head_down(run):
    found = run.read_document("attribution")["randomisation"]
    assert {(one["method"], one["layer"], one["sensor"]) for one in found} == {
        (method, layer, sensor)
        for method in ("grad_cam", "grad_cam_plus_plus", "layer_cam")
        for layer in ("layer3", "layer4")
        for sensor in ("rgb", "rgnir")
    }
    assert all(one["pairs"] == 2 and one["stages"][0]["name"] == "head" for one in found)


def test_two_processes_share_the_pairs(folder, first, run, tmp_path):
    store = copied(folder, tmp_path)
    torchrun("-m", "pipelines.main", "attribution", store.root, "--no-progress")
    pd.testing.assert_frame_equal(store.read_table("trust"), run.read_table("trust"), atol=1e-5)
    for name, values in arrays(run).items():
        np.testing.assert_allclose(arrays(store)[name].astype(float), values.astype(float), atol=2e-3, err_msg=name)


def test_a_call_cut_short_goes_on_to_the_same_numbers(folder, first, run, tmp_path, monkeypatch):
    store = copied(folder, tmp_path)
    config, known = config_of_run(store), []
    monkeypatch.setattr(measuring, "_MEASURED_PAIRS", 1)
    real = measuring._Measured.pairs

    def killed(self, pictures, rows, number):
        if len(known) == 2:
            raise KeyboardInterrupt
        known.append(number)
        return real(self, pictures, rows, number)

    monkeypatch.setattr(measuring._Measured, "pairs", killed)
    with pytest.raises(KeyboardInterrupt):
        run_attribution(store, config, progress=False)
    assert not store.has_document("attribution")
    known.clear()
    monkeypatch.setattr(measuring._Measured, "pairs", lambda *a: (known.append(a[-1]), real(*a))[1])
    run_attribution(store, config, progress=False)
    assert known == [2, 3]
    pd.testing.assert_frame_equal(store.read_table("trust"), run.read_table("trust"), atol=1e-5)
    assert store.read_document("attribution")["trust"][0]["pairs"] == 4


def test_a_call_cut_short_while_writing_leaves_no_figures_of_other_maps(folder, first, tmp_path, monkeypatch):
    shutil.copytree(folder / "run", tmp_path / "run")
    store = RunStore(tmp_path / "run")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "localisation_table", killed)
    with pytest.raises(KeyboardInterrupt):
        run_attribution(store, config_of_run(store), progress=False)
    assert not store.has_document("attribution")


def test_without_a_classifier_it_says_what_makes_one(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    store.remove("weights/classifier.safetensors")
    with pytest.raises(ArtifactError, match="rice-ssl finetune"):
        run_attribution(store, config_of_run(store), progress=False)


def test_a_map_that_is_gone_makes_the_stage_due(folder, first, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    store = RunStore(tmp_path / "run")
    wanted = store.info()["stages"]["attribution"]["fingerprint"]
    assert is_current(store, "attribution", wanted, STAGES["attribution"].outputs)
    (store.root / "attribution" / "occlusion.input.npy").unlink()
    assert not is_current(store, "attribution", wanted, STAGES["attribution"].outputs)


def test_the_blur_is_chosen_on_pairs_that_are_not_measured(run, monkeypatch):
    config, device = config_of_run(run), torch.device("cpu")
    pictures, table, _ = run_pictures(run, config, device, progress=False)
    own = load_run_networks(run, device)
    looked, real = [], pictures.whole
    monkeypatch.setattr(pictures, "whole", lambda rows: (looked.append(rows), real(rows))[1])
    for split in ("test", "val"):  # without a test pair, validation pairs are measured
        known = table[table["split"].isin(["train", "val"])] if split == "val" else table
        sample = stage._sample(config, known, own, pictures)
        measured = sample.rows[: sample.measured].ravel()
        assert set(table.loc[measured, "split"]) == {split}
        explainer = stage.Explainer(own.networks, own.networks.classifier, config.attribution, ["layer4"], 0)
        looked.clear()
        stage._blurs(explainer, pictures, sample)
        assert len(looked) == 2
        assert not set(np.concatenate(looked)) & set(measured)


def test_methods_without_a_layer_are_refused():
    with pytest.raises(ValueError, match="name one of layers"):
        AttributionConfig(methods=("occlusion",))
