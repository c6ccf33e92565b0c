"""The report: a table for the console, Markdown, HTML and JSON with figures."""

import datetime
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmwsis.utils.collect_env import versions
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import MarkdownPage

from .durations import format_duration
from .report_classes import gather_classes, gather_worst
from .report_data import gather
from .report_page import fill_page, result_text, summary_rows, warning_lines
from .report_rounds import gather_rounds, rounds_lines
from .report_table import add_table, gather_table
from .stages import ReportStage

if TYPE_CHECKING:
    from .report_figures import Figure
    from .runner import PipelineRunner

# Mail takes about 10 MB, and base64 makes four bytes out of three.
_PICTURE_BYTES = 7_000_000


def write_report(runner: 'PipelineRunner', stage: ReportStage) -> None:
    """Write ``report.md``, ``.html``, ``.json`` and ``pictures/`` into the work dir.

    Args:
        runner: The runner, with the outcomes so far.
        stage: The report stage.
    """
    # Here, because figures bring MMDetection with them, and the table needs none.
    from .report_figures import draw_figures

    report = {**gather(runner, stage), 'rounds': gather_rounds(runner)}
    report['table'] = gather_table(runner, stage)
    report['classes'] = gather_classes(runner, stage)
    report['worst'] = gather_worst(runner, stage)
    report['versions'] = versions()
    now = datetime.datetime.now().astimezone()
    report['date'] = now.isoformat(timespec='seconds')
    figures = draw_figures(runner, stage)
    report['pictures'] = [vars(figure) for figure in figures]
    for figure in figures:
        if figure.problem:
            runner.say(f'figure not drawn: {figure.title}: {figure.problem}')
    folder = runner.work_dir
    atomic_write_json(folder / 'report.json', _finite(report), indent=1)
    atomic_write_text(folder / 'report.md', markdown(report, figures))
    write_html(report, figures, folder)


def write_html(report: dict[str, Any], figures: 'list[Figure]', folder: Path) -> Path:
    """Write a report as one HTML file, ``report.html``, to send around.

    Args:
        report: What ``report.json`` holds.
        figures: Its figures.
        folder: Of the report; the files of the figures are relative to it.

    Returns:
        The file.

    Raises:
        OSError: A figure cannot be read.
    """
    from mmwsis.visualization.html_page import HtmlPage

    share = _PICTURE_BYTES // max(len(figures), 1)
    page = HtmlPage(report['title'], contents=True, picture_bytes=share)
    fill_page(page, report, figures, folder)
    return page.write(folder / 'report.html')


def markdown(report: dict[str, Any], figures: 'list[Figure]') -> str:
    """Write a report as Markdown.

    Args:
        report: What ``report.json`` holds.
        figures: Its figures.

    Returns:
        The text; image links are relative.
    """
    page = MarkdownPage(report['title'], '.')
    fill_page(page, report, figures, Path())
    return page.text()


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
        rows.append((row['stage'], row['status'], time, result_text(row['result'])))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        '  '.join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[3]]).rstrip()
        for row in rows
    ]
    lines.insert(1, '-' * max(len(line) for line in lines))
    for name, value in summary_rows(report.get('summary', {})):
        lines.append(f'{name}: {value}')
    table = MarkdownPage('', '.')
    add_table(table, gather_table(runner, first))
    lines += table.body()
    for group in report['rounds']:
        lines += rounds_lines(group)
    lines += [f'warning: {line}' for line in warning_lines(report)]
    return '\n'.join(lines)


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold by ``None``."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
