"""One pass over annotations in worker processes, which get small chunks."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmwsis.utils.parallel import OrderedPool

from .conversion import Progress, shorten

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
