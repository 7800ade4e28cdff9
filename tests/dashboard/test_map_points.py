"""Points of a map and their columns, against slow look-ups; and that nothing makes an object for each point."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from dashboard import access, map_columns, map_points
from dashboard.map_points import MapKey
from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError
from tests.fakes import CLASSES, SENSORS, write_fake_run

KEY = MapKey("umap", "embedding", 2, 0)
SHUFFLED = ("manifest", "predictions", "prototypes", "quality", "neighbourhoods")


def shuffled(store, name, keep=1.0):
    frame = store.read_table(name)
    store.write_table(name, frame.sample(frac=keep, random_state=3).reset_index(drop=True))


@pytest.fixture
def store(tmp_path):
    """24 pairs; unlabelled test pairs, groups of two pairs, further columns, and a table of quality."""
    store = write_fake_run(tmp_path / "run")
    manifest = store.read_table("manifest")
    manifest.loc[manifest["split"] == "test", "label"] = None
    manifest["group"] = [f"site_{int(pair_id[-2:]) // 2}" for pair_id in manifest["pair_id"]]
    manifest["field"] = ["north", None, "south"] * 16
    manifest["wet"] = [k % 3 == 0 for k in range(48)]
    manifest["height_m"] = np.linspace(1, 2, 48)
    store.write_table("manifest", manifest)
    rng = np.random.default_rng(5)
    values = {name: rng.random(48) for name in ("brightness", "sharpness", "clipped", "leaf_area")}
    values["brightness"][7] = np.nan
    store.write_table("quality", manifest[["pair_id", "sensor"]].assign(**values))
    return store


def run_of(store):
    return access.key_of(store.root)


def test_maps_come_in_a_fixed_order(store):
    keys = map_points.map_keys(run_of(store))
    assert keys[:4] == [
        MapKey("umap", "embedding", 2, 0),
        MapKey("umap", "embedding", 2, 1),
        MapKey("umap", "embedding", 3, 0),
        MapKey("umap", "projection", 2, 0),
    ]
    assert [key.method for key in keys] == ["umap"] * 6 + ["tsne"] * 5 + ["pca"] * 5
    shuffled(store, "map")
    assert map_points.map_keys(run_of(store)) == keys


def test_points_are_the_images_of_one_map_in_its_order(store):
    run = run_of(store)
    for key in (KEY, MapKey("pca", "projection", 2, 0), MapKey("pca", "embedding", 3, 0)):
        found, maps = map_points.points(run, key), store.read_table("map")
        for name in ("method", "space", "dimensions", "seed"):
            maps = maps[maps[name] == getattr(key, name)]
        maps = maps[maps["kind"] == "image"]
        places = ["x", "y", "z"][: key.dimensions]
        assert list(found.columns) == ["pair_id", "sensor", *places, "fitted"]
        assert found["pair_id"].tolist() == maps["pair_id"].tolist()
        assert found["sensor"].tolist() == maps["sensor"].tolist()
        assert found["fitted"].all()
        np.testing.assert_array_equal(found[places].to_numpy(), maps[places].to_numpy().astype(np.float32))


def test_no_column_holds_an_object_for_each_point(store):
    run = run_of(store)
    found = map_points.points(run, KEY)
    assert {str(kind) for kind in found.dtypes} == {"str", "category", "float32", "bool"}
    assert found["sensor"].cat.categories.tolist() == ["rgb", "rgnir"]
    for column in map_columns.columns(run):
        kind = map_columns.column(run, KEY, column.name).dtype
        assert kind == "category" if column.kind == "category" else kind == np.float32, column


def test_points_in_parts_are_those_of_one_file(store):
    before = map_points.points(run_of(store), KEY)
    maps = store.read_table("map")
    store.write_parts("map", [maps[:70], maps[70:71], maps[71:]])
    pd.testing.assert_frame_equal(map_points.points(run_of(store), KEY), before)


def test_a_map_of_another_version_names_the_command(store):
    maps = store.read_table("map").drop(columns="dimensions")
    maps.to_parquet(store.root / "map.parquet")
    store.note_hash("map.parquet")
    with pytest.raises(ArtifactError, match=r"lacks the column 'dimensions'.*rice-ssl map"):
        map_points.map_keys(run_of(store))
    store.remove("map.parquet")
    with pytest.raises(ArtifactError, match="rice-ssl map"):
        map_points.map_keys(run_of(store))


# -- columns, against slow look-ups -----------------------------------------------------------------------------------


def slow_columns(store):
    """Each column of the run's images by (pair, sensor), from the tables as they are, row by row."""
    found = {}
    label, split = {}, {}
    for row in store.read_table("manifest").itertuples():
        label.setdefault(row.pair_id, None)
        label[row.pair_id] = label[row.pair_id] or (row.label if isinstance(row.label, str) else None)
        split.setdefault(row.pair_id, row.split)
        for name in ("fold", "group", "field", "wet", "height_m", "width"):
            found.setdefault(name, {})[row.pair_id, row.sensor] = getattr(row, name)
    found["label"] = lambda pair, sensor: label.get(pair) or "no label"
    found["split"] = lambda pair, sensor: split.get(pair)
    said = {(row.pair_id, row.sensor): row for row in store.read_table("predictions").itertuples()}
    found["prediction"] = lambda *one: said[one].prediction if one in said else "no prediction"
    found["confidence"] = lambda *one: max(said[one].probabilities) if one in said else None

    def correct(pair, sensor):
        if not label.get(pair):
            return "no label"
        if (pair, sensor) not in said:
            return "no prediction"
        return "right" if said[pair, sensor].prediction == label[pair] else "wrong"

    found["correct"] = correct
    clusters = {row.prototype: row.cluster + 1 for row in store.read_table("map").itertuples() if row.prototype >= 0}
    for row in store.read_table("prototypes").itertuples():
        key = row.pair_id, row.sensor
        found.setdefault("prototype", {})[key] = row.prototype
        found.setdefault("cluster", {})[key] = clusters[row.prototype]
        found.setdefault("prototype_confidence", {})[key] = row.confidence
        found.setdefault("entropy", {})[key] = row.entropy
    for row in store.read_table("quality").itertuples():
        for name in ("brightness", "sharpness", "clipped", "leaf_area"):
            found.setdefault(name, {})[row.pair_id, row.sensor] = getattr(row, name)
    overlap = {row.pair_id: row.overlap for row in store.read_table("neighbourhoods").itertuples()}
    found["overlap"] = lambda pair, sensor: overlap.get(pair)
    found["sensor"] = lambda pair, sensor: sensor
    return found


