"""Boxes that a detector finds in whole images."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement, InstanceData

from mmwsis.structures.supervision import Supervision, restrict_coco
from mmwsis.utils.arrays import to_numpy

from .artifact import LabelSource, Records
from .entries import SCORE_DIGITS
from .found_objects import FoundObjects
from .merge import write_pseudo_labels

_COORDINATE_DIGITS = 3


class Detections(FoundObjects):
    """COCO JSON whose annotations are a detector's results: boxes with scores.

    Each has ``image_id``, ``category_id``, ``bbox`` (x, y, width, height) and
    ``score``, as COCO's results files have them; ``--results-out`` writes such a bare
    list as well. :class:`mmwsis.formats.detections.DetectionFile` reads both.

    Reads ``pred_instances`` of a predicted sample, as MMDetection's detectors fill it:
    ``labels`` (N,), ``scores`` (N,) in [0, 1] and ``bboxes`` (N, 4), x0, y0, x1, y1 in
    pixels of the original image. They are cut at its border, rounded to a thousandth of
    a pixel and left out where nothing is left of them.

    Args:
        out: COCO JSON to write.
        source: What is labelled.
        min_score: Boxes with a lower score, in [0, 1], are left out. Defaults to 0.
        max_num: How many are kept of an image, the best. Defaults to 100.
    """

    kind = 'detections'
    title = 'detections'
    field = 'pred_instances'
    shapes = 'bboxes'

    def __init__(
        self,
        out: Path,
        source: LabelSource,
        min_score: float = 0.0,
        max_num: int = 100,
    ) -> None:
        super().__init__(out, source)
        self.min_score = min_score
        self.max_num = max_num

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """The boxes of one image, best first.

        Args:
            sample: Predicted sample of a whole image.
        """
        found = super().record(sample)
        ranked = sorted(found['instances'], key=lambda one: -one['score'])
        return dict(found, instances=ranked[: self.max_num])

    def annotation_keys(
        self,
        found: InstanceData,
        scores: np.ndarray,
        size: tuple[int, int],
        where: str,
    ) -> Iterator[dict[str, Any] | None]:
        """Box and score of each object.

        Args:
            found: ``pred_instances``.
            scores: (N,).
            size: ``(H, W)`` of the image in pixels.
            where: Names the image in messages.
        """
        boxes = to_numpy(found.bboxes).astype(float)
        if boxes.shape != (len(scores), 4) or not np.isfinite(boxes).all():
            raise ValueError(
                f'{where}: pred_instances.bboxes must be ({len(scores)}, 4) finite '
                f'numbers, x0, y0, x1 and y1 of each box; got shape {boxes.shape} with '
                f'{np.count_nonzero(~np.isfinite(boxes))} others.'
            )
        boxes = boxes.clip(0, [size[1], size[0], size[1], size[0]])
        boxes[:, 2:] -= boxes[:, :2]
        boxes = boxes.round(_COORDINATE_DIGITS)
        for box, score in zip(boxes.tolist(), scores.tolist(), strict=True):
            kept = score >= self.min_score and min(box[2:]) > 0
            yield dict(bbox=box, score=round(score, SCORE_DIGITS)) if kept else None

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
            results_out: Also write the bare list of COCO results here. Defaults to
                None: it is not written.
        """
        annotations = list(self.annotations(records))
        # The file that names the images may hold masks; boxes are boxes.
        coco = restrict_coco(
            self.source.coco, Supervision.BOXES, per_image=False, source=str(self.out)
        )
        write_pseudo_labels(self.out, coco, annotations, provenance, results_out)
        return self.summary(annotations)
