"""Loading what an earlier stage wrote for an image: class, semantic, panoptic maps."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.formats.categories import alike_hint, name_list
from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import IGNORED, renumber
from mmwsis.formats.semantic_maps import BACKGROUND, IGNORE_INDEX, read_semantic_map
from mmwsis.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadClassMaps(BaseTransform):
    """Load the class maps of an image from a folder of them.

    Sets ``class_maps``: ``labels`` (K,) int64 and one array per name, as
    :class:`mmwsis.formats.class_maps.ClassMapStore` reads them; labels are translated
    to the dataset's by class name. :class:`PackWeakInputs` packs them. The folder is
    opened at the first sample, once per process.

    Args:
        folder: What ``tools/generate_pseudo_labels.py --artifact class_maps`` wrote.
        names: Maps to load; the others are not unpacked. None loads all.
    """

    def __init__(self, folder: str, names: tuple[str, ...] | None = None) -> None:
        self.folder = folder
        self.names = None if names is None else tuple(names)
        self._store: ClassMapStore | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the maps of ``results['img_id']``.

        Args:
            results: Data of an image of ``mmwsis.CocoWeakDataset``.

        Returns:
            ``results``.

        Raises:
            UnknownImageError: There are no maps of this image.
            FileNotFoundError: The folder is not finished, or the file has gone.
            ValueError: The maps are of an image of another size, or of other classes
                than the image's tags; the message names the image id.
        """
        if self._store is None:
            self._store = ClassMapStore(self.folder, results['classes'])
        size = results['height'], results['width']
        found = self._store.read(results['img_id'], self.names, size)
        labels, tags = found.labels.tolist(), list(results['tags'])
        if labels != tags:
            raise ValueError(
                f'{self.folder}: the class maps of image id {results["img_id"]!r} are '
                f'of the classes {labels}, its tags are {tags}. The maps were made '
                'from another label file; make them anew.'
            )
        results['class_maps'] = dict(labels=found.labels, **found.maps)
        return results

    def __getstate__(self) -> dict[str, Any]:
        """Leave the index behind when a worker gets a copy."""
        return {**self.__dict__, '_store': None}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(folder={self.folder!r}, names={self.names})'


@TRANSFORMS.register_module()
class LoadSemanticMap(BaseTransform):
    """Load the semantic map of an image from a folder of them.

    Sets ``gt_seg_map``, uint8 (H, W): 0 is the background, ``k + 1`` the dataset's
    class ``k``, matched by name, and 255 unknown. Where the folder has no background
    (Cityscapes), or the dataset names it among its classes (panoptic labels), class
    ``k`` is ``k``. Transforms of MMDetection and MMSegmentation treat it as their own.
    The folder is opened at the first sample, once per process.

    Args:
        folder: What ``tools/generate_pseudo_labels.py --artifact semantic_maps`` or
            ``tools/dataset_converters/import_semantic_maps.py`` wrote.
        needs_background: Refuse maps in which 0 is a class, for who counts on
            ``k + 1``. Defaults to False.
        clean_by_tags: Make pixels of classes that are no tag of the image background,
            or unknown where there is no background. Defaults to False: they stay.
    """

    field: ClassVar[str] = 'gt_seg_map'

    def __init__(
        self,
        folder: str,
        needs_background: bool = False,
        clean_by_tags: bool = False,
    ) -> None:
        self.folder = folder
        self.needs_background = needs_background
        self.clean_by_tags = clean_by_tags
        self._index: MapIndex | None = None
        self._value: np.ndarray | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the map of ``results['img_id']``.

        Args:
            results: Data of an image of ``mmwsis.CocoWeakDataset``.

        Returns:
            ``results``.

        Raises:
            UnknownImageError: There is no map of this image.
            FileNotFoundError: The folder is not finished, or the file has gone.
            ValueError: The map is damaged or has another size than the image, which the
                message names; or the folder has classes that the dataset does not, or
                lacks the background.
        """
        results[self.field] = self._read(results)
        return results

    def _read(self, results: dict[str, Any]) -> np.ndarray:
        """The map of an image, in the dataset's labels."""
        if self._index is None:
            index = MapIndex(self.folder, 'semantic_maps')
            self._value = self._values(index.classes, tuple(results['classes']))
            self._index = index
        path = self._index.path(results['img_id'])
        try:
            labels = self._value[read_semantic_map(path)]
        except ValueError as error:
            raise ValueError(f'image id {results["img_id"]!r}: {error}') from error
        size = results['height'], results['width']
        if labels.shape != size:
            raise ValueError(
                f'{path}: the map of image id {results["img_id"]!r} is {labels.shape}, '
                f'expected {size} (height, width).'
            )
        if self.clean_by_tags:
            labels = self._cleaned_values(results)[labels]
        return labels

    def _cleaned_values(self, results: dict[str, Any]) -> np.ndarray:
        """What becomes of every value in the map of an image with these tags."""
        classes, tags = tuple(results['classes']), list(results['tags'])
        if BACKGROUND in classes:
            others, kept = classes.index(BACKGROUND), tags
        elif BACKGROUND in self._index.classes:
            others, kept = 0, [tag + 1 for tag in tags]
        else:
            others, kept = IGNORE_INDEX, tags
        table = np.full(256, others, np.uint8)
        kept = [*kept, IGNORE_INDEX]
        table[kept] = kept
        return table

    def _values(self, names: tuple[str, ...], classes: tuple[str, ...]) -> np.ndarray:
        """The value that every number in the files stands for."""
        values = classes
        if BACKGROUND in names and BACKGROUND not in values:
            values = (BACKGROUND, *values)
        unknown = [name for name in names if name not in values]
        if unknown:
            raise ValueError(
                f'{self.folder} holds maps of {names}; expected {BACKGROUND!r} and '
                f'classes among {classes}.{alike_hint(unknown, classes)}'
            )
        is_extra = BACKGROUND in names and BACKGROUND not in classes
        if self.needs_background and not is_extra:
            raise ValueError(
                f'{self.folder} holds maps of {names} for the classes {classes}; '
                f'expected maps that have a {BACKGROUND!r}, and classes of a dataset '
                'that do not.'
            )
        table = np.full(256, IGNORE_INDEX, np.uint8)
        for number, name in enumerate(names):
            table[number] = values.index(name)
        return table

    def __getstate__(self) -> dict[str, Any]:
        """Leave the index behind when a worker gets a copy."""
        return {**self.__dict__, '_index': None, '_value': None}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(folder={self.folder!r}, '
            f'needs_background={self.needs_background}, '
            f'clean_by_tags={self.clean_by_tags})'
        )


