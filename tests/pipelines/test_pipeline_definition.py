"""Pipeline files: what is read from them, and what is refused."""

from pathlib import Path

import pytest

from mmwsis.pipelines import load_pipeline
from mmwsis.pipelines.locate import find_config
from mmwsis.pipelines.stages import CommandStage, ReportStage, TrainStage


def write(tmp_path, body):
    file = tmp_path / 'pipeline.py'
    file.write_text(body)
    return file


STAGES = "stages=[dict(name='a', type='train', config='a.py', cfg_options=dict(x=1))]"


def test_types_and_defaults(tmp_path):
    pipeline = load_pipeline(write(tmp_path, f"pipeline = dict(name='toy', {STAGES})"))
    (stage,) = pipeline.stages
    assert isinstance(stage, TrainStage)
    assert stage.cfg_options == {'x': 1}
    assert pipeline.work_dir == 'work_dirs/pipelines/toy'


def test_fast_overrides_keys_and_config_options(tmp_path):
    body = (
        "pipeline = dict(name='toy', fast=dict(root='work_dirs/fast', "
        "a={'train_cfg.max_iters': 3, 'work_dir': 'elsewhere'}), " + STAGES + ')'
    )
    pipeline = load_pipeline(write(tmp_path, body), fast=True)
    (stage,) = pipeline.stages
    assert stage.cfg_options == {'x': 1, 'train_cfg.max_iters': 3}
    assert stage.work_dir == 'elsewhere'
    assert pipeline.root == 'work_dirs/fast'
    assert load_pipeline(write(tmp_path, body)).root is None


@pytest.mark.parametrize(
    'name, fast',
    [
        ('exits/pipeline.py', False),
        ('irnet/pipeline.py', False),
        ('exits/pipeline_synthetic.py', True),
    ],
)
def test_base_by_the_name_of_its_package(tmp_path, name, fast):
    base = f'mmwsis::{name}'
    shipped = load_pipeline(Path(find_config(base, tmp_path)), fast=fast)
    spec = f"dict(dataset='mmwsis::data_specs/{shipped.data_spec['name']}.py'"
    body = f"_base_ = '{base}'\npipeline = {spec}"
    assert (
        load_pipeline(write(tmp_path, body + ')'), fast=fast).stages == shipped.stages
    )
    body = f'_base_ = {base!r}\npipeline = {spec}, stages=_base_.pipeline.stages)'
    assert load_pipeline(write(tmp_path, body), fast=fast).stages == shipped.stages


def test_placeholders_come_from_the_data_spec(tmp_path):
    body = """
data_spec = dict(name='x', data_root='data/x', train=dict(ann_file='t.json'))
pipeline = dict(name='toy', stages=[
    dict(name='a', type='command',
         command=['tools/c.py', '{data_root}/{train.ann_file}', '{checkpoint:b}']),
    dict(name='b', type='train', config='b.py')])
"""
    stage = load_pipeline(write(tmp_path, body)).stages[0]
    assert isinstance(stage, CommandStage)
    assert stage.command == ('tools/c.py', 'data/x/t.json', '{checkpoint:b}')
    other = dict(name='y', data_root='/y', train=dict(ann_file='u.json'))
    pipeline = load_pipeline(write(tmp_path, body), other)
    assert pipeline.stages[0].command[1] == '/y/u.json'
    assert pipeline.work_dir == 'work_dirs/y/pipelines/toy'
    with pytest.raises(ValueError, match=r'placeholder \{train.ann_file\}'):
        load_pipeline(write(tmp_path, body), dict(name='z', data_root='z', train={}))


def test_stages_without_data_are_left_out(tmp_path):
    body = """
pipeline = dict(name='toy', stages=[
    dict(name='q', type='quality', pseudo='p', gt='{train.ann_file}',
         only_with=['train.ann_file']),
    dict(name='r', type='report', quality='q')])
"""
    spec = dict(name='z', data_root='z', train=dict(ann_file=None))
    (stage,) = load_pipeline(write(tmp_path, body), spec).stages
    assert isinstance(stage, ReportStage)
    assert stage.quality is None


def test_stages_are_left_out_by_name(tmp_path):
    body = """
pipeline = dict(name='toy', without=['a', 'q'], stages=[
    dict(name='a', type='train', config='a.py'),
    dict(name='b', type='train', config='b.py'),
    dict(name='q', type='quality', pseudo='p', gt='g'),
    dict(name='r', type='report', quality='q')])
"""
    trained, report = load_pipeline(write(tmp_path, body)).stages
    assert trained.name == 'b'
    assert report.quality is None
    wrong = write(tmp_path, body.replace("'a', 'q'", "'c'"))
    with pytest.raises(ValueError, match=r"without names \['c'\], stages are \['a', "):
        load_pipeline(wrong)


