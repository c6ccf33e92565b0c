"""How good masks are that belong to known objects: IoU by class, size and shape.

A pseudo label carries the id of the annotation it was made from, so nothing has to be
matched: its mask is compared with the mask of the same id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

AREA_BINS = (1024.0, 9216.0)
SIZE_NAMES = ('small', 'medium', 'large')
GROUPS = ('all', *SIZE_NAMES, 'separated', 'whole')
RECALL_IOU = 0.5
SIDES = ('left', 'top', 'right', 'bottom')
_HISTOGRAM_BINS = 20


class InstanceQuality(NamedTuple):
    """One ground-truth object and the mask it got.

    ``iou`` is 0 where there is no mask (``missing``); ``box_iou`` is the one of the
    filled box; ``box_area`` is in image pixels; ``separated`` says whether the ground
    truth falls into several parts; ``pseudo_id`` is the mask's annotation; ``edges`` is
    the result of :func:`edge_offsets`, None without one of the masks.
    """

    ann_id: Any
    image_id: Any
    category_id: Any
    iou: float
    box_iou: float
    box_area: float
    separated: bool
    missing: bool = False
    empty: bool = False
    pseudo_id: Any = None
    edges: tuple[int, ...] | None = None


def mask_iou(pred: np.ndarray, gt: np.ndarray) -> float:
    """Intersection over union as MAL defines it; 0 if both masks are empty.

    Args:
        pred: ``(H, W)``, 0 or 1.
        gt: Same shape.

    Returns:
        ``|P & G| / (|P | G| + 1e-6)``.

    Raises:
        ValueError: The shapes differ.
    """
    if pred.shape != gt.shape:
        raise ValueError(f'masks must have one shape, got {pred.shape} and {gt.shape}.')
    both = np.count_nonzero(np.logical_and(pred, gt))
    either = np.count_nonzero(np.logical_or(pred, gt))
    return float(both / (either + 1e-6))


def edge_offsets(pred: np.ndarray, gt: np.ndarray) -> tuple[int, ...] | None:
    """How far the sides of a mask's tight box lie from those of the ground truth.

    Args:
        pred: ``(H, W)``, 0 or 1.
        gt: Same shape.

    Returns:
        Left, top, right, bottom in pixels, predicted minus true: of a mask that is too
        small left and top are positive, right and bottom negative. None if a mask is
        empty.

    Example:
        >>> gt = np.zeros((9, 9), dtype=bool)
        >>> gt[2:7, 1:8] = True
        >>> pred = gt.copy()
        >>> pred[:, 1] = pred[6] = False
        >>> edge_offsets(pred, gt)
        (1, 0, 0, -1)
    """
    if not (pred.any() and gt.any()):
        return None
    ends = []
    for mask in (pred, gt):
        x, y = mask.any(axis=0).nonzero()[0], mask.any(axis=1).nonzero()[0]
        ends.append((x[0], y[0], x[-1], y[-1]))
    return tuple(int(p) - int(t) for p, t in zip(*ends))


def class_mean_iou(ious: Sequence[float], classes: Sequence[Any]) -> float:
    """Mean IoU of every class, then the mean over classes with an instance (MAL).

    Args:
        ious: One value per instance, 0 to 1.
        classes: The class of each instance.

    Raises:
        ValueError: There is no instance, or the lengths differ.
    """
    if len(ious) != len(classes):
        raise ValueError(f'got {len(ious)} IoUs and {len(classes)} classes.')
    if len(ious) == 0:
        raise ValueError('class-mean IoU needs at least one instance, got none.')
    _, index = np.unique(np.asarray(classes), return_inverse=True)
    sums = np.bincount(index, weights=np.asarray(ious, dtype=float))
    return float((sums / np.bincount(index)).mean())


def summarize(
    instances: Sequence[InstanceQuality], names: Mapping[Any, str]
) -> dict[str, Any]:
    """Figures of a quality report.

    Objects without a mask count with IoU 0: labels that are not there are not good.

    Args:
        instances: One entry a ground-truth object.
        names: Category id -> class name, in the order of the table.

    Returns:
        JSON-serialisable: ``class_mean_iou``, ``recall50``, ``filled_boxes`` (class-
        mean IoU of filled boxes) and ``instances``, each with ``all``, ``small``,
        ``medium``, ``large``, ``separated``, ``whole`` (groups without an instance are
        absent); ``instance_mean_iou``; ``edge_offsets`` (mean of
        :func:`edge_offsets` by side, if there are any); ``coverage`` (share of objects
        with a mask); ``missing``; ``empty_predictions``; ``per_class``; ``histogram``.

    Raises:
        ValueError: There is no instance.
    """
    if not instances:
        raise ValueError('There is no object to evaluate: crowds do not count.')
    ious = np.array([item.iou for item in instances])
    boxes = np.array([item.box_iou for item in instances])
    classes = np.array([item.category_id for item in instances])
    missing = sum(item.missing for item in instances)
    groups = _groups(instances)
    counts, edges = np.histogram(ious, bins=_HISTOGRAM_BINS, range=(0.0, 1.0))
    return dict(
        instances={key: int(own.sum()) for key, own in groups.items()},
        class_mean_iou={
            key: class_mean_iou(ious[own], classes[own]) for key, own in groups.items()
        },
        instance_mean_iou=float(ious.mean()),
        recall50={
            key: float((ious[own] >= RECALL_IOU).mean()) for key, own in groups.items()
        },
        filled_boxes={
            key: class_mean_iou(boxes[own], classes[own]) for key, own in groups.items()
        },
        edge_offsets=_mean_edges(instances),
        coverage=1 - missing / len(instances),
        missing=missing,
        empty_predictions=sum(item.empty for item in instances),
        per_class=_per_class(instances, names),
        histogram=dict(edges=edges.round(6).tolist(), counts=counts.tolist()),
    )


def _mean_edges(instances: Sequence[InstanceQuality]) -> dict[str, float]:
    edges = [item.edges for item in instances if item.edges is not None]
    return dict(zip(SIDES, np.mean(edges, axis=0).tolist())) if edges else {}


def _groups(instances: Sequence[InstanceQuality]) -> dict[str, np.ndarray]:
    """Which instances belong to each group that is not empty."""
    areas = np.array([item.box_area for item in instances])
    separated = np.array([item.separated for item in instances], dtype=bool)
    size = np.searchsorted(AREA_BINS, areas, side='left')
    groups = dict(all=np.ones(len(instances), dtype=bool))
    groups.update({name: size == index for index, name in enumerate(SIZE_NAMES)})
    groups.update(separated=separated, whole=~separated)
    return {key: own for key, own in groups.items() if own.any()}


def _per_class(
    instances: Sequence[InstanceQuality], names: Mapping[Any, str]
) -> list[dict[str, Any]]:
    by_class: dict[Any, list[InstanceQuality]] = {key: [] for key in names}
    for item in instances:
        by_class[item.category_id].append(item)
    rows = []
    for key, items in by_class.items():
        if not items:
            continue
        cut = [item.iou for item in items if item.separated]
        rows.append(
            dict(
                id=key,
                name=names[key],
                instances=len(items),
                iou=float(np.mean([item.iou for item in items])),
                recall50=float(np.mean([item.iou >= RECALL_IOU for item in items])),
                filled_boxes=float(np.mean([item.box_iou for item in items])),
                separated=len(cut),
                separated_iou=float(np.mean(cut)) if cut else None,
                missing=sum(item.missing for item in items),
            )
        )
    return rows
