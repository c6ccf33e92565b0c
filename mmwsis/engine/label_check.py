"""Label files and the configs that read them: before training, and on their own."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmwsis.formats.checks import check_document
from mmwsis.formats.json_file import encoding_fault, read_json
from mmwsis.formats.validation import (
    IssueLog,
    Severity,
    ValidationReport,
    validate_file,
)
from mmwsis.formats.validation.image_files import check_image_files
from mmwsis.formats.validation.labels import LABEL_KEYS
from mmwsis.formats.validation.repairs import repair_coco
from mmwsis.structures.supervision import Supervision
from mmwsis.utils.fileio import atomic_write_json

from .label_reading import check_reading, check_some_images, is_training
from .preflight import (
    DatasetClasses,
    PreflightError,
    datasets_of,
    file_problems,
    model_problems,
)

# Read in a few seconds; larger files are for check_dataset.py.
CHEAP_MEGABYTES = 64
_TOOL = 'python tools/analysis_tools/check_dataset.py'
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def check_labels(
    cfg: Config,
    splits: Sequence[str] = ('train', 'val'),
    max_megabytes: float = CHEAP_MEGABYTES,
) -> None:
    """Check the label files of a run against the rules, on the first rank.

    Each file is judged at the level that its dataset reads, so a broken label that no
    loader sees stops nothing; at masks, masks are looked at. Of the image files, a
    sample is opened.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to look at: ``'train'``, ``'val'``, ``'test'``,
            ``'pseudo_label'``.
        max_megabytes: Larger files are left to the datasets of mmwsis, which check what
            they read, and to ``tools/analysis_tools/check_dataset.py``. Files of
            MMDetection's datasets, which do not, are checked whatever their size.

    Raises:
        PreflightError: Errors in a file; lists them by rule.
    """
    if any(os.environ.get(name, '0') != '0' for name in _RANKS):
        return
    for problem in label_problems(datasets_of(cfg, splits), max_megabytes):
        raise PreflightError(problem)


def label_problems(
    datasets: Sequence[DatasetClasses], max_megabytes: float = CHEAP_MEGABYTES
) -> Iterator[str]:
    """Find what breaks the rules in the label files of datasets.

    Args:
        datasets: Of :func:`~mmwsis.engine.preflight.datasets_of`.
        max_megabytes: As in :func:`check_labels`.

    Yields:
        The errors of each file, as one message.
    """
    done = set()
    for dataset in datasets:
        path, level = dataset.ann_file, dataset.supervision
        if path is None or level is None or not path.is_file():
            continue
        use = dataset.by_name, is_training(dataset), bool(dataset.evaluator)
        task = (path.resolve(), level, *use)
        too_large = path.stat().st_size > max_megabytes * 2**20
        if task in done or (too_large and dataset.by_name):
            continue
        done.add(task)
        if too_large:
            megabytes = path.stat().st_size / 2**20
            print_log(f'Checking {path} ({megabytes:.0f} MB)...', 'current')
        problem = _problem(dataset, Supervision.parse(level))
        if problem is not None:
            yield problem


def _problem(dataset: DatasetClasses, level: Supervision) -> str | None:
    """All errors of a file; its warnings are logged."""
    path = str(dataset.ann_file)
    try:
        report = validate_file(
            path,
            config_supervision=level,
            masks=level is Supervision.MASKS,
            leaks=False,
            keys=_readable(level),
            own_levels=dataset.by_name,
            max_examples=2,
        )
        check_reading(report, dataset)
        check_some_images(report, dataset)
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
        print_log(f'{path}: {named}. Shown by: {command}', 'current')
    return None


def _readable(level: Supervision) -> set[str] | None:
    if level is Supervision.MASKS:
        return None
    return {key for key, own in LABEL_KEYS.items() if own <= level}


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
        reading: Called with the share of the label file that has been read.
        looking: Called with the number of image files finished just now, and of all.

    Returns:
        The report.

    Raises:
        FileNotFoundError: There is no such file.
        NotADirectoryError: There is no such image folder.
        ValueError: The file is no COCO instances JSON, or the config cannot be read.
    """
    found = [] if cfg is None else datasets_of(cfg)
    readers = [dataset for dataset in found if _reads(dataset, path)]
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
