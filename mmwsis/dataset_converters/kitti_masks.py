"""KITTI's instance maps as COCO JSON with masks."""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.structures.supervision import Supervision

from .cityscapes_classes import CITYSCAPES_LABELS, INSTANCE_BASE, cityscapes_categories
from .cityscapes_labels import image_entry, image_segments, object_entries
from .conversion import RunOptions, source_block
from .image_records import Record, Summary, coco_document, convert_images, read_list
from .kitti_boxes import check_class_names
from .kitti_classes import KITTI_MASK_CLASSES, KITTI_MASK_IMAGES
from .label_maps import check_size, image_shape, read_labels, recode
from .outputs import Outputs


@dataclass(frozen=True)
class KittiMaskOptions:
    """How KITTI's instance maps are converted.

    Attributes:
        image_dir: Folder of the images, 'training/image_2'.
        instance_dir: Folder of the instance maps, 'training/instance'.
        classes: Names of :data:`~.kitti_classes.KITTI_MASK_CLASSES`.
    """

    image_dir: Path
    instance_dir: Path
    classes: tuple[str, ...] = ('car',)

    def __post_init__(self) -> None:
        check_class_names(self.classes, KITTI_MASK_CLASSES)


def convert_masks(
    image_list: str | os.PathLike | None,
    output: str | os.PathLike,
    options: KittiMaskOptions,
    run: RunOptions | None = None,
) -> Summary:
    """Convert the images of a list, or all that have an instance map.

    Args:
        image_list: Text file with one image name per line, or None for all.
        output: JSON file to write.
        options: How.
        run: How the conversion runs; the defaults if None.

    Returns:
        The document, what was left out, and warnings.

    Raises:
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        FileExistsError: ``output`` exists, and ``overwrite`` is off.
        FileNotFoundError: There is no list, or no instance map.
    """
    if image_list is not None:
        names = read_list(image_list)
    else:
        names = sorted(file.stem for file in options.instance_dir.glob('*.png'))
        if not names:
            raise FileNotFoundError(f'{options.instance_dir}: has no *.png')
    source = Path(image_list or options.instance_dir).name
    with Outputs() as files:
        document, left_out = convert_images(
            names,
            functools.partial(image_record, options=options),
            [output],
            functools.partial(_assemble, source=source, options=options),
            run or RunOptions(),
            files,
            options.instance_dir,
        )
    count, warnings = len(document['images']), []
    if image_list is None and count != KITTI_MASK_IMAGES:
        warnings.append(
            f'{count} images, but KITTI has {KITTI_MASK_IMAGES} with instance maps'
        )
    return Summary(document, left_out, warnings)


def image_record(name: str, options: KittiMaskOptions) -> Record:
    """Convert one image.

    Pixels of a thing class with instance 0 have no instance ground truth: a crowd.

    Args:
        name: Such as '000007_10'.
        options: How.

    Returns:
        ``image`` (without id) and ``objects``.

    Raises:
        FileNotFoundError: The image or its instance map is missing.
        ValueError: The map is broken; the message names the file and the number.
    """
    file_name = f'{name}.png'
    path = options.instance_dir / file_name
    labels = read_labels(path, 'KITTI instance map (16 bit PNG)')
    image_path = options.image_dir / file_name
    check_size(labels, image_shape(image_path), path, image_path)
    labels = cityscapes_numbers(labels, path)
    segments = image_segments(labels, path)
    category_ids = {
        entry['name']: entry['id'] for entry in _categories(options.classes)
    }
    objects = object_entries(segments, category_ids)
    tags = [entry['category_id'] for entry in objects]
    image = image_entry(file_name, labels, segments, tags)
    return dict(image=image, objects=objects)


def cityscapes_numbers(labels: np.ndarray, path: Path) -> np.ndarray:
    """Turn KITTI's ``label * 256 + instance`` into Cityscapes' instanceIds.

    Args:
        labels: uint8 or uint16 (H, W).
        path: File of the labels, for the message.

    Returns:
        uint16 (H, W): ``label * 1000 + instance`` for things with an instance number,
        else the label.

    Raises:
        ValueError: A label that Cityscapes does not have.
    """
    known = {label.id: label for label in CITYSCAPES_LABELS}
    numbers = {}
    for number in np.unique(labels).tolist():
        label_id, instance = divmod(number, 256)
        label = known.get(label_id)
        if label is None:
            raise ValueError(
                f'{path}: has the number {number}, that is label {label_id} and '
                f'instance {instance}; labels go from 0 to {max(known)}'
            )
        numbered = label.has_instances and instance
        numbers[number] = label_id * INSTANCE_BASE + instance if numbered else label_id
    return recode(labels, numbers, other=0)


def _categories(classes: Sequence[str]) -> list[dict[str, Any]]:
    by_name: Mapping[str, dict] = {x['name']: x for x in cityscapes_categories()}
    keys = ('id', 'name', 'supercategory', 'color')
    return [{key: by_name[name][key] for key in keys} for name in classes]


def _assemble(
    records: Sequence[Record], source: str, options: KittiMaskOptions
) -> dict[str, Any]:
    info = {
        'description': 'KITTI instance segmentation',
        'mmwsis': source_block('kitti2coco', source, Supervision.MASKS),
    }
    return coco_document(records, info, _categories(options.classes))
