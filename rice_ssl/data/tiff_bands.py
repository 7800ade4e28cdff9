"""Bands of a TIFF, each with all its bits.

Pillow gives 16-bit colour as its upper 8 bits, refuses several bands that are not called a colour, and takes the first
plane of a planar file for the whole. So the file's directory is read here, and one that declares the same strips or
tiles as grey is put behind the file: what libtiff decodes of it are all bands with all bits. (tifffile would need
imagecodecs for LZW, which is what most programs for multispectral pictures write.)
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import TiffImageFile

_TYPES = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}
_MOST_VALUES = 262_144  # strips or tiles of a file
_FEW_VALUES = 64  # of every other tag: one a band, at most
_LARGEST_TILE = 2**22  # pixels of a tile of a picture that is smaller than it
_DEFLATE, _OLD_DEFLATE, _LZW, _PACKBITS, _NONE = 8, 32946, 5, 32773, 1
_GREY, _COLOUR = 1, 2
_HORIZONTAL = 2
_NEXT, _KIND, _DNG = -1, 254, 50706
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _ORIENTATION, _BANDS, _ROWS, _STRIP_BYTES, _PLANAR = 273, 274, 277, 278, 279, 284
_PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = 317, 322, 323, 324, 325, 338, 339
_LONG = frozenset({_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES})
_SHORT = frozenset({
    _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _ORIENTATION, _BANDS, _ROWS, _PLANAR, _PREDICTOR,
    _TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _FORMAT, _KIND, _DNG,
})  # fmt: skip


@dataclass(frozen=True)
class TiffBands:
    """How the first picture of a TIFF lies in its file.

    Attributes:
        width: pixels of a row, as stored.
        height: rows, as stored.
        bands: of a pixel.
        bits: of a band, 8 or 16; unsigned.
        orientation: as EXIF counts, 1 to 8; 1 is upright.
        several: whether other pictures come after it.
        transparency: bands, counted from 0, that the file calls transparency.
        order: ``<`` or ``>``, of bytes.
        compression: number that TIFF gives it.
        predictor: whether values are differences along a row.
        planar: whether the bands lie one after the other, not pixel by pixel.
        block: width and height of a strip or tile.
        tiled: whether it has tiles.
        places: of the strips or tiles, in bytes.
        lengths: of the strips or tiles, in bytes.
    """

    width: int
    height: int
    bands: int
    bits: int
    orientation: int
    several: bool
    transparency: tuple[int, ...]
    order: str
    compression: int
    predictor: bool
    planar: bool
    block: tuple[int, int]
    tiled: bool
    places: tuple[int, ...]
    lengths: tuple[int, ...]


def tiff_bands(content: bytes) -> TiffBands | None:
    """Read how a TIFF lies in its file, without decoding it.

    Args:
        content: bytes of a file, TIFF or not, classic or BigTIFF.

    Returns:
        The first picture's layout; None where it is no TIFF, damaged, or no grey or colour picture of unsigned bands of
        8 or 16 bits, uncompressed or compressed by LZW, deflate or PackBits.
    """
    try:
        order, directory = _directory(content)
        return _layout(order, directory, len(content))
    except (struct.error, ValueError, KeyError, IndexError, OverflowError):
        return None


def begins_with_preview(content: bytes) -> bool:
    """Whether a TIFF's first picture is a small one that stands for another, as in the raw files of cameras."""
    try:
        directory = _directory(content)[1]
    except (struct.error, ValueError, KeyError, IndexError, OverflowError):
        return False
    return bool(directory.get(_KIND, (0,))[0] & 1) or _DNG in directory


