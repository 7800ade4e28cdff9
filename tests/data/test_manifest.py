from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from rice_ssl.artifacts import RunStore
from rice_ssl.data.manifest import DATASET_FILE, is_safe_id, read_manifest, write_manifest
from rice_ssl.data.zindi import import_zindi
from rice_ssl.errors import ArtifactError, InputError
from tests.data.fake_images import write_zindi


@pytest.mark.parametrize("pair_id", ["id_004wknd7qd", "a", "A.b-c_9", "_x", "x" * 128])
def test_plain_ids_are_safe(pair_id):
    assert is_safe_id(pair_id)


@pytest.mark.parametrize(
    "pair_id",
    [
        "",
        ".",
        "..",
        ".hidden",
        "a..b",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a\0b",
        "a b",
        "a\n",
        "é",
        "x" * 129,
    ],
)
def test_ids_that_could_leave_the_folder_are_not(pair_id):
    assert not is_safe_id(pair_id)


def test_what_is_written_is_read(tmp_path):
    manifest = import_zindi(write_zindi(tmp_path / "d"), progress=False)
    write_manifest(manifest, tmp_path / "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [DATASET_FILE, "findings.parquet", "manifest.parquet"]
    again = read_manifest(tmp_path / "m")
    for read, written in ((again.table, manifest.table), (again.findings, manifest.findings)):
        pd.testing.assert_frame_equal(read.astype(object).fillna("null"), written.astype(object).fillna("null"))
    assert (again.root, again.sensors, again.classes) == (manifest.root, manifest.sensors, manifest.classes)
    assert (again.source, again.simulated) == ("zindi", False)


def test_the_root_stays_relative(tmp_path, monkeypatch):
    write_zindi(tmp_path / "d")
    monkeypatch.chdir(tmp_path)
    write_manifest(import_zindi(Path("d"), progress=False), Path("m"))
    assert read_manifest(Path("m")).root == Path("d")


def _rewrite(folder: Path, **changes: object) -> None:
    path = folder / DATASET_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_damage_is_told_with_a_remedy(tmp_path):
    write_manifest(import_zindi(write_zindi(tmp_path / "d"), progress=False), tmp_path / "m")
    with pytest.raises(ArtifactError, match="nowhere is no manifest folder .* Make one with `rice-ssl import`"):
        read_manifest(tmp_path / "nowhere")
    good = (tmp_path / "m" / DATASET_FILE).read_text()
    for content in ("", "[]", "{}", "nonsense", good.replace('"rgb"', '"NOT A NAME"')):
        (tmp_path / "m" / DATASET_FILE).write_text(content)
        with pytest.raises(ArtifactError, match="no manifest folder"):
            read_manifest(tmp_path / "m")
    (tmp_path / "m" / DATASET_FILE).write_text(good)
    _rewrite(tmp_path / "m", schema_version=99)
    with pytest.raises(ArtifactError, match="has schema version 99, this version reads 1"):
        read_manifest(tmp_path / "m")


def test_half_of_another_import_is_noticed(tmp_path):
    first = import_zindi(write_zindi(tmp_path / "d"), progress=False)
    second = import_zindi(write_zindi(tmp_path / "e", train=9), progress=False)
    write_manifest(first, tmp_path / "m")
    write_manifest(second, tmp_path / "n")
    (tmp_path / "m" / "manifest.parquet").write_bytes((tmp_path / "n" / "manifest.parquet").read_bytes())
    with pytest.raises(ArtifactError, match="was changed after the import wrote it"):
        read_manifest(tmp_path / "m")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("path", "../../etc/passwd", "out of its root"),
        ("path", "/etc/passwd", "out of its root"),
        ("sensor", "rgb", "two images"),
    ],
)
def test_a_manifest_made_to_do_harm_is_refused(tmp_path, column, value, message):
    manifest = import_zindi(write_zindi(tmp_path / "d"), progress=False)
    manifest.table.loc[1, column] = value
    write_manifest(manifest, tmp_path / "m")
    with pytest.raises(ArtifactError, match=message):
        read_manifest(tmp_path / "m")


def test_a_run_is_not_overwritten(tmp_path):
    manifest = import_zindi(write_zindi(tmp_path / "d"), progress=False)
    RunStore(tmp_path / "run").create({"name": "run"})
    with pytest.raises(InputError, match="is a run directory: name another folder"):
        write_manifest(manifest, tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="No manifest can be written"):
        write_manifest(manifest, tmp_path / "file")
