"""Other logs laid over the one on the Training screen: which are offered, how aligned, what is told of them."""

import numpy as np
import pytest

from dashboard.charts.drops import around_main_drop, main_drop
from dashboard.charts.overlay import COLOURS, Overlaid, overlay_figure
from rice_ssl.dynamics.csv_log import parse_csv_log
from tests.dashboard.conftest import figures, words
from tests.dashboard.test_training_screen import a_log, upload
from tests.fakes import QUEUE_STEP, write_fake_run

ORIGINAL, EXAMPLE = "The original's curve", "Simulated example"


@pytest.fixture
def beside(tmp_path, use_run):
    """The run on the command line, and one in the folder beside it."""
    store = write_fake_run(tmp_path / "runs" / "one")
    other = write_fake_run(tmp_path / "runs" / "two", seed=1)
    use_run(store.root)
    return store, other


def laid_over(at, *names):
    at.multiselect(key="overlay").set_value(list(names)).run()
    assert not at.exception, at.exception
    return at


def table_of(at):
    return next(frame.value for frame in at.dataframe if "Judged by" in frame.value)


def curves(at):
    return [trace for trace in figures(at)["overlay_figure"]["data"] if trace.get("showlegend", True)]


def test_the_run_beside_the_original_s_curve(beside, show):
    at = laid_over(show("training"), ORIGINAL)
    table = table_of(at)
    assert table["Run"].tolist() == ["runs/one", ORIGINAL]
    assert table["Verdict"].tolist() == ["schedule artefact", "schedule artefact"]
    assert table["Drop at"].tolist() == [QUEUE_STEP, pytest.approx(24_900, abs=150)]
    assert [trace["name"] for trace in curves(at)] == [
        f"{name}, {split}" for name in table["Run"] for split in ("training", "validation")
    ]
    assert [trace["line"]["color"] for trace in curves(at)] == [COLOURS[0], COLOURS[0], COLOURS[1], COLOURS[1]]


def test_runs_named_and_runs_in_the_folder_are_offered_and_never_the_one_on_screen(beside, show, use_run, tmp_path):
    store, other = beside
    named = write_fake_run(tmp_path / "elsewhere" / "three")
    use_run(store.root, named.root)
    box = show("training").multiselect(key="overlay")
    assert box.options == ["elsewhere/three", "runs/two", ORIGINAL, EXAMPLE]
    assert show("training", log="original").multiselect(key="overlay").options == [
        "runs/one",
        "elsewhere/three",
        "runs/two",
        EXAMPLE,
    ]
    (other.root / "metrics.parquet").unlink()
    assert show("training", log="finetune").multiselect(key="overlay").options == ["elsewhere/three"]


def test_fine_tuning_is_laid_over_fine_tuning(beside, show):
    at = laid_over(show("training", log="finetune"), "runs/two")
    assert [len(trace["x"]["bdata"]) > 0 for trace in curves(at)] == [True, True]
    assert table_of(at)["Verdict"].tolist() == ["too short", "too short"]


def test_fine_tuning_alone_has_nothing_beside_it(fake, show):
    assert "There is no other log of fine-tuning here." in words(show("training", log="finetune"))


def test_another_metric_is_drawn_without_a_table(beside, show):
    at = laid_over(show("training", metric="code_entropy"), "runs/two", ORIGINAL)
    assert [trace["name"] for trace in curves(at)] == ["runs/one, training", "runs/two, training"]
    assert "The original's curve has no metric 'Code entropy H(q)'" in words(at)
    assert not [frame for frame in at.dataframe if "Judged by" in frame.value]


def test_a_broken_run_is_left_out_with_a_sentence(beside, show):
    (beside[1].root / "metrics.parquet").write_bytes(b"broken")
    at = laid_over(show("training"), "runs/two", ORIGINAL)
    assert "was changed after the run wrote it" in words(at)
    assert table_of(at)["Run"].tolist() == ["runs/one", ORIGINAL]


def test_a_run_with_tests_is_judged_by_them(beside, show):
    at = laid_over(show("training"), EXAMPLE)
    assert table_of(at)["Judged by"].tolist() == ["log", "log and checkpoints"]


def test_the_choice_is_in_the_link_and_nonsense_in_it_is_told(beside, show):
    at = show("training", overlay="runs/two", axis="step")
    assert table_of(at)["Run"].tolist() == ["runs/one", "runs/two"]
    assert figures(at)["overlay_figure"]["layout"]["xaxis2"]["title"]["text"] == "Steps since the start of training"
    at = show("training", overlay="/etc/passwd")
    assert "The link names overlay '/etc/passwd', which this run does not have." in words(at)
    assert "overlay_figure" not in figures(at)


def test_a_choice_outlives_another_log_on_screen(beside, show):
    at = laid_over(show("training"), EXAMPLE, "runs/two")
    at.segmented_control(key="short_link_log").set_value("example").run()
    assert not at.exception
    assert table_of(at)["Run"].tolist() == [EXAMPLE, "runs/two"]


