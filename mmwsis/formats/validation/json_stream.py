"""Reading a COCO JSON entry by entry, so that a large file needs little memory.

The parsed form of a file with a million polygons takes several GiB; its text takes a
tenth of that. Lists are therefore handed out in chunks, which may be dropped.
"""

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.fileio import get

try:  # Optional extra 'fast': several times the speed of the standard library.
    import msgspec
except ImportError:
    msgspec = None

CHUNK = 1 << 14
_LISTS = ('images', 'annotations')
_space = re.compile(r'[ \t\n\r]*').match
_separator = re.compile(r'[ \t\n\r]*([,\]])[ \t\n\r]*').match
_SCAN = json.JSONDecoder().scan_once


def read_content(path: str, backend_args: dict | None = None) -> bytes:
    """Read an annotation file.

    Args:
        path: Path or URL of the file.
        backend_args: Arguments of MMEngine's file backend.

    Returns:
        Its bytes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: ``path`` is empty.
    """
    if not path:
        raise ValueError('ann_file is empty; give the path of a COCO JSON.')
    try:
        return get(path, backend_args=backend_args)
    except (FileNotFoundError, IsADirectoryError):
        raise FileNotFoundError(
            f'Annotation file {path} does not exist. Check data_root and ann_file in '
            'the config; weak label files are made by '
            'tools/dataset_converters/coco2weak.py, pseudo labels by '
            'tools/generate_pseudo_labels.py.'
        ) from None


