"""Objects that an occluder cuts into several components (Separated COCO).

The benchmark (Zhan et al., A Tri-Layer Plugin to Improve Occluded Detection, BMVC 2022)
is a pickled list of ``[file name, class name, _, box, RLE]`` of objects of COCO
val2017. For other datasets our own rule stands in: the mask has two or more
8-connected components of at least a few pixels each.
"""

import functools
import io
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools import mask as mask_api

from mmwsis.formats.coco_file import image_file_name, read_coco
from mmwsis.formats.coco_masks import (
    check_segmentation,
    checked_rle,
    decode_segmentation,
)
from mmwsis.ops.connected_components import SEPARATED_MIN_AREA, is_separated
from mmwsis.utils.parallel import OrderedPool

from .annotation_pass import map_annotations
from .conversion import RunOptions, refuse_existing, shorten, with_source
from .outputs import Outputs

# An object and itself differ by nothing, or by the way its polygons were filled.
MIN_IOU = 0.9
# What the pickle of a list of strings, numbers, arrays and RLEs needs, and no more: a
# pickle from the network can otherwise run anything.
_PICKLE_NAMES = {
    ('_codecs', 'encode'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    *(
        (f'numpy.{core}.multiarray', name)
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    ),
    ('numpy._core.numeric', '_frombuffer'),
    ('numpy.core.numeric', '_frombuffer'),
}


class Entry(NamedTuple):
    """One object of the benchmark's list.

    Attributes:
        file_name: Image.
        class_name: Class.
        size: Height and width of the image in pixels.
        rle: The mask, as pycocotools encodes it.
    """

    file_name: str
    class_name: str
    size: tuple[int, int]
    rle: dict[str, Any]


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PICKLE_NAMES:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}')
        return super().find_class(module, name)


