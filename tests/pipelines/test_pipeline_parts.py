"""Launch lines, hashes, config files, logs: the runner's parts on their own."""

import argparse
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import DictAction

from mmwsis.engine.data_spec import load_data_spec
from mmwsis.pipelines import report_rounds
from mmwsis.pipelines.data_paths import fit_to_data_root
from mmwsis.pipelines.definition import load_pipeline
from mmwsis.pipelines.jobs import JobFactory
from mmwsis.pipelines.launch import Launch, option_arguments, shown
from mmwsis.pipelines.locate import find_config, find_tool
from mmwsis.pipelines.manifest import FileHasher, code_version
from mmwsis.pipelines.process import last_lines, run_logged
from mmwsis.pipelines.report import markdown
from mmwsis.pipelines.report_data import (
    compared,
    final_metrics,
    label_warnings,
    shown_figure,
    stage_result,
    training_measures,
)
from mmwsis.pipelines.stages import GenerateStage, Round, TestStage
from mmwsis.utils.config_files import files_named_in
from mmwsis.utils.hashing import flatten_settings
from mmwsis.utils.markdown import MarkdownPage


def test_launch_lines(monkeypatch):
    script, args = Path('tools/train.py'), ['c.py']
    assert Launch().wrap(script, args) == [sys.executable, 'tools/train.py', 'c.py']
    torchrun = Launch('pytorch', 2).wrap(script, args)
    assert torchrun[1:4] == ['-m', 'mmwsis.engine.torchrun', '--nproc_per_node=2']
    assert torchrun[-2:] == ['--launcher', 'pytorch']
    monkeypatch.setenv('PARTITION', 'gpu')
    monkeypatch.setenv('SRUN_ARGS', '--qos "a b"')
    slurm = Launch('slurm', 16).wrap(script, args)
    assert slurm[:3] == ['srun', '-p', 'gpu']
    assert '--ntasks=16' in slurm and '--ntasks-per-node=8' in slurm
    assert slurm[slurm.index('--qos') + 1] == 'a b'
    with pytest.raises(ValueError, match='need --launcher'):
        Launch('none', 2)
    monkeypatch.setenv('NNODES', '2')
    with pytest.raises(ValueError, match='one machine only'):
        Launch('pytorch', 2)


def test_shown_quotes():
    assert shown(['echo', 'a b']) == "echo 'a b'"


def test_option_arguments_survive_the_tools_parser():
    options = {
        'train_cfg.max_iters': 3,
        'optim_wrapper.optimizer.lr': 1e-3,
        'model.test_cfg.mask_thr': (0.3, 0.3, 0.3),
        'a.b': [1, [2, 3]],
        'flag': True,
        'nothing': None,
        'name': 'work_dirs/x/epoch_1.pth',
        'nested': dict(x=1, y=dict(z='t')),
    }
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    parsed = vars(parser.parse_args(option_arguments(options)))['cfg_options']
    nested = options.pop('nested')
    assert parsed == {**options, 'nested.x': nested['x'], 'nested.y.z': 't'}
    assert option_arguments({}) == []
    for value in ('a,b', '3', [dict(x=1)], {}, ''):
        with pytest.raises(ValueError, match='cfg_options'):
            option_arguments({'key': value})


