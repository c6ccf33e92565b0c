"""Placeholders in the strings of a pipeline file, such as ``{out:STAGE}``."""

import re
from collections.abc import Callable
from typing import Any

_PLACEHOLDER = re.compile(r'\{([A-Za-z_][\w.]*(?::[\w.@-]+)?)\}')


def fill_placeholders(value: Any, lookup: Callable[[str], Any], where: str) -> Any:
    """Fill ``{name}`` placeholders in all strings of nested settings.

    Args:
        value: Nested dicts, lists and strings.
        lookup: Gives the text of a placeholder, or None to leave it for later; raises
            KeyError for unknown ones, saying what is known.
        where: File, for messages.

    Returns:
        A copy with the placeholders filled. A string that is one placeholder becomes
        a number where that stands for one.

    Raises:
        ValueError: A placeholder is unknown.
    """
    if isinstance(value, dict):
        return {
            key: fill_placeholders(entry, lookup, where) for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [fill_placeholders(entry, lookup, where) for entry in value]
    if not isinstance(value, str):
        return value

    def found(match: re.Match) -> Any:
        try:
            text = lookup(match[1])
        except KeyError as error:
            raise ValueError(
                f'{where}: placeholder {match[0]} in {value!r} is unknown: '
                f'{error.args[0]}.'
            ) from error
        return match[0] if text is None else text

    alone = _PLACEHOLDER.fullmatch(value)
    if alone:
        number = found(alone)
        return number if isinstance(number, (int, float)) else str(number)
    return _PLACEHOLDER.sub(lambda match: str(found(match)), value)
