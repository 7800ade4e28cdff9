"""What a run was made of: its images, its labels, and what was found wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from rice_ssl.card.blocks import Block, Paragraph, Section, grid
from rice_ssl.card.facts import Facts, section
from rice_ssl.card.looked_at import looked_at, not_looked_at
from rice_ssl.card.words import NOTHING, SPLITS, code, setting

_TITLES = {"train": "training", "val": "validation", "test": "test"}


def factors(facts: Facts) -> Section:
    """Sensors, bands and classes."""
    rows = [
        [
            sensor.get("title", sensor.get("name", NOTHING)),
            code(sensor.get("name", NOTHING)),
            ", ".join(map(str, sensor.get("bands", []))),
            code(sensor.get("pattern", NOTHING)),
            facts.images.get(str(sensor.get("name")), 0),
        ]
        for sensor in facts.sensors
    ]
    size = section(facts.config, "data").get("image_size")
    read = f" Each is read at {size[0]} by {size[1]} pixels (height by width)." if isinstance(size, list) else ""
    return Section(
        "Factors",
        (
            grid("Sensors, their bands in the order of the file's channels, and images", _SENSOR_COLUMNS, rows),
            Paragraph(f"Classes: {', '.join(facts.classes) or 'none'}.{read}"),
            Paragraph(
                "Light, distance, variety and season are not noted in a run, so no figure is split by them. What "
                "`rice-ssl audit` measures of each image (brightness, sharpness, leaf area) stands for some of it."
            ),
        ),
    )


_SENSOR_COLUMNS = ("Sensor", "Name", "Bands", "Files", "Images")


def evaluation_data(facts: Facts) -> Section:
    """Which pairs figures are of."""
    blocks: list[Block] = [
        grid("Splits that can be judged", ("Split", "What it holds"), [[code(k), words] for k, words in SPLITS.items()])
    ]
    blocks.append(_counts("Pairs that were not trained on, by split and class", facts, ("val", "test")))
    folded = facts.tables["cross_validation"]
    if folded is None:
        blocks.append(Paragraph(f"There is no cross-validation. {facts.missing['cross_validation']}"))
    else:
        count = folded.loc[folded["split"] == "oof", "pair_id"].nunique()
        blocks.append(Paragraph(f"Cross-validation judged {count} labelled pairs out of fold."))
    return Section("Evaluation data", tuple(blocks))


def training_data(facts: Facts) -> Section:
    """Where the images come from, and which were learnt from."""
    info, data = facts.info, section(facts.config, "data")
    source = "simulated by `rice-ssl simulate`, not photographed" if info.get("simulated") else "as imported"
    shared = facts.shared_groups
    rows: list[list[object]] = [
        ["Images", f"{sum(facts.images.values())} images of {len(facts.pairs)} pairs, {source}"],
        ["Folder", code(info.get("data_root", NOTHING))],
        ["Layout", code(info.get("data_source", data.get("layout", NOTHING)))],
        ["Pairs without one of their images", int((facts.pairs["images"] < len(facts.sensors)).sum())],
        ["Groups of two pairs or more (a site, or photos that are the same)",
         f"{len(shared)}, which hold {int(shared.sum())} pairs"],
        ["Split", f"by pair and group; {setting(data.get('folds'))} folds, validation is fold "
         f"{setting(data.get('validation_fold'))}, seed {setting(data.get('split_seed'))}"],
    ]  # fmt: skip
    blocks: list[Block] = [
        grid("Source", ("What", "Value"), rows),
        _counts("Pairs by split and class", facts, ("train", "val", "test")),
    ]
    findings = facts.tables["findings"]
    if findings is None:
        blocks.append(Paragraph(facts.missing["findings"]))
    elif findings.empty:
        blocks.append(Paragraph("The import found nothing wrong with the images or their tables."))
    else:
        blocks.append(
            _kinds("What the import found wrong, by kind (see `findings.parquet`)", findings["kind"].tolist())
        )
    return Section("Training data", tuple(blocks))


def audit(facts: Facts) -> Section:
    """What the audit found, by kind."""
    found = facts.tables["audit"]
    if found is None:
        blocks: tuple[Block, ...] = (Paragraph(f"The images were not audited. {facts.missing['audit']}"),)
    elif found.empty:
        blocks = (Paragraph("The audit points at nothing."),)
    else:
        text = "What it points at is to be looked at; it is not proven wrong."
        blocks = (
            _kinds("What the audit points at, by kind (see `audit.parquet`)", found["kind"].tolist()),
            Paragraph(text),
        )
    if found is not None:
        blocks += tuple(Paragraph(sentence) for sentence in _looked_at(facts))
    return Section("Audit of images and labels", blocks)


def _looked_at(facts: Facts) -> list[str]:
    """What the audit looked at, and what it did not and why."""
    document = facts.documents["audit"]
    if document is None:
        return [f"What was looked at is not known. {facts.missing['audit']}"]
    return [f"Looked at: {looked_at(document)}.", *not_looked_at(document)]


def _kinds(caption: str, kinds: Sequence[str]) -> Block:
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    return grid(caption, ("Kind", "Number"), [[kind.replace("_", " "), count] for kind, count in counts.items()])


def _counts(caption: str, facts: Facts, splits: Sequence[str]) -> Block:
    """Pairs by split and class, with those without a label and all."""
    classes = facts.classes
    rows: list[list[object]] = []
    for split in splits:
        own = facts.pairs[facts.pairs["split"] == split]
        counts = [int((own["label"] == name).sum()) for name in classes]
        rows.append([_TITLES.get(split, split), *counts, len(own) - sum(counts), len(own)])
    return grid(caption, ("Split", *classes, "without a label", "all"), rows)
