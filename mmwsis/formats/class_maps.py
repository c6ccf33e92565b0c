"""Class maps (CAM, Grad-CAM, peaks): one compressed float16 file per image."""

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .map_index import MapIndex

KIND = 'class_maps'
_OWN_NAMES = ('labels', 'image_size')


class ClassMaps(NamedTuple):
    """Maps of the classes in one image.

    Attributes:
        labels: ``(K,)`` int64, ascending labels of the classes that have a map.
        image_size: ``(H, W)`` of the image in pixels.
        maps: Name -> array whose first axis is ``labels``'; float16 where the labeler
            gave floats.
    """

    labels: np.ndarray
    image_size: tuple[int, int]
    maps: dict[str, np.ndarray]


def encode_class_maps(
    labels: np.ndarray,
    image_size: tuple[int, int],
    maps: Mapping[str, np.ndarray],
    where: str = 'class maps',
) -> bytes:
    """Make the content of one file, an ``.npz`` that ``np.load`` opens.

    Every array is a member of its own, so that one is read without unpacking the
    others. The bytes depend on the values only.

    Args:
        labels: ``(K,)`` integers; K may be 0.
        image_size: ``(H, W)`` in pixels.
        maps: Name -> ``(K, ...)``; floats are stored as float16, integers and
            bools as they are.
        where: Names the image in messages.

    Raises:
        ValueError: Not K maps, labels not ascending, a name that the format uses
            itself, or a value that float16 cannot hold.
    """
    labels = np.asarray(labels, dtype=np.int64)
    if labels.ndim != 1 or (np.diff(labels) <= 0).any():
        raise ValueError(
            f'{where}: labels must be one axis of ascending, different classes, got '
            f'{labels.tolist()}.'
        )
    arrays = dict(labels=labels, image_size=np.asarray(image_size, dtype=np.int64))
    for name, values in sorted(maps.items()):  # InstanceData has no fixed order
        if name in _OWN_NAMES or not name.isidentifier():
            raise ValueError(f'{where}: {name!r} cannot be the name of a map.')
        values = np.asarray(values)
        if values.ndim < 1 or len(values) != len(labels):
            raise ValueError(
                f'{where}: {name} must have one map for each of the {len(labels)} '
                f'classes {labels.tolist()}, got shape {values.shape}.'
            )
        if values.dtype.kind == 'f':
            with np.errstate(over='ignore'):
                half = values.astype(np.float16)
            if not np.isfinite(half).all():
                raise ValueError(
                    f'{where}: {name} holds NaN, infinity or a value beyond 65504, '
                    'which float16 cannot hold; scale the maps, to 0..1 for example.'
                )
            values = half
        elif values.dtype.kind not in 'iub':
            raise ValueError(f'{where}: {name} holds {values.dtype}, expected numbers.')
        arrays[name] = values
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read_class_maps(
    path: str | os.PathLike, names: Iterable[str] | None = None
) -> ClassMaps:
    """Read one file, or a part of it.

    Args:
        path: File of :func:`encode_class_maps`.
        names: Maps to read; the others are not unpacked. None reads all.

    Raises:
        ValueError: The file is damaged or another tool's, or has no map of that name.
    """
    path = Path(path)
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError('it holds a single array without a name')
        with archive as file:
            there = [name for name in file.files if name not in _OWN_NAMES]
            wanted = there if names is None else list(names)
            unknown = [name for name in wanted if name not in there]
            if unknown:
                raise ValueError(f'it has no {unknown}, only {there}')
            height, width = file['image_size'].tolist()
            maps = {name: file[name] for name in wanted}
            labels = file['labels']
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive raises what it likes
        raise ValueError(f'{path} cannot be read as class maps: {error}.') from error
    if labels.ndim != 1 or labels.dtype.kind not in 'iu':
        raise ValueError(
            f'{path}: labels must be integers (K,), got {labels.dtype} of shape '
            f'{labels.shape}.'
        )
    for name, values in maps.items():
        if values.ndim < 1 or len(values) != len(labels) or values.dtype.kind == 'U':
            raise ValueError(
                f'{path}: {name} must have one map for each of the {len(labels)} '
                f'classes {labels.tolist()}, got {values.dtype} of shape '
                f'{values.shape}.'
            )
    return ClassMaps(labels, (height, width), maps)


class ClassMapStore:
    """Reads a folder of class maps.

    Args:
        folder: What ``tools/generate_pseudo_labels.py`` wrote.
        classes: Class names of the reader; labels are translated to their order by
            name. By default those of the writer.

    Raises:
        FileNotFoundError: The folder does not exist or is not finished.
        ValueError: It holds something else, or classes that ``classes`` does not name.
    """

    def __init__(
        self, folder: str | os.PathLike, classes: Iterable[str] | None = None
    ) -> None:
        self.index = MapIndex(folder, KIND)
        own = self.index.classes
        self.classes = own if classes is None else tuple(classes)
        unknown = [name for name in own if name not in self.classes]
        if unknown:
            raise ValueError(
                f'{self.index.folder} holds maps of {unknown}, which are not among the '
                f'classes {self.classes}.'
            )
        self._label = np.array([self.classes.index(name) for name in own], np.int64)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def image_ids(self) -> list[Any]:
        """Ids of all images."""
        return self.index.image_ids

    def read(
        self,
        image_id: Any,
        names: Iterable[str] | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> ClassMaps:
        """Read the maps of one image.

        Args:
            image_id: As in the label file.
            names: Maps to read; the others are not unpacked. None reads all.
            image_size: ``(H, W)`` that the reader knows the image by.

        Returns:
            Its maps; labels ascend in the order of ``classes``.

        Raises:
            UnknownImageError: There are no maps of this image.
            FileNotFoundError: The file has gone.
            ValueError: The file is damaged, lacks a name, or is of an image of another
                size; the message names the image id and both sizes.
        """
        path = self.index.path(image_id)
        try:
            found = read_class_maps(path, names)
        except ValueError as error:
            raise ValueError(
                f'image id {image_id!r}: {error} Make {self.index.folder} anew with '
                '--overwrite.'
            ) from error
        outside = (found.labels < 0) | (found.labels >= len(self._label))
        if outside.any():
            raise ValueError(
                f'{path}: the maps of image id {image_id!r} are of the classes '
                f'{found.labels.tolist()}, expected 0..{len(self._label) - 1}, places '
                f'among the classes of {self.index.folder}.'
            )
        if image_size is not None and found.image_size != tuple(image_size):
            raise ValueError(
                f'{path}: the maps of image id {image_id!r} are of an image of '
                f'{found.image_size}, expected {tuple(image_size)} (height, width).'
            )
        labels = self._label[found.labels]
        order = np.argsort(labels)
        maps = {name: values[order] for name, values in found.maps.items()}
        return ClassMaps(labels[order], found.image_size, maps)
