"""The content of a report's page, the same in Markdown and in HTML."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .durations import format_duration
from .launch import shown
from .report_classes import add_classes, worst_rows
from .report_data import shown_figure
from .report_rounds import add_rounds
from .report_table import add_table

if TYPE_CHECKING:
    from mmwsis.utils.markdown import MarkdownPage
    from mmwsis.visualization.html_page import HtmlPage

    from .report_figures import Figure

    Page: TypeAlias = HtmlPage | MarkdownPage

_FAST_NOTE = (
    'A `--fast` run: it shows that everything works; its numbers say nothing about '
    'the method.'
)


def fill_page(
    page: 'Page', report: dict[str, Any], figures: 'Sequence[Figure]', folder: Path
) -> None:
    """Write a report onto a page.

    Args:
        page: The page, empty.
        report: What ``report.json`` holds.
        figures: Its figures.
        folder: Where the report lies: their files are relative to it.
    """
    if report['fast']:
        page.paragraph(_FAST_NOTE, kind='note')
    lead = _lead(report.get('summary', {}))
    if lead and not report['fast']:
        page.paragraph(lead, kind='lead')
    page.paragraph(f'Written {report.get("date", "")}.', kind='soft')
    summary = summary_rows(report.get('summary', {}))
    if summary:
        page.heading('Result')
        page.table(['measure', 'value'], summary)
    add_table(page, report.get('table'))
    for group in report.get('rounds', []):
        add_rounds(page, group)
    warnings = warning_lines(report)
    if warnings:
        page.heading('Warnings')
        page.listing(warnings, kind='note')
    add_classes(page, report.get('classes'))
    rest = _add_worst(page, report.get('worst', []), figures, folder)
    _add_stages(page, report['stages'])
    if rest:
        page.heading('Figures')
    for figure in rest:
        page.heading(figure.title, level=3)
        _add_figure(page, figure, folder)
    _add_origin(page, report)


def _add_worst(
    page: 'Page',
    worst: Sequence[dict[str, Any]],
    figures: 'Sequence[Figure]',
    folder: Path,
) -> 'list[Figure]':
    """Add the worst labels with their figures; returns the other figures."""
    own = [one for one in figures if one.shows_worst]
    if worst or own:
        page.heading('Worst labels')
    if worst:
        page.paragraph(
            'Without ground truth, those that earn the least confidence: look at these '
            'first. `review_list.py` shows them.'
            if 'confidence' in worst[0]
            else 'Those whose mask agrees least with ground truth: correct these first.'
        )
    for figure in own:
        if len(own) > 1:
            page.heading(figure.title, level=3)
        _add_figure(page, figure, folder)
    if worst:
        page.table(*worst_rows(worst))
    return [one for one in figures if one not in own]


def _add_figure(page: 'Page', figure: 'Figure', folder: Path) -> None:
    if figure.problem:
        page.paragraph(f'Not drawn: {figure.problem}')
    else:
        page.picture(folder / figure.file, figure.title)


def _add_stages(page: 'Page', stages: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            *(row['stage'], row['type'], format_duration(row['seconds'])),
            result_text(row['result']),
        )
        for row in stages
        if row['type'] != 'report'
    ]
    page.heading('Stages')
    page.table(['stage', 'type', 'time', 'result'], rows)
    total = format_duration(sum(row['seconds'] for row in stages))
    page.paragraph(f'All stages together: {total}.')


def _add_origin(page: 'Page', report: dict[str, Any]) -> None:
    """Add what it takes to come to the same result: versions and commands."""
    versions = report.get('versions', {})
    if versions:
        page.heading('Versions')
        page.paragraph('On the machine that wrote this report.')
        page.table(['what', 'version'], versions.items())
    page.heading('Commands')
    page.paragraph(f'Run in `{report["root"]}`.')
    commands = [shown(row['command']) for row in report['stages'] if row['command']]
    page.code('\n'.join(commands))


def _lead(summary: dict[str, Any]) -> str:
    """The result in one sentence."""
    weak, compared = summary.get('weak'), summary.get('comparison')
    if not weak:
        return ''
    name = compared[0]['metric'] if compared else next(iter(weak))
    text = f'Trained on {summary["trained_on"]}, the final model reaches '
    text += f'{name} {shown_figure(name, weak[name])}'
    if not compared or compared[0]['retention'] is None:
        return f'{text}.'
    full = shown_figure(name, compared[0]['full'])
    kept = f'{compared[0]["retention"]:.1f}\N{NO-BREAK SPACE}%'
    return f'{text}: {kept} of the {full} with full masks.'


def warning_lines(report: dict[str, Any]) -> list[str]:
    """What stages warned of.

    Args:
        report: What ``report.json`` holds.

    Returns:
        A line each, with the stage.
    """
    return [
        f'{row["stage"]}: {warning}'
        for row in report['stages']
        for warning in row.get('warnings', [])
    ]


def summary_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each result, for people.

    Args:
        summary: Of :func:`~mmwsis.pipelines.report_data.gather`; may be empty.
    """
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


def result_text(result: dict[str, float]) -> str:
    """Write the key numbers of a stage in one line.

    Args:
        result: Name -> value.
    """
    parts = []
    for name, value in result.items():
        number = str(value) if isinstance(value, int) else f'{value:.3g}'
        parts.append(f'{name} {number}')
    return ', '.join(parts)
