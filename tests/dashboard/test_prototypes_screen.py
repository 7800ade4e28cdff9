"""The Prototypes screen by values: figures and their null, flow, one pair, training; loaded, empty and broken."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rice_ssl.attribution.overlay import overlay
from rice_ssl.evaluation.assignment_flow import assignment_agreement, paired_assignments
from rice_ssl.evaluation.prototype_purity import overall_purity
from tests.dashboard.conftest import figures, without_labels, words
from tests.fake_attribution import write_attribution
from tests.fakes import softmax, write_fake_run

FLOW, PAIR, TRAINING = "Flow between sensors", "One pair", "Over training"
STEPS = (0, 30, 60, 90, 120)


def reassigned(store, prototype, count=None):
    """Write the run's assignments anew: ``prototype`` of each image, of ``count`` prototypes."""
    table = store.read_table("prototypes")
    table["prototype"] = np.asarray(prototype)
    store.write_table("prototypes", table)
    if count is not None:
        embeddings = store.read_table("embeddings")
        cosines = np.random.default_rng(0).uniform(-0.5, 0.5, (len(table), count)).astype(np.float32)
        cosines[np.arange(len(table)), table["prototype"]] = 0.9
        embeddings["prototype_logits"] = list(cosines)
        store.write_table("embeddings", embeddings)
    return table


def write_history(store):
    """All images in prototype 0 at step 0; from step 30 on the RGNIR ones in 1; from step 60 on as they are."""
    final = store.read_table("prototypes")[["pair_id", "sensor", "prototype", "confidence"]]
    rows = []
    for step in STEPS:
        part = final.assign(step=step, epoch=step / 10)
        if step < 60:
            part["prototype"] = ((part["sensor"] == "rgnir") & (step == 30)).astype(int)
        rows.append(part)
    store.write_table("assignments", pd.concat(rows, ignore_index=True))


def labels_of(store):
    return store.read_table("manifest").groupby("pair_id")["label"].first()


# -- the figures ------------------------------------------------------------------------------------------------------


def test_agreement_information_and_purity_have_intervals_and_their_null(fake, show):
    table = fake.read_table("prototypes")
    pairs = paired_assignments(table, "rgb", "rgnir")
    one, pure = assignment_agreement(*(pairs[k].to_numpy() for k in pairs)), overall_purity(table, labels_of(fake))
    text = words(show("prototypes"))
    assert (
        f"in **{100 * one.rate:.0f}%** [{100 * one.low:.0f}, {100 * one.high:.0f}] of 24 pairs, no more often than "
        f"chance (shuffled pairs: {100 * one.null_mean:.1f}% [{100 * one.null_low:.1f}, {100 * one.null_high:.1f}])."
    ) in text
    assert (
        f"between RGB and RGNIR assignments: **{one.nmi:.2f}** [{one.nmi_low:.2f}, {one.nmi_high:.2f}], no more than "
        f"that of shuffled pairs ({one.nmi_null:.2f}"
    ) in text
    assert (
        f"**{100 * pure.value:.0f}%** [{100 * pure.low:.0f}, {100 * pure.high:.0f}] of 48 labelled images have the "
        "most frequent label of their prototype, no more than chance"
    ) in text


def test_each_figure_is_drawn_next_to_chance(fake, show):
    drawn = figures(show("prototypes"))["prototype_figures"]
    assert {trace["name"] for trace in drawn["data"]} == {"this run", "shuffled"}
    assert set(drawn["layout"]["yaxis"]["ticktext"]) == {"one for both images", "mutual information", "purity"}
    pairs = paired_assignments(fake.read_table("prototypes"), "rgb", "rgnir")
    one = assignment_agreement(*(pairs[k].to_numpy() for k in pairs))
    null = [trace for trace in drawn["data"] if trace["name"] == "shuffled"]
    values = {value for trace in null for value in trace["x"] if value is not None}
    for expected in (one.null_mean, one.nmi_null):
        assert min(abs(value - expected) for value in values) < 1e-9


def test_pairs_that_agree_stand_out_of_chance(fake, show):
    reassigned(fake, np.repeat(np.arange(24) % 8, 2))
    at = show("prototypes")
    text = words(at)
    assert "in **100%** [86, 100] of 24 pairs, more often than chance" in text
    assert "assignments: **1.00** [1.00, 1.00], more than that of shuffled pairs" in text
    assert {metric.label: metric.value for metric in at.metric} == {
        "Prototypes": "8",
        "Effective number (perplexity)": "8.0",
        "Without any image": "0",
        "Hold one sensor only": "0",
    }


