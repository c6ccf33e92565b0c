"""Pages in HTML that are one file: they open offline, on a phone, in the dark."""

import base64
import io
import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmwsis.utils.fileio import atomic_write_text

from .html_style import SORT, STYLE

_QUALITY = 85
_SHORT, _LONG = 14, 60  # letters of a cell that is never broken, and of a wide one
_DRAWN = 1 << 12  # colours that a drawing has at most, and a photograph exceeds
# A browser that obeys it fetches nothing, whatever a page is made to contain.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)


class Html(str):
    """Text that is HTML already and is not escaped, such as a picture in a cell."""


class HtmlPage:
    """One self-contained HTML file: no network, styles, pictures and scripts inside.

    Text is escaped unless it is :class:`Html`; in paragraphs and lists what stands
    between backticks is code. The page follows the reader's choice of
    a light or dark scheme; tables that are wider than the window scroll in a box of
    their own.

    Args:
        title: Of the window and of the first heading.
        contents: Whether links to the sections stand below the title. Defaults to
            False.
        picture_bytes: Most bytes of a picture, see :func:`image_tag`. Defaults to
            None.

    Example:
        >>> page = HtmlPage('Labels < 1 %')
        >>> page.table(['class', 'IoU'], [['cat & dog', 0.5]], text_columns=1)
        >>> '>cat &amp; dog</td><td class="number">0.5</td>' in page.html()
        True
    """

    def __init__(
        self, title: str, *, contents: bool = False, picture_bytes: int | None = None
    ) -> None:
        self.title, self.contents = title, contents
        self.picture_bytes = picture_bytes
        self._parts: list[str] = []
        self._scripts: list[str] = []
        self._sections: list[str] = []

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading.

        Args:
            text: The heading.
            level: From 2, a section, to 6. Defaults to 2.
        """
        anchor = ''
        if level == 2:
            self._sections.append(text)
            anchor = f' id="section-{len(self._sections)}"'
        self.raw(f'<h{level}{anchor}>{_safe(text)}</h{level}>')

    def paragraph(self, text: str, kind: str | None = None) -> None:
        """Add a paragraph.

        Args:
            text: The paragraph.
            kind: ``'lead'`` for what the page is about, ``'soft'`` for small print,
                ``'note'`` for what must not be missed. Defaults to None, plain text.
        """
        self.raw(f'<p{_class(kind)}>{_prose(text)}</p>')

    def listing(self, items: Iterable[str], kind: str | None = None) -> None:
        """Add a bulleted list.

        Args:
            items: Text of each entry.
            kind: As of :meth:`paragraph`. Defaults to None.
        """
        entries = ''.join(f'<li>{_prose(item)}</li>' for item in items)
        self.raw(f'<ul{_class(kind)}>{entries}</ul>')

    def code(self, text: str) -> None:
        """Add preformatted text, such as commands; long lines are broken.

        Args:
            text: The text.
        """
        lines = ''.join(f'<span>{_safe(line)}</span>' for line in text.split('\n'))
        self.raw(f'<pre><code>{lines}</code></pre>')

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[Any]],
        caption: str | None = None,
        *,
        text_columns: int | None = None,
        sortable: bool = False,
    ) -> None:
        """Add a table.

        Args:
            header: Title of each column.
            rows: Cells of each row, written by ``str``.
            caption: What it shows. Defaults to None.
            text_columns: Columns from the left that are text; those after them hold
                numbers and are aligned to the right. Defaults to all.
            sortable: Whether a click on the title of a column sorts by it. Defaults
                to False.
        """
        count = len(header) if text_columns is None else text_columns
        head = ''.join(
            f'<th scope="col"{_class(None if at < count else "number")}>'
            f'{_safe(text)}</th>'
            for at, text in enumerate(header)
        )
        lines = (
            ''.join(_cell(cell, at >= count) for at, cell in enumerate(row))
            for row in rows
        )
        body = '\n'.join(f'<tr>{line}</tr>' for line in lines)
        title = f'<caption>{_safe(caption)}</caption>' if caption else ''
        # A box that scrolls must be within reach of the keyboard.
        self.raw(
            f'<div class="box" tabindex="0" role="region" '
            f'aria-label="{escape(caption or "table")}">'
            f'<table{_class("sortable" if sortable else None)}>{title}'
            f'<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
        )
        if sortable and SORT not in self._scripts:
            self.script(SORT)

    def picture(
        self,
        picture: str | os.PathLike | np.ndarray,
        alt: str,
        caption: str | None = None,
        max_width: int = 1600,
    ) -> None:
        """Add a picture.

        Args:
            picture: Image file, or RGB ``(H, W, 3)``, uint8.
            alt: What it shows, for those who cannot see it.
            caption: Text below it. Defaults to None.
            max_width: A wider one is made smaller, in pixels. Defaults to 1600.

        Raises:
            ValueError: ``alt`` is empty.
            OSError: The file cannot be read.
        """
        below = f'<figcaption>{_safe(caption)}</figcaption>' if caption else ''
        image = image_tag(picture, alt, max_width, self.picture_bytes)
        self.raw(f'<figure>{image}{below}</figure>')

    def raw(self, html: str) -> None:
        """Add HTML as it is.

        Args:
            html: Must not fetch anything: the page forbids it.
        """
        self._parts.append(html)

    def script(self, javascript: str) -> None:
        """Add a script that runs when the page has been read.

        Args:
            javascript: The page must be of use without it.
        """
        self._scripts.append(javascript)

    def html(self) -> str:
        """Return the page as text."""
        links = ''.join(
            f'<li><a href="#section-{number}">{_safe(text)}</a></li>'
            for number, text in enumerate(self._sections, start=1)
        )
        contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>'
        parts = [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{escape(self.title)}</title>\n<style>\n{STYLE}</style>\n</head>',
            f'<body>\n<main>\n<h1>{escape(self.title)}</h1>',
            *([contents] if self.contents and links else []),
            *self._parts,
            '</main>',
            *(f'<script>\n{script}</script>' for script in self._scripts),
            '</body>\n</html>\n',
        ]
        return '\n'.join(parts)

    def write(self, path: str | os.PathLike) -> Path:
        """Write the page atomically.

        Args:
            path: The ``.html`` file.

        Returns:
            ``path``.
        """
        atomic_write_text(path, self.html())
        return Path(path)


def image_tag(
    picture: str | os.PathLike | np.ndarray,
    alt: str,
    max_width: int = 1600,
    max_bytes: int | None = None,
) -> Html:
    """Return a picture as an ``<img>`` that holds its own bytes.

    Drawings are kept as they are (PNG), photographs become JPEG.

    Args:
        picture: Image file, or RGB ``(H, W, 3)``, uint8.
        alt: What it shows.
        max_width: A wider one is made smaller, in pixels. Defaults to 1600.
        max_bytes: One with more bytes is made coarser, then smaller. Defaults to None.

    Returns:
        The tag, such as for a cell of a table.

    Raises:
        ValueError: ``alt`` is empty.
        OSError: The file cannot be read.
    """
    if not alt.strip():
        raise ValueError('A picture needs an alternative text that says what it shows.')
    if isinstance(picture, np.ndarray):
        image = Image.fromarray(picture)
    else:
        with Image.open(picture) as opened:
            image = opened.convert('RGB')
    kind = 'PNG' if image.getcolors(_DRAWN) else 'JPEG'
    image = _resized(image, max_width)
    data, quality = _encoded(image, kind), _QUALITY
    while max_bytes is not None and len(data) > max_bytes and image.width > 64:
        if kind == 'JPEG' and quality <= 70:
            share = max_bytes / len(data)
            image = _resized(image, int(image.width * min(0.95 * share**0.5, 0.9)))
        elif kind == 'JPEG':
            quality -= 15
        kind = 'JPEG'
        data = _encoded(image, kind, quality)
    return Html(
        f'<img src="data:image/{kind.lower()};base64,'
        f'{base64.b64encode(data).decode("ascii")}" alt="{escape(alt)}" '
        f'width="{image.width}" height="{image.height}">'
    )


def _resized(image: Image.Image, max_width: int) -> Image.Image:
    if image.width <= max_width:
        return image
    height = max(1, round(image.height * max_width / image.width))
    return image.resize((max_width, height), Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, kind: str, quality: int = _QUALITY) -> bytes:
    buffer = io.BytesIO()
    settings = dict(quality=quality) if kind == 'JPEG' else {}
    image.save(buffer, kind, optimize=True, **settings)
    return buffer.getvalue()


def _cell(cell: Any, is_number: bool) -> str:
    """A cell that is broken into lines only where its text is long."""
    length = 0 if isinstance(cell, Html) else len(str(cell))
    kind = 'long' if length > _LONG else 'short' if 0 < length <= _SHORT else None
    return f'<td{_class("number" if is_number else kind)}>{_safe(cell)}</td>'


def _safe(text: Any) -> str:
    return text if isinstance(text, Html) else escape(str(text))


def _prose(text: str) -> str:
    return re.sub('`([^`]+)`', r'<code>\1</code>', _safe(text))


def _class(name: str | None) -> str:
    return f' class="{name}"' if name else ''
