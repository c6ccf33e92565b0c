"""Rules for every config: prefixes, bases, stages that fit together, documentation."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from shipped_configs import (
    ALL,
    CONFIGS,
    FOLDER,
    METHODS,
    PIPELINES,
    ROOT,
    load,
    name_of,
    work_dir,
)

from mmwsis import registry
from mmwsis.engine.requirements import last_checkpoint, requirements_of
from mmwsis.pipelines.definition import load_pipeline
from mmwsis.pipelines.jobs import JobFactory
from mmwsis.pipelines.locate import find_config
from mmwsis.pipelines.stages import ConfigStage
from mmwsis.structures.supervision import Supervision
from mmwsis.utils.config_files import paths_named_in

NAMES = {
    'exits': 'EXITS',
    'mal': 'MAL',
    'irnet': 'IRNet',
    'bestie': 'BESTIE',
    'wise': 'WISE',
    'weak_panoptic': 'Weak panoptic',
    'proposals': 'Proposals',
    'sam': 'SAM',
}
FINALS = [f for f in CONFIGS if load(f).wsis.get('stage') == 'final_model']
STAGES = [f for f in CONFIGS if f not in FINALS]
# MMDetection's hook draws the truth of a sample; hooks of ours read it themselves.
DRAWN = [
    file
    for file in CONFIGS
    if (load(file).default_hooks.get('visualization') or {}).get('type')
    == 'DetVisualizationHook'
]
DATASETS = ('coco', 'voc', 'lvis', 'synthetic')
# Rows of the papers' tables, and each method's defaults.
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
    'solov2_efficientnet-lite0_small',
}
CUE_NETWORKS = dict(
    coco='vgg16', voc='vgg16', synthetic='r18', small='efficientnet-lite0'
)
IRNET_NETWORKS = dict(
    coco='r50', voc='r50', synthetic='r18', small='efficientnet-lite0'
)
IRNET_FINAL_MODELS = {
    'mask-rcnn_r50',
    'mask-rcnn_r50_voc',
    'mask-rcnn_r18_synthetic',
    'mask-rcnn_efficientnet-lite0_small',
    'solov2_efficientnet-lite0_small',
}
MORE_FINAL_MODELS = {'mask-rcnn_r101', 'mask-rcnn_r101_voc'}
MORE_FINAL_MODELS |= {'mask-rcnn_r50_voc_train', 'mask-rcnn_r50_voc_budget'}
PANOPTIC_FINAL_MODELS = {
    'panoptic-fpn_r50_voc',
    'panoptic-fpn_r50_cityscapes',
    'panoptic-fpn_r18_synthetic',
    'panoptic-fpn_efficientnet-lite0_small',
}
WEAK_PANOPTIC = {
    **dict(voc='r101', cityscapes='r101'),
    **dict(synthetic='r18', small='efficientnet-lite0'),
}
WISE_FINAL_MODELS = {
    'mask-rcnn_r50',
    'mask-rcnn_r50_voc_train',
    'mask-rcnn_r18_synthetic',
    'mask-rcnn_efficientnet-lite0_small',
    'solov2_efficientnet-lite0_small',
}


def backbone(dataset):
    return 'vit-tiny' if dataset == 'synthetic' else 'vit-b'


def with_points(name):
    """Name of a final model on labels that were made from points."""
    for dataset in ('_voc', '_small', '_synthetic'):
        if name.endswith(dataset):
            return name.removesuffix(dataset) + '_points' + dataset
    return name + '_points'


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


def test_all_promised_configs_are_there():
    stems = {m: {f.stem for f in ALL if f.parent.name == m} for m in METHODS}
    for dataset in DATASETS:
        vit = backbone(dataset)
        for method in ('exits', 'mal'):
            assert f'labeler_{vit}_{dataset}' in stems[method]
        assert f'similarity-extractor_{vit}_{dataset}' in stems['exits']
    for dataset, network in IRNET_NETWORKS.items():
        stages = f'cam_{network}', 'relation-labels', f'irnet_{network}'
        assert {f'{stage}_{dataset}' for stage in stages} <= stems['irnet']
    for dataset, network in CUE_NETWORKS.items():
        assert f'pam_{network}_{dataset}' in stems['bestie']
    assert stems['exits'] >= FINAL_MODELS
    assert stems['mal'] >= FINAL_MODELS
    assert stems['irnet'] >= IRNET_FINAL_MODELS
    every = FINAL_MODELS | IRNET_FINAL_MODELS | MORE_FINAL_MODELS
    assert stems['final_models'] == every | PANOPTIC_FINAL_MODELS
    assert stems['weak_panoptic'] >= PANOPTIC_FINAL_MODELS
    for dataset, network in WEAK_PANOPTIC.items():
        own = (
            'box-labels',
            f'detector_faster-rcnn_{network}',
            f'weak_panoptic_{network}',
        )
        assert {f'{stage}_{dataset}' for stage in own} <= stems['weak_panoptic']
    pipelines = 'cityscapes', 'semi_synthetic', 'semi_small', 'semi_cityscapes'
    assert {f'pipeline_{one}' for one in pipelines} <= stems['weak_panoptic']
    for name in IRNET_FINAL_MODELS - {'solov2_efficientnet-lite0_small'}:
        assert {name, with_points(name)} <= stems['bestie']
    assert stems['wise'] >= WISE_FINAL_MODELS
    for method in ('exits', 'mal', 'irnet', 'bestie', 'wise', 'weak_panoptic'):
        assert {'pipeline', 'pipeline_small', 'pipeline_synthetic'} <= stems[method]
    points = 'pipeline_points', 'pipeline_points_small', 'pipeline_points_synthetic'
    assert set(points) <= stems['bestie']


def test_configs_stay_few():
    """A further method costs its own files, not one for each combination."""
    files = list(FOLDER.rglob('*.py'))
    fragments = [file for file in files if '_base_' in file.parts]
    assert len(files) <= 263
    assert len(fragments) <= len(files) / 3


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_own_types_have_the_prefix_and_exist(file):
    own = own_types()
    assert {'ExitsLabeler', 'ObjectCropDataset', 'StopOnNaNHook'} <= own
    cfg = load(file).to_dict()
    cfg.pop('data_spec', None)
    for where, name in types_in(cfg):
        scope, _, bare = name.rpartition('.')
        if scope == 'mmwsis':
            assert bare in own, f'{where}: {name} is not registered'
        elif not scope:
            assert bare not in own, f'{where}: write mmwsis.{bare}'


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_every_run_is_guarded(file):
    cfg = load(file)
    assert cfg.default_scope == 'mmdet'
    assert any(hook['type'] == 'mmwsis.StopOnNaNHook' for hook in cfg.custom_hooks)


@pytest.mark.parametrize('file', STAGES, ids=name_of)
def test_stage_is_described(file):
    cfg = load(file)
    known = {'method', 'stage', 'supervision', 'requires', 'produces'}
    assert {'method', 'stage', 'supervision'} <= set(cfg.wsis) <= known
    assert cfg.wsis.method == NAMES[file.parent.name]
    stages = (
        'pretrain',
        'similarity_extractor',
        'classifier',
        'relation_labels',
        'baseline',
        'labeler',
        'proposals',
        'end_to_end',
    )
    assert cfg.wsis.stage in stages
    Supervision.parse(cfg.wsis.supervision)
    for loader in ('train_dataloader', 'pseudo_label_dataloader'):
        if cfg.get(loader):
            read = str(cfg[loader].dataset.get('ann_file'))
            assert not read.startswith('annotations/')


@pytest.mark.parametrize('file', STAGES, ids=name_of)
def test_stages_draw_with_a_hook_of_their_own_method(file):
    hook = load(file).default_hooks.get('visualization')
    stage = load(file).wsis.stage
    crops = 'mmwsis.CropPredictionVisualizationHook'
    own = {
        'classifier': 'mmwsis.ClassMapVisualizationHook',
        'end_to_end': 'DetVisualizationHook',
    }
    if file.parent.name == 'wise':
        own['end_to_end'] = 'mmwsis.WISEVisualizationHook'
    if file.parent.name in ('exits', 'mal') and stage != 'pretrain':
        own[stage] = crops
    if file.parent.name == 'weak_panoptic':  # its classifiers make label maps
        own['classifier'] = None
        own['end_to_end'] = 'mmwsis.PanopticVisualizationHook'
    if file.stem.startswith('detector_'):
        own[stage] = 'DetVisualizationHook'
    assert (hook and hook.type) == own.get(stage)


@pytest.mark.parametrize('file', DRAWN, ids=name_of)
def test_pictures_have_the_truth_beside_the_predictions(file):
    dataset = load(file).test_dataloader.dataset
    assert any(step.type.endswith('Annotations') for step in dataset.pipeline)


@pytest.mark.parametrize('file', CONFIGS, ids=name_of)
def test_all_that_a_config_reads_is_made_by_another(file):
    """Labels, maps and weights come from a stage that `wsis` names, or a converter."""
    cfg = load(file)
    settings = cfg.to_dict()
    settings.pop('wsis')
    read = set(paths_named_in(settings))
    made = {item.path: item.command for item in requirements_of(cfg)}
    # PNGs of a panoptic JSON lie in the folder of its name.
    made.update({f'{path.removesuffix(".json")}/': made[path] for path in tuple(made)})
    folders = '/weak/', '/pseudo_labels/', '/class_maps/', '/relation_labels/'
    for path in read:
        below_data = path.startswith('data/') and path.count('data/') == 1
        of_a_stage = below_data and any(folder in path for folder in folders)
        if of_a_stage or path.startswith('work_dirs/'):
            assert path in made
    for command in made.values():
        assert (ROOT / command.split()[1]).is_file()
    for name in cfg.wsis.get('requires', ()):
        if not isinstance(name, str):
            continue
        maker = load(ROOT / name)
        products = {
            maker.wsis.get('produces'),
            last_checkpoint(maker, ROOT / name),
        }
        assert products & read, name


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith('labeler')], ids=name_of
)
def test_labelers_write_what_final_models_read(file):
    cfg = load(file)
    method = file.parent.name
    root = cfg.data_spec.data_root
    assert cfg.wsis.produces == f'{root}/pseudo_labels/{method}.json'
    level = 'extreme_points' if method == 'exits' else 'boxes'
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == level
        assert loader.dataset.ann_file == cfg.data_spec.train.weak[level]
    assert cfg.val_dataloader.dataset.supervision == 'masks'


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith(('cam_', 'pam_'))], ids=name_of
)
def test_classifiers_see_tags_alone(file):
    cfg = load(file)
    artifact, place = 'class_maps', 'class_maps/irnet'
    if file.parent.name == 'bestie':
        artifact, place = 'points', 'pseudo_labels/bestie_cues.json'
    assert cfg.artifact == artifact
    assert cfg.wsis.produces == f'{cfg.data_spec.data_root}/{place}'
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == 'image_tags'
        assert loader.dataset.ann_file == cfg.data_spec.train.weak.image_tags
    assert cfg.val_dataloader.dataset.supervision == 'masks'
    kinds = [one.type for one in cfg.val_evaluator]
    assert kinds == ['mmwsis.TagAccuracyMetric', 'mmwsis.ClassMapMetric']


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith('irnet_')], ids=name_of
)
def test_irnet_reads_what_its_earlier_stages_write(file):
    cfg = load(file)
    root = cfg.data_spec.data_root
    assert cfg.wsis.produces == f'{root}/pseudo_labels/irnet.json'
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == 'image_tags'
        assert loader.dataset.ann_file == cfg.data_spec.train.weak.image_tags
    required = {item.path for item in requirements_of(cfg)}
    for loader, folder in (
        (cfg.train_dataloader, f'{root}/relation_labels/irnet'),
        (cfg.pseudo_label_dataloader, f'{root}/class_maps/irnet'),
    ):
        assert loader.dataset.pipeline[1].folder == folder
        assert folder in required


@pytest.mark.parametrize(
    'file', [f for f in CONFIGS if f.name.startswith('bestie_')], ids=name_of
)
def test_bestie_learns_from_what_it_is_declared_with(file):
    cfg = load(file)
    level, root = cfg.wsis.supervision, cfg.data_spec.data_root
    assert level == ('points' if '_points_' in file.stem else 'image_tags')
    assert cfg.model.supervision == level
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        assert loader.dataset.supervision == level
        assert loader.dataset.ann_file == cfg.data_spec.train.weak[level]
    assert cfg.val_dataloader.dataset.supervision == 'masks'
    name = 'bestie_points' if level == 'points' else 'bestie'
    assert cfg.wsis.produces == f'{root}/pseudo_labels/{name}.json'
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    needed = {steps['mmwsis.LoadSemanticMap'].folder}
    if level == 'image_tags':
        needed.add(steps['mmwsis.LoadCues'].ann_file)
    assert needed <= {item.path for item in requirements_of(cfg)}
    centers = steps['mmwsis.GenerateCenterTargets'].get('centers_from', 'components')
    assert centers == ('points' if level == 'points' else 'components')
    assert steps['mmwsis.GenerateCenterTargets'].sigma == cfg.model.sigma


@pytest.mark.parametrize('file', FINALS, ids=name_of)
def test_final_models_train_on_the_masks_of_their_method(file):
    """A forgotten ann_file would leave MMDetection's: the ground truth."""
    cfg = load(file)
    dataset = cfg.train_dataloader.dataset
    dataset = dataset.get('dataset', dataset)
    path = f'{dataset.data_root.rstrip("/")}/{dataset.ann_file}'
    if file.parent.name == 'final_models':
        train = cfg.data_spec.train
        is_panoptic = file.stem in PANOPTIC_FINAL_MODELS
        truth = train.panoptic.ann_file if is_panoptic else train.ann_file
        assert cfg.wsis == dict(stage='final_model')
        assert path == f'{cfg.data_spec.data_root}/{truth}'
    else:
        assert cfg.wsis == dict(stage='final_model', labeler=cfg.wsis.labeler)
        labeler = load(ROOT / cfg.wsis.labeler)
        assert path == labeler.wsis.produces
        assert labeler.wsis.method == NAMES[file.parent.name]
        assert labeler.data_spec == cfg.data_spec


