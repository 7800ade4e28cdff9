"""What people's loggers write is read by value; what is broken is refused in one sentence."""

import numpy as np
import pytest

from rice_ssl.dynamics.analysis import analyse
from rice_ssl.dynamics.csv_log import named_columns, parse_csv_log
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.read_log import read_log
from rice_ssl.errors import InputError


def curve(log, name="loss", split="train"):
    steps, values = log.curve(name, split)
    return steps.tolist(), values.tolist()


def test_fastai():
    log = parse_csv_log(b"epoch,train_loss,valid_loss,accuracy,time\n0,3.0,3.5,0.1,00:59\n1,2.0,2.5,0.2,00:59\n")
    assert log.unit == "epoch"
    assert log.metrics() == ["loss", "accuracy"]
    assert curve(log) == ([0, 1], [3, 2])
    assert curve(log, split="val") == ([0, 1], [3.5, 2.5])
    assert log.notes == ()


def test_keras():
    log = parse_csv_log(b"epoch,accuracy,loss,val_accuracy,val_loss\n0,.1,3,.2,4\n1,.2,2,.3,3\n")
    assert curve(log, split="val") == ([0, 1], [4, 3])
    assert curve(log, "accuracy") == ([0, 1], [0.1, 0.2])


def test_lightning_with_blanks():
    text = (
        b"epoch,step,train_loss_step,train_loss_epoch,val_loss,lr-AdamW\n0,49,2.5,,,0.1\n0,99,2.4,,,0.1\n"
        b"0,99,,2.45,2.6,\n1,149,2.2,,,0.01\n1,199,,2.1,2.3,\n"
    )
    log = parse_csv_log(text)
    assert log.unit == "step"
    assert curve(log) == ([49, 99, 149], [2.5, 2.4, 2.2])
    assert curve(log, "loss_epoch") == ([99, 199], [2.45, 2.1])
    assert curve(log, split="val") == ([99, 199], [2.6, 2.3])
    assert curve(log, "lr") == ([49, 99, 149], [0.1, 0.1, 0.01])
    assert log.notes == ()


def test_long_form_with_extra_columns():
    log = parse_csv_log(
        b"split,step,loss,lo,hi\ntrain,86,7.1,7,7.2\ntrain,150,7.0,7,7\nvalid,86,7.3,7,8\nvalid,151,7.2,7,8\n"
    )
    assert curve(log) == ([86, 150], [7.1, 7.0])
    assert curve(log, split="val") == ([86, 151], [7.3, 7.2])


@pytest.mark.parametrize(
    "content",
    [
        "step;train_loss\n1;2,5\n2;2,25\n".encode("utf-8-sig"),
        b"step\ttrain_loss\n1\t2.5\n2\t2.25\n",
        "step,train_loss\n1,2.5\n2,2.25\n".encode("utf-16"),
        "step,train_loss\n1,2.5\n2,2.25\n".encode("utf-16-le"),
        "step,train_loss\n1,2.5\n2,2.25\n".encode("utf-16-be"),
        b"Step, Train Loss\r\n1, 2.5\r\n2, 2.25\r\n",
    ],
)
def test_separators_and_encodings(content):
    assert curve(parse_csv_log(content)) == ([1, 2], [2.5, 2.25])


def test_bad_rows_are_counted_and_left_out():
    log = parse_csv_log(b"step,loss\n1,5\n2,nan\n3,inf\n4,oops\n5,4\nx,3\n6,3,9,9\n7,2\n")
    assert curve(log) == ([1, 5, 7], [5, 4, 2])
    assert log.notes == (
        "1 row left out: more cells than the header has columns.",
        "1 row left out: the column 'step' holds no number there.",
        "3 cells of column 'loss' left out: not a finite number (NaN, Inf or text).",
    )


