"""Average precision of pseudo labels and more, without a model: file against file."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mmwsis.structures import annotation_place
from mmwsis.utils.markdown import markdown_table
from mmwsis.utils.parallel import map_processes

from .counting import count_errors
from .coverage import Coverage, image_coverage, mean_coverage
from .instance_ap import mean_over_classes
from .instance_ground_truth import annotation_bits, image_objects
from .instance_matching import ImageMatch, match_image
from .instance_tables import instance_tables
from .mask_overlap import mask_overlaps
from .metric_tables import objects, percent, plain_number
from .predicted_instances import PredictedInstances

Annotations = Iterable[Mapping[str, Any]]
_ImageJob = tuple[Mapping[str, Any], list, list]

# Below this, starting processes costs more than they save.
_WORTH_PROCESSES = 2000


def pseudo_label_ap(
    pseudo: Annotations,
    gt: Annotations,
    images: Mapping[Any, Mapping[str, Any]],
    names: Mapping[Any, str],
    sources: tuple[str, str] = ('pseudo labels', 'ground truth'),
    workers: int = 0,
) -> dict[str, Any]:
    """Figures of pseudo labels as if they were detections: AP, coverage, counts.

    Nothing has to be known about which pseudo label belongs to which object, so labels
    made from image tags are measured like those made from points or boxes. The
    ``score`` of a pseudo label ranks it; those without one have the score 1 and keep
    the order of the file.

    Args:
        pseudo: COCO annotations with ``segmentation``.
        gt: COCO annotations with ``segmentation``; crowds count as void.
        images: Image id -> entry of ``images``, with size and optionally ``void``, of
            the images that count.
        names: Category id -> class name.
        sources: How messages call the two files.
        workers: Processes, for many images; 0 measures in this one.

    Returns:
        JSON-serialisable: the figures of ``mmwsis.VOCInstanceMetric`` and
        ``mmwsis.CoverageMetric``, 0 to 1, those of ``mmwsis.CountingMetric``, objects
        per image, and ``per_class``, a list with ``name``, ``objects``, ``AP50`` and
        ``ABO`` of the classes that have objects. Figures that are not defined are
        ``None``.

    Raises:
        ValueError: A mask is broken; the message names file and ids.
    """
    label_of = {category: label for label, category in enumerate(names)}
    jobs = _jobs(pseudo, gt, images)
    measure = partial(_match, label_of=label_of, sources=sources)
    measured = map_processes(measure, jobs, workers, _WORTH_PROCESSES)
    matches = [match for match, _, _ in measured]
    tables = instance_tables(matches, len(names))
    coverage = mean_coverage([own for _, own, _ in measured])
    counts = np.array([own for _, _, own in measured]).reshape(-1, 2, len(names))
    figures = {
        **{name: mean_over_classes(table) for name, table in tables.items()},
        **dict(MUCov=coverage.unweighted, MWCov=coverage.weighted),
        **count_errors(counts[:, 0], counts[:, 1]),
    }
    return {
        **{name: plain_number(value) for name, value in figures.items()},
        'per_class': _per_class(matches, tables, list(names.values())),
    }


def _jobs(
    pseudo: Annotations, gt: Annotations, images: Mapping[Any, Mapping]
) -> list[_ImageJob]:
    grouped = []
    for annotations in (pseudo, gt):
        own: dict[Any, list] = defaultdict(list)
        for annotation in annotations:
            own[annotation['image_id']].append(annotation)
        grouped.append(own)
    return [(image, grouped[0][key], grouped[1][key]) for key, image in images.items()]


def _match(
    job: _ImageJob, label_of: Mapping[Any, int], sources: tuple[str, str]
) -> tuple[ImageMatch, Coverage, np.ndarray]:
    """Matches and coverage of one image, and its counts (2, C): pseudo, objects."""
    image, pseudo, gt = job
    size = int(image['height']), int(image['width'])
    # Crowd entries are copied from the weak labels; they are no predictions.
    pseudo = [
        annotation
        for annotation in pseudo
        if annotation['category_id'] in label_of and not annotation.get('iscrowd')
    ]
    labels = [label_of[annotation['category_id']] for annotation in pseudo]
    scores = [_score(annotation, sources[0]) for annotation in pseudo]
    found = PredictedInstances(
        masks=annotation_bits(pseudo, size, sources[0]),
        labels=np.array(labels, dtype=np.int64),
        scores=np.array(scores, dtype=np.float64),
    )
    truth = image_objects(gt, image, label_of, sources[1])
    single = np.flatnonzero(~truth.crowd)
    overlaps = mask_overlaps(found.masks, truth.masks[single])
    counts = [
        np.bincount(own, minlength=len(label_of))
        for own in (found.labels, truth.labels[single])
    ]
    return (
        match_image(found, truth),
        image_coverage(overlaps.iou(remove_void=False), overlaps.gt_area),
        np.stack(counts),
    )


def _score(annotation: Mapping[str, Any], source: str) -> float:
    score = annotation.get('score', 1.0)
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        score = math.nan
    if not math.isfinite(score):
        raise ValueError(
            f'{annotation_place(source, annotation)}: score must be a finite number, '
            f'which ranks the pseudo labels; got {annotation["score"]!r}. Labels '
            'without the key have the score 1.'
        )
    return float(score)


def _per_class(
    matches: Sequence[ImageMatch], tables: Mapping[str, np.ndarray], names: list[str]
) -> list[dict[str, Any]]:
    labels = [match.gt_label for match in matches] or [np.zeros(0, dtype=np.int64)]
    number = np.bincount(np.concatenate(labels), minlength=len(names))
    return [
        dict(
            name=name,
            objects=int(number[label]),
            AP50=plain_number(tables['AP50'][label]),
            ABO=plain_number(tables['ABO'][label]),
        )
        for label, name in enumerate(names)
        if number[label]
    ]


def ap_section(figures: Mapping[str, Any]) -> str:
    """Section of a quality report.

    Args:
        figures: Of :func:`pseudo_label_ap`.

    Returns:
        Markdown; percentages.
    """
    shown = ('AP25', 'AP50', 'AP70', 'AP75', 'APr_vol', 'ABO', 'MUCov', 'MWCov')
    errors = ('MAE', 'class_MAE')
    total = [percent(figures[name]) for name in shown]
    total += [objects(figures[name]) for name in errors]
    rows = [
        [row['name'], row['objects'], percent(row['AP50']), percent(row['ABO'])]
        for row in figures['per_class']
    ]
    blocks = [
        '## Average precision',
        'The labels as detections, matched by overlap (VOC rules, per class); coverage '
        'of the objects, and the error of the number of labels in an image, of all '
        'classes together and class by class.',
        markdown_table(
            [*shown, 'count MAE', 'class-wise count MAE'], [total], text_columns=0
        ),
        markdown_table(['class', 'objects', 'AP50', 'ABO'], rows, text_columns=1),
    ]
    return '\n\n'.join(blocks)
