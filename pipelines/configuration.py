"""From a YAML file, or a run directory, to a validated :class:`rice_ssl.config.RunConfig`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from rice_ssl.artifacts import RunStore
from rice_ssl.config import AblationConfig, ComparisonConfig, RunConfig
from rice_ssl.errors import InputError

_ADAPTER: TypeAdapter[RunConfig] = TypeAdapter(RunConfig)
_ABLATION: TypeAdapter[AblationConfig] = TypeAdapter(AblationConfig)
_COMPARISON: TypeAdapter[ComparisonConfig] = TypeAdapter(ComparisonConfig)
Config = TypeVar("Config")


def parse_config(content: Any, source: str) -> RunConfig:
    """Validate a run's configuration.

    Args:
        content: what YAML or JSON gave; a mapping is expected.
        source: what to call it in messages.

    Raises:
        InputError: a field is unknown, missing or out of range; the message names every such field and its value.
    """
    return _validate(_ADAPTER, content, source, "name, run, data, ...")


def _validate(adapter: TypeAdapter[Config], content: Any, source: str, fields: str) -> Config:
    if not isinstance(content, dict):
        raise InputError(f"{source} must hold a mapping of settings ({fields}), not {type(content).__name__}.")
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False):
            where = ".".join(str(part) for part in fault["loc"]) or "configuration"
            if fault["type"] == "unexpected_keyword_argument":
                faults.append(f"{where} is not a setting (remove it, or check its spelling)")
            elif fault["type"] in {"missing", "missing_argument"}:
                faults.append(f"{where} is missing (add it)")
            elif fault["type"] == "value_error":  # our own words: they begin with the field, and name value and remedy
                section = f"{where}." if fault["loc"] else ""
                faults.append(section + fault["msg"].removeprefix("Value error, "))
            else:
                value = "" if isinstance(fault["input"], dict) else f" is {fault['input']!r}"
                faults.append(f"{where}{value}: {fault['msg']}")
        raise InputError(f"{source} cannot be used: {'; '.join(faults)}.") from None


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
    return _validate(_ABLATION, _read_yaml(path), str(path), "name, out, settings, grid, ...")


def read_comparison_config(path: Path) -> ComparisonConfig:
    """Read a comparison's YAML.

    Raises:
        InputError: the file is missing, is not YAML, or does not validate.
    """
    return _validate(_COMPARISON, _read_yaml(path), str(path), "name, out, settings, sensors, ...")


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Configuration {path} cannot be read ({error}). Give the path of a YAML file.") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"Configuration {path} is not YAML ({problem}). Correct it at that line.") from None


def config_of_run(store: RunStore) -> RunConfig:
    """Configuration noted in a run directory.

    Raises:
        ArtifactError: the run cannot be read.
        InputError: its configuration does not validate.
    """
    return parse_config(store.info().get("config"), f"The configuration in {store.root}/run.json")


def config_to_dict(config: RunConfig) -> dict[str, Any]:
    """Plain lists, numbers and strings, as run.json holds them."""
    content: dict[str, Any] = _ADAPTER.dump_python(config, mode="json")
    return content


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
