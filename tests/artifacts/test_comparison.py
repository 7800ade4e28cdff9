"""comparison.json is read as it was written, or it is said what is wrong with it."""

import json

import pytest

from rice_ssl.artifacts import COMPARISON_FILE, COMPARISON_SCHEMA_VERSION, read_comparison, write_comparison
from rice_ssl.errors import ArtifactError
from tests.dashboard.judged import COMPARISON


def test_what_was_written_is_read(tmp_path):
    path = write_comparison(tmp_path / "new", COMPARISON)
    assert path == tmp_path / "new" / COMPARISON_FILE
    assert read_comparison(tmp_path / "new") == {"schema_version": COMPARISON_SCHEMA_VERSION, **COMPARISON}
    assert [one.name for one in (tmp_path / "new").iterdir()] == [COMPARISON_FILE]


def test_what_is_not_a_number_is_not_written(tmp_path):
    write_comparison(tmp_path, COMPARISON)
    with pytest.raises(ValueError, match="JSON"):
        write_comparison(tmp_path, {**COMPARISON, "confidence": float("nan")})
    assert read_comparison(tmp_path)["confidence"] == 0.95


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no comparison at"),
        ("{", "cannot be read as JSON"),
        ("[]", "has schema version None"),
        (json.dumps({"schema_version": COMPARISON_SCHEMA_VERSION + 1}), "Update rice_ssl."),
        (json.dumps({**COMPARISON, "schema_version": 0}), "Make it with `rice-ssl compare CONFIG`."),
        (
            json.dumps(
                {
                    "schema_version": COMPARISON_SCHEMA_VERSION,
                    **{k: v for k, v in COMPARISON.items() if k != "transfer"},
                }
            ),
            "lacks 'transfer'",
        ),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, content, says):
    if content is not None:
        (tmp_path / COMPARISON_FILE).write_text(content)
    with pytest.raises(ArtifactError, match=says.replace("[", r"\[")):
        read_comparison(tmp_path)
