"""Where the image of a Label Studio task is."""

import re
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, unquote_plus, urlsplit

from .settings import ImportSettings

_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.gif')
# Label Studio puts eight hexadecimal digits before the names of uploaded files.
_UPLOAD_PREFIX = re.compile(r'^[0-9a-f]{8}-')


def image_urls(
    data: Mapping[str, Any], settings: ImportSettings
) -> tuple[str, list[str]]:
    """What names the images of a task.

    Args:
        data: The task's ``data``.
        settings: ``image_key`` says where to look; else ``image``, or the one key whose
            value ends like the name of an image.

    Returns:
        The key, and uploads, files of local storage, or URLs, as they stand there: one,
        or those of a list of pages.

    Raises:
        ValueError: No key does, or several.
    """
    if settings.image_key is not None:
        keys = [settings.image_key]
    elif _urls(data.get('image')):
        keys = ['image']
    else:
        keys = [
            key
            for key, value in data.items()
            if (urls := _urls(value))
            and all(_file_of(url).lower().endswith(_IMAGE_SUFFIXES) for url in urls)
        ]
    if len(keys) != 1 or not _urls(data.get(keys[0])):
        raise ValueError(
            f'which key of data names the image? data has {sorted(map(str, data))}; '
            'say it with --image-key'
        )
    urls = _urls(data[keys[0]])
    if any(url.startswith('data:') for url in urls):
        raise ValueError(
            f'data.{keys[0]} holds the picture itself, not its name: write it to a '
            'file, and its name there'
        )
    return keys[0], urls


def _urls(value: Any) -> list[str]:
    """A text, or a list of texts; nothing else names images."""
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(one, str) and one.strip() for one in values) else []


def _split(url: str) -> SplitResult:
    try:
        # A number sign is of the name: nobody labels a part of a page.
        return urlsplit(url.replace('#', '%23'))
    except ValueError:  # A name with brackets that are no address.
        return SplitResult('', '', url, '', '')


def _file_of(url: str) -> str:
    """The path in a URL; of local storage that of the parameter ``d``."""
    parts = _split(url)
    query = parse_qs(parts.query)
    if 'local-files' in parts.path and 'd' in query:
        return query['d'][0]
    if 'fileuri' in query:  # Label Studio's own address of a file in cloud storage.
        with suppress(ValueError):
            return _file_of(b64decode(query['fileuri'][0], b'-_').decode())
    return unquote(parts.path)


def image_paths(url: str) -> list[str]:
    """Where the image of a task may be in the image folder.

    Args:
        url: ``data.image``: an upload, a file of local storage, or any URL.

    Returns:
        Relative paths, the likeliest first.
    """
    return _tails(_file_of(url))


def unlikely_paths(url: str) -> list[str]:
    """Where it may be if its name has characters of URLs (``%3A``, ``+``, ``#``).

    Label Studio writes some addresses with such characters coded and some without.

    Args:
        url: As in :func:`image_paths`.

    Returns:
        Relative paths.
    """
    raw = url.split('://', 1)[-1]
    if 'local-files' in raw and 'd=' in raw:
        raw = raw.split('d=', 1)[1]
    start, _, query = raw.partition('?')
    if '/' in query or '=' in query:
        raw = start
    names = (raw, unquote(raw), unquote_plus(raw), unquote(unquote(raw)), start)
    found = [path for name in dict.fromkeys(names) for path in _tails(name)]
    return [path for path in dict.fromkeys(found) if path not in image_paths(url)]


def _tails(path: str) -> list[str]:
    """A path, and what is left of it without the folders that it starts with."""
    path = path.replace('\\', '/').lstrip('/')
    name = path.rsplit('/', 1)[-1]
    candidates = [name, _UPLOAD_PREFIX.sub('', name)]
    if not path.startswith('data/upload/'):
        # Any folders on the way may be those of the image folder, too.
        parts = [part for part in path.split('/') if part]
        candidates = ['/'.join(parts[k:]) for k in range(len(parts))] + candidates[1:]
    return list(dict.fromkeys(candidates))
