"""Rules for every config: prefixes, bases, stages that fit together, documentation."""

import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmwsis import registry
from mmwsis.pipelines.definition import load_pipeline
from mmwsis.pipelines.stages import ConfigStage
from mmwsis.structures.supervision import Supervision

ROOT = Path(__file__).parents[2]
METHODS = {
    'exits': 'EXITS',
    'mal': 'MAL',
    'irnet': 'IRNet',
    'fully_supervised': 'FULL',
}
ALL = sorted((ROOT / 'configs').glob('[!_]*/*.py'))
PIPELINES = [file for file in ALL if file.name.startswith('pipeline_')]
CONFIGS = [file for file in ALL if file not in PIPELINES]
DATASETS = ('coco', 'voc', 'lvis', 'synthetic')
FINAL_MODELS = {
    'solov2_r50',
    'solov2_r101-dcn',
    'solov2_x101-dcn',
    'mask2former_swin-s',
    'solov2_r50_voc',
    'solov2_r101_voc',
    'mask-rcnn_x101-32x4d_lvis',
    'mask-rcnn_x101-64x4d_lvis',
    'solov2_r18_synthetic',
    'mask-rcnn_r18_synthetic',
}
IRNET_DATASETS = ('coco', 'voc', 'synthetic')
IRNET_FINAL_MODELS = {
    'mask-rcnn_r50',
    'mask-rcnn_r101',
    'mask-rcnn_r50_voc',
    'mask-rcnn_r101_voc',
    'mask-rcnn_r18_synthetic',
    'solov2_r50',
    'solov2_r50_voc',
    'solov2_r101_voc',
    'solov2_r18_synthetic',
}


def name_of(file):
    return f'{file.parent.name}/{file.stem}'


def backbone(dataset):
    return 'vit-tiny' if dataset == 'synthetic' else 'vit-b'


def own_types():
    """Every class that mmwsis registers, by registry."""
    names = set()
    for value in vars(registry).values():
        if isinstance(value, registry.Registry) and value.scope == 'mmwsis':
            value.import_from_location()
            names |= set(value.module_dict)
    return names


