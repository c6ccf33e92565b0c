"""Further runs of the fully-supervised baseline: the noise floor of retention."""

import json

import pytest

from mmwsis.pipelines.baseline_runs import repeat_baseline
from mmwsis.pipelines.report import markdown
from mmwsis.pipelines.session import PipelineOptions, make_runner, print_plan


def test_report_has_the_range_over_the_seeds(toy):
    outcomes = toy.run(baseline_seeds=2)
    names = ['full', 'full_test', 'full_run2', 'full_test_run2', 'report']
    assert list(outcomes)[-5:] == names
    folder = toy.root / 'work_dirs/pipelines/toy'
    summary = json.loads((folder / 'report.json').read_text())['summary']
    assert summary['retention'] == pytest.approx(100 * 0.3 / 0.45)
    assert summary['full_runs'] == [{'mask AP': 0.4}, {'mask AP': 0.5}]
    assert summary['comparison'][0]['noise_floor'] == pytest.approx(
        [80 / 0.9, 100 / 0.9]
    )
    text = (folder / 'report.md').read_text()
    assert '| retention | 66.7 % (baseline seeds: 88.9–111.1 %) |' in text
    assert '| mask AP, trained on full masks | 45.0 (mean; seeds: 40.0–50.0) |' in text
    for name in ('retention', 'curves_full'):
        assert f'](pictures/{name}.png)' in text
        assert (folder / 'pictures' / f'{name}.png').stat().st_size > 1000
    assert 'curves_full_run2' not in text


def test_a_difference_within_the_floor_is_called_so(toy):
    file = toy.root / 'tools/test.py'
    file.write_text(file.read_text().replace('0.3 if', '0.41 if'))
    toy.run(baseline_seeds=2)
    assert 'seeds: 88.9–111.1 %; the difference is within the noise floor)' in toy.said


def test_runs_are_kept_and_have_seeds_and_folders_of_their_own(toy):
    toy.run()
    toy.calls()
    outcomes = toy.run(baseline_seeds=2)
    ran = [name for name, outcome in outcomes.items() if outcome.status == 'ran']
    assert ran == ['full_run2', 'full_test_run2', 'report']
    assert (toy.root / 'work_dirs/full_run2/last_checkpoint').is_file()
    assert toy.calls() == ['train full from 0', 'test']
    outcomes = toy.run(baseline_seeds=2)
    assert {outcome.status for outcome in outcomes.values()} == {'unchanged'}
    # The name in the file means all runs.
    outcomes = toy.run(baseline_seeds=2, forced=['full'])
    ran = [name for name, outcome in outcomes.items() if outcome.status == 'ran']
    assert ran[:2] == ['full', 'full_run2']
    lines = []
    options = PipelineOptions('pipeline.py', seed=7, baseline_seeds=3)
    print_plan(options, commands=True, say=lines.append)
    seeds = [line.split()[-1] for line in lines if 'train.py full.py' in line]
    assert seeds == [f'randomness.seed={seed}' for seed in (7, 8, 9)]


def test_number_in_the_file_and_in_its_fast_form(toy):
    text = (toy.root / 'pipeline.py').read_text()
    text = text.replace("title='A toy',", "title='A toy', baseline_seeds=2,")
    (toy.root / 'pipeline.py').write_text(
        text.replace('fast=dict(', 'fast=dict(baseline_seeds=1, ')
    )

    def runs(**options: object) -> int:
        runner = make_runner(PipelineOptions('pipeline.py', **options))
        return sum(name.startswith('full_test') for name in runner.names)

    assert runs() == 2
    assert runs(fast=True) == 1
    assert runs(fast=True, baseline_seeds=3) == 3


@pytest.mark.parametrize('number', [0, -1, 1.5, True, 'two'])
def test_impossible_numbers(number):
    with pytest.raises(
        ValueError, match='p.py: baseline_seeds must be an integer >= 1'
    ):
        repeat_baseline([], number, 'p.py')


@pytest.mark.parametrize('checkpoint', [None, 'other.pth'])
def test_a_baseline_that_is_not_trained_here(checkpoint):
    train = dict(name='full', type='train', config='full.py')
    test = dict(name='full_test', type='test', config='full.py', checkpoint=checkpoint)
    report = dict(name='report', type='report', weak='final_test', full='full_test')
    entries = [*([train] if checkpoint else []), test, report]
    assert repeat_baseline(entries, 1, 'p.py') == entries
    with pytest.raises(ValueError, match="no stage trains what 'full_test' tests"):
        repeat_baseline(entries, 2, 'p.py')
    # Without a baseline there is nothing to repeat.
    alone = [dict(report, full=None)]
    assert repeat_baseline(alone, 2, 'p.py') == alone


def test_a_run_that_is_still_missing_is_left_out(toy):
    toy.run()
    runner = make_runner(PipelineOptions('pipeline.py', baseline_seeds=2))
    report = json.loads((runner.work_dir / 'report.json').read_text())
    assert len(report['summary']['full_runs']) == 1
    assert 'not measured' in markdown(report, [])