def same(value, expected):
    if expected is None or (isinstance(expected, float) and np.isnan(expected)):
        return bool(pd.isna(value))
    return value == np.float32(expected) if isinstance(expected, float) else value == expected


@pytest.mark.parametrize("how", ["in order", "shuffled", "with rows missing", "in parts"])
def test_every_column_is_that_of_a_slow_look_up(store, how):
    if how in ("shuffled", "with rows missing"):
        for name in SHUFFLED:
            shuffled(store, name, 1.0 if how == "shuffled" else 0.7)
    if how == "in parts":
        for name in SHUFFLED:
            frame = store.read_table(name)
            store.write_parts(name, [frame[:5], frame[5:]])
    run, slow = run_of(store), slow_columns(store)
    found = map_points.points(run, KEY)
    names = [column.name for column in map_columns.columns(run)]
    assert set(names) == {*slow, "height"}
    for name in slow:
        values = map_columns.column(run, KEY, name)
        assert len(values) == len(found) == 48
        assert values.name == name
        expected = slow[name] if callable(slow[name]) else lambda *one, table=slow[name]: table.get(one)
        for value, pair_id, sensor in zip(values, found["pair_id"], found["sensor"], strict=True):
            wanted = expected(pair_id, sensor)
            assert same(value, wanted), (name, pair_id, sensor, value, wanted)


def test_columns_say_what_they_are(store):
    columns = {column.name: column for column in map_columns.columns(run_of(store))}
    assert list(columns)[:6] == ["label", "sensor", "split", "prediction", "correct", "confidence"]
    assert {name for name, column in columns.items() if column.kind == "number"} == {
        "confidence", "prototype_confidence", "entropy", "overlap", "height_m", "width", "height",
        "brightness", "sharpness", "clipped", "leaf_area",
    }  # fmt: skip
    assert columns["entropy"].title == "Entropy over prototypes (nats)"
    assert columns["field"].title == "field"


def test_order_of_categories(store):
    run = run_of(store)
    assert map_columns.column(run, KEY, "label").cat.categories.tolist() == [*CLASSES, "no label"]
    assert map_columns.column(run, KEY, "split").cat.categories.tolist() == ["train", "val", "test"]
    assert map_columns.column(run, KEY, "correct").cat.categories.tolist() == ["right", "wrong", "no label"]
    assert map_columns.column(run, KEY, "fold").cat.categories.tolist() == [0, 1, 2, 3, 4]
    assert map_columns.column(run, KEY, "field").cat.categories.tolist() == ["north", "south"]
    counts = Counter(store.read_table("prototypes")["prototype"])
    order = sorted(counts, key=lambda number: (-counts[number], number))
    assert map_columns.column(run, KEY, "prototype").cat.categories.tolist() == order


