"""Recipe arithmetic, entropy floors, chance, and the words of the verdict."""

import numpy as np
import pandas as pd
import pytest

from rice_ssl.dynamics.analysis import analyse, learning_rate_events
from rice_ssl.dynamics.attribution import attribute, chance_of_event, with_joint_intervals
from rice_ssl.dynamics.change_points import Drop
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import tidy_log
from rice_ssl.dynamics.recipe import entropy_floor
from rice_ssl.dynamics.recipe_settings import recipe_from_mapping
from rice_ssl.dynamics.run_log import floors_of_config
from rice_ssl.errors import InputError

ORIGINAL = {
    "queue_start_pct": 0.5,
    "epochs": 600,
    "steps_per_epoch": 83,
    "batch_size": 32,
    "queue_length": 2048,
    "prototypes": 3000,
}


def log_with_drop(at=100, size=0.5, samples=200, lr=None, **curves):
    rng = np.random.default_rng(0)
    index = np.arange(samples)
    columns = {"loss": 4 - 0.002 * index - size * (index >= at) + rng.normal(0, 0.01, samples), **curves}
    if lr is not None:
        columns["lr"] = lr
    rows = [
        pd.DataFrame({"step": index, "split": "train", "name": name, "value": values})
        for name, values in columns.items()
    ]
    return tidy_log(pd.concat(rows), source="log", unit="step")


def test_the_original_recipe_puts_the_queue_start_at_24900():
    recipe, notes = recipe_from_mapping(ORIGINAL)
    assert notes == ()
    assert [(event.kind, event.step) for event in recipe.schedule("step")] == [("queue_start", 24_900)]
    assert [(event.kind, event.step) for event in recipe.schedule("epoch")] == [("queue_start", 300)]
    assert recipe.entropy_floors() == pytest.approx((4.5406, 0.3663), abs=1e-4)


def test_other_ways_to_say_a_recipe():
    recipe, _ = recipe_from_mapping(
        {"pretrain": {"queue_start": 0.25, "epochs": 20, "batch_size": 32, "queue_length": 256}}
    )
    assert (recipe.queue_start, recipe.queue_start_pct, recipe.queue_length) == (0.25, None, 256)
    assert recipe.schedule("step") == ()
    assert [(event.kind, event.step) for event in recipe.schedule("epoch")] == [("warmup_end", 1), ("queue_start", 5)]
    recipe, notes = recipe_from_mapping({"queue_start": 5000, "steps_per_epoch": 100, "frozen_epochs": 2, "lr": 1})
    assert [(event.kind, event.step) for event in recipe.schedule("step")] == [
        ("encoder_unfrozen", 200),
        ("queue_start", 5000),
    ]
    assert recipe.schedule("epoch")[1].step == 50
    assert notes == ("The recipe: not used: lr.",)
    assert recipe_from_mapping({"queue_start_pct": 1.0, "epochs": 5})[0].schedule("epoch") == ()
    recipe, _ = recipe_from_mapping(
        {"steps_per_epoch": 10, "events": [{"kind": "lr_phase", "epoch": 3, "detail": "x"}]}
    )
    assert recipe.schedule("step") == (Event("lr_phase", 30, "x"),)


def queue_starts(content, unit):
    recipe, _ = recipe_from_mapping(content)
    return [event.step for event in recipe.schedule(unit) if event.kind == "queue_start"]


