"""TIFF files made by hand, as the specification has them, and one that other programs wrote."""

from __future__ import annotations

import base64
import struct

import numpy as np

LETTERS = {3: "H", 4: "I"}


def tiff(values: np.ndarray, *, planar: bool = False, orientation: int = 1, order: str = "<", **tags: tuple) -> bytes:
    """An uncompressed TIFF of one strip (a plane, where ``planar``) of values of shape (height, width, bands).

    ``tags`` replaces or adds tags: ``t262=(3, 2)`` says colour.
    """
    height, width, bands = values.shape
    bits = 8 * values.dtype.itemsize
    planes = np.moveaxis(values, 2, 0) if planar else values[None]
    pieces = [plane.astype(values.dtype.newbyteorder(order)).tobytes() for plane in planes]
    places = [8 + sum(map(len, pieces[:k])) for k in range(len(pieces))]
    entries = {
        256: (4, width), 257: (4, height), 258: (3, *[bits] * bands), 259: (3, 1), 262: (3, 2 if bands > 2 else 1),
        273: (4, *places), 274: (3, orientation), 277: (3, bands), 278: (4, height),
        279: (4, *map(len, pieces)), 284: (3, 2 if planar else 1),
    }  # fmt: skip
    if bands > 3:
        entries[338] = (3, *[0] * (bands - 3))
    entries |= {int(name[1:]): entry for name, entry in tags.items()}
    body = b"".join(pieces)
    start = 8 + len(body) + len(body) % 2
    directory, more = struct.pack(order + "H", len(entries)), b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, (kind, *numbers) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(numbers)}{LETTERS[kind]}", *numbers)
        directory += struct.pack(order + "HHI", tag, kind, len(numbers))
        if len(packed) > 4:
            directory += struct.pack(order + "I", behind + len(more))
            more += packed
        else:
            directory += packed.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + body + b"\0" * (start - 8 - len(body)) + directory + b"\0" * 4 + more


def gradient(bands: int, dtype: type = np.uint16, height: int = 20, width: int = 24) -> np.ndarray:
    """Value = 100 * row + column + 7 * band (times 13 at 16 bits), so that every value says where it was."""
    rows, columns, own = np.indices((height, width, bands))
    if dtype is np.uint8:
        return ((5 * rows + columns + 40 * own) % 256).astype(np.uint8)
    return (13 * (100 * rows + columns + 7 * own)).astype(np.uint16)


