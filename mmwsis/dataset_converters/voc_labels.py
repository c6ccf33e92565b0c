"""Reading the labels of VOC 2012 (palette PNG, XML) and of SBD (MATLAB)."""

from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from scipy.io import loadmat
from scipy.optimize import linear_sum_assignment

from .label_maps import check_size, read_labels
from .voc_classes import VOC_CLASSES, VOC_VOID

# A mask's box is smaller than the annotated one by the void ring, a few pixels wide,
# which halves the overlap of small objects.
MIN_BOX_IOU = 0.2


class VocLabels(NamedTuple):
    """Labels of one image.

    Attributes:
        objects: uint8 (H, W); 0 is no object, 255 void, k an object.
        classes: uint8 (H, W); 0 is background, 255 void, k the k-th class.
        class_of: Class, 1 to 20, by object.
        notes: What was odd, by remark.
    """

    objects: np.ndarray
    classes: np.ndarray
    class_of: dict[int, int]
    notes: dict[str, int]


class XmlObject(NamedTuple):
    """An object of VOC's box annotations.

    Attributes:
        category_id: 1 to 20.
        bbox: ``[x, y, width, height]`` in pixels, counted from 0.
        difficult: Whether it is marked so.
    """

    category_id: int
    bbox: list[float]
    difficult: bool


def read_voc_labels(objects_file: Path, classes_file: Path) -> VocLabels:
    """Read the object map and the class map of VOC.

    Void (255) of either map is void in both. An object has the class that most of its
    pixels have.

    Args:
        objects_file: PNG of SegmentationObject.
        classes_file: PNG of SegmentationClass.

    Returns:
        The labels.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The files are broken or do not fit together; the message names the
            file and the object.
    """
    what = 'PASCAL VOC label image (PNG with a palette)'
    objects = read_labels(objects_file, what)
    classes = read_labels(classes_file, what)
    check_size(objects, classes.shape, objects_file, classes_file)
    table = _joint_histogram(objects, classes, objects_file, classes_file)
    table[:, VOC_VOID] = table[VOC_VOID, :] = 0
    several = 'objects of several classes, the most frequent one taken'
    hidden = 'objects that lie in the void altogether'
    notes = {
        several: 0,
        hidden: 0,
        # Part of a class but of no object: nothing may be measured there.
        'pixels of a class but of no object, made void': int(table[0, 1:].sum()),
    }
    class_of = {}
    for number in np.unique(objects).tolist():
        if number in (0, VOC_VOID):
            continue
        best = int(table[number].argmax())
        if not table[number].any():
            notes[hidden] += 1
            continue
        if best == 0:
            raise ValueError(
                f'{objects_file}: object {number} lies on the background of '
                f'{classes_file}; the two files do not belong together'
            )
        notes[several] += int((table[number] > 0).sum() > 1)
        class_of[number] = best
    void = (objects == VOC_VOID) | (classes == VOC_VOID)
    void |= (objects == 0) & (classes > 0)
    objects, classes = objects.copy(), classes.copy()
    objects[void] = classes[void] = VOC_VOID
    return VocLabels(objects, classes, class_of, notes)


def read_sbd_labels(inst_file: Path, cls_file: Path) -> VocLabels:
    """Read the object map and the class map of SBD.

    Args:
        inst_file: MATLAB file of inst, with the structure GTinst.
        cls_file: MATLAB file of cls, with the structure GTcls; if it is missing, the
            class map follows from the objects.

    Returns:
        The labels. SBD has no void of its own.

    Raises:
        FileNotFoundError: ``inst_file`` is missing.
        ValueError: A file is broken; the message names it and the object.
    """
    given = _read_mat(inst_file, 'GTinst', ('Segmentation', 'Categories'))
    objects = _mat_map(given['Segmentation'], inst_file)
    categories = np.asarray(given['Categories']).ravel().astype(int).tolist()
    table = [0, *categories]
    present = np.unique(objects).tolist()
    for number in present:
        if number > len(categories):
            raise ValueError(
                f'{inst_file}: object {number} has no entry in GTinst.Categories, '
                f'which has {len(categories)}'
            )
        if number and not 1 <= table[number] <= len(VOC_CLASSES):
            raise ValueError(
                f'{inst_file}: object {number} has category {table[number]}; expected '
                f'1 to {len(VOC_CLASSES)}'
            )
    class_of = {number: table[number] for number in present if number}
    classes = np.asarray(table, dtype=np.uint8)[objects]
    notes = {
        'objects without a pixel': len(categories) - len(class_of),
        'pixels whose class differs between inst and cls': 0,
    }
    if cls_file.is_file():
        other = _read_mat(cls_file, 'GTcls', ('Segmentation',))
        own = _mat_map(other['Segmentation'], cls_file)
        check_size(own, objects.shape, cls_file, inst_file)
        _check_classes(own, cls_file)
        differs = int((own != classes).sum())
        notes['pixels whose class differs between inst and cls'] = differs
        classes = own
    return VocLabels(objects, classes, class_of, notes)


