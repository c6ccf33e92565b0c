"""Config files: reading them, and the files that they mention."""

import os
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

# Where `configs/` and `tools/` lie: in a checkout, else in an installed wheel. The
# checkout's own go first, because .mim may be a stale copy of them.
PACKAGE_DIR = Path(__file__).resolve().parents[1]
SHIPPED_ROOTS = (PACKAGE_DIR.parent, PACKAGE_DIR / '.mim')

# Keys that say where things are written, or all that a dataset or an earlier stage has,
# used or not.
_NO_INPUT_KEYS = ('work_dir', 'produces', 'outfile_prefix', 'filename', 'data_spec')
_NO_INPUT_KEYS += ('requires',)

# What stands for a folder of weights, as the Hugging Face libraries write it.
WEIGHTS_NAME = 'model.safetensors'

# Functions of MMEngine whose `filename` is the file that is being read.
_READERS = ('_file2dict', '_is_lazy_import', '_get_base_files', 'check_file_exist')


class ConfigFileError(ValueError):
    """A config file, or a base of it, that cannot be read."""


def read_config(path: str | os.PathLike) -> Config:
    """Read a config file; whatever is wrong with it is told in one line.

    Args:
        path: Python, JSON or YAML file. A Python file is a program, so anything may
            go wrong in it.

    Returns:
        The config.

    Raises:
        ConfigFileError: It names the file at fault, which may be a base, the line and
            the reason.
    """
    try:
        return Config.fromfile(path)
    except (Exception, SystemExit) as error:  # the file is a program
        place, line = _place(error, str(path))
        missing = isinstance(error, FileNotFoundError)
        if not (missing or os.path.exists(place)):
            place = str(path)  # MMEngine reads copies, which are gone by now
        same = os.path.abspath(place) == os.path.abspath(path)
        where = f'{path}' if same else f'{path}: {os.path.relpath(place)}'
        if not same and missing:
            raise ConfigFileError(
                f'{path} cannot be read: its _base_ {place} does not exist. Correct '
                'the path, which is relative to the file that names it; configs of '
                'packages are written mmwsis::exits/solov2_r50.py.'
            ) from error
        where += f', line {line}' if line else ''
        raise ConfigFileError(
            f'{where} cannot be read: {_reason(error)}. Correct the file.'
        ) from error


def _place(error: BaseException, path: str) -> tuple[str, int | None]:
    """File and line at fault."""
    place, line = path, None
    for frame, number in traceback.walk_tb(error.__traceback__):
        code, named = frame.f_code, frame.f_locals.get('filename')
        if code.co_name == '<module>':
            place, line = code.co_filename, number
        elif code.co_name in _READERS and named and str(named) != place:
            place, line = str(named), None
    return place, getattr(error, 'lineno', None) or line


def _reason(error: BaseException) -> str:
    """What is wrong, in one line."""
    if isinstance(error, SyntaxError):
        return f'it is no valid Python: {error.msg}'
    if isinstance(error, SystemExit):
        return 'it ends the program'
    if isinstance(error, UnicodeDecodeError):
        return 'it is no text in UTF-8'
    if isinstance(error, RecursionError):
        return 'its _base_ leads back to itself'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = ' '.join(str(error).split(', the current sys.path')[0].split())
    return f'{type(error).__name__}: {text}'.rstrip('.')


def default_work_dir(
    cfg: Mapping[str, Any], file: str | os.PathLike, dataset: str | None = None
) -> str:
    """Folder of the training run of a config that names none.

    Args:
        cfg: Config.
        file: Its file, or ``'package::path'``.
        dataset: Name of the dataset that ``--dataset`` put in place of its own.

    Returns:
        ``'work_dirs/<config>'``, with the dataset's name between the two. A
        fully-supervised baseline has ``'work_dirs/fully_supervised/<config>'``, because
        the same model on pseudo labels bears the same name.
    """
    wsis = cfg.get('wsis') or {}
    baseline = wsis.get('stage') == 'final_model' and not (
        wsis.get('labeler')
        or wsis.get('labels')
        or wsis.get('method', 'FULL') != 'FULL'
    )
    stem = Path(str(file).rpartition('::')[2]).stem
    parts = ['work_dirs', dataset, 'fully_supervised' if baseline else None, stem]
    return '/'.join(part for part in parts if part)


def files_named_in(settings: Any, root: Path, index_name: str) -> list[Path]:
    """Find the existing files that a config mentions.

    Args:
        settings: Nested settings. An ``ann_file`` is sought below the ``data_root``
            beside it too; of a folder its index, or the weights in it.
        root: Directory that relative paths start from.
        index_name: Name of the file that stands for a whole folder.

    Returns:
        Sorted paths as they stand in the config. Keys that name results
        (``work_dir``, ``wsis.produces``...) and ``data_spec`` are left out.
    """
    found = set()
    for path in paths_named_in(settings):
        inside = (os.path.join(path, name) for name in (index_name, WEIGHTS_NAME))
        found.update(one for one in (path, *inside) if _is_file(root / one))
    return sorted(Path(path) for path in found)


def paths_named_in(value: Any, data_root: str = '') -> Iterator[str]:
    """Find the strings of a config that may be paths, whether they exist or not.

    Args:
        value: Nested settings; keys are left out as by :func:`files_named_in`.
        data_root: Joined with each string, besides the string itself; a ``data_root``
            in the settings takes its place.

    Yields:
        Every string with a dot or a slash, with and without the data root.
    """
    if isinstance(value, dict):
        data_root = value.get('data_root') or data_root
        for key, entry in value.items():
            if key not in _NO_INPUT_KEYS:
                yield from paths_named_in(entry, data_root)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from paths_named_in(entry, data_root)
    elif isinstance(value, str) and re.search(r'[./]', value) and len(value) < 1024:
        yield value
        if data_root:
            yield os.path.join(data_root, value)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
