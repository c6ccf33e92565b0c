"""Labels of a few images in Python are those of the tool, to the byte."""

import json
import runpy
import sys
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from pycocotools import mask as coco_mask

from mmwsis.apis import LabelInferencer
from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.run_config import load_run_config
from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.formats.semantic_maps import read_semantic_map
from mmwsis.registry import MODELS

TOOL = Path(__file__).parents[2] / 'tools/generate_pseudo_labels.py'
DATA = Path('data/synthetic')
NAMES = ('bar', 'blob', 'ellipse', 'polygon', 'ring', 'star')
QUICK = {'model.test_cfg.scales': [100], 'model.test_cfg.color_spaces': ['lab']}


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('apis')
    make_synthetic(folder / DATA, SyntheticSettings(train=3, val=1, size=64))
    return folder


@pytest.fixture
def inside(scenes, monkeypatch):
    monkeypatch.chdir(scenes)
    return scenes


def weights(config, **options):
    """A checkpoint of random weights."""
    path = Path('weights', f'{config.rpartition("/")[2]}.pth')
    if not path.is_file():
        cfg = load_run_config(config, options)
        init_default_scope('mmdet')
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        path.parent.mkdir(exist_ok=True)
        torch.save(dict(state_dict=model.state_dict()), path)
    return path


def generate(patch, config, checkpoint, out, artifact=None, **options):
    argv = [str(TOOL), config, *([str(checkpoint)] if checkpoint else [])]
    argv += ['--out', str(out), '--force']
    argv += ['--artifact', artifact] if artifact else []
    options = {'pseudo_label_dataloader.num_workers': 0, **options}
    argv += ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    patch.setattr(sys, 'argv', argv)
    patch.setenv('LOCAL_RANK', '0')
    runpy.run_path(str(TOOL), run_name='__main__')


class Weak:
    """A weak file, as the arguments of an inferencer."""

    def __init__(self, level):
        coco = json.loads((DATA / f'weak/{level}_train.json').read_text())
        self.images = [str(DATA / 'train' / one['file_name']) for one in coco['images']]
        self.ids = [one['id'] for one in coco['images']]
        self.category_ids = [one['id'] for one in coco['categories']]
        self.names = {one['id']: one['name'] for one in coco['categories']}
        self.annotations = [
            [one for one in coco['annotations'] if one['image_id'] == image_id]
            for image_id in self.ids
        ]
        self.tags = [
            [self.names[tag] for tag in one.get('tags', ())] for one in coco['images']
        ]

    def objects(self, key):
        return [[one[key] for one in own] for own in self.annotations]

    @property
    def boxes(self):
        return [
            [[x, y, x + w, y + h] for x, y, w, h in own] for own in self.objects('bbox')
        ]

    @property
    def labels(self):
        ids = self.objects('category_id')
        return [[self.names[category] for category in own] for own in ids]


def assert_same_objects(results, file, weak):
    made = json.loads(Path(file).read_text())['annotations']
    for result, image_id in zip(results, weak.ids, strict=True):
        own = [one for one in made if one['image_id'] == image_id]
        assert result.masks == [one['segmentation'] for one in own]
        assert result.scores.tolist() == [one['score'] for one in own]
        labels = [weak.category_ids.index(one['category_id']) for one in own]
        assert result.labels.tolist() == labels
    return sum(len(result.masks) for result in results)


EXITS = 'mmwsis::exits/labeler_vit-tiny_synthetic.py'
MAL = 'mmwsis::mal/labeler_vit-tiny_synthetic.py'


@pytest.mark.parametrize(
    ('config', 'level', 'keys'),
    [(EXITS, 'extreme_points', 'extreme_points'), (MAL, 'boxes', 'boxes')],
)
def test_crops_of_known_objects(inside, monkeypatch, config, level, keys):
    weak, checkpoint = Weak(level), weights(config)
    given = weak.boxes if keys == 'boxes' else weak.objects(keys)
    generate(monkeypatch, config, checkpoint, f'{keys}.json')
    inferencer = LabelInferencer(config, checkpoint, device='cpu')
    assert inferencer.takes == keys
    results = inferencer(weak.images, **{keys: given}, labels=weak.labels, rle=True)
    assert assert_same_objects(results, f'{keys}.json', weak)
    arrays = [mmcv.imread(image) for image in weak.images]
    # Arrays, other batches, no classes.
    again = inferencer(arrays, **{keys: given}, batch_size=8)
    for first, second in zip(results, again):
        assert second.labels is None and second.names is None
        assert second.image.startswith('images[')
        decoded = [coco_mask.decode(rle).astype(bool) for rle in first.masks]
        assert np.array_equal(second.masks, np.reshape(decoded, second.masks.shape))
        assert second.masks.shape == (len(first.scores), *second.size)
    assert repr(again[1]).startswith("LabelResult('images[1]', 64 x 64, object_masks, ")
    (none,) = inferencer(arrays[:1], **{keys: [[]]})
    assert none.masks.shape == (0, 64, 64) and none.classes == inferencer.classes
    assert inferencer([], **{keys: []}) == []


