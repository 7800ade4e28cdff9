"""Begin a run directory: (simulate,) import, and note what the run is made of."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.configuration import with_changes
from pipelines.simulate import simulate
from rice_ssl.artifacts import NewerSchemaError, RunStore, locked
from rice_ssl.config import DataConfig, RunConfig
from rice_ssl.data.folder import import_folder
from rice_ssl.data.manifest import Manifest, read_manifest
from rice_ssl.data.zindi import import_zindi
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.run_config import config_of_run, config_to_dict
from rice_ssl.sensors import sensor_from_pattern

_PACKAGES = ("torch", "torchvision", "timm", "lightning", "numpy", "pandas", "scikit-learn", "umap-learn", "streamlit")


@dataclass(frozen=True)
class PrepareSummary:
    """What a run is made of."""

    pairs: int
    images: int
    sensors: tuple[str, ...]
    classes: tuple[str, ...]
    findings: int

    def text(self) -> str:
        """Readable summary."""
        return (
            f"{self.pairs} pairs, {self.images} images of {', '.join(self.sensors)}; "
            f"classes {', '.join(self.classes) or 'none'}; {self.findings} findings"
        )


def import_data(data: DataConfig, *, progress: bool = True) -> Manifest:
    """Import the images that a configuration names, simulating them first where it says so."""
    root = Path(data.root)
    if data.simulate is not None:
        made = data.simulate
        with locked(root.with_name(f".{root.name}.lock"), wait=True):  # beside it: what is in it is imported
            simulate(root, pairs=made.pairs, test_fraction=made.test_fraction, seed=made.seed, progress=progress)
    labels = None if data.test_labels is None else Path(data.test_labels)
    if data.layout == "zindi":
        return import_zindi(
            root,
            folds=data.folds,
            validation_fold=data.validation_fold,
            seed=data.split_seed,
            test_labels=labels,
            progress=progress,
        )
    return import_folder(
        root,
        [sensor_from_pattern(name, pattern) for name, pattern in data.sensors.items()],
        None if data.labels is None else Path(data.labels),
        folds=data.folds,
        validation_fold=data.validation_fold,
        seed=data.split_seed,
        progress=progress,
    )


def begin_run(store: RunStore, config: RunConfig, manifest: Manifest, **details: Any) -> PrepareSummary:
    """Create the run directory and write its manifest and findings; what else is there is left alone.

    Raises:
        NewerSchemaError: there is a run that a newer version made; an unreadable one is begun anew.
    """
    store.create(
        {
            **_noted(store),
            "name": config.name,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "config": config_to_dict(config),
            **noted_versions(),
            "data_root": manifest.root.as_posix(),
            "data_source": manifest.source,
            "simulated": manifest.simulated,
            "sensors": [asdict(sensor) for sensor in manifest.sensors],
            "classes": list(manifest.classes),
            **details,
        }
    )
    store.write_table("manifest", manifest.table)
    store.write_table("findings", manifest.findings)
    return PrepareSummary(
        pairs=int(manifest.table["pair_id"].nunique()),
        images=len(manifest.table),
        sensors=tuple(sensor.name for sensor in manifest.sensors),
        classes=tuple(manifest.classes),
        findings=len(manifest.findings),
    )


def _noted(store: RunStore) -> dict[str, Any]:
    """What run.json notes so far; nothing where it cannot be read."""
    try:
        return dict(store.info()) if store.exists else {}
    except NewerSchemaError:
        raise
    except ArtifactError:
        return {}


def begin_with_weights(folder: Path, manifest: Path, weights: RunStore) -> tuple[RunStore, RunConfig]:
    """Begin a run on other images, to be embedded with the weights of a trained run.

    Args:
        folder: the new run directory.
        manifest: folder that ``rice-ssl import`` made.
        weights: the trained run; its encoder, image size and classes hold for the new run too.

    Raises:
        InputError: ``folder`` is a trained run, or a run on other images.
        ArtifactError: the trained run or the manifest cannot be read.
    """
    trained = config_of_run(weights)
    images = read_manifest(manifest)
    store = RunStore(folder)
    if store.exists:
        noted = store.info()
        if "weights_from" not in noted:
            raise InputError(f"{folder} is a run with weights of its own: name another run directory.")
        if Path(noted["data_root"]).resolve() != images.root.resolve():
            raise InputError(
                f"{folder} is already a run on the images of {noted['data_root']}: name another run directory."
            )
    config = with_changes(
        trained,
        name=folder.name,
        run=folder.as_posix(),
        data=dataclasses.replace(trained.data, root=images.root.as_posix(), simulate=None, test_labels=None),
    )
    source = weights.info()
    begin_run(
        store,
        config,
        _split_by_what_was_seen(images, weights),
        classes=source["classes"],
        weights_from=source["name"],
        weights_run=weights.root.as_posix(),
        weights_simulated=bool(source["simulated"]),
    )
    return store, config


def _split_by_what_was_seen(images: Manifest, weights: RunStore) -> Manifest:
    """The manifest with every pair in the split ``test``, but for those whose image the weights were trained on.

    These keep the split that they had there (``train`` or ``val``), so that no figure flatters.
    """
    trained = weights.read_table("manifest", ["sha256", "split"]).query("split != 'test'").set_index("sha256")["split"]
    seen = images.table["sha256"].map(trained[~trained.index.duplicated()])
    of_pair = seen.groupby(images.table["pair_id"]).first()
    split = images.table["pair_id"].map(of_pair).fillna("test")
    return dataclasses.replace(images, table=images.table.assign(split=split))


def noted_versions() -> dict[str, Any]:
    """Versions of the packages, and revision of this project, as ``run.json`` notes them."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"packages": packages, "git_revision": _git_revision()}


def _git_revision() -> str | None:
    """Revision of this project's checkout, or None outside one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
