import os

import pytest
import torch

from rice_ssl.errors import ArtifactError
from rice_ssl.training.checkpoint import load_checkpoint, save_checkpoint


def state(step):
    return {"step": step, "weights": torch.full((3,), float(step)), "nested": {"list": [1, 2.5, "text"]}}


def test_what_was_saved_comes_back(tmp_path):
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, state(1))
    save_checkpoint(tmp_path, state(2))
    loaded = load_checkpoint(tmp_path)
    assert loaded["step"] == 2
    assert loaded["weights"].tolist() == [2, 2, 2]
    assert loaded["nested"] == {"list": [1, 2.5, "text"]}
    assert {p.name for p in tmp_path.iterdir()} == {"last.pt", "previous.pt"}


def killed_in(monkeypatch, tmp_path, name, number):
    """Save step 3 on top of 1 and 2, dying at the ``number``-th call of ``name``."""
    save_checkpoint(tmp_path, state(1))
    save_checkpoint(tmp_path, state(2))
    calls = []

    def die(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        return before(*arguments, **keywords)

    module = torch if name == "save" else os
    before = getattr(module, name)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, state(3))


def test_killed_while_writing_leaves_the_old_one(tmp_path, monkeypatch):
    killed_in(monkeypatch, tmp_path, "save", 1)
    assert load_checkpoint(tmp_path)["step"] == 2


@pytest.mark.parametrize("rename", [1, 2])
def test_killed_at_either_rename_leaves_the_old_one(tmp_path, monkeypatch, rename):
    """At the second, last.pt has become previous.pt, and the new file is not yet last.pt."""
    killed_in(monkeypatch, tmp_path, "replace", rename)
    assert (tmp_path / "last.pt").is_file() == (rename == 1)
    assert load_checkpoint(tmp_path)["step"] == 2
    save_checkpoint(tmp_path, state(4))
    assert load_checkpoint(tmp_path)["step"] == 4


def test_a_truncated_newest_gives_the_one_before(tmp_path):
    save_checkpoint(tmp_path, state(1))
    save_checkpoint(tmp_path, state(2))
    content = (tmp_path / "last.pt").read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / "last.pt").write_bytes(content[:size])
        assert load_checkpoint(tmp_path)["step"] == 1


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    save_checkpoint(tmp_path, state(1))
    (tmp_path / ".last.pt.0123abcd.part").write_bytes(b"half")
    assert load_checkpoint(tmp_path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_none_that_can_be_read_is_named(tmp_path):
    (tmp_path / "last.pt").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="No checkpoint in .* can be read. Remove the folder"):
        load_checkpoint(tmp_path)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "made"),))

    torch.save({"evil": Evil()}, tmp_path / "last.pt")
    with pytest.raises(ArtifactError, match="No checkpoint"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "made").exists()
