"""One label file in, the files of a labelling tool or of another trainer out."""

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import annotations_by_image, image_file_name, read_coco
from mmwsis.utils.fileio import TEMPORARY_SUFFIX, atomic_write_json
from mmwsis.utils.parallel import OrderedPool

from ..conversion import RunOptions, shorten
from ..importers.image_files import displayed_size
from . import coco as plain_coco
from . import labelme
from .objects import Abilities, ExportImage, export_object
from .settings import ExportSettings

__all__ = ['FORMATS', 'ExportReport', 'ExportSettings', 'export_labels']

FORMATS = ('labelme', 'coco')
_ABILITIES = {'labelme': labelme.ABILITIES, 'coco': plain_coco.ABILITIES}
# In every folder that an export has made: such a folder may be replaced.
NOTE_NAME = 'README.txt'
_NOTE = 'Made by export_labels.py of mmwsis'

# An image, its annotations, the classes by id, and where they come from.
_Job = tuple[Mapping[str, Any], list[Mapping[str, Any]]]


@dataclass
class ExportReport:
    """What an export gave.

    Attributes:
        images: Number of images.
        objects: Number of annotations that were written.
        left_out: Why annotations were not, by what it is: ``(annotation id, reason)``.
    """

    images: int = 0
    objects: int = 0
    left_out: list[tuple[int, str]] = field(default_factory=list)