def test_a_group_of_each_pair_alone_is_no_column(tmp_path):
    run = access.key_of(write_fake_run(tmp_path / "run").root)
    assert "group" not in {column.name for column in map_columns.columns(run)}


def test_a_run_with_a_map_alone(store):
    store.remove("manifest.parquet", "predictions.parquet", "prototypes.parquet", "quality.parquet")
    store.remove("neighbourhoods.parquet")
    run = run_of(store)
    assert [column.name for column in map_columns.columns(run)] == ["sensor"]
    assert map_columns.column(run, KEY, "sensor").tolist() == ["rgb", "rgnir"] * 24
    with pytest.raises(KeyError):
        map_columns.column(run, KEY, "label")


def test_prototypes_without_a_map_of_them_have_no_cluster(store):
    maps = store.read_table("map")
    store.write_table("map", maps[maps["kind"] == "image"])
    assert {"prototype", "cluster"} & {column.name for column in map_columns.columns(run_of(store))} == {"prototype"}


def test_cross_validation_speaks_where_there_are_no_predictions(store):
    frame = store.read_table("predictions")
    frame["confidence"] = 0.5
    store.write_table("cross_validation", frame.assign(prediction="brown"))
    run = run_of(store)
    assert set(map_columns.column(run, KEY, "prediction")) == set(CLASSES)
    store.remove("predictions.parquet")
    assert set(map_columns.column(run_of(store), KEY, "prediction")) == {"brown"}


def test_probabilities_that_are_null_or_empty_have_no_confidence(store):
    frame = store.read_table("predictions")
    values = frame["probabilities"].tolist()
    values[0], values[1] = None, []
    store.write_table("predictions", frame.assign(probabilities=values))
    found = map_columns.column(run_of(store), KEY, "confidence")
    first = dict(zip(zip(frame["pair_id"], frame["sensor"], strict=True), range(len(frame)), strict=True))
    points = map_points.points(run_of(store), KEY)
    rows = [first[one] for one in zip(points["pair_id"], points["sensor"], strict=True)]
    expected = [np.nan if row < 2 else max(values[row]) for row in rows]
    np.testing.assert_array_equal(found.to_numpy(), np.array(expected, dtype=np.float32))


# -- twins and rows of pairs ------------------------------------------------------------------------------------------


def test_twins_of_two_sensors_are_each_other(store):
    maps = store.read_table("map").sample(frac=1, random_state=0)
    maps = maps[~((maps["pair_id"] == "id_0003") & (maps["sensor"] == "rgnir"))]
    store.write_table("map", maps)
    run = run_of(store)
    found, twins = map_points.points(run, KEY), map_points.twins(run, KEY)
    assert twins.dtype == np.int32
    images = list(zip(found["pair_id"], found["sensor"], strict=True))
    for row, (pair_id, sensor) in enumerate(images):
        other = pair_id, "rgnir" if sensor == "rgb" else "rgb"
        assert twins[row] == (images.index(other) if other in images else -1)
    assert (twins == -1).sum() == 1


def test_twins_of_three_sensors_go_round_past_those_that_lack(tmp_path):
    store = write_fake_run(tmp_path / "run", pairs=5)
    thermal = {**SENSORS[0], "name": "thermal", "title": "Thermal", "pattern": "{id}_t.jpg"}
    store.update_info(sensors=[*SENSORS, thermal])
    maps = store.read_table("map")
    maps = maps[maps["pair_id"].isin(["id_0000", "id_0001", "id_0002"])]
    wanted = (maps["method"] == "umap") & (maps["space"] == "embedding") & (maps["dimensions"] == 2)
    one = maps[wanted & (maps["seed"] == 0) & (maps["kind"] == "image")]
    more = one[(one["sensor"] == "rgb") & (one["pair_id"] != "id_0001")].assign(sensor="thermal")
    store.write_table(
        "map", pd.concat([one, more])[lambda t: ~((t["pair_id"] == "id_0002") & (t["sensor"] == "rgnir"))]
    )
    run = run_of(store)
    found, twins = map_points.points(run, KEY), map_points.twins(run, KEY)
    images = list(zip(found["pair_id"], found["sensor"], strict=True))
    told = {images[row]: images[twin][1] if twin >= 0 else None for row, twin in enumerate(twins)}
    assert told == {
        ("id_0000", "rgb"): "rgnir", ("id_0000", "rgnir"): "thermal", ("id_0000", "thermal"): "rgb",
        ("id_0001", "rgb"): "rgnir", ("id_0001", "rgnir"): "rgb",
        ("id_0002", "rgb"): "thermal", ("id_0002", "thermal"): "rgb",
    }  # fmt: skip
    assert all(images[row][0] == images[twin][0] for row, twin in enumerate(twins))


