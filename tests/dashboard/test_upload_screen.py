"""The Upload screen: empty, with one image, with a pair, with files of every kind, and with what it lacks."""

import io
import shutil
import sys
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import access, live_network, neighbours
from dashboard.components import pair_viewer
from rice_ssl.artifacts import RunStore
from rice_ssl.attribution.explain import RunExplainer
from tests.attribution.network_run import SIZE, write_network_run
from tests.dashboard.conftest import words
from tests.data.fake_images import bomb_png, picture
from tests.data.test_uploaded_image import png_16
from tests.data.tiff_files import gradient, tiff

PAIR = "id_007"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_network_run(tmp_path_factory.mktemp("upload"))


@pytest.fixture
def run(made, tmp_path, use_run):
    """A run with networks, a copy that may be changed, in use."""
    shutil.copytree(made.root, tmp_path / "run")
    use_run(tmp_path / "run")
    return RunStore(tmp_path / "run")


@pytest.fixture
def seen(monkeypatch):
    """What the networks were asked, and what the viewer was given, last."""
    found = {}
    explain, draw = live_network.explain, pair_viewer.draw

    def asked(run, pictures):
        found["pictures"] = dict(pictures)
        found["explained"] = explain(run, pictures)
        return found["explained"]

    def drawn(name, sensors, classes, **options):
        found["sensors"], found["options"] = sensors, options
        draw(name, sensors, classes, **options)

    monkeypatch.setattr(live_network, "explain", asked)
    monkeypatch.setattr(pair_viewer, "draw", drawn)
    return found


def file_of(run, pair_id, sensor):
    """Name and bytes of an image of the run."""
    manifest = run.read_table("manifest").set_index(["pair_id", "sensor"])
    path = manifest.loc[(pair_id, sensor), "path"]
    with open(f"{run.info()['data_root']}/{path}", "rb") as stream:
        return path.rpartition("/")[2], stream.read()


def give(at, slot, name, content):
    at.file_uploader(key=f"upload_{slot}").set_value((name, content, "application/octet-stream")).run()
    assert not at.exception, at.exception
    return at


def errors(at):
    return [error.value for error in at.error]


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def predicted(run, pair_id, judge):
    return run.read_table("predictions").set_index(["pair_id", "sensor"]).loc[(pair_id, judge), "prediction"]


def split_of(run):
    split = run.read_table("manifest").set_index("pair_id")["split"].loc[PAIR].iloc[0]
    return {"train": "training", "val": "validation", "test": "test"}[split]


# -- loaded ------------------------------------------------------------------------------------------------------------


def test_without_a_file_it_says_what_to_give(run, show):
    at = show("upload")
    assert "Give an image of RGB or RGNIR; with both they are judged as a pair." in words(at)
    assert [field.label for field in at.file_uploader] == [
        "RGB image: red, green, blue",
        "RGNIR image: red, green, near infrared",
    ]
    assert not at.error


def test_one_image_is_predicted_and_placed(run, show, seen):
    at = give(show("upload"), "rgnir", *file_of(run, PAIR, "rgnir"))
    text = words(at)
    assert f"The RGNIR image is predicted **{predicted(run, PAIR, 'rgnir')}**" in text
    assert f"is an image of this run: RGNIR of the {split_of(run)} pair id_007" in text
    assert "· 1.00 · this file" in text
    assert at.button(key="upload-neighbour-0-rgnir").label != ""
    assert list(seen["pictures"]) == ["rgnir"]
    assert [view.title for view in seen["sensors"]] == ["RGNIR"]
    assert seen["options"]["joint"] is None


