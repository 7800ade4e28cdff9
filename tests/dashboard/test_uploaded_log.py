"""Logs of every kind that are dropped onto the Training screen: read there, or refused in one sentence."""

import io
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dashboard.components.uploaded_log import UPLOAD_MB
from rice_ssl.dynamics.verdict import SENTENCES
from tests.dashboard.conftest import words
from tests.dynamics.event_files import event, scalar, write_events

LOSSES = 4 - 0.5 * (np.arange(200) >= 100) + np.random.default_rng(0).normal(0, 0.01, 200)


@pytest.fixture
def upload(fake, show):
    """Drop a file onto the screen, with columns named where given."""

    def act(content, name, **columns):
        at = show("training", log="upload")
        at.file_uploader[0].upload(name, content, "application/octet-stream").run()
        for key, value in columns.items():
            at.text_input(key=f"training_{key}").set_value(value)
        at.run()
        assert not at.exception
        return at

    return act


@pytest.mark.parametrize(
    ("name", "line"),
    [("history.jsonl", '{{"_step": {}, "train/loss": {}}}'), ("log.ndjson", '{{"_step": {}, "train/loss": {}}}')],
)
def test_json_lines(upload, name, line):
    at = upload("\n".join(line.format(step, loss) for step, loss in enumerate(LOSSES)).encode(), name)
    assert SENTENCES["undecided"] in words(at)
    assert "at step 100" in words(at)


def test_an_event_file_and_a_tag_named_by_hand(upload, tmp_path):
    path = write_events(tmp_path, [event(s, scalar("x/cost", v)) for s, v in enumerate(LOSSES.tolist())])
    at = upload(path.read_bytes(), path.name, train_column="x/cost")
    assert f"`{path.name}`" in words(at)
    assert "at step 100" in words(at)
    at.text_input(key="training_train_column").set_value("y").run()
    assert not at.exception
    assert "has no tag 'y'; its tags are 'x/cost'." in words(at)


def test_an_event_file_that_was_cut_says_so(upload, tmp_path):
    content = write_events(tmp_path, [event(s, scalar("loss", v)) for s, v in enumerate(LOSSES.tolist())]).read_bytes()
    at = upload(content[: len(content) * 3 // 4], "events.out.tfevents.1")
    assert "events.out.tfevents.1 is cut off or damaged after" in words(at)
    at = upload(content[:40], "events.out.tfevents.2")
    assert "events.out.tfevents.2 is cut off or damaged before its first scalar" in words(at)


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("log.csv", "step,loss\n1,2\n")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b" ", "is empty"),
        (b"step,loss\n1,2\n", "holds 1 row below its header"),
        (b"step,name\n1,a\n2,b\n", "has no numeric column besides"),
        (b"step|loss\n1|2\n", "seems to be separated by"),
        (b"step loss\n1 2\n", "seems to be separated by spaces"),
        (zipped(), "is a zip archive, not a log"),
        (bytes(range(256)), "is not text in UTF-8 or UTF-16"),
        (b"{step\n{loss\n", "is no JSON log"),
        (b"the quick brown fox jumps over the lazy dog\n" * 800_000, "has one column only"),
    ],
)
def test_what_is_no_log_is_told(upload, content, says):
    assert says in words(upload(content, "log.bin"))


def test_the_server_takes_what_the_screen_offers():
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    assert config["server"]["maxUploadSize"] == UPLOAD_MB == 100
