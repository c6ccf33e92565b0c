"""Conversion of a fully labelled COCO file into weakly labelled ones.

One pass over the annotations serves several levels. Masks are decoded in worker
processes that get small chunks and return a few numbers per annotation.
"""

import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.checks import check_coco
from mmwsis.formats.coco_file import read_json, with_file_names
from mmwsis.structures.supervision import Supervision, restrict_coco
from mmwsis.utils.parallel import OrderedPool

from .coco_panoptic import add_stuff_tags, is_panoptic, panoptic_to_instances
from .conversion import (
    Progress,
    RunOptions,
    no_progress,
    refuse_existing,
    shorten,
    with_source,
)
from .crop_tags import (
    check_crop_size,
    crops_of_annotation,
    mask_crop_tags,
    panoptic_crop_tags,
    with_crop_tags,
)
from .outputs import Outputs
from .weak_labels import WeakProtocol, derive_weak_labels, holds_point_alone

CHUNK = 256
_NEEDED_KEYS = (
    'id',
    'image_id',
    'segmentation',
    'bbox',
    'iscrowd',
    'point',
    'score',
)
# A file holds its own level's labels; weaker ones are not repeated in it.
_LABEL_KEYS = {
    Supervision.IMAGE_TAGS: (),
    Supervision.POINTS: ('point', 'score'),
    Supervision.BOXES: ('bbox',),
    Supervision.EXTREME_POINTS: ('extreme_points',),
}

Annotation = Mapping[str, Any]
Size = tuple[int, int]  # height and width of an image
# Annotations that a worker looks at in one go.
Chunk = list[tuple[Annotation, Size]]


class WeakLabelError(ValueError):
    """Annotations that no weak label can be derived from.

    Attributes:
        problems: ``(annotation, reason)`` of every one of them.
    """

    def __init__(
        self, source: str, problems: Sequence[tuple[Mapping[str, Any], str]]
    ) -> None:
        self.problems = list(problems)
        lines = [
            f'annotation id {annotation["id"]!r} of image id '
            f'{annotation["image_id"]!r}: {why}'
            for annotation, why in problems
        ]
        super().__init__(
            f'{source}: {len(problems)} annotation(s) cannot be converted, so that '
            f'nothing was written:\n{shorten(lines)}\nFix or remove them, or leave '
            'them out of the result with --skip-invalid.'
        )


def map_annotations(
    function: Callable[[Annotation, Size], Any],
    coco: Mapping[str, Any],
    annotations: Sequence[Annotation],
    *,
    source: str,
    pool: OrderedPool,
    skip_invalid: bool,
    progress: Progress,
) -> list[Any]:
    """Look at annotations in parallel.

    Args:
        function: Picklable function of an annotation and the size of its image; a
            ValueError of it says what is broken.
        coco: Checked COCO dictionary, for the sizes of the images.
        annotations: Some of its annotations.
        source: Name of the file, for messages.
        pool: Processes that look.
        skip_invalid: Give None for broken annotations.
        progress: Called with the number of annotations that were just finished.

    Returns:
        One result per annotation.

    Raises:
        WeakLabelError: Some annotations are broken, and ``skip_invalid`` is off.
    """
    found: list[Any] = []
    problems: list[tuple[Annotation, str]] = []
    look = functools.partial(_look_at_chunk, function)
    for results in pool.imap(look, _chunks(coco, annotations), _chunk_name):
        for result, reason in results:
            if reason is not None:
                problems.append((annotations[len(found)], reason))
            found.append(result)
        progress(len(results))
    if problems and not skip_invalid:
        raise WeakLabelError(source, problems)
    return found


def _chunks(
    coco: Mapping[str, Any], annotations: Sequence[Annotation]
) -> Iterator[Chunk]:
    sizes = {im['id']: (im['height'], im['width']) for im in coco['images']}
    for start in range(0, len(annotations), CHUNK):
        chunk = annotations[start : start + CHUNK]
        needed = [{k: ann[k] for k in _NEEDED_KEYS if k in ann} for ann in chunk]
        yield [(ann, sizes[ann['image_id']]) for ann in needed]


def _chunk_name(chunk: Chunk) -> str:
    (first, _), (last, _) = chunk[0], chunk[-1]
    return (
        f'annotation id {first["id"]!r} of image id {first["image_id"]!r} to '
        f'annotation id {last["id"]!r} of image id {last["image_id"]!r}'
    )


