"""Label files and the configs that read them: before training, and on their own."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsis.formats.checks import check_document
from mmwsis.formats.json_file import encoding_fault, read_json
from mmwsis.formats.validation import (
    IssueLog,
    PanopticFileError,
    Severity,
    ValidationReport,
    validate_file,
)
from mmwsis.formats.validation.image_files import check_image_files
from mmwsis.formats.validation.panoptic import validate_panoptic
from mmwsis.formats.validation.repairs import repair_coco
from mmwsis.structures.supervision import Supervision
from mmwsis.utils.fileio import atomic_write_json

from .label_files import CHEAP_MEGABYTES, LabelFiles
from .label_reading import check_reading, is_training
from .preflight import (
    DatasetClasses,
    datasets_of,
    file_problems,
    model_problems,
)

_TOOL = 'python tools/analysis_tools/check_dataset.py'


def label_problems(
    datasets: Sequence[DatasetClasses], files: LabelFiles | None = None
) -> Iterator[str]:
    """Find what breaks the rules in the label files of datasets.

    Each file is judged at the level that its dataset reads, so a broken label that no
    loader sees stops nothing; at masks, masks are looked at. Of the image files that
    are there, a sample is opened. Large files are left to the datasets of mmwsis, which
    check what they read, and to ``tools/analysis_tools/check_dataset.py``; those of
    MMDetection's datasets, which do not, are checked whatever their size.

    Args:
        datasets: Of :func:`~mmwsis.engine.preflight.datasets_of`.
        files: What has been read already; takes what is read. Defaults to nothing.

    Yields:
        The errors of each file, as one message.
    """
    files = LabelFiles() if files is None else files
    done = set()
    for dataset in datasets:
        path, level = dataset.ann_file, dataset.supervision
        if path is None or not path.is_file():
            continue
        if level is None:
            problem = _panoptic_problem(dataset, files)
            if problem is not None:
                yield problem
            continue
        use = dataset.by_name, is_training(dataset), bool(dataset.evaluator)
        task = (path.resolve(), level, *use)
        too_large = path.stat().st_size > CHEAP_MEGABYTES * 2**20
        if task in done or (too_large and dataset.by_name):
            continue
        done.add(task)
        problem = _problem(dataset, Supervision.parse(level), files)
        if problem is not None:
            yield problem


def _problem(
    dataset: DatasetClasses, level: Supervision, files: LabelFiles
) -> str | None:
    """All errors of a file; its warnings are logged."""
    path = str(dataset.ann_file)
    try:
        report = files.report(dataset, level)
        check_reading(report, dataset)
    except (ValueError, OSError) as error:
        return f'{dataset.where}: {error}'
    log = report.log
    if level is Supervision.IMAGE_TAGS:
        # No annotation is read at this level, only which classes there are.
        log.discard(('annotation-id', 'annotation-id-duplicate'))
    command = f'{_TOOL} {path} --supervision {level.label}'
    if report.failed():
        return (
            f'{dataset.where} reads {path} at supervision {level.label!r}, and this '
            f'file has errors:\n{_brief(log)}\nEverything about it: {command}'
        )
    warnings = [rule for rule in log.rules() if rule.severity is Severity.WARNING]
    if warnings:
        named = ', '.join(f'{rule.name} ({log.counts[rule.name]})' for rule in warnings)
        files.warn(f'{path}: {named}. Shown by: {command}')
    return None


def _panoptic_problem(dataset: DatasetClasses, files: LabelFiles) -> str | None:
    """All errors of the panoptic file that a panoptic dataset reads."""
    kind = str((dataset.config or {}).get('type'))
    prefix = ((dataset.config or {}).get('data_prefix') or {}).get('seg')
    if not kind.endswith('CocoPanopticDataset') or not prefix or '://' in prefix:
        return None
    path = str(dataset.ann_file)
    folder = os.path.join(dataset.config.get('data_root') or '', prefix)
    try:
        log = files.panoptic_report(path, folder).log
    except (ValueError, OSError) as error:
        return f'{dataset.where}: {error}'
    if log.first_error is None:
        return None
    return f'{dataset.where} reads {path}, and this file has errors:\n{_brief(log)}'


def _brief(log: IssueLog) -> str:
    lines = []
    for rule in log.rules():
        if rule.severity is Severity.ERROR:
            examples = log.examples[rule.name]
            lines += [f'  {rule.name}: {issue}' for issue in examples]
            more = log.counts[rule.name] - len(examples)
            lines += [f'  {rule.name}: and {more} more'] if more else []
            lines.append(f'  -> {rule.advice}')
    return '\n'.join(lines)


def check_dataset(
    path: str,
    *,
    cfg: Config | None = None,
    supervision: 'str | Supervision | None' = None,
    images: str | os.PathLike | None = None,
    workers: int = 1,
    decode: bool = True,
    masks: bool = True,
    max_examples: int = 5,
    panoptic_dir: str | os.PathLike | None = None,
    reading: Callable[[float], None] | None = None,
    looking: Callable[[int, int], None] | None = None,
) -> ValidationReport:
    """Check a label file against all rules, a config, and its images.

    Args:
        path: COCO JSON.
        cfg: Config that reads it; classes and ``num_classes`` are compared.
        supervision: Level that the file is claimed to have.
        images: Image folder; None: image files are not looked at.
        workers: Processes for the image files, >= 1.
        decode: Decode image files to their end.
        masks: Check ``segmentation`` too.
        max_examples: Examples kept per rule.
        panoptic_dir: Folder of the PNGs of a panoptic file. Defaults to the one of the
            file's name beside it.
        reading: Called with the share of the label file that has been read.
        looking: Called with the number of image files finished just now, and of all.

    Returns:
        The report.

    Raises:
        FileNotFoundError: There is no such file.
        NotADirectoryError: There is no such image folder, or no folder of PNGs.
        ValueError: The file is no COCO JSON, a panoptic one is claimed to have a level,
            or the config cannot be read.
    """
    found = [] if cfg is None else datasets_of(cfg)
    readers = [dataset for dataset in found if _reads(dataset, path)]
    try:
        report = validate_file(
            path,
            supervision=supervision,
            config_supervision=readers[0].supervision if readers else None,
            masks=masks,
            own_levels=not readers or readers[0].by_name,
            max_examples=max_examples,
            progress=reading,
        )
        if cfg is not None:
            _compare(report, cfg, found, readers)
    except PanopticFileError:
        if supervision is not None:
            raise
        folder = os.fspath(panoptic_dir or Path(path).with_suffix(''))
        report = validate_panoptic(path, folder, sys.maxsize, max_examples)
    if images is not None:
        total = sum(name is not None for name in report.images.files)
        check_image_files(
            report.images,
            images,
            report.log,
            workers=workers,
            decode=decode,
            progress=None if looking is None else lambda n: looking(n, total),
        )
    return report


def _reads(dataset: DatasetClasses, path: str) -> bool:
    file = dataset.ann_file
    return file is not None and file.is_file() and os.path.samefile(file, path)


def _compare(
    report: ValidationReport,
    cfg: Config,
    found: Sequence[DatasetClasses],
    readers: Sequence[DatasetClasses],
) -> None:
    log = report.log
    if not readers:
        files = sorted({str(item.ann_file) for item in found if item.ann_file})
        said = ', '.join(files) or 'no file'
        name = cfg.filename or 'the config'
        log.add('config-other-file', f'{name} reads {said}.')
    for dataset in readers or found[:1]:
        for problem in file_problems(dataset, report.categories, report.path):
            if problem.rule != 'category-duplicate':  # Found in the file already.
                log.add(problem.rule, problem.message)
        if readers:
            check_reading(report, dataset)
        unused = [name for name in report.categories if name not in dataset.names]
        if unused and not log.counts['config-classes']:
            text = f'{dataset.where} does not read {", ".join(map(repr, unused))}.'
            log.add('config-unused-category', text)
    for problem in model_problems(cfg, found):
        log.add(problem.rule, problem.message)


def repair_file(
    path: str,
    out: str | os.PathLike,
    overwrite: bool = False,
    max_examples: int = 5,
    images: str | None = None,
) -> IssueLog:
    """Write a copy of a label file with the unambiguous repairs.

    Args:
        path: COCO JSON.
        out: File to write, in one step.
        overwrite: Replace an existing file.
        max_examples: Examples kept per rule.
        images: Image folder, for repairs of sizes. Defaults to None, no such repairs.

    Returns:
        What was changed, under the name of the rule that was broken.

    Raises:
        FileExistsError: ``out`` exists and ``overwrite`` is off.
        ValueError: ``out`` is the input, or an entry cannot be written as JSON.
    """
    target = Path(out)
    if target.exists() and os.path.samefile(path, target):
        raise ValueError(f'--fix {out} would overwrite the input; give another name.')
    if target.exists() and not overwrite:
        raise FileExistsError(
            f'{out} exists; give another name or --overwrite to replace it.'
        )
    coco: dict[str, Any] = read_json(path)
    check_document(coco, path)
    done = repair_coco(coco, max_examples, images)
    fault = encoding_fault(Path(path).read_bytes())
    if fault:
        done.add('file-encoding', fault)
    try:
        atomic_write_json(target, coco)
    except ValueError:
        raise ValueError(
            f'{out} was not written: {path} holds NaN or infinity, which are no JSON. '
            'Remove the entries that the report names first.'
        ) from None
    return done
