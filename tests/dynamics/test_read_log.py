"""Any log is recognised by what it holds; what is none is refused in one sentence, quickly, here and as a command."""

import gzip
import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipelines import main as command
from rice_ssl.dynamics import log_size
from rice_ssl.dynamics.read_log import LARGE, parse_log, read_log
from rice_ssl.errors import InputError
from tests.dynamics.event_files import event, scalar, write_events

CSV = b"step,loss\n1,3\n2,2\n"


def curve(log, name="loss", split="train"):
    steps, values = log.curve(name, split)
    return steps.tolist(), values.tolist()


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("log.csv", content)
    return file.getvalue()


def test_the_name_does_not_matter(tmp_path):
    events = write_events(tmp_path, [event(1, scalar("loss", 3)), event(2, scalar("loss", 2))]).read_bytes()
    kinds = {"csv": CSV, "jsonl": b'{"step": 1, "loss": 3}\n{"step": 2, "loss": 2}\n', "events": events}
    for kind, content in kinds.items():
        path = tmp_path / f"{kind}.dat"
        path.write_bytes(content)
        assert curve(read_log(path)) == curve(parse_log(content)) == ([1, 2], [3, 2])


def test_fastai_keras_and_lightning():
    fastai = parse_log(b"epoch,train_loss,valid_loss,accuracy,time\n0,3.0,3.5,0.1,00:59\n1,2.0,2.5,0.2,00:59\n")
    assert (fastai.unit, curve(fastai, split="val")) == ("epoch", ([0, 1], [3.5, 2.5]))
    keras = parse_log(b"epoch,accuracy,loss,val_accuracy,val_loss\n0,.1,3,.2,4\n1,.2,2,.3,3\n")
    assert (keras.unit, curve(keras, split="val")) == ("epoch", ([0, 1], [4, 3]))
    lightning = parse_log(b"epoch,step,train_loss,val_loss\n0,49,2.5,\n0,99,,2.6\n1,149,2.2,\n1,199,,2.3\n")
    assert (lightning.unit, curve(lightning, split="val")) == ("step", ([99, 199], [2.6, 2.3]))


def test_names_by_hand_hold_for_every_form(tmp_path):
    named = {"a": "train", "b": "val"}
    rows = [(s, 5.0 - s, 6.0 - s) for s in range(3)]
    path = write_events(tmp_path, [event(s, scalar("a", a), scalar("b", b)) for s, a, b in rows])
    for content in (
        "\n".join(["step,a,b", *(f"{s},{a},{b}" for s, a, b in rows)]).encode(),
        "\n".join(json.dumps({"step": s, "a": a, "b": b}) for s, a, b in rows).encode(),
        path.read_bytes(),
    ):
        log = parse_log(content, loss_columns=named)
        assert (curve(log), curve(log, split="val")) == (([0, 1, 2], [5, 4, 3]), ([0, 1, 2], [6, 5, 4]))


MALFORMED = [
    ("empty", b"", "is empty"),
    ("blank", b" \n\n", "is empty"),
    ("header", b"step,loss\n", "holds 0 rows below its header: a curve needs at least two"),
    ("one row", b"step,loss\n1,2\n", "holds 1 row below its header: a curve needs at least two"),
    ("no numbers", b"step,name\n1,a\n2,b\n", "has no numeric column besides 'step'"),
    ("no step", b"a,b\n1,2\n2,3\n", "has no step or epoch column; its columns are 'a', 'b'"),
    ("binary", bytes(range(256)) * 20, "is not text in UTF-8 or UTF-16"),
    ("random", np.random.default_rng(0).bytes(5000), "is not text in UTF-8 or UTF-16"),
    ("half of UTF-16", "step,loss\n1,2\n2,3\n".encode("utf-16")[:-1], "is not text in UTF-8 or UTF-16"),
    ("spaces", b"step loss\n1 2\n2 3\n", "one column only ('step loss') and seems to be separated by spaces: separate"),
    ("pipes", b"step|loss\n1|2\n2|3\n", "one column only ('step|loss') and seems to be separated by '|': separate"),
    ("zip", zipped(CSV), "is a zip archive, not a log: unpack it, and give the log that is in it"),
    ("gzip", gzip.compress(CSV), "is a gzip archive, not a log: unpack it"),
    ("parquet", b"PAR1" + bytes(50), "is a Parquet table, not a log: export the log as CSV"),
    ("wandb", b":W&B" + bytes(50), "is Weights & Biases' own record, not a log: export the run's history as CSV"),
    ("png", b"\x89PNG\r\n\x1a\n" + bytes(50), "is a picture, not a log: give the numbers that it shows, as CSV"),
    ("console", b"[INFO] epoch 1 loss 2\n[INFO] epoch 2 loss 1\n", "has one column only"),
    ("event file", b"\x18\0\0\0\0\0\0\0", "is cut off or damaged before its first scalar"),
]


