"""The positive control: a training that is known to leave a saddle, and ones that are known not to."""

import numpy as np
import pandas as pd
import pytest

from rice_ssl.dynamics import Event, analyse
from rice_ssl.dynamics.logs import tidy_log
from rice_ssl.dynamics.tested_verdict import judge_tests, saddle_conditions
from rice_ssl.errors import InputError
from rice_ssl.landscape.checks import LanczosSettings, curvature_at
from rice_ssl.landscape.examine import choose_places, examine
from rice_ssl.landscape.question import question_of
from tests.landscape.deep_linear import DeepLinear

LANCZOS = LanczosSettings(starts=2, directions=4, tolerance=1e-6)


@pytest.fixture(scope="module")
def training():
    return DeepLinear()


def examined(training, *, events=(), step=None):
    log = tidy_log(training.rows, source="the deep linear network", unit="step")
    found = analyse(log, events=events)
    asked = question_of(log, found, step=step)
    event = None if asked.event is None else asked.event.step
    places = choose_places(training.kept, asked.low, asked.high, event)
    tests = examine(
        training,
        places,
        fall_seen=asked.falls,
        lanczos=LANCZOS,
        continue_steps=30,
        event=event,
        show=False,
    )
    tests |= {
        "event": None if asked.event is None else asked.event.document(),
        "changes_objective": False,
        "logged_gradient": asked.gradient,
    }
    return found, asked, tests


def test_a_saddle_escape_is_recognised(training):
    found, asked, tests = examined(training)
    assert len(found.drops) >= 1
    assert found.verdict.word == "undecided"  # the log alone cannot tell
    verdict = judge_tests(found.verdict, tests, asked.explanations)
    assert verdict.word == "consistent with a saddle escape"
    assert [condition.holds for condition in saddle_conditions(tests, asked.explanations)] == [True] * 4
    before = next(entry for entry in tests["curvature"] if entry["role"] == "before")
    assert before["smallest"]["value"] == pytest.approx(-1.0, rel=0.05)
    assert before["largest"]["value"] == pytest.approx(1.0, rel=0.05)
    assert before["alignment"]["share"] > 0.9
    assert before["held_out"]["high"] < -0.9


def test_the_second_saddle_has_the_second_mode_s_curvature(training):
    """Between the two falls the first mode is learned: the lowest eigenvalue is that of the second."""
    between = 200  # the first mode is learned by 180, the second not before 300
    entry = curvature_at(training, between, "before", "without", LANCZOS, to=None)
    assert entry["smallest"]["value"] == pytest.approx(-0.45, rel=0.05)
    assert entry["largest"]["value"] == pytest.approx(2.0, rel=0.05)


def test_no_saddle_is_claimed_where_something_was_switched(training):
    """The same training, with a switch noted at the drop: the cause is not settled by curvature."""
    plain, asked, _ = examined(training)
    at = plain.drops[0].drop.step
    found, asked, tests = examined(training, events=[Event("crop_change", at)])
    verdict = judge_tests(found.verdict, tests, asked.explanations)
    assert verdict.word == "schedule artefact"
    assert "switched within the drop's interval" in " ".join(verdict.evidence)


def test_no_saddle_is_claimed_at_the_minimum(training):
    _, asked, tests = examined(training, step=1500)
    holds = [condition.holds for condition in saddle_conditions(tests, asked.explanations)]
    assert holds[2] is False  # nothing curves downwards where all modes are learned
    assert not all(holds)


def test_interrupted_within_a_test_it_keeps_those_before(training, monkeypatch):
    def interrupted(step, steps, side):
        raise KeyboardInterrupt

    kept = []
    plan = {
        "fall_seen": {},
        "lanczos": LANCZOS,
        "continue_steps": 3,
        "event": None,
        "show": False,
        "save": lambda made: kept.append(sorted(made)),
    }
    places = choose_places(training.kept, 100, 150, None)
    with monkeypatch.context() as patch:
        patch.setattr(training, "continuation", interrupted)
        assert examine(training, places, **plan) is None
    assert kept[-1] == ["line", "objective train", "objective val"]
    assert examine(training, places, **plan)["continuations"] is None


def test_places_are_chosen_around_the_drop():
    kept = [0, 100, 200, 300, 400, 500, 600]
    with_event = choose_places(kept, 190, 320, 200.0)
    assert (with_event.before, with_event.after, with_event.controls) == (200, 300, (100, 500))
    without = choose_places(kept, 190, 320, None)
    assert (without.before, without.after, without.controls) == (100, 400, (600,))
    with pytest.raises(InputError, match="No checkpoint was kept after the drop at steps 590 to 700"):
        choose_places(kept, 590, 700, None)


def test_a_smooth_training_has_no_drop():
    """From large weights the same network learns without a plateau."""
    training = DeepLinear(scale=0.4, steps=1000)
    found = analyse(tidy_log(training.rows, source="smooth", unit="step"))
    assert found.drops == ()
    assert found.verdict.word == "no drop"


def test_a_learning_rate_step_is_recognised():
    """SGD on a quadratic jitters about the minimum by as much as its rate: a tenth of the rate, and the loss falls."""
    rng = np.random.default_rng(4)
    place, rows = np.ones(50), []
    for step in range(1000):
        rate = 0.3 if step < 600 else 0.03
        rows += [(step, "train", "loss", 0.5 * float(place @ place) / 50), (step, "train", "lr", rate)]
        place -= rate * (place + rng.standard_normal(50))
    log = tidy_log(pd.DataFrame(rows, columns=["step", "split", "name", "value"]), source="SGD", unit="step")
    found = analyse(log)
    assert found.verdict.word == "learning-rate effect"
    assert [(event.kind, event.step) for each in found.drops for event in each.events] == [("lr_phase", 600)]
