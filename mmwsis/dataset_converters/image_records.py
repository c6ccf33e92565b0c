"""Conversion of a dataset image by image: in parallel, resumable, with all errors."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.utils.fileio import atomic_write_json
from mmwsis.utils.parallel import OrderedPool
from mmwsis.version import __version__

from .unfinished import UnfinishedFile

CHUNK = 8  # images of a job; with them one line goes to disk
SHOWN_ERRORS = 10

Record = dict[str, Any]
Progress = Callable[[int], None]


class Summary(NamedTuple):
    """What a conversion has made.

    Attributes:
        document: The COCO document.
        left_out: Messages of the images that were left out.
        warnings: What a person should know, such as counts that differ from the
            published ones.
    """

    document: dict[str, Any]
    left_out: list[str]
    warnings: list[str]

    def remarks(self) -> list[str]:
        """Lines for stderr."""
        lines = [f'left out: {message}' for message in self.left_out]
        return lines + [f'warning: {message}' for message in self.warnings]


class ConversionError(ValueError):
    """Images whose labels cannot be converted.

    Attributes:
        problems: One message an image; each names its file.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        shown = [f'  {problem}' for problem in self.problems[:SHOWN_ERRORS]]
        if len(self.problems) > SHOWN_ERRORS:
            more = len(self.problems) - SHOWN_ERRORS
            shown.append(f'  ... and {more} more, which --skip-invalid lists')
        super().__init__(
            f'{len(self.problems)} image(s) cannot be converted, so that nothing was '
            'written:\n' + '\n'.join(shown) + '\nMend them and run the same command '
            'again (the other images are not converted anew), or leave them out of '
            'the result with --skip-invalid.'
        )


def convert_images(
    names: Sequence[str],
    convert: Callable[[str], Record],
    output: str | os.PathLike,
    settings: Mapping[str, Any],
    assemble: Callable[[list[Record]], dict[str, Any]],
    *,
    workers: int = 1,
    skip_invalid: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Convert images one by one and write the document that their records make.

    Finished images survive a kill in ``<output>.unfinished`` and are not converted
    again by the same call; nor is a finished file.

    Args:
        names: One name an image, in the order of the result.
        convert: Picklable function from name to record; a ValueError or OSError of it
            names the file and the object that are broken.
        output: JSON file to write, in one step at the end.
        settings: What the records depend on besides the names.
        assemble: Makes the document out of the records.
        workers: Number of processes, >= 1. The result does not depend on it.
        skip_invalid: Leave broken images out.
        overwrite: Make ``output`` anew, and forget what an earlier run has finished.
        progress: Called with the number of images that were just finished.

    Returns:
        The document, and the messages of the images that were left out.

    Raises:
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        FileExistsError: ``output`` holds something else, and ``overwrite`` is off.
        RuntimeError: Another process is making the same file.
        ValueError: ``names`` is empty or has a name twice, or an unfinished conversion
            had other settings.
    """
    _check_names(names)
    progress = progress or (lambda done: None)
    listed = hashlib.sha256('\n'.join(names).encode()).hexdigest()
    identity = dict(settings, version=__version__, images=listed)
    fingerprint = _fingerprint(identity)
    if not overwrite and Path(output).exists():
        finished = _finished(output, fingerprint, skip_invalid)
        progress(len(names))
        return finished, []
    chunks = [list(names[i : i + CHUNK]) for i in range(0, len(names), CHUNK)]
    problems: list[str] = []
    with (
        OrderedPool(workers) as pool,
        UnfinishedFile(output, identity, restart=overwrite) as unfinished,
    ):
        progress(sum(len(chunks[number]) for number in unfinished.chunks))
        jobs = _jobs(chunks, convert, set(unfinished.chunks))
        fresh: dict[int, list[Record | str]] = {}
        for number, results in pool.imap(_convert_chunk, jobs):
            wrong = [result for result in results if isinstance(result, str)]
            if wrong:
                problems += wrong
                fresh[number] = results
            else:
                unfinished.append(number, results)
            progress(len(results))
        if problems and not skip_invalid:
            raise ConversionError(problems)
        records = [
            record
            for number in range(len(chunks))
            for record in fresh.get(number) or unfinished.chunks[number]
            if not isinstance(record, str)
        ]
        if not records:
            raise ConversionError(problems)
        document = assemble(records)
        block = document['info']['mmwsis']
        block.update(skipped_images=len(problems), fingerprint=fingerprint)
        atomic_write_json(output, document)
        unfinished.remove()
    return document, problems


def read_list(path: str | os.PathLike) -> list[str]:
    """Image names of a split file.

    Args:
        path: Text file with one name a line; what follows a blank is not read, so
            VOC's class lists and lists of image-label pairs serve, too. Folders and
            extensions (``/JPEGImages/2007_000032.jpg``) are cut off.

    Returns:
        The names, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty or lists a name twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: the list of images does not exist')
    try:
        lines = path.read_text(encoding='utf-8').split('\n')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: is no text file ({error})') from None
    names = [Path(line.split()[0]).stem for line in lines if line.strip()]
    try:
        _check_names(names)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    return names


def number_images(records: Sequence[Record]) -> None:
    """Give the images ids from 1 on, in the order of the records.

    Args:
        records: Their ``image`` is replaced.
    """
    for number, record in enumerate(records, 1):
        record['image'] = {'id': number, **record['image']}


def add_annotations(records: Iterable[Record]) -> Iterator[tuple[Record, Record]]:
    """Number images' objects through the whole document.

    Args:
        records: With ``image`` (an entry of ``images``) and ``objects`` (annotations
            without ids).

    Yields:
        Image entry and annotation, whose ids count from 1 in the order of records.
    """
    number = 0
    for record in records:
        for entry in record['objects']:
            number += 1
            yield (
                record['image'],
                {'id': number, 'image_id': record['image']['id'], **entry},
            )


def sum_notes(records: Iterable[Record]) -> dict[str, int]:
    """Add up what converters remarked about single images.

    Args:
        records: With ``notes``, a count by remark.

    Returns:
        Total by remark, those above 0.
    """
    total: Counter[str] = Counter()
    for record in records:
        total.update(record['notes'])
    return {note: count for note, count in total.items() if count}


def _fingerprint(identity: Mapping[str, Any]) -> str:
    text = json.dumps(dict(identity), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(
    output: str | os.PathLike, fingerprint: str, skip_invalid: bool
) -> dict[str, Any]:
    """The file that is there, if the same call has made it."""
    try:
        document = json.loads(Path(output).read_bytes())
        block = document['info']['mmwsis']
        same = block['fingerprint'] == fingerprint
        if same and (skip_invalid or not block['skipped_images']):
            return document
    except (ValueError, KeyError, TypeError):
        pass
    raise FileExistsError(
        f'{output} exists and was not made with these settings and images; give '
        'another name, or --overwrite to replace it'
    )


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ValueError('no image is listed')
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'image {twice[0]!r} is listed twice')


def _jobs(
    chunks: Sequence[list[str]], convert: Callable[[str], Record], done: set[int]
) -> Iterator[tuple[int, Callable[[str], Record], list[str]]]:
    for number, names in enumerate(chunks):
        if number not in done:
            yield number, convert, names


def _convert_chunk(
    job: tuple[int, Callable[[str], Record], list[str]],
) -> tuple[int, list[Record | str]]:
    """Records of a chunk; a broken image gives the reason instead."""
    number, convert, names = job
    results: list[Record | str] = []
    for name in names:
        try:
            results.append(convert(name))
        except (ValueError, OSError) as error:
            results.append(str(error))
    return number, results
