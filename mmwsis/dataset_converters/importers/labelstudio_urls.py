"""Where the image of a Label Studio task is."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .settings import ImportSettings

_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.gif')
# Label Studio puts eight hexadecimal digits before the names of uploaded files.
_UPLOAD_PREFIX = re.compile(r'^[0-9a-f]{8}-')


def image_url(data: Mapping[str, Any], settings: ImportSettings) -> str:
    """What names the image of a task.

    Args:
        data: The task's ``data``.
        settings: ``image_key`` says where to look; else ``image``, or the one key whose
            value ends like the name of an image.

    Returns:
        Upload, file of local storage, or URL, as it stands there.

    Raises:
        ValueError: No key does, or several.
    """
    if settings.image_key is not None:
        keys = [settings.image_key]
    elif isinstance(data.get('image'), str):
        keys = ['image']
    else:
        keys = [
            key
            for key, value in data.items()
            if isinstance(value, str)
            and _file_of(value).lower().endswith(_IMAGE_SUFFIXES)
        ]
    if len(keys) != 1 or not isinstance(data.get(keys[0]), str):
        raise ValueError(
            f'which key of data names the image? data has {sorted(data)}; say it with '
            '--image-key'
        )
    return data[keys[0]]


def _file_of(url: str) -> str:
    """The path in a URL; of local storage that of the parameter ``d``."""
    parts = urlsplit(url)
    local = parse_qs(parts.query).get('d') if 'local-files' in parts.path else None
    return local[0] if local else unquote(parts.path)


def image_paths(url: str) -> list[str]:
    """Where the image of a task may be in the image folder.

    Args:
        url: ``data.image``: an upload, a file of local storage, or any URL.

    Returns:
        Relative paths, the likeliest first.
    """
    path = _file_of(url).replace('\\', '/').lstrip('/')
    name = path.rsplit('/', 1)[-1]
    candidates = [name, _UPLOAD_PREFIX.sub('', name)]
    if not path.startswith('data/upload/'):
        # Any folders on the way may be those of the image folder, too.
        parts = path.split('/')
        candidates = ['/'.join(parts[k:]) for k in range(len(parts))] + candidates[1:]
    return list(dict.fromkeys(candidates))
