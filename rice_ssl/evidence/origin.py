"""Which run, weights and data evidence comes from, with their hashes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rice_ssl import __version__
from rice_ssl.artifacts import RunStore, sha256_file
from rice_ssl.errors import ArtifactError
from rice_ssl.evidence.leaf import FileHash, RunFacts

_SAME, _CHANGED, _GONE = "the file is that one", "the file was CHANGED since", "the file is not here"


def run_facts(store: RunStore, judged_by: str | None, missing: list[str], made: datetime | None = None) -> RunFacts:
    """What there is to say of a run.

    Args:
        store: the run.
        judged_by: table of its predictions, None where there is none.
        missing: sentences on what it lacks; those on weights are added.
        made: when the evidence is put together; now when left out.

    Raises:
        ArtifactError: ``run.json`` cannot be read, or lacks sensors or classes.
    """
    info = store.info()
    try:
        titles = {str(sensor["name"]): str(sensor["title"]) for sensor in info["sensors"]}
        classes = tuple(str(name) for name in info["classes"])
    except (KeyError, TypeError):
        raise ArtifactError(
            f"{store.root / 'run.json'} lacks sensors or classes. Make the run anew with `rice-ssl run CONFIG`."
        ) from None
    other = info.get("weights_from")
    if judged_by == "cross_validation":
        missing.append("Predictions are those of cross-validation, whose networks are not kept: no hash is of them.")
    return RunFacts(
        name=str(info.get("name", store.root.name)),
        created=str(info.get("created", "")),
        simulated=bool(info.get("simulated")),
        weights_simulated=bool(info.get("weights_simulated")) and not info.get("simulated"),
        made=(made or datetime.now(UTC)).isoformat(timespec="seconds"),
        version=__version__,
        classes=classes,
        titles=titles,
        judged_by=judged_by,
        weights_of=str(other) if other else None,
        weights=_weights(store, missing),
        manifest=store.hash_of("manifest"),
        missing=tuple(missing),
    )


def _weights(store: RunStore, missing: list[str]) -> tuple[FileHash, ...]:
    """Hashes of the weights that judged the run's images, of the run that they come from."""
    source = store.source_of_weights()
    if not source.exists:
        missing.append(f"The weights are those of the run at {source.root}, which is not there: no hash is known.")
        return ()
    noted = source.info()["hashes"]
    found = []
    for path in sorted((source.root / "weights" / Path(name).name) for name in noted if name.startswith("weights/")):
        file = f"weights/{path.name}"
        if path.suffix != ".safetensors" or file not in noted:
            continue
        sha256 = str(noted[file].get("sha256", "")) if isinstance(noted[file], dict) else ""
        state = _GONE if not path.is_file() else _SAME if sha256_file(path) == sha256 else _CHANGED
        found.append(FileHash(file, sha256, state))
    if not found:
        missing.append(f"{source.root / 'run.json'} notes no weights: no hash is known.")
    return tuple(found)
