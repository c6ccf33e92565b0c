"""What a report says of stages that are repeated: the same numbers, round by round."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mmwsis.evaluation.counting import is_error

from .durations import format_duration
from .report_data import shown_figure, stage_result
from .stages import QualityStage, Stage, TestStage

if TYPE_CHECKING:
    from .report_page import Page
    from .runner import PipelineRunner

# Of which neither more nor less is better.
_UNRATED = ('ignored pixels of maps',)


def gather_rounds(runner: 'PipelineRunner') -> list[dict[str, Any]]:
    """Collect the numbers of repeated stages.

    Args:
        runner: The runner, as far as it has got.

    Returns:
        For each group its ``name``, number of rounds ``total``, ``seconds`` of the
        rounds that have run (round -> wall-clock time) and ``measures``: dicts of
        ``stage``, ``name``, ``values`` (round -> fraction, or objects per image of an
        error of counts) and ``best``, the first round with the best value.
    """
    groups: dict[str, dict[str, Any]] = {}
    found: dict[tuple[str, ...], dict[int, float]] = {}
    for stage in _repeated(runner.pipeline.stages):
        place, record = stage.round, runner.manifest.stages.get(stage.name)
        empty = dict(name=place.group, total=place.total, seconds={}, measures=[])
        group = groups.setdefault(place.group, empty)
        if record is None:
            continue
        seconds = group['seconds'].get(place.number, 0.0) + record.seconds
        group['seconds'][place.number] = round(seconds, 1)
        if record.status != 'finished':
            continue
        if isinstance(stage, (QualityStage, TestStage)):
            for name, value in stage_result(runner, stage).items():
                key = place.group, place.stage, name
                found.setdefault(key, {})[place.number] = value
    for (group, stage, name), values in found.items():
        best = (min if is_error(name) else max)(values, key=values.get)
        measure = dict(stage=stage, name=name, values=values, best=best)
        groups[group]['measures'].append(measure)
    return list(groups.values())


def _repeated(stages: Iterable[Stage]) -> list[Stage]:
    return [stage for stage in stages if stage.round is not None]


def add_rounds(page: 'Page', group: dict[str, Any]) -> None:
    """Add what is known of a group to a page.

    Args:
        page: The page.
        group: Of :func:`gather_rounds`.
    """
    numbers = range(1, group['total'] + 1)
    header = ['measure', *(f'round {number}' for number in numbers), 'best']
    rows = []
    for one in group['measures']:
        cells = [_shown(one, number) for number in numbers]
        rows.append([_title(group, one), *cells, _best(one)])
    times = [group['seconds'].get(number) for number in numbers]
    shown = ['–' if one is None else format_duration(one) for one in times]
    rows.append(['time', *shown, ''])
    page.heading(f'Rounds of {group["name"]}')
    page.paragraph(f'What follows these stages reads the last round, {group["total"]}.')
    page.table(header, rows, text_columns=1)


def rounds_lines(group: dict[str, Any]) -> list[str]:
    """Sum a group up for the console, a line for each measure.

    Args:
        group: Of :func:`gather_rounds`.
    """
    lines = []
    for one in group['measures']:
        values = ', '.join(f'{n}: {_shown(one, n)}' for n in one['values'])
        title = f'{group["name"]}, {_title(group, one)}'
        lines.append(f'{title}, by round: {values} (best: {_best(one)})')
    return lines


def _title(group: dict[str, Any], measure: dict[str, Any]) -> str:
    """Name of a measure, with its stage where another one measures the same."""
    same = [one for one in group['measures'] if one['name'] == measure['name']]
    return measure['name'] + (f' ({measure["stage"]})' if len(same) > 1 else '')


def _best(measure: dict[str, Any]) -> str:
    """The round with the best value, where that says anything."""
    values = measure['values'].values()
    if measure['name'] in _UNRATED or len(set(values)) == 1 < len(values):
        return '–'
    return f'round {measure["best"]}'


def _shown(measure: dict[str, Any], number: int) -> str:
    """Write the value of a round, where it is known."""
    value = measure['values'].get(number)
    return '–' if value is None else shown_figure(measure['name'], value)
