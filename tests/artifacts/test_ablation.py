import json

import pytest

from rice_ssl.artifacts import ABLATION_FILE, read_ablation, write_ablation
from rice_ssl.errors import ArtifactError
from tests.fakes import ABLATION


def test_what_is_written_is_read(tmp_path):
    write_ablation(tmp_path / "new", ABLATION)
    assert read_ablation(tmp_path / "new") == {"schema_version": 1, **ABLATION}
    assert [path.name for path in (tmp_path / "new").iterdir()] == [ABLATION_FILE]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no ablation at .*rice-ssl ablate CONFIG"),
        ("{", "cannot be read as JSON"),
        ("[1]", "has schema version None, this version reads 1. Make it"),
        ('{"schema_version": 2}', "has schema version 2, this version reads 1. Update rice_ssl"),
        (json.dumps({"schema_version": 1, **{k: v for k, v in ABLATION.items() if k != "cells"}}), "lacks 'cells'"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_remedy(tmp_path, content, says):
    if content is not None:
        (tmp_path / ABLATION_FILE).write_text(content)
    with pytest.raises(ArtifactError, match=says):
        read_ablation(tmp_path)