def test_names_that_come_twice_and_cells_beyond_the_header():
    log = parse_csv_log(b"step,loss,loss ,loss\n1,5,6,7\n2,4,5,6\n")
    assert log.metrics() == ["loss", "loss_1", "loss_2"]
    assert [curve(log, name)[1] for name in log.metrics()] == [[5, 4], [7, 6], [6, 5]]
    log = parse_csv_log(b"step,loss\n1,5,\n2,4,\n")
    assert (curve(log), log.notes) == (([1, 2], [5, 4]), ())
    log = parse_csv_log(b"step,loss\n1,5,9\n2,4,9\n")
    assert (curve(log), len(log.notes)) == (([1, 2], [5, 4]), 1)
    assert log.notes[0] == "Every row has more cells than the header has columns: the last ones were left out."


def test_a_resume_puts_rows_in_order_and_is_an_event():
    log = parse_csv_log(b"step,loss\n10,5\n20,4\n30,3\n20,4.5\n30,3.5\n40,3\n")
    assert curve(log) == ([10, 20, 30, 40], [5, 4.5, 3.5, 3])
    assert log.notes == (
        "The steps go back once (to 20): taken as a resume, rows put in order.",
        "2 values left out: a later row has the same step.",
    )
    assert [(event.kind, event.step) for event in log.events] == [("resume", 20)]


def test_every_restart_is_counted():
    rows = "".join(f"{step},{5 - step}\n" for step in (1, 2, 3, 2, 3, 2, 3, 4))
    log = parse_csv_log(f"step,loss\n{rows}".encode())
    assert log.notes[0] == "The steps go back 2 times (to 2): taken as a resume, rows put in order."
    assert [event.step for event in log.events] == [2]
    both = parse_csv_log(b"step,loss,val_loss\n10,5,\n19,4,4\n20,4,\n11,4,\n19,,3\n20,3,3\n")
    assert both.notes[0] == "The steps go back once (to 11): taken as a resume, rows put in order."
    assert [event.step for event in both.events] == [11]


def batches(epochs=40, per_epoch=10, drop_at=200):
    """Epoch, batch and loss of each row, where the loss drops at a global step."""
    noise = np.random.default_rng(0).normal(0, 0.01, epochs * per_epoch)
    for step in range(epochs * per_epoch):
        yield *divmod(step, per_epoch), 4 - 0.002 * step - (step >= drop_at) + noise[step]


@pytest.mark.parametrize("name", ["batch", "step", "iter", "Batch"])
def test_a_counter_that_starts_again_with_each_epoch_numbers_rows_by_their_order(name):
    rows = list(batches())
    text = f"epoch,{name},loss\n" + "\n".join(f"{epoch},{batch},{loss}" for epoch, batch, loss in rows)
    log = parse_csv_log(text.encode())
    assert log.unit == "step"
    assert curve(log) == (list(range(400)), [loss for *_, loss in rows])
    assert log.notes == (
        f"Column '{name}' starts again with each 'epoch': rows were numbered from 0 in their order, "
        "which counts steps only where every batch was logged.",
    )
    assert log.events == ()
    found = analyse(log, events=[Event("queue_start", 200)])
    assert (found.verdict.word, [drop.drop.step for drop in found.drops]) == ("schedule artefact", [200])


def test_validation_rows_without_a_batch_stand_at_the_end_of_their_epoch():
    log = parse_csv_log(b"epoch,batch,loss,val_loss\n0,0,5,\n0,1,4,\n0,,,6\n1,0,3,\n1,1,2,\n1,,,5\n")
    assert curve(log) == ([0, 1, 2, 3], [5, 4, 3, 2])
    assert curve(log, split="val") == ([1, 3], [6, 5])


def test_a_long_log_of_batches_gives_every_metric_the_same_number():
    rows = [f"{split},{e},{b},{5 - e - b}" for split in ("train", "val") for e in range(3) for b in range(2)]
    log = parse_csv_log(("split,epoch,batch,loss\n" + "\n".join(rows)).encode())
    assert curve(log)[0] == curve(log, split="val")[0] == list(range(6))


def test_a_resume_in_a_log_of_batches_is_still_a_resume():
    rows = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (1, 1), (2, 0), (2, 1)]
    text = "epoch,batch,loss\n" + "\n".join(f"{e},{b},{k}" for k, (e, b) in enumerate(rows))
    log = parse_csv_log(text.encode())
    assert curve(log) == ([0, 1, 2, 3, 4, 5], [0, 1, 2, 5, 6, 7])
    assert [event.step for event in log.events] == [3]


