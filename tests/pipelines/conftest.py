"""A tiny run, made once: ``first`` is what the command said, ``folder`` holds images, YAML and run."""

import json

import pytest
import yaml

from tests.pipelines.tiny_run import rice_ssl, settings


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("whole")
    (where / "run.yaml").write_text(yaml.safe_dump(settings(where)))
    return where


@pytest.fixture(scope="session")
def first(folder):
    return json.loads(rice_ssl("run", folder / "run.yaml", "--json", "--no-progress").stdout)
