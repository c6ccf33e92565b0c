"""The folder of an export: it appears when it is complete, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps

from mmwsis.formats.image_file import read_header
from mmwsis.utils.fileio import TEMPORARY_SUFFIX

# In every folder that an export has made: such a folder may be replaced.
NOTE_NAME = 'README.txt'
_NOTE = 'Made by tools/export_labels.py of mmwsis'


def refuse_folder(folder: Path, overwrite: bool) -> None:
    """Refuse to write over anything but an export, and over that without being asked.

    Args:
        folder: Where an export goes.
        overwrite: Whether an export may be replaced.

    Raises:
        FileExistsError: It must not be replaced.
    """
    moved = _moved_name(folder)
    if moved.exists():
        raise FileExistsError(
            f'{moved} is what an export was replacing when it was killed; move it back '
            f'to {folder.name}, or remove it'
        )
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
            f'{folder} exists; give another name, or --overwrite to replace it with '
            'whatever was corrected in it'
        )


def _moved_name(folder: Path) -> Path:
    """Where a folder is while another one takes its place."""
    folder = Path(os.path.abspath(folder))
    return folder.with_name(f'{folder.name}.replaced')


@contextmanager
def new_folder(target: Path, note: str) -> Iterator[Path]:
    """Fill a folder that takes its place when the block ends without an error.

    Args:
        target: Its place; what is there is replaced.
        note: What a file in it says of it.

    Yields:
        A hidden folder to write to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f'.{target.name}.'
    stage = Path(tempfile.mkdtemp(TEMPORARY_SUFFIX, name, dir=target.parent))
    try:
        new = stage / target.name
        new.mkdir()
        yield new
        (new / NOTE_NAME).write_text(f'{_NOTE}.\n{note}\n', encoding='utf-8')
        _exchange(new, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _exchange(new: Path, target: Path) -> None:
    """Move a folder to its place; whoever kills it finds the old one beside it."""
    if not target.exists():
        os.replace(new, target)
        return
    moved = _moved_name(target)
    os.replace(target, moved)
    try:
        os.replace(new, target)
    except BaseException:
        os.replace(moved, target)
        raise
    shutil.rmtree(moved)


def put_images(names: Iterable[str], img_dir: Path, folder: Path, how: str) -> int:
    """Put images into a folder.

    Args:
        names: Their places below ``img_dir``, and below ``folder``.
        img_dir: Where they are.
        folder: Where they go.
        how: 'link' or 'copy'. Copies of images that EXIF data turn are upright, as
            their labels are, and encoded anew.

    Returns:
        Number of images that EXIF data turn.

    Raises:
        OSError: A turned image cannot be decoded.
    """
    turned = 0
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        file = (img_dir / name).resolve()
        is_turned = read_header(file).orientation != 1
        turned += is_turned
        if how == 'link':
            place.symlink_to(file)
        elif is_turned:
            _copy_upright(file, place)
        else:
            shutil.copyfile(file, place)
    return turned


def _copy_upright(file: Path, place: Path) -> None:
    try:
        with Image.open(file) as image:
            kind, quality = image.format, {}
            if kind == 'JPEG':
                quality = dict(quality=95, subsampling=0)
            ImageOps.exif_transpose(image).save(place, format=kind, **quality)
    except (OSError, ValueError) as error:
        raise OSError(f'{file} cannot be turned upright: {error}') from None
