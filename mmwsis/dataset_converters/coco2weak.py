"""Conversion of a fully labelled COCO file into weakly labelled ones.

One pass over the annotations serves several levels. Masks are decoded in worker
processes that return a few numbers per annotation.
"""

import functools
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import read_json, with_file_names
from mmwsis.structures.supervision import Supervision, restrict_coco
from mmwsis.utils.parallel import OrderedPool

from .annotation_pass import Size, map_annotations
from .coco_panoptic import is_panoptic
from .complete_labels import complete_labels
from .conversion import (
    Progress,
    RunOptions,
    no_progress,
    refuse_existing,
    with_source,
)
from .outputs import Outputs
from .weak_labels import WeakProtocol, derive_weak_labels, holds_point_alone

# A file holds its own level's labels; weaker ones are not repeated in it.
_LABEL_KEYS = {
    Supervision.IMAGE_TAGS: (),
    Supervision.POINTS: ('point', 'score'),
    Supervision.BOXES: ('bbox',),
    Supervision.EXTREME_POINTS: ('extreme_points',),
}


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
        document = read_json(str(source))
        if Supervision.MASKS in outputs and not (
            is_panoptic(document) or stuff_tags or crop_size
        ):
            raise ValueError(
                f'{source}: level masks is for panoptic files, for --stuff-tags and '
                'for --crop-tags; this file is a masks file already'
            )
        coco = complete_labels(
            document,
            source,
            read_masks=_reads_masks(outputs, protocol),
            panoptic_dir=panoptic_dir,
            stuff_tags=stuff_tags,
            crop_size=crop_size,
            pool=pool,
            run=run,
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
