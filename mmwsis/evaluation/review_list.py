"""The list of pseudo labels, least trusted first."""

import contextlib
import csv
import io
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmwsis.formats.coco_file import annotations_by_image, image_file_name, load_coco
from mmwsis.formats.provenance import provenance_of
from mmwsis.pseudo_labels.views import VIEWS
from mmwsis.utils.fileio import atomic_write_text
from mmwsis.utils.parallel import OrderedPool
from mmwsis.utils.progress_bar import progress_bar

from .compare_files import check_same_classes, shared_images
from .label_confidence import FEATURES, confidences, weakest_signals
from .label_signals import OWN_SIGNALS, ImageLabels, Signals, image_signals
from .matched_quality import matched_by_overlap
from .signal_store import SignalStore

COLUMNS = ('rank', 'image_id', 'annotation_id', 'file_name', 'class', 'confidence')
_DIGITS = 4


@dataclass(frozen=True)
class ReviewedLabel:
    """One pseudo label and what its signals say of it.

    Attributes:
        annotation: Entry of ``annotations``.
        image: Its image's entry of ``images``.
        class_name: Of its category.
        signals: Of :func:`mmwsis.evaluation.label_signals.image_signals`.
        confidence: 0 to 1, low: look at it first.
        weakest: Signal that speaks most against it; empty: none does.
    """

    annotation: Mapping[str, Any]
    image: Mapping[str, Any]
    class_name: str
    signals: Signals
    confidence: float
    weakest: str


@dataclass(frozen=True)
class ReviewList:
    """The labels of a file, least trusted first; crowds are left out.

    Labels that people have reviewed are left out, too, unless they were asked for.

    Attributes:
        path: The pseudo labels' file.
        coco: Its content.
        labels: In order.
        signal_names: Columns of the list.
        matched: Labels have ids of their own, not those of known objects.
        crowds: How many labels of crowds were left out.
        reviewed: How many labels were left out because people have reviewed them.
    """

    path: Path
    coco: Mapping[str, Any]
    labels: list[ReviewedLabel]
    signal_names: tuple[str, ...]
    matched: bool
    crowds: int
    reviewed: int = 0


def review_labels(
    path: str | os.PathLike,
    img_dir: str | os.PathLike | None = None,
    seconds: Sequence[str | os.PathLike] = (),
    crf: bool = True,
    workers: int = 1,
    rule: Mapping[str, float] | None = None,
    parts: str | os.PathLike | None = None,
    with_reviewed: bool = False,
) -> ReviewList:
    """Measure the signals of all labels of a file and put them in order.

    Args:
        path: COCO JSON of pseudo labels.
        img_dir: Folder of the images, for the dense CRF. Defaults to None: without it.
        seconds: Second labels of the same objects: other views or other labelers.
        crf: Measure the change under the dense CRF: 20 to 40 ms of a CPU core for each
            label, nearly all of the time. Defaults to True.
        workers: Processes. Defaults to 1: this one.
        rule: Of the confidence. Defaults to the calibrated one.
        parts: Folder that keeps the signals of finished images, so that a killed run
            goes on. Defaults to None: nothing is kept.
        with_reviewed: List labels that people have reviewed
            (``annotations[].correction``, or of an image of level masks), too. Defaults
            to False.

    Returns:
        The list.

    Raises:
        FileNotFoundError: A file or an image does not exist.
        ValueError: The file has no label, one without a mask, or a second file is about
            other images, classes or ids; the message names file and ids.
    """
    path = Path(path)
    coco = load_coco(str(path), 'masks')
    labels = [one for one in coco['annotations'] if not one.get('iscrowd')]
    if not labels:
        raise ValueError(
            f'{path} has no label to review: {len(coco["annotations"])} annotations, '
            'all of crowds.'
            if coco['annotations']
            else f'{path} has no label to review: its "annotations" are empty.'
        )
    reviewed = set() if with_reviewed else _reviewed_ids(coco)
    if all(one['id'] in reviewed for one in labels):
        raise ValueError(
            f'{path} has no label to review: people have reviewed all {len(labels)}; '
            '--all lists them.'
        )
    matched = matched_by_overlap(coco)
    others = [SecondFile.read(second, coco, path, matched) for second in seconds]
    names = _column_names(others)
    folder = Path(img_dir) if img_dir is not None else None
    jobs = _jobs(coco, path, dict(zip(names, others)), folder, crf, reviewed)
    files = (path, *seconds)
    store = None if parts is None else SignalStore(Path(parts), files, jobs)
    with store or contextlib.nullcontext():
        measured = _measured(jobs, workers, store)
    # Reviewed labels were measured as the neighbours that they are, and no more.
    pairs = [
        (one, row)
        for job, rows in zip(jobs, measured, strict=True)
        for one, row in zip(job.annotations, rows, strict=True)
        if one['id'] not in reviewed
    ]
    order, signals = [one for one, _ in pairs], [row for _, row in pairs]
    trust = confidences(signals, rule)
    images = {image['id']: image for image in coco['images']}
    classes = {entry['id']: entry['name'] for entry in coco['categories']}
    weakest = weakest_signals(signals, rule)
    rows = [
        ReviewedLabel(one, images[one['image_id']], classes[one['category_id']], *own)
        for one, *own in zip(order, signals, trust.tolist(), weakest, strict=True)
    ]
    rows.sort(key=lambda row: row.confidence)  # stable: equal ones in the file's order
    crowds = len(coco['annotations']) - len(labels)
    left_out = len(labels) - len(rows)
    names = (*OWN_SIGNALS, *names)
    return ReviewList(path, coco, rows, names, matched, crowds, left_out)


