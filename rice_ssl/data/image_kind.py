"""What a file is, by its bytes and not by its name, and how large its picture is, before anything is decoded."""

from __future__ import annotations

import codecs
import contextlib
import io

from PIL import Image, UnidentifiedImageError

from rice_ssl.data.image_file import FORMATS
from rice_ssl.errors import InputError

_GIVE = "give a JPEG, PNG, TIFF, BMP or WebP"
_NOT_IMAGES = (
    (b"PK\x03\x04", "a ZIP archive (or an office document), not an image: unpack it and give one image of it"),
    (b"\x1f\x8b", "a gzip archive, not an image: unpack it and give one image of it"),
    (b"Rar!", "a RAR archive, not an image: unpack it and give one image of it"),
    (b"7z\xbc\xaf", "a 7z archive, not an image: unpack it and give one image of it"),
    (b"%PDF", f"a PDF document, not an image: {_GIVE}"),
    (b"GIF8", f"a GIF, which holds too few colours for a network to judge: {_GIVE}"),
)
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"hevc": "HEIC", b"avif": "AVIF"}


def image_head(content: bytes, name: str, *, most: int) -> tuple[str, tuple[int, int], bool]:
    """Read what kind of image file bytes are, how large its picture is, and whether it holds more; decode nothing.

    Args:
        content: bytes of the file.
        name: of the file, for messages.
        most: pixels that the picture may have. Of one that has many more, the size is not told.

    Returns:
        JPEG, PNG, TIFF, BMP or WEBP; (width, height) in pixels, as stored; whether there are several pictures.

    Raises:
        InputError: it is none of these, its head is damaged, or its picture has far too many pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            kind = "JPEG" if opened.format == "MPO" else str(opened.format)  # a phone's JPEG with a second, smaller one
            size, several = opened.size, False
            if kind == "TIFF":
                with contextlib.suppress(EOFError):
                    opened.seek(1)
                    several = True
            elif kind != "JPEG":
                several = int(getattr(opened, "n_frames", 1)) > 1
            return kind, size, several
    except Image.DecompressionBombError as error:  # of an image that is far too large Pillow tells the pixels alone
        count = next((int(word) for word in str(error).replace("(", " ").split() if word.isdigit()), 0)
        pixels = f"{count:,} pixels, more" if count else "more pixels"
        raise InputError(f"{name} has {pixels} than {most:,}: make it smaller.") from None
    except UnidentifiedImageError:
        raise InputError(f"{name} is {_what_else(content)}.") from None
    except Exception as error:  # damaged files make Pillow raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name} cannot be decoded ({reason}): replace the file or leave it out.") from None


def _what_else(content: bytes) -> str:
    """What a file is that is no image we read, and what to do."""
    for start, told in _NOT_IMAGES:
        if content.startswith(start):
            return told
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        return f"a {_BRANDS[content[8:12]]} picture, as phones take them, which cannot be read here: save it as JPEG"
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return (
            "a TIFF that is damaged, or of a kind that cannot be read here: save it with unsigned bands of 8 or 16 bits"
        )
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content[:2000])  # a letter may be cut in two
    except UnicodeDecodeError:
        text = content[:2000].decode("latin-1")
    if all(letter.isprintable() or letter.isspace() for letter in text):
        return f"a text file, not an image, whatever its name says: {_GIVE}"
    return f"no image that can be read here: {_GIVE}"
