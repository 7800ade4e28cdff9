import math

import pandas as pd
import pytest

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError
from rice_ssl.training.log import MetricLog


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path / "run")
    store.create({"name": "log"})
    return store


def steps(store, stage):
    table = store.read_table("metrics")
    return table[table["stage"] == stage]["step"].tolist()


def filled(store, stage, count, resume_step=0):
    log = MetricLog(store, stage, resume_step)
    for step in range(resume_step, count):
        log.add(step, step / 2, "train", loss=float(step))
    log.event("warmup_end", 1, 0.5, "up")
    log.flush()
    return log


def test_rows_and_events_are_written_as_logged(store):
    log = MetricLog(store, "pretrain")
    log.add(3, 1.5, "val", loss=2.0, kl=0.5)
    log.event("queue_start", 3, 1.5, "now")
    log.flush()
    rows = store.read_table("metrics").to_dict("records")
    same = {"stage": "pretrain", "step": 3, "epoch": 1.5, "split": "val"}
    assert rows == [{**same, "name": "loss", "value": 2.0}, {**same, "name": "kl", "value": 0.5}]
    assert store.events() == [{"stage": "pretrain", "kind": "queue_start", "step": 3, "epoch": 1.5, "detail": "now"}]


def test_what_is_not_finite_is_left_out(store):
    log = MetricLog(store, "pretrain")
    log.add(0, 0.0, "train", loss=1.0, reference_loss=math.nan, grad_norm=math.inf)
    assert log.frame()["name"].tolist() == ["loss"]


def test_resuming_drops_this_stages_rows_from_that_step_on_and_no_others(store):
    filled(store, "finetune", 4)
    filled(store, "pretrain", 6)
    log = MetricLog(store, "pretrain", resume_step=3)
    log.add(3, 1.5, "train", loss=33.0)
    log.flush()
    assert steps(store, "pretrain") == [0, 1, 2, 3]
    assert steps(store, "finetune") == [0, 1, 2, 3]
    table = store.read_table("metrics")
    assert table[(table["stage"] == "pretrain") & (table["step"] == 3)]["value"].tolist() == [33.0]
    assert [(e["stage"], e["step"]) for e in store.events()] == [("finetune", 1), ("pretrain", 1)]


def test_beginning_anew_drops_all_of_this_stage(store):
    filled(store, "finetune", 4)
    filled(store, "pretrain", 6)
    filled(store, "pretrain", 2)
    assert steps(store, "pretrain") == [0, 1]
    assert steps(store, "finetune") == [0, 1, 2, 3]


def test_a_kill_between_the_table_and_its_hash_does_not_stop_a_resume(store):
    filled(store, "pretrain", 2)
    path = store.root / "metrics.parquet"
    frame = pd.read_parquet(path)
    pd.concat([frame, frame.assign(step=9)]).to_parquet(path, index=False)  # renamed into place, its hash not noted
    with pytest.raises(ArtifactError, match="does not match"):
        store.read_table("metrics")
    assert filled(store, "pretrain", 3, resume_step=2).frame()["step"].tolist() == [0, 1, 2]


def test_a_damaged_table_is_refused(store):
    filled(store, "pretrain", 2)
    (store.root / "metrics.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match="cannot be read as Parquet"):
        MetricLog(store, "pretrain", 1)
