"""Image files on disk against the label file, several processes at once."""

import os
import os.path as osp
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.utils.parallel import OrderedPool

from ..image_file import check_image, read_header, size_difference
from .columns import ImageTable
from .file_names import missing_hint
from .issues import IssueLog

_CHUNK = 16


class _Job(NamedTuple):
    folder: str
    files: Sequence[tuple[Any, str, tuple[float, float]]]
    decode: bool

    def __str__(self) -> str:
        return f'{self.files[0][1]} to {self.files[-1][1]} in {self.folder}'


def check_image_files(
    images: ImageTable,
    folder: str | os.PathLike,
    log: IssueLog,
    *,
    workers: int = 1,
    decode: bool = True,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Check that image files are there, whole, and of the size that the file says.

    Args:
        images: Images of the label file.
        folder: Image folder; ``file_name`` is relative to it.
        log: Takes the issues.
        workers: Number of processes, >= 1.
        decode: Decode the pixels too, which finds cut-off files.
        progress: Called with the number of files that were just finished.

    Returns:
        Number of files looked at.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    if not osp.isdir(folder):
        raise NotADirectoryError(
            f'Image folder {os.fspath(folder)} does not exist. Give the folder that '
            'file_name is relative to.'
        )
    files = [
        (image_id, name, size)
        for image_id, name, size in zip(images.ids, images.files, images.sizes)
        if name is not None
    ]
    with OrderedPool(workers) as pool:
        for issues, count in pool.imap(_check_chunk, _jobs(folder, files, decode)):
            for rule, message, where in issues:
                log.add(rule, message, **where)
            if progress is not None:
                progress(count)
    return len(files)


def _jobs(
    folder: str | os.PathLike, files: Sequence[Any], decode: bool
) -> Iterator[_Job]:
    for start in range(0, len(files), _CHUNK):
        yield _Job(os.fspath(folder), files[start : start + _CHUNK], decode)


def _check_chunk(job: _Job) -> tuple[list[tuple[str, str, dict]], int]:
    issues = []
    for image_id, name, size in job.files:
        for rule, message in _faults(job.folder, name, size, job.decode):
            if rule == 'image-missing' and not osp.lexists(osp.join(job.folder, name)):
                message += missing_hint(job.folder, name)
            where = dict(image_id=image_id, place=f'image id {image_id!r} ({name})')
            issues.append((rule, message, where))
    return issues, len(job.files)


def _faults(
    folder: str, name: str, size: tuple[float, float], decode: bool
) -> Iterator[tuple[str, str]]:
    path = osp.join(folder, name)
    if not osp.isfile(path):
        yield 'image-missing', f'there is no file {path}{_instead(path)}.'
        return
    brightest = ''
    try:
        if decode:
            header, pixels = check_image(Path(path).read_bytes())
            brightest = f'; the brightest value is then {pixels.max()} of 255'
        else:
            header = read_header(path)
    except OSError as error:
        yield 'image-unreadable', f'{path} cannot be decoded: {error}.'
        return
    known = size[0] == size[0]
    if known and header.size != size:
        difference = size_difference(size, header, path)
        yield 'image-size-differs', f'the label file {difference}'
    elif header.orientation != 1:
        yield (
            'image-orientation',
            f'{path} is turned by its EXIF orientation {header.orientation}: labels '
            f'must be those of the upright image, {header.width} x {header.height} '
            'pixels, as labelling tools show it.',
        )
    if header.bits > 8:
        yield (
            'image-depth',
            f'{path} has {header.bits} bits per channel, of which loaders make 8'
            f'{brightest}.',
        )


def _instead(path: str) -> str:
    """What stands at the place of a file."""
    if osp.isdir(path):
        return ', but a folder'
    return ', but a link to nothing' if osp.islink(path) else ''