@TRANSFORMS.register_module()
class LoadPanopticMap(BaseTransform):
    """Load the semantic and the instance map of an image from a COCO panoptic file.

    Sets ``gt_seg_map``, uint8 (H, W), the dataset's class ``k`` as ``k``, matched by
    name, 255 where there is no segment; and ``gt_instance_map``, int32 (H, W): segments
    are 1, 2, ... in the order of ``segments_info``, -1 where nothing is known of
    instances (no segment, or a crowd region), 0 on stuff if that counts as no
    instance. The file is opened at the first sample, once per process.

    Args:
        ann_file: COCO panoptic JSON, such as
            ``tools/generate_pseudo_labels.py --artifact panoptic_maps`` wrote.
        seg_prefix: Folder of its PNGs. Defaults to that of its name without ``.json``.
        with_stuff: Number regions of stuff, too, as losses over all segments need it.
            Defaults to True.
    """

    def __init__(
        self, ann_file: str, seg_prefix: str | None = None, with_stuff: bool = True
    ) -> None:
        self.ann_file = ann_file
        self.seg_prefix = seg_prefix
        self.with_stuff = with_stuff
        self._file: PanopticFile | None = None
        self._labels: dict[int, int] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the maps of ``results['img_id']``.

        Args:
            results: Data of an image of ``mmwsis.CocoWeakDataset``.

        Returns:
            ``results``.

        Raises:
            FileNotFoundError: The JSON, or the PNG of the image, does not exist.
            ValueError: The file has no such image or other classes than the dataset;
                or the PNG is damaged or of another size. The message names it.
        """
        ids, segments = self._read(results)
        labels = {one['id']: self._labels[one['category_id']] for one in segments}
        results['gt_seg_map'] = renumber(ids, labels, IGNORE_INDEX).astype(np.uint8)
        results['gt_instance_map'] = renumber(ids, self._numbers(segments), IGNORED)
        return results

    def _read(self, results: dict[str, Any]) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Segment ids of an image's pixels, and ``segments_info``."""
        if self._file is None:
            self._open(results['classes'])
        image_id = results['img_id']
        ids = self._file.segment_map(image_id)
        size = results['height'], results['width']
        if ids.shape != size:
            raise ValueError(
                f'{self._file.map_path(image_id)}: the map of image id {image_id!r} is '
                f'{ids.shape}, expected {size} (height, width).'
            )
        return ids, self._file.segments(image_id)

    def _numbers(self, segments: list[dict[str, Any]]) -> dict[int, int]:
        """Number in the instance map of every segment that has one."""
        numbers, count = {}, 0
        for segment in segments:
            is_thing = self._file.categories[segment['category_id']]['isthing']
            if not is_thing and not self.with_stuff:
                numbers[segment['id']] = 0
            elif not segment.get('iscrowd'):
                count += 1
                numbers[segment['id']] = count
        return numbers

    def _open(self, classes: tuple[str, ...]) -> None:
        """Read the JSON; find the label of every category."""
        folder = self.seg_prefix or Path(self.ann_file).with_suffix('')
        file = PanopticFile(self.ann_file, folder)
        names = [category['name'] for category in file.categories.values()]
        unknown = [name for name in names if name not in classes]
        if unknown or len(classes) > IGNORE_INDEX:
            raise ValueError(
                f'{self.ann_file} has the categories {name_list(unknown or names)}; '
                f'expected those of the dataset, at most {IGNORE_INDEX}: '
                f'{name_list(classes)}.{alike_hint(unknown, classes)}'
            )
        self._labels = {
            key: classes.index(name) for key, name in zip(file.categories, names)
        }
        self._file = file

    def __getstate__(self) -> dict[str, Any]:
        """Leave the file behind when a worker gets a copy."""
        return {**self.__dict__, '_file': None, '_labels': {}}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(ann_file={self.ann_file!r}, '
            f'seg_prefix={self.seg_prefix!r}, with_stuff={self.with_stuff})'
        )
