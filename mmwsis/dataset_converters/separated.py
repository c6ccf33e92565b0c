"""Objects that an occluder cuts into several parts (Separated COCO).

The benchmark (Zhan et al., A Tri-Layer Plugin to Improve Occluded Detection, BMVC 2022)
is a pickled list of ``[file name, class name, _, box, RLE]`` of objects of COCO
val2017. For other datasets our own rule stands in: the mask has two or more
8-connected parts of at least a few pixels each.
"""

import io
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pycocotools import mask as mask_api

from mmwsis.formats.coco_file import image_file_name, read_coco
from mmwsis.formats.coco_masks import (
    check_polygons,
    decode_segmentation,
    rle_runs,
)
from mmwsis.ops.connected_components import SEPARATED_MIN_AREA, is_separated
from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.parallel import OrderedPool

from .coco2weak import WeakLabelError
from .finished_jobs import RememberingPool, finished_jobs
from .output_files import provenance

Progress = Callable[[int], None]
CHUNK = 256
SHOWN = 10
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
        index: Position in the list.
        file_name: Image.
        class_name: Class.
        rle: Compressed RLE with ``size`` and ``counts`` (bytes).
    """

    index: int
    file_name: str
    class_name: str
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
        counts = rle['counts']
        size = [int(side) for side in rle['size']]
        counts = counts.encode('ascii') if isinstance(counts, str) else bytes(counts)
        rle_runs(dict(size=size, counts=counts), *size)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f'{path}: entry {index} must be [file name, class name, _, box, RLE]: '
            f'{error}'
        ) from None
    return Entry(index, str(file_name), str(class_name), dict(size=size, counts=counts))


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
    for entry in entries:
        image = by_name.get(Path(entry.file_name).name)
        place = f'entry {entry.index} ({entry.class_name} in {entry.file_name})'
        if image is None or entry.class_name not in class_ids:
            what = 'image' if image is None else 'class'
            problems.append(f'{place}: {source} has no such {what}')
            continue
        own = candidates.get((image['id'], class_ids[entry.class_name]), [])
        iou, best = _best_match(entry, own, image, source)
        if best is None or iou < MIN_IOU:
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
    image: Mapping[str, Any],
    source: str,
) -> tuple[float, Any]:
    size = [image['height'], image['width']]
    if not candidates or entry.rle['size'] != size:
        return 0.0, None
    rles = [_rle_of(ann, size, source) for ann in candidates]
    ious = mask_api.iou([entry.rle], rles, [0] * len(rles))[0]
    best = int(ious.argmax())
    return float(ious[best]), candidates[best]['id']


def _rle_of(
    annotation: Mapping[str, Any], size: Sequence[int], source: str
) -> dict[str, Any]:
    segmentation = annotation.get('segmentation')
    try:
        if isinstance(segmentation, Mapping):
            rle_runs(dict(segmentation), *size)
            if isinstance(segmentation['counts'], list):
                return mask_api.frPyObjects(dict(segmentation), *size)
            return dict(segmentation)
        check_polygons(segmentation)
        return mask_api.merge(mask_api.frPyObjects(segmentation, *size))
    except ValueError as error:
        raise ValueError(
            f'{source}: annotation id {annotation["id"]!r}: {error}'
        ) from None


def find_separated(
    coco: Mapping[str, Any],
    min_part: int,
    *,
    source: str,
    pool: OrderedPool | RememberingPool,
    skip_invalid: bool = False,
    progress: Progress = lambda done: None,
) -> set[Any]:
    """Annotations whose masks fall into several parts.

    Args:
        coco: Checked COCO dictionary with masks.
        min_part: Parts with fewer pixels do not count.
        source: Name of the file, for messages.
        pool: Processes that decode the masks.
        skip_invalid: Pass over broken masks.
        progress: Called with the number of annotations that were just looked at.

    Returns:
        Annotation ids; crowd regions are never among them.

    Raises:
        WeakLabelError: Some masks are broken, and ``skip_invalid`` is off.
    """
    objects = [ann for ann in coco['annotations'] if not ann.get('iscrowd')]
    found: set[Any] = set()
    problems: list[tuple[Mapping[str, Any], str]] = []
    done = 0
    for results in pool.imap(_look, _chunks(coco, objects, min_part)):
        for annotation, result in zip(objects[done:], results):
            if isinstance(result, str):
                problems.append((annotation, result))
            elif result:
                found.add(annotation['id'])
        done += len(results)
        progress(len(results))
    if problems and not skip_invalid:
        raise WeakLabelError(source, problems)
    return found


def _chunks(
    coco: Mapping[str, Any], objects: Sequence[Mapping[str, Any]], min_part: int
) -> Iterator[tuple[list[tuple[Any, int, int]], int]]:
    sizes = {image['id']: (image['height'], image['width']) for image in coco['images']}
    for start in range(0, len(objects), CHUNK):
        chunk = [
            (ann.get('segmentation'), *sizes[ann['image_id']])
            for ann in objects[start : start + CHUNK]
        ]
        yield chunk, min_part


def _look(job: tuple[list[tuple[Any, int, int]], int]) -> list[bool | str]:
    masks, min_part = job
    results: list[bool | str] = []
    for segmentation, height, width in masks:
        try:
            crop = decode_segmentation(segmentation, height, width)
        except ValueError as error:
            results.append(str(error))
        else:
            results.append(is_separated(crop.mask, min_part))
    return results


def separated_file(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    published: str | os.PathLike | None = None,
    min_part: int = SEPARATED_MIN_AREA,
    workers: int = 1,
    skip_invalid: bool = False,
    overwrite: bool = False,
    open_progress: Callable[[int], Progress] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Write the separated objects of a file, with the ids that they have in it.

    Finished annotations survive a kill in ``<out>.unfinished``; the same call goes on
    from there.

    Args:
        source: COCO JSON with masks; with ``published``, COCO's instances_val2017.
        out: File to write: the same COCO JSON with only these objects and the images
            that show them. ``coco2weak.py`` derives weak labels from it, and
            ``pseudo_label_quality.py --separated`` reads the ids.
        published: ``separated_coco.pkl``; by default our own rule.
        min_part: Of our own rule: least size of a part, in pixels.
        workers: Number of processes, >= 1.
        skip_invalid: Pass over broken masks and entries without an annotation.
        overwrite: Replace an existing file.
        open_progress: Called with the number of annotations; returns the function that
            counts finished ones.

    Returns:
        What was written, and why entries of the list were passed over.

    Raises:
        FileExistsError: ``out`` exists and ``overwrite`` is off.
        FileNotFoundError: A file does not exist.
        ValueError: A file is broken, or entries have no annotation; nothing has been
            written.
    """
    inputs = [source] if published is None else [source, published]
    # Workers are forked before the file is read: they stay small.
    with (
        OrderedPool(1 if published else workers) as processes,
        finished_jobs([out], inputs, overwrite) as finished,
    ):
        problems: list[str] = []
        if published is not None:
            entries = read_pickle(published)
            coco = read_coco(source)
            found, problems = match_entries(coco, entries, str(source))
            rule = dict(
                rule='published', list=Path(published).name, entries=len(entries)
            )
            if problems and not skip_invalid:
                raise ValueError(_unmatched(problems, len(entries), published))
        else:
            coco = read_coco(source)
            total = sum(not ann.get('iscrowd') for ann in coco['annotations'])
            found = find_separated(
                coco,
                min_part,
                source=str(source),
                pool=finished.remember(processes),
                skip_invalid=skip_invalid,
                progress=open_progress(total) if open_progress else lambda done: None,
            )
            rule = dict(rule='parts', min_part=min_part)
        result = _only(coco, found, provenance('separated_coco', source, **rule))
        finished.start_writing()
        atomic_write_json(out, result)
    return result, problems


def _only(
    coco: Mapping[str, Any], found: set[Any], info: Mapping[str, Any]
) -> dict[str, Any]:
    """The file with these annotations alone, and the images that show them."""
    annotations = [ann for ann in coco['annotations'] if ann['id'] in found]
    shown = {ann['image_id'] for ann in annotations}
    return {
        **coco,
        'info': {**(coco.get('info') or {}), 'mmwsis': info},
        'images': [image for image in coco['images'] if image['id'] in shown],
        'annotations': annotations,
    }


def _unmatched(problems: Sequence[str], count: int, path: str | os.PathLike) -> str:
    more = [f'  ... and {len(problems) - SHOWN} more'] if len(problems) > SHOWN else []
    return '\n'.join(
        [
            f'{path}: {len(problems)} of {count} entries have no annotation, so that '
            'nothing was written:',
            *(f'  {problem}' for problem in problems[:SHOWN]),
            *more,
            'Give the annotations of COCO val2017, or pass over these entries with '
            '--skip-invalid.',
        ]
    )
