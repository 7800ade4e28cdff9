"""``rice-ssl evidence``: one file, whole or not at all, and errors that name what is wrong."""

import json
import zipfile

import pytest

from pipelines import evidence as module
from pipelines.evidence import run_evidence
from rice_ssl.errors import InputError
from tests.fake_attribution import write_attribution
from tests.fakes import write_fake_run
from tests.pipelines.tiny_run import files_of, rice_ssl


@pytest.fixture
def store(tmp_path):
    found = write_fake_run(tmp_path / "run")
    write_attribution(found)
    return found


def test_a_page_of_named_leaves(store, tmp_path):
    before, out = files_of(store.root), tmp_path / "new" / "leaves.html"
    done = run_evidence(store, out, pairs=" id_0003,id_0000, id_0003")
    assert done.pairs == ["id_0003", "id_0000"]
    text = out.read_text(encoding="utf-8")
    assert text.index("Leaf <code>id_0003") < text.index("Leaf <code>id_0000")
    assert done.bytes == out.stat().st_size
    assert done.text().splitlines()[0] == f"2 leaves in {out.as_posix()} (0.0 MB)"
    assert "Not in it: " in done.text()  # its weights are not noted
    assert files_of(store.root) == before
    assert [path.name for path in out.parent.iterdir()] == ["leaves.html"]


def test_a_zip_of_the_worst_and_of_the_most_divergent(store, tmp_path):
    assert run_evidence(store, tmp_path / "a.zip", worst=2).pairs == ["id_0003", "id_0007"]
    assert "001-id_0003-rgb-map.png" in zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert run_evidence(store, tmp_path / "b.ZIP", disagree=1).pairs == ["id_0000"]
    assert "001-id_0000-rgb-map.png" in zipfile.ZipFile(tmp_path / "b.ZIP").namelist()


def test_what_fails_leaves_the_former_file(store, tmp_path, monkeypatch):
    out = tmp_path / "leaves.html"
    run_evidence(store, out, pairs="id_0003")
    former = out.read_bytes()
    monkeypatch.setitem(module.WRITERS, ".html", lambda _: 3)  # cannot be written
    with pytest.raises(TypeError):
        run_evidence(store, out, pairs="id_0000")
    assert out.read_bytes() == former
    assert not list(tmp_path.glob(".*.part"))


def test_a_place_that_cannot_be_written_to(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run_evidence(store, tmp_path / "file" / "leaves.html", pairs="id_0003")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pairs": ", ,"}, "No leaf is named"),
        ({"pairs": "id_0003", "worst": 1}, "one of --pairs ID,ID, --worst N and --disagree N"),
        ({}, "one of --pairs ID,ID, --worst N and --disagree N"),
        ({"worst": 0}, "--worst is 0: take 1 to 200 leaves"),
        ({"disagree": 201}, "--disagree is 201: take 1 to 200 leaves"),
        ({"pairs": ",".join(map(str, range(201)))}, "201 leaves are too many"),
    ],
)
def test_wrong_options_are_told(store, tmp_path, options, told):
    with pytest.raises(InputError, match=told):
        run_evidence(store, tmp_path / "leaves.html", **options)
    assert not (tmp_path / "leaves.html").exists()


@pytest.mark.parametrize("name", ["leaves.pdf", "leaves"])
def test_other_kinds_of_files_are_refused(store, tmp_path, name):
    with pytest.raises(InputError, match=r"ends in \.html \(one page\) or \.zip"):
        run_evidence(store, tmp_path / name, pairs="id_0003")


def test_the_command(store, tmp_path):
    out = tmp_path / "leaves.zip"
    done = rice_ssl("evidence", store.root, "--pairs", "id_0003", "--out", out, "--json")
    assert json.loads(done.stdout) == {
        "file": out.as_posix(),
        "bytes": out.stat().st_size,
        "pairs": ["id_0003"],
        "missing": [f"{store.root}/run.json notes no weights: no hash is known."],
    }
    out.unlink()
    done = rice_ssl("evidence", store.root, "--pairs", "nope,id_0003,other", "--out", out, check=False)
    assert done.returncode == 2
    assert f"rice-ssl: The run {store.root} knows no pair 'nope', 'other': take ids" in done.stderr
    assert not out.exists()