def test_a_pair_is_judged_as_the_pipeline_judged_it(run, show, seen):
    at = show("upload")
    for sensor in ("rgb", "rgnir"):
        give(at, sensor, *file_of(run, PAIR, sensor))
    said = {judge: predicted(run, PAIR, judge) for judge in ("rgb", "rgnir", "both")}
    text = words(at)
    agreed = said["rgb"] == said["rgnir"]
    assert (f"The sensors agree] on **{said['rgb']}**" in text) == agreed
    assert (f"RGB says **{said['rgb']}**, RGNIR says **{said['rgnir']}**" in text) == (not agreed)
    assert f"Together: **{said['both']}**." in text
    table = run.read_table("predictions").set_index(["pair_id", "sensor"])["probabilities"]
    for view, sensor in zip(seen["sensors"], ("rgb", "rgnir"), strict=True):
        assert view.probabilities == pytest.approx(np.asarray(table[(PAIR, sensor)]), abs=1e-4)
        assert view.maps.shape[0] == 3
    assert seen["options"]["joint"][1] == pytest.approx(np.asarray(table[(PAIR, "both")]), abs=1e-4)
    numbers = run.read_table("prototypes").set_index(["pair_id", "sensor"])["prototype"]
    assert f"RGB: prototype **{numbers[(PAIR, 'rgb')]}**" in text
    assert f"RGNIR: prototype **{numbers[(PAIR, 'rgnir')]}**" in text
    assert "A network answers for any image, also for one that shows no leaf." in text


def test_neighbours_are_searched_in_the_sensor_that_is_chosen(run, show):
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    at.button_group(key="upload_neighbours").set_value("RGB → RGNIR").run()
    expected = neighbours.of_image(access.key_of(run.root), PAIR, "rgb", "rgnir", 6)
    captions = [caption.value for caption in at.caption]
    for pair_id, similarity in zip(expected.pair_ids, expected.cosines, strict=True):
        assert any(f"· {similarity:.2f}" in caption for caption in captions)
        assert f"Open leaf {pair_id}" in {button.help for button in at.button}
    assert any("· its twin" in caption for caption in captions) == (PAIR in expected.pair_ids)


def test_simulated_weights_are_told(run, show):
    run.update_info(simulated=True)
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert "The networks learnt from simulated leaves alone: how they do on photographs is not known." in words(at)


def test_a_picture_unlike_everything_is_told(run, show, monkeypatch):
    limit = neighbours.far_below(access.key_of(run.root), "rgb")
    embeddings = run.read_table("embeddings")
    own = np.stack(embeddings.loc[embeddings["sensor"] == "rgb", "embedding"].to_list()).astype(float)
    best = []  # by hand: each image's nearest other
    for k, vector in enumerate(own):
        cosines = [a @ vector / np.linalg.norm(a) / np.linalg.norm(vector) for m, a in enumerate(own) if m != k]
        best.append(max(cosines))
    assert limit == pytest.approx(np.percentile(best, 1), abs=1e-5)
    at = give(show("upload"), "rgb", "grey.png", png(Image.new("RGB", (40, 32), (255, 0, 255))))
    assert ("is unlike everything that this run knows" in words(at)) == far(run, at, limit)
    monkeypatch.setattr(neighbours, "far_below", lambda *_: 1.1)
    at.run()
    assert "99 in 100 of the run's own have one of more than 1.100" in words(at)
    monkeypatch.setattr(neighbours, "far_below", lambda *_: -1.0)
    at.run()
    assert "is unlike everything" not in words(at)


def far(run, at, limit):
    """Whether the magenta picture is far, worked out from what the networks give of it."""
    pixels = np.full((*SIZE, 3), (255, 0, 255), dtype=np.uint8)
    key = access.key_of(run.root)
    embedding = live_network.explain(key, {"rgb": pixels}).images["rgb"].embedding
    return neighbours.of_vector(key, embedding, "rgb", 1).cosines[0] < limit


def test_too_few_images_tell_nothing_of_what_is_far(run):
    frame = run.read_table("embeddings")
    run.write_table("embeddings", frame[frame["sensor"] == "rgb"].head(neighbours.FAR_FEWEST - 1))
    assert neighbours.far_below(access.key_of(run.root), "rgb") is None


def test_maps_are_not_measured_unless_asked(run, show, seen):
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert seen["sensors"][0].badge is None
    assert seen["sensors"][0].otherwise.text == "trust not measured"
    assert f"rice-ssl attribution {run.root}" in seen["sensors"][0].otherwise.detail
    assert "upload_measure" not in {button.key for button in at.button}


