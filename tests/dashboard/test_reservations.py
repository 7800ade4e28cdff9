"""What figures leave open: pairs that chose the epoch, images that were pretrained on, labels that came later."""

import pytest

from dashboard import access, computed
from tests.dashboard.conftest import words
from tests.dashboard.judged import write_compared_run


@pytest.mark.parametrize(
    ("finetune", "chosen"),
    [({}, True), ({"keep": "best"}, True), ({"keep": "last"}, False), ({"keep": "last", "patience": 2}, True)],
)
def test_the_epoch_was_chosen_only_where_it_was(judged, show, finetune, chosen):
    judged.update_info(config={"finetune": finetune})
    for query in ({"screen": "sensors", "split": "Validation"}, {"screen": "overview", "judged": "Validation"}):
        assert ("was chosen on these pairs" in words(show(**query))) == chosen


@pytest.mark.parametrize(
    ("finetune", "said"),
    [
        ({}, "SwAV pretraining saw their images, not their labels."),
        ({"start": "swav", "swav_run": "out/a"}, "SwAV pretraining (run out/a) may have seen their images, not their"),
        ({"start": "random"}, ""),
    ],
)
def test_out_of_fold_images_may_have_been_pretrained_on(judged, show, finetune, said):
    judged.update_info(config={"finetune": finetune})
    for query in ({"screen": "sensors", "split": "Out of fold"}, {"screen": "overview", "judged": "Out of fold"}):
        text = words(show(**query))
        assert said in text if said else "SwAV pretraining" not in text


def test_labels_that_came_later_count(judged):
    manifest = judged.read_table("manifest")
    manifest["label"] = manifest["label"].where(manifest["pair_id"] != "id_0003", "brown")  # a test pair, was blast
    manifest["label"] = manifest["label"].where(manifest["pair_id"] != "id_0000", None)  # a training pair
    judged.write_table("manifest", manifest)
    run = access.current_run()
    of_fold = access.cross_validated(run)["label"]
    assert (of_fold["id_0003"], of_fold["id_0001"]) == ("brown", "brown")
    assert not isinstance(of_fold["id_0000"], str)
    told = access.judgements(run, "test").set_index("pair_id")["label"]
    assert set(told["id_0003"]) == {"brown"}
    assert not any(
        isinstance(label, str) for label in access.judgements(run, "oof").query("pair_id == 'id_0000'")["label"]
    )


def test_figures_made_here_are_of_the_manifests_labels(tmp_path, use_run):
    store = write_compared_run(tmp_path / "compared")
    (store.root / "report.json").unlink()
    use_run(store.root)
    before = computed.report(access.current_run())["splits"]["test"]["sensors"]["both"]["n"]
    manifest = store.read_table("manifest")
    manifest.loc[manifest["pair_id"] == "id_0003", "label"] = None
    store.write_table("manifest", manifest)
    assert computed.report(access.current_run())["splits"]["test"]["sensors"]["both"]["n"] == before - 1
