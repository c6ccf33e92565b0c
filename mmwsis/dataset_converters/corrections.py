"""People's corrections of pseudo labels, matched by id, make one mixed label file.

The rules, for the images that were corrected:

- an object with the id of a pseudo label and another mask, or another class, takes its
  place (``'changed'``);
- one with the same class whose mask is the same, but for the corners of polygons, was
  looked at: the pseudo label stays as it is (``'unchanged'``);
- a pseudo label whose id is gone is no object and goes (``'deleted'``);
- an object without an id, or with one of its own, was missed (``'added'``).

In all other images the pseudo labels stay as they are. Labels of people say so in
``annotations[].correction`` and have the score 1; an image whose labels have all been
reviewed gets ``supervision='masks'``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pycocotools import mask as mask_api

from mmwsis.formats.categories import alike_hint, name_list
from mmwsis.formats.coco_file import annotations_by_image, image_file_name
from mmwsis.formats.coco_masks import check_segmentation, checked_rle
from mmwsis.structures.supervision import annotation_place

from .conversion import shorten
from .importers.records import tidy_name

SAME_IOU = 0.99
ACTIONS = ('unchanged', 'changed', 'deleted', 'added')
Annotation = dict[str, Any]
Id = int | str


class CorrectedObject(NamedTuple):
    """What became of one object.

    Attributes:
        annotation_id: Its id in the mixed file; of a deleted one that it had.
        file_name: Its image.
        name: Its class; of a deleted one that it had.
        action: One of ``ACTIONS``.
        iou: Of the pseudo label's mask and the corrected one; None of deleted and added
            objects.
        old_name: The class it had before, where that is another one.
    """

    annotation_id: Id
    file_name: str
    name: str
    action: str
    iou: float | None = None
    old_name: str | None = None


@dataclass(frozen=True)
class Corrections:
    """A mixed label file, and what was corrected in it.

    Attributes:
        coco: COCO dictionary.
        objects: One entry for each object that was reviewed.
        images: Ids of the images that were corrected.
        complete: Ids of those whose labels have all been reviewed.
        deleted: The pseudo labels that people took away.
    """

    coco: dict[str, Any]
    objects: list[CorrectedObject]
    images: list[Id]
    complete: list[Id]
    deleted: list[Annotation] = field(default_factory=list)


def merge_corrections(
    pseudo: Mapping[str, Any],
    corrected: Mapping[str, Any],
    reviewed: Collection[Id] | None = None,
    *,
    may_be_complete: Collection[Id] | None = None,
    same_iou: float = SAME_IOU,
    sources: tuple[str, str] = ('pseudo labels', 'corrected labels'),
) -> Corrections:
    """Put corrected masks in the place of pseudo labels.

    Args:
        pseudo: Checked COCO dictionary of pseudo labels; is left as it is.
        corrected: The same of the images that were corrected, with their ids as an
            import with ``keep_ids`` writes them: new objects have ``is_new``. Images
            are matched by file name, or the end of it; classes by name.
        reviewed: Ids of the pseudo labels that were looked at, where that is not every
            one of these images: others stay if they are unchanged or not there.
            Defaults to None, all of them.
        may_be_complete: Ids of the pseudo labels' images that people have labelled
            altogether, where these are not all of which every label was reviewed.
            Defaults to None: they are.
        same_iou: From this IoU on, a mask is the pseudo label's own. Defaults to 0.99.
        sources: Names of both files, for messages.

    Returns:
        The mixed labels and what was corrected.

    Raises:
        ValueError: Images, classes or ids that the pseudo labels do not have, images
            of another size, objects without a mask, or nothing that was corrected; the
            message names file and ids.
    """
    merge = _Merge(pseudo, corrected, reviewed, same_iou, sources)
    merge.may_be_complete = may_be_complete
    merge.check()
    return merge.run()


def _same_image(
    name: str, images: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The image of the same name, or of the longest end of it that is a name.

    An export may have links or copies of the images in a folder of its own.
    """
    parts = name.split('/')
    ends = ('/'.join(parts[start:]) for start in range(len(parts)))
    return next((images[end] for end in ends if end in images), None)


