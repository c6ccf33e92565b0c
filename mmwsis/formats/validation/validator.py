"""Validation of one label file: one pass, all issues."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmwsis.structures.supervision import Supervision

from ..json_file import CocoStream, without_garbage_collection
from ..provenance import are_found_points
from .annotations import AnnotationChecker
from .columns import NO_LEVEL, ImageTable
from .header import check_categories, check_images, check_lists, check_tags
from .issues import Issue, IssueLog
from .labels import LABEL_KEYS
from .rule import Severity
from .rules import RULES

Progress = Callable[[float], None]
_SOURCES = {
    'option': '--supervision',
    'config': 'the config',
    'file': 'info.mmwsis of the file',
    'images': 'images[].supervision of every image',
    'content': 'what every object has; nothing declares a level',
}


class PanopticFileError(ValueError):
    """It is a COCO panoptic file, for which other rules hold."""


@dataclass
class ValidationReport:
    """What was found in a file.

    Attributes:
        path: The file.
        log: Issues.
        categories: Names in the order of the file.
        level: Level that the file was judged at; None if objects have nothing in
            common.
        level_source: 'option', 'config', 'file' or 'content'; 'panoptic': a panoptic
            file, which has no level.
        summary: Of :meth:`SummaryCounter.table`.
        images: The images, for a check of their files.
        rows: int64 (n,), row of the image of every annotation, -1 if unknown.
        labels: int64 (n,), index of its category, -1 if unknown.
        trainable: bool (n,), it is one object with a box that MMDetection's datasets
            do not leave out.
        extents: float32 (n, 2), width and height of its box in pixels, NaN without one.
    """

    path: str
    log: IssueLog
    categories: list[str] = field(default_factory=list)
    level: Supervision | None = None
    level_source: str = 'content'
    summary: dict[str, Any] = field(default_factory=dict)
    images: ImageTable = field(default_factory=ImageTable)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    trainable: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    extents: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))

    def failed(self, strict: bool = False) -> bool:
        """Whether there are errors, or with ``strict`` warnings."""
        worst = Severity.WARNING if strict else Severity.ERROR
        return any(RULES[name].severity >= worst for name in self.log.counts)

    def level_text(self) -> str:
        """The level and what says so."""
        label = 'mixed' if self.level is None else self.level.label
        return f'{label} ({_SOURCES[self.level_source]})'


def validate_file(
    path: str,
    *,
    supervision: 'str | Supervision | None' = None,
    config_supervision: 'str | Supervision | None' = None,
    masks: bool = True,
    leaks: bool = True,
    keys: Collection[str] | None = None,
    own_levels: bool = True,
    max_examples: int = 5,
    backend_args: dict | None = None,
    progress: Progress | None = None,
) -> ValidationReport:
    """Check a label file against the rules of :mod:`.rules`.

    Args:
        path: COCO JSON, path or URL.
        supervision: Level that the user claims; labels of it must be there, and
            nothing stronger.
        config_supervision: Level that a config reads the file at; labels of it must be
            there, anything stronger is only noted.
        masks: Check ``segmentation`` as well.
        leaks: Look for labels that are stronger than claimed.
        keys: Label keys to look at; None: all.
        own_levels: Honour ``images[].supervision``, which MMDetection's own datasets
            do not know.
        max_examples: Examples kept per rule.
        backend_args: Arguments of MMEngine's file backend.
        progress: Called with the share of the file that has been read.

    Returns:
        The report; image files and configs are checked elsewhere.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO instances JSON, or a level is unknown.
    """
    settings = dict(masks=masks, leaks=leaks, keys=keys)
    option, config = _parse(supervision), _parse(config_supervision)
    run = _Run(path, IssueLog(max_examples), option, config, settings, own_levels)
    with without_garbage_collection():
        run.read(CocoStream(path, backend_args), progress)
    return run.report()


def validate_document(
    coco: Any,
    source: str,
    *,
    supervision: 'str | Supervision | None' = None,
    config_supervision: 'str | Supervision | None' = None,
    masks: bool = True,
    leaks: bool = True,
    keys: Collection[str] | None = None,
    max_examples: int = 5,
) -> ValidationReport:
    """Check what is in memory, such as what a converter is about to write.

    Args:
        coco: Parsed JSON, lists and dictionaries; is left as it is.
        source: Name for messages.
        supervision: As in :func:`validate_file`; the other options too.
        config_supervision: As there.
        masks: As there.
        leaks: As there.
        keys: As there.
        max_examples: As there.

    Returns:
        The report; ``report.log.raise_first(source)`` raises its first error.

    Raises:
        ValueError: It is no COCO instances document, or a level is unknown.
    """
    settings = dict(masks=masks, leaks=leaks, keys=keys)
    option, config = _parse(supervision), _parse(config_supervision)
    run = _Run(source, IssueLog(max_examples), option, config, settings)
    run.read(CocoStream.of_document(coco, source), None)
    return run.report()


def _parse(level: 'str | Supervision | None') -> Supervision | None:
    return None if level is None else Supervision.parse(level)


def file_claim(info: Any) -> Supervision | None:
    """Level that a file claims for itself.

    Args:
        info: Its ``info``. Pseudo labels say there what their labeler was trained
            with; they are masks all the same, and claim nothing. Points that a labeler
            found are points.

    Returns:
        The level, or None.
    """
    entry = info.get('mmwsis') if isinstance(info, Mapping) else None
    if isinstance(entry, Mapping) and are_found_points(dict(info=info)):
        return Supervision.POINTS
    if not isinstance(entry, Mapping) or are_pseudo_labels(info):
        return None
    try:
        return Supervision.parse(entry.get('supervision'))
    except ValueError:
        return None


def are_pseudo_labels(info: Any) -> bool:
    """Whether ``info`` of a file says that a labeler made its masks."""
    entry = info.get('mmwsis') if isinstance(info, Mapping) else None
    return (
        isinstance(entry, Mapping)
        and 'checkpoint_sha256' in entry
        and not are_found_points(dict(info=info))
    )


class _Run:
    """One pass over a file."""

    def __init__(
        self,
        path: str,
        log: IssueLog,
        option: Supervision | None,
        config: Supervision | None,
        settings: Mapping[str, Any],
        own_levels: bool = True,
    ) -> None:
        self.own_levels = own_levels
        self.path, self.log, self.settings = path, log, dict(settings)
        self.option, self.config = option, config
        self.claim: Supervision | None = None
        self.pseudo = False
        self.images = ImageTable()
        self.keys: list[str] = []
        self.categories: Any = None
        self.checker: AnnotationChecker | None = None
        self._images: Any = None

    def read(self, stream: CocoStream, progress: Progress | None) -> None:
        for key, value in stream.events():
            self.keys.append(key)
            self._take(key, value)
            if progress is not None:
                progress(stream.fraction)
        if stream.encoding_fault:
            self.log.add('file-encoding', stream.encoding_fault)
        lists = dict(images=self._images, categories=self.categories)
        check_lists({key: lists.get(key) for key in self.keys}, self.path, lists)
        self._start()
        known = check_categories(self.categories, self.log)
        check_tags(self.images, known, self.log)
        self.checker.finish(known)
        self.known = known

    def _take(self, key: str, value: Any) -> None:
        if key == 'images':
            if isinstance(value, list) and isinstance(self._images, list):
                self._images += value
            else:
                self._images = value
        elif key == 'categories':
            self.categories = value
        elif key == 'info':
            self.claim, self.pseudo = file_claim(value), are_pseudo_labels(value)
        elif key == 'annotations':
            self._check_annotations(value)

    def _check_annotations(self, entries: Any) -> None:
        if not isinstance(entries, list):
            raise ValueError(f'{self.path}: annotations must be a list.')
        if self.checker is None and _is_panoptic(entries):
            raise PanopticFileError(
                f'{self.path} is a COCO panoptic file (its annotations have '
                'segments_info). Label files of mmwsis are COCO instances files, one '
                'annotation per object; stuff classes go into images[].tags.'
            )
        self._start()
        self.checker.add(entries)

    def _start(self) -> None:
        """Enter the images, once all of them are there."""
        if self.checker is not None:
            return
        required = next(
            (v for v in (self.option, self.config, self.claim) if v is not None), None
        )
        claims = [v for v in (self.option, self.claim) if v is not None]
        check_images(
            self._images if isinstance(self._images, list) else [],
            self.images,
            self.log,
            required,
            min(claims, default=Supervision.MASKS),
            own_levels=self.own_levels and not self.pseudo,
        )
        self.checker = AnnotationChecker(self.images, self.log, **self.settings)

    def report(self) -> ValidationReport:
        checker = self.checker
        rows = checker.rows()
        level, source = self._level()
        if source in ('option', 'config', 'file'):
            self._check_presence(level)
        _find_unlabelled(self.images, rows, self.log)
        return ValidationReport(
            self.path,
            self.log,
            list(self.known.values()),
            level,
            source,
            checker.summary.table(self.images, self.known, rows, checker.labels),
            self.images,
            rows,
            checker.labels,
            checker.trainable(),
            checker.extents(),
        )

    def _check_presence(self, level: Supervision) -> None:
        """Check that something in the file is of the level that it is read at."""
        if self.images.ids and level not in self.images.required:
            return  # Every image declares a weaker one.
        given, total = self.checker.summary.objects_given, len(self.checker.ids)
        if level is Supervision.IMAGE_TAGS:
            if total or any(self.images.tags):
                return
            text = 'no image has tags, and there are no annotations.'
        else:
            key = next(key for key, own in LABEL_KEYS.items() if own is level)
            if given[key]:
                return
            objects = given['all']
            text = f'none of the {objects} objects has the key {key!r}'
            text += f': only {_present(given)}.' if _present(given) else '.'
            if not objects:
                text = 'the file has no object' + (', only crowds.' if total else '.')
            text += self._masks_for_boxes(level, given)
        # One message instead of one for each object.
        self.log.discard(('mask-missing', 'label-missing'))
        self.log.add('level-absent', f'supervision {level.label!r}, but {text}')

    def _masks_for_boxes(self, level: Supervision, given: Mapping[str, int]) -> str:
        weaker = [key for key, own in LABEL_KEYS.items() if own < level and given[key]]
        if level is not Supervision.MASKS or not weaker:
            return ''
        return (
            ' A labeler makes masks of them: tools/generate_pseudo_labels.py writes a '
            'file to train on.'
        )

    def _level(self) -> tuple[Supervision | None, str]:
        for level, source in (
            (self.option, 'option'),
            (self.config, 'config'),
            (self.claim, 'file'),
        ):
            if level is not None:
                return level, source
        counter = self.checker.summary
        level, some_have_more = counter.full_level()
        total = counter.objects_given
        if some_have_more and all(v == NO_LEVEL for v in self.images.required):
            counts = {key: n for key, n in total.items() if n and key != 'all'}
            text = f'of {total["all"]} objects these many have each label: {counts}.'
            self.log.add('level-mixed', text)
        declared = bool(self.images.required) and NO_LEVEL not in self.images.required
        return level, 'images' if level is None and declared else 'content'


def _present(given: Mapping[str, int]) -> str:
    return ', '.join(f'{key} {n}' for key, n in given.items() if n and key != 'all')


def _is_panoptic(entries: list[Any]) -> bool:
    first = entries[0] if entries else None
    return isinstance(first, Mapping) and 'segments_info' in first


def _find_unlabelled(images: ImageTable, rows: np.ndarray, log: IssueLog) -> None:
    labelled = np.bincount(rows[rows >= 0], minlength=len(images.ids)) > 0
    labelled |= np.array([bool(tags) for tags in images.tags], dtype=bool)
    empty = np.flatnonzero(~labelled)

    def issue(k: int) -> Issue:
        image_id = images.ids[empty[k]]
        return Issue(
            'image-unlabelled',
            'no annotation and no tag.',
            image_id,
            place=f'image id {image_id!r}',
        )

    log.add_many('image-unlabelled', len(empty), issue)
