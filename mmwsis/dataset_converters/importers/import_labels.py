"""One labelling tool's files in, one weak COCO JSON out."""

import dataclasses
import difflib
import functools
import operator
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.parallel import OrderedPool

from ..conversion import Progress, RunOptions, refuse_existing, shorten
from .assemble import ImportResult, LabelImportError, assemble, refuse
from .build import build_image
from .cvat import read_cvat
from .labelme import read_labelme
from .labelstudio import read_labelstudio
from .records import ReadResult
from .settings import ImportSettings

__all__ = [
    'TOOLS',
    'ImportResult',
    'ImportSettings',
    'LabelImportError',
    'class_names',
    'import_labels',
]

TOOLS = ('labelme', 'cvat', 'labelstudio')
# LabelMe's own names for what is no class.
NO_CLASSES = ('__ignore__', '_background_')


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
        tool: 'labelme', 'cvat' or 'labelstudio'.
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
        LabelImportError: Something is broken and ``skip_invalid`` is off, or something
            was left out or changed and ``strict`` is on; ``out`` is not written.
    """
    settings, run = settings or ImportSettings(), run or RunOptions()
    path, out = Path(path), Path(out)
    refuse_existing([out, *([report] if report else [])], [path], run.overwrite)
    with OrderedPool(run.workers) as pool:
        read = _read(tool, path, out, settings, pool, run.open_progress)
        settings = dataclasses.replace(
            settings,
            img_dir=_image_folder(path, settings),
            ignored=(*NO_CLASSES, *settings.ignored),
        )
        names = class_names(read, settings.classes, settings.ignored, str(path))
        _check_stuff(settings.stuff, names)
        ids = {name: number for number, name in enumerate(names, start=1)}
        advance = run.open_progress(len(read.images))
        images = []
        build = functools.partial(build_image, settings=settings, ids=ids)
        for image in pool.imap(build, read.images, operator.attrgetter('source')):
            images.append(image)
            advance(1)
    result = assemble(tool, path, read, images, ids, settings)
    if report is not None:
        atomic_write_json(report, result.report(), indent=1)
    refuse(result, settings, path, run.skip_invalid)
    atomic_write_json(out, result.coco)
    return result


def _read(
    tool: str,
    path: Path,
    out: Path,
    settings: ImportSettings,
    pool: OrderedPool,
    progress: Callable[[int], Progress],
) -> ReadResult:
    if tool not in TOOLS:
        raise ValueError(f'tool must be one of {TOOLS}, given {tool!r}')
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if tool == 'labelme':
        read = read_labelme(path, settings, pool=pool, open_progress=progress, skip=out)
    else:
        reader = read_cvat if tool == 'cvat' else read_labelstudio
        read = reader(path, settings, open_progress=progress)
    if not read.images and not read.issues:
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
        for name in unknown:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f'; did they mean {close[0]!r}?' if close else ''
            lines.append(f'{name!r}, first at {used[name]}{hint}')
        raise ValueError(
            f'{source}: {len(unknown)} label(s) are not in --classes:\n'
            f'{shorten(lines)}\nAdd them to --classes, or to --ignore-labels to leave '
            'them out.'
        )
    return list(classes)


def _check_stuff(stuff: Sequence[str], names: Sequence[str]) -> None:
    unknown = sorted(set(stuff) - set(names))
    if unknown:
        raise ValueError(f'--stuff names {unknown}; the classes are {list(names)}')
