import json
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
from mmwsis.engine.fit_config import LOADERS
from mmwsis.engine.requirements import requirements_of

CONFIGS = Path(__file__).parents[2] / 'configs'
FINAL_MODELS = [
    file
    for file in sorted((CONFIGS / 'exits').glob('*.py'))
    if file.name.startswith(('solov2', 'mask'))
]


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('spec') / 'bolts'
    make_synthetic(root, SyntheticSettings(train=4, val=2, size=64, seed=1))
    # One class: everything is a bolt, with ids that neither start at 0 nor at 1.
    for file in [*root.glob('annotations/instances_*.json'), *root.glob('weak/*.json')]:
        coco = json.loads(file.read_text())
        coco['categories'] = [dict(id=7, name='bolt')]
        for annotation in coco.get('annotations', []):
            annotation['category_id'] = 7
        for image in coco['images']:
            if 'tags' in image:
                image['tags'] = [7] if image['tags'] else []
        file.write_text(json.dumps(coco))
    (root / 'pseudo_labels').mkdir()
    for method in ('exits', 'mal'):
        shutil.copy(
            root / 'annotations/instances_train.json',
            root / f'pseudo_labels/{method}.json',
        )
    return root


def write(folder, text):
    file = folder / 'bolts.py'
    file.write_text(f'data_spec = dict({text})\n')
    return file


@pytest.fixture
def spec_text(scenes):
    return (
        f'name="bolts", data_root={str(scenes)!r}, classes=("bolt",),'
        'train=dict(ann_file="annotations/instances_train.json", img="train",'
        ' weak=dict(extreme_points="weak/extreme_points_train.json")),'
        'val=dict(ann_file="annotations/instances_val.json", img="val")'
    )


@pytest.fixture
def spec(tmp_path, spec_text):
    return load_data_spec(write(tmp_path, spec_text))


@pytest.fixture
def panoptic_spec(tmp_path, scenes):
    """Things and stuff, by the same name."""
    truth = json.loads((scenes / 'annotations/panoptic_train.json').read_text())
    names = [one['name'] for one in truth['categories']]
    panoptic = (
        'img="{0}", panoptic=dict(ann_file="annotations/panoptic_{0}.json", '
        'seg="annotations/panoptic_{0}")'
    )
    file = tmp_path / 'panoptic.py'
    file.write_text(
        f'data_spec = dict(name="bolts", data_root={str(scenes)!r}, '
        f'classes={tuple(names[:6])}, stuff_classes={tuple(names[6:])}, '
        f'train=dict({panoptic.format("train")}), val=dict({panoptic.format("val")}, '
        'ann_file="annotations/instances_val.json"))\n'
    )
    return load_data_spec(file)


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def strings(node):
    if isinstance(node, dict):
        for entry in node.values():
            yield from strings(entry)
    elif isinstance(node, (list, tuple)):
        for entry in node:
            yield from strings(entry)
    elif isinstance(node, str):
        yield node


def test_paths_are_relative_to_the_root_and_complete(tmp_path, scenes, spec):
    assert spec == dict(
        file=str(tmp_path / 'bolts.py'),
        name='bolts',
        data_root=str(scenes),
        classes=('bolt',),
        stuff_classes=(),
        palette=None,
        train=dict(
            ann_file='annotations/instances_train.json',
            img='train/',
            weak=dict(
                image_tags='weak/image_tags_train.json',
                points='weak/points_train.json',
                boxes='weak/boxes_train.json',
                extreme_points='weak/extreme_points_train.json',
            ),
            panoptic=None,
        ),
        val=dict(ann_file='annotations/instances_val.json', img='val/', panoptic=None),
        image_scale=None,
        generator=None,
    )


def test_absolute_paths_and_home_become_relative(tmp_path, scenes, spec_text):
    absolute = spec_text.replace(
        '"annotations/instances_val', f'"{scenes}/annotations/instances_val'
    )
    spec = load_data_spec(write(tmp_path, absolute))
    assert spec['val']['ann_file'] == 'annotations/instances_val.json'


def test_classes_default_to_those_of_the_file(tmp_path, spec_text):
    spec = load_data_spec(write(tmp_path, spec_text.replace('classes=("bolt",),', '')))
    assert spec['classes'] == ('bolt',)