def test_no_two_configs_share_a_work_dir():
    places = [work_dir(file) for file in CONFIGS]
    assert len(set(places)) == len(places)


def recipes():
    """Pipeline files with each of their datasets."""
    for file in PIPELINES:
        for data in load(file).pipeline.data:
            yield pytest.param(file, data, id=f'{file.parent.name}/{data}')


@pytest.mark.parametrize(('file', 'data'), recipes())
def test_pipelines_load_and_name_existing_files(file, data):
    assert set(load(file).keys()) <= {'pipeline', 'stages', 'changes', 'without'}
    small = file.stem.endswith(('_small', '_synthetic'))
    if not small:
        with pytest.raises(ValueError, match='fast'):
            load_pipeline(file, fast=True)
    for fast in (False, True)[: 1 + small]:
        pipeline = load_pipeline(file, fast=fast, data=data)
        assert pipeline.name == f'{labels_of(file)}_{data}'
        choice = load(file).pipeline.data[data]
        assert pipeline.data_spec['name'] == choice.get('dataset', data)
        assert pipeline.work_dir == f'work_dirs/pipelines/{pipeline.name}'
    # With --fast, where there is one: its options come on top.
    factory = JobFactory(pipeline, ROOT)
    for stage in pipeline.stages:
        if isinstance(stage, ConfigStage):
            check_stage(stage, factory.config_of(stage))
            check_places(stage, load(find_config(stage.config, file.parent)))
        elif stage.kind == 'command':
            assert (ROOT / stage.command[0]).is_file()


