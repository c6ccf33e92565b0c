"""The folder of an export: it appears when it is complete, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
        new, old = stage / target.name, stage / 'replaced'
        new.mkdir()
        yield new
        (new / NOTE_NAME).write_text(f'{_NOTE}.\n{note}\n', encoding='utf-8')
        if target.exists():
            os.replace(target, old)
        os.replace(new, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def put_images(names: Iterable[str], img_dir: Path, folder: Path, how: str) -> None:
    """Put images into a folder.

    Args:
        names: Their places below ``img_dir``, and below ``folder``.
        img_dir: Where they are.
        folder: Where they go.
        how: 'link' or 'copy'.
    """
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        file = (img_dir / name).resolve()
        if how == 'copy':
            shutil.copyfile(file, place)
        else:
            place.symlink_to(file)
