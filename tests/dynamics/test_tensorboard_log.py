"""TensorBoard event files: read as the tensorboard package reads them, and what is cut or damaged is told."""

import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary

from rice_ssl.dynamics.csv_log import named_columns
from rice_ssl.dynamics.read_log import parse_log, read_log
from rice_ssl.dynamics.tensorboard_folder import holds_event_files
from rice_ssl.dynamics.tensorboard_records import find_records, is_event_file
from rice_ssl.dynamics.tensorboard_scalars import read_scalars
from rice_ssl.dynamics.tensorboard_tags import Meaning, meaning_of, run_of
from rice_ssl.errors import InputError
from tests.dynamics.event_files import event, scalar, tensor, write_events


def curve(log, name="loss", split="train"):
    steps, values = log.curve(name, split)
    return steps.tolist(), values.tolist()


def mixed_events():
    """Scalars of both forms, several in one event, steps of one to three bytes, histograms between them."""
    noise = np.random.default_rng(0).normal(size=3000).astype(np.float32)
    for step in range(0, 30_000, 10):
        value = float(noise[step // 10])
        yield event(step, scalar("train/loss", value))
        if step % 100 == 0:
            yield event(step, scalar("val/loss", value + 1), scalar("accuracy", 0.5))
            yield event(step, tensor("lr", 0.1), time=1.6e9)
        if step % 1000 == 0:
            yield event(step, Summary.Value(tag="weights", histo=HistogramProto(min=0, max=1, bucket=[1, 2, 3])))
            yield event(
                step, Summary.Value(tag="double", tensor=tensor("x", value).tensor), scalar("nan", float("nan"))
            )
    yield event(-5, scalar("train/loss", 1.25))
    yield event(2**40, scalar("train/loss", 1.5))


def test_scalars_are_those_of_tensorboards_own_reader(tmp_path):
    path = write_events(tmp_path, mixed_events())
    content = path.read_bytes()
    assert is_event_file(content)
    records = find_records(content)
    ours = [content[a : a + n] for a, n in zip(records.starts.tolist(), records.lengths.tolist(), strict=True)]
    assert ours == list(RawEventFileLoader(str(path)).Load())
    found = read_scalars(content)
    theirs = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0}, purge_orphaned_data=False)
    theirs.Reload()
    assert set(found.tags) == {"train/loss", "val/loss", "accuracy", "lr", "double", "nan"}
    for tag in ("train/loss", "val/loss", "accuracy", "nan"):
        expected = theirs.Scalars(tag)
        assert found.tags[tag].steps.tolist() == [row.step for row in expected]
        np.testing.assert_array_equal(found.tags[tag].values, np.array([row.value for row in expected], np.float32))
    assert found.tags["lr"].steps.tolist() == [row.step for row in theirs.Tensors("lr")] == list(range(0, 30_000, 100))
    assert set(found.tags["lr"].values.tolist()) == {float(np.float32(0.1))}
    assert (found.whole, found.damaged, found.first_time > 1.7e9) == (True, 0, True)


