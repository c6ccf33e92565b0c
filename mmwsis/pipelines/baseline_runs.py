"""Further runs of the fully-supervised baseline, which differ in their seed.

Their range is the noise floor of retention. With three runs, ``full_supervision`` and
``full_test`` are followed by ``full_supervision_run2``, ``full_test_run2``,
``full_supervision_run3`` and ``full_test_run3``, and the report knows of them.
"""

from collections.abc import Sequence
from typing import Any

from .stages import ReportStage, TestStage, TrainStage

Entry = dict[str, Any]


def repeat_baseline(entries: Sequence[Entry], runs: int, where: str) -> list[Entry]:
    """Write further runs of the baseline out.

    Args:
        entries: Entries of single stages.
        runs: How often the baseline is trained and tested, with the first.
        where: Pipeline file, for messages.

    Returns:
        The entries with those of the further runs behind the first. Without a report
        that compares with a baseline there are none.

    Raises:
        ValueError: The number of runs is none, or the baseline is not trained here.
    """
    if not isinstance(runs, int) or isinstance(runs, bool) or runs < 1:
        raise ValueError(
            f'{where}: baseline_seeds must be an integer >= 1, got {runs!r}.'
        )
    expanded = list(entries)
    for report in entries:
        full = report.get('full')
        if runs == 1 or report.get('type') != ReportStage.kind or full is None:
            continue
        names = [entry['name'] for entry in expanded]
        if full not in names:
            continue  # refused with all the report's other stages
        at = names.index(full)
        pair = [_training(expanded[:at], expanded[at], where), expanded[at]]
        copies = [
            {**entry, 'name': f'{entry["name"]}_run{run}', 'run': run}
            for run in range(2, runs + 1)
            for entry in pair
        ]
        expanded[at + 1 : at + 1] = copies
        tests = [copy['name'] for copy in copies if copy['type'] == TestStage.kind]
        place = next(i for i, entry in enumerate(expanded) if entry is report)
        expanded[place] = {**report, 'full_runs': tests}
    return expanded


def _training(before: Sequence[Entry], test: Entry, where: str) -> Entry:
    """The stage that trains what a test stage tests."""
    for entry in reversed(before):
        same = entry.get('config') == test.get('config')
        if same and entry.get('type') == TrainStage.kind and not test.get('checkpoint'):
            return entry
    raise ValueError(
        f'{where}: the baseline cannot be trained with several seeds: no stage trains '
        f'what {test["name"]!r} tests. Use baseline_seeds=1 (--baseline-seeds 1).'
    )
