import importlib
import sys
from types import SimpleNamespace

import pytest

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import InputError
from rice_ssl.training.log import MetricLog
from rice_ssl.training.loggers import open_loggers


def test_no_logger_is_opened_unasked(tmp_path):
    assert open_loggers((), RunStore(tmp_path), {}, 0) == []


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_one_that_is_not_installed_is_named_with_its_remedy(tmp_path, monkeypatch, name):
    def lacking(module):
        raise ImportError(module)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(InputError, match=f"pretrain.loggers names '{name}'.*pip install {name}"):
        open_loggers((name,), RunStore(tmp_path), {}, 0)


def test_tensorboard_reads_back_what_the_run_logged(tmp_path):
    """Steps that a resumed training does again replace those of the killed one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    store = RunStore(tmp_path)
    store.create({"name": "tiny"})
    for resume_step, values in ((0, [4.0, 3.0, 2.0]), (2, [1.5, 1.0])):
        log = MetricLog(store, "pretrain", resume_step, loggers=open_loggers(("tensorboard",), store, {}, resume_step))
        for step, value in enumerate(values, start=resume_step):
            log.add(step, step / 10, "train", loss=value, reference_loss=float("nan"))
        log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Tags()["scalars"] == ["train/loss"]
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(0, 4), (1, 3), (2, 1.5), (3, 1)]


def test_wandb_gets_every_value_under_one_id(tmp_path, monkeypatch):
    """Against a stand-in for the package: its own needs an account."""
    told = []

    def init(**settings):
        told.append(settings)
        return SimpleNamespace(log=lambda values, step: told.append((step, values)), finish=lambda: told.append("end"))

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    for _ in range(2):
        (logger,) = open_loggers(("wandb",), RunStore(tmp_path), {"lr": 0.1}, 0)
        logger.log(7, {"train/loss": 1.0})
        logger.close()
    assert told[1:3] == [(7, {"train/loss": 1.0}), "end"]
    assert told[0] == told[3]
    assert {key: told[0][key] for key in ("project", "resume", "config")} == {
        "project": "rice_ssl",
        "resume": "allow",
        "config": {"lr": 0.1},
    }