CAM = 'mmwsis::irnet/cam_r18_synthetic.py'
IRNET = 'mmwsis::irnet/irnet_r18_synthetic.py'


def test_irnet_from_the_class_maps_of_its_classifier(inside, monkeypatch):
    weak = Weak('image_tags')
    cam, irnet = weights(CAM), weights(IRNET)
    folder = DATA / 'class_maps/irnet'
    generate(monkeypatch, CAM, cam, folder)
    generate(monkeypatch, IRNET, irnet, 'irnet.json')
    tags = dict(tags=weak.tags)
    maps = LabelInferencer(CAM, cam, device='cpu')(weak.images, **tags)
    store = ClassMapStore(folder)
    for image_id, result in zip(weak.ids, maps):
        stored = store.read(image_id)
        assert result.labels.tolist() == stored.labels.tolist()
        for name, values in stored.maps.items():
            assert np.array_equal(result.class_maps[name], values)
    inferencer = LabelInferencer(IRNET, irnet, device='cpu')
    assert (inferencer.takes, inferencer.reads) == ('tags', ('class_maps',))
    earlier = dict(class_maps=maps)
    results = inferencer(weak.images, **tags, earlier=earlier, rle=True)
    assert assert_same_objects(results, 'irnet.json', weak)
    generate(monkeypatch, IRNET, irnet, 'semantic', 'semantic_maps')
    arrays = [mmcv.imread(image) for image in weak.images]
    results = inferencer(arrays, **tags, earlier=earlier, artifact='semantic_maps')
    for image, result in zip(weak.images, results):
        stored = read_semantic_map(f'semantic/{Path(image).stem}.png')
        assert np.array_equal(result.label_map, stored)
        assert result.map_classes == ('background', *inferencer.classes)


WISE = 'mmwsis::wise/wise_r18_synthetic.py'


def test_wise_makes_the_proposals_that_are_not_given(inside, monkeypatch):
    weak, checkpoint = Weak('points'), weights(WISE)
    key = 'pseudo_label_dataloader.dataset'
    where = {
        f'{key}.data_root': '.',
        f'{key}.ann_file': DATA / 'weak/points_train.json',
        f'{key}.data_prefix.img': DATA / 'train/',
    }
    proposals = 'mmwsis::proposals/built-in_coco.py'
    generate(monkeypatch, proposals, None, DATA / 'proposals/built_in', **where)
    generate(monkeypatch, WISE, checkpoint, 'wise.json')
    inferencer = LabelInferencer(WISE, checkpoint, device='cpu')
    given = dict(points=weak.objects('point'), labels=weak.labels)
    results = inferencer(weak.images, **given, rle=True)
    assert assert_same_objects(results, 'wise.json', weak)
    few = LabelInferencer(proposals, cfg_options=QUICK)(weak.images)
    assert few[0].masks.shape == (len(few[0].scores), 64, 64)
    other = inferencer(weak.images, **given, earlier=dict(proposals=few))
    assert len(other[0].scores) == len(results[0].scores)


BESTIE = 'mmwsis::bestie/bestie_r18_points_synthetic.py'


def test_bestie_with_points(inside, monkeypatch):
    weak, checkpoint = Weak('points'), weights(BESTIE)
    generate(monkeypatch, BESTIE, checkpoint, 'bestie.json')
    inferencer = LabelInferencer(BESTIE, checkpoint, device='cpu')
    given = dict(points=weak.objects('point'), labels=weak.labels)
    results = inferencer(weak.images, **given, rle=True)
    assert assert_same_objects(results, 'bestie.json', weak)


