import numpy as np
import pandas as pd
import pytest

from rice_ssl.errors import InputError
from rice_ssl.submission import MARGIN, check_submission, clip_probabilities, judged_probabilities, judges_for


def test_clipping_by_hand():
    found = clip_probabilities(np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]]), margin=0.1)
    assert found == pytest.approx(np.array([[0.8, 0.1, 0.1], [0.45, 0.31, 0.24]]))


def test_rows_keep_their_sum_their_order_and_the_margin():
    probabilities = np.random.default_rng(0).dirichlet(np.full(3, 0.3), 500)
    found = clip_probabilities(probabilities)
    assert found.sum(axis=1) == pytest.approx(np.ones(500), abs=1e-12)
    assert found.min() >= MARGIN - 1e-12
    assert (np.argsort(found, axis=1) == np.argsort(probabilities, axis=1)).all()


def test_a_certain_answer_costs_what_the_margin_says():
    right, wrong = -np.log(clip_probabilities(np.array([[1.0, 0.0, 0.0]])))[0, :2]
    assert right == pytest.approx(0.002, abs=1e-5)
    assert wrong == pytest.approx(6.9, abs=0.01)


def test_without_a_margin_nothing_changes_and_single_precision_becomes_double():
    probabilities = np.array([[0.25, 0.75]], dtype=np.float32)
    found = clip_probabilities(probabilities, margin=0.0)
    assert found.dtype == np.float64
    assert found.tolist() == [[0.25, 0.75]]


def test_whose_word_counts():
    assert judges_for("shared", ["rgb", "rgnir"]) == ("both", "rgb", "rgnir")
    assert judges_for("fused", ["rgb", "rgnir"]) == ("both", "rgb", "rgnir")
    assert judges_for("rgnir", ["rgb", "rgnir"]) == ("rgnir",)
    rows = [("b", "rgnir", [0.1]), ("a", "rgb", [0.2]), ("a", "both", [0.3]), ("b", "rgb", [0.4]), ("c", "uv", [0.5])]
    table = pd.DataFrame(rows, columns=["pair_id", "sensor", "probabilities"])
    found = judged_probabilities(table, ("both", "rgb", "rgnir"))
    assert found["judge"].to_dict() == {"a": "both", "b": "rgb"}
    assert found["probabilities"].to_dict() == {"a": [0.3], "b": [0.4]}
    assert judged_probabilities(table, ("rgnir",))["probabilities"].to_dict() == {"b": [0.1]}


IDS, CLASSES = ["a.jpg", "b.jpg", "c.jpg"], ["x", "y"]


def submission(**changes):
    table = pd.DataFrame({"Image_id": IDS, "x": [0.5, 0.25, 1.0], "y": [0.5, 0.75, 0.0]})
    return table.assign(**changes)


def test_what_is_asked_for_passes():
    check_submission(submission(), IDS, CLASSES, "the sample")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            submission()[["Image_id", "y", "x"]],
            "has the columns Image_id, y, x, but the sample asks for Image_id, x, y",
        ),
        (submission(z=0.0), "has the columns Image_id, x, y, z, but"),
        (submission().iloc[[0, 2]], r"lacks 1 ids that the sample asks for \(the first: b.jpg\)"),
        (submission(Image_id=["a.jpg", "a.jpg", "c.jpg"]), r"has 1 ids more than once \(the first: a.jpg\)"),
        (
            pd.concat([submission(), submission(Image_id=["d.jpg", "e.jpg", "f.jpg"])]),
            r"has 3 ids that the sample does not ask for \(the first: d.jpg\)",
        ),
        (submission().iloc[[0, 2, 1]], "Row 2 of the submission is c.jpg, but the sample has b.jpg there"),
        (submission(x=[0.5, 0.3, 1.0]), "row b.jpg has probabilities that sum to 1.05, not 1"),
        (submission(x=[0.5, np.nan, 1.0]), "row b.jpg holds a probability that is no number"),
        (submission(x=[0.5, 0.25, -1.0]), "row c.jpg holds a probability of -1, outside 0 to 1"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(table, message):
    with pytest.raises(InputError, match=message) as caught:
        check_submission(table, IDS, CLASSES, "the sample")
    assert str(caught.value).endswith(".")
