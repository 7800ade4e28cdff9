"""A whole simulated data set in the challenge's layout: drawn by several processes, resumable, never half written."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from rice_ssl.data.simulate.config import GENERATOR_VERSION, SimulationConfig
from rice_ssl.data.simulate.files import IMAGES, MASKS, ROWS, TruthRow, pair_files, read_row, write_pair, write_whole
from rice_ssl.data.simulate.pair import CLASSES, SENSORS, SUFFIXES, PairPlan, plan_pair
from rice_ssl.errors import InputError

MARKER: Final = "SIMULATED.json"
_TABLES: Final = ("Train.csv", "Test.csv", "SampleSubmission.csv", "test_labels.csv", "truth.csv")
_TEXT_COLUMNS: Final = ("pair_id", "label", "split", "evidence", "marks", "ground")


@dataclass(frozen=True)
class SimulatedDataset:
    """What ``simulate_dataset`` leaves behind.

    Attributes:
        folder: where it lies.
        config: its settings.
        drawn: pairs drawn by this call; the others were there already.
        labels: pairs per class.
        evidence: pairs per evidence (``both``, ``rgb``, ``rgnir``).
        train: labelled pairs.
        test: pairs of Test.csv.
    """

    folder: Path
    config: SimulationConfig
    drawn: int
    labels: dict[str, int]
    evidence: dict[str, int]
    train: int
    test: int


def _marker(config: SimulationConfig, complete: bool) -> dict[str, Any]:
    return {
        "simulated": True,
        "generator": "rice_ssl.data.simulate",
        "generator_version": GENERATOR_VERSION,
        **asdict(config),
        "complete": complete,
    }


def _claim(folder: Path, config: SimulationConfig) -> None:
    """Take an empty folder, or one that an earlier call with the same settings began."""
    wanted = _marker(config, complete=False)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder to simulate into.")
    marker = folder / MARKER
    if marker.exists():
        try:
            found = json.loads(marker.read_text())
            differing = [key for key in wanted if key != "complete" and found.get(key) != wanted[key]]
        except (json.JSONDecodeError, AttributeError, UnicodeDecodeError) as error:
            raise InputError(f"{marker} cannot be read ({error}); name another folder, or delete this one.") from error
        if differing:
            told = ", ".join(f"{key} {found.get(key)!r} instead of {wanted[key]!r}" for key in differing)
            raise InputError(f"{folder} holds another simulated data set ({told}); name another folder, or delete it.")
        return
    if folder.exists() and (foreign := sorted(path.name for path in folder.iterdir())):
        raise InputError(
            f"{folder} holds files that the simulator did not write ({foreign[0]}{', ...' if len(foreign) > 1 else ''})"
            "; name an empty or a new folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(marker, json.dumps(wanted, indent=2).encode())


def _finished_rows(folder: Path) -> dict[str, TruthRow]:
    """Rows of truth.csv by pair, as a completed call left them."""
    path = folder / "truth.csv"
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {
            line["pair_id"]: {
                key: value if key in _TEXT_COLUMNS else (float(value) if "." in value or "e" in value else int(value))
                for key, value in line.items()
            }
            for line in csv.DictReader(stream)
        }


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, stream.getvalue().encode())


def _write_tables(folder: Path, rows: list[TruthRow], names: Sequence[str]) -> None:
    """Write those named of the challenge's three tables, the test pairs' labels and the truth, in order of the ids."""
    rows = sorted(rows, key=lambda row: str(row["pair_id"]))
    train = [row for row in rows if row["split"] == "train"]
    test = [row for row in rows if row["split"] == "test"]
    suffixes = [SUFFIXES[sensor] for sensor in SENSORS]
    columns = list(rows[0])
    content: dict[str, tuple[Sequence[str], Sequence[Sequence[object]]]] = {
        "Train.csv": (
            ("Image_id", "Label"),
            [(f"{row['pair_id']}{suffix}.jpg", row["label"]) for row in train for suffix in suffixes],
        ),
        "Test.csv": (("Image_id",), [(f"{row['pair_id']}{suffix}.jpg",) for row in test for suffix in suffixes]),
        "SampleSubmission.csv": (
            ("Image_id", *CLASSES),
            [(f"{row['pair_id']}.jpg", *(0 for _ in CLASSES)) for row in test],
        ),
        "test_labels.csv": (("pair_id", "label"), [(row["pair_id"], row["label"]) for row in test]),
        "truth.csv": (columns, [[row[column] for column in columns] for row in rows]),
    }
    for name in names:
        _write_csv(folder / name, *content[name])


def _draw(folder: Path, seed: int, plans: Sequence[PairPlan], workers: int, bar: tqdm[Any]) -> None:
    """Draw pairs, in this process or in several spawned ones."""
    if workers == 1 or len(plans) < 2 * workers:
        for plan in plans:
            write_pair(folder, seed, plan)
            bar.update()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures: list[Future[str]] = [pool.submit(write_pair, folder, seed, plan) for plan in plans]
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def simulate_dataset(
    folder: Path, config: SimulationConfig, *, workers: int = 2, progress: bool = True
) -> SimulatedDataset:
    """Simulate paired rice-leaf photographs into a folder, in the layout of the Zindi challenge.

    The folder gets Images/ID.jpg and Images/ID_rgn.jpg (500x400), masks/ID[_rgn]_leaf.png and _lesion.png (0 or 255;
    leaf = the main leaf; lesion = lesions proper without halo, drawn for both sensors even where only one shows them:
    see ``evidence`` in truth.csv), and last Train.csv, Test.csv, SampleSubmission.csv, test_labels.csv, truth.csv.
    SIMULATED.json says ``"complete": true`` once everything is there. A call that was interrupted goes on where it
    stopped, and one that had finished makes only what has gone missing, pictures or tables.

    Args:
        folder: a new or empty folder, or one that a call with the same settings began.
        config: the settings.
        workers: processes that draw, >= 1; the pictures do not depend on it.
        progress: whether to show a bar with rate and remaining time on stderr.

    Returns:
        A summary.

    Raises:
        InputError: the folder holds something else, or ``workers`` is below 1.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}; give at least 1.")
    _claim(folder, config)
    for name in (IMAGES, MASKS, ROWS):
        (folder / name).mkdir(exist_ok=True)
    for name in (".", IMAGES, MASKS, ROWS):
        for leftover in (folder / name).glob(".*.tmp"):
            leftover.unlink()
    plans = [plan_pair(config.seed, index, config.test_fraction) for index in range(config.pairs)]
    known = _finished_rows(folder)
    for plan in plans:
        row = read_row(folder, plan.pair_id)
        if row is not None:
            known[plan.pair_id] = row
    present = {path.name for name in (IMAGES, MASKS) for path in (folder / name).iterdir()}
    missing = [
        plan
        for plan in plans
        if plan.pair_id not in known or any(path.name not in present for path in pair_files(folder, plan.pair_id))
    ]
    with tqdm(
        total=len(plans),
        initial=len(plans) - len(missing),
        desc="simulate",
        unit="pair",
        file=sys.stderr,
        disable=not progress,
    ) as bar:
        _draw(folder, config.seed, missing, workers, bar)
    for plan in missing:
        row = read_row(folder, plan.pair_id)
        if row is None:
            raise InputError(f"{folder / ROWS} lost the row of {plan.pair_id}; call again, alone.")
        known[plan.pair_id] = row
    rows = [known[plan.pair_id] for plan in plans]
    whole = not missing and json.loads((folder / MARKER).read_text())["complete"]
    lost = [name for name in _TABLES if not (whole and (folder / name).is_file())]
    if lost:
        _write_tables(folder, rows, lost)
        write_whole(folder / MARKER, json.dumps(_marker(config, complete=True), indent=2).encode())
    shutil.rmtree(folder / ROWS)
    return SimulatedDataset(
        folder=folder,
        config=config,
        drawn=len(missing),
        labels={label: sum(plan.label == label for plan in plans) for label in CLASSES},
        evidence=dict(Counter(plan.evidence for plan in plans)),
        train=sum(plan.split == "train" for plan in plans),
        test=sum(plan.split == "test" for plan in plans),
    )
