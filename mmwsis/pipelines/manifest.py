"""What a pipeline has done: one JSON file, and the hashes that it stands on."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.hashing import hash_file

from .locate import PACKAGE_DIR

_FORMAT = 1
_STAMP = 'pipeline_stage.json'
# Drawing and running stages does not change what a stage computes.
_NOT_COMPUTING = ('visualization/', 'pipelines/', 'utils/collect_env.py', '.mim/')


@dataclass
class StageRecord:
    """One stage's entry in the manifest.

    Attributes:
        status: ``'running'``, ``'finished'`` or ``'failed'``. A stage that was
            killed is left as ``'running'``.
        command: Command as it was run.
        config: Flat settings that the stage depends on: dotted key -> JSON text.
        inputs: Path -> content hash.
        code: Source file -> content hash.
        outputs: Path -> content hash; filled when the stage has finished.
        started, finished: ISO date and time with UTC offset.
        seconds: Wall-clock time, summed over the resumed parts.
        resumed: How often the stage was continued after a kill.
    """

    status: str = 'running'
    command: list[str] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    started: str = ''
    finished: str = ''
    seconds: float = 0.0
    resumed: int = 0


class Manifest:
    """Records of all stages of one pipeline, saved atomically at every change.

    Args:
        path: JSON file; need not exist yet.
        pipeline: Name of the pipeline, to recognise a foreign file.

    Raises:
        ValueError: The file is not a manifest of this pipeline, or is broken.
    """

    def __init__(self, path: Path, pipeline: str) -> None:
        self.path = path
        self.pipeline = pipeline
        self.stages: dict[str, StageRecord] = {}
        if path.is_file():
            self._load()

    def _load(self) -> None:
        remedy = 'Move it away to start the pipeline anew.'
        try:
            content = json.loads(self.path.read_text(encoding='utf-8'))
            found = content['pipeline'], content['format']
            stages = content['stages']
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
            raise ValueError(
                f'Manifest {self.path} cannot be read: {error}. {remedy}'
            ) from error
        if found != (self.pipeline, _FORMAT):
            raise ValueError(
                f'Manifest {self.path} belongs to pipeline {found[0]!r} (format '
                f'{found[1]}), expected {self.pipeline!r} (format {_FORMAT}). {remedy}'
            )
        for name, record in stages.items():
            try:
                self.stages[name] = StageRecord(**record)
            except TypeError as error:
                raise ValueError(
                    f'Manifest {self.path}: stage {name!r}: {error}. {remedy}'
                ) from error

    def save(self) -> None:
        """Write the file atomically."""
        content = {
            'format': _FORMAT,
            'pipeline': self.pipeline,
            'stages': {name: asdict(record) for name, record in self.stages.items()},
        }
        atomic_write_json(self.path, content, indent=1)


def read_stamp(folder: Path) -> StageRecord | None:
    """Read what a training run's own folder says about it.

    Pipelines may share a training run (the fully-supervised baseline, the pretraining);
    the stamp lets the second one see that the first has done it.

    Args:
        folder: Work dir of the run.

    Returns:
        The record; ``None`` where there is none that can be read.
    """
    try:
        content = json.loads((folder / _STAMP).read_text(encoding='utf-8'))
        return StageRecord(**content)
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(folder: Path, record: StageRecord) -> None:
    """Leave a record in a training run's folder.

    Args:
        folder: Work dir of the run; made if absent.
        record: The record.
    """
    atomic_write_json(folder / _STAMP, asdict(record), indent=1)


class FileHasher:
    """SHA-256 of files, remembered for as long as size and time stay the same.

    Args:
        cache_file: JSON file that keeps the hashes between runs.
    """

    def __init__(self, cache_file: Path) -> None:
        self.cache_file = cache_file
        self._changed = False
        self._cache: dict[str, list[Any]] = {}
        with contextlib.suppress(OSError, ValueError):  # a lost cache is refilled
            self._cache = json.loads(cache_file.read_text(encoding='utf-8'))

    def __call__(self, path: Path) -> str | None:
        """Hash a file by its content, a directory by its listing.

        Args:
            path: File or directory. Of a directory the names, sizes and times of
                all files in it count; a folder of images is not read in full.

        Returns:
            Hex digest, or ``None`` where nothing exists.
        """
        if path.is_dir():
            return _hash_listing(path)
        if not path.is_file():
            return None
        key, state = os.path.abspath(path), path.stat()
        stamp = [state.st_size, state.st_mtime_ns]
        known = self._cache.get(key)
        if known is not None and known[:2] == stamp:
            return known[2]
        digest = hash_file(path)
        self._cache[key] = [*stamp, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        """Keep the hashes for the next run."""
        if self._changed:
            atomic_write_json(self.cache_file, self._cache)
            self._changed = False


def _hash_listing(directory: Path) -> str:
    """Digest of names, sizes and times of all files below a directory."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(directory):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            state = path.stat()
            entry = path.relative_to(directory), state.st_size, state.st_mtime_ns
            digest.update(repr((str(entry[0]), *entry[1:])).encode())
    return digest.hexdigest()


def code_version(tools: Iterable[Path], hasher: FileHasher) -> dict[str, str]:
    """Hashes of the source that a stage's result can depend on.

    A plan notes what has changed since; a finished stage stays finished.

    Args:
        tools: Scripts that the stage runs.
        hasher: Cached hasher.

    Returns:
        Source file -> short content hash: all Python files of the package but those
        that draw figures and the runner's own, and the given scripts.
    """
    version = {}
    for path in sorted(PACKAGE_DIR.rglob('*.py')):
        relative = path.relative_to(PACKAGE_DIR).as_posix()
        if not relative.startswith(_NOT_COMPUTING):
            version[f'mmwsis/{relative}'] = (hasher(path) or '')[:12]
    for path in tools:
        version[f'tools/{path.name}'] = (hasher(path) or '')[:12]
    return version
