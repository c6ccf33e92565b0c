"""The categories of a COCO file, read without the rest of it, and their names."""

import contextlib
import json
import mmap
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def read_categories(path: str | os.PathLike) -> list[dict[str, Any]] | None:
    """Read only the categories of a COCO file, without parsing the rest.

    Args:
        path: Annotation file; those of COCO have 450 MB.

    Returns:
        The categories, ``None`` if the file has none.
    """
    # The word may also stand in a text field or in `info`.
    return next(filter(_are_categories, values_of_key(path, 'categories')), None)


def values_of_key(path: str | os.PathLike, key: str) -> Iterator[Any]:
    """Find the values of a key anywhere in a JSON file, without parsing the rest.

    Args:
        path: The file.
        key: Name of the key.

    Yields:
        What stands behind the key, if it is a list or an object of at most 64 MB.
    """
    if os.path.getsize(path) == 0:
        return
    with (
        open(path, 'rb') as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        data: Any = mapped
        encoding = json.detect_encoding(mapped[:4])
        if not encoding.startswith('utf-8'):
            data = mapped[:].decode(encoding, 'ignore').encode('utf-8', 'ignore')
        for match in re.finditer(rb'"%b"\s*:\s*(?=[\[{])' % key.encode(), data):
            for size in (1 << 16, 1 << 26):
                text = data[match.end() : match.end() + size].decode('utf-8', 'ignore')
                with contextlib.suppress(ValueError):
                    yield json.JSONDecoder().raw_decode(text)[0]
                    break


def name_list(names: Sequence[str], limit: int = 20) -> str:
    """Names for a message, which LVIS's 1,203 would bury.

    Args:
        names: Class names.
        limit: How many are shown.

    Returns:
        Such as "'bolt', 'nut' and 3 more".
    """
    text = ', '.join(map(repr, names[:limit]))
    more = len(names) - limit
    return f'{text} and {more} more' if more > 0 else text


def clean_name(name: str) -> str:
    """A name without what nobody sees: blanks at its ends, invisible characters.

    Args:
        name: Class name.

    Returns:
        The name; blanks inside of it are single ones.

    Example:
        >>> clean_name(' bolt\u200b ')
        'bolt'
    """
    name = ''.join(char for char in name if unicodedata.category(char) != 'Cf')
    return ' '.join(name.split())


def look(name: str) -> str:
    """What names have in common that a reader may take for the same.

    Args:
        name: Class name.

    Returns:
        The name without capitals, blanks, hyphens, underscores, and accents' forms.

    Example:
        >>> look('Traffic-Light ') == look('traffic light')
        True
    """
    text = unicodedata.normalize('NFKC', clean_name(name)).casefold()
    return re.sub(r'[\s_-]+', '', text)


def difference(first: str, second: str) -> str:
    """In what two names that look alike differ.

    Args:
        first: Class name.
        second: Another one of the same :func:`look`.

    Returns:
        Such as 'blanks' or 'upper and lower case'.

    Example:
        >>> difference('bolt', 'Bolt')
        'upper and lower case'
    """
    steps: tuple[tuple[str, Any], ...] = (
        ('blanks', lambda name: ' '.join(name.split())),
        ('invisible characters', clean_name),
        ('Unicode form', lambda name: unicodedata.normalize('NFKC', clean_name(name))),
        ('upper and lower case', lambda name: clean_name(name).casefold()),
    )
    found = (text for text, step in steps if step(first) == step(second))
    return next(found, 'blanks, hyphens, case or Unicode form')


def alike_hint(wanted: Iterable[str], names: Iterable[str]) -> str:
    """Say which of some names are meant by others, for a message.

    Args:
        wanted: Names that were not found.
        names: Names that there are.

    Returns:
        A sentence with a blank before it, or an empty text.

    Example:
        >>> alike_hint(['bolt'], ['nut', 'bolt '])
        " 'bolt' and 'bolt ' differ in blanks only."
    """
    of_look = {look(name): name for name in names}
    pairs = [(name, of_look[look(name)]) for name in wanted if look(name) in of_look]
    texts = [f'{a!r} and {b!r} differ in {difference(a, b)} only' for a, b in pairs[:3]]
    return f' {"; ".join(texts)}.' if texts else ''


def _are_categories(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and 'id' in item and isinstance(item.get('name'), str)
        for item in value
    )