def check_stage(stage, cfg):
    if stage.kind == 'generate' and stage.artifact is None:
        assert stage.out == cfg.wsis.produces


def check_places(stage, plain):
    """What is named by its place in a list is there; a slip would add it."""
    for key in stage.cfg_options:
        part = plain
        if any(name.isdigit() for name in key.split('.')):
            for name in key.split('.'):
                part = part[int(name) if name.isdigit() else name]


def labels_of(pipeline):
    """What a pipeline and its pseudo labels are named after."""
    kinds = '_points', '_budget', '_semi'
    kind = next((k for k in kinds if k in pipeline.stem), '')
    return pipeline.parent.name + kind


# A budget is spent on images that have masks; weak panoptic has panoptic ones
# (tests/pipelines/test_weak_panoptic_pipelines.py).
WITHOUT_MASKS = [
    file
    for file in PIPELINES
    if '_budget' not in file.stem and file.parent.name != 'weak_panoptic'
]


@pytest.mark.parametrize('file', WITHOUT_MASKS, ids=name_of)
def test_pipelines_run_on_a_data_set_without_masks(file):
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
                points='clicks.json',
                extreme_points='points.json',
            ),
        ),
        val=None,
        image_scale=None,
        generator=None,
    )
    stages = {s.name: s for s in load_pipeline(file, data_spec=spec).stages}
    needless = {'scenes', 'weak_labels', 'quality', 'final_test', 'full_supervision'}
    assert not (needless | {'cam_quality', 'network_test@1'}) & set(stages)
    names = list(stages)
    assert names[-2:] == ['final_model', 'report']
    trained = dict(bestie='network@1', wise='network').get(file.parent.name, 'labeler')
    if file.parent.name != 'sam':  # which is not trained
        assert names.index(trained) + 1 == names.index('pseudo_labels')
    assert stages['pseudo_labels'].out == f'bolts/pseudo_labels/{labels_of(file)}.json'


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
    levels = {'extreme points', 'boxes', 'points', 'image tags', 'masks', 'none'}
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
