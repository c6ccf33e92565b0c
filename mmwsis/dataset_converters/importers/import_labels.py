"""One labelling tool's files in, one weak COCO JSON out."""

import dataclasses
import functools
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mmwsis.utils.parallel import OrderedPool

from ..conversion import Progress, RunOptions, refuse_existing
from ..outputs import Outputs
from .assemble import ImportResult, LabelImportError, assemble, refuse
from .build import build_image
from .class_names import class_names, name_issues
from .cvat import read_cvat
from .image_search import ImageFolder, locate_image
from .labelme import read_labelme
from .labelstudio import read_labelstudio
from .records import ReadResult, tidy_name
from .settings import NO_CLASSES, ImportSettings
from .yolo import read_yolo

__all__ = [
    'TOOLS',
    'ImportResult',
    'ImportSettings',
    'LabelImportError',
    'class_names',
    'import_labels',
]

TOOLS = ('labelme', 'cvat', 'labelstudio', 'yolo-seg')


def import_labels(
    tool: str,
    path: str | os.PathLike,
    out: str | os.PathLike,
    settings: ImportSettings | None = None,
    *,
    report: str | os.PathLike | None = None,
    run: RunOptions | None = None,
) -> ImportResult:
    """Write a weak COCO JSON from a labelling tool's files.

    Args:
        tool: One of ``TOOLS``.
        path: Its file or folder.
        out: File to write, in one step.
        settings: The user's choices; the defaults if None.
        report: JSON with everything that did not go over as it was. It is written
            before the import is refused, too.
        run: How the import runs; the defaults if None. Progress counts what is read
            and then the images that are checked.

    Returns:
        The label file and what is to be said about it.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: ``path`` does not exist.
        ValueError: The files are none of this tool's, labels are not in ``classes``,
            or no image is left.
        LabelImportError: Something is broken or an image is not found, and
            ``skip_invalid`` is off, or something was left out or changed and ``strict``
            is on; ``out`` is not written.
    """
    settings, run = settings or ImportSettings(), run or RunOptions()
    path, out = Path(path), Path(out)
    refuse_existing([out, *([report] if report else [])], [path], run.overwrite)
    if report is not None and Path(report).resolve() == out.resolve():
        raise ValueError(f'{out}: the label file and its report need two names')
    if tool not in TOOLS:
        raise ValueError(f'tool must be one of {TOOLS}, given {tool!r}')
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    settings = _resolved(settings, path)
    folder = ImageFolder(settings.img_dir)
    with OrderedPool(run.workers) as pool:
        read = _read(
            tool, path, [out, report], settings, pool, folder, run.open_progress
        )
        names = class_names(read, settings.classes, settings.ignored, str(path))
        _check_stuff(settings.stuff, names)
        ids = {name: number for number, name in enumerate(names, start=1)}
        advance = run.open_progress(len(read.images))
        read.issues += name_issues(read, names)
        for image in read.images:
            locate_image(image, folder, settings)
        images = []
        build = functools.partial(build_image, settings=settings, ids=ids)
        for image in pool.imap(build, read.images, operator.attrgetter('source')):
            images.append(image)
            advance(1)
    result = assemble(tool, path, read, images, ids, settings)
    with Outputs() as files:
        if report is not None:
            files.json(report, result.report(), path, indent=1)
        refused = None
        try:
            refuse(result, settings, path, run.skip_invalid)
            files.json(out, result.coco, path)
        except ValueError as error:  # the report alone goes in place
            refused = error
    if refused is not None:
        raise refused
    return result


def _resolved(settings: ImportSettings, path: Path) -> ImportSettings:
    """The settings with an image folder, and with names tidied as the labels are."""
    classes = settings.classes
    if classes is not None:
        # LabelMe's lists of classes start with what is none.
        classes = _tidy([x for x in classes if x not in NO_CLASSES], '--classes')
    stuff = _tidy(settings.stuff, '--stuff')
    holes = _tidy(settings.holes, '--holes')
    ignored = [*NO_CLASSES, *_tidy(settings.ignored, '--ignore-labels'), *holes]
    folder = _image_folder(path, settings)
    return dataclasses.replace(
        settings,
        classes=classes,
        stuff=stuff,
        holes=holes,
        ignored=ignored,
        img_dir=folder,
    )


def _tidy(names: Sequence[str], option: str) -> list[str]:
    try:
        return [tidy_name(name) for name in names]
    except ValueError:
        raise ValueError(
            f'{option}: {list(names)} has a name without letters'
        ) from None


def _read(
    tool: str,
    path: Path,
    outputs: Sequence[str | os.PathLike | None],
    settings: ImportSettings,
    pool: OrderedPool,
    folder: ImageFolder,
    progress: Callable[[int], Progress],
) -> ReadResult:
    if tool == 'labelme':
        skip = [Path(out).resolve() for out in outputs if out is not None]
        read = read_labelme(
            path, settings, pool=pool, open_progress=progress, skip=skip
        )
    elif tool == 'cvat':
        read = read_cvat(path, settings, open_progress=progress)
    else:
        reader = read_yolo if tool == 'yolo-seg' else read_labelstudio
        read = reader(path, settings, folder=folder, open_progress=progress)
    if not read.images and not read.issues:
        raise ValueError(f'{path} holds no image; is it a file of {tool}?')
    return read


def _image_folder(path: Path, settings: ImportSettings) -> Path:
    if settings.img_dir is not None:
        if not settings.img_dir.is_dir():
            raise FileNotFoundError(f'image folder {settings.img_dir} does not exist')
        return settings.img_dir
    return path if path.is_dir() else path.parent


def _check_stuff(stuff: Sequence[str], names: Sequence[str]) -> None:
    unknown = sorted(set(stuff) - set(names))
    if unknown:
        raise ValueError(f'--stuff names {unknown}; the classes are {list(names)}')
