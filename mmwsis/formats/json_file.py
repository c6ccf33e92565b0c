"""Reading JSON files: whole, or a COCO file list by list in little memory.

The parsed form of a file with a million polygons takes several GiB; its text takes a
tenth of that. :class:`CocoStream` therefore hands out the long lists in chunks.
"""

import gc
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from mmengine.fileio import get

CHUNK = 1 << 14
_STREAMED, _LONGEST_ENTRY = 1 << 26, 1 << 24  # bytes
_LISTS = ('images', 'annotations')
_Unreadable = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PACKED = ((b'\x1f\x8b', 'gzip'), (b'PK\x03\x04', 'zip'), (b'BZh', 'bzip2'))
_TEXT_ADVICE = (
    'It was probably saved in another encoding, such as Latin-1 or GBK; save it again '
    'as UTF-8.'
)


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
            f'Annotation file {path} does not exist. Check the path (in a config, '
            'data_root and ann_file); weak label files are made by '
            'tools/dataset_converters/coco2weak.py, pseudo labels by '
            'tools/generate_pseudo_labels.py.'
        ) from None


def read_json(path: str, backend_args: dict | None = None) -> Any:
    """Parse a JSON file in UTF-8, UTF-16 or UTF-32, with a byte order mark or not.

    Args:
        path: Path or URL of the file.
        backend_args: Arguments of MMEngine's file backend.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON; the message says line and column.
    """
    content = read_content(path, backend_args)
    try:
        return msgspec.json.decode(content)
    except _Unreadable:
        return _read_slowly(path, content)


def encoding_fault(content: bytes) -> str:
    """What is wrong with the encoding of a JSON file, as its first bytes show it.

    We read it all the same (see :mod:`mmwsis.compat`), but ``json.load`` of plain
    pycocotools fails.

    Args:
        content: The file.

    Returns:
        A sentence; empty: nothing is.
    """
    encoding = json.detect_encoding(content[:4])
    if encoding == 'utf-8-sig':
        return 'the file starts with a byte order mark (BOM).'
    if encoding != 'utf-8':
        return f'the file is in {encoding.upper()}, not in UTF-8.'
    return ''


