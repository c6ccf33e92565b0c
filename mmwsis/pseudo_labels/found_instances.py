"""Instances, with masks, that a labeler finds in whole images."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmwsis.formats.provenance import are_found_points
from mmwsis.utils.arrays import to_numpy

from .artifact import LabelSource, Records
from .collapse import log_collapse, mask_collapse
from .entries import mask_keys
from .found_objects import FoundObjects
from .merge import write_pseudo_labels


class FoundInstances(FoundObjects):
    """COCO JSON with the instances that a labeler found (IRNet, WISE, any detector).

    Every mask keeps its score; empty masks are left out.

    Reads ``pred_instances`` of a predicted sample, as MMDetection's detectors fill it:
    ``labels`` (N,), ``scores`` (N,) in [0, 1], and ``masks``, a bool tensor (N, H, W)
    of image size or a list of N RLEs; and, of masks that were made for weak
    annotations, ``ann_ids`` (N,), which they keep. ``info.mmwsis.keeps_ids`` says so
    where all do.

    Args:
        out: COCO JSON to write.
        source: What is labelled.
        min_score: Instances with a lower score, in [0, 1], are left out. Defaults to
            1e-5.
    """

    kind = 'instances'
    field = 'pred_instances'
    shapes = 'masks'

    def __init__(self, out: Path, source: LabelSource, min_score: float = 1e-5) -> None:
        super().__init__(out, source)
        self.min_score = min_score

    def annotation_keys(
        self,
        found: InstanceData,
        scores: np.ndarray,
        size: tuple[int, int],
        where: str,
    ) -> Iterator[dict[str, Any] | None]:
        """Mask, tight box, area and score of each instance.

        Args:
            found: ``pred_instances``.
            scores: (N,).
            size: ``(H, W)`` of the image in pixels.
            where: Names the image in messages.
        """
        for score, rle in zip(scores, mask_rles(found.masks), strict=True):
            if list(rle['size']) != list(size):
                raise ValueError(
                    f'{where}: a predicted mask has size {list(rle["size"])}, the '
                    f'image {list(size)} (height, width).'
                )
            kept = score >= self.min_score and coco_mask.area(rle)
            yield mask_keys(rle, score) if kept else None

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
        coco = self.source.coco
        annotations = list(self.annotations(records))
        collapse = mask_collapse({**coco, 'annotations': annotations}, found=True)
        provenance = {**provenance, 'collapse': collapse}
        found = [one for record in records.values() for one in record['instances']]
        # Points that were found are numbered anew by every run, too.
        numbered = not are_found_points(coco) and all('id' in one for one in found)
        if found and numbered:
            provenance['keeps_ids'] = True
        write_pseudo_labels(self.out, coco, annotations, provenance, results_out)
        log_collapse(self.out, collapse)
        return self.summary(annotations)


def mask_rles(masks: Any) -> list[dict[str, Any]]:
    """RLEs of a stack of masks, or the RLEs that are there already.

    Args:
        masks: Bool (N, H, W), or a list of N compressed RLEs.

    Raises:
        ValueError: The stack has another shape.
    """
    if isinstance(masks, (list, tuple)) and all(isinstance(m, Mapping) for m in masks):
        return list(masks)
    stack = to_numpy(masks).astype(bool)
    if not len(stack):
        return []
    if stack.ndim != 3:
        raise ValueError(f'masks must be (N, H, W), got {stack.shape}.')
    return coco_mask.encode(np.asfortranarray(stack.transpose(1, 2, 0), np.uint8))
