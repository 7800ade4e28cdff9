"""Every kind of file that somebody may upload: decoded to the values that it holds, or refused in one sentence."""

import io
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from rice_ssl.data import uploaded_image
from rice_ssl.data.image_file import decode_image
from rice_ssl.data.tiff_bands import read_bands, tiff_bands
from rice_ssl.data.uploaded_image import fewest_bits, inspect_upload, suggested_bands
from rice_ssl.errors import InputError
from rice_ssl.sensors import RGB, RGNIR, Sensor
from tests.data.fake_images import bomb_png, picture
from tests.data.tiff_files import DEFLATE_PLANES, LZW_TILES, gradient, tiff

SIZE = (20, 24)


def bytes_of(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def decoded(content, *bands, **options):
    return np.asarray(inspect_upload(content, "leaf").picture(bands or (0, 1, 2), **options))


def by_hand(values, top=65535):
    """Values of 16 bits in 8, pixel by pixel."""
    return np.array([min(255, round(int(value) * 255 / top)) for value in values.ravel()]).reshape(values.shape)


def png_16(values):
    """A PNG of 16-bit values, shape (height, width, 1, 3 or 4), by hand: Pillow writes no such colours."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, bands = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[bands], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# -- what is decoded ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_upload_is_decoded_as_the_pipeline_decodes_the_same_file(kind, mode):
    content = bytes_of(picture(1, (60, 48)).convert(mode), kind)
    head = inspect_upload(content, "leaf")
    assert (head.kind, head.width, head.height, head.bits) == (kind, 60, 48, 8)
    for size in (None, (32, 40)):
        assert np.array_equal(np.asarray(head.picture(size=size)), np.asarray(decode_image(content, "leaf", size=size)))


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "1"])
def test_palette_transparency_cmyk_and_black_and_white_too(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    content = bytes_of(picture(2, (40, 32)).convert(mode), kind)
    assert np.array_equal(decoded(content), np.asarray(decode_image(content, "leaf")))


def test_cmyk_and_grey_come_out_as_colours():
    red = decoded(bytes_of(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(red.astype(int) - [255, 0, 0]).max() <= 2
    grey = np.arange(512, dtype=np.uint16).reshape(16, 32).astype(np.uint8)
    assert np.array_equal(decoded(bytes_of(Image.fromarray(grey))), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_as_the_upright_picture(kind, orientation):
    upright = picture(3, (40, 32))
    undo = {
        1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2), 6: lambda x: np.rot90(x, 1), 7: lambda x: np.rot90(x.transpose(1, 0, 2), 2),
        8: lambda x: np.rot90(x, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(np.asarray(upright))))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    head = inspect_upload(bytes_of(stored, kind, exif=exif, **options), "leaf")
    assert head.upright == (40, 32)
    found = np.asarray(head.picture())
    assert np.abs(found.astype(int) - np.asarray(upright)).max() <= (12 if kind == "JPEG" else 0)
    assert np.asarray(head.fitted(side=20)).shape == (16, 20, 3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_also_turns_bands_of_16_bits(orientation):
    values = gradient(4)
    turned = {1: values, 3: np.rot90(values, 2), 6: np.rot90(values, -1), 8: np.rot90(values)}[orientation]
    head = inspect_upload(tiff(values, orientation=orientation), "leaf")
    assert head.upright == ((24, 20) if orientation in (1, 3) else (20, 24))
    assert np.array_equal(np.asarray(head.picture((3, 1, 0))), by_hand(turned[..., [3, 1, 0]]))


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [1, 2])
def test_bands_of_a_tiff_by_hand(bands, dtype, planar, order, photometric):
    if photometric == 2 and bands < 3:
        return
    values = gradient(bands, dtype)
    content = tiff(values, planar=planar, order=order, t262=(3, photometric))
    layout = tiff_bands(content)
    assert np.array_equal(read_bands(content, layout), values)
    head = inspect_upload(content, "leaf.tif")
    assert (head.kind, head.bands, head.bits) == ("TIFF", bands, 8 if dtype is np.uint8 else 16)
    assert head.asks_for_bands == (bands > 1)
    for chosen in ((0, 1, 2), (bands - 1, 0, bands - 1)):
        if max(chosen) < bands:
            expected = values[..., list(chosen)]
            expected = expected if dtype is np.uint8 else by_hand(expected)
            assert np.array_equal(np.asarray(head.picture(chosen)), expected)
    if bands == 1:
        assert np.array_equal(
            np.asarray(head.picture())[..., 2], values[..., 0] if head.bits == 8 else by_hand(values[..., 0])
        )


@pytest.mark.parametrize("content", [LZW_TILES, DEFLATE_PLANES], ids=["tiles, LZW", "planes, deflate, BigTIFF"])
def test_what_another_program_compressed(content):
    head = inspect_upload(content, "leaf.tif")
    assert (head.bands, head.bits, head.width, head.height) == (4, 16, 24, 20)
    assert head.transparency == ((3,) if content is LZW_TILES else ())
    assert np.array_equal(read_bands(content, head.layout), gradient(4))
    assert np.array_equal(np.asarray(head.picture((0, 1, 3))), by_hand(gradient(4)[..., [0, 1, 3]]))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_grey_of_16_bits_as_pillow_writes_it(compression):
    grey = gradient(1)[..., 0]
    content = bytes_of(Image.fromarray(grey), "TIFF", compression=compression)
    assert np.array_equal(read_bands(content, tiff_bands(content))[..., 0], grey)
    assert np.array_equal(decoded(content), np.asarray(decode_image(content, "leaf")))


def test_8_bit_colour_tiff_is_resized_as_the_pipeline_does_whichever_way_it_is_read():
    values = np.asarray(picture(4, (60, 48)))
    content = tiff(np.concatenate([values, values[..., :1]], axis=2))
    expected = np.asarray(decode_image(bytes_of(Image.fromarray(values)), "leaf", size=(20, 24)))
    assert np.array_equal(decoded(content, 0, 1, 2, size=(20, 24)), expected)


def test_a_camera_of_12_bits_is_read_by_its_own_largest_value():
    values = (gradient(3) % 4096).astype(np.uint16)
    values[0, 0, 0] = 4095
    head = inspect_upload(tiff(values), "leaf")
    assert head.brightest() == 4095
    assert fewest_bits(4095) == 12
    assert [fewest_bits(value) for value in (0, 1023, 1024, 4096, 16384, 65535)] == [10, 10, 12, 14, 16, 16]
    assert np.array_equal(np.asarray(head.picture(top=4095)), by_hand(values, 4095))
    assert np.array_equal(np.asarray(head.picture()), by_hand(values))
    assert np.asarray(head.picture(top=1023)).max() == 255


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_png_of_16_bits_keeps_all_of_them(bands):
    values = (gradient(bands) % 4096).astype(np.uint16)
    head = inspect_upload(png_16(values), "leaf.png")
    assert (head.kind, head.bits, head.asks_for_bands) == ("PNG", 16, False)
    assert head.brightest() == values.max()
    shown = values[..., [0, 0, 0]] if bands == 1 else values[..., :3]
    assert np.array_equal(np.asarray(head.picture(top=4095)), by_hand(shown, 4095))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_used_and_it_is_told(kind):
    frames = [picture(seed, (40, 32)) for seed in (1, 2)]
    options = {"lossless": True} if kind == "WEBP" else {}
    head = inspect_upload(bytes_of(frames[0], kind, save_all=True, append_images=frames[1:], **options), "leaf")
    assert head.several
    assert np.array_equal(np.asarray(head.picture()), np.asarray(frames[0]))
    assert not inspect_upload(bytes_of(frames[0], kind, **options), "leaf").several


def test_likely_bands():
    assert suggested_bands(RGB, 3) == suggested_bands(RGB, 4) == (0, 1, 2)
    assert suggested_bands(RGNIR, 3) == (0, 1, 2)  # the sensor's own file, in its own order
    assert suggested_bands(RGNIR, 4) == suggested_bands(RGNIR, 5) == (0, 1, 3)
    assert suggested_bands(Sensor("x", "X", ("a", "b", "c"), "{id}_x.tif"), 5) == (0, 1, 2)
    assert suggested_bands(RGB, 2) == (0, 1, 1)


# -- what is refused ---------------------------------------------------------------------------------------------------


def archive():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        opened.writestr("leaf.jpg", bytes_of(picture(1), "JPEG"))
    return stream.getvalue()


REFUSED = {
    "empty": (b"", "leaf.jpg is empty: give an image file."),
    "text": ("Ich bin ein Text, äöü, was auch immer der Name sagt\n".encode() * 50, "is a text file, not an image"),
    "table": (b"id,label\n1,blast\n", "is a text file, not an image"),
    "zip": (archive(), "is a ZIP archive .* unpack it and give one image of it"),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(range(200)), "is a gzip archive"),
    "pdf": (b"%PDF-1.7\n\xe2\xe3", "is a PDF document, not an image"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture, as phones take them.* save it as JPEG"),
    "animated gif": (
        bytes_of(picture(1).convert("P"), "GIF", save_all=True, append_images=[picture(2).convert("P")]),
        "is a GIF, which holds too few colours",
    ),
    "noise": (np.random.default_rng(0).bytes(5000), "is no image that can be read here"),
    "1x1": (bytes_of(Image.new("RGB", (1, 1))), "has 1x1 pixels, which is too small .* at least 16x16"),
    "narrow": (bytes_of(Image.new("RGB", (400, 15))), "has 400x15 pixels, which is too small"),
    "20,000x20,000": (bomb_png(20_000, 20_000), "has 400,000,000 pixels, more than 50,000,000: make it smaller"),
    "9,000x9,000": (bomb_png(9_000, 9_000), "has 9000x9000 pixels, 81,000,000, more than 50,000,000: make it smaller"),
    "many bands": (tiff(gradient(17)), "has 17 bands, more than 16"),
    "raw": (tiff(gradient(3), t254=(4, 1)), "is the raw file of a camera"),
    "float tiff": (tiff(np.zeros((20, 24, 4), np.uint16), t339=(3, 3, 3, 3, 3)), "of a kind that cannot be read here"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_gets_one_sentence(kind):
    content, said = REFUSED[kind]
    with pytest.raises(InputError, match=said) as caught:
        inspect_upload(content, "leaf.jpg")
    text = str(caught.value)
    assert text.startswith("leaf.jpg ")
    assert text.endswith(".")
    assert "\n" not in text


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "16-bit TIFF", "16-bit PNG"])
def test_a_truncated_file_is_refused_in_one_sentence(kind):
    if kind.startswith("16"):
        content = LZW_TILES[:700] if "TIFF" in kind else png_16(gradient(3))[:300]
    else:
        content = bytes_of(picture(5, (200, 160)), kind)
        content = content[: len(content) // 2]
    with pytest.raises(InputError, match="^leaf .*(replace the file|is a TIFF that is damaged|can be read)") as caught:
        inspect_upload(content, "leaf").picture()
    assert "\n" not in str(caught.value)


def test_a_picture_far_too_large_takes_no_memory(monkeypatch):
    """20,000x20,000 pixels would be 1.2 GB: the head is read, and no decoder is called."""
    content = bomb_png(20_000, 20_000)
    large_tiff = tiff(gradient(4), t256=(4, 20_000), t257=(4, 20_000), t278=(4, 20_000))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    monkeypatch.setattr(uploaded_image, "read_bands", lambda *_: pytest.fail("it was decoded"))
    tracemalloc.start()
    try:
        for name, one in (("leaf.png", content), ("leaf.tif", large_tiff)):
            with pytest.raises(InputError, match="more than 50,000,000"):
                inspect_upload(one, name)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_bands_that_are_too_many_bytes_in_all_are_refused_before_they_are_read():
    wide = tiff(gradient(4), t256=(4, 6000), t257=(4, 5000), t278=(4, 5000))
    with pytest.raises(InputError, match="4 bands of 6000x5000 pixels and 16 bits, more than 160,000,000 bytes in all"):
        inspect_upload(wide, "leaf")
    content = bytearray(png_16(gradient(4)))
    content[16:24] = struct.pack(">II", 6000, 5000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    with pytest.raises(InputError, match="6000x5000 pixels of 16 bits, more than 160,000,000 bytes"):
        inspect_upload(bytes(content), "leaf")


def test_a_file_of_too_many_bytes_is_refused(monkeypatch):
    monkeypatch.setattr(uploaded_image, "MAX_UPLOAD_MB", 1)
    with pytest.raises(InputError, match="leaf has 2 MB, more than 1: make it smaller"):
        inspect_upload(bytes(2 * 2**20), "leaf")


def test_a_tile_larger_than_memory_is_not_read_that_way():
    assert tiff_bands(tiff(gradient(3), t322=(4, 2**20), t323=(4, 2**20), t324=(4, 8), t325=(4, 2880))) is None


def test_a_long_name_is_cut_and_bands_that_are_not_there_are_refused():
    with pytest.raises(InputError) as caught:
        inspect_upload(b"", "a" * 500 + ".jpg")
    assert len(str(caught.value)) < 120
    head = inspect_upload(tiff(gradient(4)), "leaf")
    for bands, top in (((0, 1, 4), 255), ((0, 1), 255), ((0, 1, 2), 0), ((0, 1, 2), 65536)):
        with pytest.raises(ValueError, match="bands|top"):
            head.picture(bands, top=top)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("content", [LZW_TILES, DEFLATE_PLANES, tiff(gradient(3), planar=True), png_16(gradient(3))])
def test_random_damage_never_escapes(content):
    """200 files each with some bytes changed: a picture of three bands, or an InputError."""
    rng = np.random.default_rng(0)
    good, refused = np.frombuffer(content, dtype=np.uint8), 0
    for _ in range(200):
        bad = good.copy()
        bad[rng.integers(0, len(bad), rng.integers(1, 8))] = rng.integers(0, 256)
        try:
            head = inspect_upload(bad.tobytes(), "x")
            assert head.picture(suggested_bands(RGNIR, head.bands), size=(8, 8)).mode == "RGB"
        except InputError:
            refused += 1
    assert refused > 0


def test_a_directory_whose_entries_share_a_megabyte_takes_no_memory():
    """4,000 entries, each of which would be a million values: 32 GB, had they been read."""
    values, entries = 1_000_000, 4000
    at = 8 + 2 + 12 * entries + 4
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", entries)
    body = b"".join(struct.pack("<HHII", 300 + number, 1, values, at) for number in range(entries))
    content = head + body + struct.pack("<I", 0) + bytes(values)
    tracemalloc.start()
    try:
        assert tiff_bands(content) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
