"""Conversion of a fully labelled COCO file into weakly labelled ones.

One pass over the annotations serves several levels. Masks are decoded in worker
processes that get small chunks and return a few numbers an annotation.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.checks import check_coco
from mmwsis.formats.coco_file import read_json, with_file_names
from mmwsis.structures.supervision import Supervision, restrict_coco
from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.parallel import OrderedPool

from .coco_panoptic import add_stuff_tags, is_panoptic, panoptic_to_instances
from .finished_jobs import RememberingPool, finished_jobs
from .output_files import provenance
from .weak_labels import WeakProtocol, derive_weak_labels

CHUNK = 256
SHOWN_ERRORS = 10
_NEEDED_KEYS = ('id', 'segmentation', 'bbox', 'iscrowd')
# A file holds its own level's labels; weaker ones are not repeated in it.
_LABEL_KEYS = {
    Supervision.IMAGE_TAGS: (),
    Supervision.POINTS: ('point',),
    Supervision.BOXES: ('bbox',),
    Supervision.EXTREME_POINTS: ('extreme_points',),
}

Progress = Callable[[int], None]


class _Task(NamedTuple):
    """What a worker needs of one annotation."""

    annotation: dict[str, Any]
    size: tuple[int, int]


class WeakLabelError(ValueError):
    """Annotations that no weak label can be derived from.

    Attributes:
        problems: ``(annotation, reason)`` of every one of them.
    """

    def __init__(
        self, source: str, problems: Sequence[tuple[Mapping[str, Any], str]]
    ) -> None:
        self.problems = list(problems)
        shown = [
            f'  annotation id {annotation["id"]!r} of image id '
            f'{annotation["image_id"]!r}: {why}'
            for annotation, why in problems[:SHOWN_ERRORS]
        ]
        if len(problems) > SHOWN_ERRORS:
            shown.append(f'  ... and {len(problems) - SHOWN_ERRORS} more')
        super().__init__(
            f'{source}: {len(problems)} annotation(s) cannot be converted, so that '
            'nothing was written:\n' + '\n'.join(shown) + '\nMend or remove them, or '
            'leave them out of the result with --skip-invalid.'
        )


def weaken_coco(
    coco: Mapping[str, Any],
    levels: Sequence[Supervision],
    protocol: WeakProtocol | None = None,
    *,
    source: str = 'annotation file',
    workers: int = 1,
    skip_invalid: bool = False,
    progress: Progress | None = None,
) -> dict[Supervision, dict[str, Any]]:
    """Derive weakly labelled COCO dictionaries from a fully labelled one.

    Args:
        coco: Parsed COCO or LVIS JSON; is left as it is.
        levels: Levels wanted, all below MASKS.
        protocol: How labels are simulated; the defaults if None.
        source: Name of the file, for messages and for ``info``.
        workers: Number of processes, >= 1. The result does not depend on it.
        skip_invalid: Leave out annotations that cannot be converted.
        progress: Called with the number of annotations that were just finished.

    Returns:
        One COCO dictionary a level. Each holds the labels of its own level alone (and
        boxes, where extreme points define them), with ids, classes and image tags.

    Raises:
        ValueError: The file is not well formed, or MASKS is asked for.
        WeakLabelError: Some annotations are broken, and ``skip_invalid`` is off.
    """
    check_coco(coco, source)
    with OrderedPool(workers) as pool:
        return weaken_in_pool(
            coco,
            levels,
            protocol or WeakProtocol(),
            source=source,
            pool=pool,
            skip_invalid=skip_invalid,
            progress=progress or (lambda done: None),
        )


def convert_file(
    source: str | os.PathLike,
    outputs: Mapping[Supervision, str | os.PathLike],
    protocol: WeakProtocol | None = None,
    *,
    panoptic_dir: str | os.PathLike | None = None,
    stuff_tags: Sequence[str | os.PathLike] = (),
    workers: int = 1,
    skip_invalid: bool = False,
    overwrite: bool = False,
    open_progress: Callable[[int], Progress] | None = None,
) -> dict[Supervision, dict[str, Any]]:
    """Convert a file; all outputs are written at the end, each in one step.

    Finished annotations survive a kill in ``<first output>.unfinished``; the same call
    goes on from there.

    Args:
        source: COCO or LVIS JSON with masks, or a COCO panoptic JSON, whose things
            become objects and whose stuff becomes image tags.
        outputs: File to write by level. MASKS is for files that hold no COCO masks
            with stuff tags yet: panoptic ones, or any with ``stuff_tags``.
        protocol: How labels are simulated; the defaults if None.
        panoptic_dir: Folder of a panoptic file's PNGs; by default the one beside the
            file that bears its name.
        stuff_tags: COCO panoptic JSONs that the images' stuff tags come from.
        workers: Number of processes, >= 1.
        skip_invalid: Leave out annotations that cannot be converted.
        overwrite: Replace existing files.
        open_progress: Called with the number of annotations (and before it with that
            of panoptic maps to read); returns the callback that counts finished ones.

    Returns:
        What was written, by level.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: ``source``, or a file that it needs, does not exist.
        RuntimeError: Another process is making the same files.
        ValueError: ``source`` is not well formed; nothing has been written.
    """
    source = Path(source)
    protocol = protocol or WeakProtocol()
    open_progress = open_progress or (lambda total: lambda done: None)
    weak = [level for level in outputs if level is not Supervision.MASKS]
    # Workers are forked before the file is read: they stay small.
    with (
        OrderedPool(workers) as processes,
        finished_jobs(outputs.values(), [source, *stuff_tags], overwrite) as finished,
    ):
        pool = finished.remember(processes)
        coco = read_json(str(source))
        if is_panoptic(coco):
            coco = panoptic_to_instances(
                coco,
                panoptic_dir or source.with_suffix(''),
                source=str(source),
                read_masks=_reads_masks(outputs, protocol),
                pool=pool,
                open_progress=open_progress,
            )
        elif Supervision.MASKS in outputs and not stuff_tags:
            raise ValueError(
                f'{source}: level masks is for panoptic files and for --stuff-tags; '
                'this file is a masks file already'
            )
        check_coco(coco, str(source))
        if stuff_tags:
            coco = add_stuff_tags(coco, stuff_tags, str(source))
        results: dict[Supervision, dict[str, Any]] = {}
        if weak:
            results = weaken_in_pool(
                coco,
                weak,
                protocol,
                source=str(source),
                pool=pool,
                skip_invalid=skip_invalid,
                progress=open_progress(len(coco['annotations'])),
            )
        if Supervision.MASKS in outputs:
            results[Supervision.MASKS] = _masks_file(coco, source.name)
        finished.start_writing()
        for level, path in outputs.items():
            atomic_write_json(path, results[level])
    return results


def _reads_masks(levels: Collection[Supervision], protocol: WeakProtocol) -> bool:
    """Whether any level needs more than the boxes and classes of a file."""
    from_box = Supervision.BOXES in levels and protocol.boxes_mode == 'mask'
    cheap = (Supervision.IMAGE_TAGS, Supervision.BOXES)
    return from_box or any(level not in cheap for level in levels)


def _masks_file(coco: Mapping[str, Any], source: str) -> dict[str, Any]:
    result = restrict_coco(coco, Supervision.MASKS, source=source)
    result['info'] = dict(result.get('info') or {})
    result['info']['mmwsis'] = provenance('coco2weak', source, Supervision.MASKS)
    return result


def output_name(source: str | os.PathLike, level: Supervision) -> str:
    """Usual name of a weak file, such as 'boxes_train2017.json'.

    Args:
        source: The fully labelled file; a leading 'instances_' is left out.
        level: Level of the output.

    Returns:
        ``<level>_<split>.json``.
    """
    return f'{level.label}_{Path(source).stem.removeprefix("instances_")}.json'


def weaken_in_pool(
    coco: Mapping[str, Any],
    levels: Sequence[Supervision],
    protocol: WeakProtocol,
    *,
    source: str,
    pool: OrderedPool | RememberingPool,
    skip_invalid: bool,
    progress: Progress,
) -> dict[Supervision, dict[str, Any]]:
    """:func:`weaken_coco` in processes that are there already.

    Args:
        coco: Parsed COCO or LVIS JSON, checked; is left as it is.
        levels: Levels wanted, all below MASKS.
        protocol: How labels are simulated.
        source: Name of the file, for messages and for ``info``.
        pool: Processes that decode the masks.
        skip_invalid: Leave out annotations that cannot be converted.
        progress: Called with the number of annotations that were just finished.

    Returns:
        One COCO dictionary a level.

    Raises:
        ValueError: MASKS is asked for.
        WeakLabelError: Some annotations are broken, and ``skip_invalid`` is off.
    """
    if not levels or Supervision.MASKS in levels:
        raise ValueError(
            'levels must be one or more of image_tags, points, boxes, extreme_points; '
            f'given {[level.label for level in levels]}'
        )
    annotations = coco['annotations']
    labels: list[dict[str, Any] | None] = []
    problems: list[tuple[Mapping[str, Any], str]] = []
    needs_masks = any(level > Supervision.IMAGE_TAGS for level in levels)
    chunks = _chunks(coco, levels, protocol) if needs_masks else iter(())
    for results in pool.imap(_derive_chunk, chunks):
        for result in results:
            if isinstance(result, str):
                problems.append((annotations[len(labels)], result))
                labels.append(None)
            else:
                labels.append(result)
        progress(len(results))
    if not needs_masks:
        labels = [{} for _ in annotations]
        progress(len(annotations))
    if problems and not skip_invalid:
        raise WeakLabelError(source, problems)
    return {
        level: _assemble(coco, labels, level, protocol, source, len(problems))
        for level in levels
    }


def _assemble(
    coco: Mapping[str, Any],
    labels: Sequence[dict[str, Any] | None],
    level: Supervision,
    protocol: WeakProtocol,
    source: str,
    skipped: int,
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
    images = with_file_names(coco['images'])
    result = restrict_coco(
        {**coco, 'images': images, 'annotations': weak}, level, source=source
    )
    result['info'] = dict(result.get('info') or {})
    result['info']['mmwsis'] = provenance(
        'coco2weak',
        source,
        level,
        protocol=protocol.describe(level),
        skipped_annotations=skipped,
    )
    return result


def _chunks(
    coco: Mapping[str, Any], levels: Sequence[Supervision], protocol: WeakProtocol
) -> Iterator[tuple[list[_Task], tuple[Supervision, ...], WeakProtocol]]:
    sizes = {im['id']: (im['height'], im['width']) for im in coco['images']}
    annotations = coco['annotations']
    for start in range(0, len(annotations), CHUNK):
        tasks = [
            _Task(
                {key: ann[key] for key in _NEEDED_KEYS if key in ann},
                sizes[ann['image_id']],
            )
            for ann in annotations[start : start + CHUNK]
        ]
        yield tasks, tuple(levels), protocol


def _derive_chunk(
    job: tuple[list[_Task], tuple[Supervision, ...], WeakProtocol],
) -> list[dict[str, Any] | str]:
    """Labels of a chunk; a broken annotation gives the reason instead."""
    tasks, levels, protocol = job
    results: list[dict[str, Any] | str] = []
    for annotation, size in tasks:
        try:
            results.append(derive_weak_labels(annotation, size, levels, protocol))
        except ValueError as error:
            results.append(str(error))
    return results