def read_bands(content: bytes, layout: TiffBands) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Decode all bands of a TIFF.

    Args:
        content: bytes of the file.
        layout: as :func:`tiff_bands` found it. Look at its size first: this takes three times the bytes that
            come back.

    Returns:
        Shape (height, width, bands), as stored, before it is turned upright.

    Raises:
        OSError, ValueError: the file is truncated or damaged.
    """
    if not layout.planar:
        return _decoded(content, layout)
    count = len(layout.places) // layout.bands
    found = np.empty((layout.height, layout.width, layout.bands), dtype=np.uint8 if layout.bits == 8 else np.uint16)
    for band in range(layout.bands):
        own = slice(band * count, (band + 1) * count)
        one = replace(layout, bands=1, places=layout.places[own], lengths=layout.lengths[own])
        found[..., band] = _decoded(content, one)[..., 0]
    return found


def _directory(content: bytes) -> tuple[str, dict[int, tuple[int, ...]]]:
    """Byte order, and whole numbers of the first directory by tag; those of no tag say where the next one is."""
    order = {b"II": "<", b"MM": ">"}[content[:2]]
    big = {42: False, 43: True}[struct.unpack_from(order + "H", content, 2)[0]]
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, start)
    if entries > 4096:
        raise ValueError("more entries than a directory has")
    length, inline = (20, 8) if big else (12, 4)
    at, found = start + (8 if big else 2), {}
    for place in range(at, at + entries * length, length):
        tag, kind = struct.unpack_from(order + "HH", content, place)
        (count,) = struct.unpack_from(order + ("Q" if big else "I"), content, place + 4)
        most = _MOST_VALUES if tag in _LONG else _FEW_VALUES if tag in _SHORT else 0
        if kind not in _TYPES or tag in found or not 0 < count <= most:  # entries may share bytes: none is read in vain
            continue
        letter, size = _TYPES[kind]
        where = place + length - inline
        if count * size > inline:
            (where,) = struct.unpack_from(order + ("Q" if big else "I"), content, where)
        found[tag] = struct.unpack_from(f"{order}{count}{letter}", content, where)
    found[_NEXT] = struct.unpack_from(order + ("Q" if big else "I"), content, at + entries * length)
    return order, found


def _layout(order: str, directory: dict[int, tuple[int, ...]], size: int) -> TiffBands | None:
    width, height = directory[_WIDTH][0], directory[_HEIGHT][0]
    bands = directory.get(_BANDS, (1,))[0]
    bits = set(directory.get(_BITS, (1,)))
    compression, planar = directory.get(_COMPRESSION, (_NONE,))[0], directory.get(_PLANAR, (1,))[0] == 2
    predictor, tiled = directory.get(_PREDICTOR, (1,))[0], _TILES in directory
    if (
        bits not in ({8}, {16})
        or set(directory.get(_FORMAT, (1,))) != {1}
        or compression not in (_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS)
        or directory[_PHOTOMETRIC][0] not in (_GREY, _COLOUR)
        or predictor not in (1, _HORIZONTAL)
        or directory.get(_FILL_ORDER, (1,))[0] != 1
        or min(width, height, bands) < 1
    ):
        return None
    rows = min(directory.get(_ROWS, (height,))[0], height)
    block = (directory[_TILE_WIDTH][0], directory[_TILE_HEIGHT][0]) if tiled else (width, rows)
    if min(block) < 1 or block[0] * block[1] > max(width * height, _LARGEST_TILE):
        return None
    places = directory[_TILES if tiled else _STRIPS]
    lengths = directory[_TILE_BYTES if tiled else _STRIP_BYTES]
    expected = -(-width // block[0]) * -(-height // block[1]) * (bands if planar else 1)
    if len(places) != expected or len(lengths) != expected or max(places) > size:
        return None
    extra = directory.get(_EXTRA, ())
    return TiffBands(
        width=width,
        height=height,
        bands=bands,
        bits=bits.pop(),
        orientation=directory.get(_ORIENTATION, (1,))[0],
        several=directory[_NEXT][0] != 0,
        transparency=tuple(bands - len(extra) + place for place, kind in enumerate(extra) if kind in (1, 2)),
        order=order,
        compression=compression,
        predictor=predictor == _HORIZONTAL and compression not in (_NONE, _PACKBITS),
        planar=planar and bands > 1,
        block=block,
        tiled=tiled,
        places=places,
        lengths=lengths,
    )


def _decoded(content: bytes, layout: TiffBands) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """The bands that lie together in these strips or tiles, shape (height, width, bands)."""
    with TiffImageFile(io.BytesIO(_as_grey(content, layout))) as opened:
        opened.load()
        values = np.asarray(opened)
    values = values.reshape(layout.height, layout.width, layout.bands)
    if values.dtype.itemsize != layout.bits // 8:
        raise ValueError("it was decoded to another number of bits")
    if layout.predictor:
        summed = np.empty(values.shape, dtype=values.dtype.newbyteorder("="))
        for left in range(0, layout.width, layout.block[0]):  # differences begin anew in each tile
            columns = slice(left, left + layout.block[0])
            np.cumsum(values[:, columns], axis=1, dtype=summed.dtype, out=summed[:, columns])
        return summed
    return values


def _as_grey(content: bytes, layout: TiffBands) -> bytes:
    """The file with another directory: one grey band, as many times as wide as there are bands, no differences."""
    entries: dict[int, tuple[str, Iterable[int]]] = {
        _WIDTH: ("I", (layout.width * layout.bands,)),
        _HEIGHT: ("I", (layout.height,)),
        _BITS: ("H", (layout.bits,)),
        _COMPRESSION: ("H", (layout.compression,)),
        _PHOTOMETRIC: ("H", (_GREY,)),
        _BANDS: ("H", (1,)),
        _PLANAR: ("H", (1,)),
    }
    if layout.tiled:
        entries[_TILE_WIDTH] = ("I", (layout.block[0] * layout.bands,))
        entries[_TILE_HEIGHT] = ("I", (layout.block[1],))
        entries[_TILES], entries[_TILE_BYTES] = ("I", layout.places), ("I", layout.lengths)
    else:
        entries[_ROWS] = ("I", (layout.block[1],))
        entries[_STRIPS], entries[_STRIP_BYTES] = ("I", layout.places), ("I", layout.lengths)
    start = len(content) + len(content) % 2
    directory, values = [struct.pack(layout.order + "H", len(entries))], b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, (letter, numbers) in sorted(entries.items()):
        packed = struct.pack(f"{layout.order}{len(tuple(numbers))}{letter}", *numbers)
        kind, count = (4 if letter == "I" else 3), len(tuple(numbers))
        directory.append(struct.pack(layout.order + "HHI", tag, kind, count))
        if len(packed) <= 4:
            directory.append(packed.ljust(4, b"\0"))
        else:
            directory.append(struct.pack(layout.order + "I", behind + len(values)))
            values += packed
    header = (b"II" if layout.order == "<" else b"MM") + struct.pack(layout.order + "HI", 42, start)
    parts: list[bytes | memoryview] = [
        header,
        memoryview(content)[8:],
        b"\0" * (start - len(content)),
        *directory,
        b"\0" * 4,
        values,
    ]
    return b"".join(parts)