def export_labels(
    file: str | os.PathLike,
    to: str,
    out_dir: str | os.PathLike,
    settings: ExportSettings | None = None,
    annotation_ids: Collection[int] | None = None,
    image_ids: Collection[int] | None = None,
    *,
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
    if to not in FORMATS:
        raise ValueError(f'to must be one of {FORMATS}, given {to!r}')
    _refuse_folder(out_dir, run.overwrite)
    with OrderedPool(run.workers) as pool:
        coco = read_coco(file)
        jobs = _jobs(coco, str(file), annotation_ids, image_ids)
        advance = run.open_progress(len(jobs))
        convert = partial(
            _export_image,
            names={one['id']: one['name'] for one in coco['categories']},
            abilities=_ABILITIES[to],
            settings=settings,
            source=str(file),
        )
        images = []
        for image in pool.imap(convert, jobs, _job_name):
            images.append(image)
            advance(1)
    report = _report(images, str(file), run.skip_invalid)
    with new_folder(out_dir) as folder:
        _write(to, images, coco, file, folder, out_dir, settings, run.open_progress)
        if settings.images != 'none':
            _put_images(images, folder, settings)
        note = f'{_NOTE} from {file.name} in the format {to}.\n'
        (folder / NOTE_NAME).write_text(note, encoding='utf-8')
    return report


def _write(
    to: str,
    images: list[ExportImage],
    coco: Mapping[str, Any],
    file: Path,
    folder: Path,
    out_dir: Path,
    settings: ExportSettings,
    open_progress: Callable,
) -> None:
    advance = open_progress(len(images))
    if to == 'labelme':
        labelme.check_names(one['name'] for one in coco['categories'])
        labelme.write_labelme(images, folder, out_dir, settings, advance)
    else:
        document = plain_coco.coco_of_images(images, coco, file, advance)
        atomic_write_json(folder / plain_coco.FILE_NAME, document)


def _put_images(
    images: Iterable[ExportImage], folder: Path, settings: ExportSettings
) -> None:
    put = shutil.copyfile if settings.images == 'copy' else _link
    for image in images:
        place = folder / image.file_name
        place.parent.mkdir(parents=True, exist_ok=True)
        put((settings.img_dir / image.file_name).resolve(), place)


def _link(file: Path, place: Path) -> None:
    place.symlink_to(file)


def _jobs(
    coco: Mapping[str, Any],
    source: str,
    annotation_ids: Collection[int] | None,
    image_ids: Collection[int] | None,
) -> list[_Job]:
    """Images to write, with their annotations."""
    by_image = annotations_by_image(coco)
    wanted = None if annotation_ids is None else set(annotation_ids)
    images = None if image_ids is None else set(image_ids)
    for kind, ids, known in (
        ('annotation', wanted, {one['id'] for one in coco['annotations']}),
        ('image', images, set(by_image)),
    ):
        missing = sorted((ids or set()) - known)
        if missing:
            more = f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''
            raise ValueError(f'{source}: there is no {kind} of id {missing[0]}{more}')
    jobs = []
    for image in coco['images']:
        own = by_image[image['id']]
        if wanted is not None:
            own = [one for one in own if one['id'] in wanted]
        is_listed = images is not None and image['id'] in images
        if is_listed or (own if wanted is not None else images is None):
            jobs.append((image, own))
    if not jobs:
        raise ValueError(f'{source}: there is no image to export')
    return jobs


def _job_name(job: _Job) -> str:
    return f'image id {job[0]["id"]}'


def _export_image(
    job: _Job,
    names: Mapping[int, str],
    abilities: Abilities,
    settings: ExportSettings,
    source: str,
) -> ExportImage:
    image, annotations = job
    file_name = image_file_name(image).replace('\\', '/')
    where = f'{source}: image id {image["id"]}'
    parts = file_name.split('/')
    if file_name.startswith('/') or '..' in parts or ':' in parts[0]:
        raise ValueError(
            f'{where}: file_name {file_name!r} must be a place below the image folder'
        )
    made = ExportImage(image, file_name)
    if settings.img_dir is not None:
        _check_size(made, settings.img_dir / file_name, where)
    for annotation in annotations:
        name = names[annotation['category_id']]
        try:
            one = export_object(annotation, name, made.size, abilities, settings)
            made.objects.append(one)
        except ValueError as error:
            made.problems.append((annotation['id'], str(error)))
    own = {annotation['category_id'] for annotation in annotations}
    others = [tag for tag in image.get('tags') or () if tag not in own]
    made.tags = [names[tag] for tag in others if tag in names]
    return made


def _check_size(image: ExportImage, path: Path, where: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f'{where}: {path} does not exist')
    size = displayed_size(path)
    if size != image.size:
        raise ValueError(
            f'{where}: the label file says {image.size[0]}x{image.size[1]} pixels, '
            f'{path} has {size[0]}x{size[1]} (upright); are these the images?'
        )


def _report(images: list[ExportImage], source: str, skip_invalid: bool) -> ExportReport:
    problems = [
        (number, image.image['id'], reason)
        for image in images
        for number, reason in image.problems
    ]
    if problems and not skip_invalid:
        lines = [
            f'annotation id {number} of image id {image}: {reason}'
            for number, image, reason in problems
        ]
        raise ValueError(
            f'{source}: {len(problems)} annotation(s) cannot be exported, so that '
            f'nothing was written:\n{shorten(lines)}\nMake masks of them with a '
            'labeler, or leave them out with --skip-invalid.'
        )
    return ExportReport(
        len(images),
        sum(len(image.objects) for image in images),
        [(number, reason) for number, _, reason in problems],
    )


def _refuse_folder(folder: Path, overwrite: bool) -> None:
    """Refuse to write over anything but an export, and over that without asking."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    note = folder / NOTE_NAME
    is_ours = note.is_file() and note.read_text('utf-8', 'replace').startswith(_NOTE)
    if not is_ours:
        raise FileExistsError(
            f'{folder} exists and was not made by an export; give another name'
        )
    if not overwrite:
        raise FileExistsError(
            f'{folder} exists; give another name or --overwrite to replace it, and '
            'whatever was corrected in it'
        )


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Fill a folder that takes its place when the block ends without an error.

    Args:
        target: Its place; what is there is replaced.

    Yields:
        A hidden neighbour of ``target`` to write to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(
        tempfile.mkdtemp(TEMPORARY_SUFFIX, f'.{target.name}.', dir=target.parent)
    )
    try:
        new, old = stage / target.name, stage / 'replaced'
        new.mkdir()
        yield new
        if target.exists():
            os.replace(target, old)
        os.replace(new, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
