from pathlib import Path

import pytest
import yaml

import pipelines
from pipelines.ablate import baseline_of, cell_config, plan_conditions
from pipelines.comparison_plan import plan_conditions as classifiers
from pipelines.comparison_plan import pretrain_config
from pipelines.configuration import read_ablation_config, read_comparison_config, read_config, resolve_target
from rice_ssl.artifacts import RunStore
from rice_ssl.errors import InputError
from rice_ssl.run_config import config_of_run, config_to_dict, parse_config

MINIMAL = {"name": "a", "run": "runs/a", "data": {"root": "images"}}
RECIPES = sorted((Path(pipelines.__file__).parent / "recipes").glob("*.yaml"))


def test_defaults_are_filled_in():
    config = parse_config(MINIMAL, "test")
    assert (config.pretrain.prototypes, config.pretrain.temperature, config.data.image_size) == (64, 0.1, (128, 160))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sead": 1}, "sead is not a setting"),
        ({"pretrain": {"views": "both"}}, "pretrain.views is 'both'"),
        ({"pretrain": {"queue_start": 1.5}}, r"pretrain.queue_start is 1.5; give a fraction in \[0, 1\]"),
        ({"pretrain": {"local_scale": [0.5, 0.1]}}, "pretrain.local_scale is"),
        ({"pretrain": {"queue_start": "step x"}}, "pretrain.queue_start is 'step x'; give a fraction"),
        ({"pretrain": {"queue_length": 100}}, r"pretrain.queue_length is 100, .* batch_size \(32\); take 96, or 0"),
        (
            {"pretrain": {"momentum": [0.9, 0.8]}},
            "pretrain.momentum is .* does not move; take schedule one-cycle",
        ),
        ({"data": {}}, "data.root is missing"),
        ({"data": {"root": "x", "validation_fold": 5}}, "validation_fold is 5, but folds run from 0 to 4"),
        ({"finetune": {"frozen_epochs": 30}}, "frozen_epochs is 30, more than epochs"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(change, message):
    with pytest.raises(InputError, match=message):
        parse_config({**MINIMAL, **change}, "test")


def test_every_fault_is_named_at_once():
    with pytest.raises(InputError, match="(?s)seed is -1.*pretrain.epochs is 0"):
        parse_config({**MINIMAL, "seed": -1, "pretrain": {"epochs": 0}}, "test")


@pytest.mark.parametrize("text", ["[1, 2]", "just words", ""])
def test_yaml_that_holds_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="must hold a mapping"):
        read_config(path)


def test_yaml_cannot_run_code(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("name: !!python/object/apply:os.system ['touch pwned']")
    with pytest.raises(InputError, match="is not YAML"):
        read_config(path)


def test_configuration_survives_the_run_directory(tmp_path):
    config = parse_config({**MINIMAL, "pretrain": {"epsilon": 0.03, "global_scale": [0.3, 0.9]}}, "test")
    store = RunStore(tmp_path)
    store.create({"config": config_to_dict(config)})
    assert config_of_run(store) == config
    assert resolve_target(tmp_path)[1] == config


def test_a_target_that_is_neither_run_nor_yaml_is_refused(tmp_path):
    with pytest.raises(InputError, match="neither a run directory nor a YAML file"):
        resolve_target(tmp_path / "x.csv")


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_validates(path):
    assert read_config(path).name == path.stem


def test_there_are_recipes():
    wanted = {"demo", "mwalimu-128", "mwalimu-224", "small-gpu", "urban-trees", "rice-leaves-rgb", "zindi-rice"}
    assert {path.stem for path in RECIPES} == wanted


ABLATIONS = sorted((Path(pipelines.__file__).parent / "recipes" / "ablations").glob("*.yaml"))


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda p: p.stem)
def test_every_ablation_and_each_of_its_conditions_validates(path):
    config = read_ablation_config(path)
    conditions = plan_conditions(config)
    assert baseline_of(config) in {condition.title for condition in conditions}
    runs = {cell_config(config, condition, seed).run for condition in conditions for seed in config.seeds}
    assert len(runs) == len(conditions) * len(config.seeds)


def test_mwalimu_128_has_the_original_s_numbers():
    """As ../shared/seed/README.md has them."""
    path = next(path for path in RECIPES if path.stem == "mwalimu-128")
    config = read_config(path).pretrain
    assert (config.views, config.queue, config.queue_length, config.queue_start) == ("rgb-only", "original", 2048, 0.5)
    assert (config.prototypes, config.hidden, config.projection) == (3000, 2048, 128)
    assert (config.epsilon, config.temperature, config.sinkhorn_rounds) == (0.05, 0.1, 3)
    assert (config.optimizer, config.lr, config.weight_decay, config.momentum) == ("lamb", 1e-4, 1e-6, (0.95, 0.85))
    assert (config.epochs, config.batch_size, config.patience, config.keep) == (600, 32, 100, "best")
    assert (config.global_size, 2 * config.global_crops, config.local_size, 2 * config.local_crops) == (128, 2, 96, 6)


def test_the_original_s_classifiers_are_recipes_too():
    """As ../shared/seed/README.md has them; the second encoder's is self-distilled."""
    for name, distilled in (("mwalimu-128", False), ("mwalimu-224", True)):
        config = read_config(next(path for path in RECIPES if path.stem == name)).finetune
        assert (config.hidden, config.optimizer, config.lr, config.schedule) == (512, "ranger", 1e-4, "one-cycle")
        assert config.mixup > 0
        assert config.label_smoothing > 0
        assert (config.distill > 0) == distilled


COMPARISONS = sorted((Path(pipelines.__file__).parent / "recipes" / "comparisons").glob("*.yaml"))


@pytest.mark.parametrize("path", COMPARISONS, ids=lambda p: p.stem)
def test_every_comparison_and_each_of_its_classifiers_validates(path):
    config = read_comparison_config(path)
    conditions = classifiers(config)
    assert len({condition.run.run for condition in conditions}) == len(conditions)
    for condition in conditions:
        finetune = condition.run.finetune
        assert (finetune.sensors, finetune.start) == (condition.sensors, condition.start)
        assert (finetune.swav_run is not None) == (condition.start == "swav")
        assert finetune.keep == "last"  # no epoch is chosen on what is judged
    assert pretrain_config(config).data.folds == config.pretrain_folds


def test_settings_may_differ_by_start(tmp_path):
    path = tmp_path / "c.yaml"
    content = yaml.safe_load(COMPARISONS[0].read_text())
    path.write_text(yaml.safe_dump({**content, "finetune": {"random": {"lr": 0.5}}}))
    rates = {one.start: one.run.finetune.lr for one in classifiers(read_comparison_config(path))}
    assert rates == {"swav": content["settings"]["finetune"]["lr"], "random": 0.5}