LZW_TILES = base64.b64decode(
    "SUkqAAgAAAAQAAABBAABAAAAGAAAAAEBBAABAAAAFAAAAAIBAwAEAAAAzgAAAAMBAwABAAAABQAAAAYBAwABAAAAAgAAABUBAwABAAAABAAAAB"
    "oBBQABAAAA1gAAABsBBQABAAAA3gAAABwBAwABAAAAAQAAACgBAwABAAAAAQAAAD0BAwABAAAAAgAAAEIBBAABAAAAEAAAAEMBBAABAAAAEAAA"
    "AEQBBAAEAAAA5gAAAEUBAwAEAAAA9gAAAFIBAwABAAAAAgAAAAAAAAAQABAAEAAQAAEAAAABAAAAAQAAAAEAAAAAAQAA/wEAALIDAABJBAAA/w"
    "CzAZcAswAAAIAAAAWwAtgAEQCDQBCoZC4dDYhD4lEYpE4tFYxF41GY5GgoBTeBWUBRKBo7J43KZRK5VLZZDRQCkGCm8ChyC5fLp1OZ5O59DR4D"
    "0uD3kDyaEJ7SZ/S6VPSgFFWFAMFTCFabTKxV61FjIGV+GQ0GjqGq3ZazZ6UeA80w8Lg+iQ/ZrlaLpKEYI3OIyEJE6JLnf7rgYioBQ+xQVhSsRT"
    "gMZgsCtBaDxcahcxRdjcxjqUyBkIxmfhm2RnmdJmp83BuNxwkhw7Rxpdhpo68B4Sx6ph6AR9sd5sosBCEXyEuiEFSHveRvoUGCOcyOziOKSRye"
    "pphYTEOTHETB6Ter38DAQIA0AAKwChgC4QCDQBCoZC4dDYhD4lEYpE4s1X8en8H38xH6AJBIZFI5JJZNJ5QAHIBR+Bk0BnqBorM4tNJtNYcwXy"
    "ZnyC3ysHxKaFQ6JJHwCimC1cCwSDJvT5xUIqrXoUno93mnHnRa5XZMDAgZwgwggHQjUqjabRDUy7x873G7kQ7q9dbqIAqewq1gqMQta7VgaghX"
    "UKnUz3SdHTdsZRRoGkeGnUGiKG8Bl8FEji5Qs5V25DA5Mbo5SSA+o44HyyIMxrcyXXAAnAp2+TG/pNxJS4JFuJAkJTaJddw7SSW27m0k20OG1u"
    "edITgKWWKRMKkCKuJ2YsNWs2mqf2qJGrz+ehBc3xcOhelRf2vdDhC0WM0DW0AhAvJuUwM3mMycGhUho98BmYWRliuZZ+GU/LclYHADhyMQcl6H"
    "MBsym58mMTxjCGYx0GLBjcGAHoNh8OwfGiH0LO0cpgkUYIXmCahgRC0hqCEF4hkUIZyiHFcLpwaJeDsXgNl4YBdxq0Z0COIYkE8JB8iRH7iF6W"
    "4xFuA5blYW0lMafgmCuJpZCaBonSpICIlSWQnFkeZYkwWMvMYgIIAQCimyi9iiUSkDQBCoZC4dDYhD4lEYpE4tFYxF41GY5GioVleVgUVzKV47"
    "J43KZRK5VLZZDTQW2GWw8XDyXJfLp1OZ5O59DT4YGuYBkYUaYZ7SZ/S6VPQBT6hUalU6pVatV6xWa1W65Xa9X7BYbFY7JZbNZ7RabVa7Zbbdb7"
    "hcblc7pdbtd7xeb1e75fb9f8BgcFg8BASABApGspMYpCEpg0AQqGQuHQ2IQ+JRGKROLJVWjpWt9WIRWACQSGRSOSSWTSeUAASFc/ldtFcaliKz"
    "OLTSbTWHIFUCZUMtTnBTymhUOiSQcFxJlx3Fwkl2b0+cVCKm1RhJRrdRFxRUWuV2TEwwqcwgIxF0xVKo2m0Q0sp5/J1Rp0kJ2vXW7Xe8Xm9Xu+"
    "X2/X/AYHBYPCYXDYfEYnFYvGY3HY/IZHJZPKZXLZfMZnNZvOYSAg=="
)
DEFLATE_PLANES = base64.b64decode(
    "TU0AKwAIAAAAAAAAAAAAEAAAAAAAAAAPAQAABAAAAAAAAAABAAAAGAAAAAABAQAEAAAAAAAAAAEAAAAUAAAAAAECAAMAAAAAAAAABAAQABAAEA"
    "AQAQMAAwAAAAAAAAABAAgAAAAAAAABBgADAAAAAAAAAAEAAQAAAAAAAAERABAAAAAAAAAADAAAAAAAAAFMARUAAwAAAAAAAAABAAQAAAAAAAAB"
    "FgAEAAAAAAAAAAEAAAAHAAAAAAEXAAMAAAAAAAAADAAAAAAAAAGsARoABQAAAAAAAAABAAAAAQAAAAEBGwAFAAAAAAAAAAEAAAABAAAAAQEcAA"
    "MAAAAAAAAAAQACAAAAAAAAASgAAwAAAAAAAAABAAEAAAAAAAABPQADAAAAAAAAAAEAAgAAAAAAAAFSAAMAAAAAAAAAAwAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAB0AAAAAAAAAH4AAAAAAAAAiAAAAAAAAACQwAAAAAAAAJrAAAAAAAAApMAAAAAAAACtwAAAAAAAALfAAAAAAAAAwcAAAAAAAADKw"
    "AAAAAAAANTAAAAAAAAA3sAKAAoACMAKAAoACQAKAAoACQAKAAoACMAAAAAAAAAAAAAAAB4nGNgYOAlBbKKkKaeS4M09fw2pKkXCSBNvWQKaerl"
    "KkhTDwBb4Qo7eJxT7mHgJQVqLCBNve4W0tQbnSBNvfkd0tTbfCBNvRMLaeoBwCoOBXicc5dg4CUF+uiQpj7QgTT1YSGkqY/OIE19Qg1p6gED/A"
    "q0eJxjiGbgJQWy5pOmnquZNPX800lTL7KaNPWS+0lTL3eZNPUAN0IMuHicU37OwEsK1PhNmno9ftLUGyuTpt7CnDT1tt6kqXeKJ009AAINDIZ4"
    "nHMvZuAlBfq0k6Y+cDZp6sPWk6Y++jBp6hOuk6YeAGg5DNZ4nGPYxsBLCmQ9RZp6rnukqef/RJp6UTbS1EtJkaZeXo809QD2pQw4eJxTcWLgJQ"
    "VqhpGmXi+LNPXGdaSpt5hEmnrbZaSpd9pFmnoAcbENBXiccz/HwEsK9HlEmvrAb6SpD+ciTX2MHGnqE41IUw8AsIcL+3icYxRk4CUFsqmSpp7b"
    "kjT1Ar6kqRdNJE29VClp6uU7SVMPALnqCrl4nFOZy8BLCtTcSJp6vaOkqTe+SZp6i7ekqbdjJE29syhp6gG/kw2EeJzz0GTgJQX62pKmPiiQNP"
    "XhqaSpj6kkTX1iL2nqAUp2CyA="
)
"""``gradient(4)`` as tifffile 2026.3 with imagecodecs wrote it: tiles with LZW, differences and a fourth band called
transparency; and BigTIFF of the other order of bytes, planes in strips with deflate and differences."""
