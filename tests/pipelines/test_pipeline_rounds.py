"""Stages that are repeated: how they are written out, run, continued and reported."""

import json
import re
from pathlib import Path

import pytest

from mmwsis.pipelines import Selection, StageFailedError, load_pipeline
from mmwsis.pipelines.session import PipelineOptions, make_runner, print_plan

ROUNDS = """
pipeline = dict(
    name='toy', title='A toy', work_dir='work_dirs/pipelines/toy',
    stages=[
        dict(name='start', type='command',
             command=['tools/convert.py', 'data/gt.txt', 'data/labels_0.json'],
             inputs=['data/gt.txt'], outputs=['data/labels_0.json']),
        dict(name='refine', type='rounds', rounds=3, first=dict(labels='{out:start}'),
             stages=[
                 dict(name='network', type='train', config='network.py',
                      cfg_options={'train.ann_file': '{previous:labels}',
                                   'load_from': '{previous_checkpoint:network}'}),
                 dict(name='labels', type='generate', config='network.py',
                      out='data/labels_{round}.json', cfg_options={'merge': True}),
                 dict(name='labels_quality', type='quality', pseudo='{out:labels}',
                      gt='data/gt.txt'),
                 dict(name='network_test', type='test', config='network.py'),
             ]),
        dict(name='final', type='train', config='final.py',
             cfg_options={'train.ann_file': '{out:labels}',
                          'load_from': '{checkpoint:network}'}),
        dict(name='final_test', type='test', config='final.py'),
        dict(name='last_test', type='test', config='network.py'),
        dict(name='report', type='report', weak='network_test', full='final_test',
             quality='labels_quality'),
    ],
    fast=dict(refine=dict(rounds=2), network=dict(epochs=1)),
)
"""
# Labels are the checkpoint's text and their options; quality and metrics count epochs.
GENERATE = """
import json, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--out') + 1])
Path('calls.txt').open('a').write(f'generate {out.name} from {sys.argv[2]}\\n')
text = open(sys.argv[2]).read() + ' '.join(sys.argv[3:])
out.write_text(json.dumps({'annotations': [{'weights': text}]}))
"""
QUALITY = """
import json, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--out-dir') + 1])
Path('calls.txt').open('a').write(f'quality {out.name}\\n')
out.mkdir(parents=True, exist_ok=True)
value = {'1': 0.5, '2': 0.75, '3': 0.7}.get(sys.argv[1][-6], 0.1)
(out / 'quality.json').write_text(json.dumps({'class_mean_iou': {'all': value}}))
(out / 'quality.md').write_text('fine')
"""
ONE_ROUND = ('train', 'generate', 'quality', 'test')


@pytest.fixture
def refining(toy):
    """The toy project with a pipeline of three rounds."""
    (toy.root / 'pipeline.py').write_text(ROUNDS)
    (toy.tools / 'generate_pseudo_labels.py').write_text(GENERATE)
    (toy.tools / 'analysis_tools/pseudo_label_quality.py').write_text(QUALITY)
    toy.config('network', 2, ann_file='')
    toy.config('final', 1, ann_file='')
    return toy


def plan(**options):
    """What ``--list`` prints."""
    said = []
    print_plan(PipelineOptions('pipeline.py', **options), False, said.append)
    return said


def stage_of(name, **options):
    """A stage and its job, as a run would start it."""
    runner = make_runner(PipelineOptions('pipeline.py', **options))
    (stage,) = [one for one in runner.pipeline.stages if one.name == name]
    return stage, runner.factory.make(stage)


def ran(outcomes):
    return [name for name, one in outcomes.items() if one.status in ('ran', 'resumed')]


