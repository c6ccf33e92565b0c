"""One run of a pipeline at a time."""

import fcntl
import os
from pathlib import Path
from typing import IO


class PipelineLock:
    """Hold the pipeline's lock; commands inherit it and keep it while they live."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> IO:
        self.file = open(self.path, 'a+')
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.file.seek(0)
            owner = self.file.read().strip() or 'unknown'
            self.file.close()
            raise RuntimeError(
                f'This pipeline is already running in {self.path.parent}: started by '
                f'process {owner}, which or whose stage is still alive. Wait for it '
                'or stop it.'
            ) from error
        self.file.truncate(0)
        self.file.write(f'{os.getpid()}\n')
        self.file.flush()
        return self.file

    def __exit__(self, *exception: object) -> None:
        self.file.close()
