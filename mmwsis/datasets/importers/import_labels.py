"""One labelling tool's files in, one weak COCO JSON out."""

import difflib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwsis.datasets.annotation_checks import check_coco
from mmwsis.datasets.converters.finished_jobs import file_stamp, finished_jobs
from mmwsis.datasets.converters.ordered_pool import OrderedPool
from mmwsis.datasets.converters.output_files import provenance
from mmwsis.fileio import atomic_write_json
from mmwsis.structures.supervision import Supervision, restrict_coco

from .build import BuildJob, BuildOptions, BuiltImage, build_image
from .cvat import read_cvat
from .image_files import find_image
from .labelme import read_labelme
from .labelstudio import read_labelstudio
from .records import CHANGED, INVALID, LEFT_OUT, Notice, ReadOptions, ReadResult

TOOLS = ('labelme', 'cvat', 'labelstudio')
# LabelMe's own names for what is no class.
NO_CLASSES = ('__ignore__', '_background_')
SHOWN_ERRORS = 10

Progress = Callable[[int], None]
OpenProgress = Callable[[int], Progress]


class LabelImportError(ValueError):
    """Labels that are broken, or that must not be left out.

    Attributes:
        notices: One each.
    """

    def __init__(self, message: str, notices: Sequence[Notice], advice: str) -> None:
        self.notices = list(notices)
        shown = [f'  {notice}' for notice in notices[:SHOWN_ERRORS]]
        if len(notices) > SHOWN_ERRORS:
            shown.append(f'  ... and {len(notices) - SHOWN_ERRORS} more')
        super().__init__('\n'.join([message, *shown, advice]))


@dataclass(frozen=True)
class ImportSettings:
    """What the user may choose; see the command line's help.

    Attributes:
        classes: Class names, ids 1 to n in this order; by default the names found,
            sorted.
        img_dir: The image folder; by default the folder of the label files.
        ignored: Labels that are no classes, on top of LabelMe's own.
        stuff: Classes without objects.
        level: No image gets a stronger level.
        points_from_boxes: The middle of a box stands for a click.
        drop_empty: Leave out images without any label.
        skip_invalid: Leave out what is broken, instead of stopping.
        strict: Stop if anything is left out or changed.
        reading: Choices that the readers leave to the user.
    """

    classes: Sequence[str] | None = None
    img_dir: Path | None = None
    ignored: Sequence[str] = ()
    stuff: Sequence[str] = ()
    level: Supervision = Supervision.MASKS
    points_from_boxes: bool = False
    drop_empty: bool = False
    skip_invalid: bool = False
    strict: bool = False
    reading: ReadOptions = field(default_factory=ReadOptions)


@dataclass
class ImportResult:
    """What an import gave.

    Attributes:
        coco: The label file.
        notices: What did not go over as it was.
        missing_images: File names without a file in the image folder.
        empty_images: Number of images without any label.
    """

    coco: dict[str, Any]
    notices: list[Notice]
    missing_images: list[str]
    empty_images: int

    def count(self, kind: str) -> Counter:
        """How often each thing was left out, changed or invalid.

        Args:
            kind: 'left_out', 'changed' or 'invalid'.

        Returns:
            What it is -> how often.
        """
        return Counter(notice.what for notice in self.notices if notice.kind == kind)

    def report(self) -> dict[str, Any]:
        """The whole list, for a file.

        Returns:
            JSON-serialisable: counts and lists of the three kinds, and missing images.
        """
        kinds = (LEFT_OUT, CHANGED, INVALID)
        return dict(
            counts={kind: dict(self.count(kind)) for kind in kinds},
            missing_images=self.missing_images,
            empty_images=self.empty_images,
            **{
                kind: [
                    dict(
                        source=one.source,
                        item=one.item,
                        what=one.what,
                        reason=one.reason,
                    )
                    for one in self.notices
                    if one.kind == kind
                ]
                for kind in kinds
            },
        )


