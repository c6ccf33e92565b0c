"""What each label buys: the plan, the states, the results, the figure."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from mmwsis.dataset_converters.budget import Cost
from mmwsis.pipelines.comparison import METHODS, make_plan, read_masked_dataset
from mmwsis.pipelines.comparison.execute import Executor
from mmwsis.pipelines.comparison.methods import FINAL_MODEL
from mmwsis.pipelines.comparison.results import gather_results, results_markdown
from mmwsis.pipelines.comparison.session import (
    CompareOptions,
    draw,
    draw_figure,
    lay_out,
    print_plan,
)
from mmwsis.pipelines.manifest import Manifest, StageRecord
from mmwsis.utils.fileio import atomic_write_json

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser, needs_browser
from fast_run import REPOSITORY

COSTS = {
    'image_tags': Cost(6),
    'points': Cost(6, 2),
    'boxes': Cost(6, 7),
    'extreme_points': Cost(6, 7),
    'masks': Cost(6, 80),
}


def write_dataset(folder, images=10, name='nuts', **changes):
    """Images of one nut each, with a square mask, and a dataset file."""
    content = dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=8, height=8) for i in range(images)
        ],
        annotations=[
            dict(
                id=i + 1,
                image_id=i,
                category_id=1,
                bbox=[1, 1, 4, 4],
                area=16,
                iscrowd=0,
                segmentation=[[1, 1, 5, 1, 5, 5, 1, 5]],
            )
            for i in range(images)
        ],
        categories=[dict(id=1, name='nut')],
    )
    (folder / 'images').mkdir(exist_ok=True)
    for image in content['images']:
        Image.new('RGB', (8, 8)).save(folder / 'images' / image['file_name'])
    for split in ('train', 'val'):
        (folder / f'{split}.json').write_text(json.dumps(content))
    spec = dict(
        name=name,
        data_root=str(folder),
        classes=('nut',),
        train=dict(img='images', ann_file='train.json'),
        val=dict(img='images', ann_file='val.json'),
    )
    file = folder / f'{name}.py'
    file.write_text(f'data_spec = { ({**spec, **changes})!r}\n')
    return file


@pytest.fixture
def dataset(tmp_path):
    return read_masked_dataset(write_dataset(tmp_path))


def options_for(tmp_path, **changes):
    file = tmp_path / 'nuts.py'
    given = dict(dataset=str(file), root=str(tmp_path / 'runs'), costs=COSTS)
    return CompareOptions(**{**given, **changes})


def finish(stages, run, seconds=100.0, ap=None):
    """Leave what a finished run leaves."""
    folder = stages.root / run.work_dir
    manifest = Manifest(folder / 'manifest.json', f'{run.method.key}_nuts')
    for stage in stages.pipeline(run):
        record = StageRecord(status='finished', seconds=seconds)
        manifest.stages[stage.name] = record
    manifest.save()
    if ap is not None:
        atomic_write_json(
            folder / 'metrics/final_test.json',
            {'coco/segm_mAP': ap, 'coco/segm_mAP_50': ap + 0.2},
        )


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            dict(train=dict(img='images', weak=dict(boxes='train.json'))),  # no masks
            'train has no ann_file',
        ),
        (dict(val=None), 'has no val with an ann_file'),
        (dict(classes=('bolt',)), r"classes \['bolt'\], which are not among"),
    ],
)
def test_dataset_that_cannot_be_compared_on(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_masked_dataset(write_dataset(tmp_path, **changes))


def test_object_without_a_mask_is_named(tmp_path):
    file = write_dataset(tmp_path)
    content = json.loads((tmp_path / 'train.json').read_text())
    del content['annotations'][3]['segmentation']
    (tmp_path / 'train.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'train\.json: annotation 4 has no mask'):
        read_masked_dataset(file)


def test_budgets_are_nested_and_share_runs_with_all_images(dataset):
    hours = (100 / 3600, 300 / 3600)
    plan = make_plan(dataset, COSTS, seeds=(0, 1), budgets=hours)
    counts = {
        (p.run.method.key, p.budget): p.run.num_images
        for p in plan.points
        if p.run.seed == 1
    }
    # 100 s: 16 images with tags (all 10), 12 with points (all), 7 with boxes, 1 mask.
    assert counts['irnet', hours[0]] == counts['bestie_points', hours[0]] == 10
    assert counts['mal', hours[0]] == counts['exits', hours[0]] == 8
    assert counts['masks', hours[0]] == 1 and counts['masks', hours[1]] == 3
    assert len(plan.runs) == len(set(plan.runs))
    whole = [p.run for p in plan.points if p.run.method.key == 'irnet']
    assert {run.count for run in whole} == {None}
    assert set(dataset.drawn(1, 1)) < set(dataset.drawn(3, 1))
    baseline = [r for r in plan.runs if r.method.key == 'masks' and r.count is None]
    assert [run.seed for run in baseline] == [0, 1, 2]
    mal = next(p for p in plan.points if p.run.method.key == 'mal')
    assert mal.hours == pytest.approx(10 * 13 / 3600)


def test_budget_that_buys_nothing_names_the_level(dataset):
    with pytest.raises(ValueError, match='do not buy one image of level masks'):
        make_plan(dataset, COSTS, budgets=(20 / 3600,))


def test_classes_that_a_subset_lacks_are_named(tmp_path):
    write_dataset(tmp_path)
    content = json.loads((tmp_path / 'train.json').read_text())
    content['categories'].append(dict(id=2, name='bolt'))
    content['annotations'][0]['category_id'] = 2
    for split in ('train', 'val'):
        (tmp_path / f'{split}.json').write_text(json.dumps(content))
    spec = (tmp_path / 'nuts.py').read_text().replace("('nut',)", "('nut', 'bolt')")
    (tmp_path / 'nuts.py').write_text(spec)
    dataset = read_masked_dataset(tmp_path / 'nuts.py')
    seed = next(s for s in range(20) if dataset.drawn(1, s) != [0])
    plan = make_plan(dataset, COSTS, ['masks'], seeds=(seed,), budgets=(100 / 3600,))
    assert 'none of the 1 images shows bolt' in plan.warnings[0]


def test_every_method_ends_with_the_same_final_model(tmp_path, dataset):
    stages = lay_out(options_for(tmp_path, cfg_options={'a.b': 1}))
    for run in stages.plan.runs:
        found = {stage.name: stage for stage in stages.pipeline(run)}
        assert found['final_model'].config == found['final_test'].config == FINAL_MODEL
        assert found['final_model'].cfg_options['a.b'] == 1
        assert not {'full_supervision', 'full_test', 'report'} & set(found)
        labels = found['final_model'].cfg_options.get(
            'train_dataloader.dataset.ann_file'
        )
        if run.method.level == 'masks':
            assert labels is None
        else:
            assert labels == found['pseudo_labels'].out
    kinds = {one.name for one in stages.now() if one.run is None}
    assert kinds == {'weak_labels', 'proposals', 'val_proposals'}


def test_final_model_that_is_not_there(tmp_path, dataset):
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        lay_out(options_for(tmp_path, final_model='nowhere.py'))


def test_times_are_estimated_then_recorded(tmp_path, dataset):
    stages = lay_out(options_for(tmp_path, methods=('exits', 'masks')))
    lines = []
    print_plan(stages, 1, lines.append)
    assert '0 stages by what others' in lines[-1] and 'by a table' in lines[-1]
    finish(stages, stages.plan.runs[0], seconds=415.0, ap=0.5)
    left = [one for one in stages.now() if one.is_left and one.name == 'final_model']
    # 800 iterations in 415 s, of which 15 are the start of Python.
    assert {one.source for one in left} == {'recorded'}
    assert left[0].seconds == pytest.approx(415)
    print_plan(stages, 2, lines.append)
    assert any('masks, seed 0' in one and 'finished, took' in one for one in lines)


def test_methods_of_a_family_share_stages(tmp_path, dataset):
    stages = lay_out(options_for(tmp_path, methods=('irnet', 'bestie', 'masks')))
    shared = [one.name for one in stages.now() if one.status == 'shared']
    assert shared == [
        'irnet_classifier',
        'class_maps',
        'relation_labels',
        'irnet',
        'semantic_maps',
    ]
    irnet, bestie = stages.plan.runs[1:3]
    finish(stages, irnet)
    made = Executor(stages, 1)._made_by_others(bestie)
    assert made == ['class_maps', 'relation_labels', 'semantic_maps']


def test_results_of_what_is_finished(tmp_path, dataset):
    options = options_for(tmp_path, methods=('mal', 'masks'), budgets=(100 / 3600,))
    stages = lay_out(options)
    aps = {('masks', 0): 0.5, ('masks', 1): 0.54, ('mal', 0): 0.45}
    for run in stages.plan.runs:
        if run.count is None and (run.method.key, run.seed) in aps:
            finish(stages, run, ap=aps[run.method.key, run.seed])
    results = gather_results(stages)
    assert results['baseline'] == {'0': 0.5, '1': 0.54}
    assert results['compute_seconds'] == 1000.0
    text = results_markdown(results)
    assert '| all images | boxes | MAL | 10 | 0.04 | 1 of 1 | 45.0 | 65.0 |' in text
    assert '| 87 % | 96.2–103.8 % |' in text
    missing = 'masks (2 of 3 seeds); MAL, boxes, 0.0278 h; masks, 0.0278 h'
    assert f'Not finished: {missing}.' in text
    assert 'Finished stages took 16 min 40 s in all.' in text
    made_elsewhere = {**results, 'compute_seconds': 0}
    assert 'Finished stages' not in results_markdown(made_elsewhere)
    figure = draw_figure(tmp_path, results)
    with Image.open(figure) as image:
        assert 700 <= image.width <= 800


def test_subsets_of_seeds_that_are_not_finished_do_not_count(tmp_path, dataset):
    options = options_for(
        tmp_path, methods=('mal', 'masks'), seeds=(0, 1), budgets=(100 / 3600,)
    )
    stages = lay_out(options)
    both = [run for run in stages.plan.runs if run.count and run.method.key == 'mal']
    finish(stages, both[0], ap=0.4)
    results = gather_results(stages)
    for point in results['points']:  # the draw may be as large with either seed
        if point['method'] == 'mal' and point['budget_hours'] and point['seed'] == 1:
            point.update(images=1000, hours=50)
    count = both[0].num_images
    row = f'| 0.0278 hours | boxes | MAL | {count} | 0.03 | 1 of 2 | 40.0 |'
    assert row in results_markdown(results)


@needs_browser
def test_the_page_reads_well_on_phone_and_desktop(tmp_path, dataset):
    methods = ('mal', 'exits', 'sam_extreme_points', 'masks')
    stages = lay_out(
        options_for(tmp_path, methods=methods, baseline_seeds=2, budgets=(300 / 3600,))
    )
    for number, run in enumerate(stages.plan.runs[:-1]):
        finish(stages, run, ap=0.4 + number / 100)
    draw(stages)
    with Browser() as browser:
        for width in (390, 1280):
            for scheme in ('light', 'dark'):
                tab = browser.open(stages.root / 'report.html', width, scheme)
                assert tab.overflow() == tab.without_alt() == []
                assert tab.errors() == tab.fetched() == []
                assert min(tab.contrasts()) >= 4.5
        text = tab.run('document.body.innerText')
    assert 'SAM' in text and 'Not finished' in text


def test_final_model_that_finds_nothing_has_no_ap_of_its_own(tmp_path, dataset):
    stages = lay_out(options_for(tmp_path, methods=('mal',)))
    run = stages.plan.runs[0]
    finish(stages, run)
    atomic_write_json(stages.root / run.work_dir / 'metrics/final_test.json', {})
    results = gather_results(stages)
    assert results['points'][0]['mask AP'] == 0 and not results['missing']


def test_costs_change_without_running_anything(tmp_path, dataset):
    dear = {**COSTS, 'boxes': Cost(3600)}
    stages = lay_out(options_for(tmp_path, methods=('mal',), costs=dear))
    finish(stages, stages.plan.runs[0], ap=0.4)
    assert gather_results(stages)['points'][0]['hours'] == 10


def test_labels_and_final_models_of_elsewhere(tmp_path, dataset):
    labels = json.loads((tmp_path / 'train.json').read_text())
    (tmp_path / 'labels.json').write_text(json.dumps(labels))
    (tmp_path / 'metrics.json').write_text('{"coco/segm_mAP": 0.5}')
    adopt = (f'exits={tmp_path}/labels.json', f'masks@0={tmp_path}/metrics.json')
    stages = lay_out(options_for(tmp_path, methods=('exits', 'masks'), adopt=adopt))
    masks, exits = stages.plan.runs[:2]
    assert stages.pipeline(masks) == ()
    assert [s.name for s in stages.pipeline(exits)] == [
        'quality',
        'final_model',
        'final_test',
    ]
    assert gather_results(stages)['baseline'] == {'0': 0.5}
    labels['images'][0]['file_name'] = 'other.png'
    (tmp_path / 'labels.json').write_text(json.dumps(labels))
    with pytest.raises(ValueError, match=r'image 0 \(other.png\) is no training image'):
        lay_out(options_for(tmp_path, adopt=adopt))


@pytest.mark.parametrize('text', ['exits', 'nothing=x.json', 'exits@a=x.json'])
def test_adopt_is_written_otherwise(tmp_path, dataset, text):
    with pytest.raises(ValueError, match='--adopt is written METHOD=FILE'):
        lay_out(options_for(tmp_path, adopt=(text,)))


def test_failing_run_does_not_stop_the_others(tmp_path, dataset, monkeypatch):
    stages = lay_out(options_for(tmp_path, methods=('mal', 'exits', 'masks')))
    monkeypatch.setattr('mmwsis.pipelines.comparison.execute._LOOK_EVERY', 0.01)
    said, started = [], []

    def start(folder, config, *options):
        started.append((folder.root.name, options[options.index('--seed') + 1]))
        if folder.root.name == 'mal':
            raise RuntimeError('no.')

    monkeypatch.setattr('mmwsis.pipelines.run_folder.RunFolder.pipeline', start)
    executor = Executor(stages, 1, say=said.append)
    failed = executor.run(stages.plan.runs)
    assert started == [
        *(('masks', 0), ('mal', 0), ('exits', 0), ('masks', 1), ('masks', 2)),
    ]
    assert list(failed) == ['MAL from boxes, seed 0']
    assert said[0] == 'MAL from boxes, seed 0: FAILED. no.'


def test_folder_of_another_dataset_is_refused(tmp_path, dataset):
    dataset.link(tmp_path / 'run')
    dataset.link(tmp_path / 'run')
    (tmp_path / 'other').mkdir()
    other = read_masked_dataset(write_dataset(tmp_path / 'other', name='bolts'))
    with pytest.raises(FileExistsError, match='belongs to another dataset'):
        other.link(tmp_path / 'run')


def test_subset_is_written_once(tmp_path, dataset):
    dataset.link(tmp_path / 'run', [3, 4])
    file = tmp_path / 'run/data/instances_train.json'
    before = file.stat().st_mtime_ns
    assert [one['id'] for one in json.loads(file.read_text())['images']] == [3, 4]
    dataset.link(tmp_path / 'run', [3, 4])
    assert file.stat().st_mtime_ns == before


def test_every_small_pipeline_of_a_labeler_can_be_compared():
    """A method that gets a small pipeline is a row here, or says why not."""
    shipped = {
        f'mmwsis::{file.parent.name}/{file.name}'
        for file in REPOSITORY.glob('configs/*/pipeline*small.py')
    }
    known = {method.pipeline for method in METHODS.values()}
    # They make panoptic labels.
    kinds = 'small', 'semi_small'
    panoptic = {f'mmwsis::weak_panoptic/pipeline_{kind}.py' for kind in kinds}
    assert shipped - known == panoptic


SAM = ('sam_points', 'sam_boxes', 'sam_extreme_points')


def test_sam_is_a_row_where_it_is_asked_for(tmp_path, dataset):
    assert not set(SAM) & {r.method.key for r in make_plan(dataset, COSTS).runs}
    stages = lay_out(options_for(tmp_path, methods=SAM))
    for run in stages.plan.runs:
        level = run.method.key.removeprefix('sam_')
        assert run.method.level == level
        assert run.title.startswith(f'SAM from {run.level}')
        found = {stage.name: stage for stage in stages.pipeline(run)}
        config = found['pseudo_labels'].config
        assert level.replace('_', '-') in config and config.startswith('mmwsis::sam/')
        assert found['weak_labels'].command[3] == level
        final = found['final_model']
        assert final.config == found['final_test'].config == FINAL_MODEL
        made = found['pseudo_labels'].out
        assert final.cfg_options['train_dataloader.dataset.ann_file'] == made
    print_plan(stages, 1, lambda line: None)


def write_labels(path, dataset):
    atomic_write_json(path, dict(dataset.coco, info={}))
    return path


def test_adopted_labels_of_sam_and_of_other_programs(tmp_path, dataset):
    labels = write_labels(tmp_path / 'labels.json', dataset)
    metrics = tmp_path / 'metrics.json'
    atomic_write_json(metrics, {'coco/segm_mAP': 0.4})
    given = (
        f'sam_boxes={labels}',
        f'My tool, v2:points@1={labels}',
        f'Theirs:boxes={metrics}',
    )
    options = options_for(
        tmp_path, methods=('mal',), seeds=(0, 1), adopt=given, budgets=(200 / 3600,)
    )
    stages = lay_out(options)
    whole = [(r.title, r.adopted) for r in stages.plan.runs if r.count is None]
    assert whole == [
        ('MAL from boxes, seed 0', None),
        ('SAM from boxes, seed 0', labels),
        ('Theirs from boxes, seed 0', metrics),
        ('MAL from boxes, seed 1', None),
        ('SAM from boxes, seed 1', labels),
        ('My tool, v2 from points, seed 1', labels),
        ('Theirs from boxes, seed 1', metrics),
    ]
    names = {}
    for run in stages.plan.runs:
        names[run.method.title] = [stage.name for stage in stages.pipeline(run)]
    expected = ['quality', 'final_model', 'final_test']
    assert names['My tool, v2'] == expected and names['Theirs'] == []
    results = gather_results(stages)
    assert {0.4} == {p['mask AP'] for p in results['points'] if p['title'] == 'Theirs'}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('mine', 'METHOD=FILE'),
        ('mine=labels.json', 'or with LABEL:LEVEL'),
        ('Mine:masks=labels.json', 'LABEL:LEVEL with a level of'),
        (':boxes=labels.json', 'LABEL:LEVEL with a level of'),
        ('Mine:boxes@x=labels.json', 'METHOD@SEED=FILE'),
    ],
)
def test_rows_that_cannot_be_adopted(tmp_path, dataset, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    write_labels(tmp_path / 'labels.json', dataset)
    with pytest.raises(ValueError, match=message):
        lay_out(options_for(tmp_path, adopt=(text,)))
    two = ('My tool:boxes=labels.json', 'my_tool:boxes=labels.json')
    with pytest.raises(ValueError, match='are one name for files'):
        lay_out(options_for(tmp_path, adopt=two))
