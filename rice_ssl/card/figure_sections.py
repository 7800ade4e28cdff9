"""How well a run does: figures by split and judge, agreement of sensors, and which bands matter."""

from __future__ import annotations

from typing import Any

from rice_ssl.card.blocks import Block, Bullets, Paragraph, Section, grid
from rice_ssl.card.facts import Facts, section
from rice_ssl.card.words import FIGURES, NOTHING, SPLITS, figure, judge, setting
from rice_ssl.sensors import BOTH


def metrics(facts: Facts) -> Section:
    """What is measured, and how sure it is."""
    report = facts.documents["report"] or {}
    confidence, bootstrap = report.get("confidence"), report.get("bootstrap")
    sure = (
        "Figures stand with their interval in brackets"
        + (f", of {100 * confidence:g}% confidence" if isinstance(confidence, float) else "")
        + ". It is over pairs"
        + (f" ({bootstrap} repetitions where it is a bootstrap's)" if bootstrap else "")
        + ": how far the figure may be from that of many more pairs of the same kind. It does not hold what another "
        "training would do."
    )
    return Section(
        "Metrics",
        (
            Bullets(
                (
                    "Accuracy: share of pairs whose most probable class is the label.",
                    "Log loss: mean of minus the logarithm of the label's probability, in nats; lower is better.",
                    "Macro F1: mean over classes of the harmonic mean of precision and recall.",
                    "Brier score: mean squared distance of the probabilities from the label; lower is better.",
                    "ECE: mean distance of confidence and accuracy over bins of confidence; lower is better.",
                )
            ),
            Paragraph(sure),
        ),
    )


def analyses(facts: Facts) -> Section:
    """Figures of each split."""
    if facts.documents["report"] is None:
        return Section("Quantitative analyses", (Paragraph(f"There are no figures. {facts.missing['report']}"),))
    if not any(section(part, "sensors") for part in facts.splits.values()):
        return Section("Quantitative analyses", (Paragraph("No pair outside the training split has a label."),))
    blocks: list[Block] = []
    for split, part in facts.splits.items():
        blocks += _split_blocks(split, part)
    return Section("Quantitative analyses", tuple(blocks))


def _split_blocks(split: str, part: dict[str, Any]) -> list[Block]:
    judges = section(part, "sensors")
    blocks: list[Block] = []
    if judges:
        names = [name for name in FIGURES if any(name in section(one, "figures") for one in judges.values())]
        rows = [
            [judge(who), one.get("n", NOTHING), *(figure(section(one, "figures").get(name)) for name in names)]
            for who, one in judges.items()
        ]
        caption = f"Split `{split}`, {SPLITS.get(split, 'as in the report')}"
        blocks.append(grid(caption, ("Judged from", "Labelled pairs", *(FIGURES[name] for name in names)), rows))
        main = BOTH if BOTH in judges else next(iter(judges))
        by_class = judges[main].get("by_class") or []
        if by_class:
            own = [
                [one.get("name"), one.get("n"), *(figure(one.get(name)) for name in ("precision", "recall", "f1"))]
                for one in by_class
            ]
            header = ("Class", "Labelled pairs", "Precision", "Recall", "F1")
            blocks.append(grid(f"Split `{split}` by class, judged from {judge(main)}", header, own))
    for words in (_agreement(part), _complementarity(part)):
        if words:
            blocks.append(Paragraph(f"Split `{split}`: {words}"))
    rows = [
        [
            f"{judge(one.get('a', ''))} minus {judge(one.get('b', ''))}",
            FIGURES.get(str(one.get("name")), one.get("name")),
            figure(one),
        ]
        for one in part.get("differences") or []
    ]
    if rows:
        blocks.append(grid(f"Split `{split}`: paired differences", ("Judges", "Figure", "Difference"), rows))
    return blocks


def _agreement(part: dict[str, Any]) -> str:
    found = section(part, "agreement")
    if not found:
        return ""
    first, second = found.get("sensors", ("the first sensor", "the second"))
    text = f"{first} and {second} agree on {figure(found.get('rate'))} of {found.get('pairs', NOTHING)} pairs"
    if found.get("kappa"):
        text += f", Cohen's kappa {figure(found['kappa'])}"
    if found.get("divergence"):
        text += f", Jensen-Shannon divergence {figure(found['divergence'])} bits"
    test = section(found, "mcnemar")
    if test:
        text += (
            f"; only {first} is right on {setting(test.get('first_only'))}, only {second} on "
            f"{setting(test.get('second_only'))} (McNemar, {test.get('method')}: p = {test.get('p', float('nan')):.3g})"
        )
    return text + "."


def _complementarity(part: dict[str, Any]) -> str:
    found = section(part, "complementarity")
    if not found:
        return ""
    best = section(found, "best_single")
    text = (
        f"both sensors are right on {found.get('both_right', NOTHING)} of {found.get('pairs', NOTHING)} pairs, "
        f"neither on {found.get('neither', NOTHING)}; whoever knew which of the two to trust would be right on "
        f"{figure(found.get('oracle'))}, the better sensor alone ({best.get('sensor', NOTHING)}) is on {figure(best)}"
    )
    if found.get("joint"):
        text += f", both together on {figure(found['joint'])}, a gain of {figure(found.get('gain_of_fusion'))}"
    return text + "."


