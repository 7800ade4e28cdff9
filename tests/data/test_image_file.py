from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rice_ssl.data.image_file import decode_image, open_image
from rice_ssl.data.inspection import inspect_images
from rice_ssl.errors import InputError
from tests.data.fake_images import bomb_png, picture


def _bytes(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _decoded(image: Image.Image, kind: str = "PNG", **options: object) -> np.ndarray:
    return np.asarray(decode_image(_bytes(image, kind, **options), "x"))


def test_an_rgb_file_comes_back_as_it_is():
    assert np.array_equal(_decoded(picture(1)), np.asarray(picture(1)))


def test_grey_is_repeated_in_every_band():
    grey = np.arange(60, dtype=np.uint8).reshape(6, 10)
    found = _decoded(Image.fromarray(grey))
    assert found.shape == (6, 10, 3)
    assert all(np.array_equal(found[..., band], grey) for band in range(3))


def test_sixteen_bits_keep_their_upper_eight():
    grey = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert _decoded(Image.fromarray(grey))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert _decoded(Image.fromarray(grey), "TIFF")[0, :, 2].tolist() == [0, 1, 128, 255]


def test_floats_are_scaled_by_their_maximum_and_nan_is_dark():
    values = np.array([[0.0, 0.5, 1.0, np.nan, np.inf]], dtype=np.float32)
    assert _decoded(Image.fromarray(values), "TIFF")[0, :, 1].tolist() == [0, 128, 255, 0, 0]
    assert _decoded(Image.fromarray(np.zeros((1, 2), np.float32)), "TIFF")[0, :, 1].tolist() == [0, 0]


def test_transparency_is_dropped_and_cmyk_becomes_rgb():
    image = picture(2).convert("RGBA")
    image.putalpha(7)
    assert np.array_equal(_decoded(image), np.asarray(picture(2)))
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert np.abs(_decoded(red, "JPEG", quality=100).astype(int) - [255, 0, 0]).max() <= 2


def test_exif_orientation_turns_the_picture_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    image = picture(3)
    assert np.array_equal(_decoded(image, exif=exif), np.rot90(np.asarray(image), -1))
    turned = decode_image(_bytes(image, "JPEG", exif=exif), "x", size=(10, 8))
    assert turned.size == (8, 10)


def test_resizing_is_antialiased_also_where_jpeg_decodes_small():
    """A fine checkerboard becomes its mean; nearest neighbour would give black or white."""
    fine = Image.fromarray((np.indices((640, 800)).sum(0) % 2 * 255).astype(np.uint8)).convert("RGB")
    for kind in ("PNG", "JPEG"):
        found = np.asarray(decode_image(_bytes(fine, kind), "x", size=(32, 40)))
        assert found.shape == (32, 40, 3)
        assert np.abs(found.astype(int) - 127.5).max() <= 3


def test_a_coarse_picture_keeps_its_colours_when_resized():
    large = picture(4, (400, 320))
    slow = np.asarray(large.resize((40, 32), Image.Resampling.BOX)).astype(int)
    found = np.asarray(decode_image(_bytes(large, "JPEG", quality=95), "x", size=(32, 40))).astype(int)
    assert np.abs(found - slow).mean() < 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is none of JPEG, PNG"),
        (b"I am a text, whatever my name says", "is none of JPEG, PNG"),
        (b"GIF89a\x01\x00\x01\x00\x80\x00\x00", "is none of JPEG, PNG"),
        (bomb_png(), "cannot be decoded"),
        (bomb_png(12_000, 9_000), "has 12000x9000 pixels, more than 100,000,000: make it smaller"),
        (_bytes(picture(5, (200, 160)), "JPEG")[:1500], "cannot be decoded .*[Tt]runcated"),
        (_bytes(picture(5, (200, 160)))[:2000], "cannot be decoded"),
    ],
    ids=["empty", "text", "other format", "bomb", "too large", "truncated jpeg", "truncated png"],
)
def test_what_is_no_picture_gets_one_sentence(content, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(InputError, match=message) as caught:
            decode_image(content, "leaf.jpg")
    assert str(caught.value).startswith("leaf.jpg ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_random_damage_never_escapes(kind):
    """1,000 files with some bytes changed: a picture of three bands, or an InputError."""
    rng = np.random.default_rng(0)
    good = np.frombuffer(_bytes(picture(6), kind), dtype=np.uint8)
    refused = 0
    for _ in range(200):
        bad = good.copy()
        bad[rng.integers(0, len(bad), rng.integers(1, 8))] = rng.integers(0, 256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert decode_image(bad.tobytes(), "x", size=(8, 8)).mode == "RGB"
            except InputError:
                refused += 1
    assert refused > 0 or kind == "BMP"


def test_a_huge_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "huge.jpg"
    with path.open("wb") as stream:
        stream.truncate(30_000_000_000)  # a hole: nothing is stored
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    message = (
        "huge.jpg has 30,000,000,000 bytes, more than 536,870,912, so it was not read: make it smaller or leave it out"
    )
    with pytest.raises(InputError, match=message):
        open_image(path)
    (found,) = inspect_images(tmp_path, ["huge.jpg"], progress=False)
    assert found.fault == ("unreadable", f"{message}.")


def test_what_is_no_file_or_no_name_is_told(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(
        InputError, match=r"folder.jpg cannot be read \(it is no regular file\): put an image file there"
    ):
        open_image(tmp_path / "folder.jpg")
    with pytest.raises(InputError, match="null"):
        open_image(tmp_path / "a\0.jpg")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"gone.jpg cannot be read \(No such file or directory\)"):
        open_image(tmp_path / "gone.jpg")