def test_one_sensor_alone_has_no_twins(store):
    maps = store.read_table("map")
    store.write_table("map", maps[maps["sensor"] == "rgb"])
    store.update_info(sensors=SENSORS[:1])
    assert map_points.twins(run_of(store), KEY).tolist() == [-1] * 24


def test_rows_of_pairs(store):
    run = run_of(store)
    assert map_points.rows_of(run, KEY, ["id_0003", "nobody", "id_0001", "id_0003"]).tolist() == [2, 3, 6, 7]
    assert map_points.rows_of(run, KEY, []).tolist() == []
    shuffled(store, "map")
    run = run_of(store)
    rows = map_points.rows_of(run, KEY, ["id_0003", "id_0001"])
    assert sorted(rows) == rows.tolist()
    assert sorted(map_points.points(run, KEY)["pair_id"].iloc[rows]) == ["id_0001"] * 2 + ["id_0003"] * 2
    assert len(map_points.points(run, KEY)) == 48


# -- thumbnails and pairs ---------------------------------------------------------------------------------------------


def test_thumbnails_are_looked_up_alone_and_kept(store, monkeypatch):
    frame = store.read_table("thumbnails")
    frame = frame[~((frame["pair_id"] == "id_0002") & (frame["sensor"] == "rgnir"))]
    store.write_table("thumbnails", frame)
    slow = dict(zip(zip(frame["pair_id"], frame["sensor"], strict=True), frame["jpeg"], strict=True))
    asked, read_rows = [], RunStore.read_rows

    def counted(self, name, pair_ids, columns):
        asked.append(list(pair_ids))
        return read_rows(self, name, pair_ids, columns)

    monkeypatch.setattr(RunStore, "read_rows", counted)
    run = run_of(store)
    entries = [("id_0002", "rgb"), ("id_0002", "rgnir"), ("id_0005", "rgnir"), ("nobody", "rgb"), ("id_0002", "rgb")]
    found = access.thumbnails(run, entries)
    assert found == [slow[entries[0]], None, slow[entries[2]], None, slow[entries[0]]]
    assert asked == [["id_0002", "id_0002", "id_0005", "nobody"]]
    assert access.thumbnails(run, entries[::-1]) == found[::-1]
    assert access.thumbnail(run, "id_0005", "rgb") == slow["id_0005", "rgb"]  # came with its twin
    assert access.thumbnails(run, []) == []
    assert len(asked) == 1


def test_the_thumbnails_that_were_asked_for_last_are_kept():
    from dashboard.thumbnail_cache import ThumbnailCache

    asked = []

    def read(pair_ids):
        asked.append(list(pair_ids))
        rows = [(pair_id, sensor, f"{pair_id} {sensor}".encode()) for pair_id in pair_ids for sensor in "ab"]
        return pd.DataFrame(rows, columns=["pair_id", "sensor", "jpeg"])

    cache = ThumbnailCache(read, most=4)
    assert cache.get([("1", "a"), ("2", "a")]) == [b"1 a", b"2 a"]
    assert cache.get([("1", "b"), ("1", "a")]) == [b"1 b", b"1 a"]
    assert cache.get([("3", "a")]) == [b"3 a"]
    assert asked == [["1", "2"], ["3"]]
    assert cache.get([("1", "a"), ("3", "a")]) == [b"1 a", b"3 a"]
    assert asked == [["1", "2"], ["3"]]
    many = [(str(k), "a") for k in range(10, 20)]
    assert cache.get(many) == [f"{k} a".encode() for k in range(10, 20)]  # more than are kept


def test_without_thumbnails_the_command_is_named(store):
    store.remove("thumbnails/images.parquet")
    with pytest.raises(ArtifactError, match="rice-ssl embed"):
        access.thumbnails(run_of(store), [("id_0001", "rgb")])


def test_a_table_that_a_caller_changes_is_another_one_for_the_next(store):
    run = run_of(store)
    for read in (lambda: access.table(run, "manifest"), lambda: access.pairs(run), lambda: access.labels(run)):
        before = read()
        kept = before["split"].tolist()
        before["split"] = "changed"
        before.loc[before.index[0], "label"] = "changed"
        before.drop(columns="split", inplace=True)
        assert read()["split"].tolist() == kept
        assert "changed" not in read()["label"].tolist()