def edit(toy, old, new):
    file = toy.root / 'pipeline.py'
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_each_round_reads_the_one_before(refining):
    names = [
        one.name for one in make_runner(PipelineOptions('pipeline.py')).pipeline.stages
    ]
    assert names[:6] == ['start', 'network@1', 'labels@1', 'labels_quality@1',
                         'network_test@1', 'network@2']  # fmt: skip
    assert len(names) == 17
    first, job = stage_of('network@1')
    # There is no network before the first: its option is left out.
    assert first.cfg_options == {'train.ann_file': 'data/labels_0.json'}
    assert str(job.train_dir) == 'work_dirs/network/round1'
    assert job.command[3:5] == ['--work-dir', 'work_dirs/network/round1']
    third, job = stage_of('network@3')
    assert third.cfg_options == {
        'train.ann_file': 'data/labels_2.json',
        'load_from': '{checkpoint:network@2}',
    }
    assert 'load_from=work_dirs/network/round2/<last checkpoint>' in job.command
    labels, job = stage_of('labels@2')
    assert labels.out == 'data/labels_2.json'
    assert job.command[3] == 'work_dirs/network/round2/<last checkpoint>'
    assert stage_of('labels_quality@2')[0].pseudo == 'data/labels_2.json'
    final, job = stage_of('final')  # after the group, the last round is meant
    assert final.cfg_options['train.ann_file'] == 'data/labels_3.json'
    assert final.cfg_options['load_from'] == '{checkpoint:network@3}'
    assert stage_of('last_test')[1].command[3].startswith('work_dirs/network/round3/')
    report, _ = stage_of('report')
    assert (report.weak, report.full) == ('network_test@3', 'final_test')
    assert report.quality == 'labels_quality@3'
    assert stage_of('network@2', fast=True)[0].cfg_options['epochs'] == 1


def test_what_only_a_next_round_reads_is_not_made_in_the_last(refining):
    edit(refining, 'rounds=3', "rounds=3, for_next=['labels', 'labels_quality']")
    edit(refining, "'{out:labels}',\n                          ", "'start.json', ")
    edit(refining, "quality='labels_quality'", 'quality=None')
    stages = {one.name: one for one in load_pipeline(Path('pipeline.py')).stages}
    assert list(stages)[1:8] == ['network@1', 'labels@1', 'labels_quality@1',
                                 'network_test@1', 'network@2', 'labels@2',
                                 'labels_quality@2']  # fmt: skip
    assert 'labels@3' not in stages and 'network_test@3' in stages
    assert stages['network@3'].cfg_options['train.ann_file'] == 'data/labels_2.json'
    one = load_pipeline(Path('pipeline.py'), rounds=1)
    assert [stage.name for stage in one.stages][:4] == [
        *('start', 'network@1', 'network_test@1', 'final')
    ]


def test_stages_without_weights_and_numbers_of_rounds(toy):
    """A refinement of maps, and labels of a network that is trained once."""
    (toy.root / 'pipeline.py').write_text("""
pipeline = dict(name='toy', stages=[
    dict(name='labeler', type='train', config='labeler.py'),
    dict(name='refine', type='rounds', rounds=2, first=dict(maps='data/maps'), stages=[
        dict(name='maps', type='generate', config='refiner.py', has_weights=False,
             cfg_options={'folder': '{previous:maps}', 'seed': '{round}',
                          'name': '{round} of {rounds}'}, out='data/maps_{round}'),
        dict(name='labels', type='generate', config='labeler.py',
             out='data/{round}.json')]),
    dict(name='show', type='command', command=['ls', '{out:maps@1}', '{out:maps}'])])
""")
    toy.config('refiner', 1, folder='')
    stage, job = stage_of('maps@2')
    assert stage.cfg_options == dict(folder='data/maps_1', seed=2, name='2 of 2')
    assert job.command[2:5] == ['refiner.py', '--out', 'data/maps_2']
    assert 'seed=2' in job.command and 'folder=data/maps_1' in job.command
    assert stage_of('maps@1')[0].cfg_options['folder'] == 'data/maps'
    assert stage_of('labels@2')[1].command[3].startswith('work_dirs/labeler/<last')
    assert stage_of('show')[0].command == ('ls', 'data/maps_1', 'data/maps_2')


def test_rounds_run_once(refining):
    outcomes = refining.run(last='last_test')
    calls = refining.calls()
    assert [call.split()[0] for call in calls[1:13]] == 3 * list(ONE_ROUND)
    assert (
        calls[2] == 'generate labels_1.json from work_dirs/network/round1/epoch_2.pth'
    )
    assert len(ran(outcomes)) == len(outcomes) - 1  # no report
    assert 'network@2 (train), round 2 of 3: runs' in refining.said
    assert refining.run(last='last_test')['labels@2'].status == 'unchanged'
    assert refining.calls() == []


