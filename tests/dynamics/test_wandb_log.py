"""What Weights & Biases exports: the history and charts as CSV, and the history as JSON lines."""

import pytest

from rice_ssl.dynamics.read_log import parse_log
from rice_ssl.errors import InputError


def curve(log, name="loss", split="train"):
    steps, values = log.curve(name, split)
    return steps.tolist(), values.tolist()


def test_history_as_csv():
    log = parse_log(
        b"_step,_runtime,_timestamp,train/loss,val/loss,epoch\n0,1.5,1700000000,3.0,,0\n1,2.5,1700000001,2.0,2.5,0\n"
        b"2,3.5,1700000002,1.0,2.25,1\n"
    )
    assert (log.unit, log.metrics(), log.notes) == ("step", ["loss"], ())
    assert curve(log) == ([0, 1, 2], [3, 2, 1])
    assert curve(log, split="val") == ([1, 2], [2.5, 2.25])


CHART = (
    b'"Step","bold - sun-1 - train/loss","bold - sun-1 - train/loss__MIN","bold - sun-1 - train/loss__MAX",'
    b'"calm-2 - train/loss","calm-2 - train/loss__MIN","calm-2 - train/loss__MAX",'
    b'"bold - sun-1 - val/loss","bold - sun-1 - val/loss__MIN","bold - sun-1 - val/loss__MAX"\n'
    b'"0","3.0","2.9","3.1","7","7","7","4","4","4"\n"1","2.0","1.9","2.1","6","6","6","","",""\n'
    b'"2","1.0","0.9","1.1","5","5","5","3","3","3"\n'
)


def test_a_chart_gives_one_run_without_its_bounds():
    log = parse_log(CHART)
    assert (log.unit, log.metrics()) == ("step", ["loss"])
    assert curve(log) == ([0, 1, 2], [3, 2, 1])
    assert curve(log, split="val") == ([0, 2], [4, 3])
    assert log.notes == (
        "The chart holds 2 runs: 'bold - sun-1' was read, and not 'calm-2'. "
        "Name a column of another, such as 'calm-2 - train/loss', to read that.",
    )


def test_another_run_of_a_chart_is_read_by_naming_a_column():
    log = parse_log(CHART, loss_columns={"calm-2 - train/loss": "train"})
    assert curve(log) == ([0, 1, 2], [7, 6, 5])
    assert log.splits("loss") == ["train"]
    bound = parse_log(CHART, loss_columns={"bold - sun-1 - train/loss__MAX": "train"})
    assert curve(bound) == ([0, 1, 2], [3.1, 2.1, 1.1])
    short = parse_log(CHART, loss_columns={"val/loss": "train"})
    assert curve(short) == ([0, 2], [4, 3])


def test_a_chart_over_epochs_and_one_without_bounds():
    log = parse_log(b'"epoch","r - loss","r - loss__MIN","r - loss__MAX"\n1,3,3,3\n2,2,2,2\n')
    assert (log.unit, curve(log), log.notes) == ("epoch", ([1, 2], [3, 2]), ())
    log = parse_log(b'"Step","r - train/loss","r - val/loss"\n1,3,4\n2,2,3\n')
    assert (curve(log), curve(log, split="val")) == (([1, 2], [3, 2]), ([1, 2], [4, 3]))


def test_a_table_with_a_dash_in_a_name_is_no_chart():
    log = parse_log(b"step,loss,top - 5\n1,3,4\n2,2,3\n")
    assert log.metrics() == ["loss", "top_5"]


HISTORY = b"""{"_step": 0, "_runtime": 1.5, "_timestamp": 1700000000.5, "train": {"loss": 3.0, "acc": 0.1}}
{"_step": 1, "train": {"loss": "NaN", "acc": 0.2}, "val/loss": 4}
{"_step": 2, "train": {"loss": NaN}, "val/loss": "Infinity", "note": "2024-01-01", "hist": {"bins": [1, 2]}}
{"_step": 3, "train": {"loss": 1.0, "acc": 0.4}, "val/loss": null, "done": true}
{"_step": 4, "train": {"loss": 0.5}, "val/loss": 2}
"""
NOTES = (
    "2 cells of column 'train/loss' left out: not a finite number (NaN, Inf or text).",
    "1 cell of column 'val/loss' left out: not a finite number (NaN, Inf or text).",
)


@pytest.mark.parametrize("by_line", [False, True])
def test_history_as_json_lines(by_line):
    content = HISTORY + (b'{"_step": 5, "train": {"lo' if by_line else b"")  # what pyarrow refuses goes line by line
    log = parse_log(content)
    assert (log.unit, log.metrics()) == ("step", ["loss", "acc"])
    assert curve(log) == ([0, 3, 4], [3, 1, 0.5])
    assert curve(log, split="val") == ([1, 4], [4, 2])
    assert curve(log, "acc") == ([0, 1, 3], [0.1, 0.2, 0.4])
    assert log.notes == (*(["1 line left out: no whole JSON object."] if by_line else []), *NOTES)


def test_keys_are_named_by_hand():
    log = parse_log(b'{"t": 1, "a": {"b": 5}, "c": 2}\n{"t": 2, "a": {"b": 4}}\n{"t": 3, "c": 1}\n', step_column="t",
                    loss_columns={"a/b": "train", "c": "val"})  # fmt: skip
    assert curve(log) == ([1, 2], [5, 4])
    assert curve(log, split="val") == ([1, 3], [2, 1])
    with pytest.raises(InputError, match=r"has no column 'z'; its columns are '_step', '_runtime'"):
        parse_log(HISTORY, loss_columns={"z": "train"})