@pytest.mark.parametrize(
    ('old', 'new', 'error', 'message'),
    [
        ('name="bolts", ', '', ValueError, r"lacks \['name'\]"),
        ('"bolts"', '"my bolts"', ValueError, 'without blanks'),
        ('val=', 'vall=', ValueError, "unknown key 'vall'; did you mean 'val'"),
        ('weak=dict(ext', 'weak=dict(exx', ValueError, "mean 'extreme_points'"),
        ('("bolt",)', '("bolt")', ValueError, r"written \('bolt',\) with the comma"),
        ('("bolt",)', '("bolt", "bolt")', ValueError, 'different names'),
        ('img="train"', 'img="trian"', FileNotFoundError, 'train.img: there is no'),
        ('instances_val', 'instances_vla', FileNotFoundError, 'val.ann_file: there is'),
        ('ances_train', 'ances_trian', FileNotFoundError, 'train.ann_file: there is'),
        (
            ', img="val")',
            ', img="val"), image_scale=64',
            ValueError,
            r'\(width, height\)',
        ),
        ('ann_file="annotations/instances_train.json", ', '', None, None),
    ],
)
def test_mistakes_are_named(tmp_path, spec_text, old, new, error, message):
    assert old in spec_text
    file = write(tmp_path, spec_text.replace(old, new, 1))
    if error is None:
        assert load_data_spec(file)['train']['ann_file'] is None
        return
    with pytest.raises(error, match=message) as caught:
        load_data_spec(file)
    assert 'bolts.py' in str(caught.value)


def test_labels_of_some_kind_are_needed(tmp_path, scenes):
    file = write(
        tmp_path, f'name="bolts", data_root={str(scenes)!r}, train=dict(img="train")'
    )
    with pytest.raises(ValueError, match='has no labels'):
        load_data_spec(file)


def test_missing_file_and_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_data_spec(tmp_path / 'none.py')
    other = tmp_path / 'other.py'
    other.write_text('model = dict(type="SOLOv2")\n')
    with pytest.raises(ValueError, match='is no dataset file'):
        load_data_spec(other)


def test_weak_file_that_nothing_can_make_must_exist(tmp_path, spec_text):
    text = spec_text.replace('ann_file="annotations/instances_train.json", ', '', 1)
    text = text.replace('extreme_points_train', 'extreme_points_lost')
    with pytest.raises(FileNotFoundError, match='train.weak.extreme_points'):
        load_data_spec(write(tmp_path, text))


@pytest.mark.parametrize('file', FINAL_MODELS, ids=lambda file: file.stem)
@pytest.mark.parametrize('method', ['exits', 'final_models'])
def test_one_class_final_models(method, file, spec, scenes):
    """The datasets build, and every number of classes is one."""
    cfg = apply_data_spec(load(f'{method}/{file.stem}'), spec)
    init_default_scope('mmdet')
    for loader in (key for key in LOADERS if key in cfg):
        dataset = DATASETS.build(cfg[loader].dataset)
        assert len(dataset) > 0
        assert dataset.metainfo['classes'] == ('bolt',)
        labels = (
            {
                instance['bbox_label']
                for index in range(len(dataset))
                for instance in dataset.get_data_info(index)['instances']
            }
            if loader != 'train_dataloader'
            else {0}
        )
        assert labels == {0}
    name = 'pseudo_labels/exits' if method == 'exits' else 'annotations/instances_train'
    inner = cfg.train_dataloader.dataset
    assert inner.get('dataset', inner).ann_file == f'{name}.json'
    several = isinstance(cfg.val_evaluator, list)  # VOC's AP beside COCO's
    metrics = cfg.val_evaluator if several else [cfg.val_evaluator]
    for metric in metrics:
        assert metric.ann_file == f'{scenes}/annotations/instances_val.json'
    assert metrics[-1].type.removeprefix('mmdet.') == 'CocoMetric'
    counts = []

    def collect(node):
        if isinstance(node, (list, tuple)):
            for entry in node:
                collect(entry)
        elif isinstance(node, dict):
            counts.extend(
                node[key]
                for key in ('num_classes', 'num_things_classes')
                if key in node
            )
            if 'class_weight' in node and isinstance(node['class_weight'], list):
                assert node['class_weight'] == [1.0, 0.1]
            for entry in node.values():
                collect(entry)

    collect(cfg.model.to_dict())
    assert counts and set(counts) == {1}