def test_killed_in_a_round_and_continued(refining):
    refining.run(last='refine@1')
    refining.calls()
    (refining.root / 'die').touch()
    with pytest.raises(StageFailedError, match=r"'network@2' ended .* -9") as failure:
        refining.run()
    assert '--force network@2 starts it anew' in str(failure.value)
    outcomes = refining.run(last='refine')
    assert outcomes['network@2'].status == 'resumed'
    assert outcomes['labels@1'].status == 'unchanged'
    calls = refining.calls()
    assert calls[:3] == ['train network from 0', 'train network from 1',
                         'generate labels_2.json from '
                         'work_dirs/network/round2/epoch_2.pth']  # fmt: skip


def test_what_changes_in_a_round_runs_from_there(refining):
    refining.run(last='refine')
    edit(refining, '             ]),\n', "             ],\n"
         "             from_round={2: dict(labels={'merge': False})}),\n")  # fmt: skip
    lines = plan()
    assert any('labels@1 (generate): unchanged' in line for line in lines)
    assert any('network@2 (train): unchanged' in line for line in lines)
    reason = 'setting config.merge changed: true -> false'
    wanted = f'  7.   labels@2 (generate): would run, because {reason}'
    assert any(line.startswith(wanted) for line in lines)
    assert any("network@3 (train): would run, because its input comes from "
               "['labels@2']" in line for line in lines)  # fmt: skip
    outcomes = refining.run(last='labels')
    assert ran(outcomes)[:4] == [
        'labels@2', 'labels_quality@2', 'network@3', 'labels@3']  # fmt: skip
    assert outcomes['labels@2'].reason.startswith(reason)
    assert stage_of('labels@3')[0].cfg_options == {'merge': False}


def test_more_rounds_run_only_those(refining):
    refining.run(rounds=1, last='last_test')
    refining.calls()
    outcomes = refining.run(rounds=2, last='last_test')
    # The final model's weights come out the same, so it is not tested again.
    assert ran(outcomes) == [
        *('network@2', 'labels@2', 'labels_quality@2', 'network_test@2'),
        *('final', 'last_test'),
    ]
    refining.calls()
    refining.run(rounds=1, last='last_test')  # the final model goes back to round 1
    left = 'refine: round 2 of an earlier run stays on disk unused'
    assert left in refining.said and any(left in line for line in plan(rounds=1))
    assert 'network@2' not in refining.said
    refining.calls()
    refining.run(rounds=2, last='last_test')
    assert refining.calls() == ['train final from 0', 'test']


@pytest.mark.parametrize(
    ('names', 'picked'),
    [
        (['labels@2'], ['labels@2']),
        (['refine@2'], ['network@2', 'labels@2', 'labels_quality@2', 'network_test@2']),
        (['labels'], ['labels@1', 'labels@2', 'labels@3']),
        (['labels@3', 'start'], ['start', 'labels@3']),
    ],
)
def test_names_on_the_command_line(refining, names, picked):
    runner = make_runner(
        PipelineOptions(
            'pipeline.py', selection=Selection(only=tuple(names), forced=tuple(names))
        )
    )
    assert list(runner.selection.only) == list(runner.selection.forced) == picked


def test_ranges_and_unknown_names(refining):
    stages = load_pipeline(refining.root / 'pipeline.py').stages
    selection = Selection(first='refine@2', last='labels').resolved(stages)
    assert (selection.first, selection.last) == ('network@2', 'labels@3')
    group = Selection(first='refine', last='refine').resolved(stages)
    assert (group.first, group.last) == ('network@1', 'network_test@3')
    message = r"No such stage: \['labels@4'\].*'labels'.*refine@1 to refine@3"
    with pytest.raises(ValueError, match=message):
        Selection(only=('labels@4',)).resolved(stages)


def test_plan_groups_rounds(refining):
    text = '\n'.join(plan())
    assert '     refine, round 2 of 3\n  6.   network@2 (train): would run' in text
    assert 'nothing stands in the way' in text
    refining.run(last='refine@1')
    text = '\n'.join(plan())
    assert re.search(r'refine, round 1 of 3: took [\d.]+ s\n', text)
    assert 'refine, round 2 of 3\n' in text
    refining.run(last='network@2')
    assert ' s so far\n' in '\n'.join(plan())