class _Merge:
    """One call of :func:`merge_corrections`."""

    def __init__(
        self,
        pseudo: Mapping[str, Any],
        corrected: Mapping[str, Any],
        reviewed: Collection[Id] | None,
        same_iou: float,
        sources: tuple[str, str],
    ) -> None:
        self.pseudo, self.corrected = pseudo, corrected
        self.same_iou, self.sources = same_iou, sources
        self.may_be_complete: Collection[Id] | None = None
        self.by_id = {one['id']: one for one in pseudo['annotations']}
        self.reviewed = set(self.by_id if reviewed is None else reviewed)
        self.names = {one['id']: one['name'] for one in pseudo['categories']}
        # Labelling tools give names back without double blanks, and composed.
        self.category_ids = {tidy_name(name): key for key, name in self.names.items()}
        self.own_names = {
            one['id']: tidy_name(one['name']) for one in corrected['categories']
        }
        images = {image_file_name(one): one for one in pseudo['images']}
        # Id of an image in the corrected file -> the image of the pseudo labels.
        self.images = {
            one['id']: _same_image(image_file_name(one), images)
            for one in corrected['images']
        }
        self.next_id = 1 + max(
            (key for key in self.by_id if isinstance(key, int)), default=0
        )
        self.objects: list[CorrectedObject] = []
        self.deleted: list[Annotation] = []

    def check(self) -> None:
        """Refuse what does not belong to these pseudo labels."""
        pseudo, corrected = self.sources
        if not self.corrected['images']:
            raise ValueError(f'{corrected}: it has no image, so nothing is corrected.')
        self._check_images()
        for annotation in self.corrected['annotations']:
            name = self.own_names[annotation['category_id']]
            if name not in self.category_ids:
                known = list(self.names.values())
                raise ValueError(
                    f'{annotation_place(corrected, annotation)}: class {name!r} is '
                    f'none of {pseudo}, which has {name_list(known)}.'
                    f'{alike_hint([name], known)} Correct its label.'
                )
            self._check_mask(annotation)
        self._check_ids()

    def _check_images(self) -> None:
        pseudo, corrected = self.sources
        names = [image_file_name(one) for one in self.corrected['images']]
        unknown = [
            name for name, own in zip(names, self.images.values()) if own is None
        ]
        if unknown:
            raise ValueError(
                f'{corrected}: {len(unknown)} of {len(names)} images are not in '
                f'{pseudo}:\n{shorten(unknown)}\nImages are matched by file name: '
                'import with --img-dir set to the folder that the names in '
                f'{pseudo} start from.'
            )
        owners: dict[Id, str] = {}
        for name, own in zip(names, self.images.values()):
            other = owners.setdefault(own['id'], name)
            if other != name:
                raise ValueError(
                    f'{corrected}: {other} and {name} are both image id {own["id"]!r} '
                    f'of {pseudo}, {image_file_name(own)}; leave one of them out.'
                )
        for image in self.corrected['images']:
            own = self.images[image['id']]
            sizes = [f'{one["width"]}x{one["height"]}' for one in (own, image)]
            if sizes[0] != sizes[1]:
                raise ValueError(
                    f'{image_file_name(image)} has {sizes[0]} pixels in {pseudo} and '
                    f'{sizes[1]} in {corrected}; correct the labels on the images that '
                    'were labelled.'
                )
            level = image.get('supervision') or 'masks'
            if level != 'masks' and image.get('tags'):
                raise ValueError(
                    f'{corrected}: {image_file_name(image)} has labels of level '
                    f'{level}; in a corrected image every object needs a mask. Draw '
                    'the outlines, or delete what is no object.'
                )

    def _check_mask(self, annotation: Annotation) -> None:
        where = annotation_place(self.sources[1], annotation)
        if not annotation.get('segmentation'):
            raise ValueError(
                f'{where}: it has no mask. Draw its outline, or delete it: in a '
                'corrected image every object needs one.'
            )
        image = self.images[annotation['image_id']]
        size = image['height'], image['width']
        check_segmentation(annotation['segmentation'], size, where)
        if not mask_api.area(checked_rle(annotation['segmentation'], *size)):
            raise ValueError(f'{where}: its mask covers no pixel; draw or delete it.')

    def _check_ids(self) -> None:
        pseudo, corrected = self.sources
        known = [one for one in self.corrected['annotations'] if not one.get('is_new')]
        strangers = [one['id'] for one in known if one['id'] not in self.by_id]
        if strangers:
            raise ValueError(
                f'{corrected}: {len(strangers)} of {len(known)} annotation ids match '
                f'nothing in {pseudo}, the first are {strangers[:5]}. Give the file '
                'that was exported for correction, and import with --keep-ids; new '
                'objects have no id.'
            )
        for one in known:
            own = self.by_id[one['id']]['image_id']
            if own != self.images[one['image_id']]['id']:
                place = image_file_name(self.images[one['image_id']])
                raise ValueError(
                    f'{corrected}: annotation id {one["id"]!r} is in {place}, but in '
                    f'{pseudo} it is of image id {own!r}. Was the object pasted from '
                    'another image? Take its id away: then it is a new one.'
                )

    def run(self) -> Corrections:
        """Make the mixed file."""
        found = {
            self.images[key]['id']: annotations
            for key, annotations in annotations_by_image(self.corrected).items()
        }
        mixed: list[Annotation] = []
        added: list[Annotation] = []
        own = annotations_by_image(self.pseudo)
        images = {one['id']: one for one in self.images.values()}
        for image_id, annotations in own.items():
            if image_id not in found:
                mixed += annotations
                continue
            kept, new = self._of_image(images[image_id], annotations, found[image_id])
            mixed += kept
            added += new
        complete = [
            key
            for key in own
            if key in found
            and (self.may_be_complete is None or key in self.may_be_complete)
            and all(one['id'] in self.reviewed for one in own[key])
        ]
        if not self.objects and not complete:
            raise ValueError(
                f'{self.sources[1]}: no label of its images was reviewed, so nothing '
                'is corrected. Does the review list belong to it?'
            )
        annotations = [*mixed, *added]
        entries = self._images(annotations, set(found), set(complete))
        coco = {**self.pseudo, 'images': entries, 'annotations': annotations}
        return Corrections(coco, self.objects, list(found), complete, self.deleted)

    def _of_image(
        self,
        image: Mapping[str, Any],
        labels: Sequence[Annotation],
        corrected: Sequence[Annotation],
    ) -> tuple[list[Annotation], list[Annotation]]:
        """Labels of one image that stay or change, and those that are new."""
        by_id = {one['id']: one for one in corrected if not one.get('is_new')}
        kept = []
        for label in labels:
            other = by_id.get(label['id'])
            if other is not None:
                kept.append(self._compared(image, label, other))
            elif label['id'] not in self.reviewed or label.get('iscrowd'):
                kept.append(label)
            else:
                self._note(image, label, label['category_id'], 'deleted')
                self.deleted.append(label)
        new = []
        for one in corrected:
            if one.get('is_new'):
                start = dict(id=self.next_id, image_id=image['id'], iscrowd=0)
                self.next_id += 1
                new.append(self._human(image, start, one, 'added'))
                self._note(image, new[-1], new[-1]['category_id'], 'added')
        return kept, new

    def _compared(
        self, image: Mapping[str, Any], label: Annotation, other: Annotation
    ) -> Annotation:
        """A pseudo label that was found again."""
        size = image['height'], image['width']
        where = annotation_place(self.sources[0], label)
        check_segmentation(label.get('segmentation'), size, where)
        masks = [checked_rle(one['segmentation'], *size) for one in (label, other)]
        iou = float(mask_api.iou(masks[:1], masks[1:], [0])[0, 0])
        category_id = self._category(other)
        if iou >= self.same_iou and category_id == label['category_id']:
            if label['id'] not in self.reviewed:
                return label
            self._note(image, label, category_id, 'unchanged', iou)
            return {**label, 'correction': 'unchanged', 'score': 1.0}
        self._note(image, label, category_id, 'changed', iou)
        return self._human(image, label, other, 'changed')

    def _human(
        self,
        image: Mapping[str, Any],
        start: Annotation,
        other: Annotation,
        action: str,
    ) -> Annotation:
        """An annotation with the mask and the class that a person gave it."""
        size = image['height'], image['width']
        rle = checked_rle(other['segmentation'], *size)
        counts = rle['counts']
        counts = counts.decode('ascii') if isinstance(counts, bytes) else counts
        kept = {k: v for k, v in start.items() if k != 'empty_prediction'}
        return {
            **kept,
            'category_id': self._category(other),
            'bbox': mask_api.toBbox(rle).tolist(),
            'area': int(mask_api.area(rle)),
            'segmentation': dict(size=list(size), counts=counts),
            'score': 1.0,
            'correction': action,
        }

    def _category(self, annotation: Annotation) -> Id:
        return self.category_ids[self.own_names[annotation['category_id']]]

    def _note(
        self,
        image: Mapping[str, Any],
        label: Annotation,
        category_id: Id,
        action: str,
        iou: float | None = None,
    ) -> None:
        is_other = category_id != label['category_id']
        self.objects.append(
            CorrectedObject(
                *(label['id'], image_file_name(image), self.names[category_id]),
                *(action, iou),
                self.names[label['category_id']] if is_other else None,
            )
        )

    def _images(
        self,
        annotations: Sequence[Annotation],
        corrected: Collection[Id],
        complete: Collection[Id],
    ) -> list[dict[str, Any]]:
        """Images with their tags, and the level of those that people have labelled."""
        before: dict[Id, set] = {}
        after: dict[Id, set] = {}
        for labels, present in (
            (self.pseudo['annotations'], before),
            (annotations, after),
        ):
            for one in labels:
                present.setdefault(one['image_id'], set()).add(one['category_id'])
        images = []
        for image in self.pseudo['images']:
            key = image['id']
            if key in corrected and 'tags' in image:
                gone = before.get(key, set()) - after.get(key, set())
                tags = set(image['tags']) - gone | after.get(key, set())
                image = {**image, 'tags': sorted(tags)}
            if key in complete:
                image = {**image, 'supervision': 'masks'}
            images.append(image)
        return images