def types_in(node, where=''):
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield where, node['type']
        for key, entry in node.items():
            yield from types_in(entry, f'{where}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, entry in enumerate(node):
            yield from types_in(entry, f'{where}.{index}')


def work_dir(file):
    return Config.fromfile(file).get('work_dir') or f'work_dirs/{file.stem}'


def test_all_promised_configs_are_there():
    for dataset in DATASETS:
        vit = backbone(dataset)
        for method in ('exits', 'mal'):
            names = {file.stem for file in ALL if file.parent.name == method}
            assert {f'labeler_{vit}_{dataset}', f'pipeline_{dataset}'} <= names
        assert (
            ROOT / f'configs/exits/similarity-extractor_{vit}_{dataset}.py'
        ).is_file()
    for method, wanted in (
        ('exits', FINAL_MODELS),
        ('mal', FINAL_MODELS),
        ('irnet', IRNET_FINAL_MODELS),
        ('fully_supervised', FINAL_MODELS | IRNET_FINAL_MODELS),
    ):
        names = {file.stem for file in ALL if file.parent.name == method}
        assert names >= wanted
    names = {file.stem for file in ALL if file.parent.name == 'irnet'}
    for dataset in IRNET_DATASETS:
        network = 'r18' if dataset == 'synthetic' else 'r50'
        stages = f'cam_{network}', 'relation-labels', f'irnet_{network}', 'pipeline'
        assert {f'{stage}_{dataset}' for stage in stages} <= names


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_own_types_have_the_prefix_and_exist(file):
    own = own_types()
    assert {'ExitsLabeler', 'ObjectCropDataset', 'StopOnNaNHook'} <= own
    cfg = Config.fromfile(file).to_dict()
    cfg.pop('data_spec', None)
    for where, name in types_in(cfg):
        scope, _, bare = name.rpartition('.')
        if scope == 'mmwsis':
            assert bare in own, f'{where}: {name} is not registered'
        elif not scope:
            assert bare not in own, f'{where}: write mmwsis.{bare}'


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_stage_is_described(file):
    cfg = Config.fromfile(file)
    assert set(cfg.wsis) == {'method', 'stage', 'supervision', 'requires', 'produces'}
    assert cfg.wsis.method == METHODS[file.parent.name]
    assert cfg.default_scope == 'mmdet'
    stages = (
        'pretrain',
        'similarity_extractor',
        'classifier',
        'relation_labels',
        'baseline',
        'labeler',
        'final_model',
    )
    assert cfg.wsis.stage in stages
    Supervision.parse(cfg.wsis.supervision)
    assert any(hook['type'] == 'mmwsis.StopOnNaNHook' for hook in cfg.custom_hooks)
    if cfg.wsis.stage != 'final_model':
        for loader in ('train_dataloader', 'pseudo_label_dataloader'):
            if loader in cfg:
                read = str(cfg[loader].dataset.get('ann_file'))
                assert not read.startswith('annotations/')


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_what_a_stage_requires_is_what_another_makes(file):
    """Paths and commands of `requires` lead back to a config or a converter."""
    cfg = Config.fromfile(file)
    for item in cfg.wsis.requires:
        script = item.command.split()[1]
        assert (ROOT / script).is_file()
        configs = re.findall(r'configs/\S+\.py', item.command)
        if not configs:
            spec = cfg.data_spec
            weak = [f'{spec.data_root}/{path}' for path in spec.train.weak.values()]
            assert item.path in weak
            continue
        maker = Config.fromfile(ROOT / configs[0])
        if script.endswith('train.py') and maker.get('artifact') == 'class_maps':
            # A classifier makes maps; its weights are a start for others, too.
            assert item.path == work_dir(ROOT / configs[0]) + last_checkpoint(maker)
            continue
        assert item.path == maker.wsis.produces
        if script.endswith('generate_pseudo_labels.py') and 'train_cfg' in maker:
            checkpoint = item.command.split()[3]
            assert checkpoint.startswith(work_dir(ROOT / configs[0]) + '/')
            assert checkpoint.endswith(last_checkpoint(maker))


def last_checkpoint(cfg):
    train = cfg.train_cfg
    if train.type == 'IterBasedTrainLoop':
        return f'/iter_{train.max_iters}.pth'
    return f'/epoch_{train.max_epochs}.pth'


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_checkpoint_named_as_product_is_the_last_one(file):
    cfg = Config.fromfile(file)
    produces = cfg.wsis.produces
    if produces and produces.endswith('.pth'):
        assert produces == work_dir(file) + last_checkpoint(cfg)


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith('labeler')], ids=name_of
)
def test_labelers_write_what_final_models_read(file):
    cfg = Config.fromfile(file)
    method = file.parent.name
    root = cfg.data_spec.data_root
    assert cfg.wsis.produces == f'{root}/pseudo_labels/{method}.json'
    level = 'extreme_points' if method == 'exits' else 'boxes'
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == level
        assert loader.dataset.ann_file == cfg.data_spec.train.weak[level]
    assert cfg.val_dataloader.dataset.supervision == 'masks'


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith('cam_')], ids=name_of
)
def test_classifiers_see_tags_alone(file):
    cfg = Config.fromfile(file)
    assert cfg.artifact == 'class_maps'
    assert cfg.wsis.produces == f'{cfg.data_spec.data_root}/class_maps/irnet'
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == 'image_tags'
        assert loader.dataset.ann_file == cfg.data_spec.train.weak.image_tags
    assert cfg.val_dataloader.dataset.supervision == 'masks'
    assert cfg.val_evaluator.type == 'mmwsis.ClassMapMetric'


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith('irnet_')], ids=name_of
)
def test_irnet_reads_what_its_earlier_stages_write(file):
    cfg = Config.fromfile(file)
    root = cfg.data_spec.data_root
    assert cfg.wsis.produces == f'{root}/pseudo_labels/irnet.json'
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == 'image_tags'
        assert loader.dataset.ann_file == cfg.data_spec.train.weak.image_tags
    required = {item.path for item in cfg.wsis.requires}
    for loader, folder in (
        (cfg.train_dataloader, f'{root}/relation_labels/irnet'),
        (cfg.pseudo_label_dataloader, f'{root}/class_maps/irnet'),
    ):
        assert loader.dataset.pipeline[1].folder == folder
        assert folder in required


@pytest.mark.parametrize(
    'file',
    [f for f in CONFIGS if f.stem in FINAL_MODELS | IRNET_FINAL_MODELS],
    ids=name_of,
)
def test_final_models_train_on_the_masks_of_their_method(file):
    """A forgotten ann_file would leave MMDetection's: the ground truth."""
    cfg = Config.fromfile(file)
    dataset = cfg.train_dataloader.dataset
    dataset = dataset.get('dataset', dataset)
    path = f'{dataset.data_root.rstrip("/")}/{dataset.ann_file}'
    if file.parent.name == 'fully_supervised':
        spec = cfg.data_spec
        assert cfg.wsis.requires == []
        assert path == f'{spec.data_root}/{spec.train.ann_file}'
    else:
        (pseudo_labels,) = cfg.wsis.requires
        assert path == pseudo_labels.path
        assert dataset.ann_file == f'pseudo_labels/{file.parent.name}.json'