def read_pickle(path: str | os.PathLike) -> list[Entry]:
    """Read the published list of Separated (or Occluded) COCO.

    Only plain values and arrays are unpickled; a file that asks for anything else is
    refused, because pickles can run code.

    Args:
        path: ``separated_coco.pkl``.

    Returns:
        Its entries.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such list; the message says which entry breaks it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; mmdet.CocoOccludedSeparatedMetric names the '
            'address of separated_coco.pkl'
        )
    try:
        entries = _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # Broken pickles raise anything.
        raise ValueError(
            f'{path} is no pickle of plain lists: {error or type(error).__name__}'
        ) from None
    if not isinstance(entries, (list, tuple)) or not entries:
        raise ValueError(f'{path}: expected a list of objects, got {type(entries)}')
    return [_entry(path, index, entry) for index, entry in enumerate(entries)]


def _entry(path: Path, index: int, entry: Any) -> Entry:
    try:
        file_name, class_name, _, _, rle = entry
        height, width = (int(side) for side in rle['size'])
        rle = dict(size=[height, width], counts=rle['counts'])
        rle = _rle_of(rle, (height, width), 'RLE')
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f'{path}: entry {index} must be [file name, class name, _, box, RLE]: '
            f'{error}'
        ) from None
    return Entry(str(file_name), str(class_name), (height, width), rle)


def _rle_of(segmentation: Any, size: tuple[int, int], where: str) -> dict[str, Any]:
    check_segmentation(segmentation, size, where)
    return checked_rle(segmentation, *size)


def match_entries(
    coco: Mapping[str, Any], entries: Sequence[Entry], source: str
) -> tuple[set[Any], list[str]]:
    """Find the annotations that a list of objects is about.

    An entry goes to the annotation of its image and class whose mask overlaps it most,
    by an IoU of at least 0.9.

    Args:
        coco: Checked COCO dictionary with masks.
        entries: The list.
        source: Name of the annotation file, for messages.

    Returns:
        Annotation ids, and for every entry without one the reason.

    Raises:
        ValueError: A mask of the annotation file is broken.
    """
    by_name = {Path(image_file_name(im)).name: im for im in coco['images']}
    class_ids = {category['name']: category['id'] for category in coco['categories']}
    candidates: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for ann in coco['annotations']:
        if not ann.get('iscrowd'):
            key = (ann['image_id'], ann['category_id'])
            candidates.setdefault(key, []).append(ann)
    found: set[Any] = set()
    problems = []
    for index, entry in enumerate(entries):
        image = by_name.get(Path(entry.file_name).name)
        place = f'entry {index} ({entry.class_name} in {entry.file_name})'
        if image is None or entry.class_name not in class_ids:
            what = 'image' if image is None else 'class'
            problems.append(f'{place}: {source} has no such {what}')
            continue
        own = candidates.get((image['id'], class_ids[entry.class_name]), [])
        iou, best = _best_match(entry, own, (image['height'], image['width']), source)
        if iou < MIN_IOU:
            problems.append(
                f'{place}: no annotation overlaps it by {MIN_IOU} (best IoU {iou:.2f}, '
                f'{len(own)} of this class)'
            )
        elif best in found:
            problems.append(f'{place}: annotation id {best!r} has an entry already')
        else:
            found.add(best)
    return found, problems


def _best_match(
    entry: Entry,
    candidates: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    source: str,
) -> tuple[float, Any]:
    if not candidates or entry.size != size:
        return 0.0, None
    rles = [
        _rle_of(ann.get('segmentation'), size, f'{source}: annotation id {ann["id"]!r}')
        for ann in candidates
    ]
    ious = mask_api.iou([entry.rle], rles, [0] * len(rles))[0]
    best = int(ious.argmax())
    return float(ious[best]), candidates[best]['id']


def _is_separated(
    annotation: Mapping[str, Any], size: tuple[int, int], min_part: int
) -> bool:
    crop = decode_segmentation(annotation.get('segmentation'), *size)
    return is_separated(crop.mask, min_part)


def separated_file(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    published: str | os.PathLike | None = None,
    min_part: int = SEPARATED_MIN_AREA,
    run: RunOptions | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Write the separated objects of a file, with the ids that they have in it.

    Args:
        source: COCO JSON with masks; with ``published``, COCO's instances_val2017.
        out: File to write: the same COCO JSON with only these objects and the images
            that show them. ``coco2weak.py`` derives weak labels from it, and
            ``pseudo_label_quality.py --separated`` reads the ids.
        published: ``separated_coco.pkl``; by default our own rule.
        min_part: Of our own rule: least size of a component, in pixels.
        run: How the search runs; the defaults if None. Progress counts annotations;
            ``skip_invalid`` passes over broken masks and entries without an annotation.

    Returns:
        What was written, and why entries of the list were passed over.

    Raises:
        FileExistsError: ``out`` exists and ``overwrite`` is off.
        FileNotFoundError: A file does not exist.
        ValueError: A file is broken, or entries have no annotation; nothing has been
            written.
    """
    run = run or RunOptions()
    refuse_existing([out], [source, *([published] if published else [])], run.overwrite)
    problems: list[str] = []
    if published is not None:
        entries = read_pickle(published)
        coco = read_coco(source)
        found, problems = match_entries(coco, entries, str(source))
        rule = dict(rule='published', list=Path(published).name, entries=len(entries))
        if problems and not run.skip_invalid:
            raise ValueError(
                f'{published}: {len(problems)} of {len(entries)} entries have no '
                f'annotation, so that nothing was written:\n{shorten(problems)}\nGive '
                'the annotations of COCO val2017, or pass over these entries with '
                '--skip-invalid.'
            )
    else:
        # Processes start before the file is read: they stay small.
        with OrderedPool(run.workers) as pool:
            coco = read_coco(source)
            objects = [ann for ann in coco['annotations'] if not ann.get('iscrowd')]
            flags = map_annotations(
                functools.partial(_is_separated, min_part=min_part),
                coco,
                objects,
                source=str(source),
                pool=pool,
                skip_invalid=run.skip_invalid,
                progress=run.open_progress(len(objects)),
            )
        found = {ann['id'] for ann, flag in zip(objects, flags) if flag}
        rule = dict(rule='parts', min_part=min_part)
    annotations = [ann for ann in coco['annotations'] if ann['id'] in found]
    shown = {ann['image_id'] for ann in annotations}
    images = [image for image in coco['images'] if image['id'] in shown]
    result = {**coco, 'images': images, 'annotations': annotations}
    result = with_source(result, 'separated_coco', source, **rule)
    with Outputs() as files:
        files.labels(out, result, source)
    return result, problems