def test_batches_without_an_epoch_column_are_numbered_where_they_start_again_often():
    text = "batch,loss\n" + "\n".join(f"{batch},{loss}" for _, batch, loss in batches(epochs=5))
    log = parse_csv_log(text.encode())
    assert curve(log)[0] == list(range(50))
    assert "starts again at 0 4 times: rows were numbered" in log.notes[0]


def test_a_counter_that_runs_on_is_preferred_and_left_alone():
    text = "epoch,step,global_step,loss\n" + "\n".join(f"{e},{b},{10 * e + b},1" for e in range(3) for b in range(10))
    log = parse_csv_log(text.encode())
    assert (curve(log)[0], log.notes) == (list(range(30)), ())
    text = "epoch,step,loss\n" + "\n".join(f"{e},{10 * e + b},1" for e in range(3) for b in range(10))
    assert parse_csv_log(text.encode()).notes == ()


def test_a_loss_column_without_two_numbers_is_told():
    log = parse_csv_log(b"step,train_loss,valid_loss,comment\n1,5,,a\n2,4,x,b\n3,3,6,c\n")
    assert log.splits("loss") == ["train"]
    assert log.notes == ("Column 'valid_loss' left out: it holds 1 usable number, and a curve needs two.",)
    log = parse_csv_log(b"step,a,b\n1,5,\n2,4,\n3,3,\n", loss_columns=named_columns("a", "b"))
    assert log.notes == ("Column 'b' left out: it holds 0 usable numbers, and a curve needs two.",)


def test_columns_named_by_hand():
    content = b"t,a,b\n1,5,6\n2,4,5\n"
    log = parse_csv_log(content, step_column="t", loss_columns={"a": "train", "b": "val"})
    assert curve(log) == ([1, 2], [5, 4])
    assert curve(log, split="val") == ([1, 2], [6, 5])
    with pytest.raises(InputError, match="no column 'z'; its columns are 't', 'a', 'b'"):
        parse_csv_log(content, step_column="z")
    assert named_columns("a", "") == {"a": "train"}
    with pytest.raises(InputError, match="'a' is named for training and for validation: name one for each"):
        named_columns("a", "a")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        (b"step,loss\n", "holds 0 rows"),
        (b"step,loss\n1,2\n", "holds 1 row "),
        (b"step,loss\n1,2\n1,3\n", "fewer than two different numbers"),
        (b"step,name\n1,a\n2,b\n", "no numeric column besides 'step'"),
        (b"a,b\n1,2\n2,3\n", "no step or epoch column; its columns are 'a', 'b'"),
        (b"hello world\nthis is text\n", "one column only"),
        (bytes(range(256)) * 20, "not text in UTF-8 or UTF-16"),
        (b"PK\x03\x04" + b"\x00\x08" * 500, "not text"),
        (b"\xff\xfe\x00", "not text"),
        (b'step,loss\n1,"2\n2,3\n', "read as CSV|holds"),
        (b"step,loss\n1,nan\n2,inf\n", "no numeric column"),
    ],
)
def test_what_cannot_be_read_gives_one_sentence(content, says):
    with pytest.raises(InputError, match=says) as caught:
        parse_csv_log(content, source="log.csv")
    assert str(caught.value).startswith("log.csv") or "of log.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_large_and_missing(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"step,loss\n" + b"1,2\n" * 1000)
    with pytest.raises(InputError, match="is 0 MB, more than the 0 MB"):
        read_log(path, max_bytes=1000)
    with pytest.raises(InputError, match="cannot be read"):
        read_log(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder without TensorBoard event files"):
        read_log(tmp_path)


def test_a_long_log_opens_in_seconds():
    rows = np.column_stack([np.arange(200_000), np.linspace(5, 1, 200_000)])
    text = "step,loss\n" + "\n".join(f"{int(step)},{loss:.5f}" for step, loss in rows)
    steps, values = parse_csv_log(text.encode()).curve("loss", "train")
    assert (len(steps), values[-1]) == (200_000, 1)