def test_no_two_configs_share_a_work_dir():
    places = [work_dir(file) for file in CONFIGS]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize('fast', [False, True], ids=['', 'fast'])
@pytest.mark.parametrize('file', PIPELINES, ids=name_of)
def test_pipelines_load_and_name_existing_files(file, fast):
    if fast and not file.name.endswith('synthetic.py'):
        with pytest.raises(ValueError, match='fast'):
            load_pipeline(file, fast=True)
        return
    pipeline = load_pipeline(file, fast=fast)
    assert pipeline.name == f'{file.parent.name}_{file.stem.removeprefix("pipeline_")}'
    for stage in pipeline.stages:
        if isinstance(stage, ConfigStage):
            config = Config.fromfile(file.parent / stage.config)
            if stage.kind == 'generate' and stage.artifact is None:
                assert stage.out == config.wsis.produces
            config.merge_from_dict(
                {k: v for k, v in stage.cfg_options.items() if '{' not in str(v)}
            )
        elif stage.kind == 'command':
            assert (ROOT / stage.command[0]).is_file()


@pytest.mark.parametrize('file', PIPELINES, ids=name_of)
def test_pipelines_run_on_a_data_set_without_masks(file):
    method = file.parent.name
    spec = dict(
        name='bolts',
        data_root='bolts',
        classes=('bolt',),
        train=dict(
            ann_file=None,
            img='images/',
            weak=dict(
                image_tags='tags.json',
                boxes='boxes.json',
                extreme_points='points.json',
            ),
        ),
        val=None,
        image_scale=None,
        generator=None,
    )
    stages = {s.name: s for s in load_pipeline(file, data_spec=spec).stages}
    needless = {'scenes', 'weak_labels', 'quality', 'final_test', 'full_supervision'}
    assert not (needless | {'cam_quality'}) & set(stages)
    names = list(stages)
    assert names[-2:] == ['final_model', 'report']
    assert names.index('labeler') + 1 == names.index('pseudo_labels')
    assert stages['pseudo_labels'].out == f'bolts/pseudo_labels/{method}.json'


def metafile_rows(method):
    """The result table as the metafile has it."""
    content = yaml.safe_load((ROOT / f'configs/{method}/metafile.yml').read_text())
    for model in content['Models']:
        file = Path(model['Config']).name
        about = model['Metadata']
        start = f'| [{file[:-3]}]({file}) | {about["Supervision"]} | {about["Stage"]} |'
        if 'Results' not in model:
            yield f'{start} - | - | - | - |'
        for result in model.get('Results', []):
            ((metric, values),) = result['Metrics'].items()
            paper = '-' if values['Paper'] is None else values['Paper']
            ours = 'not run here' if values['Ours'] is None else values['Ours']
            yield f'{start} {result["Dataset"]} | {metric} | {paper} | {ours} |'


@pytest.mark.parametrize('method', METHODS)
def test_readme_table_is_the_metafile(method):
    readme = (ROOT / f'configs/{method}/README.md').read_text()
    rows = [line for line in readme.splitlines() if line.startswith('| [')]
    assert rows == list(metafile_rows(method))


@pytest.mark.parametrize('method', METHODS)
def test_metafile_lists_every_config(method):
    content = yaml.safe_load((ROOT / f'configs/{method}/metafile.yml').read_text())
    listed = [model['Config'] for model in content['Models']]
    files = [str(f.relative_to(ROOT)) for f in CONFIGS if f.parent.name == method]
    assert sorted(listed) == sorted(files)
    (collection,) = content['Collections']
    assert (ROOT / collection['README']).is_file()
    assert all(
        model['In Collection'] == collection['Name'] for model in content['Models']
    )
    levels = {'extreme points', 'boxes', 'image tags', 'masks', 'none'}
    assert {model['Metadata']['Supervision'] for model in content['Models']} <= levels


def test_model_index_imports_every_metafile():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert index['Import'] == [f'configs/{method}/metafile.yml' for method in METHODS]


@pytest.mark.parametrize('method', METHODS)
def test_readme_has_the_parts_of_mmdetection(method):
    readme = (ROOT / f'configs/{method}/README.md').read_text()
    parts = (
        '# ',
        '## Abstract',
        '## Results and models',
        '## How to run',
        '## Citation',
    )
    places = [readme.find(part) for part in parts]
    assert -1 not in places and places == sorted(places)
