"""A validation report as text for people and as JSON for scripts."""

from collections.abc import Iterator
from typing import Any

from .rule import Severity
from .summary import SIZE_BINS
from .validator import ValidationReport

_NAME_WIDTH = 24


def report_text(report: ValidationReport, max_classes: int = 20) -> str:
    """The report as plain text.

    Args:
        report: Of :func:`mmwsis.formats.validation.validate_file`.
        max_classes: Rows of the table of classes.

    Returns:
        Several lines, without a line end at the end.
    """
    if report.level_source == 'panoptic':
        counts = '{images} images, {segments} segments'.format(**report.summary)
        lines = [f'{report.path}: COCO panoptic file', '', counts, '']
        return '\n'.join([*lines, *_issue_lines(report), _verdict(report)])
    lines = [f'{report.path}: supervision {report.level_text()}', '']
    lines += _summary_lines(report.summary)
    lines += ['', *_class_lines(report.summary['classes'], max_classes), '']
    lines += _issue_lines(report)
    lines.append(_verdict(report))
    return '\n'.join(lines)


def report_json(report: ValidationReport) -> dict[str, Any]:
    """The report as a JSON-serialisable dictionary.

    Args:
        report: Of :func:`mmwsis.formats.validation.validate_file`.

    Returns:
        ``file``, ``supervision``, ``supervision_source``, ``counts`` by severity,
        ``findings`` (a list by rule: ``rule``, ``severity``, ``count``, ``statement``,
        ``advice``, ``fix``, ``examples``), ``summary``.
    """
    log = report.log
    return dict(
        file=report.path,
        supervision=None if report.level is None else report.level.label,
        supervision_source=report.level_source,
        counts={s.label: log.count_of(s) for s in reversed(Severity)},
        findings=[
            dict(
                rule=rule.name,
                severity=rule.severity.label,
                count=log.counts[rule.name],
                statement=rule.statement,
                advice=rule.advice,
                fix=rule.fix,
                examples=[
                    dict(
                        image_id=issue.image_id,
                        annotation_id=issue.annotation_id,
                        message=str(issue),
                    )
                    for issue in log.examples[rule.name]
                ],
            )
            for rule in log.rules()
        ],
        summary=report.summary,
    )


def _summary_lines(summary: dict[str, Any]) -> Iterator[str]:
    yield (
        f'{summary["images"]} images, {summary["objects"]} objects, '
        f'{summary["crowd"]} crowd regions; at most '
        f'{summary["most_objects_in_an_image"]} objects in an image'
    )
    sizes = summary['image_sizes']
    if sizes:
        smallest, largest = (
            f'{w} x {h}' for w, h in (sizes['smallest'], sizes['largest'])
        )
        span = smallest if smallest == largest else f'from {smallest} to {largest}'
        yield f'image size: {span}'
    labels = [f'{key} {count}' for key, count in summary['labels'].items() if count]
    if summary['images_with_tags']:
        labels.append(f'tags of {summary["images_with_tags"]} images')
    yield f'labels: {", ".join(labels) or "none"}'
    if summary['points_with_box']:
        yield (
            f'points outside their boxes: {summary["points_outside_their_boxes"]} of '
            f'{summary["points_with_box"]}'
        )
    scores = summary['scores']
    if scores:
        yield (
            '{points} points with a score, {lowest:.3f} to {highest:.3f}, median '
            '{median:.3f}; by tenths from 0: '.format(**scores)
            + ' '.join(map(str, scores['histogram']))
        )
    yield f'images without labels: {summary["images_without_labels"]}'


def _class_lines(classes: list[dict[str, Any]], limit: int) -> Iterator[str]:
    # Clicks and tags have no size.
    sized = any(row[key] for row in classes for key in SIZE_BINS)
    columns = ['objects', 'crowd', 'images', 'tagged', *(SIZE_BINS if sized else ())]
    yield f'{"class":{_NAME_WIDTH}}' + ''.join(f'{name:>10}' for name in columns)
    shown = sorted(classes, key=lambda row: -row['objects'])[:limit]
    for row in shown:
        name = row['name']
        if len(name) >= _NAME_WIDTH:
            name = name[: _NAME_WIDTH - 2] + '.'
        values = {**row, 'tagged': row['tagged_images']}
        yield f'{name:{_NAME_WIDTH}}' + ''.join(f'{values[key]:10}' for key in columns)
    if len(classes) > len(shown):
        rest = len(classes) - len(shown)
        yield f'... and {rest} more classes; --json lists all'
    empty = [
        row['name'] for row in classes if not (row['images'] or row['tagged_images'])
    ]
    if empty:
        yield f'classes without any label: {len(empty)} of {len(classes)}'


def _issue_lines(report: ValidationReport) -> Iterator[str]:
    log = report.log
    for rule in log.rules():
        count = log.counts[rule.name]
        yield f'{rule.severity.label.upper()} {rule.name} ({count}): {rule.statement}'
        examples = log.examples[rule.name]
        for issue in examples:
            yield f'    {issue}'
        if count > len(examples):
            yield f'    ... and {count - len(examples)} more'
        yield f'    -> {rule.advice}' + (f' --fix {rule.fix}.' if rule.fix else '')
        yield ''


def _verdict(report: ValidationReport) -> str:
    counts = {s: report.log.count_of(s) for s in reversed(Severity)}
    if not any(counts.values()):
        return 'No issues.'
    return ', '.join(
        f'{count} {severity.label}{"s" if count != 1 else ""}'
        for severity, count in counts.items()
    )
