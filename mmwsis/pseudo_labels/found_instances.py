"""Instances that a labeler finds in whole images: nobody knows how many before."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from pycocotools import mask as coco_mask

from mmwsis.utils.arrays import to_numpy

from .artifact import Artifact, LabelSource, Records
from .collapse import log_collapse, mask_collapse
from .entries import mask_keys
from .merge import write_pseudo_labels


class FoundInstances(Artifact):
    """COCO JSON with the instances that a labeler found (IRNet, WISE, any detector).

    Annotation ids run from 1 over the whole file, in the order of its images and, in
    an image, of the predictions; so they depend neither on ranks nor on kills. Category
    ids are those of the weak file, found by name. Every mask keeps its score.

    Reads ``pred_instances`` of a predicted sample, as MMDetection's detectors fill it:
    ``labels`` (N,), ``scores`` (N,) in [0, 1], and ``masks``, a bool tensor (N, H, W)
    of image size or a list of N RLEs.

    Args:
        out: COCO JSON to write.
        source: What is labelled.
        min_score: Instances with a lower score, in [0, 1], are left out. Defaults to
            1e-5.
    """

    kind = 'instances'
    title = 'pseudo labels'

    def __init__(self, out: Path, source: LabelSource, min_score: float = 1e-5) -> None:
        super().__init__(out, source)
        self.min_score = min_score

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """The instances of one image; empty masks are left out.

        Args:
            sample: Predicted sample of a whole image.

        Returns:
            ``id`` of the image and ``instances``: each ``label``, ``segmentation``,
            ``bbox``, ``area`` and ``score``.
        """
        where = self.place(sample)
        found = sample.get('pred_instances')
        missing = [
            key
            for key in ('labels', 'scores', 'masks')
            if found is None or key not in found
        ]
        if missing:
            raise ValueError(
                f'{where}: the model returned no pred_instances.'
                f'{", pred_instances.".join(missing)}. Is this the config of a labeler '
                "that finds instances? Its predict() must fill them for artifact='"
                f"{self.kind}'."
            )
        labels = to_numpy(found.labels).astype(int)
        scores = to_numpy(found.scores).astype(float)
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(
            self.source.classes
        ):
            raise ValueError(
                f'{where}: pred_instances.labels must lie in 0..'
                f'{len(self.source.classes) - 1} ({len(self.source.classes)} classes), '
                f'got {sorted(set(labels.tolist()))}.'
            )
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(
                f'{where}: pred_instances.scores must lie in [0, 1], got '
                f'{scores.tolist()[:8]}.'
            )
        size = self.source.image_size(sample.get('img_id'))
        instances = []
        for label, score, rle in zip(
            labels, scores, mask_rles(found.masks), strict=True
        ):
            if list(rle['size']) != list(size):
                raise ValueError(
                    f'{where}: a predicted mask has size {list(rle["size"])}, the '
                    f'image {list(size)} (height, width).'
                )
            if score >= self.min_score and coco_mask.area(rle):
                instances.append(dict(label=int(label), **mask_keys(rle, score)))
        return dict(id=sample.get('img_id'), instances=instances)

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
        by_image = {key: record['instances'] for key, record in records.items()}
        annotations = list(self._annotations(by_image))
        collapse = mask_collapse({**coco, 'annotations': annotations}, found=True)
        provenance = {**provenance, 'collapse': collapse}
        write_pseudo_labels(self.out, coco, annotations, provenance, results_out)
        log_collapse(self.out, collapse)
        empty = sum(not by_image.get(image['id']) for image in coco['images'])
        return (
            f'{len(annotations)} pseudo labels on {len(coco["images"])} images, '
            f'{empty} of them without any'
        )

    def _annotations(self, by_image: Mapping[Any, list]) -> Iterator[dict[str, Any]]:
        number = 0
        for image in self.source.coco['images']:
            for instance in by_image.get(image['id'], ()):
                number += 1
                own = dict(instance)
                category_id = self.source.category_ids[own.pop('label')]
                yield dict(
                    id=number,
                    image_id=image['id'],
                    category_id=category_id,
                    iscrowd=0,
                    **own,
                )


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