def test_one_s_own_log_beside_a_run_and_the_other_way_round(beside, show):
    at = upload(show("training", log="upload"), a_log())
    laid_over(at, "runs/one")
    assert table_of(at)["Verdict"].tolist() == ["undecided", "schedule artefact"]
    title = figures(at)["overlay_figure"]["layout"]["yaxis"]["title"]["text"]
    assert title == "Loss (as logged)"
    at.segmented_control(key="short_link_log").set_value("pretrain").run()
    laid_over(at, "Your log")
    assert table_of(at)["Run"].tolist() == ["runs/one", "log.csv"]
    at.segmented_control(key="short_link_log").set_value("upload").run()
    at.button(key="training_forget").click().run()
    at.segmented_control(key="short_link_log").set_value("pretrain").run()
    assert not at.exception
    assert "Your log" not in at.multiselect(key="overlay").options


def test_epochs_and_steps_share_no_axis_but_the_share(beside, show):
    rows = "epoch,train_loss\n" + "\n".join(f"{k},{3 - 0.01 * k}" for k in range(40))
    at = laid_over(upload(show("training", log="upload"), rows.encode()), "runs/one")
    assert at.segmented_control(key="short_link_axis").options == ["Share of the log"]
    assert table_of(at)["Counted in"].tolist() == ["epochs", "steps"]


def test_batch_sizes_are_held_against_each_other(beside, show):
    """Two are too few for a correlation, and the screen says so."""
    for store, size in zip(beside, (16, 32), strict=True):
        store.update_info(config={"pretrain": {"batch_size": size}})
    at = laid_over(show("training"), "runs/two")
    assert "Validation below training, by batch size:" in words(at)
    assert "Validation below training, by batch size:" not in words(laid_over(show("training"), ORIGINAL))


def logs():
    short, long = (
        parse_csv_log(b"step,train_loss\n" + "".join(f"{k},{9 - k / n}\n" for k in range(n)).encode())
        for n in (50, 200)
    )
    drop = {"split": "train", "step": 98, "step_low": 97, "step_high": 99, "size": 1.0}
    return Overlaid("a", short, []), Overlaid("b", long, [drop])


def test_logs_of_different_length_are_aligned_by_share():
    drawn = overlay_figure(logs(), "loss", axis="share")
    assert [trace.x[-1] for trace in drawn.data[:2]] == pytest.approx([1.0, 1.0])
    assert drawn.data[2].x[0] == pytest.approx(98 / 199)
    assert drawn.data[2].y[0] == pytest.approx(9 - 98 / 200)


def test_or_by_step():
    drawn = overlay_figure(logs(), "loss", axis="step")
    assert [trace.x[-1] for trace in drawn.data[:2]] == [49, 199]
    assert drawn.layout.xaxis.title.text == "Steps since the start of training"


def test_or_from_their_drops_with_those_that_have_one():
    drawn = overlay_figure(logs(), "loss", axis="drop")
    assert [trace.name for trace in drawn.data] == ["b, training", "b, drop"]
    assert drawn.data[0].line.color == COLOURS[1]  # the same colour as on the other axes
    assert drawn.data[1].x[0] == 0
    assert (drawn.data[0].x[0], drawn.data[0].x[-1]) == (-98, 101)
    assert tuple(drawn.layout.xaxis.range) == pytest.approx((-10, 10), abs=0.1)


def test_the_main_drop_is_the_largest_in_noise():
    drops = [{"size": 2.0, "size_in_noise": 5.0, "step": 1}, {"size": 1.0, "size_in_noise": 9.0, "step": 2}]
    assert main_drop(drops)["step"] == 2
    assert around_main_drop(logs()[1].drops, logs()[1].log) == pytest.approx((98 - 10, 98 + 10), abs=0.1)


@pytest.mark.parametrize("ground", ["#FCFDFB", "#101713"])
def test_colours_stand_out_on_both_themes(ground):
    def luminance(colour):
        parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    assert len(set(COLOURS)) == len(COLOURS)
    for colour in COLOURS:
        low, high = sorted((luminance(colour), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_the_badge_of_a_simulated_run_does_not_stand_over_the_original_s_real_curve(beside, show):
    assert "Simulated data: no image here is a photograph" in words(show("training"))
    assert "Simulated data" not in words(show("training", log="original"))


def test_a_log_that_was_forgotten_is_offered_no_more(beside, show):
    at = upload(show("training", log="upload"), a_log())
    at.segmented_control(key="short_link_log").set_value("original").run()
    assert "Your log" in at.multiselect(key="overlay").options
    at.segmented_control(key="short_link_log").set_value("upload").run()
    at.button(key="training_forget").click().run()
    at.segmented_control(key="short_link_log").set_value("original").run()
    assert not at.exception
    assert "Your log" not in at.multiselect(key="overlay").options