def channels(facts: Facts) -> Section:
    """What becomes of the answers when a band is replaced."""
    title, found = "Bands the classifier relies on", facts.documents["channels"]
    if found is None:
        return Section(title, (Paragraph(f"The classifier was not asked. {facts.missing['channels']}"),))
    replacements = {str(name): str(words) for name, words in section(found, "replacements").items()}
    sources = [str(one.get("words")) for one in found.get("sources") or [] if not one.get("same_band")]
    lines = [f"{name.replace('_', ' ')}: {words}" for name, words in replacements.items()]
    blocks: list[Block] = [
        Paragraph(
            "A band of one sensor's image is replaced, and the classifier that was trained with it is asked again. "
            "How often it answers otherwise says what it relies on, not what one trained without the band would do."
        ),
        Bullets(tuple(f"{line}." for line in [*lines, *sources])),
    ]
    questions = [one for one in found.get("questions") or [] if isinstance(one, dict)]
    for split in dict.fromkeys(str(one.get("split")) for one in questions):
        rows = [_question(one) for one in questions if one.get("split") == split]
        blocks.append(grid(f"Split `{split}`: band replaced, and what changed (after minus before)", _COLUMNS, rows))
    return Section(title, tuple(blocks))


_COLUMNS = (
    "Sensor and band", "Replaced by", "Pairs", "Answers flipped", "Accuracy", "Log loss", "Pairs' answers flipped",
    "Pairs' accuracy",
)  # fmt: skip


def _question(one: dict[str, Any]) -> list[object]:
    labelled, joint = section(one, "labelled"), section(one, "joint")
    return [
        f"{one.get('sensor')}, {one.get('band')}",
        str(one.get("replacement")).replace("_", " "),
        one.get("pairs", NOTHING),
        figure(one.get("flipped")),
        figure(section(labelled, "accuracy").get("difference")),
        figure(section(labelled, "log_loss").get("difference")),
        figure(joint.get("flipped")),
        figure(section(section(joint, "labelled"), "accuracy").get("difference")),
    ]


def attribution(facts: Facts) -> Section:
    """How far maps of the evidence may be trusted."""
    title, found = "Maps of the evidence, and their trust", facts.documents["attribution"]
    if found is None:
        return Section(title, (Paragraph(f"Maps were not measured. {facts.missing['attribution']}"),))
    blurs = [
        f"{name}: Gaussian blur of {one.get('sigma', float('nan')):.3g} px, under which the class predicted keeps a "
        f"probability of {one.get('remaining', float('nan')):.2f} (chance {one.get('chance', float('nan')):.2f})."
        for name, one in section(found, "blur").items()
        if isinstance(one, dict)
    ]
    rows = [_trust(one) for one in found.get("trust") or [] if isinstance(one, dict) and one.get("class") is None]
    blocks: list[Block] = [
        Paragraph(
            "Pixels are removed, those first that the map calls most relevant, and brought back likewise: the area "
            "under the class' probability when they are brought back, less that when they are removed, is the score. "
            "A map worth believing scores higher than random maps, and than one that always points at the centre."
        ),
        Bullets(tuple(blurs)),
        grid("Score of each kind of map", _TRUST_COLUMNS, rows),
    ]
    lesions = [one for one in found.get("localisation") or [] if isinstance(one, dict) and one.get("visible")]
    if lesions:
        blocks.append(
            grid("Simulated lesions that the sensor shows", _LESION_COLUMNS, [_lesions(one) for one in lesions])
        )
    return Section(title, tuple(blocks))


_TRUST_COLUMNS = (
    "Sensor and map", "Images", "Score", "Above random maps", "Above the centred Gaussian",
    "Maps better than random (p at most .05)",
)  # fmt: skip
_LESION_COLUMNS = ("Sensor and map", "Images", "Pointing game", "Relevance mass", "Relevance rank")


def _name(one: dict[str, Any]) -> str:
    layer = one.get("layer")
    of = "" if layer in (None, "none", "input") else f" of {layer}"
    return f"{one.get('sensor')}, {str(one.get('method')).replace('_', ' ')}{of}"


def _trust(one: dict[str, Any]) -> list[object]:
    figures = (figure(one.get(name)) for name in ("score", "above_random", "above_gaussian", "better_share"))
    return [_name(one), one.get("pairs", NOTHING), *figures]


def _lesions(one: dict[str, Any]) -> list[object]:
    return [_name(one), one.get("pairs", NOTHING), *(figure(one.get(name)) for name in ("pointing", "mass", "rank"))]


def headline(facts: Facts) -> str:
    """Accuracy and log loss of the split that says most: test, else out of fold, else validation."""
    for split in ("test", "oof", "val"):
        judges = section(facts.splits.get(split, {}), "sensors")
        if judges:
            main = BOTH if BOTH in judges else next(iter(judges))
            found = section(judges[main], "figures")
            return (
                f"On the {judges[main].get('n')} labelled pairs of the split `{split}`, judged from {judge(main)}: "
                f"accuracy {figure(found.get('accuracy'))}, log loss {figure(found.get('log_loss'))} nats."
            )
    return "There are no figures yet."