def test_labeler_keeps_its_supervision(spec, tmp_path):
    cfg = apply_data_spec(load('mal/labeler_vit-b_coco'), spec)
    assert cfg.train_dataloader.dataset.ann_file == 'weak/boxes_train.json'
    assert cfg.pseudo_label_dataloader.dataset.data_prefix.img == 'train/'
    assert cfg.test_dataloader.dataset.data_prefix.img == 'val/'
    assert cfg.val_dataloader.dataset.data_prefix.img == 'val/'
    assert cfg.work_dir == 'work_dirs/bolts/mal/labeler_vit-b_coco'
    assert load('mal/labeler_vit-b_coco').work_dir == 'work_dirs/mal/labeler_vit-b_coco'


def test_requirements_name_the_commands_of_this_dataset(spec, scenes):
    cfg = apply_data_spec(load('exits/labeler_vit-b_coco'), spec)
    made = {item.path: item for item in requirements_of(cfg)}
    weak = made[f'{scenes}/weak/extreme_points_train.json']
    assert weak.command == (
        'python tools/dataset_converters/coco2weak.py '
        f'{scenes}/annotations/instances_train.json '
        f'--level extreme_points --out {scenes}/weak/extreme_points_train.json'
    )
    folder = 'work_dirs/bolts/similarity-extractor_vit-b_coco'
    extractor = made[f'{folder}/epoch_1.pth']
    assert extractor.command.endswith(f'_coco.py --dataset {spec["file"]}')
    assert cfg.model.similarity_extractor.init_cfg.checkpoint == extractor.path
    assert cfg.wsis.produces == f'{scenes}/pseudo_labels/exits.json'


@pytest.mark.parametrize(
    'name', ['exits/labeler_vit-tiny_synthetic', 'exits/mae_vit-tiny_synthetic']
)
def test_small_recipe_needs_no_scenes_then(name, spec):
    cfg = apply_data_spec(load(name), spec)
    assert not any('make_synthetic' in text for text in strings(cfg.to_dict()))


def is_variable(key, cfg):
    """Whether the loaders of COCO were written with it; no tool reads it."""
    names = 'train_boxes', 'val_panoptic'
    return 'coco_spec' in cfg and (key.startswith('coco_') or key in names)


@pytest.mark.parametrize(
    'file',
    [
        f
        for f in sorted(CONFIGS.glob('[!_]*/*.py'))
        if not f.name.startswith('pipeline') and f.parent.name != 'data_specs'
    ],
    ids=lambda file: f'{file.parent.name}/{file.stem}',
)
def test_nothing_of_the_old_dataset_is_left(file, spec, panoptic_spec):
    cfg = Config.fromfile(file)
    of_panoptic = file.parent.name == 'weak_panoptic' or 'panoptic-fpn' in file.name
    cfg = apply_data_spec(cfg, panoptic_spec if of_panoptic else spec)
    read = {
        key: value for key, value in cfg.to_dict().items() if not is_variable(key, cfg)
    }
    for text in strings(read):
        assert not text.startswith('data/'), text
        assert 'work_dirs/' not in text.replace('work_dirs/bolts/', ''), text
        assert '2017' not in text


def test_plain_mmdet_config(spec, scenes):
    file = Config._get_cfg_path('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', '')[0]
    cfg = apply_data_spec(Config.fromfile(file), spec)
    dataset = cfg.train_dataloader.dataset
    assert dataset.ann_file == 'annotations/instances_train.json'
    assert dataset.metainfo == dict(classes=('bolt',))
    assert cfg.model.roi_head.mask_head.num_classes == 1
    assert cfg.model.backbone == Config.fromfile(file).model.backbone


def test_training_on_masks_needs_masks(tmp_path, spec_text):
    text = spec_text.replace('ann_file="annotations/instances_train.json", ', '', 1)
    spec = load_data_spec(write(tmp_path, text))
    with pytest.raises(ValueError, match='trains on masks'):
        apply_data_spec(load('final_models/solov2_r50'), spec)
    cfg = apply_data_spec(load('exits/labeler_vit-b_coco'), spec)
    weak = {item.path: item.command for item in requirements_of(cfg)}
    file = f'{spec["data_root"]}/weak/extreme_points_train.json'
    assert 'annotation tool' in weak[file]