def read_xml(path: Path) -> list[XmlObject]:
    """Objects of VOC's box annotations; parts (head, hand, foot) are not objects.

    Args:
        path: XML file of Annotations.

    Returns:
        Objects of the 20 classes, in the order of the file.

    Raises:
        ValueError: The file is broken; the message names it and the object.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise ValueError(f'{path}: is no readable XML ({error})') from None
    found = []
    for number, node in enumerate(root.findall('object'), 1):
        name = (node.findtext('name') or '').strip()
        if name not in VOC_CLASSES:
            continue
        try:
            corners = [
                float(node.findtext(f'bndbox/{key}'))
                for key in ('xmin', 'ymin', 'xmax', 'ymax')
            ]
            difficult = bool(int(node.findtext('difficult') or 0))
        except (TypeError, ValueError):
            raise ValueError(
                f'{path}: object {number} ({name}) has no bndbox of four numbers, or '
                'its difficult is neither 0 nor 1'
            ) from None
        x0, y0, x1, y1 = corners
        if not np.isfinite(corners).all() or x1 < x0 or y1 < y0:
            raise ValueError(
                f'{path}: object {number} ({name}) has the box {corners} (xmin, ymin, '
                'xmax, ymax), whose maxima are below its minima or which is not finite'
            )
        # VOC counts pixels from 1 and includes the last one.
        box = [x0 - 1, y0 - 1, x1 - x0 + 1, y1 - y0 + 1]
        found.append(XmlObject(VOC_CLASSES.index(name) + 1, box, difficult))
    return found


def match_difficult(
    entries: list[dict[str, Any]], annotated: list[XmlObject]
) -> list[bool | None]:
    """Which masks are of objects that the box annotations mark difficult.

    Masks and boxes of a class are paired one to one, for the largest sum of IoU.

    Args:
        entries: Annotations with ``category_id`` and ``bbox``.
        annotated: Objects of the image's XML file.

    Returns:
        One flag per entry, None where no box belongs to the mask.
    """
    flags: list[bool | None] = [None] * len(entries)
    for category_id in {entry['category_id'] for entry in entries}:
        masks = [
            k for k, entry in enumerate(entries) if entry['category_id'] == category_id
        ]
        boxes = [one for one in annotated if one.category_id == category_id]
        if not boxes:
            continue
        ious = _box_ious([entries[k]['bbox'] for k in masks], [b.bbox for b in boxes])
        for row, column in zip(*linear_sum_assignment(ious, maximize=True)):
            if ious[row, column] >= MIN_BOX_IOU:
                flags[masks[row]] = boxes[column].difficult
    return flags


def _box_ious(first: list[list[float]], second: list[list[float]]) -> np.ndarray:
    a, b = np.asarray(first, float)[:, None], np.asarray(second, float)[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    return inter / (a[..., 2:].prod(axis=2) + b[..., 2:].prod(axis=2) - inter)


def _joint_histogram(
    objects: np.ndarray, classes: np.ndarray, objects_file: Path, classes_file: Path
) -> np.ndarray:
    """Pixels by object and class, int64 (256, 256)."""
    for labels, path in ((objects, objects_file), (classes, classes_file)):
        if labels.dtype != np.uint8:
            raise ValueError(f'{path}: expected 8 bits per pixel, found 16')
    _check_classes(classes, classes_file)
    code = objects.astype(np.uint16) * 256 + classes
    return np.bincount(code.ravel(), minlength=1 << 16).reshape(256, 256)


def _check_classes(classes: np.ndarray, path: Path) -> None:
    wrong = np.unique(classes[(classes > len(VOC_CLASSES)) & (classes != VOC_VOID)])
    if wrong.size:
        raise ValueError(
            f'{path}: has the class {wrong[0]}; expected 0 to {len(VOC_CLASSES)}, '
            f'and {VOC_VOID} for void'
        )


def _read_mat(path: Path, name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: there is no such file; expected SBD masks')
    try:
        content = loadmat(path)
    except Exception as error:
        raise ValueError(
            f'{path}: is no readable MATLAB 5 file ({error}); fetch or unpack it again'
        ) from None
    try:
        structure = content[name][0, 0]
        return {field: structure[field] for field in fields}
    except (KeyError, IndexError, ValueError):
        keys = sorted(key for key in content if not key.startswith('__'))
        raise ValueError(
            f'{path}: expected the structure {name} with {" and ".join(fields)}; the '
            f'file has {keys}'
        ) from None


def _mat_map(value: Any, path: Path) -> np.ndarray:
    labels = np.asarray(value)
    if labels.ndim != 2 or not labels.size or labels.dtype.kind not in 'iufb':
        raise ValueError(
            f'{path}: Segmentation must be a matrix of numbers, found shape '
            f'{labels.shape} of type {labels.dtype}'
        )
    if labels.min() < 0 or labels.max() > 255 or (labels != np.floor(labels)).any():
        raise ValueError(f'{path}: Segmentation has values that are no labels')
    return labels.astype(np.uint8)
