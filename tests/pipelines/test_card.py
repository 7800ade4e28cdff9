"""``rice-ssl card``: two files, both or neither."""

import shutil

import pytest
import yaml

from pipelines import card as module
from pipelines.card import run_card
from rice_ssl.artifacts import RunStore
from rice_ssl.card.words import figure
from tests.card.small_run import begin
from tests.pipelines.tiny_run import files_of, rice_ssl


def test_both_files_are_written_and_noted(tmp_path):
    store = begin(tmp_path / "run", name="<script>alert('x')</script>")
    before = files_of(store.root)
    done = run_card(store)
    assert files_of(store.root) - before == {"card.md", "card.html"}
    assert done.text() == f"15 sections in {store.root}/card.md and {store.root}/card.html"
    assert {"card.md", "card.html"} <= set(store.info()["hashes"])
    for name in ("card.md", "card.html"):
        text = (store.root / name).read_text()
        assert "&lt;script&gt;alert('x')&lt;/script&gt;" in text
    assert "<script" not in (store.root / "card.html").read_text()
    assert not list(store.root.glob(".*.part"))


def test_the_configuration_at_the_end_is_the_runs(tmp_path):
    store = begin(tmp_path / "run", evaluate={"bootstrap": 123})
    run_card(store)
    text = (store.root / "card.md").read_text()
    assert yaml.safe_load(text.split("```yaml\n")[1].split("```")[0]) == store.info()["config"]


def test_the_same_run_gives_the_same_card(tmp_path):
    store = begin(tmp_path / "run")
    run_card(store)
    former = [(store.root / name).read_bytes() for name in ("card.md", "card.html")]
    run_card(store)
    assert [(store.root / name).read_bytes() for name in ("card.md", "card.html")] == former


@pytest.mark.parametrize("broken", ["to_markdown", "to_html", "write"])
def test_a_card_that_fails_leaves_the_former_one(tmp_path, monkeypatch, broken):
    store = begin(tmp_path / "run")
    run_card(store)
    former = [(store.root / name).read_bytes() for name in ("card.md", "card.html")]
    begin(tmp_path / "run", name="other")

    def fail(_):
        raise RuntimeError

    monkeypatch.setattr(
        module, "to_html" if broken == "write" else broken, (lambda _: 3) if broken == "write" else fail
    )
    with pytest.raises((RuntimeError, TypeError)):
        run_card(store)
    assert [(store.root / name).read_bytes() for name in ("card.md", "card.html")] == former
    assert not list(store.root.glob(".*.part"))


def test_the_command_on_a_trained_run(folder, first, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    done = rice_ssl("card", tmp_path / "run")
    assert done.stdout.strip() == f"15 sections in {tmp_path}/run/card.md and {tmp_path}/run/card.html"
    store = RunStore(tmp_path / "run")
    text = (store.root / "card.md").read_text()
    for part in store.read_document("report")["splits"].values():
        for one in part["sensors"].values():
            for found in one["figures"].values():
                assert figure(found) in text
    assert "The images are simulated, not photographed" in text
    for name in ("swav", "classifier"):
        assert store.info()["hashes"][f"weights/{name}.safetensors"]["sha256"] in text