def test_a_run_s_yaml_counts_as_our_trainer_does_and_the_original_s_recipe_as_the_original():
    ours = {"pretrain": {"epochs": 5, "queue_start": 0.5, "queue_length": 64}}
    assert queue_starts(ours, "epoch") == [2.5]
    for per_epoch, step in ((1, 3), (7, 18), (10, 25), (83, 208)):  # ceil(0.5 * 5 * per_epoch)
        assert queue_starts({**ours, "steps_per_epoch": per_epoch}, "step") == [step]
        assert queue_starts({**ours, "steps_per_epoch": per_epoch}, "epoch") == [
            pytest.approx(step / per_epoch, abs=1e-3)
        ]
    assert queue_starts({"epochs": 5, "queue_start_pct": 0.5}, "epoch") == [2]  # floor(0.5 * 5)
    assert queue_starts({"epochs": 5, "queue_start_pct": 0.5, "steps_per_epoch": 7}, "step") == [14]
    late = {"pretrain": {"epochs": 5, "queue_start": 0.1, "queue_length": 288}, "steps_per_epoch": 7}
    assert queue_starts(late, "step") == [9]  # the queue is not full before
    assert queue_starts({**late, "steps_per_epoch": 1}, "step") == []  # nor within the training
    for never in ({"queue_start": 1.0}, {"queue_length": 0}, {"queue_start": 1}):
        assert queue_starts({"pretrain": {"epochs": 5, **never}, "steps_per_epoch": 9}, "step") == []
    for moment, step in (("step 1", 1), ("step 40", 40), ("epoch 2", 14)):
        assert queue_starts(
            {"pretrain": {"queue_start": moment, "queue_length": 32}, "steps_per_epoch": 7}, "step"
        ) == [step]
    assert queue_starts({"pretrain": {}}, "epoch") == [10]  # the trainer's defaults: half of 20 epochs


def test_what_cannot_be_placed_is_told():
    recipe, _ = recipe_from_mapping({"queue_start_pct": 0.5, "warmup_pct": 0.1, "frozen_epochs": 2})
    assert recipe.unplaced("step") == (
        "Not placed in this log of steps: queue start, warm-up end, encoder unfrozen. "
        "Give epochs and steps_per_epoch too.",
    )
    assert recipe.unplaced("epoch") == ("Not placed in this log of epochs: queue start, warm-up end. Give epochs too.",)
    recipe, _ = recipe_from_mapping({"epochs": 10, "events": [{"kind": "lr_phase", "step": 30}]})
    assert recipe.unplaced("step") == ()
    assert recipe.unplaced("epoch") == (
        "Not placed in this log of epochs: learning-rate phase. Give steps_per_epoch too.",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "must hold settings"),
        ({"lr": 1}, "none of the settings"),
        ({"epochs": "many"}, "epochs is 'many'"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"queue_start_pct": 2}, "queue_start_pct is 2: give a fraction"),
        ({"steps_per_epoch": 0}, "steps_per_epoch is 0"),
        ({"events": [{"kind": "x"}]}, "epoch of the event 'x' is nan"),
        ({"events": "x"}, "must be a list"),
    ],
)
def test_a_recipe_out_of_range_is_refused(content, says):
    with pytest.raises(InputError, match=says):
        recipe_from_mapping(content)


def test_entropy_floor():
    assert entropy_floor(3000, 32) == pytest.approx(4.54, abs=0.005)
    assert entropy_floor(3000, 2080) == pytest.approx(0.37, abs=0.005)
    assert entropy_floor(64, 288) == 0
    assert floors_of_config({"pretrain": {"prototypes": 64, "batch_size": 32, "queue_length": 256}}) == pytest.approx(
        (np.log(2), 0)
    )
    assert floors_of_config({"pretrain": {"prototypes": "many"}}) is None


@pytest.mark.parametrize(("places", "width"), [([500], 20), ([500, 510], 20), ([5, 500, 995], 30), ([100, 900], 400)])
def test_chance_agrees_with_random_intervals(places, width):
    starts = np.random.default_rng(0).uniform(0, 1000 - width, 200_000)
    hit = np.any([(starts <= place) & (place <= starts + width) for place in places], axis=0)
    assert chance_of_event(places, width, 0, 1000) == pytest.approx(hit.mean(), abs=0.005)


def test_learning_rate_steps_and_other_changes_are_events():
    recipe, notes = recipe_from_mapping({"steps_per_epoch": 100, "lr_steps": [30, 60, 80]})
    assert notes == ()
    assert [(event.kind, event.step) for event in recipe.schedule("step")] == [
        ("lr_phase", 3000),
        ("lr_phase", 6000),
        ("lr_phase", 8000),
    ]
    assert [event.step for event in recipe_from_mapping({"lr_steps": 30})[0].schedule("epoch")] == [30]
    assert recipe_from_mapping({"lr_steps": [30]})[0].unplaced("step") == (
        "Not placed in this log of steps: learning-rate phase. Give steps_per_epoch too.",
    )
    kinds = ["crop_change", "batch_change", "augmentation_change", "resume", "encoder_unfrozen"]
    by_hand = {"steps_per_epoch": 10, "events": [{"kind": kind, "epoch": k} for k, kind in enumerate(kinds)]}
    placed = recipe_from_mapping(by_hand)[0].schedule("step")
    assert [(event.kind, event.step) for event in placed] == [(kind, 10 * k) for k, kind in enumerate(kinds)]
    assert [event.title for event in placed[:3]] == ["crops changed", "batch size changed", "augmentation changed"]
    for wrong in ([-1], ["x"], [None], True):
        with pytest.raises(InputError, match="an epoch of lr_steps is"):
            recipe_from_mapping({"lr_steps": wrong})


