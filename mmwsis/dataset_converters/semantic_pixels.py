"""The pixels of other projects' semantic maps: grey values, palettes, colours."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.image_file import read_header, read_palette, read_stored
from mmwsis.formats.segment_maps import distinct
from mmwsis.formats.semantic_maps import IGNORE_INDEX

from .semantic_tables import Colour, SemanticTable

PIXELS = ('auto', 'values', 'colours')


def read_classes(path: Path, table: SemanticTable, pixels: str = 'auto') -> np.ndarray:
    """Read a map as places in ``table.classes``.

    Args:
        path: PNG of grey values, palette indices or colours.
        table: What they stand for.
        pixels: 'values', 'colours', or 'auto': colours only where no value is stored.
            Defaults to 'auto'.

    Returns:
        uint8 ``(H, W)``, 255 where nothing is labelled.

    Raises:
        OSError: It cannot be decoded.
        ValueError: It is no such map, or has a value or colour that the table lacks.
            Neither message names the file.
    """
    if read_header(path).kind == 'JPEG':
        raise ValueError('is a JPEG, which smears labels; save the map as PNG')
    mode, stored = read_stored(path)
    if mode == '1' or (stored.ndim == 3 and stored.shape[2] < 3):
        raise ValueError(
            f'is an image of mode {mode!r}; a map has one number or colour per pixel'
        )
    if stored.ndim == 3:
        if not table.colours or pixels == 'values':
            raise ValueError(
                'stores colours, not numbers of classes; give a class table with '
                "colours: CVAT's labelmap.txt, or --mmseg"
            )
        return _of_colours(stored[..., :3], table)
    if pixels == 'auto' and mode == 'P':
        _check_palette(stored, read_palette(path), table)
    if pixels == 'colours':
        if mode != 'P':
            raise ValueError('stores grey values, not colours; say --pixels values')
        palette = read_palette(path)
        if stored.max() >= len(palette):
            raise ValueError(
                f'has the palette index {stored.max()}, and {len(palette)} colours'
            )
        return _of_colours(palette[stored], table)
    return _of_values(stored, table)


def _of_values(stored: np.ndarray, table: SemanticTable) -> np.ndarray:
    places = {value: place for place, value in enumerate(sorted(table.names))}
    places |= {value: IGNORE_INDEX for value in table.ignored if _is_value(value)}
    present, index = distinct(stored)
    unknown = [value for value in present.tolist() if value not in places]
    if unknown:
        raise ValueError(
            f'has the values {unknown[:8]}, which the class table lacks: it has '
            f'{_ranges(places)}. Is it the right table? --ignore-values makes them '
            f'{IGNORE_INDEX}'
        )
    new = np.array([places[value] for value in present.tolist()], dtype=np.uint8)
    return new[index]


def _of_colours(rgb: np.ndarray, table: SemanticTable) -> np.ndarray:
    place_of = {name: place for place, name in enumerate(table.classes)}
    places = {colour: place_of[name] for colour, name in table.colours.items()}
    places |= {one: IGNORE_INDEX for one in table.ignored if not _is_value(one)}
    codes = rgb.astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
    present, index = distinct(codes)
    new = np.empty(len(present), dtype=np.uint8)
    for place, code in enumerate(present.tolist()):
        colour = code >> 16, code >> 8 & 255, code & 255
        if colour not in places:
            row, column = np.argwhere(codes == code)[0].tolist()
            raise ValueError(
                f'has the colour {colour} at pixel (x, y) = ({column}, {row}), which '
                f'the class table lacks{_near(colour, table)}; --ignore-colours makes '
                f'it {IGNORE_INDEX}'
            )
        new[place] = places[colour]
    return new[index]


def _near(colour: Colour, table: SemanticTable) -> str:
    """The class whose colour is almost this one, as after scaling or JPEG."""
    away = {c: max(abs(a - b) for a, b in zip(c, colour)) for c in table.colours}
    nearest = min(away, key=away.__getitem__)
    if away[nearest] > 16:
        return ''
    return (
        f'; {table.colours[nearest]!r} is {nearest} (the maps may have been scaled '
        'smoothly, or saved as JPEG before)'
    )


def _check_palette(
    stored: np.ndarray, palette: np.ndarray, table: SemanticTable
) -> None:
    """Refuse a palette whose colours are those of other classes than its indices."""
    used = [value for value in np.unique(stored).tolist() if value < len(palette)]
    for value in used:
        named = table.colours.get(tuple(palette[value].tolist()))
        if named is not None and named != table.names.get(value):
            own = table.names.get(value)
            raise ValueError(
                f'has palette index {value} ({own!r}) in the colour of {named!r}; say '
                '--pixels values or --pixels colours'
            )


def _is_value(one: Any) -> bool:
    return isinstance(one, int)


def _ranges(values: Iterable[int]) -> str:
    """Integers for people: 0..19, 255."""
    parts: list[list[int]] = []
    for value in sorted(values):
        if parts and value == parts[-1][1] + 1:
            parts[-1][1] = value
        else:
            parts.append([value, value])
    return ', '.join(f'{a}' if a == b else f'{a}..{b}' for a, b in parts)