def test_a_pipeline_changes_stages_of_the_one_it_inherits(tmp_path):
    write(
        tmp_path,
        """
pipeline = dict(name='toy', stages=[
    dict(name='a', type='train', config='a.py', cfg_options=dict(x=1, y=1)),
    dict(name='r', type='rounds', rounds=2, stages=[
        dict(name='b', type='train', config='b.py')])])
""",
    )
    child = tmp_path / 'child.py'
    child.write_text("""
_base_ = './pipeline.py'
pipeline = dict(name='other', changes=dict(
    a=dict(config='c.py', cfg_options=dict(y=2, z=3)),
    b=dict(work_dir='w/round{round}', cfg_options=dict(x=1))))
""")
    first, *rounds = load_pipeline(child).stages
    assert first.config == 'c.py'
    assert first.cfg_options == dict(x=1, y=2, z=3)
    assert [one.work_dir for one in rounds] == ['w/round1', 'w/round2']
    assert all(one.cfg_options == dict(x=1) for one in rounds)
    child.write_text(child.read_text().replace('    b=', '    q='))
    with pytest.raises(ValueError, match=r"changes of \['q'\]; the stages are \['a', "):
        load_pipeline(child)


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        ('x = 1', 'is not a pipeline file'),
        ("pipeline = dict(name='t')", 'needs name and stages'),
        ("pipeline = dict(name='t', stages=[dict(type='train')])", 'needs a name'),
        (
            "pipeline = dict(name='t', stages=[dict(name='a', type='trian')])",
            "type must be one of .* got 'trian'",
        ),
        (
            "pipeline = dict(name='t', stages=[dict(name='a', type='train')])",
            'config',
        ),
        (
            "pipeline = dict(name='t', stages=[dict(name='a', type='train', "
            "config='c', epochs=3)])",
            r"unknown keys \['epochs'\]",
        ),
        (
            "pipeline = dict(name='t', stages=[dict(name='a', type='command', "
            "command='ls -l')])",
            'must be a list of strings',
        ),
        (
            "pipeline = dict(name='t', stages=[dict(name='a', type='command', "
            "command=['x'])] * 2)",
            'several stages are named',
        ),
        (
            "pipeline = dict(name='t', stages=[dict(name='r', type='report', "
            "weak='nobody')])",
            r"refers to test stage 'nobody'.*weak=None",
        ),
        (
            "pipeline = dict(name='t', stages=[dict(name='r', type='rounds', rounds=2, "
            "stages=[dict(name='quality')])])",
            r"stage 'quality@1': type must be .*_base_/pipelines/stages\.py",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, body, message):
    with pytest.raises(ValueError, match=message):
        load_pipeline(write(tmp_path, body))


def test_fast_needs_overrides_that_exist(tmp_path):
    with pytest.raises(ValueError, match='no `fast=dict'):
        load_pipeline(
            write(tmp_path, f"pipeline = dict(name='toy', {STAGES})"), fast=True
        )
    body = f"pipeline = dict(name='toy', fast=dict(b=dict(x=2)), {STAGES})"
    with pytest.raises(ValueError, match=r"fast names \['b'\]"):
        load_pipeline(write(tmp_path, body), fast=True)


DATA = """
pipeline = dict(
    name='toy_{data}', title='Toy on {title}', supervision='boxes',
    data=dict(coco=dict(title='COCO', model='a.py'),
              voc=dict(title='VOC', model='b.py')),
    dataset='{data}_spec.py',
    common=dict(final=dict(type='train', config='{model}'),
                make=dict(type='generate', config='c_{data}.py', out='nowhere')),
    stages=[dict(name='weak', type='command', command=['x'], outputs=['{data}.w']),
            dict(name='make', out='{data_root}/{train.weak.{supervision}}'),
            dict(name='final', cfg_options=dict(a='{out:make}', b='{out:weak}'))])
"""


def with_specs(tmp_path, body):
    for name in ('coco', 'voc'):
        (tmp_path / f'{name}_spec.py').write_text(
            f"data_spec = dict(name='{name}', data_root='data/{name}',\n"
            "    train=dict(weak=dict(boxes='boxes.json')))\n"
        )
    return write(tmp_path, body)


@pytest.mark.parametrize(('data', 'model'), [('coco', 'a.py'), ('voc', 'b.py')])
def test_one_recipe_has_several_datasets(tmp_path, data, model):
    pipeline = load_pipeline(with_specs(tmp_path, DATA), data=data)
    assert (pipeline.name, pipeline.title) == (f'toy_{data}', f'Toy on {data.upper()}')
    assert pipeline.work_dir == f'work_dirs/pipelines/toy_{data}'
    assert pipeline.data_spec['name'] == data
    weak, make, final = pipeline.stages
    assert make.config == f'c_{data}.py'
    assert make.out == f'data/{data}/boxes.json'
    assert final.config == model
    assert final.cfg_options == dict(a=make.out, b=f'{data}.w')


def test_the_first_dataset_is_the_default(tmp_path):
    assert load_pipeline(with_specs(tmp_path, DATA)).name == 'toy_coco'
    with pytest.raises(ValueError, match='--data lvis is unknown; there is coco, voc'):
        load_pipeline(with_specs(tmp_path, DATA), data='lvis')


def test_outputs_are_those_of_the_stages_before(tmp_path):
    body = DATA.replace('{out:make}', '{out:final}')
    with pytest.raises(ValueError, match=r'\{out:final\}.*make.*checkpoint:STAGE'):
        load_pipeline(with_specs(tmp_path, body))


def test_fast_overrides_of_a_type_reach_all_its_stages(tmp_path):
    body = """
pipeline = dict(name='toy', fast=dict(train=dict(x=1, y=2), a=dict(y=3)), stages=[
    dict(name='a', type='train', config='a.py'),
    dict(name='b', type='train', config='b.py'),
    dict(name='c', type='test', config='b.py')])
"""
    stages = load_pipeline(write(tmp_path, body), fast=True).stages
    assert [stage.cfg_options for stage in stages] == [
        {'x': 1, 'y': 3},
        {'x': 1, 'y': 2},
        {},
    ]