def drop_at(step, low, high):
    return Drop(step, low, high, size=1.0, size_in_noise=10.0, share=0.5, p_null=0.0025)


def test_two_splits_share_an_interval():
    events = [Event("queue_start", 570)]
    train = attribute("train", drop_at(572, 560, 600), events, np.arange(1141.0))
    val = attribute("val", drop_at(588, 569, 626), events, np.arange(0, 1141, 19.0))
    first, second = with_joint_intervals([train, val], events, (0, 1140))
    assert first.joint == second.joint
    assert (first.joint.step_low, first.joint.step_high, first.joint.tolerance) == (569, 600, 1)
    assert first.joint.events == tuple(events)
    assert first.joint.p_chance == pytest.approx(33 / (1140 - 33))
    assert first.document()["joint"]["step_low"] == 569
    elsewhere = attribute("val", drop_at(760, 741, 779), events, np.arange(0, 1141, 19.0))
    for entry in with_joint_intervals([train, elsewhere], events, (0, 1140)):
        assert entry.joint is None
        assert entry.document()["joint"] is None
    alone = with_joint_intervals([train, attribute("train", drop_at(580, 575, 590), [], np.arange(99.0))], [], (0, 99))
    assert [entry.joint for entry in alone] == [None, None]  # two drops of one curve are two


