"""Masks of known objects: one for every annotation of the weak file."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from mmwsis.formats.provenance import provenance_of
from mmwsis.structures import annotation_place
from mmwsis.utils.arrays import to_numpy

from .artifact import Artifact, LabelSource, Records
from .collapse import log_collapse, mask_collapse
from .entries import prediction_record
from .merge import merge_annotations, write_pseudo_labels
from .plan import check_coverage, needs_no_network


class ObjectMasks(Artifact):
    """COCO JSON with the annotations of the weak file, ids and order kept (EXITS, MAL).

    Crowds and boxes under one pixel need no network; their boxes are filled.

    A dataset of one sample an annotation gives samples with the metainfo ``ann_id``,
    ``height``, ``width``, ``pred_mask`` (compressed RLE of image size), ``pred_score``
    (0 to 1) and ``empty_prediction``. One of whole images gives samples with
    ``pred_instances``: ``ann_ids``, ``masks`` (RLEs) and ``scores``, a row for each
    annotation.

    Args:
        out: See the base class.
        source: See the base class.
        refine: The source holds pseudo labels; a mask takes the place of its label only
            where ``pred_instances.accepted`` says so, and never where people have
            corrected it (``annotations[].correction``). ``info.mmwsis.refined`` has the
            share, and what the labels were made from. Defaults to False.
    """

    kind = 'object_masks'
    title = 'pseudo labels'
    listed_in = 'annotations'
    noun = 'objects'
    key = 'ann_id'

    def __init__(self, out: Path, source: LabelSource, refine: bool = False) -> None:
        super().__init__(out, source)
        self.refine = refine

    @property
    def supervision(self) -> str | None:
        """Of refined labels, what they were made from first."""
        made = provenance_of(self.source.coco) if self.refine else {}
        return made.get('supervision')

    def items(self, dataset: BaseDataset) -> list[tuple[int, Any, Any]]:
        """List the annotations, or the images, that the network has to label.

        Args:
            dataset: Has one sample per annotation, or one per image with its
                ``instances``.

        Raises:
            ValueError: The dataset hides annotations of its classes, or there are no
                pseudo labels to refine.
        """
        if self.refine:
            self._check_pseudo_labels()
        rows, whole = [], False  # index, annotation id, image id
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            whole = 'instances' in info
            own = info['instances'] if whole else [info]
            rows += [(index, one['ann_id'], info['img_id']) for one in own]
        self._check_coverage([ann_id for _, ann_id, _ in rows])
        labelled = [row for row in rows if row[1] not in self._plain]
        if not whole:
            return labelled
        # The items are images; one without objects has nothing to label.
        self.listed_in, self.noun, self.key = 'images', 'images', 'img_id'
        images = {index: image_id for index, _, image_id in labelled}
        return [(index, image_id, image_id) for index, image_id in images.items()]

    @cached_property
    def _plain(self) -> set[Any]:
        """Annotations that need no network."""
        annotations = self.source.coco['annotations']
        return {
            one['id']
            for one in annotations
            # What people have drawn or seen is not refined.
            if needs_no_network(one) or (self.refine and one.get('correction'))
        }

    def _check_pseudo_labels(self) -> None:
        """Refuse ground truth, of which most would come out as labels of the model."""
        annotations = self.source.coco['annotations']
        if not any(one.get('score') is not None for one in annotations):
            raise ValueError(
                f'{self.source.path} holds no pseudo labels to refine: no annotation '
                'has a score. Set pseudo_label_dataloader.dataset.ann_file to a file '
                'that a labeler wrote.'
            )

    def _check_coverage(self, ids: list[Any]) -> None:
        annotations, path = self.source.coco['annotations'], self.source.path
        other = check_coverage(ids, annotations, self.source.category_ids, path)
        if other:
            print_log(
                f'{other} annotations of {path} are of classes that the config does '
                "not name (metainfo['classes']); they get no pseudo label.",
                logger='current',
                level=logging.WARNING,
            )

    def place(self, sample: BaseDataElement) -> str:
        """Name a sample in messages.

        Args:
            sample: Predicted sample, of an annotation or an image.
        """
        if self.key == 'img_id':
            return super().place(sample)
        name = Path(str(sample.get('img_path', ''))).name
        return (
            f'{name}: annotation id {sample.get("ann_id")!r} of image id '
            f'{sample.get("img_id")!r}'
        )

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """Mask, box, area and score of one annotation, or of those of an image.

        Args:
            sample: Predicted sample, of an annotation or an image.
        """
        if self.key == 'ann_id':
            return prediction_record(sample.metainfo, self.place(sample))
        objects = [one for one in self._objects(sample) if one['id'] not in self._plain]
        return dict(id=sample.get('img_id'), objects=objects)

    def _objects(self, sample: BaseDataElement) -> Iterator[dict[str, Any]]:
        found, where = sample.get('pred_instances'), self.place(sample)
        fields = ['ann_ids', 'masks', 'scores', *(['accepted'] if self.refine else [])]
        if found is not None and 'accepted' in found and not self.refine:
            raise ValueError(
                f'{where}: the model refines pseudo labels; set '
                f"artifact=dict(type='{self.kind}', refine=True) in the config."
            )
        missing = [key for key in fields if found is None or key not in found]
        if missing:
            raise ValueError(
                f'{where}: the model returned no pred_instances.{", ".join(missing)}. '
                'Is this the config of a labeler of known objects? Its predict() must '
                'fill them.'
            )
        height, width = self.source.image_size(sample.get('img_id'))
        scores = to_numpy(found.scores).tolist()
        for index, ann_id in enumerate(found.ann_ids):
            one = dict(ann_id=ann_id, height=height, width=width)
            one.update(pred_mask=found.masks[index], pred_score=scores[index])
            record = prediction_record(one, f'{where}, annotation id {ann_id!r}')
            if self.refine:
                record['accepted'] = bool(found.accepted[index])
            yield record

    def annotations(self, records: Records) -> list[dict[str, Any]]:
        """Mask of every object; boxes are filled where the network gave none.

        Args:
            records: Id of an item -> its record.

        Returns:
            COCO annotations, in the order of the weak file.

        Raises:
            ValueError: The model left an annotation out.
        """
        coco, category_ids = self.source.coco, self.source.category_ids
        records = self._by_annotation(records)
        return merge_annotations(coco, category_ids, records, self.refine)

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

        Raises:
            ValueError: The model left an annotation out.
        """
        coco = self.source.coco
        annotations = self.annotations(records)
        provenance = dict(provenance)
        done = ''
        if self.refine:
            provenance, done = self._refined(provenance, annotations)
        collapse = mask_collapse({**coco, 'annotations': annotations})
        provenance['collapse'] = collapse
        write_pseudo_labels(
            self.out, coco, annotations, provenance, results_out, self.refine
        )
        log_collapse(self.out, collapse)
        empty = sum('empty_prediction' in annotation for annotation in annotations)
        return (
            f'{len(annotations)} pseudo labels on {len(coco["images"])} images, '
            f'{done}{empty} with an empty prediction (box filled)'
        )

    def _by_annotation(self, records: Records) -> Records:
        """Records of annotations, whatever the items were."""
        if self.key == 'ann_id':
            return records
        found = {
            one['id']: one for image in records.values() for one in image['objects']
        }
        wanted, there = set(self.source.category_ids), self._plain.union(found)
        for one in self.source.coco['annotations']:
            if one['category_id'] in wanted and one['id'] not in there:
                raise ValueError(
                    f'{annotation_place(self.source.path, one)}: the model gave it no '
                    'mask. Its predict() must return one for each annotation.'
                )
        return found

    def _refined(
        self, provenance: dict[str, Any], annotations: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, Any], str]:
        """Provenance of refined labels, and what to say of them."""
        source = provenance_of(self.source.coco)
        accepted = sum(one['refined'] for one in annotations)
        share = accepted / len(annotations) if annotations else None
        refined = dict(accepted=accepted, labels=len(annotations), share=share)
        # How the old ones collapse is not how these do.
        made = {key: value for key, value in source.items() if key != 'collapse'}
        provenance = dict(provenance, refined=dict(refined, made_by=made))
        percent = f' ({100 * share:.1f} %)' if annotations else ''
        return provenance, f'{accepted}{percent} of them replaced, '
