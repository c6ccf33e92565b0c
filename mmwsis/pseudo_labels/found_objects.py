"""Objects that a labeler finds in whole images: nobody knows how many before."""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mmengine.structures import BaseDataElement, InstanceData

from mmwsis.utils.arrays import to_numpy

from .artifact import Artifact, Records


class FoundObjects(Artifact):
    """COCO JSON with what a labeler found; subclasses say what an object is.

    Objects that are the ones of weak annotations keep the ids of these. The ids of the
    others run on from the largest of those, or from 1, over the whole file, in the
    order of its images and, in an image, of the predictions; so they depend neither on
    ranks nor on kills. Category ids are those of the weak file, found by name.

    Attributes:
        field: Field of a predicted sample that holds the objects: ``labels`` (N,),
            ``scores`` (N,) in [0, 1] and ``shapes``; ``ann_ids`` (N,) where each is
            the object of a weak annotation.
        shapes: Key of the field that says where the objects are.
    """

    title: ClassVar[str] = 'pseudo labels'
    field: ClassVar[str]
    shapes: ClassVar[str]

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """The objects of one image.

        Args:
            sample: Predicted sample of a whole image.

        Returns:
            ``id`` of the image and ``instances``: each ``label`` and the keys of an
            annotation, ``id`` among them where it is known.

        Raises:
            ValueError: The objects are not as they should be; the message names the
                image.
        """
        where = self.place(sample)
        found = self._found(sample, where)
        labels, scores = self._checked(found, where)
        size = self.source.image_size(sample.get('img_id'))
        keys = self.annotation_keys(found, scores, size, where)
        known = self._known_ids(found, where)
        instances = [
            dict(label=label, **of_weak, **own)
            for label, of_weak, own in zip(labels.tolist(), known, keys, strict=True)
            if own is not None
        ]
        return dict(id=sample.get('img_id'), instances=instances)

    @abstractmethod
    def annotation_keys(
        self,
        found: InstanceData,
        scores: np.ndarray,
        size: tuple[int, int],
        where: str,
    ) -> Sequence[dict[str, Any] | None]:
        """What the annotation of each object says besides ids and class.

        Args:
            found: ``field`` of the sample.
            scores: (N,) float64, checked.
            size: ``(H, W)`` of the image in pixels.
            where: Names the image in messages.

        Returns:
            N entries; None leaves the object out.

        Raises:
            ValueError: An object does not fit the image.
        """

    def annotations(self, records: Records) -> Iterator[dict[str, Any]]:
        """Number the objects of all images.

        Args:
            records: Id of an image -> its record.

        Yields:
            COCO annotations.
        """
        known = (
            one['id']
            for record in records.values()
            for one in record.get('instances', ())
            if isinstance(one.get('id'), int)
        )
        fresh = itertools.count(max(known, default=0) + 1)
        for image in self.source.coco['images']:
            record: Mapping[str, Any] = records.get(image['id'], {})
            for instance in record.get('instances', ()):
                own = dict(instance)
                category_id = self.source.category_ids[own.pop('label')]
                yield dict(
                    id=own.pop('id') if 'id' in own else next(fresh),
                    image_id=image['id'],
                    category_id=category_id,
                    iscrowd=0,
                    **own,
                )

    def summary(self, annotations: Sequence[Mapping[str, Any]]) -> str:
        """What was made, for the log.

        Args:
            annotations: Of the result.
        """
        images = self.source.coco['images']
        having = {annotation['image_id'] for annotation in annotations}
        empty = sum(image['id'] not in having for image in images)
        return (
            f'{len(annotations)} {self.title} on {len(images)} images, {empty} of them '
            'without any'
        )

    def _found(self, sample: BaseDataElement, where: str) -> InstanceData:
        found = sample.get(self.field)
        missing = [
            f'{self.field}.{key}'
            for key in ('labels', 'scores', self.shapes)
            if found is None or key not in found
        ]
        if missing:
            raise ValueError(
                f'{where}: the model returned no {", ".join(missing)}. Is this the '
                f'config of a labeler that finds {self.kind}? Its predict() must fill '
                f"them for artifact='{self.kind}'."
            )
        return found

    def _known_ids(self, found: InstanceData, where: str) -> list[dict[str, Any]]:
        """The keys of N annotations that say of which weak ones they are."""
        if 'ann_ids' not in found:
            return [{}] * len(found)
        ids = to_numpy(found.ann_ids).tolist()
        twice = sorted({str(one) for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(
                f'{where}: {self.field}.ann_ids has the annotation ids '
                f'{", ".join(twice)} twice; an annotation has one object.'
            )
        return [dict(id=one) for one in ids]

    def _checked(
        self, found: InstanceData, where: str
    ) -> tuple[np.ndarray, np.ndarray]:
        labels = to_numpy(found.labels).astype(int)
        scores = to_numpy(found.scores).astype(float)
        classes = len(self.source.classes)
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f'{where}: {self.field}.labels must lie in 0..{classes - 1} ({classes} '
                f'classes), got {sorted(set(labels.tolist()))}.'
            )
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError(
                f'{where}: {self.field}.scores must lie in [0, 1], got '
                f'{scores.tolist()[:8]}.'
            )
        return labels, scores