def test_chance_agrees_with_a_slow_loop_at_the_ends_and_where_events_crowd():
    rng = np.random.default_rng(1)
    for _ in range(40):
        places = sorted(rng.uniform(0, 300, rng.integers(1, 12)))
        width = float(rng.uniform(0, 120))
        starts = np.arange(0, 300 - width, 0.01)
        hit = sum(
            any(start <= place <= start + width for place in places) for start in starts[:: len(starts) // 3000 + 1]
        )
        assert chance_of_event(places, width, 0, 300) == pytest.approx(
            hit / len(starts[:: len(starts) // 3000 + 1]), abs=0.01
        )


def test_chance_by_hand():
    assert chance_of_event([50], 10, 0, 110) == pytest.approx(0.1)
    assert chance_of_event([50], 200, 0, 100) == 1
    assert chance_of_event([500], 200, 0, 100) == 0


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("queue_start", "schedule artefact"),
        ("prototypes_unfrozen", "schedule artefact"),
        ("warmup_end", "learning-rate effect"),
        ("lr_phase", "learning-rate effect"),
        ("resume", "data or resume effect"),
    ],
)
def test_the_verdict_names_the_kind_of_the_event(kind, word):
    found = analyse(log_with_drop(), events=[Event(kind, 100)]).document()
    assert found["verdict"] == word
    (drop,) = found["drops"]
    assert (drop["split"], drop["step"]) == ("train", 100)
    assert drop["step_low"] <= 99 < drop["step_high"]
    assert drop["size"] == pytest.approx(0.5, abs=0.02)
    assert [event["step"] for event in drop["events"]] == [100]
    assert 0 < drop["p_chance"] < 0.1


def test_undecided_without_events_with_others_and_with_rivals():
    without = analyse(log_with_drop())
    assert without.verdict.word == "undecided"
    assert "give the recipe" in without.verdict.missing[0]
    assert without.drops[0].p_chance is None
    elsewhere = analyse(log_with_drop(), events=[Event("queue_start", 40)])
    assert elsewhere.verdict.word == "undecided"
    assert elsewhere.drops[0].events == ()
    rivals = analyse(log_with_drop(), events=[Event("queue_start", 100), Event("lr_phase", 100)])
    assert rivals.verdict.word == "undecided"
    assert "repeat the run with one of them moved" in rivals.verdict.missing[0]
    crowded = analyse(log_with_drop(), events=[Event("queue_start", step) for step in range(0, 200, 10)])
    assert crowded.verdict.word == "undecided"
    assert "by chance" in crowded.verdict.missing[0]


def test_no_drop_and_too_short():
    assert analyse(log_with_drop(size=0)).verdict.word == "no drop"
    short = analyse(log_with_drop(samples=10, at=5), events=[Event("queue_start", 5)])
    assert short.verdict.word == "too short"
    assert short.verdict.sentence == "The log is too short to be searched for drops."
    assert short.notes == ("Train loss was not searched: it has 10 values, and the search needs 16.",)


def test_a_logged_learning_rate_step_is_an_event():
    lr = np.where(np.arange(200) < 100, 0.1, 0.01)
    log = log_with_drop(lr=lr)
    assert [(event.kind, event.step) for event in learning_rate_events(log)] == [("lr_phase", 100)]
    assert analyse(log).verdict.word == "learning-rate effect"
    assert learning_rate_events(log_with_drop(lr=1e-3 * (1 + np.cos(np.linspace(0, 3, 200))))) == []


def test_floors_reference_and_entropy_are_weighed():
    index = np.arange(200)
    loss = 4 - 0.5 * (index >= 100) + np.random.default_rng(1).normal(0, 0.01, 200)
    entropy = np.where(index < 100, 2.0, 1.25)
    log = log_with_drop(loss=loss, code_entropy=entropy)
    reference = pd.DataFrame(
        {"step": index[100:], "split": "train", "name": "reference_loss", "value": loss[100:] + 0.45}
    )
    log = tidy_log(pd.concat([log.table, reference]), source="log", unit="step")
    said = " ".join(analyse(log, events=[Event("queue_start", 100)], floors=(4.54, 0.37)).verdict.evidence)
    assert "from 4.54 to 0.37 nats, by 4.17" in said
    assert "leaves room for all of it" in said
    assert (
        "cost 0.45 more without the queue than with it (mean of 4 rows): 90% of the fall may be the switch itself"
        in said
    )
    assert "from 2.00 to 1.25 nats" in said
    small = analyse(log, events=[Event("queue_start", 100)], floors=(0.2, 0.0)).verdict.evidence
    assert any("more than the floor explains" in sentence for sentence in small)


def test_a_fall_is_put_down_to_the_switch_only_at_a_queue_start_and_by_the_rows_close_behind_it():
    index = np.arange(1000)
    noise = np.random.default_rng(1).normal(0, 0.01, 1000)
    loss = 4 - 1.0 * (index >= 300) - 0.3 * (index >= 700) + noise
    gap = np.where(index < 500, 0.5, 3.0)  # much later the two losses are far apart for other reasons
    log = log_with_drop(samples=1000, loss=loss)
    reference = pd.DataFrame({"step": index, "split": "train", "name": "reference_loss", "value": loss + gap})
    log = tidy_log(pd.concat([log.table, reference[300:]]), source="log", unit="step")

    def said(*events):
        return " ".join(analyse(log, events=events).verdict.evidence)

    assert "(mean of 10 rows): 50% of the fall may be the switch itself" in said(Event("queue_start", 300))
    for events in ((), (Event("lr_phase", 300),), (Event("queue_start", 700),), (Event("queue_start", 500),)):
        assert "switch itself" not in said(*events)
    late = tidy_log(pd.concat([log.table[log.table["name"] == "loss"], reference[400:]]), source="log", unit="step")
    assert "switch itself" not in " ".join(analyse(late, events=[Event("queue_start", 300)]).verdict.evidence)
    rival = reference[300:].assign(value=loss[300:] - 0.1)
    without = tidy_log(pd.concat([log.table[log.table["name"] == "loss"], rival]), source="log", unit="step")
    found = " ".join(analyse(without, events=[Event("queue_start", 300)]).verdict.evidence)
    assert "explains none of the fall" in found


def test_a_saddle_escape_is_never_claimed_from_a_log():
    for events in ([], [Event("queue_start", 100)]):
        verdict = analyse(log_with_drop(), events=events).verdict
        assert "saddle" not in verdict.word
        assert "Hessian eigenvalue" in verdict.missing[-1]


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="no metric 'x'; it has loss"):
        analyse(log_with_drop(), metric="x")
