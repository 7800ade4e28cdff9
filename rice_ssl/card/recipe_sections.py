"""How a run was made: what it is, what it is for, its recipe, and where its files come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rice_ssl.card.blocks import Block, Bullets, Code, Paragraph, Section, grid
from rice_ssl.card.facts import Facts, section
from rice_ssl.card.words import NOTHING, code, setting

_SENSORS = {
    "shared": "one network judges the images of every sensor; a pair is judged from the scaled mean of their logits",
    "fused": "the embeddings of a pair's images are joined before the last layers; one of them may be missing",
}
_STARTS = {
    "swav": "the run's SwAV weights",
    "encoder": "the weights of the file that encoder.weights names",
    "random": "random weights",
}
_PRETRAIN = ("views", "epochs", "batch_size", "prototypes", "queue_length", "queue_start", "optimizer", "lr", "keep")
_FINETUNE = (
    "start", "sensors", "epochs", "frozen_epochs", "batch_size", "optimizer", "lr", "encoder_lr_factor", "layer_decay",
    "weight_decay", "dropout", "label_smoothing", "class_weights", "mixup", "cutmix", "mix_across", "ema", "distill",
    "keep", "patience",
)  # fmt: skip
_FOLDS = ("seeds", "views", "label_fraction", "inner_folds")


def details(facts: Facts) -> Section:
    """Who and what: name, date, network, recipe."""
    info, config = facts.info, facts.config
    encoder, finetune = section(config, "encoder"), section(config, "finetune")
    learnt = facts.learnt_from
    lent = info.get("weights_from")
    start = _STARTS.get(str(finetune.get("start")), setting(finetune.get("start")))
    if finetune.get("swav_run") is not None:
        start = f"the SwAV weights of the run {code(finetune['swav_run'])}"
    pair = info.get("pair_scale")
    rows = [
        ["Run", code(info.get("name", NOTHING))],
        ["Begun", info.get("created", NOTHING)],
        ["Code", f"rice_ssl, revision {code(info.get('git_revision') or 'not noted (no checkout)')}"],
        ["Weights", "of this run" if lent is None else f"of the run {code(lent)}, {code(info.get('weights_run', ''))}"],
        ["Encoder", f"{code(encoder.get('name', NOTHING))}; options: {setting(encoder.get('options') or None)}; "
         f"pooling {setting(encoder.get('pooling'))}"],
        ["Fine-tuning begins with", start],
        ["Sensors", _SENSORS.get(learnt, f"trained on the images of {learnt} alone")],
        ["Scale of a pair's mean logits", f"{pair:.3f}" if isinstance(pair, float) else NOTHING],
        ["Seed", setting(config.get("seed"))],
    ]  # fmt: skip
    blocks: list[Block] = [grid("Model", ("What", "Value"), rows)]
    own_stages = section(info, "stages")
    for title, name, chosen in (
        ("Self-supervised pretraining (SwAV)", "pretrain", _PRETRAIN),
        ("Fine-tuning of the classifier", "finetune", _FINETUNE),
        ("Cross-validation", "cross_validation", _FOLDS),
    ):
        own = section(config, name)
        if own and (name == "cross_validation" or name in own_stages or lent is not None):
            of = "" if lent is None else ", as in the run whose weights it uses"
            blocks.append(_settings(f"{title}{of}", own, chosen))
    for name, verb in (("pretrain", "pretrained"), ("finetune", "fine-tuned")):
        if lent is None and name not in own_stages:
            blocks.append(Paragraph(f"Nothing was {verb} in this run; `rice-ssl {name} {facts.root}` does it."))
    temperatures = section(info, "temperatures")
    if temperatures:
        told = ", ".join(f"{name} {setting(value)}" for name, value in temperatures.items())
        blocks.append(Paragraph(f"Temperatures by which cross-validation divides logits: {told}."))
    blocks.append(
        Paragraph("The whole configuration stands at the end. The licence of the images is not noted in a run.")
    )
    return Section("Model details", tuple(blocks))


def _settings(title: str, own: dict[str, Any], chosen: Sequence[str]) -> Block:
    rows = [[code(name), setting(own[name])] for name in chosen if name in own]
    return grid(title, ("Setting", "Value"), rows)


def intended_use(facts: Facts) -> Section:
    """What the run is for, and what it is not for."""
    classes = ", ".join(facts.classes) or "none yet"
    sensors = " and ".join(str(sensor.get("title", sensor.get("name"))) for sensor in facts.sensors) or "no sensor"
    return Section(
        "Intended use",
        (
            Paragraph(
                f"To tell the classes {classes} of a plant from its images by {sensors}, to compare what the sensors "
                "contribute, and to explain both. For people who study such images."
            ),
            Bullets(
                (
                    "Not meant to decide on treatment of plants without someone who looks at them.",
                    "Not meant for other plants, cameras or bands than those it was trained on: no figure here is "
                    "about them.",
                    "It always names one of its classes, also for a picture that shows none of them.",
                )
            ),
        ),
    )


def ethics(facts: Facts) -> Section:
    """Whom errors harm."""
    return Section(
        "Ethical considerations",
        (
            Paragraph(
                "The pictures are of plants. What is missed may cost a harvest, what is seen where there is nothing a "
                "needless treatment. Which of the two errors weighs more, the figures here do not know."
            ),
        ),
    )


def _noted_hash(hashes: dict[str, Any], file: str) -> str:
    """Hash of a file as run.json notes it; of a table in parts how many they are."""
    parts = [name for name in hashes if name.startswith(f"{file.removesuffix('.parquet')}/")]
    noted = section(hashes, file).get("sha256")
    return str(noted) if noted is not None else f"in {len(parts)} parts" if parts else "not noted"


def provenance(facts: Facts) -> Section:
    """Hashes, versions, and when each stage was done."""
    info, hashes = facts.info, section(facts.info, "hashes")
    files = ["manifest.parquet", *facts.files]
    rows = [[code(name), code(_noted_hash(hashes, name))] for name in files]
    stages = [
        [name, setting(section({"stage": one}, "stage").get("finished")), setting(one.get("seconds"))]
        for name, one in section(info, "stages").items()
        if isinstance(one, dict)
    ]
    packages = [[name, version] for name, version in section(info, "packages").items()]
    return Section(
        "Where it comes from",
        (
            grid("SHA-256 of files", ("File", "SHA-256"), rows),
            grid("Stages of the run", ("Stage", "Finished", "Seconds"), stages),
            grid("Versions of packages", ("Package", "Version"), packages),
        ),
    )


def configuration(yaml: str) -> Section:
    """The whole configuration, which makes the run again."""
    return Section(
        "Configuration",
        (Paragraph("As a file, `rice-ssl run CONFIG` makes the run again."), Code(yaml, "yaml")),
    )
