"""One label file in, the files of a labelling tool or of another trainer out."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.checks import check_coco
from mmwsis.formats.json_file import read_json
from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.parallel import OrderedPool

from ..coco_panoptic import is_panoptic
from ..conversion import Progress, RunOptions, refuse_existing, shorten
from ..importers.records import tidy_name
from . import coco as plain_coco
from . import cvat, labelme, labelstudio, yolo
from .folders import new_folder, put_images, refuse_folder
from .objects import ExportImage
from .round_trip import compare, read_back, summarise
from .selection import Job, export_image, refuse_ids, refuse_names, select
from .settings import ExportSettings

__all__ = ['FORMATS', 'ExportReport', 'ExportSettings', 'export_labels']

_ABILITIES = {
    'labelme': labelme.ABILITIES,
    'cvat': cvat.ABILITIES,
    'labelstudio': labelstudio.ABILITIES,
    'yolo-seg': yolo.ABILITIES,
    'coco': plain_coco.ABILITIES,
}
FORMATS = tuple(_ABILITIES)
_TRAINERS = ('yolo-seg', 'coco')
_TOLD = ('shape', 'tolerance', 'parts')  # settings that the report has


class _Split(NamedTuple):
    """One label file of an export."""

    name: str
    file: Path
    img_dir: Path | None
    coco: Mapping[str, Any]
    images: list[ExportImage]


@dataclass
class ExportReport:
    """What an export gave.

    Attributes:
        images: Number of images.
        objects: Number of annotations that were written.
        left_out: Annotations that were not: ``(id, reason)``.
        options: Format, shape, tolerance, how parts are joined, and what became of the
            images.
        simplified: With a tolerance: ``objects`` that lost corners or could have,
            ``mean_iou`` and ``min_iou`` of their outlines with their masks (None
            without any), and ``bitmaps``, which have no corners to leave out.
        turned: Number of images beside the labels that EXIF data turn.
        round_trip: Figures of what came back, of :func:`round_trip.summarise`; empty
            without a report.
        rows: One per object, of :func:`round_trip.compare`.
    """

    images: int = 0
    objects: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    simplified: dict[str, Any] = field(default_factory=dict)
    turned: int = 0
    round_trip: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The whole for a file: JSON-serialisable."""
        left_out = [dict(annotation_id=n, reason=why) for n, why in self.left_out]
        return dict(
            images=self.images,
            objects=self.objects,
            **self.options,
            **(dict(simplified=self.simplified) if self.simplified else {}),
            left_out=left_out,
            round_trip=self.round_trip,
            annotations=self.rows,
        )


def export_labels(
    file: str | os.PathLike,
    to: str,
    out_dir: str | os.PathLike,
    settings: ExportSettings | None = None,
    annotation_ids: Collection[int] | None = None,
    image_ids: Collection[int] | None = None,
    *,
    report: str | os.PathLike | None = None,
    run: RunOptions | None = None,
) -> ExportReport:
    """Write a label file in another format.

    Args:
        file: COCO JSON with masks, such as pseudo labels.
        to: One of ``FORMATS``.
        out_dir: Folder to write; it appears when it is complete.
        settings: The user's choices; the defaults if None.
        annotation_ids: Only these, and only the images that have them. Defaults to
            None: all.
        image_ids: Only these images; with ``annotation_ids``, these beside the images
            that have them. Defaults to None: all.
        report: JSON to write; the export is read back and compared for it. Defaults to
            None.
        run: How the export runs; the defaults if None.

    Returns:
        What was written and what was not.

    Raises:
        FileExistsError: ``out_dir`` exists and ``overwrite`` is off, or it was made by
            something else.
        FileNotFoundError: ``file`` or an image does not exist.
        ValueError: The file is no label file, an id is not in it, a label has no mask
            (and ``skip_invalid`` is off), or the format cannot hold a name.
    """
    settings, run = settings or ExportSettings(), run or RunOptions()
    file, out_dir = Path(file), Path(out_dir)
    _check_options(to, settings, report is not None)
    refuse_folder(out_dir, run.overwrite)
    inputs = [file, *([settings.val] if settings.val else [])]
    refuse_existing([report] if report else [], inputs, run.overwrite)
    if report is not None:
        _refuse_report(Path(report), out_dir)
    with OrderedPool(run.workers) as pool:
        selections = [(annotation_ids, image_ids), (None, None)]
        folders = [settings.img_dir, settings.val_img_dir or settings.img_dir]
        splits = [
            _read_split(name, one, img_dir, to, chosen, settings, pool, run)
            for name, one, img_dir, chosen in zip(
                ('train', 'valid'), inputs, folders, selections
            )
        ]
    names = _class_names(splits, to)
    for split in splits:
        refuse_names(split.images, to)
        refuse_ids(split.images, to, str(split.file))
    made = _counts(splits, run.skip_invalid)
    made.options = dict(format=to, image_files=settings.images)
    made.options.update((name, getattr(settings, name)) for name in _TOLD)
    if settings.tolerance:
        made.simplified = _simplified(splits)
    note = f'The labels of {file.name} in the format {to}.'
    with new_folder(out_dir, note) as folder:
        advance = run.open_progress(made.images)
        for split in splits:
            _write(to, split, names, folder, out_dir, settings, advance)
            made.turned += _put_images(to, split, folder, settings)
        if to == 'yolo-seg':
            path = folder / 'data.yaml'
            yolo.write_data_yaml(names, path, settings.val is not None)
    if report is not None:
        _measure(to, splits, names, out_dir, settings, run, made)
        atomic_write_json(report, made.document(), indent=1)
    return made


