"""Logs in JSON: lines in pieces, lists of objects, a list for each metric; what is broken or too much is told."""

import json

import numpy as np
import pytest

from rice_ssl.dynamics import json_lines
from rice_ssl.dynamics.read_log import parse_log
from rice_ssl.errors import InputError


def curve(log, name="loss", split="train"):
    steps, values = log.curve(name, split)
    return steps.tolist(), values.tolist()


def lines(rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


def test_many_pieces_are_joined_in_order(monkeypatch):
    monkeypatch.setattr(json_lines, "PIECE_BYTES", 100)
    rows = [{"step": s, "loss": 5 - s / 100, **({"val_loss": 6.0 - s} if s % 50 == 49 else {})} for s in range(200)]
    log = parse_log(lines(rows))
    assert curve(log) == (list(range(200)), [5 - s / 100 for s in range(200)])
    assert curve(log, split="val") == ([49, 99, 149, 199], [-43, -93, -143, -193])


def test_text_in_some_pieces_and_numbers_in_others(monkeypatch):
    monkeypatch.setattr(json_lines, "PIECE_BYTES", 60)
    rows = [{"step": s, "loss": "oops" if s == 7 else str(s) if s == 9 else s} for s in range(20)]
    log = parse_log(lines(rows))
    assert curve(log)[0] == [s for s in range(20) if s != 7]
    assert log.notes == ("1 cell of column 'loss' left out: not a finite number (NaN, Inf or text).",)


def test_the_long_form_with_a_split():
    rows = [{"mode": mode, "iter": s, "loss": 5 - s} for s in range(3) for mode in ("train", "val")]
    log = parse_log(lines(rows))
    assert curve(log) == curve(log, split="val") == ([0, 1, 2], [5, 4, 3])


def test_a_resume():
    log = parse_log(lines([{"step": s, "loss": v} for s, v in ((1, 5), (2, 4), (3, 3), (2, 9), (3, 8))]))
    assert curve(log) == ([1, 2, 3], [5, 9, 8])
    assert log.notes[0] == "The steps go back once (to 2): taken as a resume, rows put in order."


def test_both_readers_give_the_same_table():
    rng = np.random.default_rng(0)
    rows = [
        {"step": s, "a": {"b": float(rng.normal()), "c": {"d": s}}, **({"e": "x"} if s % 3 else {"f": 10**30})}
        for s in range(50)
    ]
    piece = lines(rows)
    fast, slow = json_lines._read_piece(piece), json_lines._read_by_line(piece)
    assert (fast.rows, fast.lost) == (slow.rows, slow.lost) == (50, 0)
    assert set(fast.columns) == set(slow.columns) == {"step", "a/b", "a/c/d", "e", "f"}
    for key, column in fast.columns.items():
        assert column.tolist() == pytest.approx(slow.columns[key].tolist(), nan_ok=True) or key == "e"
    assert fast.columns["e"].tolist() == slow.columns["e"].tolist()


@pytest.mark.parametrize("shape", [lambda rows: rows, lambda rows: {"best": 1, "log_history": rows}])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_objects(shape, indent):
    rows = [{"epoch": 0.5, "step": 10, "loss": 3.0}, {"epoch": 1, "step": 20, "loss": 2.0}]
    rows += [{"step": 10, "eval_loss": 4.0}, {"step": 20, "eval_loss": 3.5}]
    log = parse_log(json.dumps(shape(rows), indent=indent).encode())
    assert curve(log) == ([10, 20], [3, 2])
    assert curve(log, split="val") == ([10, 20], [4, 3.5])


def test_a_list_for_each_metric_counts_epochs():
    log = parse_log(json.dumps({"loss": [3, 2, 1], "val_loss": [4, 3, 2]}).encode())
    assert (log.unit, curve(log, split="val")) == ("epoch", ([0, 1, 2], [4, 3, 2]))
    assert log.notes == ("Rows were counted as epochs, from 0: no list holds steps.",)
    log = parse_log(json.dumps({"step": [5, 7], "loss": [3, 2]}).encode())
    assert (log.unit, curve(log), log.notes) == ("step", ([5, 7], [3, 2]), ())


def test_utf16_and_a_mark():
    text = '{"step": 1, "loss": 2}\r\n{"step": 2, "loss": 1}\r\n'
    for encoding in ("utf-16", "utf-16-le", "utf-8-sig"):
        assert curve(parse_log(text.encode(encoding))) == ([1, 2], [2, 1])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"step": 1, "loss": 2}\n', "no log: give an object a line"),
        (b'{"step": 1, "loss": 2}\nrubbish\n', "holds 1 row: a curve needs at least two"),
        (b'[{"step": 1, "loss": 2}]', "holds 1 row: a curve needs at least two"),
        (b'{"step": 1, "loss": 2', "none of its lines is a JSON object"),
        (b"{a\n{b\n", "none of its lines is a JSON object"),
        (b'{"a": 1}\n{"a": 2}\n', "no step or epoch column; its columns are 'a'"),
        (b'{"step": 1, "x": "a"}\n{"step": 2, "x": "b"}\n', "no numeric column besides 'step'"),
        (b"[[1, 2], [3, 4]]", "no log: give an object a line"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n{}\n", "holds 1 row: a curve needs at least two"),
        (b"[{" * 100_000, "none of its lines is a JSON object"),
        (b'{"loss": [1, 2, 3], "val_loss": [1, 2]}', "of the same length for each metric"),
        (b"".join(b'{"k%d": 1}\n' % k for k in range(6000)), "6,000 different keys or more, and 5,000 are read"),
    ],
)
def test_what_cannot_be_read_gives_one_sentence(content, says):
    with pytest.raises(InputError, match=says) as caught:
        parse_log(content, "log.jsonl")
    assert "log.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)