def test_neither_torch_nor_tensorflow_is_loaded(tmp_path):
    path = write_events(tmp_path, [event(step, scalar("loss", 1.0), tensor("b", 2.0)) for step in range(9)])
    code = (
        "import sys, pathlib; from rice_ssl.dynamics.read_log import read_log; "
        "assert not [m for m in sys.modules if m.startswith('tensorboard')]; "
        "assert len(read_log(pathlib.Path(sys.argv[1])).table) == 18; "
        "sys.exit(bool({'torch', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


@pytest.mark.parametrize(
    ("tag", "folder", "meaning"),
    [
        ("train/loss", ".", ("loss", "train", "step")),
        ("loss/val", ".", ("loss", "val", "step")),
        ("Loss/train", ".", ("loss", "train", "step")),
        ("val_loss", ".", ("loss", "val", "step")),
        ("loss", ".", ("loss", "train", "step")),
        ("train_loss_step", "version_0", ("loss", "train", "step")),
        ("eval/loss", "runs/a", ("loss", "val", "step")),
        ("epoch_loss", "train", ("loss", "train", "epoch")),
        ("epoch_loss", "logs/validation", ("loss", "val", "epoch")),
        ("epoch_accuracy", "validation", ("accuracy", "val", "epoch")),
        ("batch_loss", "train", ("loss", "train", "step")),
        ("evaluation_loss_vs_iterations", "validation", ("loss", "val", "step")),
        ("Loss", "Loss_val", ("loss", "val", "step")),
        ("lr-AdamW", ".", ("lr", "train", "step")),
    ],
)
def test_what_a_tag_says(tag, folder, meaning):
    assert meaning_of(tag, folder) == Meaning(*meaning)


def test_which_run_a_folder_is_of():
    found = [run_of(folder) for folder in (".", "train", "a/validation", "a/b", "Loss_val", "train_2", "pretrain")]
    assert found == [".", ".", "a", "a/b", "loss", "2", "pretrain"]


def test_one_file(tmp_path):
    events = [event(s, scalar("train/loss", 5 - s / 100), scalar("epoch", s // 10)) for s in range(100)]
    events += [event(s, scalar("val/loss", 6 - s / 100)) for s in range(9, 100, 10)]
    events += [event(0, scalar("hp_metric", -1))]
    log = read_log(write_events(tmp_path, events))
    assert (log.unit, log.metrics(), log.notes) == ("step", ["loss"], ())
    assert curve(log)[0] == list(range(100))
    assert curve(log)[1] == pytest.approx([5 - s / 100 for s in range(100)], abs=1e-6)
    assert curve(log, split="val")[0] == list(range(9, 100, 10))


def test_values_that_are_no_numbers_are_counted(tmp_path):
    values = [3, float("nan"), 2, float("inf"), 1]
    log = read_log(write_events(tmp_path, [event(s, scalar("loss", v)) for s, v in enumerate(values)]))
    assert curve(log) == ([0, 2, 4], [3, 2, 1])
    assert log.notes == ("2 values of tag 'loss' left out: not a finite number (NaN or Inf).",)


def test_a_folder_as_keras_writes_it(tmp_path):
    for folder, shift in (("train", 0), ("validation", 1)):
        events = [event(s, tensor("epoch_loss", 4 - s + shift), tensor("epoch_lr", 0.5)) for s in range(4)]
        if shift:
            events += [event(s, tensor("evaluation_loss_vs_iterations", 9)) for s in (100, 200)]
        write_events(tmp_path / folder, events)
    assert holds_event_files(tmp_path)
    log = read_log(tmp_path)
    assert (log.unit, log.metrics()) == ("epoch", ["loss", "lr"])
    assert curve(log) == ([0, 1, 2, 3], [4, 3, 2, 1])
    assert curve(log, split="val") == ([0, 1, 2, 3], [5, 4, 3, 2])
    assert log.notes == (
        "Left out, as they count steps: 'validation/evaluation_loss_vs_iterations'. Name them to read them.",
    )
    named = read_log(tmp_path, loss_columns=named_columns(None, "evaluation_loss_vs_iterations"))
    assert (named.unit, curve(named, split="val")) == ("step", ([100, 200], [9, 9]))
    with pytest.raises(InputError, match="has no tag 'epoch_loss'; its tags are 'train/epoch_loss'"):
        read_log(tmp_path, loss_columns={"epoch_loss": "train"})
    both = {"train/epoch_loss": "train", "evaluation_loss_vs_iterations": "val"}
    with pytest.raises(InputError, match="one counts epochs, one steps: name two alike"):
        read_log(tmp_path, loss_columns=both)


def test_of_several_runs_one_is_read_and_the_others_are_told(tmp_path):
    for run, start in (("b", 5), ("a", 3)):
        write_events(tmp_path / run, [event(s, scalar("train/loss", start - s)) for s in range(3)])
    log = read_log(tmp_path)
    assert curve(log)[1] == [3, 2, 1]
    assert log.notes == (
        "The folder holds 2 runs: 'a' was read, and not 'b'. Give the folder of another to read that.",
    )
    assert curve(read_log(tmp_path, loss_columns={"b/train/loss": "train"}))[1] == [5, 4, 3]
    assert read_log(tmp_path / "b").notes == ()


def test_a_resume_in_a_second_file_puts_rows_in_order(tmp_path):
    late = [event(s, scalar("loss", 10 - s), time=1.8e9) for s in (20, 30, 40)]
    early = [event(s, scalar("loss", s), time=1.7e9) for s in (10, 20, 30)]
    write_events(tmp_path, early, suffix=".z").rename(tmp_path / "z.tfevents.1")
    write_events(tmp_path, late, suffix=".a").rename(tmp_path / "a.tfevents.2")
    for path, time in ((tmp_path / "z.tfevents.1", 1.7e9), (tmp_path / "a.tfevents.2", 1.8e9)):
        set_first_time(path, time)  # the writer notes when the test ran
    log = read_log(tmp_path)
    assert curve(log) == ([10, 20, 30, 40], [10, -10, -20, -30])
    assert log.notes == (
        "The steps go back once (to 20): taken as a resume, rows put in order.",
        "2 values left out: a later row has the same step.",
    )
    assert [(e.kind, e.step) for e in log.events] == [("resume", 20)]


def set_first_time(path, time):
    """Write an event file anew, with its first record at a time."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    records = list(RawEventFileLoader(str(path)).Load())
    first = Event.FromString(records[0])
    first.wall_time = time
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for record in (first.SerializeToString(), *records[1:]):
            writer.write(record)


def test_what_a_later_session_replaces_is_left_out(tmp_path):
    start = Event(wall_time=1.8e9, step=20, session_log=SessionLog(status=SessionLog.START))
    events = [event(s, scalar("loss", s)) for s in (10, 19, 25, 31)]
    log = read_log(write_events(tmp_path, [*events, start, *(event(s, scalar("loss", -s)) for s in (20, 30))]))
    assert curve(log) == ([10, 19, 20, 30], [10, 19, -20, -30])
    assert log.notes == ("2 values left out: the training was taken up again at step 20.",)
    assert [(e.kind, e.step) for e in log.events] == [("resume", 20)]


def test_what_pytorch_writes_on_resume(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for purge, steps in ((None, range(6)), (4, range(4, 8))):
        with SummaryWriter(str(tmp_path), purge_step=purge, filename_suffix=f".{purge}") as writer:
            for step in steps:
                writer.add_scalar("Loss/train", step + (100 if purge else 0), step)
                writer.add_scalars("Loss/both", {"val": 7.0}, step)
    log = read_log(tmp_path)
    assert curve(log) == ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 104, 105, 106, 107])
    assert log.notes[0] == "2 values left out: the training was taken up again at step 4."
    assert [e.step for e in log.events] == [4]


def test_a_file_cut_in_the_middle_is_read_as_far_as_it_is_whole(tmp_path):
    path = write_events(tmp_path, [event(s, scalar("loss", 50 - s)) for s in range(50)])
    content = path.read_bytes()
    for cut in (len(content) // 2, len(content) - 1, len(content) // 2 + 7):
        log = parse_log(content[:cut], path.name)
        steps, values = curve(log)
        assert 20 <= len(steps) < 50
        assert values == [50 - s for s in steps]
        assert log.notes == (
            f"{path.name} is cut off or damaged after {len(steps) + 1} whole records: what follows was left out.",
        )


def test_a_hole_ends_the_reading_and_a_wrong_letter_costs_one_record(tmp_path):
    path = write_events(tmp_path, [event(s, scalar("loss", 50 - s)) for s in range(50)])
    content = path.read_bytes()
    hole = parse_log(content[:800] + content[830:], path.name)
    assert "is cut off or damaged after" in hole.notes[0]
    place = find_records(content).starts[10]
    wrong = bytearray(content)
    wrong[place + 12] ^= 1
    log = parse_log(bytes(wrong), path.name)
    assert curve(log)[0] == [s for s in range(50) if s != 9]
    assert log.notes == (f"1 damaged record of {path.name} left out.",)


@pytest.mark.parametrize("cut", [1, 11, 20, 45, 60])
def test_a_file_cut_before_its_first_scalar_gives_one_sentence(tmp_path, cut):
    content = write_events(tmp_path, [event(s, scalar("loss", s)) for s in range(5)]).read_bytes()
    with pytest.raises(InputError) as caught:
        parse_log(content[:cut], "events.out.tfevents.1")
    assert str(caught.value) == (
        "events.out.tfevents.1 is cut off or damaged before its first scalar, so nothing of it can be read: "
        "copy it again."
    )


def test_files_without_scalars_and_folders_without_files(tmp_path):
    empty = write_events(tmp_path / "empty", [])
    with pytest.raises(InputError, match="holds no scalars: give the event file to which the loss is logged"):
        read_log(empty)
    single = write_events(tmp_path / "single", [event(1, scalar("loss", 1))])
    with pytest.raises(InputError, match="no tag with two finite numbers, and a curve needs two: its tags are 'loss'"):
        read_log(single)
    (tmp_path / "none").mkdir()
    assert not holds_event_files(tmp_path / "none")
    with pytest.raises(InputError, match="is a folder without TensorBoard event files: give the path of a log"):
        read_log(tmp_path / "none")
    (tmp_path / "none" / "metrics.csv").write_text("step,loss\n")
    with pytest.raises(InputError, match=r"give a log in it, such as .*metrics\.csv"):
        read_log(tmp_path / "none")
    with pytest.raises(InputError, match="with its 2 event files is 0 MB, more than the 0 MB"):
        read_log(tmp_path, max_bytes=100)


def test_tags_named_by_hand(tmp_path):
    path = write_events(tmp_path, [event(s, scalar("a", s), scalar("b/c", -s)) for s in range(4)])
    log = read_log(path, loss_columns={"b/c": "train", "a": "val"}, step_column="step")
    assert (curve(log)[1], curve(log, split="val")[1]) == ([0, -1, -2, -3], [0, 1, 2, 3])
    with pytest.raises(InputError, match="has no tag 'z'; its tags are 'a', 'b/c'"):
        read_log(path, loss_columns={"z": "train"})
    with pytest.raises(InputError, match="counts steps itself: leave out the step column 'when'"):
        read_log(path, step_column="when")


def test_a_long_event_file_opens_in_seconds(tmp_path):
    path = write_events(tmp_path, [event(s, scalar("loss", s)) for s in range(20_000)])
    steps, values = read_log(path).curve("loss", "train")
    assert (len(steps), values[-1]) == (20_000, 19_999)
