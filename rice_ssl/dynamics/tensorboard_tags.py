"""What a tag of TensorBoard says: the metric, its split, and whether its steps are epochs, as Keras counts them."""

from __future__ import annotations

from dataclasses import dataclass

from rice_ssl.dynamics.logs import Unit
from rice_ssl.dynamics.metric_names import metric_of, normal_name, split_of, without_split


@dataclass(frozen=True)
class Meaning:
    """Metric, split and unit of a tag."""

    metric: str
    split: str
    unit: Unit


def meaning_of(tag: str, folder: str = ".") -> Meaning:
    """Read a tag: ``train/loss``, ``Loss/val``, or ``epoch_loss`` of the folder ``validation``.

    Of Keras' callback ``epoch_loss`` counts epochs, ``batch_loss`` and ``evaluation_loss_vs_iterations`` count steps.

    Args:
        tag: as it was written.
        folder: of its event file; its last part may say the split.
    """
    name = normal_name(tag)
    unit: Unit = "epoch" if name.startswith("epoch_") else "step"
    name = name.removeprefix("epoch_").removeprefix("batch_").removesuffix("_vs_iterations")
    metric, split = metric_of(name)
    if split_of(tag) is None:
        split = split_of(folder.rpartition("/")[2]) or split
    return Meaning(metric, split, unit)


def run_of(folder: str) -> str:
    """The folder less what in its last part says a split: ``a/train`` and ``a/validation`` are of the run ``a``."""
    above, _, last = folder.rpartition("/")
    if split_of(last) is None:
        return folder
    return "/".join(part for part in (above, without_split(last)) if part) or "."
