"""A history by hand: what eight images do at four checkpoints."""

import numpy as np
import pandas as pd
import pytest

from rice_ssl.evaluation.prototype_history import agreement_history, lives, moves, stability, usage_history
from rice_ssl.evaluation.prototypes import wilson_interval

STEPS = (0, 10, 20, 30)
HELD = [  # of images a..h: rgb of pairs p0..p3, then rgnir of them, at each step
    [0, 0, 0, 0, 1, 1, 1, 1],
    [0, 0, 2, 2, 1, 1, 1, 0],
    [0, 0, 2, 2, 2, 0, 2, 0],
    [0, 0, 2, 2, 0, 0, 2, 2],
]


def history(held=HELD, steps=STEPS):
    rows = [
        (step, step / 10, f"p{k % 4}", "rgb" if k < 4 else "rgnir", prototype, 0.5)
        for step, at in zip(steps, held, strict=True)
        for k, prototype in enumerate(at)
    ]
    return pd.DataFrame(rows, columns=["step", "epoch", "pair_id", "sensor", "prototype", "confidence"])


def test_usage_by_checkpoint_prototype_and_sensor():
    found = usage_history(history(), 4, ["rgb", "rgnir"])
    assert found.steps.tolist() == list(STEPS)
    assert found.epochs.tolist() == [0, 1, 2, 3]
    assert found.counts[:, :, 0].tolist() == [[4, 0, 0, 0], [2, 0, 2, 0], [2, 0, 2, 0], [2, 0, 2, 0]]
    assert found.counts[:, :, 1].tolist() == [[0, 4, 0, 0], [1, 3, 0, 0], [2, 0, 2, 0], [2, 0, 2, 0]]
    assert found.images[1].tolist() == [3, 3, 2, 0]
    assert found.threshold == 1  # a quarter of 8 / 4 is half an image, and one is the least


def test_a_threshold_is_a_quarter_of_an_even_share():
    many = history([[k % 2 for k in range(8)] for _ in STEPS])
    assert usage_history(many, 2, ["rgb", "rgnir"]).threshold == 1
    repeated = pd.concat([many.assign(pair_id=many["pair_id"] + f"-{k}") for k in range(10)])
    assert usage_history(repeated, 2, ["rgb", "rgnir"]).threshold == 80 / 2 / 4


def test_when_prototypes_form_and_die():
    found = lives(usage_history(history(), 4, ["rgb", "rgnir"]))
    # 0 has images always, 2 from step 10 on; 1 has none from step 20 on, 3 never had one
    assert found["formed"].tolist() == [0, pd.NA, 10, pd.NA]
    assert found["died"].tolist() == [pd.NA, 20, pd.NA, pd.NA]


def test_a_prototype_that_falls_under_the_threshold_forms_anew_and_one_that_comes_back_did_not_die():
    held = [[0] * 8, [0] * 4 + [1] * 4, [0] * 8, [1] * 8]
    found = lives(usage_history(history(held), 2, ["rgb", "rgnir"]))
    assert found["formed"].tolist() == [pd.NA, 30]
    assert found["died"].tolist() == [30, pd.NA]
    back = lives(usage_history(history(held[:1] + held[3:] + held[:2]), 2, ["rgb", "rgnir"]))
    assert back["died"].isna().all()


def test_splits_and_merges_by_hand():
    found = moves(history(), fewest=2)
    told = [tuple(row) for row in found.itertuples(index=False)]
    assert told == [
        # 0 had a, b, c, d: half stays, half goes to 2; of 1's four, a quarter goes to 0
        (10, "split", 0, [0, 2], 4),
        (10, "split", 1, [0, 1], 4),
        # 0 has a, b, h then: a third comes from 1
        (10, "merge", 0, [0, 1], 3),
        # 1 had e, f, g: two go to 2, one to 0
        (20, "split", 1, [0, 2], 3),
        # 0 has a, b, f, h: a quarter from 1; 2 has c, d, e, g: half from 1
        (20, "merge", 0, [0, 1], 4),
        (20, "merge", 2, [1, 2], 4),
        # e goes from 2 to 0 and h from 0 to 2, a quarter of each
        (30, "split", 0, [0, 2], 4),
        (30, "split", 2, [0, 2], 4),
        (30, "merge", 0, [0, 2], 4),
        (30, "merge", 2, [0, 2], 4),
    ]


def test_small_prototypes_tell_of_no_split():
    assert moves(history()).empty
    assert set(moves(history(), fewest=4)["images"]) == {4}


def test_less_than_a_quarter_is_no_split():
    """One image of five leaves for another prototype: a fifth."""
    rows = pd.DataFrame(
        [(step, f"p{k}", "rgb", int(step and k == 0)) for step in (0, 1) for k in range(5)],
        columns=["step", "pair_id", "sensor", "prototype"],
    )
    assert moves(rows, fewest=1).empty
    assert moves(rows[rows["pair_id"] != "p4"], fewest=1)["kind"].tolist() == ["split"]  # one of four is a quarter


def test_stability_by_hand():
    found = stability(history())
    assert found.index.tolist() == [10, 20, 30]
    assert found["rate"].tolist() == [5 / 8, 5 / 8, 6 / 8]
    assert found["images"].tolist() == [8, 8, 8]
    assert (found["low"][10], found["high"][10]) == pytest.approx(wilson_interval(5, 8))


def test_agreement_over_training_by_hand():
    found = agreement_history(history(), "rgb", "rgnir")
    # step 0: none of 4; 10: none (0-1, 0-1, 2-1, 2-0); 20: 0-2, 0-0, 2-2, 2-0; 30: all
    assert found["rate"].tolist() == [0, 0, 0.5, 1]
    assert found["pairs"].tolist() == [4] * 4
    assert found["chance"].tolist() == pytest.approx([0, 2 / 4 * 1 / 4, 1 / 2, 1 / 2])
    assert (found["low"][20], found["high"][20]) == pytest.approx(wilson_interval(2, 4))


def test_one_sensor_has_no_agreement():
    assert agreement_history(history().query("sensor == 'rgb'"), "rgb", "rgnir").empty


def test_one_checkpoint_has_neither_moves_nor_stability():
    one = history(HELD[:1], STEPS[:1])
    assert moves(one).empty
    assert stability(one).empty
    assert lives(usage_history(one, 4, ["rgb", "rgnir"]))["formed"].tolist() == [0, 0, pd.NA, pd.NA]


def test_moves_of_many_images_equal_a_slow_loop():
    rng = np.random.default_rng(0)
    at = [rng.integers(0, 5, 200) for _ in range(3)]
    rows = pd.DataFrame(
        [(t, f"p{k}", "rgb", at[t][k]) for t in range(3) for k in range(200)],
        columns=["step", "pair_id", "sensor", "prototype"],
    )
    slow = set()
    for t in (1, 2):
        for k in range(5):
            to = [int(at[t][i]) for i in range(200) if at[t - 1][i] == k]
            where = sorted(j for j in set(to) if to.count(j) >= len(to) / 4)
            if len(to) >= 8 and len(where) > 1:
                slow.add((t, "split", k, tuple(where), len(to)))
            source = [int(at[t - 1][i]) for i in range(200) if at[t][i] == k]
            whence = sorted(j for j in set(source) if source.count(j) >= len(source) / 4)
            if len(source) >= 8 and len(whence) > 1:
                slow.add((t, "merge", k, tuple(whence), len(source)))
    found = {(r.step, r.kind, r.prototype, tuple(r.others), r.images) for r in moves(rows).itertuples(index=False)}
    assert found == slow