def test_a_map_is_measured_when_asked_with_the_runs_own_settings(run, show, seen):
    run.write_document(
        "attribution",
        {"blur": {"rgb": {"sigma": 3.0}, "rgnir": {"sigma": 5.0}}, "settings": {"random_maps": 19, "steps": 4}},
    )
    at = show("upload")
    for sensor in ("rgb", "rgnir"):
        give(at, sensor, *file_of(run, PAIR, sensor))
    assert seen["sensors"][0].otherwise.detail == "Measure it with the button above."
    at.button(key="upload_measure").click().run()
    assert not at.exception
    assert "upload_measure" not in {button.key for button in at.button}
    for view, sensor, sigma in zip(seen["sensors"], ("rgb", "rgnir"), (3.0, 5.0), strict=True):
        pixels = seen["pictures"][sensor]
        expected = live_network.measure(access.key_of(run.root), sensor, pixels, sigma=sigma, random=19, steps=4)
        assert view.measured == view.predicted == expected.predicted
        if expected.p_random > 0.051:
            assert (view.badge.tone, view.badge.text) == ("grey", "no better than random")
        else:
            assert view.badge.tone in {"good", "orange"}
        assert f"a score of {expected.score:+.2f}" in view.badge.detail
        assert view.otherwise.text == "measured for the predicted class only"
    give(at, "rgb", *file_of(run, "id_009", "rgb"))
    assert seen["sensors"][0].badge is None  # another file is another map
    assert seen["sensors"][1].badge is not None


def test_a_damaged_attribution_is_explained_and_the_maps_are_shown(run, show, seen):
    run.write_document("attribution", {"blur": {"rgb": 3}})
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert f"Make it anew with `rice-ssl attribution {run.root}`" in words(at)
    assert seen["sensors"][0].maps is not None


# -- files of other kinds ----------------------------------------------------------------------------------------------


def test_a_file_that_is_refused_leaves_the_other_one_shown(run, show, seen):
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    give(at, "rgnir", "a [b](http://x) *leaf*.jpg", b"I am a text")
    assert errors(at) == [
        "a \\[b\\](http://x) \\*leaf\\*.jpg is a text file, not an image, whatever its name says: give a JPEG, PNG, "
        "TIFF, BMP or WebP."
    ]
    assert list(seen["pictures"]) == ["rgb"]
    give(at, "rgnir", "huge.png", bomb_png(20_000, 20_000))
    assert errors(at) == ["huge.png has 400,000,000 pixels, more than 50,000,000: make it smaller."]
    give(at, "rgnir", *file_of(run, PAIR, "rgnir"))
    assert errors(at) == []
    assert list(seen["pictures"]) == ["rgb", "rgnir"]


def test_one_file_with_all_bands_supplies_both_sensors(run, show, seen):
    values = gradient(4, height=SIZE[0], width=SIZE[1])
    eight = np.rint(values / 257).astype(np.uint8)
    at = show("upload")
    at.button_group(key="upload_mode").set_value("One file with all bands").run()
    assert [field.label for field in at.file_uploader] == ["Image with all bands: red, green, blue, near infrared"]
    give(at, "all", "leaf.tif", tiff(values))
    assert np.array_equal(seen["pictures"]["rgb"], eight[..., [0, 1, 2]])
    assert np.array_equal(seen["pictures"]["rgnir"], eight[..., [0, 1, 3]])
    assert "Which of the file's 4 bands is which of RGNIR's?" in words(at)
    at.selectbox(key="upload_all_rgnir_2_of_4").set_value(2).run()
    assert np.array_equal(seen["pictures"]["rgnir"], eight[..., [0, 1, 2]])
    give(at, "all", "three.tif", tiff(gradient(3)))
    assert errors(at) == [
        "three.tif has 3 bands to choose from, too few for all sensors, which need 4: give one file for each sensor."
    ]
    give(at, "all", "alpha.png", png_16(values))  # its fourth band is transparency, not near infrared
    assert errors(at) == [
        "alpha.png is a PNG file, of whose bands none can be chosen: give a TIFF with all bands, or one file for each "
        "sensor."
    ]