def json_error(path: str, size: int, error: Exception) -> ValueError:
    """The error of a file that is no JSON; says line and column where known."""
    if isinstance(error, json.JSONDecodeError):
        reason = error.msg.removesuffix(' at')  # 'Unterminated string starting at'
        return ValueError(
            f'{path} is no valid JSON: {reason} at line {error.lineno}, column '
            f'{error.colno} of {size} bytes. An interrupted download or copy '
            'looks like this; fetch or write the file again.'
        )
    return ValueError(f'{path} is no valid JSON: {error}.')


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Leave cycles alone for a while; parsing makes none, but many objects.

    The collector would walk through all of them, and all of torch, again and again: a
    quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class CocoStream:
    """The top level of a COCO JSON, its two long lists in chunks.

    Args:
        path: Path or URL of the file.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        FileNotFoundError: There is no such file.
    """

    def __init__(self, path: str, backend_args: dict | None = None) -> None:
        self.path = path
        self.content: bytes | None = read_content(path, backend_args)
        self.size = len(self.content)
        self.fraction = 0.0

    def events(self) -> Iterator[tuple[str, Any]]:
        """Go through the file once.

        ``images`` come before ``annotations`` whatever the order in the file; all else
        comes as it stands there. ``fraction`` says how much has been read.

        Yields:
            ``(key, chunk)`` for the lists ``images`` and ``annotations``, at least one
            chunk each where the list is there; ``(key, value)`` for everything else.

        Raises:
            ValueError: The file is no JSON, or no object with keys.
        """
        if msgspec is not None:
            raw = self._raw_values()
            if raw is not None:
                yield from self._msgspec_events(raw)
                return
        yield from self._standard_events()

    def _raw_values(self) -> dict[str, Any] | None:
        # Only what the standard library reads in the same way: it says where a file
        # breaks, and it knows NaN.
        try:
            return msgspec.json.decode(self.content, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _msgspec_events(self, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        try:
            for key in sorted(values, key=lambda key: key == 'annotations'):
                if key in _LISTS and bytes(values[key]).lstrip()[:1] == b'[':
                    yield from self._msgspec_list(key, values[key])
                else:
                    yield key, msgspec.json.decode(values[key])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise json_error(self.path, self.size, error) from None

    def _msgspec_list(self, key: str, raw: Any) -> Iterator[tuple[str, Any]]:
        decode = msgspec.json.Decoder().decode
        entries = msgspec.json.decode(raw, type=list[msgspec.Raw])
        for start in range(0, max(len(entries), 1), CHUNK):
            part = entries[start : start + CHUNK]
            self.fraction = min(1.0, (start + CHUNK) / max(len(entries), 1))
            yield key, [decode(entry) for entry in part]

    def _standard_events(self) -> Iterator[tuple[str, Any]]:
        try:
            text = self.content.decode(json.detect_encoding(self.content))
            self.content = None  # Twice the file would be held otherwise.
            yield from self._walk(text)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise json_error(self.path, self.size, error) from None

    def _walk(self, text: str) -> Iterator[tuple[str, Any]]:
        position = _skip(text, 0)
        if text[position : position + 1] != '{':
            value, end = _value(text, position)
            _expect_end(text, end)
            raise ValueError(
                f'{self.path}: expected a COCO JSON, one object with the lists images, '
                f'annotations and categories; got a {type(value).__name__}.'
            )
        images_seen, postponed = False, None
        position = _skip(text, position + 1)
        while text[position : position + 1] != '}':
            key, position = _key(text, position)
            is_list = key in _LISTS and text[position : position + 1] == '['
            images_seen |= key == 'images'
            if not is_list:
                value, position = _value(text, position)
                yield key, value
            elif key == 'annotations' and not images_seen:
                # Parsed twice rather than kept: images are needed to judge them.
                postponed = position
                for _, position in _chunks(text, postponed):
                    self.fraction = position / len(text)
            else:
                start = position
                for chunk, position in _chunks(text, start):
                    self.fraction = position / len(text)
                    yield key, chunk
            position = _next_member(text, position)
        _expect_end(text, position + 1)
        if postponed is not None:
            for chunk, position in _chunks(text, postponed):
                self.fraction = position / len(text)
                yield 'annotations', chunk


def _skip(text: str, position: int) -> int:
    return _space(text, position).end()


def _value(text: str, position: int) -> tuple[Any, int]:
    try:
        return _SCAN(text, position)
    except StopIteration as error:
        raise json.JSONDecodeError('Expecting value', text, error.value) from None


def _key(text: str, position: int) -> tuple[str, int]:
    """Key of a member and where its value starts."""
    if text[position : position + 1] != '"':
        raise json.JSONDecodeError(
            'Expecting property name enclosed in double quotes', text, position
        )
    key, position = _value(text, position)
    position = _skip(text, position)
    if text[position : position + 1] != ':':
        raise json.JSONDecodeError("Expecting ':' delimiter", text, position)
    return key, _skip(text, position + 1)


def _next_member(text: str, position: int) -> int:
    """Start of the next member, or the closing brace."""
    position = _skip(text, position)
    mark = text[position : position + 1]
    if mark == '}':
        return position
    if mark != ',':
        raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
    position = _skip(text, position + 1)
    if text[position : position + 1] != '"':
        raise json.JSONDecodeError(
            'Expecting property name enclosed in double quotes', text, position
        )
    return position


def _expect_end(text: str, position: int) -> None:
    position = _skip(text, position)
    if position != len(text):
        raise json.JSONDecodeError('Extra data', text, position)


def _chunks(text: str, position: int) -> Iterator[tuple[list[Any], int]]:
    """Entries of the list that starts at ``position``, and where reading has got to.

    The last position is the one after the list; there is at least one chunk.
    """
    chunk: list[Any] = []
    position = _skip(text, position + 1)
    if text[position : position + 1] == ']':
        yield chunk, position + 1
        return
    while True:
        value, position = _value(text, position)
        chunk.append(value)
        mark = _separator(text, position)
        if mark is None:
            position = _skip(text, position)
            raise json.JSONDecodeError("Expecting ',' delimiter", text, position)
        if mark[1] == ']':
            yield chunk, mark.end(1)
            return
        position = mark.end()
        if len(chunk) == CHUNK:
            yield chunk, position
            chunk = []