def _reviewed_ids(coco: Mapping[str, Any]) -> set[Any]:
    """Ids of the labels that people have drawn or seen."""
    complete = {
        one['id'] for one in coco['images'] if one.get('supervision') == 'masks'
    }
    return {
        one['id']
        for one in coco['annotations']
        if one.get('correction') or one['image_id'] in complete
    }


@dataclass(frozen=True)
class SecondFile:
    """Second labels of the objects of a file.

    Attributes:
        name: View that was labelled, or the file's name without its ending.
        labels: Image id -> its annotations.
        matched: They are matched with the first ones by overlap, not by id.
        is_view: They are of another view of the images.
    """

    name: str
    labels: Mapping[Any, Sequence[Mapping[str, Any]]]
    matched: bool
    is_view: bool = False

    @classmethod
    def read(
        cls,
        path: str | os.PathLike,
        first: Mapping[str, Any],
        first_path: Path,
        matched: bool,
    ) -> 'SecondFile':
        """Read a second file and see that it belongs to the first.

        Args:
            path: COCO JSON with masks.
            first: Content of the first file.
            first_path: Its name.
            matched: The first file's labels have ids of their own.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is about other images or classes, or shares no id.
        """
        path = Path(path)
        coco = load_coco(str(path), 'masks')
        images = shared_images(first, coco, first_path, path)
        own, names = (
            {c['id']: c['name'] for c in x['categories']} for x in (first, coco)
        )
        check_same_classes(own, names, first_path, path)
        matched = matched or matched_by_overlap(coco)
        if not matched:
            _check_ids(first, coco, first_path, path)
        by_image = annotations_by_image(coco)
        view = (provenance_of(coco).get('options') or {}).get('view')
        is_view = view in VIEWS
        name = view if is_view else path.stem
        return cls(name, {key: by_image[key] for key in images}, matched, is_view)


