"""Checks of annotations, chunk by chunk, and of what only the whole list shows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mmwsis.structures.supervision import Supervision, strongest_label

from .columns import NO_LEVEL, Annotations, ImageArrays, ImageTable, is_id, rows_of
from .geometry import CoordinateSpans, box_of_points, check_boxes, check_points
from .header import some
from .issues import Issue, IssueLog, annotation_issue
from .labels import LABEL_KEYS, check_leaks, check_needed
from .masks import check_masks
from .repeated import copies_of, point_pixels, points_on_one_pixel, signatures
from .summary import SummaryCounter

_MAX_OWNERS = 5


class AnnotationChecker:
    """Collects issues over all annotations of a file.

    Args:
        images: Images of the file.
        log: Takes the issues.
        masks: Check masks too, which is not cheap.
        leaks: Look for labels that are stronger than claimed.
        keys: Label keys to look at; None: all. A loader looks at those only that its
            level may read.
    """

    def __init__(
        self,
        images: ImageTable,
        log: IssueLog,
        *,
        masks: bool,
        leaks: bool,
        keys: Collection[str] | None = None,
    ) -> None:
        self.images, self.log = images, log
        self.masks, self.leaks = masks, leaks
        self._arrays = ImageArrays.of(images)
        self._hidden = set() if keys is None else {*LABEL_KEYS, 'area'} - set(keys)
        self.ids: list[Any] = []
        self.categories: list[Any] = []
        self.image_rows: list[np.ndarray] = []
        self._crowd: list[np.ndarray] = []
        self._signatures: list[np.ndarray] = []
        self._pixels: list[np.ndarray] = []
        self._trainable: list[np.ndarray] = []
        self._extents: list[np.ndarray] = []
        self.labels = np.zeros(0, dtype=np.int64)  # Index of the category, -1: none.
        self.summary = SummaryCounter()
        self._spans = CoordinateSpans()

    def add(self, entries: Sequence[Any]) -> None:
        """Check a chunk.

        Args:
            entries: As in the file.
        """
        valid = [entry for entry in entries if isinstance(entry, Mapping)]
        if len(valid) != len(entries):
            for entry in entries:
                if not isinstance(entry, Mapping):
                    text = (
                        f'every entry of annotations must be an object; got {entry!r}.'
                    )
                    self.log.add('annotation-entry', text)
        if not valid:
            return
        if self._hidden:
            valid = [_without(entry, self._hidden) for entry in valid]
        chunk = Annotations(valid, self._arrays, self.log)
        self._check_references(chunk)
        check_needed(chunk, self.masks)
        check_points(chunk)
        check_boxes(chunk)
        self._check_flags(chunk)
        if self.leaks:
            check_leaks(chunk)
        self._spans.add(chunk)
        extents = _extents(chunk)
        self._extents.append(extents)
        self._trainable.append(_trainable(chunk, extents))
        mask_area, checksum = np.full(len(chunk), np.nan), np.zeros(len(chunk))
        if self.masks and chunk.masked.any():
            mask_area, checksum = check_masks(chunk)
        self.image_rows.append(chunk.image)
        self._crowd.append(chunk.crowd)
        self.summary.add(chunk, mask_area)
        if self.masks:
            self._signatures.append(signatures(chunk, checksum))
            self._pixels.append(point_pixels(chunk))

    def finish(self, known: Mapping[Any, str]) -> None:
        """Check what needs the whole file: categories, unique ids, copies, tags.

        Args:
            known: Categories of the file.
        """
        rows = self.rows()
        index = {category: k for k, category in enumerate(known)}
        self.labels = rows_of(self.categories, index)
        self._find(
            'annotation-category',
            np.flatnonzero(self.labels < 0),
            lambda k: _category_text(self.categories[k], known),
        )
        self._spans.check(self.log)
        self._check_unique()
        if self.masks and self.summary.given['segmentation']:
            self._check_ids_for_evaluation()
        self._check_repeated(rows, list(known.values()))
        self._check_tags(rows, list(known))

    def rows(self) -> np.ndarray:
        """Row of the image of every annotation, -1 without one; int64 (n,)."""
        return np.concatenate(self.image_rows or [np.zeros(0, dtype=np.int64)])

    def trainable(self) -> np.ndarray:
        """Whether loaders take each annotation for an object to learn; bool (n,)."""
        return np.concatenate(self._trainable or [np.zeros(0, dtype=bool)])

    def extents(self) -> np.ndarray:
        """Width and height of the box of every annotation; float32 (n, 2), or NaN."""
        return np.concatenate(self._extents or [np.zeros((0, 2), dtype=np.float32)])

    def _check_references(self, chunk: Annotations) -> None:
        ids = [entry.get('id') for entry in chunk.entries]
        categories = [entry.get('category_id') for entry in chunk.entries]
        self.ids += ids
        self.categories += categories
        chunk.find(
            'annotation-image',
            chunk.image < 0,
            lambda row: _image_text(
                chunk.entries[row].get('image_id'), self._arrays.index
            ),
        )
        if not set(map(type, ids)) <= {int, str}:
            bad = np.fromiter((not is_id(value) for value in ids), bool, len(ids))
            chunk.find('annotation-id', bad, lambda row: _id_text(chunk.entries[row]))

    def _check_flags(self, chunk: Annotations) -> None:
        for key in ('iscrowd', 'ignore'):
            _check_flag(chunk, key)
        crowd = [entry.get('iscrowd') for entry in chunk.entries]
        if None in crowd:
            absent = np.fromiter((c is None for c in crowd), bool, len(crowd))
            chunk.find(
                'iscrowd-missing',
                absent & chunk.masked,
                lambda row: 'iscrowd is missing.',
            )
        score = chunk.score
        chunk.find(
            'score-range',
            score.given & ~((score.values >= 0) & (score.values <= 1)),
            lambda row: (
                'score must be a number from 0 to 1; got '
                f'{chunk.entries[row]["score"]!r}.'
            ),
        )
        wrong = (chunk.area.given & ~chunk.area.valid) | (chunk.area.values < 0)
        chunk.find(
            'area-format',
            wrong,
            lambda row: (
                'area must be a finite number, not negative; got '
                f'{chunk.entries[row]["area"]!r}.'
            ),
        )
        if self.masks:
            at_masks = np.isin(chunk.required, (Supervision.MASKS, NO_LEVEL))
            chunk.find(
                'area-missing',
                chunk.masked & at_masks & ~chunk.area.given & ~chunk.ignored,
                lambda row: 'area is missing.',
            )

    def _find(self, rule: str, rows: np.ndarray, describe: Any) -> None:
        """Log issues of annotations that are not at hand any more."""
        image_rows = self.rows()

        def issue(k: int) -> Issue:
            row = int(rows[k])
            image_row = int(image_rows[row])
            image_id = self.images.ids[image_row] if image_row >= 0 else None
            entry = dict(id=self.ids[row], image_id=image_id)
            return annotation_issue(rule, entry, describe(row))

        self.log.add_many(rule, len(rows), issue)

    def _check_unique(self) -> None:
        ids = [value if is_id(value) else None for value in self.ids]
        if len(set(ids)) == len(ids):
            return
        places: dict[Any, list[int]] = {}
        for row, value in enumerate(ids):
            places.setdefault(value, []).append(row)
        image_rows = self.rows()
        for value, where in places.items():
            if value is None or len(where) == 1:
                continue
            owners = [
                self.images.ids[row] if row >= 0 else None
                for row in image_rows[where[:_MAX_OWNERS]].tolist()
            ]
            self.log.add(
                'annotation-id-duplicate',
                f'annotation id {value!r} appears {len(where)} times (image ids '
                f'{owners}); ids must be unique over the whole file.',
                annotation_id=value,
            )

    def _check_ids_for_evaluation(self) -> None:
        rules = {'annotation-id-text': lambda value: type(value) is str}
        if 0 in self.ids:
            rules['annotation-id-zero'] = lambda value: value == 0
        if str not in set(map(type, self.ids)):
            del rules['annotation-id-text']
        for rule, applies in rules.items():
            rows = [row for row, value in enumerate(self.ids) if applies(value)]
            self._find(
                rule,
                np.asarray(rows, dtype=np.int64),
                lambda row: f'the id is {self.ids[row]!r}.',
            )

    def _check_repeated(self, rows: np.ndarray, names: Sequence[str]) -> None:
        """Find annotations that are equal in all but the id, and points on a pixel."""
        if not self._signatures:
            return
        first = copies_of(np.concatenate(self._signatures), rows, self.labels)
        self._find(
            'annotation-duplicate',
            np.array(sorted(first), dtype=np.int64),
            lambda row: (
                f'equal in everything but the id to annotation id '
                f'{self.ids[first[row]]!r}.'
            ),
        )
        pixels = np.concatenate(self._pixels)
        usable = self.labels >= 0
        usable[list(first)] = False
        sharing = points_on_one_pixel(pixels, rows, usable)

        def describe(row: int) -> str:
            other = sharing[row]
            mine, theirs = names[self.labels[row]], names[self.labels[other]]
            classes = f'both {mine!r}' if mine == theirs else f'{mine!r} and {theirs!r}'
            return (
                f'point on the pixel of that of annotation id {self.ids[other]!r}, '
                f'column {pixels[row, 0]}, row {pixels[row, 1]}: {classes}.'
            )

        self._find('point-shared', np.array(sorted(sharing), dtype=np.int64), describe)

    def _check_tags(self, rows: np.ndarray, categories: list[Any]) -> None:
        """Find classes of objects of an image that are not among its tags."""
        if not any(tags is not None for tags in self.images.tags):
            return
        # A crowd may mean "not to be judged" (KITTI's DontCare), not "is there".
        objects = ~np.concatenate(self._crowd or [np.zeros(0, dtype=bool)])
        pairs = np.stack([rows[objects], self.labels[objects]], axis=1)
        pairs = np.unique(pairs, axis=0)
        missing: dict[int, list[Any]] = {}
        for row, label in pairs[(pairs >= 0).all(axis=1)].tolist():
            tags = self.images.tags[row]
            if tags is not None and categories[label] not in tags:
                missing.setdefault(row, []).append(categories[label])
        for row, absent in missing.items():
            tags = list(self.images.tags[row])
            text = f'tags {tags} lack the annotated category ids {absent}.'
            self.log.add_image('tags-incomplete', self.images.ids[row], text)


def _without(entry: Mapping[str, Any], hidden: Collection[str]) -> dict[str, Any]:
    """Leave keys out, and with a stronger label its score, as the guard does."""
    kept = {key: value for key, value in entry.items() if key not in hidden}
    if 'score' in kept and strongest_label(kept) != strongest_label(entry):
        del kept['score']
    return kept


def _check_flag(chunk: Annotations, key: str) -> None:
    """A text, 'no' as well as '0', would count as yes."""
    flags = [entry.get(key) for entry in chunk.entries]
    kinds = set(map(type, flags))
    if kinds <= {int, bool, type(None)} and set(flags) <= {0, 1, None}:
        return
    bad = [
        flag is not None and (type(flag) not in (int, bool) or flag not in (0, 1))
        for flag in flags
    ]
    chunk.find(
        'iscrowd-format',
        np.asarray(bad),
        lambda row: f'{key} must be 0 or 1; got {flags[row]!r}.',
    )


def _extents(chunk: Annotations) -> np.ndarray:
    boxes = chunk.box.values[:, 2:]
    if chunk.extreme.valid.any():  # They have a box, too.
        extent = box_of_points(chunk.extreme.values)[:, 2:]
        boxes = np.where(chunk.extreme.valid[:, None], extent, boxes)
    with np.errstate(over='ignore'):
        return boxes.astype(np.float32)


def _trainable(chunk: Annotations, extents: np.ndarray) -> np.ndarray:
    """The rule of MMDetection's datasets."""
    left_out = chunk.box_wrong | chunk.crowd | chunk.ignored
    return (extents >= 1).all(axis=1) & ~left_out & ~(chunk.area.values <= 0)


