"""Contact sheets: tiles with captions, a title and a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .canvas import font
from .palette import Color

_PAPER = (250, 250, 250)
_INK = (25, 25, 25)
_GAP = 8


@dataclass(frozen=True)
class Tile:
    """One image of a sheet.

    Attributes:
        image: RGB ``(h, w, 3)``, uint8.
        caption: Text below it; newlines separate lines.
    """

    image: np.ndarray
    caption: str = ''


def contact_sheet(
    tiles: Sequence[Tile],
    columns: int,
    title: str = '',
    legend: Sequence[tuple[str, Color]] = (),
) -> np.ndarray:
    """Arrange tiles in rows.

    Args:
        tiles: The tiles, row by row; at least one.
        columns: Tiles a row.
        title: Heading.
        legend: Pairs of text and colour, below the heading.

    Returns:
        RGB ``(H, W, 3)``, uint8.

    Raises:
        ValueError: There are no tiles, or fewer than one column.
    """
    if not tiles or columns < 1:
        raise ValueError(
            f'Expected at least one tile and column, got {len(tiles)} and {columns}.'
        )
    columns = min(columns, len(tiles))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    widths = [
        max(row[column].image.shape[1] for row in rows if column < len(row))
        for column in range(columns)
    ]
    bands = [_row(row, widths) for row in rows]
    width = max(band.width for band in bands)
    head = _heading(title, legend, width)
    parts = ([head] if head is not None else []) + bands
    sheet = Image.new('RGB', (width, sum(part.height for part in parts)), _PAPER)
    y = 0
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height
    return np.asarray(sheet).copy()


def save_image(path: Path, image: np.ndarray) -> Path:
    """Write an image atomically, in the format that its name says.

    Args:
        path: ``.png`` or ``.jpg``.
        image: RGB, uint8.

    Returns:
        ``path``.
    """
    import io

    from mmwsis.utils.fileio import atomic_write_bytes

    path = Path(path)
    buffer = io.BytesIO()
    kind = 'JPEG' if path.suffix.lower() in ('.jpg', '.jpeg') else 'PNG'
    Image.fromarray(image).save(buffer, kind)
    atomic_write_bytes(path, buffer.getvalue())
    return path


def _row(tiles: Sequence[Tile], widths: Sequence[int]) -> Image.Image:
    """One row: tiles on a common top edge, captions below them."""
    captions = [
        _wrap(tile.caption, width, 12)
        for tile, width in zip(tiles, widths, strict=False)
    ]
    text_height = max(len(lines) for lines in captions) * 15
    tall = max(tile.image.shape[0] for tile in tiles)
    size = (sum(widths) + _GAP * (len(widths) + 1), tall + text_height + _GAP * 2)
    band = Image.new('RGB', size, _PAPER)
    draw = ImageDraw.Draw(band)
    x = _GAP
    for tile, lines, width in zip(tiles, captions, widths, strict=False):
        band.paste(Image.fromarray(tile.image), (x, _GAP))
        y = _GAP + tile.image.shape[0] + 2
        for line in lines:
            draw.text((x, y), line, fill=_INK, font=font(12))
            y += 15
        x += width + _GAP
    return band


def _heading(
    title: str, legend: Sequence[tuple[str, Color]], width: int
) -> Image.Image | None:
    """Title and legend; the legend breaks into as many lines as it needs."""
    titles = _wrap(title, width - 2 * _GAP, 17)
    places, x, y = [], _GAP, _GAP + 24 * len(titles)
    for text, color in legend:
        step = 22 + int(font(13).getlength(text)) + 14
        if x + step > width and x > _GAP:
            x, y = _GAP, y + 20
        places.append((x, y, text, color))
        x += step
    height = y + (22 if legend else 0)
    if not titles and not legend:
        return None
    head = Image.new('RGB', (width, height), _PAPER)
    draw = ImageDraw.Draw(head)
    for number, line in enumerate(titles):
        draw.text((_GAP, _GAP + 24 * number), line, fill=_INK, font=font(17))
    for x, y, text, color in places:
        draw.ellipse([x, y + 2, x + 13, y + 15], fill=color, outline=_INK)
        draw.text((x + 19, y), text, fill=_INK, font=font(13))
    return head


def _wrap(text: str, width: int, size: int) -> list[str]:
    """Break text into lines that fit."""
    lines = []
    for paragraph in text.split('\n') if text else []:
        line = ''
        for word in paragraph.split(' '):
            longer = f'{line} {word}' if line else word
            if line and font(size).getlength(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines
