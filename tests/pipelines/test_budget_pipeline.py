"""The same hours as tags, points or masks: what each training reads, and the table."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmwsis.pipelines import load_pipeline, report_table
from mmwsis.pipelines.stages import ReportStage, check_table
from mmwsis.utils.markdown import MarkdownPage

FOLDER = Path(__file__).parents[2] / 'configs/wise'
TRAIN = 'train_dataloader.dataset.ann_file'


@pytest.mark.parametrize(
    ('file', 'root'), [('', 'data/voc'), ('_synthetic', 'data/synthetic')]
)
def test_every_training_reads_what_the_hours_buy(file, root):
    stages = load_pipeline(FOLDER / f'pipeline_budget{file}.py').stages
    stages = {stage.name: stage for stage in stages}
    assert list(stages)[-12:] == [
        *('proposals', 'val_proposals', 'points_network', 'points_test'),
        *('classifier', 'tag_points', 'val_tag_points', 'tags_network', 'tags_test'),
        *('masks_network', 'masks_test', 'report'),
    ]
    budget = stages['budget']
    assert '--seconds' in budget.command
    clicks = f'{root}/weak/points_train.json'  # synthetic ones are derived
    assert (f'points={clicks}' in budget.command) == (file == '')
    assert (clicks in budget.inputs) == (file == '')
    for name, labels in (
        ('points_network', 'points'),
        ('classifier', 'image_tags'),
        ('tags_network', 'image_tags'),
        ('masks_network', 'masks'),
    ):
        path = f'{root}/budget/{labels}_train.json'
        assert stages[name].cfg_options[TRAIN] == path and path in budget.outputs
    cues = [one.out for one in stages.values() if one.name.endswith('tag_points')]
    options = stages['tags_network'].cfg_options
    assert options['train_dataloader.dataset.pipeline.2.ann_file'] == cues[0]
    for split in ('val', 'test'):
        key = f'{split}_dataloader.dataset.pipeline.2.ann_file'
        assert options[key] == stages['tags_test'].cfg_options[key] == cues[1]
    assert stages['val_tag_points'].cfg_options['model.test_cfg.classes'] == 'predicted'
    rows = stages['report'].table['rows']
    assert [row.get('test') for row in rows if 'test' in row] == [
        *('masks_test', 'tags_test', 'points_test')
    ]
    assert rows[-1]['file'] == f'{root}/budget/points_train.json'
    assert rows[-1]['paper'] == [47.5, 38.1, 23.5]


TABLE = dict(
    title='Both',
    metrics=['AP25', 'count MAE'],
    rows=[
        dict(method='WISE', labels='points', file='a.json', test='t', paper=[47.5, 1]),
        dict(method='Other', labels='masks', test='later'),
    ],
)


def test_a_table_has_what_is_measured_and_the_papers_figures(tmp_path, monkeypatch):
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=[dict(id=1)] * 3)))
    found = {'t': {'AP25': 0.4567, 'count MAE': 1.5, 'AP50': 0.3}}
    monkeypatch.setattr(
        report_table, 'stage_result', lambda runner, stage: found[stage.name]
    )
    runner = SimpleNamespace(
        root=tmp_path,
        pipeline=SimpleNamespace(
            stages=[SimpleNamespace(name=n) for n in ('t', 'later')]
        ),
        manifest=SimpleNamespace(stages=dict(t=SimpleNamespace(status='finished'))),
    )
    stage = ReportStage(name='report', table=TABLE)
    page = MarkdownPage('table', '.')
    report_table.add_table(page, report_table.gather_table(runner, stage))
    text = page.text()
    assert '| method | labels | images | AP25 | count MAE | paper AP25 |' in text
    assert '| WISE | points | 3 | 45.7 | 1.50 | 47.5 | 1 |' in text
    assert '| Other | masks | – | – | – | – | – |' in text
    without = report_table.gather_table(runner, ReportStage(name='report'))
    page = MarkdownPage('no table', '.')
    report_table.add_table(page, without)
    assert page.body() == []


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(metric=[]), 'table must have'),
        (dict(rows=[]), 'table must have'),
        (dict(rows=[dict(method='A')]), 'needs method and labels'),
        (
            dict(rows=[dict(method='A', labels='b', test='none')]),
            "test stage 'none'; there is .'later', 't'",
        ),
        (
            dict(rows=[dict(method='A', labels='b', paper=[1])]),
            'has 1 figures of the paper for 2 metrics',
        ),
    ],
)
def test_a_table_that_cannot_be_filled_is_refused(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_table({**TABLE, **change}, {'t', 'later'}, 'file')
    assert '\n' not in str(caught.value)
    check_table(TABLE, {'t', 'later'}, 'file')