def _image_text(image_id: Any, known: Mapping[Any, int]) -> str:
    if not is_id(image_id):
        return f'image_id must be an id; got {image_id!r}.'
    total = len(known)
    hint = _other_type(image_id, known)
    return f'no image of the file has this id ({total} images).{hint}'


def other_type(value: Any, known: Mapping[Any, Any]) -> Any:
    """The id that a text or an integer stands for, if the file has the other kind.

    Args:
        value: An id that the file does not have.
        known: Ids that it has.

    Returns:
        The id, or None.
    """
    if type(value) is int and str(value) in known:
        return str(value)
    if type(value) is str and value.strip().isdecimal() and int(value) in known:
        return int(value)
    return None


def _other_type(value: Any, known: Mapping[Any, Any]) -> str:
    meant = other_type(value, known)
    if meant is None:
        return ''
    kind = 'text' if isinstance(value, str) else 'integer'
    return f' It is the {kind} {value!r}, the file has {meant!r}.'


def _category_text(category_id: Any, known: Mapping[Any, str]) -> str:
    if not is_id(category_id):
        return f'category_id must be an id; got {category_id!r}.'
    return (
        f'category_id {category_id!r} is not in categories; known ids: {some(known)}.'
        f'{_other_type(category_id, known)}'
    )


def _id_text(entry: Mapping[str, Any]) -> str:
    if 'id' not in entry:
        return 'every annotation needs an id.'
    return f'id must be an integer or a text; got {entry["id"]!r}.'
