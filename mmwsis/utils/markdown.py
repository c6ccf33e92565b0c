"""Tables and pages in Markdown."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .fileio import atomic_write_text


def markdown_table(
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    text_columns: int | None = None,
) -> str:
    r"""Write a table.

    Args:
        header: Title of each column.
        rows: Cells of each row, written by ``str``; a ``|`` in them is escaped.
        text_columns: Columns from the left that are text; those after them hold
            numbers and are aligned to the right. Defaults to all.

    Returns:
        Lines without a line break at the end.

    Example:
        >>> print(markdown_table(['class', 'IoU'], [['a|b', 0.5]], text_columns=1))
        | class | IoU |
        | --- | ---: |
        | a\|b | 0.5 |
    """
    count = len(header) if text_columns is None else text_columns
    rule = ['---' if column < count else '---:' for column in range(len(header))]
    cells = [[str(cell).replace('|', '\\|') for cell in row] for row in (header, *rows)]
    lines = [cells[0], rule, *cells[1:]]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


class MarkdownPage:
    """A page in Markdown, filled as :class:`mmwsis.visualization.html_page.HtmlPage`.

    Args:
        title: The first heading.
        folder: Where the page will lie: links to pictures start there.

    Example:
        >>> page = MarkdownPage('Labels', 'work_dirs')
        >>> page.picture('work_dirs/pictures/worst.png', 'The worst')
        >>> print(page.text())
        # Labels
        <BLANKLINE>
        ![The worst](pictures/worst.png)
        <BLANKLINE>
    """

    def __init__(self, title: str, folder: str | os.PathLike) -> None:
        self.title, self.folder = title, folder
        self._blocks: list[str] = []

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading of a level from 2.

        Args:
            text: The heading.
            level: From 2, a section, to 6. Defaults to 2.
        """
        self._blocks.append(f'{"#" * level} {text}')

    def paragraph(self, text: str, kind: str | None = None) -> None:
        """Add a paragraph.

        Args:
            text: The paragraph.
            kind: Of HTML pages; Markdown has one kind. Defaults to None.
        """
        self._blocks.append(text)

    def listing(self, items: Iterable[str], kind: str | None = None) -> None:
        """Add a bulleted list.

        Args:
            items: Text of each entry.
            kind: Of HTML pages; Markdown has one kind. Defaults to None.
        """
        self._blocks.append('\n'.join(f'- {item}' for item in items))

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        text_columns: int | None = None,
    ) -> None:
        """Add a table; see :func:`markdown_table`.

        Args:
            header: Title of each column.
            rows: Cells of each row.
            text_columns: Columns from the left that are text. Defaults to all.
        """
        self._blocks.append(markdown_table(header, rows, text_columns))

    def picture(self, picture: str | os.PathLike, alt: str) -> None:
        """Add a link to a picture.

        Args:
            picture: Image file.
            alt: What it shows.
        """
        link = Path(os.path.relpath(picture, self.folder)).as_posix()
        self._blocks.append(f'![{alt}]({link})')

    def code(self, text: str) -> None:
        """Add commands.

        Args:
            text: One command a line.
        """
        self._blocks.append(f'```bash\n{text}\n```')

    def body(self) -> list[str]:
        """Return the blocks without the title, a blank line after each."""
        return [line for block in self._blocks for line in (block, '')]

    def text(self) -> str:
        """Return the page as text."""
        return '\n'.join([f'# {self.title}', '', *self.body()])

    def write(self, path: str | os.PathLike) -> Path:
        """Write the page atomically.

        Args:
            path: The ``.md`` file.

        Returns:
            ``path``.
        """
        atomic_write_text(path, self.text())
        return Path(path)
