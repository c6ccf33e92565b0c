"""What is in a file: objects per class and size, labels, images without any."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmwsis.structures.supervision import Supervision

from .columns import Annotations, ImageTable
from .geometry import box_of_points
from .labels import LABEL_KEYS

# COCO's size bins, in square pixels.
SIZE_BINS = {'small': (0, 32**2), 'medium': (32**2, 96**2), 'large': (96**2, np.inf)}
_UNKNOWN = 'unknown'


class SummaryCounter:
    """Collects what the summary table needs, chunk by chunk."""

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self.objects_given: Counter[str] = Counter()
        self._areas: list[np.ndarray] = []
        self._crowd: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []
        self.points_off_boxes = 0
        self.both = 0

    def add(self, chunk: Annotations, mask_area: np.ndarray) -> None:
        """Count a chunk.

        Args:
            chunk: Annotations.
            mask_area: (n,), pixels of the mask, NaN where there is none.
        """
        for key, given in chunk.given.items():
            self.given[key] += int(given.sum())
            self.objects_given[key] += int((given & ~chunk.crowd).sum())
        self.objects_given['all'] += int((~chunk.crowd).sum())
        self._areas.append(_areas(chunk, mask_area))
        self._crowd.append(chunk.crowd)
        self._scores.append(chunk.score.values[chunk.point.valid & chunk.score.valid])
        low, extent = chunk.box.values[:, :2], chunk.box.values[:, 2:]
        relative = chunk.point.values - low
        off = ((relative < 0) | (relative > extent)).any(axis=1)
        self.points_off_boxes += int(off.sum())
        self.both += int((chunk.point.valid & chunk.box.valid).sum())

    def full_level(self) -> tuple[Supervision | None, bool]:
        """Strongest level whose label every object has, and whether some have more."""
        total = self.objects_given['all']
        if total == 0:
            return Supervision.IMAGE_TAGS, False
        some_have_more = False
        for key, level in reversed(LABEL_KEYS.items()):
            if self.objects_given[key] == total:
                return level, some_have_more
            some_have_more |= self.objects_given[key] > 0
        return None, some_have_more

    def table(
        self,
        images: ImageTable,
        known: Mapping[Any, str],
        rows: np.ndarray,
        labels: np.ndarray,
    ) -> dict[str, Any]:
        """The summary.

        Args:
            images: Images of the file.
            known: Categories, from id to name.
            rows: int64 (n,), image row of each annotation, -1 if unknown.
            labels: int64 (n,), index in ``known``, -1 if unknown.

        Returns:
            JSON-serialisable dictionary, see ``classes`` and the scalar entries.
        """
        crowd = np.concatenate(self._crowd or [np.zeros(0, dtype=bool)])
        bins = _bins(np.concatenate(self._areas or [np.zeros(0)]))
        with_objects = np.bincount(rows[rows >= 0], minlength=len(images.ids))
        tagged = np.array([bool(tags) for tags in images.tags], dtype=bool)
        tag_counts = Counter(tag for tags in images.tags if tags for tag in set(tags))
        return dict(
            images=len(images.ids),
            annotations=len(rows),
            objects=int((~crowd).sum()),
            crowd=int(crowd.sum()),
            images_with_tags=int(tagged.sum()),
            images_without_labels=int(((with_objects == 0) & ~tagged).sum()),
            most_objects_in_an_image=int(with_objects.max(initial=0)),
            labels=dict(self.given),
            points_with_box=self.both,
            points_outside_their_boxes=self.points_off_boxes,
            scores=_scores(np.concatenate(self._scores or [np.zeros(0)])),
            image_sizes=_image_sizes(images.sizes),
            classes=[
                _class_row(
                    name,
                    (labels == k) & ~crowd,
                    labels == k,
                    rows,
                    bins,
                    tag_counts[key],
                )
                for k, (key, name) in enumerate(known.items())
            ],
        )


def _class_row(
    name: str,
    objects: np.ndarray,
    all_of_it: np.ndarray,
    rows: np.ndarray,
    bins: np.ndarray,
    tagged: int,
) -> dict[str, Any]:
    counts = np.bincount(bins[objects], minlength=len(SIZE_BINS) + 1)
    return dict(
        name=name,
        objects=int(objects.sum()),
        crowd=int((all_of_it & ~objects).sum()),
        images=len(np.unique(rows[all_of_it])),
        tagged_images=tagged,
        **dict(zip((*SIZE_BINS, _UNKNOWN), counts.tolist())),
    )


def _scores(scores: np.ndarray) -> dict[str, Any]:
    """How sure scored points are; bins of a tenth each, from 0."""
    scores = scores[(scores >= 0) & (scores <= 1)]
    if not len(scores):
        return {}
    lowest, median, highest = np.percentile(scores, (0, 50, 100)).tolist()
    counts, _ = np.histogram(scores, bins=10, range=(0.0, 1.0))
    return dict(
        points=len(scores),
        lowest=lowest,
        median=median,
        highest=highest,
        histogram=counts.tolist(),
    )


def _areas(chunk: Annotations, mask_area: np.ndarray) -> np.ndarray:
    """Best known size of each object: of its mask, else of its box."""
    with np.errstate(over='ignore'):  # boxes of 1e308
        areas = chunk.box.values[:, 2] * chunk.box.values[:, 3]
        if chunk.extreme.valid.any():
            boxes = box_of_points(chunk.extreme.values)
            areas = np.where(chunk.extreme.valid, boxes[:, 2] * boxes[:, 3], areas)
    areas = np.where(chunk.masked & chunk.area.valid, chunk.area.values, areas)
    return np.where(np.isnan(mask_area), areas, mask_area)


def _bins(areas: np.ndarray) -> np.ndarray:
    edges = [low for low, _ in SIZE_BINS.values()][1:]
    return np.where(np.isnan(areas), len(SIZE_BINS), np.digitize(areas, edges))


def _image_sizes(sizes: Sequence[tuple[float, float]]) -> dict[str, list[int]]:
    array = np.asarray(sizes, dtype=np.float64).reshape(-1, 2)
    array = array[~np.isnan(array).any(axis=1)]
    if not len(array):
        return {}
    area = array.prod(axis=1)
    return dict(
        smallest=array[area.argmin()].astype(int).tolist(),
        largest=array[area.argmax()].astype(int).tolist(),
    )
