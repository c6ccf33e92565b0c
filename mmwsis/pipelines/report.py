"""The report: a table for the console, Markdown and JSON with figures."""

import datetime
import math
from typing import TYPE_CHECKING, Any

from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table

from .durations import format_duration
from .launch import shown
from .report_data import gather, shown_figure
from .report_rounds import gather_rounds, rounds_lines, rounds_section
from .report_table import gather_table, table_section
from .stages import ReportStage

if TYPE_CHECKING:
    from .report_figures import Figure
    from .runner import PipelineRunner

_FAST_NOTE = (
    'A `--fast` run: it shows that everything works; its numbers say nothing about '
    'the method.'
)


def write_report(runner: 'PipelineRunner', stage: ReportStage) -> None:
    """Write ``report.md``, ``report.json`` and ``pictures/`` into the work dir.

    Args:
        runner: The runner, with the outcomes so far.
        stage: The report stage.
    """
    # Here, because figures bring MMDetection with them, and the table needs none.
    from .report_figures import draw_figures

    report = {**gather(runner, stage), 'rounds': gather_rounds(runner)}
    report['table'] = gather_table(runner, stage)
    now = datetime.datetime.now().astimezone()
    report['date'] = now.isoformat(timespec='seconds')
    figures = draw_figures(runner, stage)
    report['pictures'] = [vars(figure) for figure in figures]
    for figure in figures:
        if figure.problem:
            runner.say(f'figure not drawn: {figure.title}: {figure.problem}')
    atomic_write_json(runner.work_dir / 'report.json', _finite(report), indent=1)
    atomic_write_text(runner.work_dir / 'report.md', markdown(report, figures))


def markdown(report: dict[str, Any], figures: 'list[Figure]') -> str:
    """Write a report as Markdown.

    Args:
        report: As of :func:`~mmwsis.pipelines.report_data.gather`.
        figures: Its figures.

    Returns:
        The text; image links are relative.
    """
    lines = [f'# {report["title"]}', '', f'Written {report.get("date", "")}.', '']
    if report['fast']:
        lines += [_FAST_NOTE, '']
    summary = _summary_rows(report.get('summary', {}))
    if summary:
        lines += ['## Result', '', markdown_table(['measure', 'value'], summary), '']
    lines += table_section(report.get('table'))
    for group in report.get('rounds', []):
        lines += rounds_section(group)
    rows = [
        (
            *(row['stage'], row['type'], format_duration(row['seconds'])),
            _result_text(row['result']),
        )
        for row in report['stages']
        if row['type'] != 'report'
    ]
    header = ['stage', 'type', 'time', 'result']
    lines += ['## Stages', '', markdown_table(header, rows), '']
    warnings = _warning_lines(report)
    if warnings:
        lines += ['## Warnings', '', *(f'- {line}' for line in warnings), '']
    for figure in figures:
        lines += [f'## {figure.title}', '']
        if figure.problem:
            lines += [f'Not drawn: {figure.problem}', '']
        else:
            lines += [f'![{figure.title}]({figure.file})', '']
    lines += ['## Commands', '', f'Run in `{report["root"]}`.', '', '```bash']
    lines += [shown(row['command']) for row in report['stages'] if row['command']]
    return '\n'.join([*lines, '```', ''])


def console_table(runner: 'PipelineRunner') -> str:
    """Sum a run up for the console.

    Args:
        runner: The runner after its run.

    Returns:
        One line per stage, and the comparison of weak and full supervision.
    """
    reports = [s for s in runner.pipeline.stages if isinstance(s, ReportStage)]
    first = reports[0] if reports else None
    report = gather(runner, first)
    report['rounds'] = gather_rounds(runner)
    rows = [('stage', 'status', 'time', 'result')]
    for row in report['stages']:
        time = format_duration(row['seconds'])
        rows.append((row['stage'], row['status'], time, _result_text(row['result'])))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        '  '.join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[3]]).rstrip()
        for row in rows
    ]
    lines.insert(1, '-' * max(len(line) for line in lines))
    for name, value in _summary_rows(report.get('summary', {})):
        lines.append(f'{name}: {value}')
    lines += table_section(gather_table(runner, first))
    for group in report['rounds']:
        lines += rounds_lines(group)
    lines += [f'warning: {line}' for line in _warning_lines(report)]
    return '\n'.join(lines)


def _warning_lines(report: dict[str, Any]) -> list[str]:
    return [
        f'{row["stage"]}: {warning}'
        for row in report['stages']
        for warning in row.get('warnings', [])
    ]


def _summary_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each result, for people."""
    rows = []
    runs = summary.get('full_runs', [])
    corrections = summary.get('corrections', {})
    minutes = corrections.get('minutes of correction', 0)
    titles = dict(
        weak=summary.get('trained_on'),
        corrected=f'corrected labels, {minutes:.0f} minutes of correction',
        full='full masks',
    )
    for key, title in titles.items():
        for name, value in summary.get(key, {}).items():
            text = shown_figure(name, value)
            if key == 'full' and len(runs) > 1:
                values = [run[name] for run in runs]
                ends = [shown_figure(name, end(values)) for end in (min, max)]
                text += f' (mean; seeds: {"–".join(ends)})'
            rows.append((f'{name}, trained on {title}', text))
    if summary.get('retention') is not None:
        rows.append(('retention', _retention_text(summary['comparison'][0])))
    for name, value in summary.get('quality', {}).items():
        rows.append((name, shown_figure(name, value)))
    return rows


def _retention_text(row: dict[str, Any]) -> str:
    """Retention with its noise floor."""
    if row['noise_floor'] is None:
        floor = 'noise floor not measured: --baseline-seeds 3 measures it'
    else:
        low, high = row['noise_floor']
        floor = f'baseline seeds: {low:.1f}–{high:.1f} %'
    if row['within_noise']:
        floor += '; the difference is within the noise floor'
    return f'{row["retention"]:.1f} % ({floor})'


def _result_text(result: dict[str, float]) -> str:
    parts = []
    for name, value in result.items():
        number = str(value) if isinstance(value, int) else f'{value:.3g}'
        parts.append(f'{name} {number}')
    return ', '.join(parts)


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold by ``None``."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