def test_files_named_in_a_config(tmp_path):
    for name in ('data/ann.json', 'w/a.pth', 'data/out.json'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    settings = dict(
        loader=dict(dataset=dict(data_root='data/', ann_file='ann.json')),
        model=[dict(init_cfg=dict(checkpoint='w/a.pth')), 'https://x.y/z.pth'],
        wsis=dict(produces='data/out.json'),
        data_spec=dict(data_root='data', train=dict(ann_file='out.json')),
        missing='data/none.json',
    )
    assert files_named_in(settings, tmp_path, 'index.json') == [
        Path('data/ann.json'),
        Path('w/a.pth'),
    ]


def test_hasher_notices_content_and_remembers(tmp_path):
    file = tmp_path / 'a'
    file.write_text('1')
    hasher = FileHasher(tmp_path / 'cache.json')
    first = hasher(file)
    hasher.save()
    assert FileHasher(tmp_path / 'cache.json')(file) == first
    file.write_text('2')
    os.utime(file, ns=(1, 1))
    assert hasher(file) != first
    assert hasher(tmp_path / 'none') is None
    folder = hasher(tmp_path)
    (tmp_path / 'b').touch()
    assert hasher(tmp_path) != folder


def test_code_version_leaves_figures_out(tmp_path):
    version = code_version([find_tool('run_pipeline.py')], FileHasher(tmp_path / 'c'))
    assert 'mmwsis/registry.py' in version and 'tools/run_pipeline.py' in version
    assert not [name for name in version if 'visualization/' in name]


def test_flatten_settings_names_leaves():
    flat = flatten_settings({'a': {'b': [1, 2]}, 'c': [{'d': 1}, 'x'], 'e': {}})
    assert flat == {'a.b': '[1, 2]', 'c.0.d': '1', 'c.1': '"x"', 'e': '{}'}


def test_locate_says_where_it_looked(tmp_path):
    with pytest.raises(FileNotFoundError, match='neither in .*tools nor in'):
        find_tool('tools/nothing.py')
    with pytest.raises(FileNotFoundError, match='nothing.py'):
        find_config('nothing.py', tmp_path)
    with pytest.raises(FileNotFoundError, match='configs/exits/nothing.py'):
        find_config('mmwsis::exits/nothing.py', tmp_path)
    assert find_config('mmdet::solov2/solov2_r50_fpn_1x_coco.py', tmp_path).is_file()


def test_output_is_logged_with_its_redrawn_lines(tmp_path, capsys):
    log = tmp_path / 'log'
    code = "import sys; print('one'); sys.stderr.write('10%\\r100%\\n'); sys.exit(3)"
    assert run_logged([sys.executable, '-c', code], log, tmp_path) == 3
    assert sorted(last_lines(log)) == ['100%', 'one']
    assert 'one' in capsys.readouterr().out
    run_logged([sys.executable, '-c', "print('two')"], log, tmp_path, append=True)
    assert last_lines(log, 1) == ['two']
    assert last_lines(tmp_path / 'none') == []


def test_metrics_for_people():
    metrics = {'coco/segm_mAP': 0.3, 'coco/segm_mAP_50': 0.5, 'coco/segm_mAP_s': -1}
    weak = final_metrics(metrics)
    assert weak == {'mask AP': 0.3, 'AP50': 0.5}
    assert final_metrics({'lvis/segm_AP': 0.2}) == {'mask AP': 0.2}
    assert compared(weak, [{'mask AP': 0.4}])[0].retention == pytest.approx(75)
    assert compared(weak, [{'mask AP': 0.0}])[0].retention is None
    assert compared({}, [weak]) == compared(weak, []) == []
    # MMDetection's and MMSegmentation's are in percent, this project's own are not.
    assert final_metrics({'panoptic/PQ': 0.4}) == {'PQ': 0.4}
    assert final_metrics({'semantic/mIoU_st': 0.4}) == {'mIoU of stuff': 0.4}
    assert final_metrics({'class_maps/mIoU': 0.3}) == {'mIoU': 0.3}
    assert final_metrics({'mIoU': 30.0}) == {'mIoU': 0.3}
    panoptic = final_metrics({'coco_panoptic/PQ': 40.0})
    assert compared(panoptic, [{'PQ': 0.5}])[0].retention == pytest.approx(80)


def test_figures_of_wise_are_shown_like_others():
    found = final_metrics(
        {
            'counting/MAE': 0.25,
            'counting/class_MAE': 0.125,
            'coverage/MUCov': 0.5,
            'coverage/MWCov': 0.75,
            'coco/segm_AP25': 0.4,
        }
    )
    assert found == {
        'AP25': 0.4,
        'MUCov': 0.5,
        'MWCov': 0.75,
        'count MAE': 0.25,
        'class-wise count MAE': 0.125,
    }
    shown = [shown_figure(*one) for one in found.items()]
    assert shown == ['40.0', '50.0', '75.0', '0.25', '0.12']
    rows = {row.metric: row.retention for row in compared(found, [found])}
    assert rows['MUCov'] == 100 and rows['count MAE'] is None


def test_the_best_round_of_an_error_is_the_one_with_the_least(monkeypatch):
    stages = [
        TestStage(name=f't@{n}', config='a.py', round=Round('g', n, 2, 't'))
        for n in (1, 2)
    ]
    values = {
        't@1': {'AP50': 0.5, 'count MAE': 2.5},
        't@2': {'AP50': 0.4, 'count MAE': 3},
    }
    monkeypatch.setattr(
        report_rounds, 'stage_result', lambda runner, stage: values[stage.name]
    )
    done = SimpleNamespace(status='finished', seconds=1.0)
    runner = SimpleNamespace(
        pipeline=SimpleNamespace(stages=stages),
        manifest=SimpleNamespace(stages={stage.name: done for stage in stages}),
    )
    (group,) = report_rounds.gather_rounds(runner)
    assert [one['best'] for one in group['measures']] == [1, 1]
    page = MarkdownPage('rounds', '.')
    report_rounds.add_rounds(page, group)
    text = page.text()
    assert '| count MAE | 2.50 | 3.00 | round 1 |' in text
    assert '| AP50 | 50.0 | 40.0 | round 1 |' in text


def test_what_labels_ignore_has_no_best_round():
    measure = dict(name='ignored pixels of maps', values={1: 0.5, 2: 0.25}, best=1)
    group = dict(name='g', total=2, seconds={}, measures=[measure])
    page = MarkdownPage('rounds', '.')
    report_rounds.add_rounds(page, group)
    text = page.text()
    assert '| ignored pixels of maps | 50.0 | 25.0 | – |' in text


def test_generation_without_weights_has_no_checkpoint(tmp_path):
    (tmp_path / 'maps.py').write_text('model = dict(type="toy")\n')
    (tmp_path / 'pipeline.py').write_text(
        "maps = dict(type='generate', config='maps.py', out='made')\n"
        "pipeline = dict(name='toy', stages=[dict(maps, name='a'), "
        "dict(maps, name='b', has_weights=False)])\n"
    )
    pipeline = load_pipeline(tmp_path / 'pipeline.py')
    factory = JobFactory(pipeline, tmp_path)
    with_weights, without = (factory.make(stage) for stage in pipeline.stages)
    pending = 'work_dirs/maps/<last checkpoint>'
    assert with_weights.command[2:4] == ['maps.py', pending]
    assert Path(pending) in with_weights.inputs
    assert without.command[2:] == ['maps.py', '--out', 'made']
    assert without.inputs == []


def test_files_of_a_dataset_start_from_the_root(tmp_path):
    dataset = dict(data_root='data/voc/', ann_file='weak.json')
    cfg = dict(loader=dict(dataset=dict(datasets=[dataset])), other=dict())
    place = 'loader.dataset.datasets.0'
    made = {'data/voc/labels.json', 'work_dirs/labels.json'}
    for value, fitted in {
        'data/voc/labels.json': 'labels.json',
        'data/voc/by_hand.json': 'by_hand.json',  # such as that which round 1 reads
        'work_dirs/labels.json': str(tmp_path / 'work_dirs/labels.json'),
        'weak/tags.json': 'weak/tags.json',
        str(tmp_path / 'x.json'): str(tmp_path / 'x.json'),
    }.items():
        options = {f'{place}.ann_file': value, 'load_from': value}
        found = fit_to_data_root(options, cfg, tmp_path, made)
        assert found == {f'{place}.ann_file': fitted, 'load_from': value}
        seg = {f'{place}.data_prefix.seg': value}
        assert fit_to_data_root(seg, cfg, tmp_path, made) == {next(iter(seg)): fitted}
    for options in (
        {f'{place}.ann_file': 'data/voc/labels.json', f'{place}.data_root': 'data'},
        {'other.dataset.ann_file': 'voc/labels.json'},
    ):
        found = fit_to_data_root(options, cfg, tmp_path, made)
        assert next(iter(found.values())) == 'voc/labels.json'


@pytest.mark.parametrize(
    ('artifact', 'content', 'result'),
    [
        ('points', dict(annotations=[{}, {}]), {'points': 2}),
        (
            'proposals',
            dict(images=[dict(count=2), dict(count=5)]),
            {'images': 2, 'proposals per image': 3.5},
        ),
        ('semantic_maps', dict(images=[{}] * 3), {'maps': 3}),
        (
            'panoptic_maps',
            dict(images=[{}], annotations=[dict(segments_info=[{}, {}])]),
            {'maps': 1, 'segments': 2},
        ),
    ],
)
def test_results_of_every_kind_of_artifact(tmp_path, artifact, content, result):
    info = dict(mmwsis=dict(artifact=dict(type=artifact)))
    out = tmp_path / 'labels.json'
    out.write_text(json.dumps(dict(info=info, **content)))
    stage = GenerateStage(name='labels', config='labeler.py', out='labels.json')
    assert stage_result(SimpleNamespace(root=tmp_path, factory=None), stage) == result


def test_a_panoptic_run_starts_without_the_maps_of_another(tmp_path):
    (tmp_path / 'net.py').write_text("artifact = dict(type='panoptic_maps')\n")
    (tmp_path / 'pipeline.py').write_text(
        "labels = dict(type='generate', config='net.py', out='data/labels.json')\n"
        "pipeline = dict(name='toy', stages=[dict(labels, name='a'), "
        "dict(labels, name='b', artifact='points')])\n"
    )
    pipeline = load_pipeline(tmp_path / 'pipeline.py')
    factory = JobFactory(pipeline, tmp_path)
    panoptic, points = (factory.make(stage) for stage in pipeline.stages)
    common = [Path('data/labels.json'), Path('data/labels.json.parts')]
    assert panoptic.resumable == [*common, Path('data/labels')]  # with the PNGs
    assert points.resumable == common


def test_overrides_of_an_evaluation_that_the_data_lacks_are_dropped(tmp_path):
    """A tiny run of the shipped pipeline on a dataset of tags only."""
    (tmp_path / 'images').mkdir()
    (tmp_path / 'tags.json').write_text('{}')
    spec = dict(
        name='bolts',
        data_root=str(tmp_path),
        classes=('bolt', 'nut'),
        train=dict(img='images/', weak=dict(image_tags='tags.json')),
        image_scale=None,
    )
    (tmp_path / 'bolts.py').write_text(f'data_spec = {spec!r}\n')
    shipped = Path(find_config('mmwsis::irnet/pipeline_synthetic.py', tmp_path))
    found = load_data_spec(str(tmp_path / 'bolts.py'))
    pipeline = load_pipeline(shipped, found, fast=True)
    assert pipeline.title == 'IRNet on synthetic scenes, on the dataset bolts instead'
    factory = JobFactory(pipeline, tmp_path, dataset=tmp_path / 'bolts.py')
    (stage,) = [one for one in pipeline.stages if one.name == 'final_model']
    assert 'val_dataloader.num_workers' in stage.cfg_options
    options = factory.options_of(stage)
    assert options['train_dataloader.num_workers'] == 0
    assert not [key for key in options if key.startswith('val_dataloader')]
    cfg = factory.config_of(stage)
    assert cfg.val_dataloader is None and cfg.train_cfg.max_iters == 2


def test_report_says_what_generation_warned_of(tmp_path):
    warning = '91 % of 12 masks fill more than 95 % of their box'
    collapse = dict(median_fill=0.99, warnings=[warning])
    info = dict(mmwsis=dict(collapse=collapse))
    (tmp_path / 'labels.json').write_text(json.dumps(dict(info=info, annotations=[])))
    stage = GenerateStage(name='labels', config='labeler.py', out='labels.json')
    runner = SimpleNamespace(root=tmp_path, factory=None)
    assert label_warnings(runner, stage) == [warning]
    result = stage_result(runner, stage)
    assert result['median fill of the box'] == 0.99
    row = dict(stage='labels', type='generate', seconds=1.0, command=[], result=result)
    report = dict(
        title='t', fast=False, root='.', stages=[dict(row, warnings=[warning])]
    )
    text = markdown(report, [])
    assert f'## Warnings\n\n- labels: {warning}\n' in text
    report['stages'][0]['warnings'] = []
    assert 'Warnings' not in markdown(report, [])


def test_report_says_how_well_a_classifier_knows_the_tags(tmp_path):
    accuracy = dict(mAP=0.87, warnings=['at chance for a'])
    info = dict(mmwsis=dict(tag_accuracy=accuracy, collapse=dict(warnings=['flat'])))
    (tmp_path / 'maps').mkdir()
    index = dict(info=info, type='class_maps', classes=['a'], images=[dict(id=1)])
    (tmp_path / 'maps' / 'index.json').write_text(json.dumps(index))
    stage = GenerateStage(name='class_maps', config='cam.py', out='maps')
    runner = SimpleNamespace(root=tmp_path, factory=None)
    assert label_warnings(runner, stage) == ['at chance for a', 'flat']
    assert stage_result(runner, stage)['mAP over the tags'] == 0.87
    logged = ('loss', 'classifier/tag_mAP', 'classifier/all_right', 'class_maps/mIoU')
    assert list(training_measures(logged).values()) == [
        *('loss', 'tag_mAP', 'all_right', 'mIoU')
    ]