def test_without_validation_images(tmp_path, spec_text):
    text = spec_text[: spec_text.index('val=')]
    spec = load_data_spec(write(tmp_path, text))
    final = apply_data_spec(load('exits/solov2_r50'), spec)
    labeler = apply_data_spec(load('exits/labeler_vit-b_coco'), spec)
    for cfg in (final, labeler):
        assert cfg.val_dataloader is cfg.val_evaluator is cfg.val_cfg is None
        assert cfg.test_dataloader is cfg.test_evaluator is cfg.test_cfg is None
    # Labels are still to be made.
    ann_file = labeler.pseudo_label_dataloader.dataset.ann_file
    assert ann_file == 'weak/extreme_points_train.json'


def test_image_scale(tmp_path, spec_text):
    file = write(tmp_path, spec_text + ', image_scale=(400, 300)')
    spec = load_data_spec(file)
    cfg = apply_data_spec(load('exits/solov2_r50'), spec)
    kinds = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert kinds['RandomChoiceResize'].scales[0] == (400, 300)
    assert kinds['RandomChoiceResize'].scales[-1] == (400, 240)  # 640 of 800
    assert cfg.val_dataloader.dataset.pipeline[1].scale == (400, 300)
    crop = apply_data_spec(load('exits/mask2former_swin-s'), spec)
    kinds = {step.type: step for step in crop.train_dataloader.dataset.pipeline}
    assert kinds['RandomResize'].scale == kinds['RandomCrop'].crop_size == (400, 300)
    assert crop.model.data_preprocessor.batch_augments[0].size == (300, 400)
    tall = load_data_spec(write(tmp_path, spec_text + ', image_scale=(300, 400)'))
    cfg = apply_data_spec(load('exits/solov2_r50'), tall)
    kinds = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert kinds['RandomChoiceResize'].scales[-1] == (240, 400)


def test_image_scale_of_choices_of_the_longer_side(tmp_path, spec_text):
    name = 'final_models/solov2_efficientnet-lite0_small'
    shipped = load(name).train_pipeline[2].scales
    assert shipped[0] == (224, 224) and shipped[-1] == (320, 320)
    for scale in ((640, 640), (480, 640)):
        file = write(tmp_path, spec_text + f', image_scale={scale}')
        cfg = apply_data_spec(load(name), load_data_spec(file))
        kinds = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
        scales = kinds['RandomChoiceResize'].scales
        assert scales[-1] == scale
        assert scales[0] == tuple(side * 224 // 320 for side in scale)


def scale_ranges(tmp_path, spec_text, image_scale, config='exits/solov2_r18_synthetic'):
    file = write(tmp_path, f'{spec_text}, image_scale={image_scale}')
    spec = load_data_spec(file)
    cfg = apply_data_spec(load(config), spec)
    again = apply_data_spec(cfg, spec)
    assert again.model.mask_head.scale_ranges == cfg.model.mask_head.scale_ranges
    return cfg, cfg.model.mask_head.scale_ranges


def test_scale_ranges_follow_the_image_scale(tmp_path, spec_text):
    own = load('exits/solov2_r18_synthetic')
    width, height = own.image_scale
    small = own.model.mask_head.scale_ranges
    last = small[-1][1]

    def times(factor):
        return [round(bound * factor) for pair in small for bound in pair][:-1]

    cfg, ranges = scale_ranges(tmp_path, spec_text, (2 * width, 2 * height))
    assert cfg.image_scale == (2 * width, 2 * height)
    assert [bound for pair in ranges for bound in pair] == [*times(2), 2 * last]
    # Only the geometric mean of the sides counts, and the open bound never shrinks.
    for wide in ((2 * width, height // 2), (width, height)):
        assert scale_ranges(tmp_path, spec_text, wide)[1] == small
    _, ranges = scale_ranges(tmp_path, spec_text, (width // 2, height // 2))
    assert [bound for pair in ranges for bound in pair] == [*times(0.5), last]
    assert ranges[-1][1] > ranges[-2][1]


def test_scale_ranges_stay_without_an_own_image_scale(tmp_path, spec_text):
    own = load('exits/solov2_r50').model.mask_head.scale_ranges
    cfg, ranges = scale_ranges(tmp_path, spec_text, (400, 300), 'exits/solov2_r50')
    assert ranges == own
    assert 'image_scale' not in cfg
    fitted = apply_data_spec(
        load('exits/solov2_r18_synthetic'), load_data_spec(write(tmp_path, spec_text))
    )
    small = load('exits/solov2_r18_synthetic')
    assert fitted.model.mask_head.scale_ranges == small.model.mask_head.scale_ranges
    assert fitted.image_scale == small.image_scale
