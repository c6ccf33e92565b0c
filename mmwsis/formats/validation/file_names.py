"""File names of images: what is odd about them, and which file they may mean."""

import os
import os.path as osp
import posixpath
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

_ABSOLUTE = re.compile(r'/|[A-Za-z]:[\\/]|\\\\')
_URL = re.compile(r'[a-z][a-z0-9+]+://', re.IGNORECASE)
_ODD = re.compile(r'[\\:\x00-\x1f]|^[/\s]|\s$|(^|/)\.\.?/|//')


def path_fault(name: str) -> str:
    """What is odd about a file name.

    Args:
        name: ``file_name`` of an image, not empty.

    Returns:
        The rest of a sentence that starts with the name; empty: nothing is.
    """
    if not _ODD.search(name):
        return ''
    if _URL.match(name):
        return 'is a URL; give the path of the downloaded file.'
    if _ABSOLUTE.match(name):
        return 'is an absolute path, which holds on one machine only.'
    if '\\' in name:
        return 'has backslashes, as Windows writes paths; write /.'
    if name != name.strip():
        return 'starts or ends with a blank.'
    if any(ord(char) < 32 for char in name):
        return 'has a control character.'
    if '..' in name.split('/'):
        return 'leaves the image folder.'
    return ''


def plain_path(name: str) -> str:
    """A name with / between its parts and no detours, to compare it with others.

    Args:
        name: ``file_name`` of an image.
    """
    if '\\' not in name and './' not in name and '//' not in name:
        return name
    return posixpath.normpath(name.replace('\\', '/'))


def missing_hint(folder: str, name: str) -> str:
    """Say which file a name that does not exist probably means.

    Args:
        folder: Image folder.
        name: ``file_name`` of an image.

    Returns:
        A sentence with a blank before it, or an empty text.
    """
    found = likely_file(folder, name)
    if found is None:
        return ''
    file, reason, _ = found
    return f' There is {file!r}: {reason}.'


def likely_file(folder: str, name: str) -> tuple[str, str, bool] | None:
    """Find the file that a name that does not exist probably means.

    Args:
        folder: Image folder.
        name: ``file_name`` of an image.

    Returns:
        The name that it should have, the reason, and whether that is certain; None if
        nothing like it is there.
    """
    for candidate, reason in _spellings(folder, name):
        if candidate != name and _is_file(osp.join(folder, candidate)):
            return candidate, reason, True
    plain = plain_path(name)
    place, base = osp.split(plain)
    for entry in _entries(osp.join(folder, place)):
        other = posixpath.join(place, entry)
        alike = osp.splitext(entry)[0].lower() == osp.splitext(base)[0].lower()
        if alike and _is_file(osp.join(folder, other)):
            return other, 'the names differ in their extension', False
    return None


def _spellings(folder: str, name: str) -> Iterator[tuple[str, str]]:
    """Other ways to write a name, the most likely first."""
    plain = plain_path(name)
    yield plain, 'write / for backslashes'
    yield plain.strip(), 'the label file has blanks around the name'
    yield unquote(plain), 'the label file has the name as in a URL (%20 for a blank)'
    yield plain.replace('+', ' '), 'the label file has + for blanks'
    for form in ('NFC', 'NFD'):
        yield unicodedata.normalize(form, plain), 'the Unicode forms differ'
    same = _same_but_case(folder, plain)
    if same:
        yield same, 'the names differ in upper and lower case'
    parts = plain.split('/')
    for start in range(1, len(parts)):
        yield '/'.join(parts[start:]), 'the label file has a folder too many'


def _same_but_case(folder: str, name: str) -> str | None:
    found: list[str] = []
    for part in name.split('/'):
        entries = _entries(osp.join(folder, *found))
        like = [entry for entry in entries if entry.lower() == part.lower()]
        if not like:
            return None
        found.append(part if part in like else like[0])
    return '/'.join(found)


def _entries(folder: str) -> tuple[str, ...]:
    try:
        return _listing(folder, os.stat(folder).st_mtime_ns)
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=64)
def _listing(folder: str, _changed: int) -> tuple[str, ...]:
    """Names in a folder, read once for all the files that it lacks."""
    return tuple(sorted(os.listdir(folder)))


def _is_file(path: str) -> bool:
    try:
        return osp.isfile(path)
    except ValueError:  # a zero byte, a lone surrogate
        return False