def _look_at_chunk(
    function: Callable[[Annotation, Size], Any], chunk: Chunk
) -> list[tuple[Any, str | None]]:
    """Results of a chunk; a broken annotation has None and the reason."""
    results: list[tuple[Any, str | None]] = []
    for annotation, size in chunk:
        try:
            results.append((function(annotation, size), None))
        except ValueError as error:
            results.append((None, str(error)))
    return results


def derive_weak_coco(
    coco: Mapping[str, Any],
    levels: Sequence[Supervision],
    protocol: WeakProtocol | None = None,
    *,
    source: str = 'annotation file',
    pool: OrderedPool | None = None,
    skip_invalid: bool = False,
    progress: Progress | None = None,
) -> dict[Supervision, dict[str, Any]]:
    """Derive weakly labelled COCO dictionaries from a fully labelled one.

    Args:
        coco: COCO or LVIS dictionary, checked as by
            :func:`mmwsis.formats.checks.check_coco`; is left as it is.
        levels: Levels wanted, all below MASKS.
        protocol: How labels are simulated; the defaults if None.
        source: Name of the file, for messages and for ``info``.
        pool: Processes that decode the masks; none if None. The result does not
            depend on it.
        skip_invalid: Leave out annotations that cannot be converted.
        progress: Called with the number of annotations that were just finished.

    Returns:
        One COCO dictionary per level. Each holds the labels of its own level alone
        (and boxes, where extreme points define them), with ids, classes and image
        tags.

    Raises:
        ValueError: MASKS is asked for.
        WeakLabelError: Some annotations are broken, and ``skip_invalid`` is off.
    """
    if not levels or Supervision.MASKS in levels:
        raise ValueError(
            'levels must be one or more of image_tags, points, boxes, extreme_points; '
            f'given {[level.label for level in levels]}'
        )
    protocol, progress = protocol or WeakProtocol(), progress or no_progress(0)
    annotations = coco['annotations']
    labels: list[dict[str, Any] | None] = [{}] * len(annotations)
    if any(level > Supervision.IMAGE_TAGS for level in levels):
        labels = map_annotations(
            functools.partial(
                derive_weak_labels, levels=tuple(levels), protocol=protocol
            ),
            coco,
            annotations,
            source=source,
            pool=pool or OrderedPool(),
            skip_invalid=skip_invalid,
            progress=progress,
        )
    else:
        progress(len(annotations))
    return {level: _assemble(coco, labels, level, protocol, source) for level in levels}


def convert_file(
    source: str | os.PathLike,
    outputs: Mapping[Supervision, str | os.PathLike],
    protocol: WeakProtocol | None = None,
    *,
    panoptic_dir: str | os.PathLike | None = None,
    stuff_tags: Sequence[str | os.PathLike] = (),
    crop_size: Size | None = None,
    run: RunOptions | None = None,
) -> dict[Supervision, dict[str, Any]]:
    """Convert a file; all outputs are written at the end, each in one step.

    Args:
        source: COCO or LVIS JSON with masks, or with points alone, or a COCO panoptic
            JSON, whose things become objects and whose stuff becomes image tags.
        outputs: File to write by level. MASKS is for files that hold no COCO masks
            with these tags yet: panoptic ones, or any with ``stuff_tags`` or
            ``crop_size``.
        protocol: How labels are simulated; the defaults if None.
        panoptic_dir: Folder of a panoptic file's PNGs; by default the one beside the
            file that bears its name.
        stuff_tags: COCO panoptic JSONs that the images' stuff tags come from.
        crop_size: Height and width in pixels of the crops whose tags are
            wanted, too (:func:`mmwsis.ops.crop_grid`). Defaults to None.
        run: How the conversion runs; the defaults if None. Progress counts the
            annotations, and before them the panoptic maps to read.

    Returns:
        What was written, by level.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: ``source``, or a file that it needs, does not exist.
        RuntimeError: A process died; the message says at which annotations.
        ValueError: ``source`` is not well formed; nothing has been written.
    """
    source, run = Path(source), run or RunOptions()
    protocol = protocol or WeakProtocol()
    refuse_existing(outputs.values(), [source, *stuff_tags], run.overwrite)
    # Processes start before the file is read: they stay small.
    with OrderedPool(run.workers) as pool:
        document = coco = read_json(str(source))
        if is_panoptic(coco):
            coco = panoptic_to_instances(
                coco,
                panoptic_dir or source.with_suffix(''),
                source=str(source),
                read_masks=_reads_masks(outputs, protocol),
                pool=pool,
                open_progress=run.open_progress,
            )
        elif Supervision.MASKS in outputs and not (stuff_tags or crop_size):
            raise ValueError(
                f'{source}: level masks is for panoptic files, for --stuff-tags and '
                'for --crop-tags; this file is a masks file already'
            )
        check_coco(coco, str(source))
        if stuff_tags:
            coco = add_stuff_tags(coco, stuff_tags, str(source))
        if crop_size is not None:
            pngs = panoptic_dir or source.with_suffix('')
            coco = _add_crop_tags(
                coco, document, pngs, crop_size, str(source), pool, run
            )
        results: dict[Supervision, dict[str, Any]] = {}
        weak = [level for level in outputs if level is not Supervision.MASKS]
        if weak:
            results = derive_weak_coco(
                coco,
                weak,
                protocol,
                source=str(source),
                pool=pool,
                skip_invalid=run.skip_invalid,
                progress=run.open_progress(len(coco['annotations'])),
            )
        if Supervision.MASKS in outputs:
            masks = restrict_coco(coco, Supervision.MASKS, source=source.name)
            results[Supervision.MASKS] = with_source(
                masks, 'coco2weak', source, Supervision.MASKS
            )
    with Outputs() as files:
        for level, path in outputs.items():
            files.labels(path, results[level], source)
    return results