def test_a_reader_is_warned_of_a_sensor_in_few_prototypes(fake, show):
    rgb = (fake.read_table("prototypes")["sensor"] == "rgb").to_numpy()
    reassigned(fake, np.where(rgb, np.arange(48) // 2 % 6, 7))
    at = show("prototypes")
    assert "The RGNIR images share 1.0 prototypes in effect, the RGB images 6.0" in words(at)
    table = at.dataframe[0].value.set_index("Prototype")
    assert table.loc[7, "Flags"] == "RGNIR only, beyond chance"  # 24 of 24, where half of all are
    assert table.loc[0, "Flags"] == "RGB only, may be chance"  # 4 of 4: one in 16
    assert table.loc[6, "Flags"] == "dead"
    assert {metric.label: metric.value for metric in at.metric}["Hold one sensor only"] == "7"


def test_the_table_names_clusters(fake, show):
    table = show("prototypes").dataframe[0].value.set_index("Prototype")
    own, label = fake.read_table("prototypes"), labels_of(fake)
    for number in range(8):
        mates = own[own["prototype"] % 3 == number % 3]["pair_id"].map(label).value_counts()  # see tests/fakes.py
        assert table.loc[number, "Cluster"] in {
            f"{number % 3 + 1} · {name}" for name in mates[mates == mates.max()].index
        }


def test_stars_can_have_the_colour_of_their_label(fake, show):
    drawn = figures(show("prototypes", prototype="2", prototype_colour="Label"))["prototype_map_2"]
    stars = {t["name"]: [n for (n,) in t["customdata"]] for t in drawn["data"] if t["type"] == "scatter"}
    own = fake.read_table("prototypes").assign(label=lambda t: t["pair_id"].map(labels_of(fake)))
    top = own.groupby("prototype")["label"].agg(lambda part: part.value_counts().sort_index().idxmax())
    for label in set(top):
        assert sorted(stars[f"Mostly {label}"]) == sorted(top[top == label].index)


# -- the images of one ------------------------------------------------------------------------------------------------


def galleried(at):
    return {image.proto.imgs[0].alt: image for image in at.get("imgs")}


def test_the_nearest_images_are_those_of_the_highest_cosines(fake, show):
    at = show("prototypes", prototype="4")
    logits, keys = fake.read_vectors("embeddings", "prototype_logits"), fake.read_table("embeddings")
    own = fake.read_table("prototypes").set_index(["pair_id", "sensor"])["prototype"]
    said = [caption.value for caption in at.caption]
    for sensor in ("rgb", "rgnir"):
        rows = np.flatnonzero(keys["sensor"] == sensor)
        best = rows[np.argsort(-logits[rows, 4], kind="stable")[:8]]
        for position, row in enumerate(best):
            pair_id = keys["pair_id"].iloc[row]
            assert at.button(key=f"nearest-{sensor}-{position}").label == pair_id[-8:]
            label, number = labels_of(fake)[pair_id], own[pair_id, sensor]
            elsewhere = "" if number == 4 else f" · in {number}"
            assert f"{label} · {logits[row, 4]:.2f}{elsewhere}" in said


def test_cams_lie_over_images_of_this_prototype_alone(fake, show):
    write_attribution(fake)
    at = show("prototypes", prototype="4")
    text = words(at)
    assert "CAM of the cosine to it" in text
    assert "Trust not measured: deletion and insertion ask for the probability of a class" in text
    from dashboard.components.prototype_images import covered

    index, maps = fake.read_table("attribution"), np.load(fake.root / "attribution" / "prototype.npy")
    jpeg = fake.read_table("thumbnails")["jpeg"].iloc[0]
    cam = maps[int(index["row"].iloc[0])].astype(np.float32)
    pixels = np.asarray(Image.open(io.BytesIO(covered(jpeg, cam, 2.0))))
    plain = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    np.testing.assert_array_equal(pixels, overlay(plain, cam, opacity=0.75, scale=2.0))
    at.toggle(key="prototype_cam").set_value(False).run()
    assert "CAM of the cosine to it" not in words(at)


def test_without_maps_the_images_are_plain_and_it_says_how_to_make_them(fake, show):
    at = show("prototypes", prototype="4")
    assert not [toggle for toggle in at.toggle if toggle.key == "prototype_cam"]
    assert f"rice-ssl attribution {fake.root.as_posix()}" in words(at)


def test_maps_that_cannot_be_read_are_explained_and_the_images_stay(fake, show):
    write_attribution(fake)
    (fake.root / "attribution.json").write_text("{")
    at = show("prototypes", prototype="4")
    assert "attribution.json" in at.warning[0].value
    assert at.button(key="nearest-rgb-7").label


# -- flow -------------------------------------------------------------------------------------------------------------


def flow_of(store):
    wide = store.read_table("prototypes").pivot(index="pair_id", columns="sensor", values="prototype")
    return wide.groupby(["rgb", "rgnir"]).size()


def test_the_bands_are_the_pairs_between_prototypes(fake, show):
    drawn = figures(show("prototypes", prototypes_part=FLOW))["prototype_bands"]
    link, label = drawn["data"][0]["link"], drawn["data"][0]["node"]["label"]
    found = {(int(label[a]), int(label[b])): n
             for a, b, n in zip(link["source"], link["target"], link["value"], strict=True)}  # fmt: skip
    assert found == flow_of(fake).to_dict()
    shades = zip(link["source"], link["target"], link["color"], strict=True)
    green = [(int(label[a]), int(label[b])) for a, b, shade in shades if shade.startswith("rgba(0, 158")]
    assert sorted(green) == sorted((a, b) for a, b in flow_of(fake).index if a == b)


def test_smaller_flows_are_summed_and_counted(tmp_path, use_run, show):
    store = write_fake_run(tmp_path / "many", pairs=90)
    use_run(store.root)
    first, second = np.arange(90) % 9, np.arange(90) // 9  # every one of 90 flows is one pair; 5 more make one larger
    first[85:], second[85:] = 0, 0
    reassigned(store, np.stack([first, second], axis=1).ravel(), 10)
    at = show("prototypes", prototypes_part=FLOW)
    link = figures(at)["prototype_bands"]["data"][0]["link"]
    assert link["value"][0] == 6
    assert len(link["value"]) == 41
    assert sum(link["value"]) == 90
    assert link["value"][-1] == 90 - 6 - 39
    assert "The 40 largest flows are drawn; 45 smaller ones with 45 pairs are summed as others." in words(at)


def test_the_flow_of_one_prototype_alone(fake, show):
    at = show("prototypes", prototypes_part=FLOW, prototype="3")
    at.toggle(key="prototype_flow_one").set_value(True).run()
    link = figures(at)["prototype_bands"]["data"][0]["link"]
    flows = flow_of(fake)
    assert sum(link["value"]) == flows[[3 in pair for pair in flows.index]].sum()


def test_the_matrix_is_ordered_by_cluster(fake, show):
    drawn = figures(show("prototypes", prototypes_part=FLOW, prototype_flow="Matrix"))["prototype_matrix"]
    heat = drawn["data"][0]
    order = [int(name) for name in heat["x"]]
    assert heat["y"] == heat["x"]
    assert [number % 3 for number in order] == sorted(number % 3 for number in order)
    cells = np.array(heat["z"], dtype=object)
    for (rgb, rgnir), pairs in flow_of(fake).items():
        assert cells[order.index(rgb)][order.index(rgnir)] == pairs
    assert sum(one or 0 for row in cells for one in row) == 24


# -- one pair ---------------------------------------------------------------------------------------------------------


def test_a_pair_in_the_link_is_taken_apart(fake, show):
    at = show("prototypes", pair="id_0005")
    logits, keys = fake.read_vectors("embeddings", "prototype_logits"), fake.read_table("embeddings")
    tables = [frame.value for frame in at.dataframe]
    assert len(tables) == 2
    picks = []
    for sensor, table in zip(("rgb", "rgnir"), tables, strict=True):
        row = np.flatnonzero((keys["pair_id"] == "id_0005") & (keys["sensor"] == sensor))[0]
        order = np.argsort(-logits[row], kind="stable")[:5]
        assert table["Prototype"].tolist() == order.tolist()
        assert table["Cosine"].tolist() == pytest.approx(logits[row][order].tolist())
        assert table["Probability"].tolist() == pytest.approx(softmax(logits[row] / 0.1)[order].tolist(), abs=1e-6)
        assert table["Nearest"].str.startswith("data:image/jpeg;base64,").all()
        picks.append(order[0])
    where = f"RGB in **{picks[0]}**, RGNIR in **{picks[1]}**"
    assert (where if picks[0] != picks[1] else f"in one prototype, **{picks[0]}**") in words(at)
    assert "at the temperature 0.1." in words(at)


def test_a_pair_is_found_by_a_part_of_its_id(fake, show):
    at = show("prototypes", prototypes_part=PAIR)
    at.text_input(key="prototype_pair_search").set_value("_001").run()
    assert at.selectbox(key="prototype_pair").options == [f"id_001{k}" for k in range(10)]
    at.selectbox(key="prototype_pair").select("id_0014").run()
    assert at.query_params["pair"] == "id_0014"
    assert "**id_0014**" in words(at)
    at.text_input(key="prototype_pair_search").set_value("nowhere").run()
    assert "No pair's id holds 'nowhere'." in words(at)


def test_a_pair_that_is_not_there_is_said(fake, show):
    at = show("prototypes", pair="../x", prototypes_part=PAIR)
    assert "names pair '../x', which this run does not have." in words(at)
    assert "**id_0000**" in words(at)


def test_a_leaf_leads_to_its_prototypes_and_back(fake, show):
    assert show("leaf", pair="id_0003").button(key="leaf_prototypes").label == "Its prototypes"
    assert show("prototypes", pair="id_0003").button(key="prototype_open_leaf").label == "Open leaf"
    fake.remove("prototypes.parquet")
    assert not [button for button in show("leaf", pair="id_0003").button if button.key == "leaf_prototypes"]


# -- over training ----------------------------------------------------------------------------------------------------


def test_without_checkpoints_the_command_is_named(fake, show):
    at = show("prototypes", prototypes_part=TRAINING)
    assert "pretrain.keep_checkpoints" in at.info[0].value
    assert f"rice-ssl assignments {fake.root.as_posix()}" in at.info[0].value


def test_prototypes_of_another_run_have_their_history_there(fake, show):
    fake.update_info(weights_from="demo")
    assert "those of the run demo: when they formed is known there" in words(
        show("prototypes", prototypes_part=TRAINING)
    )


def test_usage_forming_dying_and_agreement_over_training(fake, show):
    write_history(fake)
    at = show("prototypes", prototypes_part=TRAINING, prototype="1")
    drawn = figures(at)
    final = fake.read_table("prototypes")
    counts = final["prototype"].value_counts()
    heat = drawn["prototype_history"]["data"][0]
    assert heat["x"] == [str(step) for step in STEPS]
    cells = {int(name): row for name, row in zip(heat["y"], heat["z"], strict=True)}
    assert cells[0] == [48, 24] + [counts[0]] * 3
    assert cells[1] == [0, 24] + [counts[1]] * 3
    assert cells[5] == [0, 0] + [counts[5]] * 3
    formed = next(trace for trace in drawn["prototype_history"]["data"] if trace.get("name") == "Formed")
    told = {int(y): int(x) for x, y in zip(formed["x"], formed["y"], strict=True)}
    enough = [number for number in range(2, 8) if counts.get(number, 0) >= 1.5]  # a quarter of 48 / 8 images
    assert told == {1: 30, **dict.fromkeys(enough, 60)}
    assert f"**{sum(counts >= 1.5)}** of 8 prototypes have formed by the end" in words(at)
    assert "Prototype 1 formed at step 30" in words(at)
    assert "Prototype 0 formed at step 0; split into" in words(
        show("prototypes", prototypes_part=TRAINING, prototype="0")
    )
    lines = [shape["x0"] for shape in drawn["prototype_history"]["layout"]["shapes"]]
    assert lines == [0.2, 2.0]  # warm-up's end at step 6 and the queue's start at 60, between the checkpoints
    notes = [note["text"] for note in drawn["prototype_curves"]["layout"]["annotations"]]
    assert notes == ["warm-up end · 6", "queue start · 60"]
    curve = next(
        t for t in drawn["prototype_curves"]["data"] if t.get("name") == "Both images of a pair in one prototype"
    )
    wide = final.pivot(index="pair_id", columns="sensor", values="prototype")
    rate = 100 * (wide["rgb"] == wide["rgnir"]).mean()
    assert curve["y"] == pytest.approx([100, 0, rate, rate, rate])
    stay = next(t for t in drawn["prototype_curves"]["data"] if t.get("name") == "Images that kept their prototype")
    assert (stay["x"], stay["y"][0], stay["y"][2:]) == ([30, 60, 90, 120], 50, [100, 100])
    moves = at.dataframe[0].value
    assert moves.iloc[0].tolist() == [30, "splits into", 0, "0, 1", 48]


def test_the_images_of_one_sensor_over_training(fake, show):
    write_history(fake)
    at = show("prototypes", prototypes_part=TRAINING)
    at.segmented_control(key="history_sensor").set_value("rgnir").run()
    heat = figures(at)["prototype_history"]["data"][0]
    assert dict(zip(heat["y"], heat["z"], strict=True))["1"][:2] == [0, 24]
    assert dict(zip(heat["y"], heat["z"], strict=True))["0"][:2] == [24, 0]


def test_a_damaged_history_is_explained_below_the_figures(fake, show):
    write_history(fake)
    path = fake.root / "assignments.parquet"
    path.write_bytes(path.read_bytes()[:200])
    at = show("prototypes", prototypes_part=TRAINING)
    assert "changed after the run wrote it" in at.warning[0].value
    assert "One prototype holds both images of a pair" in words(at)


def test_a_history_of_other_prototypes_is_explained(fake, show):
    write_history(fake)
    table = fake.read_table("assignments")
    fake.write_table("assignments", table.assign(prototype=table["prototype"] + 50))
    said = show("prototypes", prototypes_part=TRAINING).warning[0].value
    assert "of other prototypes than the run has" in said
    assert f"rice-ssl assignments {fake.root.as_posix()}" in said


# -- a selection ------------------------------------------------------------------------------------------------------


def test_selected_pairs_spread_over_prototypes(fake, show):
    everything = "umap.embedding.2.0~box~0_0_65535_65535"
    at = show("prototypes", selection=everything)
    held = fake.read_table("prototypes")["prototype"].value_counts()
    assert f"The 48 images of 24 pairs are in **{len(held)}** of 8 prototypes" in words(at)
    bars = {trace["name"]: trace for trace in figures(at)["prototype_selection"]["data"]}
    found = dict(zip(bars["of selected images"]["x"], bars["of selected images"]["y"], strict=True))
    assert {int(number): share for number, share in found.items()} == pytest.approx((100 * held / 48).to_dict())
    assert bars["of selected images"]["y"] == bars["of all images"]["y"]
    assert "prototype_selection" not in figures(show("prototypes"))


# -- what is not as it should be --------------------------------------------------------------------------------------

EVERY_PART = ("Prototypes", FLOW, PAIR, TRAINING)


@pytest.mark.parametrize("part", EVERY_PART)
def test_no_prototypes_are_explained(part, fake, show):
    embeddings = fake.read_table("embeddings")
    for column in ("projection", "prototype_logits"):
        embeddings[column] = pd.Series([None] * len(embeddings), dtype=object)
    fake.write_table("embeddings", embeddings)
    fake.remove("prototypes.parquet")
    said = show("prototypes", prototypes_part=part).warning[0].value
    assert said.startswith("This run has no prototypes. Make them with `rice-ssl pretrain")


@pytest.mark.parametrize("part", EVERY_PART)
def test_prototypes_without_labels_are_shown(part, fake, show):
    without_labels(fake)
    write_history(fake)
    at = show("prototypes", prototypes_part=part)
    assert "No image is labelled, so how pure the prototypes are is not known." in words(at)
    assert "of 24 pairs" in words(at)
    assert "nan" not in words(at).lower().replace("nanometre", "")


@pytest.mark.parametrize("part", EVERY_PART)
def test_one_sensor_is_shown(part, fake, show):
    write_history(fake)
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails", "map", "assignments"):
        frame = fake.read_table(name)
        fake.write_table(name, frame[(frame["sensor"] == "rgb") | frame["sensor"].isna()])
    fake.update_info(sensors=fake.info()["sensors"][:1])
    at = show("prototypes", prototypes_part=part)
    assert "This run has one sensor, so there is no agreement between sensors to measure." in words(at)
    assert "Hold one sensor only" not in {metric.label for metric in at.metric}
    if part == FLOW:
        assert "nothing flows between sensors" in at.info[0].value
    if part == TRAINING:
        curves = figures(at)["prototype_curves"]["data"]
        assert [trace["name"] for trace in curves if trace.get("name")] == ["Images that kept their prototype"]


@pytest.mark.parametrize("part", EVERY_PART)
def test_a_single_pair_is_shown(part, tmp_path, use_run, show):
    store = write_fake_run(tmp_path / "single")
    use_run(store.root)
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails", "map"):
        frame = store.read_table(name)
        store.write_table(name, frame[(frame["pair_id"] == "id_0000") | frame["pair_id"].isna()])
    write_history(store)
    at = show("prototypes", prototypes_part=part)
    assert "of 1 pair, no more often than chance" in words(at)
    if part == FLOW:
        assert figures(at)["prototype_bands"]["data"][0]["link"]["value"] == [1]


@pytest.mark.parametrize("part", EVERY_PART)
def test_an_embedding_that_is_not_finite_is_left_out(part, fake, show):
    embeddings, table = fake.read_table("embeddings"), fake.read_table("prototypes")
    for column in ("embedding", "projection", "prototype_logits"):
        embeddings.at[0, column] = np.full_like(embeddings.at[0, column], np.nan)
    fake.write_table("embeddings", embeddings)
    fake.write_table("prototypes", table.assign(
        prototype=[0, *table["prototype"][1:]], confidence=[np.nan, *table["confidence"][1:]]))  # fmt: skip
    at = show("prototypes", prototypes_part=part, prototype="0")
    text = words(at)
    assert "1 image has an embedding with numbers that are not finite, and no prototype: left out here." in text
    assert "of 23 pairs" in text
    if part == "Prototypes":
        shown = at.dataframe[0].value
        assert shown["Images"].sum() == 47
        assert not [
            button for button in at.button if button.key.startswith("nearest-rgb") and button.label == "id_0000"
        ]
    if part == PAIR:
        assert "This pair has no RGB image with a projection." in [info.value for info in at.info]


@pytest.mark.parametrize("part", EVERY_PART)
def test_3000_prototypes_of_which_2900_are_dead(part, tmp_path, use_run, show):
    store = write_fake_run(tmp_path / "wide", pairs=150)
    use_run(store.root)
    alive = 30 * np.arange(100)
    held = np.stack([alive[np.arange(150) % 100], alive[np.arange(150) * 7 % 100]], axis=1)
    reassigned(store, held.ravel(), 3000)
    maps = store.read_table("map")
    own = maps[(maps["kind"] == "prototype") & (maps["method"] == "umap")].iloc[[0] * 3000].assign(
        prototype=range(3000), cluster=np.arange(3000) % 6, x=np.arange(3000.0))  # fmt: skip
    store.write_table("map", pd.concat([maps[maps["kind"] == "image"], own], ignore_index=True))
    write_history(store)
    at = show("prototypes", prototypes_part=part)
    assert {metric.label: metric.value for metric in at.metric}["Without any image"] == "2900"
    drawn = figures(at)
    if part == "Prototypes":
        assert "2,900 prototypes hold no image and are not drawn." in words(at)
        assert len({name for trace in drawn["usage"]["data"] for name in trace["x"]}) == 100
        assert (at.dataframe[0].value["Flags"] == "dead").sum() == 2900
        stars = [t for t in drawn[f"prototype_map_{at.selectbox(key='prototype').value}"]["data"] if "text" in t]
        symbols = [one for t in stars if t["name"] != "Chosen" for one in t["marker"]["symbol"]]
        assert (symbols.count("star"), symbols.count("x-thin")) == (100, 2900)
    if part == FLOW:
        link = drawn["prototype_bands"]["data"][0]["link"]
        assert sum(link["value"]) == 150
    if part == TRAINING:
        assert len(drawn["prototype_history"]["data"][0]["y"]) == 60
        assert json.dumps(drawn["prototype_history"]).count("null") < 10


def test_more_prototypes_than_the_matrix_draws_are_counted(tmp_path, use_run, show):
    store = write_fake_run(tmp_path / "wide", pairs=150)
    use_run(store.root)
    reassigned(store, np.repeat(np.arange(150), 2), 200)
    at = show("prototypes", prototypes_part=FLOW, prototype_flow="Matrix")
    assert len(figures(at)["prototype_matrix"]["data"][0]["x"]) == 120
    assert "30 less used prototypes, with 30 pairs, are not drawn." in words(at)