def test_a_camera_of_12_bits_is_asked_about(run, show, seen):
    values = (gradient(3, height=SIZE[0], width=SIZE[1]) % 4096).astype(np.uint16)
    values[0, 0, 0] = 4095
    at = give(show("upload"), "rgnir", "leaf.tif", tiff(values))
    assert np.array_equal(seen["pictures"]["rgnir"], np.rint(values / 257).astype(np.uint8))
    assert "The brightest value is 4,095, which 12 bits hold" in words(at)
    at.selectbox(key="upload_rgnir_bits").set_value(12).run()
    assert np.array_equal(seen["pictures"]["rgnir"], np.rint(values * 255.0 / 4095).astype(np.uint8))
    assert "The brightest value" not in words(at)


def test_of_several_pictures_the_first_is_used_and_one_band_is_told(run, show):
    stream = io.BytesIO()
    picture(1).save(stream, "TIFF", save_all=True, append_images=[picture(2)])
    at = give(show("upload"), "rgb", "pages.tif", stream.getvalue())
    assert "The file holds several pictures; the first one is used." in words(at)
    give(at, "rgb", "grey.tif", tiff(gradient(1)))
    assert "The file has one band, so all three of the sensor's are the same." in words(at)
    assert errors(at) == []


# -- nothing is stored -------------------------------------------------------------------------------------------------


def _there_and_back():
    import streamlit as st

    from dashboard.components.notice import guarded
    from dashboard.screens import upload

    if not st.session_state.get("away"):
        guarded(upload.page)()


def test_images_outlive_another_screen_until_they_are_forgotten(run):
    at = AppTest.from_function(_there_and_back, default_timeout=60).run()
    name, content = file_of(run, PAIR, "rgb")
    give(at, "rgb", name, content)
    at.session_state["away"] = True
    at.run()
    at.session_state["away"] = False
    at.run()
    assert f"{name}, given before" in words(at)
    assert "The RGB image is predicted" in words(at)
    at.button(key="upload_rgb_forget").click().run()
    assert "Give an image of" in words(at)


def test_a_file_taken_out_of_its_field_is_gone(run, show):
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    at.file_uploader(key="upload_rgb").clear().run()
    assert "Give an image of" in words(at)
    assert "given before" not in words(at)


_written: list[str] | None = None


def _watch(event, arguments):
    if _written is not None and event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        _written.append(str(arguments[0]))


def test_nothing_is_written_or_cached_of_an_upload(run, show, monkeypatch):
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))  # the networks are loaded, modules compiled
    state = {path: path.stat().st_mtime_ns for path in run.root.rglob("*")}
    sys.addaudithook(_watch)
    monkeypatch.setitem(globals(), "_written", [])
    (run.root.parent / "noticed").write_text("so that an empty list means something")
    assert _written == [str(run.root.parent / "noticed")]
    _written.clear()
    give(at, "rgnir", *file_of(run, PAIR, "rgnir"))
    assert _written == []
    assert {path: path.stat().st_mtime_ns for path in run.root.rglob("*")} == state
    kept = at.session_state["upload_kept"]
    assert {sensor: own.pixels.nbytes for slot in kept.values() for sensor, own in slot.images.items()} == {
        "rgb": 32 * 40 * 3,
        "rgnir": 32 * 40 * 3,
    }  # pictures of the network's size, not the files


# -- what it lacks -----------------------------------------------------------------------------------------------------


def test_a_missing_run_and_an_empty_folder_name_the_command(tmp_path, use_run, show):
    use_run(tmp_path / "nowhere")
    assert "rice-ssl run CONFIG" in words(show("upload"))
    use_run(tmp_path)
    assert "holds no run.json" in words(show("upload"))


def test_a_run_without_networks_says_so_before_anything_is_given(run, show):
    for name in ("swav", "classifier"):
        run.weights_path(name).unlink()
    at = show("upload")
    assert "This run has no networks that could be asked." in words(at)
    assert f"rice-ssl pretrain {run.root}" in words(at)
    assert len(at.file_uploader) == 0