def import_labels(
    tool: str,
    path: str | os.PathLike,
    out: str | os.PathLike,
    settings: ImportSettings | None = None,
    *,
    report: str | os.PathLike | None = None,
    workers: int = 1,
    overwrite: bool = False,
    open_progress: OpenProgress | None = None,
) -> ImportResult:
    """Write a weak COCO JSON from a labelling tool's files.

    Checked images survive a kill in ``<out>.unfinished``; the same call goes on from
    there.

    Args:
        tool: 'labelme', 'cvat' or 'labelstudio'.
        path: Its file or folder.
        out: File to write, in one step.
        settings: The user's choices; the defaults if None.
        report: JSON with everything that did not go over as it was. It is written
            before the import is refused, too.
        workers: Number of processes, >= 1. The result does not depend on it.
        overwrite: Replace existing files.
        open_progress: Called with a total, once for reading and once for checking;
            returns the function that counts finished items.

    Returns:
        The label file and what is to be said about it.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: ``path`` does not exist.
        ValueError: The files are none of this tool's, labels are not in ``classes``,
            or no image is left.
        LabelImportError: Something is broken and ``skip_invalid`` is off, or something
            was left out or changed and ``strict`` is on; ``out`` is not written.
    """
    settings = settings or ImportSettings()
    open_progress = open_progress or (lambda total: lambda done: None)
    path, out = Path(path), Path(out)
    outputs = [out] if report is None else [out, Path(report)]
    with (
        OrderedPool(workers) as processes,
        finished_jobs(outputs, [path], overwrite) as finished,
    ):
        read = _read(tool, path, out, settings, processes, open_progress)
        ignored = (*NO_CLASSES, *settings.ignored)
        names = class_names(read, settings.classes, ignored, str(path))
        _check_stuff(settings.stuff, names)
        build = BuildOptions(
            img_dir=_image_folder(path, settings),
            level=settings.level,
            points_from_boxes=settings.points_from_boxes,
            ignored=ignored,
            stuff=tuple(settings.stuff),
        )
        pool = finished.remember(processes, BuiltImage.to_json, BuiltImage.from_json)
        advance = open_progress(len(read.images))
        images = []
        for image in pool.imap(build_image, _build_jobs(read, build)):
            images.append(image)
            advance(1)
        result = _assemble(tool, path, read, images, names, settings)
        if report is not None:
            atomic_write_json(report, result.report(), indent=1)
        _refuse(result, settings, path)
        finished.start_writing()
        atomic_write_json(out, result.coco)
    return result


def _build_jobs(read: ReadResult, options: BuildOptions) -> Iterator[BuildJob]:
    for image in read.images:
        _, path = find_image(image.paths, options.img_dir)
        yield BuildJob(image, options, path and file_stamp(path))


def _read(
    tool: str,
    path: Path,
    out: Path,
    settings: ImportSettings,
    pool: OrderedPool,
    open_progress: OpenProgress,
) -> ReadResult:
    if tool not in TOOLS:
        raise ValueError(f'tool must be one of {TOOLS}, given {tool!r}')
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    options = settings.reading
    if tool == 'labelme':
        read = read_labelme(
            path, options, pool=pool, open_progress=open_progress, skip=out
        )
    else:
        reader = read_cvat if tool == 'cvat' else read_labelstudio
        read = reader(path, options, open_progress=open_progress)
    if not read.images and not read.notices:
        raise ValueError(f'{path} holds no image; is it a file of {tool}?')
    return read


def _image_folder(path: Path, settings: ImportSettings) -> Path:
    if settings.img_dir is not None:
        if not settings.img_dir.is_dir():
            raise FileNotFoundError(f'image folder {settings.img_dir} does not exist')
        return settings.img_dir
    return path if path.is_dir() else path.parent


def class_names(
    read: ReadResult,
    classes: Sequence[str] | None,
    ignored: Collection[str],
    source: str,
) -> list[str]:
    """Names of the classes, in the order of their ids.

    Args:
        read: What the label files hold.
        classes: The user's list, if any.
        ignored: Labels that are no classes.
        source: The label files, for messages.

    Returns:
        ``classes``, or the names that are used or declared, sorted.

    Raises:
        ValueError: A label is not in ``classes``, or a class is twice in it.
    """
    used: dict[str, str] = {}
    for image in read.images:
        for obj in image.objects:
            used.setdefault(obj.name, f'{image.source}: {obj.item}')
        for name in image.tags:
            used.setdefault(name, f'{image.source}: a tag')
    if classes is None:
        return sorted({*used, *read.declared} - {*ignored})
    if len(set(classes)) != len(classes):
        raise ValueError(f'--classes names a class twice: {list(classes)}')
    unknown = [name for name in used if name not in classes and name not in ignored]
    if unknown:
        lines = []
        for name in unknown[:SHOWN_ERRORS]:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f'; did they mean {close[0]!r}?' if close else ''
            lines.append(f'  {name!r}, first at {used[name]}{hint}')
        raise ValueError(
            f'{source}: {len(unknown)} label(s) are not in --classes:\n'
            + '\n'.join(lines)
            + '\nAdd them to --classes, or to --ignore-labels to leave them out.'
        )
    return list(classes)


