"""What a conversion has finished so far, so that a kill costs only the work under way.

One line a finished chunk is appended to a file beside the output and flushed to disk;
a line without its end was being written when the process died and does not count. The
first line says which conversion it is. The file goes when the output is complete.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwsis.utils.fileio import sync_directory
from mmwsis.utils.hashing import flatten_settings

try:
    import fcntl
except ImportError:  # not a POSIX system: no protection against a second process
    fcntl = None

SUFFIX = '.unfinished'


class UnfinishedFile:
    """Finished chunks of one output file; use it as a context manager.

    Args:
        output: The file that is being made; the chunks lie beside it, in
            ``<output>.unfinished``.
        identity: Everything that the result depends on; JSON-serialisable. Chunks of
            another identity are refused.
        restart: Throw away what an earlier run has finished.
        sync_seconds: How much of the newest work a power cut may cost; a kill costs
            none of it.

    Attributes:
        chunks: Records of the finished chunks, by number or key of the chunk.

    Raises:
        RuntimeError: On entering, another process is making the same file.
        ValueError: On entering, the chunks belong to another conversion or are
            damaged.
    """

    def __init__(
        self,
        output: str | os.PathLike,
        identity: Mapping[str, Any],
        restart: bool = False,
        sync_seconds: float = 0.0,
    ) -> None:
        self.path = Path(f'{output}{SUFFIX}')
        self.chunks: dict[int | str, list[Any]] = {}
        self._sync_seconds = sync_seconds
        self._synced = 0.0
        self._identity = json.loads(json.dumps(dict(identity), default=str))
        self._restart = restart

    def __enter__(self) -> 'UnfinishedFile':
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, 'a+b')
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise
        sync_directory(self.path.parent)
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def append(self, chunk: int | str, records: list[Any]) -> None:
        """Keep a chunk; when this returns it survives a kill.

        Args:
            chunk: Number or key of the chunk.
            records: JSON-serialisable results.
        """
        self.chunks[chunk] = records
        self._write(dict(chunk=chunk, records=records))

    def remove(self) -> None:
        """Delete the file, once the output is complete."""
        self.path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, separators=(',', ':'), allow_nan=False)
        self._file.write(text.encode('ascii') + b'\n')
        self._file.flush()
        if time.monotonic() - self._synced >= self._sync_seconds:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            # Not flock: worker processes would inherit it and outlive a kill.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RuntimeError(
                f'Another process is making this file right now (it holds '
                f'{self.path}). Wait for it, or stop it.'
            ) from error

    def _read(self) -> None:
        self._file.seek(0)
        content = b'' if self._restart else self._file.read()
        whole = content[: content.rfind(b'\n') + 1]
        self._file.truncate(len(whole))
        if not whole:
            self._write(dict(identity=self._identity))
            return
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                if number == 1:
                    self._check_identity(entry['identity'])
                else:
                    self.chunks[entry['chunk']] = entry['records']
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise ValueError(
                    f'{self.path}, line {number} is damaged ({error!r}). Delete the '
                    'file to start again.'
                ) from None

    def _check_identity(self, found: Mapping[str, Any]) -> None:
        if found == self._identity:
            return
        old, new = flatten_settings(found), flatten_settings(self._identity)
        keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
        changes = ', '.join(f'{k}: {old.get(k)} then, {new.get(k)} now' for k in keys)
        raise ValueError(
            f'{self.path} holds what an interrupted conversion with other settings had '
            f'finished ({changes}). Run that one to its end, or start anew with '
            '--overwrite.'
        )
