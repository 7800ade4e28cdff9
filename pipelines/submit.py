"""``rice-ssl submit``: the challenge's CSV for the test pairs of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from rice_ssl.artifacts import TABLES, RunStore, atomic_path
from rice_ssl.config import RunConfig
from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.sensors import BOTH
from rice_ssl.submission import (
    ID,
    check_submission,
    clip_probabilities,
    fault_of_probabilities,
    judged_probabilities,
    judges_for,
)

_BY = {"cross_validation": "the networks of all folds", "predictions": "the run's classifier"}


@dataclass(frozen=True)
class SubmitSummary:
    """What was written.

    Attributes:
        csv: the file.
        rows: in it.
        table: whose probabilities they are: ``cross_validation`` or ``predictions``.
        judge: ``both``, or the one sensor that the classifier was trained on.
        from_one_image: rows that ``both`` should have judged, but one sensor alone did.
        without_prediction: rows that got the classes' shares among the training pairs.
        not_asked: test pairs with a prediction that the sample does not name, and that were left out.
        checked_against: the sample, if there was one.
    """

    csv: str
    rows: int
    table: str
    judge: str
    from_one_image: int
    without_prediction: int
    not_asked: int
    checked_against: str | None

    def text(self) -> str:
        """Readable summary."""
        seen = "all images of a pair" if self.judge == BOTH else f"its {self.judge} image"
        said = [f"{self.csv}: {self.rows} rows by {_BY[self.table]} from {seen}"]
        said.append(
            f"checked against {self.checked_against}" if self.checked_against else "no SampleSubmission.csv to check"
        )
        text = ", ".join(said)
        for count, words in (
            (self.from_one_image, "ids have one image and were judged from that"),
            (self.without_prediction, "ids without a prediction got the class shares"),
            (self.not_asked, "test pairs are not asked for and were left out"),
        ):
            text += f"; {count} {words}" if count else ""
        return text


@dataclass(frozen=True)
class _Asked:
    """Ids to write, with the pair of each, and the classes in the order in which they are asked for."""

    ids: list[str]
    pairs: list[str]
    columns: list[str]


def run_submit(
    store: RunStore, config: RunConfig, *, out: Path | None = None, sample: Path | None = None
) -> SubmitSummary:
    """Write one row for each test pair, from all its sensors, or from the one that the classifier was trained on.

    Cross-validation's answers (of the networks of all folds) are taken where there are any for test pairs, else those
    of the run's own classifier.

    Args:
        store: the run.
        config: its configuration.
        out: the CSV; ``submission.csv`` in the run where None.
        sample: SampleSubmission.csv; the one beside the images where None and there.

    Raises:
        ArtifactError: the run has no predictions, or some that are no probabilities.
        InputError: there is no test pair, or the sample has other classes, other ids, or an id twice.
    """
    info, manifest = store.info(), store.read_table("manifest")
    classes, sensors = list(info["classes"]), [sensor["name"] for sensor in info["sensors"]]
    name, table = _probabilities(store)
    test = manifest[manifest["split"] == "test"]
    if test.empty:
        raise InputError(
            f"{store.root} has no test pair to submit: import images with a Test.csv, or labels with a column "
            "'split' that says test."
        )
    judges = judges_for(config.finetune.sensors, sensors)
    judged = judged_probabilities(table, judges)
    for pair_id, values in judged["probabilities"].items():
        fault = fault_of_probabilities(np.asarray(values), len(classes))
        if fault is not None:
            made_by = TABLES[name].made_by.format(run=store.root)
            raise ArtifactError(
                f"Pair {pair_id} of {store.root / TABLES[name].file} {fault}: make it with `{made_by}`."
            )
    beside = Path(info["data_root"]) / "SampleSubmission.csv"
    sample = sample or (beside if beside.is_file() else None)
    asked = (
        _asked_by_run(test, classes) if sample is None else _asked_by(sample, store, test, set(judged.index), classes)
    )
    shares = _class_shares(manifest, classes)
    known = [pair_id in judged.index for pair_id in asked.pairs]
    rows = [
        np.asarray(judged.at[pair_id, "probabilities"]) if there else shares
        for pair_id, there in zip(asked.pairs, known, strict=True)
    ]
    written = pd.DataFrame(clip_probabilities(np.stack(rows)), columns=classes)[asked.columns]
    written.insert(0, ID, asked.ids)
    check_submission(written, asked.ids, asked.columns, str(sample or store.root))
    path = out or store.root / "submission.csv"
    with atomic_path(path) as temporary:
        written.to_csv(temporary, index=False, float_format="%.9f")
    if out is None:
        store.note_hash("submission.csv")
    by = judged["judge"].reindex(asked.pairs).dropna()
    left = judged.index.intersection(pd.Index(test["pair_id"].unique())).difference(pd.Index(asked.pairs))
    return SubmitSummary(
        csv=path.as_posix(),
        rows=len(written),
        table=name,
        judge=judges[0],
        from_one_image=int((by != judges[0]).sum()),
        without_prediction=known.count(False),
        not_asked=len(left),
        checked_against=None if sample is None else sample.as_posix(),
    )


def _probabilities(store: RunStore) -> tuple[str, pd.DataFrame]:
    """Name of the table that is taken, and its rows of test pairs."""
    columns = ["pair_id", "sensor", "probabilities", "split"]
    if store.has("cross_validation"):
        table = store.read_table("cross_validation", columns)
        table = table[table["split"] == "test"]
        if len(table):
            return "cross_validation", table
    return "predictions", store.read_table("predictions", columns)


def _asked_by_run(test: pd.DataFrame, classes: list[str]) -> _Asked:
    """A row for each test pair, named by its first sensor's file, or by its id where files share their names."""
    names = test.groupby("pair_id", sort=True)["path"].first().map(lambda path: PurePosixPath(path).name)
    pairs = names.index.tolist()
    return _Asked(names.tolist() if names.is_unique else pairs, pairs, classes)


def _asked_by(sample: Path, store: RunStore, test: pd.DataFrame, judged: set[str], classes: list[str]) -> _Asked:
    """What a SampleSubmission.csv names; an id stands for the pair of that file, or of that name without ending."""
    table = read_csv_table(sample, (ID,))
    columns = [column for column in table.columns if column != ID]
    if set(columns) != set(classes):
        raise InputError(
            f"{sample} has the classes {', '.join(columns)}, the run {', '.join(classes)}: give the right one."
        )
    ids = table[ID].tolist()
    twice = table.loc[table[ID].duplicated(), ID]
    if len(twice):
        raise InputError(f"{sample} names {len(twice)} ids more than once (the first: {twice.iloc[0]}): keep one each.")
    pair_of = {
        PurePosixPath(path).stem: pair_id for pair_id, path in zip(test["pair_id"], test["path"], strict=True)
    } | {pair_id: pair_id for pair_id in [*test["pair_id"], *judged]}
    stems = [PurePosixPath(one).stem for one in ids]
    if not any(stem in pair_of for stem in stems):
        example = f" (e.g. {stems[0]})" if stems else ""
        raise InputError(f"{sample} names no test pair of {store.root}{example}: give the right one.")
    return _Asked(ids, [pair_of.get(stem, stem) for stem in stems], columns)


def _class_shares(manifest: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """Each class's share of the labelled training pairs, shape (C,); equal shares where there is none."""
    train = manifest[(manifest["split"] == "train") & manifest["label"].isin(classes)]
    labels = train.groupby("pair_id")["label"].first()
    if labels.empty:
        return np.full(len(classes), 1 / len(classes))
    return labels.value_counts(normalize=True).reindex(classes, fill_value=0.0).to_numpy()
