"""The button that hands on evidence: made when asked for, bounded, and an error is in the file."""

import io
import zipfile

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import access
from dashboard.components import evidence_export
from rice_ssl.evidence.archive import error_zip, to_zip
from rice_ssl.evidence.page import error_page, to_page
from tests.dashboard.conftest import words
from tests.fake_attribution import write_attribution


def _screen(ids):
    from dashboard import access
    from dashboard.components.evidence_export import export_button

    export_button(access.current_run(), ids, key="export")


def draw(ids):
    at = AppTest.from_function(_screen, default_timeout=60, kwargs={"ids": ids}).run()
    assert not at.exception, at.exception
    return at


@pytest.fixture
def reads(monkeypatch):
    """How often evidence was put together."""
    found, original = [], access.evidence

    def counted(run, ids):
        found.append(list(ids))
        return original(run, ids)

    monkeypatch.setattr(access, "evidence", counted)
    return found


def test_one_leaf_in_two_kinds_of_files_and_nothing_is_made_yet(fake, reads):
    at = draw(["id_0003"])
    buttons = [button.proto for button in at.get("download_button")]
    assert [button.label for button in buttons] == ["One page (HTML)", "Pictures and table (ZIP)"]
    assert not any(button.disabled for button in buttons)
    assert "of this leaf, to be handed on" in words(at)
    at.run()
    assert reads == []


def test_several_leaves(fake):
    assert "of these 2 leaves, to be handed on" in words(draw(["id_0003", "id_0000", "id_0003"]))


def test_without_a_leaf_it_cannot_be_used(fake):
    at = draw([])
    (popover,) = at.get("popover")
    assert popover.proto.popover.disabled
    assert popover.proto.popover.help == "There is no leaf to export."


def test_too_many_leaves_are_refused_in_a_sentence(fake):
    at = draw([f"id_{number}" for number in range(201)])
    assert "201 leaves are too many for one export: choose at most 200." in words(at)
    assert not at.get("download_button")


def test_what_is_handed_on_is_the_librarys(fake, reads):
    write_attribution(fake)
    run = access.key_of(fake.root)
    page = evidence_export._made(run, ["id_0003"], to_page, error_page)().decode()
    assert "Leaf <code>id_0003</code>" in page
    assert "no better than random" in page
    archive = zipfile.ZipFile(io.BytesIO(evidence_export._made(run, ["id_0003"], to_zip, error_zip)()))
    assert "001-id_0003-rgnir-map.png" in archive.namelist()
    assert reads == [["id_0003"], ["id_0003"]]


def test_an_error_is_in_the_file(fake):
    (fake.root / "manifest.parquet").write_bytes(b"broken")
    at = draw(["id_0003"])  # the button itself reads nothing
    assert len(at.get("download_button")) == 2
    run = access.key_of(fake.root)
    page = evidence_export._made(run, ["id_0003"], to_page, error_page)().decode()
    assert "manifest.parquet was changed after the run wrote it" in page
    archive = zipfile.ZipFile(io.BytesIO(evidence_export._made(run, ["nope"], to_zip, error_zip)()))
    assert b"was changed after the run wrote it" in archive.read("README.txt")
