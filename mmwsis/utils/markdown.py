"""Tables in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


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