def _check_stuff(stuff: Sequence[str], names: Sequence[str]) -> None:
    unknown = sorted(set(stuff) - set(names))
    if unknown:
        raise ValueError(f'--stuff names {unknown}; the classes are {list(names)}')


def _assemble(
    tool: str,
    path: Path,
    read: ReadResult,
    built: Sequence[BuiltImage],
    names: Sequence[str],
    settings: ImportSettings,
) -> ImportResult:
    notices = [*read.notices, *(one for image in built for one in image.notices)]
    images = [image for image in built if image.is_usable]
    notices += _duplicates(images)
    images = [image for image in images if image.is_usable]
    empty = [image for image in images if not image.tags]
    if settings.drop_empty:
        reason = 'it has no label at all'
        notices += [
            Notice(LEFT_OUT, image.source, '', 'empty image', reason) for image in empty
        ]
        images = [image for image in images if image.tags]
    images.sort(key=lambda image: image.file_name)
    # Nothing in an image is as complete a label as any: it takes the others' level.
    strongest = max(
        (image.level for image in images if image.level is not None),
        default=Supervision.IMAGE_TAGS,
    )
    ids = {name: number for number, name in enumerate(names, start=1)}
    coco: dict[str, Any] = dict(
        info={},
        images=[],
        annotations=[],
        categories=[dict(id=number, name=name) for name, number in ids.items()],
    )
    for category in coco['categories'] if settings.stuff else ():
        category['isthing'] = int(category['name'] not in settings.stuff)
    levels: Counter = Counter()
    for image_id, image in enumerate(images, start=1):
        level = image.level
        if level is None:
            level = Supervision.IMAGE_TAGS if image.tags else strongest
        levels[level.label] += 1
        coco['images'].append(
            dict(
                id=image_id,
                file_name=image.file_name,
                width=image.width,
                height=image.height,
                tags=sorted(ids[name] for name in image.tags),
                supervision=level.label,
            )
        )
        for name, keys in image.annotations:
            annotation = dict(
                id=len(coco['annotations']) + 1,
                image_id=image_id,
                category_id=ids[name],
                iscrowd=0,
                **keys,
            )
            coco['annotations'].append(annotation)
    result = ImportResult(
        coco=coco,
        notices=notices,
        missing_images=[image.file_name for image in images if not image.is_found],
        empty_images=0 if settings.drop_empty else len(empty),
    )
    coco['info']['mmwsis'] = provenance(
        'import_labels',
        path,
        strongest if len(levels) == 1 else None,
        labelling_tool=tool,
        images_by_level=dict(levels),
        **{kind: result.count(kind).total() for kind in (LEFT_OUT, CHANGED, INVALID)},
    )
    return result


def _duplicates(images: Sequence[BuiltImage]) -> list[Notice]:
    first: dict[str, str] = {}
    notices = []
    for image in images:
        if image.file_name in first:
            reason = (
                f'{image.file_name} has labels in {first[image.file_name]} already; an '
                'image can be in a label file once'
            )
            notices.append(Notice(INVALID, image.source, '', 'image twice', reason))
            image.is_usable = False
        first.setdefault(image.file_name, image.source)
    return notices


def _refuse(result: ImportResult, settings: ImportSettings, path: Path) -> None:
    """Raise if what was found must not be written."""
    invalid = [one for one in result.notices if one.kind == INVALID]
    if invalid and not settings.skip_invalid:
        raise LabelImportError(
            f'{path}: {len(invalid)} label(s) are broken, so that nothing was written:',
            invalid,
            'Mend them in the labelling tool, or leave them out with --skip-invalid.',
        )
    lost = [one for one in result.notices if one.kind in (LEFT_OUT, CHANGED)]
    if lost and settings.strict:
        raise LabelImportError(
            f'{path}: {len(lost)} label(s) cannot go over as they are, so that nothing '
            'was written:',
            lost,
            'Change them in the labelling tool, or drop --strict.',
        )
    if not result.coco['images']:
        raise LabelImportError(
            f'{path}: no image is left, so that nothing was written:',
            result.notices,
            'Is it a file of this tool, and is anything labelled in it?',
        )
    if not result.coco['categories']:
        raise ValueError(
            f'{path}: there is no label in any of {len(result.coco["images"])} images; '
            'name the classes with --classes if that is right'
        )
    # What a data set would refuse must not be written; the guard may drop nothing but
    # the tool's own attributes.
    masks = Supervision.MASKS
    check_coco(restrict_coco(result.coco, masks), masks, f'import of {path}')
