"""The index of a folder of maps, one file per image."""

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mmwsis.utils.fileio import json_rows

from .coco_file import image_file_name

INDEX_NAME = 'index.json'


def map_file(image: Mapping[str, Any], suffix: str) -> str:
    """Path of an image's map below the folder: the image's own name, another suffix.

    Args:
        image: Entry of ``images``.
        suffix: With the dot.

    Raises:
        ValueError: The image's name leads out of its folder, or its map would be the
            index.
    """
    path = PurePosixPath(image_file_name(image).replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts:
        raise ValueError(
            f'image id {image["id"]!r}: file_name {str(path)!r} leads out of the image '
            'folder; its map would land anywhere. Give file names below data_prefix.'
        )
    file = str(path.with_suffix(suffix))
    if file == INDEX_NAME:
        raise ValueError(
            f'image id {image["id"]!r}: what belongs to {path} would be written to '
            f'{file}, the name of the index. Rename the image.'
        )
    return file


def index_document(
    kind: str,
    info: Mapping[str, Any],
    entries: Iterable[Mapping[str, Any]],
    **keys: Any,
) -> str:
    """Content of the index of a finished folder.

    Args:
        kind: Of the maps, such as 'semantic_maps'.
        info: Where they come from.
        entries: ``id``, ``file`` below the folder, ``bytes`` and ``crc32`` of each
            image.
        **keys: What it says of all files, ``classes`` at least.
    """
    return json_rows(dict(info=info, type=kind, **keys), 'images', entries)


def map_entry(image_id: Any, file: str, content: bytes) -> dict[str, Any]:
    """What the index says of every image.

    Args:
        image_id: As in the label file.
        file: Path below the folder.
        content: Of the file.
    """
    return dict(id=image_id, file=file, bytes=len(content), crc32=zlib.crc32(content))


class UnknownImageError(KeyError, ValueError):
    """A folder has no map of an image that is asked for."""

    __str__ = ValueError.__str__  # KeyError's would quote the message


def _check_entry(entry: Mapping[str, Any]) -> None:
    """Refuse an entry whose file is not below the folder."""
    file = PurePosixPath(entry['file'])
    if (
        file.is_absolute()
        or '..' in file.parts
        or not isinstance(entry['id'], (int, str))
    ):
        raise ValueError(f'image id {entry["id"]!r} has the file {entry["file"]!r}')


class MapIndex:
    """Reads the index of a folder of maps.

    Args:
        folder: What ``tools/generate_pseudo_labels.py`` wrote.
        kind: Kind of artifact that is expected, such as 'class_maps'; None takes any.

    Attributes:
        kind: What the folder holds.
        classes: Names that numbers in the files stand for.
        content: The whole index.

    Raises:
        FileNotFoundError: There is no finished folder.
        ValueError: The folder holds another kind of maps, or its index is broken.
    """

    def __init__(self, folder: str | os.PathLike, kind: str | None = None) -> None:
        self.folder = Path(folder)
        path = self.folder / INDEX_NAME
        if not path.is_file():
            state = 'is not finished' if self.folder.is_dir() else 'does not exist'
            raise FileNotFoundError(
                f'{self.folder} {state}: it has no {INDEX_NAME}. Make it with python '
                'tools/generate_pseudo_labels.py CONFIG CHECKPOINT --artifact '
                f'{kind or "class_maps"} --out {self.folder}; a killed run goes on '
                'with the same command.'
            )
        try:
            self.content = json.loads(path.read_text(encoding='utf-8'))
            self.kind = self.content['type']
            self.classes = tuple(self.content['classes'])
            self._entries = {}
            for entry in self.content['images']:
                self._entries[entry['id']] = entry
                _check_entry(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{path} is no index of maps: {error!r}') from error
        if not all(isinstance(name, str) for name in (self.kind, *self.classes)):
            raise ValueError(
                f'{path} is no index of maps: type and classes are no texts'
            )
        if kind not in (None, self.kind):
            raise ValueError(f'{self.folder} holds {self.kind}, expected {kind}.')

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._entries

    @property
    def image_ids(self) -> list[Any]:
        """Ids of all images, in the order of the label file."""
        return list(self._entries)

    def entry(self, image_id: Any) -> dict[str, Any]:
        """What the index says of an image.

        Args:
            image_id: As in the label file.

        Raises:
            UnknownImageError: The folder has no such image.
        """
        entry = self._entries.get(image_id)
        if entry is None:
            raise UnknownImageError(
                f'{self.folder} has no map of image id {image_id!r}; it holds '
                f'{len(self)} images. Was it made from another label file?'
            )
        return entry

    def path(self, image_id: Any) -> Path:
        """File of an image.

        Args:
            image_id: As in the label file.

        Raises:
            UnknownImageError: The folder has no such image.
            FileNotFoundError: The file has gone.
        """
        path = self.folder / self.entry(image_id)['file']
        if not path.is_file():
            raise FileNotFoundError(
                f'The map of image id {image_id!r}, {path}, is gone. Make '
                f'{self.folder} anew with --overwrite.'
            )
        return path
