"""``report.html``: all of a report in one file, in a real browser."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from browser import Browser, needs_browser
from PIL import Image

from mmwsis.pipelines.evaluator_options import evaluator_options
from mmwsis.pipelines.report import write_html
from mmwsis.pipelines.report_classes import (
    class_metrics,
    gather_worst,
    worst_rows,
)
from mmwsis.pipelines.report_figures import Figure
from mmwsis.pipelines.stages import GenerateStage, ReportStage

LONG = '/a/folder/without/a/blank' * 20
STAGE = dict(type='train', seconds=61.0, warnings=[], command=[], result={})


@pytest.fixture(scope='module')
def report():
    """What report.json of a long pipeline holds, with names of all lengths."""
    stages = [
        dict(STAGE, stage='labels', warnings=['91 % of 12 masks fill their boxes']),
        dict(STAGE, stage='s' * 60, command=['python', 'tools/train.py', LONG]),
        dict(STAGE, stage='test', result={f'measure {n}': n / 7 for n in range(9)}),
    ]
    compared = dict(metric='mask AP', full=0.5, retention=80.0, within_noise=False)
    summary = dict(
        weak={'mask AP': 0.4},
        full={'mask AP': 0.5},
        full_runs=[{'mask AP': 0.48}, {'mask AP': 0.52}],
        quality={'class-mean IoU, all': 0.7},
        comparison=[dict(compared, noise_floor=[96.0, 104.0])],
        retention=80.0,
        trained_on='pseudo labels',
    )
    worst = dict(ann_id=5, image_id=7, file_name='a/b.jpg', iou=0.1, box_iou=0.3)
    return dict(
        title='A method on <scenes>',
        fast=False,
        root=LONG,
        date='2026-01-01',
        stages=stages,
        summary=summary,
        classes=dict(
            columns=['objects', *(f'mask AP, trained on {n}' for n in range(9))],
            rows=[dict(name='c' * 50, values=[12, None, *[0.25] * 8])],
        ),
        worst=[{**worst, 'class': 'cat', 'missing': True}],
        table=dict(
            title='The same hours',
            metrics=['mask AP', 'mask AP50'],
            rows=[
                dict(
                    method='m' * 40,
                    labels='points ' * 6,
                    images=697,
                    ours=[0.4, None],
                    paper=[None, '51.2'],
                ),
                dict(
                    method='IRNet',
                    labels='image tags',
                    images=None,
                    ours=[0.3, 0.5],
                    paper=[None, None],
                ),
            ],
        ),
        rounds=[
            dict(
                name='training',
                total=9,
                seconds={1: 61.0, 2: 3600.0},
                measures=[
                    dict(
                        stage='network_test',
                        name='mask AP',
                        values={1: 0.25, 2: 0.375},
                        best=2,
                    ),
                ],
            )
        ],
        versions={'torch': '2.13.0'},
    )


@pytest.fixture(scope='module')
def folder(report, tmp_path_factory):
    """With photographs that are too big for a letter."""
    folder = tmp_path_factory.mktemp('report')
    (folder / 'pictures').mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (600, 1700, 3), dtype=np.uint8)
    figures = []
    for name in ('quality_worst', 'weak_labels', 'predictions'):
        Image.fromarray(noise).save(folder / f'pictures/{name}.jpg', quality=95)
        figures.append(Figure(f'Title of {name}', f'pictures/{name}.jpg'))
    write_html(report, [*figures, Figure('Lost', problem='no image')] * 4, folder)
    return folder


def test_a_report_can_be_sent_by_mail(folder):
    assert 1e6 < (folder / 'report.html').stat().st_size < 10e6


@needs_browser
def test_a_report_reads_well_on_phone_and_desktop(folder):
    with Browser() as browser:
        for width in (390, 1280):
            for scheme in ('light', 'dark'):
                tab = browser.open(folder / 'report.html', width, scheme)
                assert tab.overflow() == []
                assert tab.without_alt() == []
                assert tab.errors() == tab.fetched() == []
                assert min(tab.contrasts()) >= 4.5
        assert tab.run('document.scripts.length') == 0
        titles = '[...document.querySelectorAll("h2")].map(h => h.innerText)'
        assert tab.run(titles) == [
            *('Result', 'The same hours', 'Rounds of training'),
            *('Warnings', 'Classes', 'Worst labels'),
            *('Stages', 'Figures', 'Versions', 'Commands'),
        ]
        # Every link of the contents leads to its section.
        links = '[...document.querySelectorAll("nav a")].every('
        assert tab.run(links + 'a => document.querySelector(a.hash).innerText)')
        text = tab.run('document.body.innerText')
    for part in (
        'the final model reaches mask AP 40.0: 80.0\N{NO-BREAK SPACE}% of the 50.0',
        '80.0 % (baseline seeds: 96.0–104.0 %)',
        '91 % of 12 masks fill their boxes',
        'All stages together: 3 min 03 s.',
        'Not drawn: no image',
        f'python tools/train.py {LONG}',
    ):
        assert part in text
    rows = [line.split() for line in text.splitlines()]
    assert ['IRNet', 'image', 'tags', '–', '30.0', '50.0', '–', '–'] in rows
    assert any('25.0' in row and '37.5' in row and row[-1] == '2' for row in rows)
    assert ['c' * 50, '12', '–', *['25.0'] * 8] in rows
    assert ['cat', '10.0', '30.0', '5', 'a/b.jpg', 'missing'] in rows


def test_a_run_leaves_one_file_with_everything(toy):
    """Classes and the worst labels come from what tests and quality stages wrote."""
    edit(toy, 'tools/test.py', "{'coco/segm_mAP': found}",
         "{'coco/segm_mAP': found, 'coco/cat_precision': found}")  # fmt: skip
    quality = dict(
        per_class=[dict(id=3, name='cat', instances=9, iou=0.8, separated_iou=None)],
        worst=[dict(ann_id=5, image_id=7, category_id=3, iou=0.1, box_iou=0.3)],
    )
    edit(toy, 'tools/analysis_tools/pseudo_label_quality.py',
         "{'class_mean_iou': {'all': 0.8}}", repr(quality))  # fmt: skip
    toy.run()
    folder = toy.root / 'work_dirs/pipelines/toy'
    report = json.loads((folder / 'report.json').read_text())
    trained = [
        f'mask AP, trained on {name}' for name in ('pseudo labels', 'full masks')
    ]
    assert report['classes'] == dict(
        columns=['objects', 'IoU of labels', *trained],
        rows=[dict(name='cat', values=[9, 0.8, 0.3, 0.4])],
    )
    assert report['worst'][0]['class'] == 'cat'
    assert report['versions']['torch']
    text = (folder / 'report.html').read_text()
    drawn = [one for one in report['pictures'] if not one['problem']]
    assert text.count('<img src="data:image/') == len(drawn) >= 3
    assert f'to send around: {folder / "report.html"}' in toy.said
    markdown = (folder / 'report.md').read_text()
    assert '| cat | 9 | 80.0 | 30.0 | 40.0 |' in markdown
    assert '| cat | 10.0 | 30.0 | 5 | 7 |  |' in markdown
    # A report that was sent away, or is older than the format, is written anew.
    (folder / 'report.html').unlink()
    assert toy.run()['report'].status == 'ran'


def test_without_ground_truth_the_least_trusted_labels_are_listed(tmp_path):
    def label(number, width):
        corners = [[2, 2, 2 + width, 2, 2 + width, 12, 2, 12]]
        return dict(id=number, image_id=7, category_id=3, segmentation=corners,
                    bbox=[2, 2, width, 10], area=10 * width, iscrowd=0, score=0.9,
                    weak_bbox=[2, 2, 10, 10])  # fmt: skip

    coco = dict(
        images=[dict(id=7, file_name='a.png', width=40, height=40)],
        annotations=[label(1, 10), label(2, 2)],
        categories=[dict(id=3, name='cat')],
    )
    (tmp_path / 'labels.json').write_text(json.dumps(coco))
    made = GenerateStage(name='labels', config='c.py', out='labels.json')
    runner = SimpleNamespace(
        root=tmp_path,
        pipeline=SimpleNamespace(stages=[made]),
        factory=SimpleNamespace(artifact_of=lambda stage: 'object_masks'),
    )
    worst = gather_worst(runner, ReportStage(name='report'))
    assert sorted(one['ann_id'] for one in worst) == [1, 2]
    assert worst[0]['confidence'] <= worst[1]['confidence']
    header, rows = worst_rows(worst)
    assert header[1] == 'confidence' and rows[0][3] == 'a.png'
    (tmp_path / 'labels.json').write_text(json.dumps({**coco, 'annotations': []}))
    assert gather_worst(runner, ReportStage(name='report')) == []


def edit(project, file, old, new):
    text = (project.root / file).read_text()
    assert old in text
    (project.root / file).write_text(text.replace(old, new))


def test_figures_of_classes_are_found_in_the_output_of_all_metrics():
    metrics = {
        'coco/segm_mAP': 0.5,
        'coco/TV/monitor_precision': 0.25,
        'coco/cat_precision': None,  # no such object
        'voc/AP50_a_b': 0.5,
        'voc/AP50': 0.6,
        'panoptic/PQ_th': 0.7,
        'panoptic/PQ_thing': 0.75,
    }
    assert class_metrics(metrics) == {
        'mask AP': {'TV/monitor': 0.25},
        'VOC AP50': {'a_b': 0.5},
        'PQ': {'thing': 0.75},
    }
    boxes = {'coco/bbox_mAP': 0.5, 'coco/cat_precision': 0.25}
    assert class_metrics(boxes) == {'box AP': {'cat': 0.25}}


@pytest.mark.parametrize(
    ('evaluator', 'classwise', 'kept'),
    [
        (None, [], None),
        (dict(type='CocoMetric', metric='segm'), [''], ''),
        (dict(type='mmdet.CocoMetric', metric=['segm', 'bbox']), [], ''),
        (dict(type='my.CocoMetric', metric='segm'), [], ''),
        (dict(type='mmwsis.SemanticIoUMetric'), [], None),
        (
            [
                dict(type='mmwsis.VOCInstanceMetric'),
                dict(type='mmwsis.CocoInstanceMetric', metric=['bbox', 'segm']),
                dict(type='CocoMetric', metric='segm'),
            ],
            ['.0', '.1', '.2'],
            '.1',
        ),
    ],
)
def test_tests_report_classes_and_keep_masks(evaluator, classwise, kept):
    options, keeps = evaluator_options(evaluator, 'out')
    expected = {f'test_evaluator{at}.classwise': True for at in classwise}
    if kept is not None:
        expected[f'test_evaluator{kept}.outfile_prefix'] = 'out'
    assert options == expected and keeps == (kept is not None)
