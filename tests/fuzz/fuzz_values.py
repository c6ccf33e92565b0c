"""Documents with one value changed: what hypothesis draws, and how it is written."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

# JSON has no such number, but it can be written; Python reads it as infinity.
HUGE = '@1e400@'
VALUES = [
    *(None, True, False, 0, 1, 2, -1, -3.5, 0.5, 7, 2**31, 2**63, -(2**63), 10**30),
    *(1e308, -1e308, float('nan'), float('inf'), -float('inf'), HUGE),
    *('', ' ', '7', '1.5', 'nan', '-1', 'true', 'masks', 'points', '../x', '/', '.'),
    *('a\x00b', 'naïve ✓', '\ud800', 'x' * 3000, 'C:\\a\\b.jpg', '\ufeff1'),
    *([], [[]], [None], [1], [1, 2], [1, 2, 3, 4], [[1, 2], [3, 4]], [1] * 3000),
    *([-5, -5, 3, 3], [1000, 1000, 5, 5], [0, 0, 0, 0], ['1', '2', '3', '4']),
    *({}, {'id': 1}, {'size': None, 'counts': None}, {'counts': '0', 'size': [1, 1]}),
]
WAYS = ('replace', 'delete', 'twice', 'deeper', 'text', 'swap', 'grow')
# Broken as a file, whatever it holds.
ENCODINGS = ('utf-8-sig', 'utf-16', 'cut', 'latin', 'crlf', 'empty')


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Paths to all values of a document, the document itself included."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], (*path, index))


def changed(document: Any, path: tuple, way: str, value: Any, other: tuple) -> Any:
    """A copy of a document with one value changed."""
    root = [copy.deepcopy(document)]
    *parents, last = (0, *path)
    owner = root
    for key in parents:
        owner = owner[key]
    old = owner[last]
    if way == 'replace':
        owner[last] = copy.deepcopy(value)
    elif way == 'delete':
        del owner[last]
    elif way == 'twice' and isinstance(owner, list):
        owner.append(copy.deepcopy(old))
    elif way == 'deeper':
        owner[last] = [old]
    elif way == 'text':
        owner[last] = str(old)
    elif way == 'swap':
        found = document
        for key in other:
            found = found[key]
        owner[last] = copy.deepcopy(found)
    elif way == 'grow' and isinstance(old, (list, dict)):
        if isinstance(old, list):
            old.append(copy.deepcopy(value))
        else:
            old['unknown'] = copy.deepcopy(value)
    else:
        owner[last] = copy.deepcopy(value)
    return root[0] if root else None


def documents(document: Any) -> st.SearchStrategy[Any]:
    """The document with one value changed."""
    paths = list(places(document))
    return st.builds(
        changed,
        st.just(document),
        st.sampled_from(paths),
        st.sampled_from(WAYS),
        st.sampled_from(VALUES),
        st.sampled_from(paths),
    )


def files(document: Any) -> st.SearchStrategy[bytes]:
    """A JSON file of such a document; a few are broken as files."""
    plain = documents(document).map(encode)
    broken = st.builds(
        recoded,
        st.just(encode(document).decode()),
        st.sampled_from(ENCODINGS),
        st.integers(0, len(encode(document))),
    )
    return st.one_of(*[plain] * 9, broken)


def encode(document: Any) -> bytes:
    """JSON with NaN, infinity and numbers beyond any float."""
    return json.dumps(document).replace(f'"{HUGE}"', '1e400').encode('ascii')


def recoded(text: str, way: str, at: int) -> bytes:
    """A text file in another encoding, cut off, or with broken bytes."""
    if way == 'cut':
        return text[:at].encode()
    if way == 'latin':
        return text[:at].encode() + b'\xe9' + text[at:].encode()
    if way == 'crlf':
        return text.replace('\n', '\r\n').encode() + b'\r\n'
    return b'' if way == 'empty' else text.encode(way)