@pytest.mark.parametrize(("name", "content", "says"), MALFORMED, ids=[name for name, *_ in MALFORMED])
def test_what_is_no_log_gives_one_sentence(name, content, says, tmp_path, monkeypatch, capsys):
    path = tmp_path / ("events.out.tfevents.1" if name == "event file" else "log.csv")
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        parse_log(content, path.name)
    assert says in str(caught.value)
    assert path.name in str(caught.value)
    assert run_command(monkeypatch, capsys, path) == (2, f"rice-ssl: {caught.value}\n")


def run_command(monkeypatch, capsys, path, *options):
    """Exit code and stderr of ``rice-ssl dynamics``; a sentence is one line."""
    monkeypatch.setattr(sys, "argv", ["rice-ssl", "dynamics", str(path), *options])
    with pytest.raises(SystemExit) as ended:
        command.main()
    told = capsys.readouterr().err
    assert told.count("\n") <= 1
    return ended.value.code, told


def test_utf16_is_read():
    assert curve(parse_log("step,loss\n1,3\n2,2\n".encode("utf-16"))) == ([1, 2], [3, 2])


def test_what_is_not_there_or_no_file_or_not_allowed(tmp_path, monkeypatch, capsys):
    code, told = run_command(monkeypatch, capsys, tmp_path / "none.csv")
    assert (code, "none.csv cannot be read (No such file or directory)" in told) == (2, True)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv is not a file"):
        read_log(tmp_path / "pipe.csv")
    path = tmp_path / "log.csv"
    path.write_bytes(CSV)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    code, told = run_command(monkeypatch, capsys, path)
    assert code == 2
    assert (
        told == f"rice-ssl: Log {path} cannot be read (Permission denied). Give the path of a log that you may read.\n"
    )


def test_a_folder_of_event_files_is_a_log_and_one_without_is_told(tmp_path, monkeypatch, capsys):
    write_events(tmp_path / "logs" / "train", [event(s, scalar("loss", 30.0 - s)) for s in range(30)])
    code, told = run_command(monkeypatch, capsys, tmp_path / "logs", "--json")
    assert (code, told) == (0, "")
    (tmp_path / "none").mkdir()
    code, told = run_command(monkeypatch, capsys, tmp_path / "none")
    assert (code, told) == (2, f"rice-ssl: {tmp_path}/none holds no run.json. Make a run with `rice-ssl run CONFIG`.\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"the quick brown fox jumps over the lazy dog\n", "has one column only"),
        (b"INFO, the loss is two\n", "is text without numbers in its first 4 MB, so it is no log"),
        (b"a" * 1000, "has one column only"),
        (b'{"said": "the quick brown fox"}\n', "is text without numbers in its first 4 MB, so it is no log"),
        (b"{step\n", "none of its lines is a JSON object"),
        (b"," * 100 + b"\n", "holds 101 columns in|is text without numbers"),
    ],
)
def test_200_megabytes_of_text_are_refused_quickly(line, says, tmp_path):
    path = tmp_path / "log.csv"
    with path.open("wb") as file:
        file.write(line * (4_200_000 // len(line)))
        file.truncate(200_000_000)  # the rest is never looked at
    begun = time.process_time()  # of this process: others may be at work
    with pytest.raises(InputError, match=says):
        read_log(path)
    assert time.process_time() - begun < 20  # all of it takes minutes


def test_more_than_is_read_at_all(tmp_path):
    path = tmp_path / "log.csv"
    with path.open("wb") as file:
        file.truncate(log_size.MAX_BYTES + 2**20)
    with pytest.raises(InputError, match="is 1,025 MB, more than the 1,024 MB that are read. Give a log with fewer"):
        read_log(path)
    with pytest.raises(InputError, match="is 0 MB, more than the 0 MB"):
        parse_log(CSV, max_bytes=10)
    wide = ",".join(str(number) for number in range(20_000)) + "\n" + "1\n" * 20_000
    with pytest.raises(InputError, match="holds 20,000 columns in 20,002 rows, 400,040,000 cells, more than"):
        parse_log(wide.encode())


def test_a_large_log_whose_losses_begin_late_is_read(tmp_path):
    """The look at its head refuses no log: a named key may not be there yet."""
    early = b'{"_step":%d,"train/loss":%d.5,"padding":"' + b"x" * 300 + b'"}\n'
    content = b"".join(early % (step, step) for step in range(LARGE // 330))
    content += b"".join(b'{"_step":%d,"late":%d}\n' % (10**6 + step, step) for step in range(3))
    log = parse_log(content, loss_columns={"late": "val"})
    assert len(content) > LARGE
    assert curve(log, split="val") == ([1_000_000, 1_000_001, 1_000_002], [0, 1, 2])


def test_a_row_of_text_in_a_large_csv_is_told():
    rows = [f"{step},{step}.25" for step in range(300_000)]
    rows[200_000] = "200000,oops"
    rows[200_001] = "200001,nan"
    log = parse_log(("step,loss\n" + "\n".join(rows)).encode())
    assert len(curve(log)[0]) == 299_998
    assert log.notes == ("2 cells of column 'loss' left out: not a finite number (NaN, Inf or text).",)
