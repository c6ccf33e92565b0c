"""Names of classes: their order, and what is odd about how they are spelled."""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence

from ..conversion import shorten
from .records import CHANGED, WARNING, Issue, ReadResult


def class_names(
    read: ReadResult,
    classes: Sequence[str] | None,
    ignored: Collection[str],
    source: str,
) -> list[str]:
    """Names of the classes, in the order of their ids.

    Args:
        read: What the label files hold.
        classes: The user's list, if any.
        ignored: Labels that are no classes.
        source: The label files, for messages.

    Returns:
        ``classes``, or the names that are used or declared, sorted.

    Raises:
        ValueError: A label is not in ``classes``, or a class is twice in it.
    """
    used: dict[str, str] = {}
    for name, place in _uses(read):
        used.setdefault(name, place)
    if classes is None:
        return sorted({*used, *read.declared} - {*ignored})
    if len(set(classes)) != len(classes):
        raise ValueError(f'--classes names a class twice: {list(classes)}')
    unknown = [name for name in used if name not in classes and name not in ignored]
    if unknown:
        lines = []
        for name in unknown:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f'; did they mean {close[0]!r}?' if close else ''
            lines.append(f'{name!r}, first at {used[name]}{hint}')
        raise ValueError(
            f'{source}: {len(unknown)} label(s) are not in --classes:\n'
            f'{shorten(lines)}\nAdd them to --classes, or to --ignore-labels to leave '
            'them out.'
        )
    return list(classes)


def _uses(read: ReadResult) -> Iterator[tuple[str, str]]:
    """Names in the order of the files, and where each is used."""
    for image in read.images:
        for obj in image.objects:
            yield obj.name, f'{image.source}: {obj.item}'
        for name in image.tags:
            yield name, f'{image.source}: a tag'


def name_issues(read: ReadResult, names: Sequence[str]) -> list[Issue]:
    """What a person should know about how classes are spelled.

    Args:
        read: What the label files hold.
        names: The classes.

    Returns:
        Labels whose blanks were removed, and classes that look like one spelled in
        several ways.
    """
    issues, said = [], set()
    for image in read.images:
        for spelling, name in image.spellings.items():
            if spelling not in said:
                said.add(spelling)
                reason = (
                    f'the label {spelling!r} is read as {name!r}, here and elsewhere'
                )
                issues.append(
                    Issue(CHANGED, image.source, '', 'label with blanks', reason)
                )
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(re.sub(r'[\s_-]+', '', name.casefold()), []).append(name)
    places: dict[str, str] = {}
    for name, place in _uses(read):
        places.setdefault(name, place)
    for same in alike.values():
        used = [name for name in same if name in places]
        if len(used) > 1:
            reason = (
                f'the classes {" and ".join(map(repr, used))} differ in blanks, case, '
                '"-" or "_" only, and are kept apart; is it one class?'
            )
            place = ' and '.join(places[name] for name in used)
            issues.append(Issue(WARNING, place, '', 'classes spelled alike', reason))
    return issues
