"""Masks of known objects: one for every annotation of the weak file."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from .artifact import Artifact, Records
from .collapse import log_collapse, mask_collapse
from .entries import prediction_record
from .merge import merge_annotations, write_pseudo_labels
from .plan import check_coverage, needs_no_network


class ObjectMasks(Artifact):
    """COCO JSON with the annotations of the weak file, ids and order kept (EXITS, MAL).

    Crowds and boxes under one pixel need no network; their boxes are filled.

    Reads of a predicted sample the metainfo ``ann_id``, ``height``, ``width``,
    ``pred_mask`` (compressed RLE of image size), ``pred_score`` (0 to 1) and
    ``empty_prediction``.
    """

    kind = 'object_masks'
    title = 'pseudo labels'
    listed_in = 'annotations'
    noun = 'objects'
    key = 'ann_id'

    def items(self, dataset: BaseDataset) -> list[tuple[int, Any, Any]]:
        """List the annotations that the network has to label.

        Args:
            dataset: Has one sample per annotation.

        Raises:
            ValueError: The dataset hides annotations of its classes.
        """
        rows = []
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            rows.append((index, info['ann_id'], info['img_id']))
        annotations = self.source.coco['annotations']
        ids = (ann_id for _, ann_id, _ in rows)
        path = self.source.path
        other = check_coverage(ids, annotations, self.source.category_ids, path)
        if other:
            print_log(
                f'{other} annotations of {path} are of classes that the config does '
                "not name (metainfo['classes']); they get no pseudo label.",
                logger='current',
                level=logging.WARNING,
            )
        plain = {a['id'] for a in annotations if needs_no_network(a)}
        return [row for row in rows if row[1] not in plain]

    def place(self, sample: BaseDataElement) -> str:
        """Name a sample in messages.

        Args:
            sample: Predicted ``ObjectCropSample``.
        """
        name = Path(str(sample.get('img_path', ''))).name
        return (
            f'{name}: annotation id {sample.get("ann_id")!r} of image id '
            f'{sample.get("img_id")!r}'
        )

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """Mask, box, area and score of one annotation.

        Args:
            sample: Predicted ``ObjectCropSample``.
        """
        return prediction_record(sample.metainfo, self.place(sample))

    def annotations(self, records: Records) -> list[dict[str, Any]]:
        """Mask of every object; boxes are filled where the network gave none.

        Args:
            records: Id of an item -> its record.

        Returns:
            COCO annotations, in the order of the weak file.
        """
        return merge_annotations(self.source.coco, self.source.category_ids, records)

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
        annotations = self.annotations(records)
        collapse = mask_collapse({**coco, 'annotations': annotations})
        provenance = {**provenance, 'collapse': collapse}
        write_pseudo_labels(self.out, coco, annotations, provenance, results_out)
        log_collapse(self.out, collapse)
        empty = sum('empty_prediction' in annotation for annotation in annotations)
        return (
            f'{len(annotations)} pseudo labels on {len(coco["images"])} images, '
            f'{empty} with an empty prediction (box filled)'
        )
