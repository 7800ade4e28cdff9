"""From plain values, as a run directory notes them, to a validated :class:`rice_ssl.config.RunConfig`, and back."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.errors import InputError

_ADAPTER: TypeAdapter[RunConfig] = TypeAdapter(RunConfig)
Config = TypeVar("Config")


def parse_config(content: Any, source: str) -> RunConfig:
    """Validate a run's configuration.

    Args:
        content: what YAML or JSON gave; a mapping is expected.
        source: what to call it in messages.

    Raises:
        InputError: a field is unknown, missing or out of range; the message names every such field and its value.
    """
    return validate(_ADAPTER, content, source, "name, run, data, ...")


def validate(adapter: TypeAdapter[Config], content: Any, source: str, fields: str) -> Config:
    """Validate settings of any kind.

    Args:
        adapter: of the dataclass.
        content: what YAML or JSON gave; a mapping is expected.
        source: what to call it in messages.
        fields: the first ones, for messages.

    Raises:
        InputError: a field is unknown, missing or out of range; the message names every such field and its value.
    """
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
