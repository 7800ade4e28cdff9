"""``rice-ssl submit``: the challenge's CSV for the test pairs of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.config import RunConfig
from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.errors import InputError
from rice_ssl.sensors import BOTH
from rice_ssl.submission import clip_probabilities


@dataclass(frozen=True)
class SubmitSummary:
    """What was written; ``without_prediction`` rows got the classes' shares among the training pairs."""

    csv: str
    rows: int
    without_prediction: int
    checked_against: str | None

    def text(self) -> str:
        """Readable summary."""
        checked = (
            f"checked against {self.checked_against}" if self.checked_against else "no SampleSubmission.csv to check"
        )
        prior = (
            f"; {self.without_prediction} ids without a prediction got the class shares"
            if self.without_prediction
            else ""
        )
        return f"{self.csv}: {self.rows} rows, {checked}{prior}"


def run_submit(
    store: RunStore, config: RunConfig, *, out: Path | None = None, sample: Path | None = None
) -> SubmitSummary:
    """Write one row for each test pair, from all its sensors.

    Args:
        store: the run.
        config: its configuration.
        out: the CSV; ``submission.csv`` in the run where None.
        sample: SampleSubmission.csv; the one beside the images where None and there.

    Raises:
        ArtifactError: the run has no predictions.
        InputError: there is no test pair, or the sample has other classes or other ids.
    """
    classes = list(store.info()["classes"])
    manifest, predictions = store.read_table("manifest"), store.read_table("predictions")
    test = manifest[manifest["split"] == "test"]
    if test.empty:
        raise InputError(
            f"{store.root} has no test pair to submit: import images with a Test.csv, or labels with a column "
            "'split' that says test."
        )
    names = test.groupby("pair_id", sort=True)["path"].first().map(lambda path: PurePosixPath(path).name)
    judged = predictions[predictions["sensor"] == BOTH].set_index("pair_id")["probabilities"]
    train = (
        manifest[(manifest["split"] == "train") & manifest["label"].isin(classes)].groupby("pair_id")["label"].first()
    )
    shares = train.value_counts(normalize=True).reindex(classes, fill_value=0.0).to_numpy()
    beside = Path(store.info()["data_root"]) / "SampleSubmission.csv"
    sample = sample or (beside if beside.is_file() else None)
    ids = names
    columns = classes
    if sample is not None:
        asked = read_csv_table(sample, ("Image_id",))
        columns = [column for column in asked.columns if column != "Image_id"]
        if set(columns) != set(classes):
            raise InputError(
                f"{sample} has the classes {', '.join(columns)}, the run {', '.join(classes)}: give the right one."
            )
        stems = asked["Image_id"].map(lambda image: PurePosixPath(image).stem)
        ids = pd.Series(asked["Image_id"].to_numpy(), index=stems.to_numpy())
        unknown = [stem for stem in stems if stem not in names.index and stem not in judged.index]
        if len(unknown) == len(stems):
            raise InputError(f"{sample} names no test pair of {store.root} (e.g. {unknown[0]}): give the right one.")
    known = [pair_id in judged.index for pair_id in ids.index]
    rows = [judged[pair_id] if there else shares for pair_id, there in zip(ids.index, known, strict=True)]
    table = pd.DataFrame(clip_probabilities(np.stack(rows)), columns=classes)[columns]
    table.insert(0, "Image_id", ids.to_numpy())
    path = out or store.root / "submission.csv"
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9f")
    if out is None:
        store.note_hash("submission.csv")
    return SubmitSummary(path.as_posix(), len(table), known.count(False), None if sample is None else sample.as_posix())
