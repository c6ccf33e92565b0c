"""How much of the objects class-agnostic mask proposals find."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from mmwsis.formats.coco_file import annotations_by_image, load_coco
from mmwsis.formats.coco_masks import check_segmentation, checked_rle
from mmwsis.formats.proposals import ProposalStore
from mmwsis.structures import annotation_place

from .mask_quality import AREA_BINS, SIZE_NAMES

IOU_THRS = (0.5, 0.7)
# Numbers of proposals that the curves are drawn at.
COUNTS = (1, 3, 10, 30, 100, 300, 1000)


class _Objects(NamedTuple):
    """Objects of one image: masks (G,), category ids (G,) and areas (G,)."""

    rles: list[dict[str, Any]]
    categories: list[Any]
    areas: np.ndarray


def best_overlaps(iou: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Overlap of every object with the best of the first proposals.

    Args:
        iou: ``(N, G)`` of N proposals, best first, and G objects.
        counts: K numbers of proposals.

    Returns:
        ``(K, G)`` float64; 0 where there is no proposal.

    Example:
        >>> best_overlaps(np.array([[0.2, 0.0], [0.1, 0.9]]), (1, 1000))
        array([[0.2, 0. ],
               [0.2, 0.9]])
    """
    best = np.zeros((len(iou) + 1, iou.shape[1]))
    np.maximum.accumulate(iou, axis=0, out=best[1:])
    return best[np.minimum(counts, len(iou))]


def proposal_recall(
    proposals: str | os.PathLike,
    gt: str | os.PathLike,
    max_num: int = 1000,
    allow_missing: bool = False,
) -> dict[str, Any]:
    """Compare proposals with masks: the best proposal of every object.

    Crowds are left out, and so are classes: every proposal may fit any object. Sizes
    are COCO's, by the area of the mask: small up to 32² pixels, medium up to 96².

    Args:
        proposals: Folder or COCO results, as
            :class:`~mmwsis.formats.proposals.ProposalStore` reads them.
        gt: COCO JSON with masks of the same images.
        max_num: Proposals of an image that count, the best. Defaults to 1000.
        allow_missing: Whether an image may have no proposals. Defaults to False.

    Returns:
        JSON-serialisable. ``all``, ``per_size``, ``per_class`` and ``per_count`` hold
        ``mask`` and ``box``, each with ``recall50``, ``recall70`` and
        ``mean_best_iou`` in [0, 1], None where there is no object; ``per_image`` how
        many proposals images have.

    Raises:
        FileNotFoundError: A file is missing, or the proposals of an image.
        ValueError: A file is broken, or no object is in it.
    """
    gt = str(gt)
    coco = load_coco(gt, 'masks')
    store = ProposalStore(proposals, max_num, allow_missing=allow_missing)
    annotations = annotations_by_image(coco)
    counts = sorted({*(n for n in COUNTS if n < max_num), max_num})
    found, numbers, categories, areas = [], [], [], []
    for image in coco['images']:
        objects = _objects(annotations.get(image['id'], ()), image, gt)
        rles = list(store.read(image).current_rles)
        numbers.append(len(rles))
        categories += objects.categories
        areas.append(objects.areas)
        found.append(_image_overlaps(rles, objects.rles, counts))
    if not categories:
        raise ValueError(f'{gt} has no object with a mask; nothing can be recalled.')
    # (mask or box, counts, objects of all images)
    best = np.concatenate(found, axis=2)
    categories, areas = np.array(categories), np.concatenate(areas)
    sizes = np.searchsorted(AREA_BINS, areas)
    return dict(
        proposals=str(proposals),
        ground_truth=gt,
        images=len(numbers),
        per_image=dict(
            mean=float(np.mean(numbers)),
            median=float(np.median(numbers)),
            min=min(numbers),
            max=max(numbers),
        ),
        all=_figures(best[:, -1]),
        per_size={
            name: _figures(best[:, -1, sizes == index])
            for index, name in enumerate(SIZE_NAMES)
        },
        per_class=[
            dict(
                name=category['name'],
                **_figures(best[:, -1, categories == category['id']]),
            )
            for category in coco['categories']
        ],
        per_count=[
            dict(count=count, **_figures(best[:, index]))
            for index, count in enumerate(counts)
        ],
    )


def _objects(
    annotations: Sequence[Mapping[str, Any]], image: Mapping[str, Any], source: str
) -> _Objects:
    size = int(image['height']), int(image['width'])
    kept = [own for own in annotations if not own.get('iscrowd')]
    rles = []
    for own in kept:
        mask = own.get('segmentation')
        check_segmentation(mask, size, annotation_place(source, own))
        rles.append(checked_rle(mask, *size))
    areas = np.array([coco_mask.area(rle) for rle in rles], dtype=np.int64)
    return _Objects(rles, [own['category_id'] for own in kept], areas)


def _image_overlaps(
    proposals: list[dict[str, Any]], objects: list[dict[str, Any]], counts: list[int]
) -> np.ndarray:
    """(2, counts, objects) best IoU of masks and of boxes."""
    if not proposals or not objects:
        return np.zeros((2, len(counts), len(objects)))
    crowd = [0] * len(objects)
    boxes = coco_mask.toBbox(proposals), coco_mask.toBbox(objects)
    ious = coco_mask.iou(proposals, objects, crowd), coco_mask.iou(*boxes, crowd)
    return np.stack([best_overlaps(iou, counts) for iou in ious])


def _figures(best: np.ndarray) -> dict[str, Any]:
    """Of ``(2, G)`` best IoU of masks and boxes."""
    figures: dict[str, Any] = dict(objects=best.shape[1])
    for name, own in zip(('mask', 'box'), best):
        figures[name] = {
            f'recall{100 * threshold:.0f}': _mean(own >= threshold)
            for threshold in IOU_THRS
        }
        figures[name]['mean_best_iou'] = _mean(own)
    return figures


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
