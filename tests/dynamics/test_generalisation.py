"""Early generalisation: floors and corrections against hand-computed values, stretches on made logs, the original's."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.generalisation import generalisation_figure
from rice_ssl.dynamics.below_stretches import Resampling, block_mean, crossing_of
from rice_ssl.dynamics.generalisation import early_generalisation
from rice_ssl.dynamics.generalisation_runs import generalisation_by_batch_size
from rice_ssl.dynamics.logs import TrainingLog, tidy_log
from rice_ssl.dynamics.loss_settings import LossSettings, settings_of_run
from rice_ssl.dynamics.paired_losses import fastai_age
from rice_ssl.dynamics.read_log import read_log
from rice_ssl.dynamics.recipe import Recipe
from rice_ssl.dynamics.recipe_settings import recipe_from_mapping
from rice_ssl.dynamics.target_entropy import mixup_floor, smoothing_floor, smoothing_surplus, target_floor
from rice_ssl.errors import InputError

SEED = Path(__file__).parents[3] / "shared" / "seed"
EARLY = SEED / "classifier_early_generalisation_epochs.csv"
original = pytest.mark.skipif(not EARLY.is_file(), reason="the original's tables lie in ../shared, which is not here")


def made_log(train: dict[float, float], val: dict[float, float], unit: str = "epoch") -> TrainingLog:
    rows = [
        (step, split, "loss", value) for split, part in (("train", train), ("val", val)) for step, value in part.items()
    ]
    return tidy_log(pd.DataFrame(rows, columns=["step", "split", "name", "value"]), source="made", unit=unit)


def epochs_log(gaps: list[float]) -> TrainingLog:
    """One row an epoch, training at 1, validation below it by the gap."""
    return made_log(dict.fromkeys(range(len(gaps)), 1.0), {k: 1.0 - gap for k, gap in enumerate(gaps)})


def cause(found, name):
    return next(entry for entry in found.causes if entry.name == name)


# Floors


def test_the_floor_of_label_smoothing_is_the_entropy_of_the_target():
    # epsilon 0.1, 3 classes: 0.9333, 0.0333, 0.0333
    expected = -(0.9 + 0.1 / 3) * math.log(0.9 + 0.1 / 3) - 2 * (0.1 / 3) * math.log(0.1 / 3)
    assert smoothing_floor(0.1, 3) == pytest.approx(expected)
    assert smoothing_floor(0.1, 3) == pytest.approx(0.29114, abs=1e-5)
    assert smoothing_floor(0.0, 3) == 0


def test_no_prediction_beats_the_floor_of_label_smoothing():
    rng = np.random.default_rng(0)
    target = np.array([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    losses = -np.log(rng.dirichlet([1, 0.1, 0.1], 50_000)) @ target
    assert smoothing_floor(0.1, 3) <= losses.min() < smoothing_floor(0.1, 3) + 0.01


def test_what_smoothing_adds_is_zero_for_a_guess_and_a_lower_bound_for_any_predictions():
    assert smoothing_surplus(np.array([math.log(3)]), 0.1, 3) == pytest.approx(0)
    # One prediction 0.8, 0.1, 0.1: 0.1 * ((-ln .8 - 2 ln .1) / 3 + ln .8)
    by_hand = 0.1 * ((-math.log(0.8) - 2 * math.log(0.1)) / 3 + math.log(0.8))
    assert smoothing_surplus(np.array([-math.log(0.8)]), 0.1, 3) == pytest.approx(by_hand)
    rng = np.random.default_rng(1)
    for sharpness in (0.3, 1.0, 5.0):
        costs = -np.log(rng.dirichlet([3 * sharpness, sharpness, sharpness], 2000))
        added = 0.1 * (costs.mean(axis=1) - costs[:, 0]).mean()
        assert added >= float(smoothing_surplus(np.array(costs[:, 0].mean()), 0.1, 3)) - 1e-12


@pytest.mark.parametrize("alpha", [0.2, 0.4, 1.0])
def test_the_floors_of_mixup_agree_with_monte_carlo(alpha):
    rng = np.random.default_rng(2)
    shares = np.array([0.56, 0.29, 0.15])
    count = 200_000
    weight = rng.beta(alpha, alpha, count)
    first, second = (np.eye(3)[rng.choice(3, count, p=shares)] for _ in range(2))
    mixed = weight[:, None] * first + (1 - weight[:, None]) * second
    for epsilon, floor in ((0.0, mixup_floor(alpha, shares)), (0.1, target_floor(0.1, alpha, shares))):
        targets = (1 - epsilon) * mixed + epsilon / 3
        logs = np.log(np.where(targets > 0, targets, 1.0))
        assert floor == pytest.approx(-(targets * logs).sum(axis=1).mean(), abs=3e-3)


def test_the_floor_of_mixup_by_hand():
    # Beta(1, 1) is uniform: a coin of uniform bias has the mean entropy 1/2; two equal classes differ half the time.
    assert mixup_floor(1.0, [0.5, 0.5]) == pytest.approx(0.25)
    assert mixup_floor(0.0, [0.5, 0.5]) == 0
    assert target_floor(0.0, 1.0, [0.5, 0.5]) == pytest.approx(0.25)
    assert target_floor(0.1, 0.0, [0.5, 0.5]) == pytest.approx(smoothing_floor(0.1, 2))
    half_and_half = -2 * (0.45 + 0.1 / 3) * math.log(0.45 + 0.1 / 3) - 0.1 / 3 * math.log(0.1 / 3)
    expected = 1 / 3 * smoothing_floor(0.1, 3) + 2 / 3 * half_and_half  # of three classes two in three differ
    for alpha in (999, 1e6):
        assert target_floor(0.1, alpha, [1 / 3] * 3) == pytest.approx(expected, abs=5e-4)
    assert target_floor(1e-9, 0.4, [0.5, 0.5]) == pytest.approx(mixup_floor(0.4, [0.5, 0.5]), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: smoothing_floor(1.0, 3), "label_smoothing is 1.0"),
        (lambda: smoothing_floor(0.1, 1), "classes is 1"),
        (lambda: mixup_floor(-1, [0.5, 0.5]), "mixup is -1"),
        (lambda: mixup_floor(1, [0.5, 0.6]), "shares"),
    ],
)
def test_settings_out_of_range_are_named(call, named):
    with pytest.raises(InputError, match=named):
        call()


# The age of the training loss


def test_a_straight_fall_is_corrected_exactly_where_training_is_logged_often():
    steps = np.arange(0, 500, 5.0)
    val_steps = [99.0, 199.0, 299.0, 399.0, 497.0]
    train = {step: 2 - 0.002 * step for step in steps}
    val = {step: 2 - 0.002 * step + 0.01 for step in val_steps}  # truly above, by 0.01
    found = early_generalisation(made_log(train, val, "step"))
    # Rows 100, 105 .. 195 before 199: mean step 147.5, 51.5 steps older, 0.103 higher, of which 0.01 is the true gap.
    assert (found.paired.train - found.paired.val)[1] == pytest.approx(0.103 - 0.01)
    assert found.where == "throughout"
    assert found.paired.corrected - found.paired.val == pytest.approx(-0.01)
    assert found.corrected_gap.value == pytest.approx(-0.01)
    assert found.corrected_share == 0
    assert found.averaged.value == pytest.approx(found.main.mean_gap.value + 0.01)
    # The last five rows before 199 are 175 .. 195, on average 14 steps older.
    assert found.paired.beside[1] == pytest.approx(2 - 0.002 * 185)
    assert "100% of it" in cause(found, "running average").sentence


def test_a_straight_fall_is_corrected_exactly_where_training_is_logged_once_an_epoch():
    # The loss is 1 - 0.1 t after t epochs; epoch k ends at k + 1 and has the mean 1 - 0.1 (k + 0.5).
    train = {k: 1 - 0.1 * (k + 0.5) for k in range(6)}
    val = {k: 1 - 0.1 * (k + 1) for k in range(6)}
    found = early_generalisation(made_log(train, val))
    assert found.main.mean_gap.value == pytest.approx(0.05)
    assert found.paired.corrected[:-1] == pytest.approx(found.paired.val[:-1])
    assert math.isnan(found.paired.corrected[-1])  # no later epoch to interpolate with
    assert found.averaged.value == pytest.approx(0.05)


def fastai_log(per_epoch: int, epochs: int = 12, slope: float = 0.1, decay: float = 0.0) -> TrainingLog:
    """What fastai logs for a loss that is the same in training and validation and a function of epochs alone."""

    def loss(time):
        return 1 - slope * time if not decay else math.exp(-decay * time)

    average, train, val = 0.0, {}, {}
    for batch in range(per_epoch * epochs):
        average = 0.98 * average + 0.02 * loss(batch / per_epoch)
        if (batch + 1) % per_epoch == 0:
            epoch = batch // per_epoch
            train[epoch] = average / (1 - 0.98 ** (batch + 1))
            val[epoch] = loss(batch / per_epoch)
    return made_log(train, val)


@pytest.mark.parametrize("per_epoch", [20, 133])
def test_fastais_average_of_a_straight_fall_is_corrected_exactly(per_epoch):
    settings = LossSettings(train_average="fastai", steps_per_epoch=per_epoch)
    found = early_generalisation(fastai_log(per_epoch), recipe=settings)
    known = np.isfinite(found.paired.corrected)
    assert found.paired.corrected[known] == pytest.approx(found.paired.val[known])
    assert known.sum() >= 9
    # The age goes to 49 batches.
    assert (found.paired.train - found.paired.val)[-1] == pytest.approx(4.9 / per_epoch, rel=0.05)


def test_fastais_age_is_the_mean_age_of_what_it_holds():
    for batches in (1, 7, 400):
        weights = 0.98 ** np.arange(batches)
        expected = np.average(np.arange(batches), weights=weights)
        assert fastai_age(np.array([float(batches)]))[0] == pytest.approx(expected)


def test_without_steps_per_epoch_fastais_average_is_taken_as_half_an_epoch_old():
    found = early_generalisation(fastai_log(20), recipe=LossSettings(train_average="fastai"))
    assert "steps_per_epoch" in found.paired.averaging


def test_a_running_mean_within_the_epoch_is_read_at_its_end():
    # Keras logs the mean of the epoch so far: over 10 batches of a fall of 0.01 each.
    train, val = {}, {}
    for epoch in range(5):
        values = [2 - 0.01 * (10 * epoch + k) for k in range(10)]
        train |= {10 * epoch + k: float(np.mean(values[: k + 1])) for k in range(10)}
        val[10 * epoch + 9] = 2 - 0.01 * (10 * epoch + 9.5)
    settings = LossSettings(train_average="epoch mean", steps_per_epoch=10)
    found = early_generalisation(made_log(train, val, "step"), recipe=settings)
    assert found.paired.train - found.paired.val == pytest.approx(0.05)
    assert found.paired.corrected[:-1] == pytest.approx(found.paired.val[:-1])


# Stretches


def test_stretches_of_a_made_log():
    gaps = [0.1, 0.3, 0.2, -0.1, 0.05, -0.2, -0.2, -0.3, -0.1, -0.2]
    found = early_generalisation(epochs_log(gaps))
    assert [(part.start, part.stop, part.rows) for part in found.stretches] == [(0, 2, 3), (4, 4, 1)]
    assert found.stretches[0].mean_gap.value == pytest.approx(0.2)
    assert found.stretches[0].largest_gap == pytest.approx(0.3)
    assert found.stretches[0].mean_gap.low is None  # three rows are too few
    assert found.share == pytest.approx(0.4)
    assert found.length == pytest.approx(4)


def test_an_early_stretch_has_a_crossing_within_its_interval():
    gaps = [0.1] * 30 + [-0.1] * 70
    found = early_generalisation(epochs_log(gaps))
    assert found.where == "early"
    assert found.crossing.step == pytest.approx(29.5)
    assert found.crossing.low <= 29.5 <= found.crossing.high
    assert found.crossing.high - found.crossing.low < 25
    assert found.main.rows == 30
    assert "early only" in found.sentence


def test_one_wild_row_moves_no_crossing():
    gaps = [0.1] * 30 + [-0.1] * 70
    gaps[60] = 50.0
    found = early_generalisation(epochs_log(gaps))
    assert found.crossing.step == pytest.approx(29.5)
    assert found.crossing.wrong_rows == 1
    assert found.crossing.last_below == 60
    assert "but for 1 row, the last at 60" in found.sentence


def test_noise_around_no_gap_is_rarely_called_early():
    early = 0
    for seed in range(100):
        gaps = np.random.default_rng(seed).normal(size=40)
        found = crossing_of(np.arange(40.0), gaps > 0, Resampling(times=200, seed=seed))
        early += found is not None and found.p_chance <= 0.05
    assert early <= 10


@pytest.mark.parametrize(
    ("gaps", "where"), [([0.1] * 12, "throughout"), ([-0.1] * 12, "nowhere"), ([0.1, -0.1] * 6, "scattered")]
)
def test_other_places(gaps, where):
    found = early_generalisation(epochs_log(gaps))
    assert found.where == where
    assert found.sentence.endswith(".")


def test_the_interval_of_a_mean_gap_covers_it():
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(200):
        found = block_mean(rng.normal(0.3, 1, 60), Resampling(times=300))
        inside += found.low <= 0.3 <= found.high
    assert inside >= 176  # 95% of 200 less what 60 rows lose and four standard deviations


# What cannot be compared


def test_a_log_of_one_split_says_so():
    found = early_generalisation(made_log({0: 1.0, 1: 0.9}, {}))
    assert found.where == "not known"
    assert "no val loss" in found.sentence
    assert found.document()["curves"]["step"] == []
    assert "no train loss" in early_generalisation(made_log({}, {0: 1.0, 1: 0.9})).sentence


def test_splits_that_do_not_meet_say_so():
    found = early_generalisation(made_log({0: 1.0, 1: 0.9}, {5: 1.0, 6: 0.9}))
    assert "they share 0 of the two rows" in found.sentence


def test_a_metric_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no metric 'entropy'; it has loss"):
        early_generalisation(epochs_log([0.1, 0.1]), metric="entropy")


# Causes


def test_what_the_recipe_leaves_out_is_asked_for():
    found = early_generalisation(epochs_log([0.1] * 8))
    for name, setting in (("dropout", "dropout"), ("MixUp", "mixup"), ("label smoothing", "label_smoothing")):
        assert cause(found, name).explains is None
        assert f"Not known: give {setting} in the recipe" in cause(found, name).sentence


def test_smoothing_in_both_losses_explains_nothing_and_in_training_alone_its_surplus():
    recipe, _ = recipe_from_mapping(
        {"label_smoothing": 0.1, "classes": 3, "val_smoothed": True, "mixup": 0, "dropout": 0.0}
    )
    found = early_generalisation(epochs_log([0.8] * 8), recipe=recipe)
    assert [cause(found, name).explains for name in ("label smoothing", "MixUp", "dropout")] == [0, 0, 0]
    alone = early_generalisation(
        epochs_log([0.8] * 8), recipe=Recipe(label_smoothing=0.1, classes=3, val_smoothed=False)
    )
    expected = float(smoothing_surplus(np.array(0.2), 0.1, 3))
    assert cause(alone, "label smoothing").explains == pytest.approx(expected)
    assert f"{smoothing_floor(0.1, 3):.3g} nats or more" in cause(alone, "label smoothing").sentence
    unknown = early_generalisation(epochs_log([0.8] * 8), recipe=Recipe(label_smoothing=0.1, classes=3))
    assert cause(unknown, "label smoothing").explains is None
    assert "give val_smoothed" in cause(unknown, "label smoothing").sentence


def test_mixup_counts_on_top_of_smoothing():
    settings = LossSettings(label_smoothing=0.1, mixup=0.4, class_shares=(0.56, 0.29, 0.15), val_smoothed=True)
    found = cause(early_generalisation(epochs_log([0.1] * 8), recipe=settings), "MixUp")
    expected = target_floor(0.1, 0.4, (0.56, 0.29, 0.15)) - smoothing_floor(0.1, 3)
    assert found.explains == pytest.approx(expected)
    assert 0 < expected < mixup_floor(0.4, (0.56, 0.29, 0.15))


def test_a_pretraining_has_other_causes():
    found = early_generalisation(epochs_log([0.1] * 8), recipe=Recipe(prototypes=3000))
    assert [entry.name for entry in found.causes] == ["running average", "SwAV's validation", "easier validation set"]


def test_settings_of_our_own_runs():
    config = {"finetune": {"dropout": 0.2, "label_smoothing": 0.05}}
    settings = settings_of_run(config, "finetune", classes=3)
    assert (settings.dropout, settings.label_smoothing, settings.mixup, settings.val_smoothed) == (0.2, 0.05, 0, True)
    assert settings_of_run(config, "pretrain").pretraining


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"mixup": -1}, "mixup is -1"),
        ({"classes": 1}, "classes is 1"),
        ({"val_smoothed": [1]}, r"val_smoothed is \[1\]"),
        ({"train_average": "mean"}, "train_average is 'mean': give one of batch, epoch mean, fastai"),
    ],
)
def test_a_recipe_refuses_settings_out_of_range(given, named):
    with pytest.raises(InputError, match=named):
        recipe_from_mapping(given)


def test_shares_must_fit_the_classes():
    with pytest.raises(InputError, match="class_shares has 2"):
        LossSettings(classes=3, class_shares=(0.5, 0.5))
    with pytest.raises(InputError, match="sum 1"):
        LossSettings(class_shares=(0.5, 0.6))


# Across runs


def run_below(rows: int, of: int = 20):
    return early_generalisation(epochs_log([0.1] * rows + [-0.1] * (of - rows)), bootstrap=50)


def test_a_dependence_on_batch_size_has_the_exact_permutation_p_value():
    table = generalisation_by_batch_size(
        [(size, run_below(rows)) for size, rows in ((16, 3), (32, 5), (64, 8), (128, 9), (256, 12))]
    )
    length = next(found for found in table.correlations if found.measure == "length")
    assert length.value == pytest.approx(1)
    assert length.p_value == pytest.approx(2 / 120)  # both perfect orders of 5! orders
    assert [row.length for row in table.rows] == [3, 5, 8, 9, 12]
    assert "for longer (Spearman 1.00 over 5 runs of 5 batch sizes" in table.sentence
    assert not any(found.measure == "gap" for found in table.correlations)  # the same in every run
    json.dumps(table.document(), allow_nan=False)


def test_the_correlation_is_spearmans_with_ties():
    from scipy.stats import spearmanr

    items = [(32, run_below(5)), (32, run_below(9)), (64, run_below(4)), (128, run_below(8)), (128, run_below(12))]
    table = generalisation_by_batch_size(items)
    expected = spearmanr([32, 32, 64, 128, 128], [5, 9, 4, 8, 12]).statistic
    assert table.correlations[0].value == pytest.approx(expected)
    assert table.rows[0].length == pytest.approx(7)
    assert table.rows[0].runs == 2


def test_too_few_runs_say_how_many_are_lacking():
    table = generalisation_by_batch_size([(32, run_below(5)), (64, run_below(6))])
    assert table.correlations == ()
    assert "2 more are needed" in table.sentence
    same = generalisation_by_batch_size([(32, run_below(5))] * 5)
    assert "1 more of another batch size is needed" in same.sentence


def test_runs_that_cannot_be_held_together_are_refused():
    with pytest.raises(InputError, match="No run"):
        generalisation_by_batch_size([])
    with pytest.raises(InputError, match="A batch size is 0"):
        generalisation_by_batch_size([(0, run_below(5))])
    steps = early_generalisation(made_log({0: 1.0, 1: 0.9}, {0: 1.1, 1: 1.0}, "step"))
    with pytest.raises(InputError, match="count the same"):
        generalisation_by_batch_size([(32, run_below(5)), (64, steps)])


def test_fastais_average_alone_makes_a_gap_that_grows_with_batch_size():
    """Nothing differs between these runs, nor their splits: the gap is the age of the average."""
    items = []
    for size, per_epoch in ((16, 266), (32, 133), (64, 66), (128, 33)):
        settings = LossSettings(train_average="fastai", steps_per_epoch=per_epoch)
        items.append((size, early_generalisation(fastai_log(per_epoch, decay=0.1), recipe=settings, bootstrap=50)))
    gaps = [found.main.mean_gap.value for _, found in items]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 3 * gaps[0] > 0
    for _, found in items:
        assert abs(found.corrected_gap.value) < 0.07 * found.main.mean_gap.value
    by_measure = {found.measure: found for found in generalisation_by_batch_size(items).correlations}
    assert by_measure["gap"].value == pytest.approx(1)


# Document and figure


def test_the_document_is_json_and_holds_no_more_rows_than_a_picture_shows():
    count = 5001
    found = early_generalisation(epochs_log([0.1, -0.1, -0.1] * (count // 3)), bootstrap=20)
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert len(document["curves"]["step"]) <= 2000
    assert document["rows"] == count
    assert len(document["stretches"]) == 50
    assert document["stretches_found"] == count // 3


def test_the_figure_shows_both_losses_the_correction_and_the_stretches():
    found = early_generalisation(epochs_log([0.1] * 8 + [-0.1] * 9))
    figure = generalisation_figure(found.document())
    names = [trace.name for trace in figure.data]
    assert names == [
        "Training, as logged",
        "Training, at the time of validation",
        "Validation",
        "Validation below training",
    ]
    assert figure.data[1].line.dash == "dash"
    assert figure.layout.yaxis.title.text == "Loss (nats)"
    assert figure.layout.xaxis.title.text == "Epochs since the start of training"
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(band.x0, band.x1) for band in bands] == [(-0.25, 7.25)]
    assert len(figure.layout.annotations) == 1


def test_the_figure_of_nothing_is_empty():
    figure = generalisation_figure(early_generalisation(made_log({0: 1.0, 1: 0.9}, {})).document())
    assert all(len(trace.x) == 0 for trace in figure.data)


# The original's tables


@original
def test_the_originals_table():
    """Below in its first 8 epochs and twice later; half an epoch of age is 0.021 of 0.074 nats."""
    log = read_log(EARLY)
    found = early_generalisation(log)
    assert [(part.start, part.stop) for part in found.stretches] == [(0, 7), (11, 11), (14, 14)]
    assert found.where == "early"
    assert found.crossing.step == 7.5
    assert found.crossing.last_below == 14
    assert found.main.mean_gap.value == pytest.approx(0.0735, abs=1e-4)
    assert found.main.largest_gap == pytest.approx(1.092954 - 0.943749)
    # By hand, epoch 0: halfway between 1.092954 and 0.955906.
    assert found.paired.corrected[0] == pytest.approx((1.092954 + 0.955906) / 2)
    assert found.averaged.value == pytest.approx((1.092954 - 0.753194) / 2 / 8)
    assert found.corrected_gap.low > 0  # the age alone does not make the gap
    notebook = LossSettings(
        label_smoothing=0.1, classes=3, val_smoothed=True, train_average="fastai", steps_per_epoch=133
    )
    assert early_generalisation(log, recipe=notebook).averaged.value == pytest.approx(0.0147, abs=2e-4)


@original
def test_the_originals_other_tables_show_none():
    for name in ("classifier_xresnet34_224px_bs128_epochs.csv", "swav_xresnet34_224px_bs32_epochs.csv"):
        assert early_generalisation(read_log(SEED / name)).where == "nowhere"
