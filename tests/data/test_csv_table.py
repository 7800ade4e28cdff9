from __future__ import annotations

import pytest

from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.errors import InputError

GOOD = [["a.jpg", "blast"], ["b.jpg", "brown"]]


@pytest.mark.parametrize(
    "content",
    [
        b"Image_id,Label\na.jpg,blast\nb.jpg,brown\n",
        b"\xef\xbb\xbfImage_id,Label\na.jpg,blast\nb.jpg,brown",
        b"Image_id,Label\r\na.jpg,blast\r\n\r\nb.jpg,brown\r\n,\r\n",
        b"Image_id,Label\ra.jpg,blast\rb.jpg,brown\r",
        b"\n\n image_ID ; LABEL \n a.jpg ; blast\n\nb.jpg;brown\n",
        b'"Image_id"\t"Label"\n"a.jpg"\tblast\nb.jpg\tbrown\n',
        b"Image_id,Label\na.jpg,blast,\nb.jpg,brown,,\n",
    ],
    ids=[
        "plain",
        "bom",
        "crlf and blank lines",
        "cr",
        "semicolons, case, spaces",
        "tabs and quotes",
        "trailing commas",
    ],
)
def test_tables_as_people_write_them(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    table = read_csv_table(tmp_path / "t.csv", ("Image_id", "Label"))
    assert table.columns.tolist() == ["Image_id", "Label"]
    assert table.to_numpy().tolist() == GOOD


def test_short_rows_have_blank_values_and_words_like_nan_stay_words(tmp_path):
    (tmp_path / "t.csv").write_text("Image_id,Label,site\na.jpg\nNA,null,nan\n")
    assert read_csv_table(tmp_path / "t.csv", ("Image_id",)).to_numpy().tolist() == [
        ["a.jpg", "", ""],
        ["NA", "null", "nan"],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing: put a CSV with the columns Image_id, Label there"),
        (b"", "is empty: give a CSV with the columns Image_id, Label"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "is not UTF-8 text: save it as a UTF-8 CSV"),
        ("Image_id,Label\na,b\n".encode("utf-16"), "is not UTF-8 text"),
        (b"Image_id,Label\na\0,b\n", "is no text file"),
        (
            b"a.jpg,blast\nb.jpg,brown\n",
            r"lacks the column 'Image_id' \(its first line is: a.jpg, blast\): add or rename it",
        ),
        (b"Image_id,Class\na.jpg,blast\n", "lacks the column 'Label'"),
        (b"Image_id,Label,label\na.jpg,blast,brown\n", "has two columns of one name"),
        (b"Image_id,Label\na.jpg,blast\nb.jpg,brown,1,2\n", "has 4 values in row 3, but 2 columns: correct that row"),
        (b'Image_id,Label\na.jpg,"blast\nb.jpg,brown\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_table_gets_one_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_csv_table(tmp_path / "t.csv", ("Image_id", "Label"))
    assert "\n" not in str(caught.value)
