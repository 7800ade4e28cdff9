"""What is said of an upload: the same as the pipeline says of the same file, and as captum explains it."""

import json
import shutil

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam

from rice_ssl.artifacts import RunStore
from rice_ssl.attribution.baseline_maps import centred_gaussian, random_maps
from rice_ssl.attribution.explain import RunExplainer
from rice_ssl.attribution.faithfulness import deletion_insertion
from rice_ssl.attribution.removal import blurred
from rice_ssl.data.uploaded_image import inspect_upload
from rice_ssl.errors import ArtifactError, InputError
from tests.attribution.network_run import SIZE, write_network_run

KINDS = ("shared", "fused", "rgb")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The run of each kind of classifier; each in a folder of its own with the same images."""
    return {
        kind: write_network_run(tmp_path_factory.mktemp(kind), pairs=12, finetune={"sensors": kind}) for kind in KINDS
    }


def uploaded(store, pair_id, *sensors):
    """The files of a pair as an upload is read."""
    manifest, root = store.read_table("manifest").set_index(["pair_id", "sensor"]), store.info()["data_root"]
    found = {}
    for sensor in sensors:
        path = f"{root}/{manifest.loc[(pair_id, sensor), 'path']}"
        with open(path, "rb") as stream:
            found[sensor] = np.asarray(inspect_upload(stream.read(), path).picture(size=SIZE))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_an_upload_of_the_runs_own_files_gives_what_the_pipeline_gave(runs, kind):
    store = runs[kind]
    explainer = RunExplainer(store.root)
    predictions = store.read_table("predictions").set_index(["pair_id", "sensor"])
    embeddings = store.read_table("embeddings").set_index(["pair_id", "sensor"])
    assigned = store.read_table("prototypes").set_index(["pair_id", "sensor"])
    index, cams = store.read_cams()
    rows = index.set_index(["pair_id", "sensor"])["row"]
    for pair_id in ("id_000", "id_005", "id_013"):
        found = explainer.explain(uploaded(store, pair_id, "rgb", "rgnir"))
        for sensor in ("rgb", "rgnir"):
            own, key = found.images[sensor], (pair_id, sensor)
            assert own.logits == pytest.approx(np.asarray(predictions.loc[key, "logits"]), abs=1e-4)
            assert own.probabilities == pytest.approx(np.asarray(predictions.loc[key, "probabilities"]), abs=1e-4)
            assert own.embedding == pytest.approx(np.asarray(embeddings.loc[key, "embedding"]), abs=1e-4)
            assert own.prototype_logits == pytest.approx(np.asarray(embeddings.loc[key, "prototype_logits"]), abs=1e-4)
            assert int(own.prototype_probabilities.argmax()) == assigned.loc[key, "prototype"]
            assert own.prototype_probabilities.max() == pytest.approx(assigned.loc[key, "confidence"], abs=1e-4)
            assert own.cam == pytest.approx(cams[rows[key]].astype(np.float32), abs=1e-3)
        if kind == "rgb":  # it judges images, not pairs
            assert found.joint is None
        else:
            assert found.joint == pytest.approx(
                np.asarray(predictions.loc[(pair_id, "both"), "probabilities"]), abs=1e-4
            )


@pytest.mark.parametrize("kind", KINDS)
def test_one_image_alone_is_said_the_same_of_and_there_is_no_joint_prediction(runs, kind):
    explainer = RunExplainer(runs[kind].root)
    pair = uploaded(runs[kind], "id_003", "rgb", "rgnir")
    both, alone = explainer.explain(pair), explainer.explain({"rgnir": pair["rgnir"]})
    assert list(alone.images) == ["rgnir"]
    assert alone.joint is None
    assert alone.images["rgnir"].logits == pytest.approx(both.images["rgnir"].logits, abs=1e-5)
    assert alone.images["rgnir"].cam == pytest.approx(both.images["rgnir"].cam, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_embedded_as_the_pipeline_embedded_it(runs, kind):
    store = runs[kind]
    explainer, table = RunExplainer(store.root), store.read_table("embeddings").set_index(["pair_id", "sensor"])
    for name, picture in uploaded(store, "id_007", "rgb", "rgnir").items():
        found = explainer.embed(name, picture)
        assert set(found) == {"embedding", "projection"}
        for space, vector in found.items():
            assert vector == pytest.approx(np.asarray(table.loc[("id_007", name), space]), abs=1e-4)


def test_maps_are_captums(runs):
    explainer = RunExplainer(runs["shared"].root)
    pictures = uploaded(runs["shared"], "id_004", "rgb")
    own = explainer.explain(pictures).images["rgb"]
    classifier = explainer.own.networks.classifier
    rgb = explainer.own.sensors[0]
    image = (torch.tensor(pictures["rgb"]).permute(2, 0, 1)[None] / 255 - torch.tensor(rgb.mean)[:, None, None]) / (
        torch.tensor(rgb.std)[:, None, None]
    )
    captum = LayerGradCam(classifier, classifier.encoder.network.layer4)
    for number in range(3):
        expected = captum.attribute(image, target=number, relu_attributions=True)[0, 0].detach().numpy()
        assert own.cam[number] == pytest.approx(expected, abs=1e-5)


def test_a_map_is_measured_as_by_hand_one_map_at_a_time(runs):
    """The blurred picture, the map, 19 random ones and the centre, each given alone to what measures faithfulness."""
    explainer = RunExplainer(runs["fused"].root)
    (name, picture), *_ = uploaded(runs["fused"], "id_004", "rgnir").items()
    found = explainer.measure(name, picture, sigma=4.0, random=19, steps=5, seed=3)
    own = explainer.explain({name: picture}).images[name]
    classifier, sensor = explainer.own.networks.classifier, explainer.own.sensors[1]
    image = torch.tensor(picture).permute(2, 0, 1)[None] / 255
    image = (image - torch.tensor(sensor.mean)[:, None, None]) / torch.tensor(sensor.std)[:, None, None]

    def judged(images):
        return classifier.classify(classifier.encoder(images), torch.ones(len(images), dtype=torch.int64))

    number = int(own.logits.argmax())
    size = own.cam.shape[1:]
    maps = [torch.tensor(own.cam[number]), *random_maps(19, size, torch.Generator().manual_seed(3))]
    scores = []
    for one in [*maps, centred_gaussian(*size)]:
        down, up = deletion_insertion(
            judged, image, blurred(image, 4.0), one[None, None], torch.tensor([number]), steps=5, seed=3
        )
        scores.append(float(up - down))
    assert found.predicted == number
    assert found.score == pytest.approx(found.insertion - found.deletion, abs=1e-6)
    assert found.score == pytest.approx(scores[0], abs=1e-5)
    assert found.random_score == pytest.approx(np.mean(scores[1:20]), abs=1e-5)
    assert found.gaussian_score == pytest.approx(scores[20], abs=1e-5)
    assert found.p_random == pytest.approx((1 + sum(score >= scores[0] for score in scores[1:20])) / 20)


def test_what_cannot_be_measured_is_refused(runs, tmp_path):
    good = np.zeros((*SIZE, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="no picture|no sensor"):
        RunExplainer(runs["shared"].root).measure("thermal", good, sigma=1.0)
    store = write_network_run(tmp_path, pairs=8, weights=("swav",))
    with pytest.raises(InputError, match="There is no classifier"):
        RunExplainer(store.root).measure("rgb", good, sigma=1.0)


def test_swav_alone_embeds_and_an_encoder_with_its_classifier_has_no_prototypes(tmp_path):
    store = write_network_run(tmp_path, pairs=8, weights=("swav",))
    explainer = RunExplainer(store.root)
    own = explainer.explain(uploaded(store, "id_001", "rgb")).images["rgb"]
    assert not explainer.judges
    assert own.logits is own.cam is own.probabilities is None
    assert own.prototype_probabilities.sum() == pytest.approx(1)
    store.weights_path("swav").unlink()
    with pytest.raises(ArtifactError, match="has no weights"):
        RunExplainer(store.root)
    store = write_network_run(tmp_path, pairs=8, weights=("classifier",), run=str(tmp_path / "other"))
    own = RunExplainer(store.root).explain(uploaded(store, "id_001", "rgb")).images["rgb"]
    assert own.prototype_logits is own.prototype_probabilities is None
    assert own.logits.shape == (3,)


def test_borrowed_weights_that_are_gone_name_the_remedy(runs, tmp_path):
    shutil.copytree(runs["shared"].root, tmp_path / "run")
    store = RunStore(tmp_path / "run")
    store.update_info(weights_run=str(tmp_path / "gone"), weights_from="gone")
    with pytest.raises(ArtifactError, match="which is not there. Name it where it is now with `rice-ssl embed"):
        RunExplainer(store.root)
    content = json.loads((tmp_path / "run" / "run.json").read_text())
    assert content["weights_run"].endswith("gone")


def test_what_is_no_picture_of_the_run_is_refused(runs):
    explainer = RunExplainer(runs["shared"].root)
    good = np.zeros((*SIZE, 3), dtype=np.uint8)
    for pictures, said in (
        ({}, "There is no picture: give pictures of rgb or rgnir"),
        ({"thermal": good}, "'thermal', which is no sensor of the run"),
        ({"rgb": good[:-1]}, r"shape \(31, 40, 3\): give uint8 of shape \(32, 40, 3\)"),
        ({"rgb": good.astype(np.float32)}, "is float32"),
    ):
        with pytest.raises(InputError, match=said):
            explainer.explain(pictures)