def _check_options(to: str, settings: ExportSettings, has_report: bool) -> None:
    if to not in FORMATS:
        raise ValueError(f'to must be one of {FORMATS}, given {to!r}')
    if settings.val is not None and to not in _TRAINERS:
        raise ValueError(f'a file of validation labels is of use to {_TRAINERS} only')
    if to == 'yolo-seg' and settings.shape == 'mask':
        raise ValueError('yolo-seg holds outlines alone; leave out --shape mask')
    if settings.tolerance and settings.shape == 'mask':
        raise ValueError(
            'a tolerance leaves out corners of outlines, and masks have none: give '
            '--tolerance or --shape mask'
        )
    if to == 'yolo-seg' and has_report and settings.img_dir is None:
        raise ValueError(
            'yolo-seg does not say the sizes of images, so that the report needs the '
            'images: give --img-dir'
        )


def _refuse_report(report: Path, out_dir: Path) -> None:
    """Refuse a report that cannot be written, before there is an export."""
    if report.resolve() == out_dir.resolve():
        raise ValueError(f'{report} is the folder of the export; the report is a file')
    nearest = next(place for place in report.resolve().parents if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OSError(f'{report} cannot be written: {nearest} is no writable folder')


def _simplified(splits: Sequence[_Split]) -> dict[str, Any]:
    """What leaving out corners has cost."""
    objects = [
        one for split in splits for image in split.images for one in image.objects
    ]
    ious = [o.simplified_iou for o in objects if o.simplified_iou is not None]
    return dict(
        objects=len(ious),
        mean_iou=sum(ious) / len(ious) if ious else None,
        min_iou=min(ious, default=None),
        bitmaps=len(objects) - len(ious),
    )


def _read_split(
    name: str,
    file: Path,
    img_dir: Path | None,
    to: str,
    chosen: tuple[Collection[int] | None, Collection[int] | None],
    settings: ExportSettings,
    pool: OrderedPool,
    run: RunOptions,
) -> _Split:
    coco = read_json(str(file))
    if isinstance(coco, Mapping) and is_panoptic(coco):
        raise ValueError(
            f'{file} is a COCO panoptic JSON, whose masks are in PNGs; '
            'tools/dataset_converters/coco2weak.py --level masks writes its objects'
        )
    check_coco(coco, str(file))
    jobs = select(coco, str(file), *chosen)
    convert = partial(
        export_image,
        names={one['id']: one['name'] for one in coco['categories']},
        abilities=_ABILITIES[to],
        settings=settings,
        img_dir=img_dir,
        source=str(file),
    )
    images, advance = [], run.open_progress(len(jobs))
    for image in pool.imap(convert, jobs, _job_name):
        images.append(image)
        advance(1)
    return _Split(name, file, img_dir, coco, images)


def _job_name(job: Job) -> str:
    return f'image id {job[0]["id"]}'


def _class_names(splits: Sequence[_Split], to: str) -> list[str]:
    """Classes in the order of the first file; all files must have the same."""
    first, *others = splits
    names = [one['name'] for one in first.coco['categories']]
    for other in others:
        found = {one['name'] for one in other.coco['categories']}
        if found != set(names):
            raise ValueError(
                f'{other.file} has other classes than {first.file}: '
                f'{sorted(found ^ set(names))} are in one of them only'
            )
    tidy: dict[str, str] = {}
    for name in names:
        if tidy.setdefault(tidy_name(name), name) != name:
            raise ValueError(
                f'{first.file}: the classes {tidy[tidy_name(name)]!r} and {name!r} '
                'differ in blanks alone, and are one class for labelling tools; '
                'rename one'
            )
    try:
        if to == 'labelme':
            labelme.check_names(names)
        elif to in ('cvat', 'labelstudio'):
            cvat.check_names(names)
    except ValueError as error:
        raise ValueError(f'{first.file}: {error}') from None
    return names


def _write(
    to: str,
    split: _Split,
    names: Sequence[str],
    folder: Path,
    out_dir: Path,
    settings: ExportSettings,
    advance: Progress,
) -> None:
    if to == 'labelme':
        labelme.write_labelme(split.images, folder, out_dir, settings, advance)
    elif to == 'cvat':
        cvat.write_cvat(split.images, names, folder, advance)
    elif to == 'labelstudio':
        labelstudio.write_labelstudio(
            split.images, names, folder, settings.image_url, advance
        )
    elif to == 'yolo-seg':
        numbers = {name: number for number, name in enumerate(names)}
        place = folder / split.name / 'labels'
        yolo.write_yolo(split.images, numbers, place, advance)
    else:
        document = plain_coco.coco_of_images(
            split.images, split.coco, split.file, advance
        )
        atomic_write_json(_coco_path(folder, split, settings), document)


def _put_images(to: str, split: _Split, folder: Path, settings: ExportSettings) -> int:
    """Put the images beside the labels; returns how many EXIF data turn."""
    if settings.images == 'none' or split.img_dir is None:
        return 0
    place = folder
    if to == 'yolo-seg':
        place = folder / split.name
    elif to == 'coco':
        place = _coco_path(folder, split, settings).parent
    if to in ('cvat', 'yolo-seg', 'labelstudio'):
        place /= 'images'
    files = [image.file_name for image in split.images]
    return put_images(files, split.img_dir, place, settings.images)


def _coco_path(folder: Path, split: _Split, settings: ExportSettings) -> Path:
    """With validation labels the places where RF-DETR looks."""
    if settings.val is None:
        return folder / plain_coco.FILE_NAME
    return folder / split.name / '_annotations.coco.json'


def _counts(splits: Sequence[_Split], skip_invalid: bool) -> ExportReport:
    """What goes over; raises if something is broken."""
    made = ExportReport()
    for split in splits:
        lines = []
        for image in split.images:
            made.images += 1
            made.objects += len(image.objects)
            made.left_out += [*image.left_out, *image.problems]
            lines += [
                f'annotation id {number} of image id {image.image["id"]}: {reason}'
                for number, reason in image.problems
            ]
        if lines and not skip_invalid:
            raise ValueError(
                f'{split.file}: {len(lines)} annotation(s) cannot be exported, so that '
                f'nothing was written:\n{shorten(lines)}\nA labeler makes masks of '
                'weak labels; --skip-invalid leaves these out.'
            )
    return made


def _measure(
    to: str,
    splits: Sequence[_Split],
    names: Sequence[str],
    out_dir: Path,
    settings: ExportSettings,
    run: RunOptions,
    made: ExportReport,
) -> None:
    """Read the export back and compare it."""
    for split in splits:
        path, img_dir = out_dir, split.img_dir
        if to == 'labelme' and settings.images != 'none':
            img_dir = out_dir  # its files name the images beside them
        elif to == 'labelstudio':
            path = out_dir / labelstudio.FILE_NAME
        elif to == 'yolo-seg':
            path = out_dir / split.name
        elif to == 'coco':
            place = out_dir / split.name if len(splits) > 1 else out_dir
            path = next(place.glob('*.json'))
        found = read_back(to, path, names, img_dir, run)
        made.rows += compare(split.images, found, has_ids=to != 'yolo-seg')
    made.round_trip = summarise(made.rows)