def _read_slowly(path: str, content: bytes) -> Any:
    """What msgspec refuses: NaN is read, and of the rest we hear where it breaks."""
    packed = next((kind for magic, kind in _PACKED if content.startswith(magic)), None)
    if packed:
        raise ValueError(
            f'{path} is no JSON but a {packed} file; unpack it and give that file.'
        )
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        reason = error.msg.removesuffix(' at')  # 'Unterminated string starting at'
        raise ValueError(
            f'{path} is no valid JSON: {reason} at line {error.lineno}, column '
            f'{error.colno} of {len(content)} bytes. An interrupted download or copy '
            'looks like this; fetch or write the file again.'
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no valid JSON: {error}. {_TEXT_ADVICE}') from None
    except (ValueError, RecursionError) as error:  # 5,000 digits, or as many brackets
        raise ValueError(f'{path} is no valid JSON: {error}.') from None


def refuse_other_json(value: Any, path: str) -> None:
    """Raise unless a document is an object, as every COCO file is.

    Args:
        value: Parsed JSON.
        path: Name of the file, for the message.

    Raises:
        ValueError: It is a list, a number, or the like.
    """
    if not isinstance(value, dict):
        raise ValueError(
            f'{path}: expected a COCO JSON, one object with the lists images, '
            f'annotations and categories; got a {type(value).__name__}.'
        )


def stream_list(path: str | os.PathLike) -> Iterator[tuple[Any, int, int]]:
    """Go through a JSON that is one long list, of any length, in little memory.

    Args:
        path: The file, in UTF-8; its entries are shorter than 16 MiB.

    Yields:
        Every entry, with the bytes of the file at which it begins and ends.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no list, or an entry is no valid JSON.
    """
    decode, skip = json.JSONDecoder().raw_decode, re.compile(r'[ \t\r\n]*').match
    with open(path, 'rb') as file:
        # One character for one byte: so that places in both are the same.
        text, offset, at_end = file.read(_STREAMED).decode('latin-1'), 0, False
        place = skip(text, 3 if text.startswith('\xef\xbb\xbf') else 0).end()
        if text[place : place + 1] != '[':
            raise ValueError(
                f'{path}: expected a JSON list, got {text[place : place + 20]!r}.'
            )
        place = skip(text, place + 1).end()
        while text[place : place + 1] != ']':
            try:
                entry, end = decode(text, place)
            except ValueError as error:
                raise ValueError(
                    f'{path} is no valid JSON: byte {offset + place}: {error}. An '
                    'interrupted download or copy looks like this.'
                ) from None
            if not text.isascii():
                entry = json.loads(text[place:end].encode('latin-1'))
            yield entry, offset + place, offset + end
            place = skip(text, end).end()
            if text[place : place + 1] == ',':
                place = skip(text, place + 1).end()
            if len(text) - place < _LONGEST_ENTRY and not at_end:
                more = file.read(_STREAMED).decode('latin-1')
                at_end = not more
                text, offset, place = text[place:] + more, offset + place, 0
                place = skip(text, 0).end()


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

    A file with NaN, which is no JSON, is parsed whole instead.

    Args:
        path: Path or URL of the file.
        backend_args: Arguments of MMEngine's file backend.

    Attributes:
        fraction: Share of the list at hand that has been read, 0 to 1.
        encoding_fault: Of :func:`encoding_fault`; the file is read all the same.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON, or no object.
    """

    def __init__(self, path: str, backend_args: dict | None = None) -> None:
        content = read_content(path, backend_args)
        self.path, self.fraction = path, 0.0
        self.encoding_fault = encoding_fault(content)
        try:
            self._values = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        except _Unreadable:
            self._values = _read_slowly(path, content)
        refuse_other_json(self._values, path)

    @classmethod
    def of_document(cls, document: Any, source: str) -> 'CocoStream':
        """The same for a document that is in memory already; it is not copied.

        Args:
            document: Parsed JSON.
            source: Name for messages.

        Raises:
            ValueError: It is no object.
        """
        refuse_other_json(document, source)
        stream = cls.__new__(cls)
        stream.path, stream.fraction, stream._values = source, 0.0, document
        stream.encoding_fault = ''
        return stream

    def events(self) -> Iterator[tuple[str, Any]]:
        """Go through the file once; ``annotations`` come last.

        Yields:
            ``(key, chunk)`` for the lists ``images`` and ``annotations``, at least one
            chunk each where the list is there; ``(key, value)`` for everything else.

        Raises:
            ValueError: A text in the file is not UTF-8.
        """
        try:
            for key in sorted(self._values, key=lambda key: key == 'annotations'):
                value = self._values[key]
                if isinstance(value, msgspec.Raw):
                    in_chunks = key in _LISTS and bytes(memoryview(value)[:1]) == b'['
                    kind = list[msgspec.Raw] if in_chunks else Any
                    value = msgspec.json.decode(value, type=kind)
                if key in _LISTS and isinstance(value, list):
                    yield from self._chunks(key, value)
                else:
                    yield key, value
        except _Unreadable as error:  # Seen only when an entry is parsed.
            raise ValueError(
                f'{self.path} is no valid JSON: {error}. {_TEXT_ADVICE}'
            ) from None

    def _chunks(self, key: str, entries: list[Any]) -> Iterator[tuple[str, list[Any]]]:
        decode = msgspec.json.Decoder().decode
        for start in range(0, max(len(entries), 1), CHUNK):
            chunk = entries[start : start + CHUNK]
            self.fraction = min(1.0, (start + CHUNK) / max(len(entries), 1))
            yield key, [decode(e) if isinstance(e, msgspec.Raw) else e for e in chunk]
