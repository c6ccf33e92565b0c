"""Points that tell where objects are (instance cues), found in whole images."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement, InstanceData

from mmwsis.structures.supervision import Supervision, restrict_coco
from mmwsis.utils.arrays import to_numpy

from .artifact import LabelSource, Records
from .collapse import log_collapse
from .entries import SCORE_DIGITS
from .found_objects import FoundObjects
from .judged_by_tags import JudgedByTags, tag_accuracy_text
from .merge import write_pseudo_labels

_COORDINATE_DIGITS = 3


class FoundPoints(JudgedByTags, FoundObjects):
    """COCO JSON at level ``points`` with the peaks that a labeler found, and scores.

    The next stage reads it like clicks: ``CocoWeakDataset(supervision='points')``.
    Images keep size and tags, also those of classes without a peak, and nothing that is
    stronger than points.

    Reads ``pred_points`` of a predicted sample: ``labels`` (N,), ``points`` (N, 2), x
    and y in pixels of the original image, where the centre of a pixel has integer
    coordinates, and ``scores`` (N,) in [0, 1]. Coordinates are rounded to a thousandth
    of a pixel; less than half a pixel outside the image is moved onto the last pixel.
    A classifier's ``pred_tag_logits`` (C,) tell whether its points show anything.

    Args:
        out: COCO JSON to write.
        source: What is labelled.
        min_score: Points with a lower score, in [0, 1], are left out. Defaults to 0.
    """

    kind = 'points'
    title = 'points'
    field = 'pred_points'
    shapes = 'points'

    def __init__(self, out: Path, source: LabelSource, min_score: float = 0.0) -> None:
        super().__init__(out, source)
        self.min_score = min_score

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """The points of one image, and what a classifier takes its tags for.

        Args:
            sample: Predicted sample of a whole image.
        """
        return {**super().record(sample), **self.logits_of(sample)}

    def annotation_keys(
        self,
        found: InstanceData,
        scores: np.ndarray,
        size: tuple[int, int],
        where: str,
    ) -> Iterator[dict[str, Any] | None]:
        """Point and score of each object.

        Args:
            found: ``pred_points``.
            scores: (N,).
            size: ``(H, W)`` of the image in pixels.
            where: Names the image in messages.
        """
        points = to_numpy(found.points).astype(float)
        if points.shape != (len(scores), 2):
            raise ValueError(
                f'{where}: pred_points.points must be ({len(scores)}, 2), x and y of '
                f'each point; got {points.shape}.'
            )
        last = np.array([size[1] - 1, size[0] - 1])
        inside = ((points >= -0.5) & (points <= last + 0.5)).all(axis=1)
        if not inside.all():
            raise ValueError(
                f'{where}: pred_points.points must lie in the image of {size[1]} x '
                f'{size[0]} pixels, got {points[~inside][0].tolist()}. They are x and '
                'y in pixels of the original image.'
            )
        points = points.clip(0, last).round(_COORDINATE_DIGITS)
        for point, score in zip(points.tolist(), scores.tolist()):
            kept = score >= self.min_score
            yield dict(point=point, score=round(score, SCORE_DIGITS)) if kept else None

    def finish(
        self,
        records: Records,
        provenance: Mapping[str, Any],
        results_out: Any | None = None,
    ) -> str:
        """Write the COCO JSON.

        Args:
            records: Id of an item -> its record.
            provenance: Becomes ``info.mmwsis``.
            results_out: Also write the bare list of annotations here. Defaults to
                None: it is not written.
        """
        accuracy = self.tag_accuracy(records)
        if accuracy is not None:
            provenance = {**provenance, 'tag_accuracy': accuracy}
            log_collapse(self.out, accuracy)
        annotations = list(self.annotations(records))
        # A labeler may have been trained with masks; its points still are points.
        coco = restrict_coco(
            self.source.coco, Supervision.POINTS, per_image=False, source=str(self.out)
        )
        write_pseudo_labels(self.out, coco, annotations, provenance, results_out)
        return self.summary(annotations) + tag_accuracy_text(accuracy)
