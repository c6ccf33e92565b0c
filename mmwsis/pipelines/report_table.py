"""One table of several tested models, with a paper's figures beside them."""

from typing import TYPE_CHECKING, Any

from mmwsis.formats.coco_file import read_json

from .report_data import shown_figure, stage_result
from .stages import ReportStage

if TYPE_CHECKING:
    from .report_page import Page
    from .runner import PipelineRunner


def gather_table(
    runner: 'PipelineRunner', stage: ReportStage | None
) -> dict[str, Any] | None:
    """Fill the table of a report stage with what its test stages have measured.

    Args:
        runner: The runner, as far as it has got.
        stage: The report stage.

    Returns:
        ``title``, ``metrics`` and ``rows``: dicts of ``method``, ``labels``, ``images``
        (how many the label file lists, None without one), ``ours`` and ``paper``, one
        figure for each metric: shares and errors, and the paper's as it prints them,
        None where not known. None where the stage has no table.
    """
    if stage is None or not stage.table:
        return None
    table, by_name = stage.table, {one.name: one for one in runner.pipeline.stages}
    rows = []
    for row in table['rows']:
        test = row.get('test')
        record = runner.manifest.stages.get(test)
        finished = record is not None and record.status == 'finished'
        found = stage_result(runner, by_name[test]) if finished else {}
        file = runner.root / row['file'] if row.get('file') else None
        images = (
            len(read_json(str(file))['images']) if file and file.is_file() else None
        )
        rows.append(
            dict(
                method=row['method'],
                labels=row['labels'],
                images=images,
                ours=[found.get(metric) for metric in table['metrics']],
                paper=list(row.get('paper') or [None] * len(table['metrics'])),
            )
        )
    return dict(title=table['title'], metrics=list(table['metrics']), rows=rows)


def add_table(page: 'Page', table: dict[str, Any] | None) -> None:
    """Add the table to a page.

    Args:
        page: The page.
        table: Of :func:`gather_table`; nothing is added without one.
    """
    if table is None:
        return
    names = table['metrics']
    header = ['method', 'labels', 'images', *names, *(f'paper {one}' for one in names)]
    rows = [
        [
            *(row['method'], row['labels']),
            '–' if row['images'] is None else row['images'],
            *(_cell(name, value) for name, value in zip(names, row['ours'])),
            *('–' if value is None else value for value in row['paper']),
        ]
        for row in table['rows']
    ]
    page.heading(table['title'])
    page.table(header, rows, text_columns=2)


def _cell(name: str, value: float | None) -> str:
    return '–' if value is None else shown_figure(name, value)