def _check_ids(
    first: Mapping[str, Any], second: Mapping[str, Any], first_path: Path, path: Path
) -> None:
    """Refuse files without a common object, and ids that stand for two objects."""
    known = {one['id']: one for one in first['annotations']}
    shared = [one for one in second['annotations'] if one['id'] in known]
    if not shared:
        raise ValueError(
            f'{first_path} and {path} share no annotation id, by which the labels of '
            'one object find each other. Were both made from the same weak labels?'
        )
    for one in shared:
        if one['image_id'] != known[one['id']]['image_id']:
            raise ValueError(
                f'annotation id {one["id"]!r} is on image id '
                f'{known[one["id"]]["image_id"]!r} in {first_path} and on '
                f'{one["image_id"]!r} in {path}; the files do not belong together.'
            )


def _column_names(others: Sequence[SecondFile]) -> list[str]:
    names: list[str] = []
    for other in others:
        name, number = other.name, 2
        # A file named like what the rule weighs would be taken for it.
        taken = (*names, *COLUMNS, *OWN_SIGNALS, *(() if other.is_view else FEATURES))
        while name in taken:
            name, number = f'{other.name}_{number}', number + 1
        names.append(name)
    return names


def _jobs(
    coco: Mapping[str, Any],
    path: Path,
    others: Mapping[str, SecondFile],
    folder: Path | None,
    crf: bool,
    reviewed: Collection[Any] = (),
) -> list[ImageLabels]:
    """One for each image that has labels to review."""
    by_image = annotations_by_image(coco)
    jobs = []
    for image in coco['images']:
        key = image['id']
        labels = [one for one in by_image[key] if not one.get('iscrowd')]
        if all(one['id'] in reviewed for one in labels):
            continue
        seconds = {name: one.labels.get(key, ()) for name, one in others.items()}
        by_overlap = frozenset(
            name for name, one in others.items() if one.matched and key in one.labels
        )
        file = None if folder is None else folder / image_file_name(image)
        if file is not None and not file.is_file():
            raise FileNotFoundError(
                f'{file}: the image of image id {key!r} in {path} does not exist. Give '
                'the folder that its file names start from.'
            )
        job = ImageLabels(str(path), image, labels, seconds, by_overlap, file, crf)
        jobs.append(job)
    return jobs


def _measured(
    jobs: Sequence[ImageLabels], workers: int, store: SignalStore | None
) -> list[list[Signals]]:
    """Signals of the labels of every job; those that are stored are not made again."""
    found = store.finished() if store is not None else {}
    found = {n: rows for n, rows in found.items() if n < len(jobs)}
    pending = [number for number in range(len(jobs)) if number not in found]
    function = image_signals if workers == 1 else _in_process
    with OrderedPool(workers) as pool, progress_bar('labels') as start:
        advance = start(sum(len(job.annotations) for job in jobs))
        advance(sum(map(len, found.values())))
        todo = (jobs[number] for number in pending)
        for number, rows in zip(pending, pool.imap(function, todo, _place)):
            if store is not None:
                store.write(number, rows)
            found[number] = rows
            advance(len(rows))
    return [found[number] for number in range(len(jobs))]


def _in_process(job: ImageLabels) -> list[Signals]:
    torch.set_num_threads(1)  # there are as many processes as the user wants threads
    return image_signals(job)


def _place(job: ImageLabels) -> str:
    return f'{job.path}: image id {job.image["id"]!r}'


def write_csv(found: ReviewList, out: str | os.PathLike) -> None:
    """Write the list: :data:`COLUMNS`, then one column a signal.

    Args:
        found: The list.
        out: CSV file; a signal that was not measured is an empty cell.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow([*COLUMNS, *found.signal_names])
    for rank, row in enumerate(found.labels, 1):
        values = [row.signals[name] for name in found.signal_names]
        writer.writerow(
            [
                *(rank, row.image['id'], row.annotation['id']),
                *(image_file_name(row.image), row.class_name),
                round(row.confidence, _DIGITS),
                *('' if value is None else rounded(value) for value in values),
            ]
        )
    atomic_write_text(out, text.getvalue())


def rounded(value: float) -> float | int:
    """A signal for people: four digits, whole numbers without a point.

    Args:
        value: The signal.
    """
    value = round(value, _DIGITS)
    return int(value) if value == int(value) else value
