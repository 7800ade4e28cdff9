"""From a YAML file, or a run directory, to a validated :class:`rice_ssl.config.RunConfig`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from rice_ssl.artifacts import RunStore
from rice_ssl.config import AblationConfig, ComparisonConfig, RunConfig
from rice_ssl.errors import InputError
from rice_ssl.run_config import config_of_run, parse_config, validate

_ABLATION: TypeAdapter[AblationConfig] = TypeAdapter(AblationConfig)
_COMPARISON: TypeAdapter[ComparisonConfig] = TypeAdapter(ComparisonConfig)


def read_config(path: Path) -> RunConfig:
    """Read a run's YAML.

    Raises:
        InputError: the file is missing, is not YAML, or does not validate.
    """
    return parse_config(_read_yaml(path), str(path))


def read_ablation_config(path: Path) -> AblationConfig:
    """Read an ablation's YAML.

    Raises:
        InputError: the file is missing, is not YAML, or does not validate.
    """
    return validate(_ABLATION, _read_yaml(path), str(path), "name, out, settings, grid, ...")


def read_comparison_config(path: Path) -> ComparisonConfig:
    """Read a comparison's YAML.

    Raises:
        InputError: the file is missing, is not YAML, or does not validate.
    """
    return validate(_COMPARISON, _read_yaml(path), str(path), "name, out, settings, sensors, ...")


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Configuration {path} cannot be read ({error}). Give the path of a YAML file.") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"Configuration {path} is not YAML ({problem}). Correct it at that line.") from None


def resolve_target(target: Path) -> tuple[RunStore, RunConfig]:
    """Take what a user names, a run directory or its YAML, and give store and configuration.

    Raises:
        InputError: it is neither.
        ArtifactError: the run directory cannot be read.
    """
    if target.is_dir():
        store = RunStore(target)
        return store, config_of_run(store)
    if target.suffix.lower() in {".yaml", ".yml"}:
        config = read_config(target)
        return RunStore(Path(config.run)), config
    raise InputError(f"{target} is neither a run directory nor a YAML file. Give one of the two.")


def with_changes(config: RunConfig, **changes: Any) -> RunConfig:
    """Copy of a configuration with some top-level fields replaced."""
    return dataclasses.replace(config, **changes)