def test_swav_alone_gives_neighbours_and_prototypes_and_says_what_lacks(run, show, seen):
    run.weights_path("classifier").unlink()
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert f"This run has no weights of a classifier. Make them with `rice-ssl finetune {run.root}`" in words(at)
    assert "RGB: prototype **" in words(at)
    assert "Nearest leaves" in words(at)
    assert seen["sensors"][0].maps is None
    assert seen["sensors"][0].probabilities is None


def test_without_embeddings_it_is_predicted_all_the_same(run, show):
    run.remove("embeddings.parquet")
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert "The RGB image is predicted" in words(at)
    assert "rice-ssl embed" in words(at)


def test_borrowed_weights_that_are_gone_name_the_remedy(run, show, tmp_path):
    run.update_info(weights_run=str(tmp_path / "gone"), weights_from="gone")
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert "which is not there. Name it where it is now with `rice-ssl embed" in words(at)


def test_damaged_weights_are_explained(run, show):
    path = run.weights_path("classifier")
    path.write_bytes(path.read_bytes()[:500])
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert "classifier.safetensors" in words(at)
    assert "rice-ssl finetune" in words(at)


def test_the_number_of_processor_threads_is_put_back(run, monkeypatch):
    """It is one for the process: what else works in it keeps its own, and gives the same numbers as before."""
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(live_network.THREADS + 3)
    forward = RunExplainer.embed

    def counted(*given):
        seen.append(torch.get_num_threads())
        return forward(*given)

    monkeypatch.setattr(RunExplainer, "embed", counted)
    try:
        live_network.embed(access.key_of(run.root), "rgb", np.zeros((*SIZE, 3), dtype=np.uint8))
        assert (seen, torch.get_num_threads()) == ([live_network.THREADS], live_network.THREADS + 3)
    finally:
        torch.set_num_threads(before)


def test_without_torch_it_says_so(run, show, monkeypatch):
    monkeypatch.setitem(sys.modules, "rice_ssl.attribution.explain", None)
    at = give(show("upload"), "rgb", *file_of(run, PAIR, "rgb"))
    assert "New pictures cannot be judged, because PyTorch cannot be loaded here" in words(at)
    assert "All other screens work without it." in words(at)


def test_a_run_that_notes_no_size_is_explained(run, show):
    config = run.info()["config"]
    del config["data"]["image_size"]
    run.update_info(config=config)
    assert "does not note the size of its pictures" in words(show("upload"))


def test_a_fused_classifier_and_a_run_of_one_sensor_are_shown(tmp_path, use_run, show):
    store = write_network_run(tmp_path, pairs=12, finetune={"sensors": "fused"})
    use_run(store.root)
    at = give(show("upload"), "rgb", *file_of(store, PAIR, "rgb"))
    assert "The classifier is fused" in words(at)
    give(at, "rgnir", *file_of(store, PAIR, "rgnir"))
    assert f"Together: **{predicted(store, PAIR, 'both')}**." in words(at)
    store.update_info(sensors=store.info()["sensors"][:1])
    at = show("upload")
    assert [field.label for field in at.file_uploader] == ["RGB image: red, green, blue"]
    assert "Give an image of RGB." in words(at)


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_sessions_are_served_one_after_the_other_by_one_network(run, monkeypatch):
    at_once, most, loaded = [0], [0], []

    class Slow:
        def explain(self, pictures):
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            time.sleep(0.05)
            at_once[0] -= 1
            return pictures

    def networks(run):
        loaded.append(run)
        return Slow()

    monkeypatch.setattr(live_network, "_networks", networks)
    key = access.key_of(run.root)
    threads = [threading.Thread(target=live_network.explain, args=(key, {})) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 4
    assert most[0] == 1


def test_networks_are_loaded_once_until_the_run_changes(run):
    key = access.key_of(run.root)
    first = live_network._networks(key)
    assert live_network._networks(key) is first
    run.update_info(note="changed, and longer")
    assert live_network._networks(access.key_of(run.root)) is not first
