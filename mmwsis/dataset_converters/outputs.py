"""The files of a conversion: checked, and put in place together or not at all."""

import contextlib
import math
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.formats.validation import Severity, validate_document
from mmwsis.utils.fileio import (
    TEMPORARY_SUFFIX,
    atomic_write_json,
    atomic_write_text,
    sync_directory,
)

from .conversion import shorten


def refuse_invalid(document: Mapping[str, Any], source: str | os.PathLike) -> None:
    """Refuse a label file that ``check_dataset`` would refuse.

    Args:
        document: COCO dictionary that is about to be written.
        source: The file it was made from, which messages name: its ids are the same,
            and that is where the fault is.

    Raises:
        ValueError: It has no image or breaks a rule; the message lists the first
            errors of each rule with their ids.
    """
    if not document['images']:
        raise ValueError(f'{source}: no image is left, so that nothing was written')
    log = validate_document(document, str(source)).log
    errors = [rule for rule in log.rules() if rule.severity is Severity.ERROR]
    if not errors:
        return
    lines = []
    for rule in errors:
        lines += [f'{rule.name}: {issue}' for issue in log.examples[rule.name]]
        more = log.counts[rule.name] - len(log.examples[rule.name])
        lines += [f'{rule.name}: and {more} more'] if more else []
        if rule.name != 'level-absent':  # Here no other file can be given.
            lines.append(f'-> {rule.advice}')
    total = log.count_of(Severity.ERROR)
    raise ValueError(
        f'{source}: {total} error(s) would go into the result, so that nothing was '
        f'written:\n{shorten(lines, shown=20)}'
    )


class Outputs:
    """Where a conversion writes, as a context.

    Everything goes into hidden folders inside the folders it belongs to. When the
    block ends without an error, all of it is moved; else, Ctrl-C included, all of it is
    removed, and whatever was there before is as it was.
    """

    def __init__(self) -> None:
        self._stages: dict[Path, Path] = {}
        self._made: list[Path] = []

    def folder(self, target: str | os.PathLike) -> Path:
        """Folder to write to instead of ``target``, into which its files will be moved.

        Args:
            target: Folder; is made if it is missing.

        Raises:
            OSError: It cannot be written.
        """
        target = Path(target)
        if target not in self._stages:
            self._make(target)
            stage = tempfile.mkdtemp(suffix=TEMPORARY_SUFFIX, prefix='.', dir=target)
            self._stages[target] = Path(stage)
        return self._stages[target]

    def labels(
        self,
        path: str | os.PathLike,
        document: Mapping[str, Any],
        source: str | os.PathLike,
    ) -> None:
        """Write a label file.

        Args:
            path: Its place.
            document: COCO instances dictionary.
            source: The file it was made from, for messages.

        Raises:
            ValueError: See :func:`refuse_invalid`.
        """
        refuse_invalid(document, source)
        self.json(path, document, source)

    def json(
        self,
        path: str | os.PathLike,
        document: Any,
        source: str | os.PathLike,
        indent: int | None = None,
    ) -> None:
        """Write any other JSON.

        Args:
            path: Its place.
            document: What to write.
            source: The file it was made from, for messages.
            indent: Spaces of indentation. Defaults to None: the compact form.

        Raises:
            ValueError: It holds NaN or infinity, which no JSON can.
        """
        try:
            atomic_write_json(self._staged(path), document, indent)
        except ValueError as error:
            place = _not_finite(document)
            raise ValueError(
                f'{source}: {place or error} is no finite number, and no JSON can hold '
                'that; nothing was written'
            ) from None

    def text(self, path: str | os.PathLike, text: str) -> None:
        """Write a text file.

        Args:
            path: Its place.
            text: Its content.
        """
        atomic_write_text(self._staged(path), text)

    def __enter__(self) -> 'Outputs':
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self._put_in_place()
                self._made.clear()
        finally:
            for stage in self._stages.values():
                shutil.rmtree(stage, ignore_errors=True)
            for folder in reversed(self._made):
                with contextlib.suppress(OSError):  # Something else lies in it by now.
                    folder.rmdir()

    def _staged(self, path: str | os.PathLike) -> Path:
        return self.folder(Path(path).parent) / Path(path).name

    def _make(self, folder: Path) -> None:
        for one in (folder, *folder.parents):
            if one.exists() and not one.is_dir():
                raise NotADirectoryError(f'{one} is a file; {folder} cannot be made')
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        self._made += reversed(missing)
        folder.mkdir(parents=True, exist_ok=True)

    def _put_in_place(self) -> None:
        moves = [
            (file, target / file.relative_to(stage))
            for target, stage in self._stages.items()
            for file in sorted(stage.rglob('*'))
            if file.is_file()
        ]
        for _, goal in moves:
            if goal.is_dir():
                raise IsADirectoryError(f'{goal} is a folder, but a file goes there')
        # Label files last, an index behind them: who finds one finds all it names.
        moves.sort(
            key=lambda move: (move[1].suffix == '.json', move[1].name == INDEX_NAME)
        )
        with _uninterrupted():
            for file, goal in moves:
                goal.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, goal)
        for folder in {goal.parent for _, goal in moves}:
            sync_directory(folder)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[tuple[int, Any]] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(one, lambda *args: waiting.append(args)) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, old):
            signal.signal(one, handler or signal.SIG_DFL)
    for number, _ in waiting[:1]:
        signal.raise_signal(number)


def _not_finite(value: Any, place: str = '') -> str | None:
    """Place of the first number of a document that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'{place} ({value})'
    if isinstance(value, dict):
        inner = ((f'{place}.{key}'.lstrip('.'), own) for key, own in value.items())
    elif isinstance(value, (list, tuple)):
        inner = ((f'{place}[{index}]', own) for index, own in enumerate(value))
    else:
        return None
    return next(filter(None, (_not_finite(own, name) for name, own in inner)), None)
