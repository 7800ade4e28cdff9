"""The Ablation screen loaded, unfinished, without labels, empty and broken."""

import copy
import json
import sys

import pytest

from dashboard import command_line
from dashboard.charts.ablation import condition_colours
from dashboard.screens.ablation import differences_table
from rice_ssl.artifacts import ABLATION_FILE, read_ablation, write_ablation
from tests.dashboard.conftest import figures, words
from tests.fakes import ABLATION


@pytest.fixture
def use_ablation(fake, tmp_path, monkeypatch):
    """Call it with what ``ablation.json`` shall hold."""

    def use(content):
        folder = tmp_path / "ablation"
        write_ablation(folder, content)
        monkeypatch.setattr(sys, "argv", [*sys.argv, "--ablation", str(folder)])
        return folder

    return use


def test_figures_seeds_and_differences_are_shown(use_ablation, show):
    use_ablation(ABLATION)
    at = show("ablation")
    text = words(at)
    assert "**fake views** on trees: 3 conditions, 2 seeds each." in text
    assert "Against rgb-only" in text
    assert "Test pairs with images of both sensors" in text
    assert "networks are done" not in text
    drawn = figures(at)
    assert set(drawn) == {"ablation-between", "ablation-labels"}
    dots = {trace["x"][0]: trace["y"][0] for trace in drawn["ablation-between"]["data"] if "error_x" in trace}
    assert dots == {0.1: 2, 0.4: 1, 0.6: 0}  # the first condition on top
    axis = drawn["ablation-between"]["layout"]["yaxis"]
    assert axis["ticktext"] == ["paired-augmented", "rgb-only", "random weights"]
    seeds = [trace["x"] for trace in drawn["ablation-between"]["data"] if "error_x" not in trace]
    assert seeds[2] == pytest.approx([0.58, 0.62])


def test_a_sign_stands_where_the_interval_leaves_0_out():
    table = differences_table(ABLATION).set_index("Figure")
    assert table.loc["Cross-sensor R@1", "paired-augmented"] == "+0.200 [+0.150, +0.250] ▲"
    assert table.loc["Linear probe, RGB", "random weights"] == "-0.100 [-0.150, -0.050] ▼"
    assert table.loc["Linear probe, RGB", "paired-augmented"] == "+0.010 [-0.040, +0.060]"
    assert "rgb-only" not in table
    alone = {**ABLATION, "differences": [{**gap, "seeds": 1} for gap in ABLATION["differences"]]}
    assert differences_table(alone).set_index("Figure").loc["Cross-sensor R@1", "paired-augmented"].endswith("]")


def test_an_unfinished_grid_says_how_far_it_is(use_ablation, show):
    content = copy.deepcopy(ABLATION)
    content["cells"] = [cell for cell in content["cells"] if cell["seed"] == 0]
    use_ablation(content)
    assert "3 of 6 networks are done" in words(show("ablation"))


def test_simulated_data_is_called_so(use_ablation, show):
    use_ablation({**ABLATION, "simulated": True})
    assert "Simulated data" in words(show("ablation"))


def test_without_labels_or_a_baseline_there_is_less(use_ablation, show):
    kept = [entry for entry in ABLATION["figures"] if entry["measure"] == "recall_1"]
    use_ablation({**ABLATION, "figures": kept, "differences": []})
    at = show("ablation")
    assert set(figures(at)) == {"ablation-between"}
    assert "Against" not in words(at)


def test_nothing_done_yet_names_the_command(use_ablation, show):
    use_ablation({**ABLATION, "figures": [], "differences": [], "cells": []})
    assert "No pretraining of this grid is done yet: `rice-ssl ablate CONFIG`" in words(show("ablation"))


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "There is no ablation at"), ("{", "cannot be read as JSON"), ('{"schema_version": 7}', "Update rice_ssl")],
)
def test_what_cannot_be_read_is_said(use_ablation, show, content, says):
    folder = use_ablation(ABLATION)
    (folder / ABLATION_FILE).unlink()
    if content is not None:
        (folder / ABLATION_FILE).write_text(content)
    assert says in words(show("ablation"))


def test_random_weights_are_grey_and_the_others_differ():
    colours = condition_colours(["random weights", *[f"c{number}" for number in range(8)]])
    assert len(set(colours.values())) >= 8
    assert colours["random weights"] == "#9A9A9A"


def test_the_ablation_that_is_shipped_is_whole_and_names_no_path():
    content = read_ablation(command_line.ABLATION)
    assert len({(c["condition"], c["seed"]) for c in content["cells"]}) == content["planned"]
    assert content["simulated"] is False
    assert "/work" not in json.dumps(content)
