"""Loading the instance cues that a labeler found in an image."""

from typing import Any

import numpy as np

from mmwsis.formats.coco_file import annotations_by_image, load_coco, match_classes
from mmwsis.formats.image_file import image_place
from mmwsis.formats.provenance import provenance_of
from mmwsis.registry import TRANSFORMS
from mmwsis.structures import annotation_place
from mmwsis.structures.supervision import Supervision

from .weak_annotations import LoadWeakAnnotations


@TRANSFORMS.register_module()
class LoadCues(LoadWeakAnnotations):
    """Load the points that a labeler found in an image, with their scores.

    Sets what :class:`LoadWeakAnnotations` sets of points, beside the tags of a dataset
    declared with ``supervision='image_tags'``: cues are no labels of the dataset but
    what an earlier stage made of its tags, like maps. Points of people (clicks) are
    loaded with ``supervision='points'`` and :class:`LoadWeakAnnotations`; they have no
    score and are refused here. The file is opened at the first sample, once per
    process, and checked like every label file: a cue up to one pixel outside its image
    is moved onto the border, one further outside is an error.

    Args:
        ann_file: What ``tools/generate_pseudo_labels.py --artifact points`` wrote.
        score_thr: Leave out cues whose score is not above it. Defaults to None, all
            stay.
    """

    def __init__(self, ann_file: str, score_thr: float | None = None) -> None:
        super().__init__(score_thr=score_thr, with_label=True)
        self.ann_file = ann_file
        self._images: dict[Any, dict[str, Any]] | None = None
        self._cues: dict[Any, list[dict[str, Any]]] = {}

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the cues of ``results['img_id']``.

        Args:
            results: Data of an image of ``mmwsis.CocoWeakDataset``.

        Returns:
            ``results``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file does not list the image, as it does one without a cue;
                it has another size of it, lacks classes of the dataset, or has a cue of
                a class that is none of them, outside its image or without a score; or
                it was made from stronger labels than the dataset is declared with. The
                message names the file, the image and the annotation.
        """
        if self._images is None:
            self._open(results['classes'], results['supervision'])
        image_id = results['img_id']
        place = image_place(results['img_path'], image_id)
        if image_id not in self._images:
            raise ValueError(
                f'{self.ann_file} does not list {place}; images without a cue are '
                'listed, too. The cues were made for other images; make them anew.'
            )
        image = self._images[image_id]
        size = results['height'], results['width']
        if (image['height'], image['width']) != size:
            raise ValueError(
                f'{self.ann_file}: the cues of {place} are of an image of '
                f'{image["height"], image["width"]}, expected {size} (height, width).'
            )
        results['instances'] = self._cues[image_id]
        results = super().transform(results)
        # Cues have scores, those of an image without one, too.
        results.setdefault('gt_point_scores', np.zeros(0, np.float32))
        return results

    def _open(self, classes: tuple[str, ...], supervision: str) -> None:
        """Read the file; give every cue the label of the dataset."""
        coco = load_coco(self.ann_file, Supervision.POINTS)
        made_from = provenance_of(coco).get('supervision') or supervision
        if Supervision.parse(made_from) > Supervision.parse(supervision):
            raise ValueError(
                f'{self.ann_file} was made from {made_from}, but the dataset is '
                f'declared with {supervision}.'
            )
        category_ids = match_classes(classes, coco['categories'], self.ann_file)
        labels = {category: label for label, category in enumerate(category_ids)}
        names = {one['id']: one['name'] for one in coco['categories']}
        self._cues = {
            image_id: [self._instance(one, labels, names) for one in found]
            for image_id, found in annotations_by_image(coco).items()
        }
        self._images = {image['id']: image for image in coco['images']}

    def _instance(
        self,
        annotation: dict[str, Any],
        labels: dict[int, int],
        names: dict[int, str],
    ) -> dict[str, Any]:
        category = annotation['category_id']
        if category not in labels:
            raise ValueError(
                f'{annotation_place(self.ann_file, annotation)} is of the class '
                f'{names[category]!r}, which the dataset does not have. Make the cues '
                'anew, with its classes.'
            )
        if annotation.get('score') is None:
            raise ValueError(
                f'{annotation_place(self.ann_file, annotation)} has no score, so it is '
                'no cue that a labeler found. Points of people are loaded with '
                "supervision='points' and mmwsis.LoadWeakAnnotations."
            )
        return dict(
            ignore_flag=0,
            bbox_label=labels[category],
            ann_id=annotation['id'],
            point=annotation['point'],
            score=annotation['score'],
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the file behind when a worker gets a copy."""
        return {**self.__dict__, '_images': None, '_cues': {}}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(ann_file={self.ann_file!r}, '
            f'score_thr={self.score_thr})'
        )
