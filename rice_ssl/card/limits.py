"""Known limits of a run, each from a fact about it."""

from __future__ import annotations

from collections.abc import Iterator

from rice_ssl.card.blocks import Block, Bullets, Paragraph, Section
from rice_ssl.card.facts import Facts, section
from rice_ssl.card.looked_at import not_looked_at
from rice_ssl.card.words import code, judge, width
from rice_ssl.sensors import BOTH

FEW_PAIRS = 100
"""Labelled pairs below which a split is called small: the 95% interval of a share of 0.9 is then wider than 0.11."""
FEW_OF_CLASS = 20
"""Labelled pairs of a class below which that class is called rare."""
WIDE = 0.1
"""Width from which an interval of accuracy is called wide."""


def caveats(facts: Facts) -> Section:
    """What is not known, and what to do about it."""
    found = [*_of_data(facts), *_of_recipe(facts), *_of_figures(facts)]
    blocks: tuple[Block, ...] = (
        Paragraph("Found in this run's own files; what they do not tell cannot stand here."),
        Bullets(tuple(found)),
    )
    return Section("Caveats and recommendations", blocks)


def _of_data(facts: Facts) -> Iterator[str]:
    info, pairs = facts.info, facts.pairs
    if info.get("simulated"):
        yield "The images are simulated, not photographed: no figure here says how well real plants would be judged."
    if info.get("weights_simulated"):
        yield "The weights were trained on simulated images."
    if info.get("weights_from") is not None:
        yield (
            "The weights are of another run: what they learnt from is told by that run's card, and the encoder never "
            "saw these images but for those that both runs share."
        )
    if len(facts.sensors) == 1:
        yield "There is one sensor: nothing can be said about agreement or fusion."
    elif facts.learnt_from not in {"shared", "fused"}:
        yield (
            f"The classifier was trained on the images of {facts.learnt_from} alone: what it says of other sensors' "
            "images means little."
        )
    lacking = int((pairs["images"] < len(facts.sensors)).sum())
    if lacking:
        yield f"{lacking} of {len(pairs)} pairs lack one of their images and are judged from what there is."
    learnt = facts.labelled[facts.labelled["split"] != "test"]
    counts = {name: int((learnt["label"] == name).sum()) for name in facts.classes}
    rare = [f"{name} ({count})" for name, count in counts.items() if count < FEW_OF_CLASS]
    if rare:
        yield f"Few labelled pairs outside the test split: {', '.join(rare)}. Figures of these classes rest on little."
    if facts.shared_groups.empty:
        yield (
            "No sites or repeated photos are known: where pairs of one leaf or field lie in two splits, figures "
            "flatter."
        )
    findings = facts.tables["findings"]
    crossing = 0 if findings is None else int(findings["kind"].str.endswith("_across_splits").sum())
    if crossing:
        yield f"{crossing} findings say that the same photo or site lies in two splits (see `findings.parquet`)."
    audit = facts.tables["audit"]
    if audit is None:
        yield f"Labels were not audited: how many of them are wrong is not known. `rice-ssl audit {facts.root}` looks."
    else:
        count = int((audit["kind"] == "label").sum())
        if count:
            yield f"{count} labels are suspected of being wrong; figures count the labels as they are."
        document = facts.documents["audit"]
        if document is None:
            yield f"Whether the audit judged the labels is not known. {facts.missing['audit']}"
        else:
            yield from not_looked_at(document)
    if "oof" not in facts.splits and not (facts.labelled["split"] == "test").any():
        yield "No test pair has a label: there is no figure of pairs on which no choice was made."


def _of_recipe(facts: Facts) -> Iterator[str]:
    finetune = section(facts.config, "finetune")
    if "val" in facts.splits and facts.info.get("weights_from") is None:
        if finetune.get("keep", "best") == "best":
            yield "The epoch that was kept is the best on the validation pairs: figures of the split `val` flatter."
        elif finetune.get("patience", 0):
            yield "Validation pairs told when to end the training: figures of the split `val` flatter a little."
    seen = [split for split in ("oof", "val") if split in facts.splits]
    lent = finetune.get("swav_run")
    if lent is not None:
        yield f"The encoder began with the SwAV weights of {code(lent)}: which of these images it saw is not known."
    elif seen and finetune.get("start", "swav") == "swav" and facts.info.get("weights_from") is None:
        yield (
            "Pretraining saw the images (not the labels) of all pairs but test pairs: those of the splits "
            f"{', '.join(f'`{split}`' for split in seen)} were not new to the encoder."
        )
    if finetune.get("class_weights") == "balanced":
        yield "Classes were weighted to be equal: probabilities are those of equal classes, which costs log loss."
    yield from _of_trainings(facts)
    if facts.tables["predictions"] is not None:
        yield "Probabilities of the run's own classifier are as trained, not calibrated afterwards."


def _of_trainings(facts: Facts) -> Iterator[str]:
    """How many trainings each figure is of: of a cross-validated run's test pairs, all folds' networks."""
    outside = "what another seed would give is not within the intervals."
    if "oof" not in facts.splits:
        yield f"Every figure is of one training each: {outside}"
        return
    several = len(section(facts.config, "cross_validation").get("seeds") or []) > 1
    if several:
        yield "Several seeds are averaged in cross-validation: the spread between trainings is not in the intervals."
    else:
        yield f"Each pair of the split `oof` was judged by the one training that left out its fold: {outside}"
    own = [split for split in ("val", "test") if section(facts.splits.get(split, {}), "sensors")]
    if facts.tables["predictions"] is None and "test" in own:
        yield "Test pairs are judged by the mean of all folds' networks, those of the split `oof` by their own fold's."
    elif facts.tables["predictions"] is not None and own:
        names = " and ".join(f"`{split}`" for split in own)
        yield f"Figures of {names} are of one training, the run's own classifier: {outside}"


def _of_figures(facts: Facts) -> Iterator[str]:
    if facts.documents["report"] is None:
        yield f"There are no figures at all. {facts.missing['report']}"
    for split, part in facts.splits.items():
        judges = section(part, "sensors")
        if not judges:
            yield f"No figures of the split `{split}`: too few of its pairs have a label."
            continue
        main = BOTH if BOTH in judges else next(iter(judges))
        count = judges[main].get("n")
        if isinstance(count, int) and count < FEW_PAIRS:
            yield f"The split `{split}` holds {count} labelled pairs: few enough for chance to rule its figures."
        wide = width(section(judges[main], "figures").get("accuracy"))
        if wide is not None and wide >= WIDE:
            yield f"The interval of accuracy on the split `{split}`, from {judge(main)}, is {wide:.2f} wide."
    if facts.documents["channels"] is not None:
        yield (
            "An image with a band replaced is like none that was trained on: a flip shows that the band matters to "
            "this classifier, not how much it could know without it."
        )
    trust = (facts.documents["attribution"] or {}).get("trust")
    for one in trust if isinstance(trust, list) else ():
        if not isinstance(one, dict) or one.get("class") is not None or one.get("method") == "gaussian":
            continue
        if section(one, "above_random").get("low", 1.0) <= 0:
            name = str(one.get("method")).replace("_", " ")
            yield f"On {one.get('sensor')}, maps by {name} ({one.get('layer')}) were not shown to beat random ones."
