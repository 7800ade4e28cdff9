"""A tiny comparison: its exact files, its figures against the predictions, and that it resumes."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import accuracy_score, log_loss

from pipelines.comparison_plan import plan_conditions
from pipelines.configuration import read_comparison_config
from rice_ssl.artifacts import RunStore, read_comparison
from rice_ssl.errors import InputError
from tests.pipelines.tiny_run import files_of, rice_ssl, settings

CLASSES = ["blast", "brown", "healthy"]


def comparison(where, **changes):
    tiny = settings(where)
    kept = {name: tiny[name] for name in ("data", "encoder", "pretrain", "evaluate")}
    kept["data"] = {**kept["data"], "folds": 3}
    kept["pretrain"] = {**kept["pretrain"], "epochs": 1}
    kept["finetune"] = {"epochs": 1, "batch_size": 6, "frozen_epochs": 0, "hidden": 8, "keep": "last", "ema": 0.5}
    kept["cross_validation"] = {"views": 2}
    return {
        "name": "tiny",
        "out": str(where / "out"),
        "settings": kept,
        "sensors": ["rgb", "fused"],
        "label_fractions": [0.5],
        "label_sensors": "fused",
        "pretrain_folds": 4,
        "bootstrap": 100,
        **changes,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("compare")
    (where / "compare.yaml").write_text(yaml.safe_dump(comparison(where)))
    return where


@pytest.fixture(scope="module")
def told(folder):
    return json.loads(rice_ssl("compare", folder / "compare.yaml", "--json", "--no-progress").stdout)


@pytest.fixture(scope="module")
def content(folder, told):
    return read_comparison(folder / "out")


RUNS = ["rgb-swav", "fused-swav", "rgb-random", "fused-random", "fused-swav-50-percent", "fused-random-50-percent"]


def test_it_writes_exactly_these_files(folder, told):
    assert (told["done"], told["planned"], told["finished"], told["failures"]) == (6, 6, True, [])
    per_run = {"run.json", "manifest.parquet", "findings.parquet", "cross_validation.parquet", "report.json"}
    per_run |= {"card.md", "card.html"}
    swav = {"run.json", "manifest.parquet", "findings.parquet", "metrics.parquet", "events.jsonl"}
    found = {name for name in files_of(folder / "out") if "/checkpoints/" not in name and "/cache/" not in name}
    assert found == {
        "comparison.json",
        "comparison.csv",
        *(f"submissions/{name}.csv" for name in RUNS[:4]),
        *(f"runs/{name}/{file}" for name in RUNS for file in per_run),
        *(f"pretraining/{file}" for file in swav),
        "pretraining/weights/swav.safetensors",
    }


def oof(folder, name):
    table = RunStore(folder / "out" / "runs" / name).read_table("cross_validation")
    return table[table["split"] == "oof"]


def test_every_labelled_pair_is_judged_once_by_each_judge(folder, told):
    manifest = RunStore(folder / "out" / "runs" / "fused-swav").read_table("manifest")
    labelled = set(manifest.loc[manifest["split"] != "test", "pair_id"])
    for name, judges in (("fused-swav", {"rgb", "rgnir", "both"}), ("rgb-random", {"rgb", "rgnir"})):
        table = oof(folder, name)
        assert set(table["sensor"]) == judges
        for _, part in table.groupby("sensor"):
            assert sorted(part["pair_id"]) == sorted(labelled)
            folds = part.set_index("pair_id")["fold"]
            expected = manifest.groupby("pair_id")["fold"].first().reindex(folds.index)
            assert (folds == expected).all()


def test_the_figures_are_those_of_the_answers(folder, content):
    for condition in content["conditions"]:
        table = oof(folder, condition["folder"].removeprefix("runs/"))
        for judge, figures in condition["figures"].items():
            own = table[table["sensor"] == judge]
            probabilities = np.stack(own["probabilities"].to_list()).astype(float)
            probabilities /= probabilities.sum(axis=1, keepdims=True)
            assert figures["log_loss"]["value"] == pytest.approx(log_loss(own["label"], probabilities, labels=CLASSES))
            assert figures["accuracy"]["value"] == pytest.approx(accuracy_score(own["label"], own["prediction"]))
            assert figures["accuracy"]["low"] < figures["accuracy"]["high"]


def test_the_conditions_are_what_was_asked_for(content):
    names = [one["name"] for one in content["conditions"]]
    assert names == [
        "rgb, SwAV weights",
        "fused, SwAV weights",
        "rgb, random weights",
        "fused, random weights",
        "fused, SwAV weights, 50% of the labels",
        "fused, random weights, 50% of the labels",
    ]
    assert [one["judge"] for one in content["conditions"]] == ["rgb", "both", "rgb", "both", "both", "both"]
    assert [one["labelled"] for one in content["conditions"]] == [11, 11, 11, 11, 6, 6]  # of 16 in three folds


def test_differences_are_paired_and_named(folder, content):
    found = {(one["question"], one["a"], one["b"], one["name"]): one for one in content["differences"]}
    gap = found[("fusion", "fused, SwAV weights", "rgb, SwAV weights", "accuracy")]
    sides = [oof(folder, name).set_index(["sensor", "pair_id"]) for name in ("fused-swav", "rgb-swav")]
    right = [
        (side.loc[judge, "prediction"] == side.loc[judge, "label"]).sort_index()
        for side, judge in zip(sides, ("both", "rgb"), strict=True)
    ]
    assert gap["value"] == pytest.approx(right[0].mean() - right[1].mean())
    assert gap["pairs"] == 16
    assert {question for question, *_ in found} == {"sensor", "fusion", "start"}
    assert all(one["a"].endswith("SwAV weights") for one in content["differences"] if one["question"] == "start")


def test_labels_and_transfer_are_told_by_method(content):
    learnt = {(one["method"], one["start"], one["judge"], one["label_fraction"]) for one in content["label_efficiency"]}
    assert learnt == {
        *(("finetune", start, "both", share) for start in ("swav", "random") for share in (0.5, 1.0)),
        *(
            ("probe", start, judge, share)
            for start in ("swav", "random")
            for judge in ("rgb", "rgnir")
            for share in (0.5, 1.0)
        ),
    }
    across = {(one["method"], one["start"], one["trained_on"], one["tested_on"]) for one in content["transfer"]}
    every = [("rgb", "rgb"), ("rgb", "rgnir"), ("rgnir", "rgb"), ("rgnir", "rgnir")]
    assert across == {
        *((m, start, *sides) for m in ("probe", "knn") for start in ("swav", "random") for sides in every),
        *(("finetune", start, "rgb", tested) for start in ("swav", "random") for tested in ("rgb", "rgnir")),
    }


def test_each_submission_holds_the_test_pairs_and_sums_to_one(folder, told):
    asked = pd.read_csv(folder / "images" / "SampleSubmission.csv")
    written = []
    for path in told["submissions"]:
        table = pd.read_csv(path)
        assert table["Image_id"].tolist() == asked["Image_id"].tolist()
        assert np.allclose(table[CLASSES].sum(axis=1), 1)
        written.append(table[CLASSES].to_numpy())
    assert len(written) == 4
    assert not np.allclose(written[0], written[1])


def test_done_again_it_computes_nothing(folder, told, content):
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("judged.npz")}
    assert len(before) == 18  # six classifiers, three folds
    again = json.loads(rice_ssl("compare", folder / "compare.yaml", "--json", "--no-progress").stdout)
    assert (again["done"], again["table"]) == (6, told["table"])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read_comparison(folder / "out") == content


def test_settings_of_the_comparison_that_do_not_fit_are_refused_by_name(tmp_path):
    def refused(**changes):
        path = tmp_path / "compare.yaml"
        path.write_text(yaml.safe_dump(comparison(tmp_path, **changes)))
        with pytest.raises(InputError) as error:
            plan_conditions(read_comparison_config(path))
        return str(error.value)

    assert "label_sensors is 'rgnir', which is not among sensors" in refused(label_sensors="rgnir")
    assert "starts are ['swav', 'swav']; name one or more, each once" in refused(starts=["swav", "swav"])
    tiny = comparison(tmp_path)["settings"]
    assert "hold 'seed', which the comparison gives each run" in refused(settings={**tiny, "seed": 3})
    assert "finetune.lr" in refused(settings={**tiny, "finetune": {"lr": -1}})
