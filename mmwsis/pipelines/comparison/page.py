"""The page of a comparison that people send around."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwsis.visualization.html_page import HtmlPage

from .results import cost_table, grouped, result_notes, results_table


def write_page(path: Path, results: Mapping[str, Any], figure: Path) -> Path:
    """Write figure, tables and costs as one HTML file.

    Args:
        path: The ``.html`` file.
        results: Of :func:`~mmwsis.pipelines.comparison.results.gather_results`.
        figure: Image file.

    Returns:
        ``path``.
    """
    page = HtmlPage(f'What each label buys: {results["dataset"]}')
    for text in result_notes(results):
        page.paragraph(text)
    page.picture(figure, _in_words(results))
    page.heading('Results')
    header, rows = results_table(results)
    page.table(
        *(header, rows, 'Figures in percent: mean over the seeds (range).'),
        text_columns=3,
        sortable=True,
    )
    page.heading('What the labels cost')
    page.table(*cost_table(results), text_columns=1)
    page.heading('Made by')
    page.code(results['command'])
    page.paragraph(results['versions'], 'soft')
    return page.write(path)


def _in_words(results: Mapping[str, Any]) -> str:
    """The figure, for those who cannot see it."""
    points = [
        f'{row["title"]} from {row["level"].replace("_", " ")}'
        f'{"" if row["budget_hours"] is None else " within equal hours"}: '
        f'{100 * sum(row["mask AP"]) / len(row["mask AP"]):.1f} '
        f'after {sum(row["hours"]) / len(row["hours"]):.2f} hours'
        for row in grouped(results)
        if row['mask AP']
    ]
    listed = '; '.join(points) or 'nothing is finished'
    return f'Mask AP of the final model against hours of annotation. {listed}.'