def _add_crop_tags(
    coco: Mapping[str, Any],
    document: Mapping[str, Any],
    png_dir: str | os.PathLike,
    crop_size: Size,
    source: str,
    pool: OrderedPool,
    run: RunOptions,
) -> dict[str, Any]:
    """Tags of crops: of all classes of a panoptic file, else of those with masks."""
    check_crop_size(coco['images'], crop_size, source)
    if is_panoptic(document):
        tags = panoptic_crop_tags(
            document,
            png_dir,
            crop_size,
            source=source,
            pool=pool,
            open_progress=run.open_progress,
        )
    else:
        crops = map_annotations(
            functools.partial(crops_of_annotation, crop_size=crop_size),
            coco,
            coco['annotations'],
            source=source,
            pool=pool,
            skip_invalid=run.skip_invalid,
            progress=run.open_progress(len(coco['annotations'])),
        )
        tags = mask_crop_tags(coco, crop_size, crops, source)
    return with_crop_tags(coco, crop_size, tags)


def _reads_masks(levels: Collection[Supervision], protocol: WeakProtocol) -> bool:
    """Whether any level needs more than the boxes and classes of a file."""
    from_box = Supervision.BOXES in levels and protocol.boxes_mode == 'mask'
    cheap = (Supervision.IMAGE_TAGS, Supervision.BOXES)
    return from_box or any(level not in cheap for level in levels)


def output_name(source: str | os.PathLike, level: Supervision) -> str:
    """Usual name of a weak file, such as 'boxes_train2017.json'.

    Args:
        source: The fully labelled file; a leading 'instances_' is left out.
        level: Level of the output.

    Returns:
        ``<level>_<split>.json``.
    """
    return f'{level.label}_{Path(source).stem.removeprefix("instances_")}.json'


def _assemble(
    coco: Mapping[str, Any],
    labels: Sequence[dict[str, Any] | None],
    level: Supervision,
    protocol: WeakProtocol,
    source: str,
) -> dict[str, Any]:
    """Put a level's labels together; nothing else of an annotation is copied."""
    keys = _LABEL_KEYS[level]
    weak = []
    for annotation, label in zip(coco['annotations'], labels):
        if label is None:
            continue
        is_crowd = int(bool(annotation.get('iscrowd', 0)))
        entry = {
            'id': annotation['id'],
            'image_id': annotation['image_id'],
            'category_id': annotation['category_id'],
            'iscrowd': is_crowd,
        }
        kept = ('bbox',) if is_crowd and level >= Supervision.BOXES else keys
        entry.update({key: label[key] for key in kept if key in label})
        weak.append(entry)
    settings = protocol.describe(level)
    objects = [one for one in coco['annotations'] if not one.get('iscrowd')]
    if level is Supervision.POINTS and objects and all(map(holds_point_alone, objects)):
        settings = {'points_mode': 'file'}
    # Says how points are to be read, not only how they were made.
    has_points = level is Supervision.EXTREME_POINTS
    coordinates = dict(coordinates=protocol.coordinates) if has_points else {}
    images = with_file_names(coco['images'])
    result = restrict_coco(
        {**coco, 'images': images, 'annotations': weak}, level, source=source
    )
    return with_source(
        result,
        'coco2weak',
        source,
        level,
        **coordinates,
        protocol=settings,
        skipped_annotations=sum(label is None for label in labels),
    )
