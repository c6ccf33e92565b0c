"""The runner on fake tools: what runs, what is skipped, what is continued, and why."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mmwsis.pipelines import Selection, StageFailedError, manifest, runner
from mmwsis.pipelines.session import PipelineOptions, make_runner, print_plan

ALL_CALLS = [
    'convert',
    'train labeler from 0',
    'generate from epoch_2.pth',
    'quality',
    'train final from 0',
    'test',
    'train full from 0',
    'test',
]


def statuses(outcomes):
    return {name: outcome.status for name, outcome in outcomes.items()}


def test_runs_all_stages_then_none(toy):
    first = toy.run()
    assert set(statuses(first).values()) == {'ran'}
    assert toy.calls() == ALL_CALLS
    again = toy.run()
    assert set(statuses(again).values()) == {'unchanged'}
    assert toy.calls() == []


def test_changed_config_reruns_what_depends_on_it_only(toy):
    toy.run()
    toy.calls()
    toy.config('full', 2, ann_file='data/gt.txt')
    outcomes = toy.run()
    assert toy.calls() == ['train full from 0', 'test']
    assert 'setting config.train.epochs changed: 1 -> 2' in outcomes['full'].reason
    # The stale run was not mixed with the new one.
    aside = [p.name for p in (toy.root / 'work_dirs').glob('full.stale-*')]
    assert len(aside) == 1
    assert statuses(outcomes)['labeler'] == 'unchanged'


def test_changed_input_travels_down_and_stops_where_nothing_changes(toy):
    toy.run()
    toy.calls()
    # The converter uses the first word only: its output stays the same.
    (toy.root / 'data/gt.txt').write_text('one three')
    outcomes = toy.run()
    assert toy.calls() == ['convert', 'quality', 'train full from 0', 'test']
    assert 'input data/gt.txt changed' in outcomes['weak'].reason
    assert statuses(outcomes)['labeler'] == 'unchanged'
    (toy.root / 'data/gt.txt').write_text('seven')
    outcomes = toy.run()
    assert 'input data/weak.txt changed' in outcomes['labeler'].reason


def test_seed_reaches_every_training_and_makes_it_run_again(toy):
    toy.run(seed=3)
    again = toy.run(seed=3)
    assert set(statuses(again).values()) == {'unchanged'}
    toy.calls()
    outcomes = toy.run(seed=4)
    trained = [call for call in toy.calls() if call.startswith('train')]
    assert trained == [f'train {name} from 0' for name in ('labeler', 'final', 'full')]
    assert 'config.randomness.seed changed: 3 -> 4' in outcomes['labeler'].reason
    runner = make_runner(PipelineOptions('pipeline.py', seed=4))
    commands = {stage.name: job.command for stage, job, _ in runner.plan()}
    assert commands['full'][-2:] == ['--cfg-options', 'randomness.seed=4']
    assert 'randomness.seed=4' not in commands['labels'] + commands['full_test']


def test_missing_and_tampered_outputs_are_remade(toy):
    toy.run()
    toy.calls()
    (toy.root / 'data/weak.txt').unlink()
    assert 'output data/weak.txt is missing' in toy.run()['weak'].reason
    assert toy.calls() == ['convert']
    (toy.root / 'data/pseudo.json').write_text('{}')
    outcomes = toy.run()
    assert 'was changed by something else' in outcomes['labels'].reason
    assert toy.calls() == ['generate from epoch_2.pth']


def test_changed_code_is_noted_and_runs_nothing_again(toy, monkeypatch):
    package = toy.root / 'package'
    package.mkdir()
    (package / 'a.py').write_text('')
    monkeypatch.setattr(manifest, 'PACKAGE_DIR', package)
    monkeypatch.setattr(runner, 'code_version', manifest.code_version)
    toy.run()
    toy.calls()
    assert 'code changed' not in plan()
    (package / 'zz_new.py').write_text('')
    (package / 'a.py').write_text('x = 1')
    with (toy.tools / 'convert.py').open('a') as file:
        file.write('# changed\n')
    note = 'unchanged; code changed since: mmwsis/a.py, mmwsis/zz_new.py'
    assert f'labels (generate): {note} (--force labels runs it again)' in plan()
    assert f'weak (command): {note}, tools/convert.py (--force weak' in plan()
    assert set(statuses(toy.run()).values()) == {'unchanged'}
    assert toy.calls() == []
    assert 'code changed since: mmwsis/a.py, mmwsis/zz_new.py (--force' in toy.said
    # A forced stage runs on today's code; what it made is the same, so no other runs.
    outcomes = toy.run(forced=['weak'])
    assert toy.calls() == ['convert']
    assert outcomes['weak'].reason == 'forced'
    text = plan()
    assert 'weak (command): unchanged\n' in text
    assert f'labels (generate): {note}' in text


def test_stages_behind_a_forced_one_run_when_it_comes_out_different(toy):
    toy.run()
    toy.calls()
    convert = toy.tools / 'convert.py'
    convert.write_text(convert.read_text().replace('.split()[0]', '.split()[1]'))
    text = plan(forced=('weak',))
    assert 'weak (command): would run, because forced' in text
    assert (
        "labeler (train): would run, because its input comes from ['weak'] "
        '(unless that stays the same)'
    ) in text
    assert 'full (train): unchanged' in text
    outcomes = toy.run(forced=['weak'])
    assert toy.calls() == ALL_CALLS[:3]  # the labels are the same again
    assert 'input data/weak.txt changed' in outcomes['labeler'].reason


def plan(**selection):
    """What ``--list`` prints."""
    said = []
    options = PipelineOptions('pipeline.py', selection=Selection(**selection))
    print_plan(options, commands=False, say=said.append)
    return '\n'.join(said)


def test_training_killed_by_signal_nine_is_continued(toy):
    (toy.root / 'die').touch()
    with pytest.raises(StageFailedError) as failure:
        toy.run()
    text = str(failure.value)
    assert "Stage 'labeler' ended with status -9" in text
    assert 'tools/train.py labeler.py' in text
    assert 'epoch 1' in text  # the end of its log
    outcomes = toy.run()
    assert statuses(outcomes)['labeler'] == 'resumed'
    assert 'train labeler from 1' in toy.calls()
    log = (toy.root / 'work_dirs/pipelines/toy/logs/labeler.log').read_text()
    assert 'epoch 1' in log and 'epoch 2' in log


def test_killed_training_of_other_config_starts_anew(toy):
    (toy.root / 'die').touch()
    with pytest.raises(StageFailedError):
        toy.run()
    toy.config('labeler', 3, ann_file='data/weak.txt')
    toy.calls()
    outcomes = toy.run()
    assert statuses(outcomes)['labeler'] == 'ran'
    assert 'it failed; setting config.train.epochs' in outcomes['labeler'].reason
    assert 'train labeler from 0' in toy.calls()
    assert list((toy.root / 'work_dirs').glob('labeler.stale-*'))


def test_runner_killed_by_signal_nine_leaves_nothing_running(toy):
    (toy.root / 'hang').touch()
    driver = toy.root / 'driver.py'
    driver.write_text(
        'import sys\nfrom pathlib import Path\n'
        'from mmwsis.pipelines import jobs\n'
        'from mmwsis.pipelines.session import PipelineOptions, run_pipeline\n'
        "jobs.find_tool = lambda n: Path('tools', n.removeprefix('tools/')).resolve()\n"
        "run_pipeline(PipelineOptions('pipeline.py'))\n"
    )
    process = subprocess.Popen([sys.executable, str(driver)], stdout=subprocess.DEVNULL)
    checkpoint = toy.root / 'work_dirs/labeler/last_checkpoint'
    wait_for(checkpoint.exists)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (toy.root / 'hang').unlink()
    manifest = json.loads(
        (toy.root / 'work_dirs/pipelines/toy/manifest.json').read_text()
    )
    assert manifest['stages']['labeler']['status'] == 'running'
    # The lock, which the orphan would keep, is free: the stage died with the runner.
    wait_for(lambda: try_run(toy))
    assert 'train labeler from 1' in toy.calls()
    assert 'because it was interrupted' in toy.said


def try_run(toy):
    try:
        return toy.run()
    except RuntimeError as error:
        assert 'already running' in str(error)
        return None


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'timed out'
        time.sleep(0.05)


def test_failing_stage_says_how_to_continue(toy):
    (toy.tools / 'convert.py').write_text(
        "print('reading')\nraise SystemExit('image 7 is broken')\n"
    )
    with pytest.raises(StageFailedError) as failure:
        toy.run()
    text = str(failure.value)
    for part in ("Stage 'weak' ended with status 1", 'convert.py data/gt.txt',
                 '| image 7 is broken', 'logs/weak.log', 'give the same'):  # fmt: skip
        assert part in text
    assert toy.calls() == []


def test_stage_that_writes_nothing_fails(toy):
    (toy.tools / 'convert.py').write_text('')
    with pytest.raises(StageFailedError, match='did not write data/weak.txt'):
        toy.run()


def test_missing_input_names_the_stage_that_makes_it(toy):
    with pytest.raises(StageFailedError, match=r"'labeler' makes it"):
        toy.run(only=['labels'])
    (toy.root / 'data/gt.txt').unlink()
    with pytest.raises(StageFailedError, match=r'No stage of the pipeline makes it'):
        toy.run(only=['weak'])


def test_selection(toy):
    toy.run(last='labels')
    assert toy.calls() == ALL_CALLS[:3]
    outcomes = toy.run(first='final', last='final_test')
    assert toy.calls() == ['train final from 0', 'test']
    assert outcomes['quality'].status == 'left out'
    toy.run(only=['quality'])
    assert toy.calls() == ['quality']
    toy.run(only=['weak'], forced=['weak'])
    assert toy.calls() == ['convert']
    with pytest.raises(ValueError, match=r"No such stage: \['lables'\]"):
        toy.run(only=['lables'])


def test_plan_runs_nothing_and_shows_commands(toy):
    said = []
    print_plan(PipelineOptions('pipeline.py'), commands=True, say=said.append)
    text = '\n'.join(said)
    assert toy.calls() == []
    assert '2. labeler (train): would run, because it has not run yet' in text
    assert "work_dirs/labeler/<last checkpoint>' --out data/pseudo.json" in text
    toy.run()
    toy.config('labeler', 1, ann_file='data/weak.txt')
    text = plan()
    assert 'weak (command): unchanged' in text
    assert 'labels (generate): would run, because setting config.train.epochs' in text
    assert "final (train): would run, because its input comes from ['labels']" in text
    assert 'full (train): unchanged' in text


def test_printed_command_runs_by_hand(toy):
    toy.run()
    line = next(line for line in toy.lines if line.startswith('$') and 'train' in line)
    toy.calls()
    # The short name stands where it means this Python, the path elsewhere.
    python, arguments = line[2:].split(' ', 1)
    assert python in ('python', sys.executable)
    command = f'{sys.executable} {arguments}'
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    assert toy.calls() == ['train labeler from 0']


def test_results_made_by_hand_can_be_adopted(toy):
    toy.run()
    (toy.root / 'work_dirs/pipelines/toy/manifest.json').unlink()
    for stamp in toy.root.glob('work_dirs/*/pipeline_stage.json'):
        stamp.unlink()
    toy.calls()
    options, lines = PipelineOptions('pipeline.py', adopt=('weak', 'labeler')), []
    print_plan(options, commands=False, say=lines.append)  # as --list says it
    assert any('labeler (train): unchanged' in line for line in lines)
    assert not (toy.root / 'work_dirs/pipelines/toy/manifest.json').exists()
    # What an earlier run noted beside its checkpoint, of other settings, is no matter.
    toy.run(adopt=('weak', 'labeler'))
    stamp = toy.root / 'work_dirs/labeler/pipeline_stage.json'
    noted = json.loads(stamp.read_text())
    stamp.write_text(json.dumps({**noted, 'config': {'other': 1}}))
    (toy.root / 'work_dirs/pipelines/toy/manifest.json').unlink()
    lines.clear()
    print_plan(options, commands=False, say=lines.append)
    assert any('labeler (train): unchanged' in line for line in lines)
    toy.calls()
    outcomes = toy.run(adopt=('labeler', 'final', 'full'))
    assert statuses(outcomes)['labeler'] == 'unchanged'
    assert not [call for call in toy.calls() if call.startswith('train')]
    runner = make_runner(PipelineOptions('pipeline.py'), print)
    (toy.root / 'work_dirs/full/last_checkpoint').unlink()
    with pytest.raises(ValueError, match="'full' cannot be adopted"):
        runner.adopt(['full'])


def test_pipelines_share_a_training_run(toy):
    toy.run()
    toy.calls()
    text = (toy.root / 'pipeline.py').read_text()
    (toy.root / 'pipeline.py').write_text(text.replace("toy'", "other'"))
    outcomes = toy.run()
    assert statuses(outcomes)['full'] == 'unchanged'
    assert not [call for call in toy.calls() if call.startswith('train')]
    assert not list((toy.root / 'work_dirs').glob('*.stale-*'))


def test_report_and_summary(toy):
    toy.run()
    folder = toy.root / 'work_dirs/pipelines/toy'
    report = json.loads((folder / 'report.json').read_text())
    assert report['summary']['retention'] == pytest.approx(75)
    assert report['summary']['quality'] == {'class-mean IoU, all': 0.8}
    text = (folder / 'report.md').read_text()
    unknown = '75.0 % (noise floor not measured: --baseline-seeds 3 measures it)'
    assert f'| retention | {unknown} |' in text
    assert '![Training curves of labeler](pictures/curves_labeler.png)' in text
    assert (folder / 'pictures/curves_labeler.png').stat().st_size > 1000
    assert f'retention: {unknown}' in toy.said
    assert 'mask AP 0.3' in toy.said


def test_broken_manifest_is_refused(toy):
    file = toy.root / 'work_dirs/pipelines/toy/manifest.json'
    file.parent.mkdir(parents=True)
    file.write_text('{"format": 1')
    with pytest.raises(ValueError, match='cannot be read'):
        toy.run()
    file.write_text('{"format": 1, "pipeline": "other", "stages": {}}')
    with pytest.raises(ValueError, match="belongs to pipeline 'other'"):
        toy.run()