MISTAKES = [
    ("first=dict(labels='{out:start}'),", '', r'previous:labels.*first=dict\(labels='),
    ('{previous:labels}', '{previous:label}', "the stages of 'refine' are"),
    ('{previous:labels}', '{previous:network}', 'has {previous_checkpoint:network}'),
    ('{previous_checkpoint:network}', '{previous_checkpoint:labels}',
     'has {previous:labels}'),
    ('labels_{round}.json', 'labels.json', 'writes data/labels.json in round 1 and'),
    ("type='train', config='network.py'", "type='train', config='n.py', work_dir='w'",
     "'network' writes w in round 1 and in round 2"),
    ('rounds=3', 'rounds=0', 'rounds must be an integer >= 1, got 0'),
    ('rounds=3', 'rounds=-1', 'got -1'),
    ('rounds=3', 'rounds=2.0', 'got 2.0'),
    ('rounds=3', 'rounds=True', 'got True'),
    ('rounds=3, ', '', 'got None'),
    ("name='labels_quality', type", "name='start', type", r"are named \['start'\]"),
    ("name='network_test'", "name='refine'", r"are named \['refine'\]"),
    ("name='network_test'", "name='a@2'", r"named \['a@2'\].*Choose other names"),
    ('rounds=3', 'rouds=3', r"unknown keys \['rouds'\]"),
    ('rounds=3', 'rounds=3, from_round={0: {}}', r'got \{0: \{\}\}'),
    ('rounds=3', 'rounds=3, from_round=[2]', 'must be a dict with rounds as keys'),
    ('rounds=3', "rounds=3, from_round={2: dict(label={})}", 'names of its stages'),
    ('first=dict(labels', 'first=dict(label', 'first must be a dict by names'),
    ('rounds=3', "rounds=3, for_next=['label']", r"for_next names \['label'\], its st"),
    ("type='test', config='network.py'),\n             ]",
     "type='report'),\n             ]", r"found type \['report'\]"),
    ("config='final.py'", "config='f{round}.py'", 'only stages of an entry of type'),
]  # fmt: skip


@pytest.mark.parametrize(('old', 'new', 'message'), MISTAKES)
def test_mistakes_are_found_on_reading(refining, old, new, message):
    edit(refining, old, new)
    with pytest.raises(ValueError, match=message):
        load_pipeline(refining.root / 'pipeline.py')


def test_rounds_option_needs_a_group(toy):
    with pytest.raises(ValueError, match='--rounds is for a pipeline with one entry'):
        toy.run(rounds=2)


def test_training_in_the_folder_of_another(refining):
    edit(refining, "type='train', config='final.py'",
         "type='train', config='final.py', work_dir='work_dirs/network'")  # fmt: skip
    with pytest.raises(StageFailedError, match='lies in work_dirs/network, that of st'):
        refining.run()
    assert refining.calls() == []


def test_report_shows_rounds(refining):
    refining.run()
    folder = refining.root / 'work_dirs/pipelines/toy'
    text = (folder / 'report.md').read_text()
    for part in ('## Rounds of refine', 'reads the last round, 3.',
                 '| measure | round 1 | round 2 | round 3 | best |',
                 '| class-mean IoU, all | 50.0 | 75.0 | 70.0 | round 2 |',
                 '| mask AP | 40.0 | 40.0 | 40.0 | – |',
                 '](pictures/rounds_refine.png)'):  # fmt: skip
        assert part in text
    assert text.count('Training curves of network') == 2  # a title and a text
    report = json.loads((folder / 'report.json').read_text())
    shown = [one['title'] for one in report['pictures'] if not one['problem']]
    assert {'Curves over the rounds of refine', 'Training curves of network'} <= set(
        shown
    )
    (group,) = report['rounds']
    assert list(group['seconds']) == ['1', '2', '3']
    assert group['measures'][0]['best'] == 2
    assert (folder / 'pictures/curves_network.png').stat().st_size > 1000
    assert 'refine, class-mean IoU, all, by round: 1: 50.0, 2: 75.0' in refining.said
    # What the last round is worth is what counts in the summary.
    assert report['summary']['quality'] == {'class-mean IoU, all': 0.7}
    assert report['summary']['retention'] == pytest.approx(400 / 3)