DETECTOR = 'mmwsis::weak_panoptic/detector_faster-rcnn_r18_synthetic.py'
PANOPTIC = 'mmwsis::weak_panoptic/weak_panoptic_r18_synthetic.py'


def test_panoptic_segmentation_of_given_detections(inside):
    images = [str(path) for path in sorted((DATA / 'train').glob('*.png'))[:2]]
    inferencer = LabelInferencer(PANOPTIC, weights(PANOPTIC), device='cpu')
    assert (inferencer.takes, inferencer.reads) == (None, ('detections',))
    found = dict(bboxes=[[5, 6, 40, 50.5]], labels=[2], scores=[0.9])
    none = dict(bboxes=np.zeros((0, 4)), labels=[], scores=[])
    results = inferencer(images, earlier=dict(detections=[found, none]))
    for result in results:
        ids = {segment['id'] for segment in result.segments}
        assert result.label_map.shape == result.size == (64, 64)
        assert set(np.unique(result.label_map).tolist()) - {0} == ids
    with pytest.raises(ValueError, match='reads detections of an earlier stage'):
        inferencer(images)
    with pytest.raises(ValueError, match=r"images\[1\]: earlier\['detections'\]"):
        inferencer(images, earlier=dict(detections=[found, dict(boxes=[])]))


@pytest.mark.slow
def test_detections_of_the_detector_of_the_method(inside):
    images = [mmcv.imread(next((DATA / 'train').glob('*.png')))]
    found = LabelInferencer(DETECTOR, weights(DETECTOR), device='cpu')(images)
    assert found[0].boxes.shape == (len(found[0].scores), 4)
    inferencer = LabelInferencer(PANOPTIC, weights(PANOPTIC), device='cpu')
    assert inferencer(images, earlier=dict(detections=found))[0].segments


@pytest.mark.slow
def test_weak_panoptic_from_boxes_and_tags_of_images(inside):
    """Every stage on new images; what a stage makes is given to the next."""
    image = mmcv.imread(next((DATA / 'train').glob('*.png')))
    folder = 'mmwsis::weak_panoptic'
    crops = 'pseudo_label_dataloader.dataset.pipeline.1'
    config = f'{folder}/classifier_r18_synthetic.py'
    classifier = LabelInferencer(
        *(config, weights(config), 'cpu'),
        {f'{crops}.image_level': True, f'{crops}.crop_size': 64},
    )
    thing, stuff = classifier.classes[0], classifier.stuff_classes[0]
    tags, boxes = [[thing, stuff]], dict(boxes=[[[8, 6, 40, 50]]], labels=[[thing]])
    (tag_map,) = classifier([image], tags=tags)
    assert tag_map.map_classes == classifier.classes  # there is no background
    proposals = LabelInferencer('mmwsis::proposals/built-in_coco.py', cfg_options=QUICK)
    made = dict(proposals=proposals([image], rle=True))
    box_labels = LabelInferencer(f'{folder}/box-labels_synthetic.py')
    (box_map,) = box_labels([image], **boxes, earlier=made)
    merged = f'{folder}/merged-labels_synthetic.py'
    earlier = dict(semantic_maps=[tag_map], box_maps=[box_map])
    with pytest.raises(ValueError, match='image id 0 has no crop_tags'):
        LabelInferencer(merged)([image], tags=tags, **boxes, earlier=earlier)
    option = {'model.test_cfg.image_level': True}
    labeler = LabelInferencer(merged, cfg_options=option)
    (result,) = labeler([image], tags=tags, **boxes, earlier=earlier)
    assert {one['label'] for one in result.segments} <= {
        *(labeler.classes.index(name) for name in (thing, stuff))
    }
    with pytest.raises(ValueError, match='reads semantic_maps, box_maps of earlier'):
        labeler([image], tags=tags, **boxes, earlier=dict(class_maps=[tag_map]))
    network = f'{folder}/semantic_pspnet-r18_synthetic.py'
    option = {
        'model.test_cfg.refinement.image_level': True,
        # As in semi-supervision: declared with masks, which no image has here.
        'pseudo_label_dataloader.dataset.supervision': 'masks',
    }
    semantic = LabelInferencer(network, weights(network), 'cpu', option)
    earlier = dict(box_maps=[box_map])
    (result,) = semantic([image], tags=tags, **boxes, earlier=earlier)
    assert result.artifact == 'panoptic_maps'
