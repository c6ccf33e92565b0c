"""Labels of SAM: from every kind of prompt, resumed, refused, and as refinement."""

import copy
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from pycocotools import mask as coco_mask

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_sam

from mmwsis.apis import LabelInferencer
from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
from mmwsis.models.labelers import SAMLabeler, SAMRefiner
from mmwsis.ops import encode_filled_box
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.utils.hashing import hash_file

CONFIGS = Path(__file__).parents[2] / 'configs/sam'
CROWD, THIN = 105, 107  # of the scene in conftest.py


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    other = tiny_sam.sam()
    for parameter in other.mask_decoder.parameters():
        parameter.data.mul_(1.01)
    for name, model in (
        ('sam', tiny_sam.sam()),
        ('other', other),
        ('sam2', tiny_sam.sam2()),
    ):
        tiny_sam.save(model, folder / name)
    return folder


@pytest.fixture
def labels(scene):
    """The scene's label files of each level."""
    coco = json.loads((scene / 'weak.json').read_text())
    for one in coco['annotations']:
        x, y, w, h = one['bbox']
        one['point'] = [x + w // 2, y + h // 2]
        one['extreme_points'] = [
            [x + w / 2, y],
            [x, y + h / 2],
            [x + w / 2, y + h],
            [x + w, y + h / 2],
        ]
        if one['iscrowd']:
            del one['point']
    (scene / 'weak.json').write_text(json.dumps(coco))
    return coco


def config(scene, weights, file='sam-vit-b_boxes_small', name='sam', **test_cfg):
    cfg = Config.fromfile(CONFIGS / f'{file}.py')
    cfg.model.weights = str(weights / name)
    cfg.model.test_cfg.update(test_cfg)
    loader = cfg.pseudo_label_dataloader
    loader.update(batch_size=2, num_workers=0)
    loader.dataset.update(
        data_root=str(scene),
        ann_file='weak.json',
        data_prefix=dict(img='images'),
        metainfo=dict(classes=('nut', 'bolt')),
    )
    return cfg


def generate(cfg, out, **options):
    generate_pseudo_labels(cfg, None, out, GenerationOptions(device='cpu', **options))
    return json.loads(out.read_text())


def decode(annotation):
    return coco_mask.decode(annotation['segmentation'])


@pytest.mark.parametrize('name', ['sam', 'sam2'])
def test_every_box_gets_a_mask(scene, labels, weights, name):
    result = generate(config(scene, weights, name=name), scene / 'out.json')
    found = result['annotations']
    assert [one['id'] for one in found] == [one['id'] for one in labels['annotations']]
    sizes = {im['id']: (im['height'], im['width']) for im in labels['images']}
    for one, weak in zip(found, labels['annotations'], strict=True):
        assert one['weak_bbox'] == weak['bbox']
        assert decode(one).shape == sizes[one['image_id']]
        assert one['area'] == decode(one).sum()
        if one['id'] in (CROWD, THIN):
            assert one['score'] == 0
    scores = [one['score'] for one in found if one['id'] not in (CROWD, THIN)]
    assert len(set(scores)) > len(scores) / 2
    info = result['info']['mmwsis']
    assert (info['method'], info['supervision']) == ('SAM', 'boxes')
    assert info['checkpoint'] == name
    assert info['checkpoint_sha256'] == hash_file(weights / name / 'model.safetensors')


def test_a_mask_is_the_decoders_of_the_largest_predicted_iou(scene, labels, weights):
    cfg = config(scene, weights)
    found = generate(cfg, scene / 'out.json')['annotations']
    network = SAMLabeler(weights / 'sam').network
    from mmwsis.formats.image_file import read_rgb

    weak = labels['annotations'][0]
    image = read_rgb(str(scene / 'images' / f'{weak["image_id"]}.png'))
    (encoded,) = network.encode([torch.from_numpy(image).permute(2, 0, 1)])
    x, y, w, h = weak['bbox']
    box = torch.tensor([[x, y, x + w, y + h]], dtype=torch.float32)
    logits, ious = network.decode(encoded, torch.zeros(1, 0, 2), box)
    mask = network.masks(logits[:, ious[0].argmax()], encoded)[0].numpy()
    assert (decode(found[0]) != mask).mean() < 0.01
    assert found[0]['score'] == pytest.approx(float(ious.max().clamp(0, 1)), abs=1e-4)


def test_chunks_of_prompts_and_shards_change_nothing(scene, labels, weights):
    whole = generate(config(scene, weights), scene / 'whole.json')['annotations']
    one = config(scene, weights, prompts_per_batch=1)
    single = generate(one, scene / 'single.json')['annotations']
    for first, second in zip(whole, single, strict=True):
        assert (decode(first) != decode(second)).mean() < 0.01
        assert first['score'] == pytest.approx(second['score'], abs=1e-4)
    for index in (1, 2):
        options = GenerationOptions(device='cpu', shard=Shard(index, 2))
        generate_pseudo_labels(
            config(scene, weights), None, scene / 'parts.json', options
        )
    merged = generate(config(scene, weights), scene / 'parts.json', merge=True)
    assert merged['annotations'] == whole


def test_other_levels(scene, labels, weights):
    boxes = generate(config(scene, weights), scene / 'boxes.json')['annotations']
    for level, stem in (('points', 'points'), ('extreme_points', 'extreme-points')):
        cfg = config(scene, weights, f'sam-vit-b_{stem}_small')
        result = generate(cfg, scene / f'{level}.json')
        assert result['info']['mmwsis']['supervision'] == level
        found = {one['id']: one for one in result['annotations']}
        # Of a crowd that has no box nothing is known.
        gone = {CROWD} if level == 'points' else set()
        assert set(found) == {one['id'] for one in boxes} - gone
        other = [one for one in boxes if one['id'] in found]
        assert any((decode(one) != decode(found[one['id']])).any() for one in other)
    points = json.loads((scene / 'points.json').read_text())['annotations']
    weak = {one['id']: one for one in labels['annotations']}
    assert all(one['weak_point'] == weak[one['id']]['point'] for one in points)
    assert not any('weak_bbox' in one for one in points)


def test_mirrored_view(scene, labels, weights):
    plain = generate(config(scene, weights), scene / 'plain.json')['annotations']
    cfg = config(scene, weights)
    view = generate(cfg, scene / 'view.json', view='mirrored')['annotations']
    assert [one['id'] for one in view] == [one['id'] for one in plain]
    for image in labels['images']:  # the same as labels of mirrored images and boxes
        path = str(scene / 'images' / image['file_name'])
        cv2.imwrite(path, cv2.imread(path)[:, ::-1])
    widths = {image['id']: image['width'] for image in labels['images']}
    for one in labels['annotations']:
        x, _, w, _ = one['bbox']
        one['bbox'][0] = widths[one['image_id']] - x - w
    (scene / 'weak.json').write_text(json.dumps(labels))
    mirror = generate(config(scene, weights), scene / 'mirror.json')['annotations']
    for one, other in zip(view, mirror, strict=True):
        if one['id'] not in (CROWD, THIN):
            assert (decode(one) != decode(other)[:, ::-1]).mean() < 0.01
    with pytest.raises(ValueError, match='no scaled view'):
        generate(config(scene, weights), scene / 'scaled.json', view='scaled')


def test_in_python_the_masks_are_the_same(scene, labels, weights):
    cfg = config(scene, weights)
    made = generate(cfg, scene / 'out.json')['annotations']
    wanted = [one for one in made if one['image_id'] == 9]
    boxes = []
    for one in wanted:
        x, y, w, h = one['weak_bbox']
        boxes.append([x, y, x + w, y + h])
    labeler = LabelInferencer(cfg, device='cpu')
    assert labeler.takes == 'boxes'
    (result,) = labeler([str(scene / 'images/9.png')], boxes=[boxes])
    assert len(result.masks) == len(wanted) > 1
    for mask, one in zip(result.masks, wanted, strict=True):
        assert (mask != decode(one)).mean() < 0.01
    assert labeler([str(scene / 'images/9.png')], boxes=[[]])[0].masks.shape[0] == 0


def test_the_same_run_is_finished_and_other_weights_do_not_mix(
    scene, labels, weights, capsys
):
    out = scene / 'out.json'
    generate(config(scene, weights), out)
    before = out.read_bytes()
    generate(config(scene, weights), out)
    assert out.read_bytes() == before
    with pytest.raises(ValueError, match='checkpoint: was sam .* is now other'):
        generate(config(scene, weights, name='other'), out)
    moved = config(scene, weights)
    moved.model.weights = str(scene / 'weights')
    (scene / 'weights').symlink_to(weights / 'other')
    with pytest.raises(ValueError, match='made by another run'):
        generate(moved, out)
    assert out.read_bytes() == before


def test_what_cannot_be_labelled(scene, labels, weights):
    cfg, out = config(scene, weights), scene / 'out.json'
    with pytest.raises(ValueError, match='brings its weights with it'):
        generate_pseudo_labels(cfg, scene / 'epoch_1.pth', out)
    cfg.model.weights = str(scene / 'nowhere')
    with pytest.raises(FileNotFoundError, match='Correct model.weights'):
        generate_pseudo_labels(cfg, None, out)
    tags = dict(labels, annotations=[])
    tags['images'] = [dict(image, tags=[3]) for image in labels['images']]
    (scene / 'weak.json').write_text(json.dumps(tags))
    with pytest.raises(ValueError, match='tags alone .* nothing says where'):
        generate(config(scene, weights), out)
    outside = copy.deepcopy(labels)
    outside['annotations'][0]['bbox'] = [500, 500, 9, 9]
    (scene / 'weak.json').write_text(json.dumps(outside))
    number = outside['annotations'][0]['id']
    with pytest.raises(ValueError, match=f'annotation id {number}'):
        generate(config(scene, weights), out)
    assert not out.exists()


def test_no_object_at_all(scene, labels, weights):
    (scene / 'weak.json').write_text(json.dumps(dict(labels, annotations=[])))
    result = generate(config(scene, weights), scene / 'out.json')
    assert result['annotations'] == []


def test_settings_and_modes_are_checked(weights):
    with pytest.raises(ValueError, match='mask_choice must be one of'):
        SAMLabeler(weights / 'sam', test_cfg=dict(mask_choice='largest'))
    with pytest.raises(ValueError, match='prompts_per_batch at least 1'):
        SAMLabeler(weights / 'sam', test_cfg=dict(prompts_per_batch=0))
    with pytest.raises(ValueError, match=r'thresholds lie in \[0, 1\]'):
        SAMRefiner(weights / 'sam', test_cfg=dict(min_iou=2))
    with pytest.raises(ValueError, match='is not trained'):
        SAMLabeler(weights / 'sam')([], [], mode='loss')


def refined(scene, weights, out, **limits):
    cfg = config(scene, weights, 'refine_sam-vit-b_small', **limits)
    cfg.pseudo_label_dataloader.dataset.ann_file = 'pseudo.json'
    return generate(cfg, scene / out)


def test_refinement_keeps_what_it_does_not_replace(scene, labels, weights):
    generate(config(scene, weights, name='sam2'), scene / 'pseudo.json')
    source = json.loads((scene / 'pseudo.json').read_text())
    kept = refined(scene, weights, 'kept.json', min_iou=1.0, min_box_iou=1.0)
    assert [
        {key: value for key, value in one.items() if key != 'refined'}
        for one in kept['annotations']
    ] == source['annotations']
    assert kept['info']['mmwsis']['refined']['share'] == 0
    taken = refined(scene, weights, 'taken.json', min_iou=0.0, min_box_iou=0.0)
    info = taken['info']['mmwsis']
    assert [one['id'] for one in taken['annotations']] == [
        one['id'] for one in source['annotations']
    ]
    replaced = 0
    for one, own in zip(taken['annotations'], source['annotations'], strict=True):
        assert one['weak_bbox'] == own['weak_bbox']
        assert one['area'] == decode(one).sum()
        replaced += one['refined']
        if one['id'] == CROWD:
            assert one == dict(own, refined=False)
    assert replaced == len(source['annotations']) - 1
    assert info['refined']['accepted'] == replaced
    assert info['refined']['made_by']['checkpoint'] == 'sam2'
    assert (info['checkpoint'], info['supervision']) == ('sam', 'boxes')
    cfg = config(scene, weights, 'refine_sam-vit-b_small')
    cfg.pseudo_label_dataloader.dataset.ann_file = 'pseudo.json'
    cfg.artifact = 'object_masks'
    with pytest.raises(ValueError, match='refine=True'):
        generate(cfg, scene / 'plain.json')
    before = (scene / 'taken.json').read_bytes()  # the same command again
    refined(scene, weights, 'taken.json', min_iou=0.0, min_box_iou=0.0)
    assert (scene / 'taken.json').read_bytes() == before


def test_corrections_of_people_are_not_refined(scene, labels, weights):
    generate(config(scene, weights, name='sam2'), scene / 'pseudo.json')
    source = json.loads((scene / 'pseudo.json').read_text())
    first = next(one for one in source['annotations'] if one['id'] != CROWD)
    first.update(correction='changed', score=1.0)
    image = next(one for one in source['images'] if one['id'] == first['image_id'])
    image['supervision'] = 'masks'
    (scene / 'pseudo.json').write_text(json.dumps(source))
    taken = refined(scene, weights, 'taken.json', min_iou=0.0, min_box_iou=0.0)
    found = {one['id']: one for one in taken['annotations']}
    assert found[first['id']] == dict(first, refined=False)
    others = [one for key, one in found.items() if key not in (first['id'], CROWD)]
    assert others and all(one['refined'] for one in others)
    levels = {one['id']: one.get('supervision') for one in taken['images']}
    assert [key for key, level in levels.items() if level == 'masks'] == [image['id']]


def test_masks_of_people_are_not_refined(scene, labels, weights):
    masks = copy.deepcopy(labels)
    sizes = {one['id']: (one['height'], one['width']) for one in masks['images']}
    for one in masks['annotations']:
        size = sizes[one['image_id']]
        one['segmentation'] = encode_filled_box(one['bbox'], size)
    (scene / 'pseudo.json').write_text(json.dumps(masks))
    with pytest.raises(ValueError, match='no pseudo labels to refine'):
        refined(scene, weights, 'out.json')


def test_another_dataset_brings_its_pseudo_labels_not_its_masks(tmp_path):
    weak = {key: f'weak/{key}.json' for key in ('boxes', 'points', 'extreme_points')}
    spec = dict(
        name='bolts',
        data_root=str(tmp_path),
        classes=('bolt',),
        train=dict(ann_file='annotations/train.json', img='images/', weak=weak),
        val=None,
    )
    for folder in ('annotations', 'images'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'annotations/train.json').write_text('{}')
    (tmp_path / 'bolts.py').write_text(f'data_spec = dict({spec!r})')
    spec = load_data_spec(tmp_path / 'bolts.py')
    cfg = Config.fromfile(CONFIGS / 'refine_sam-vit-b_small.py')
    dataset = apply_data_spec(cfg, spec).pseudo_label_dataloader.dataset
    assert dataset.ann_file == 'pseudo_labels/mal.json'
    cfg = Config.fromfile(CONFIGS / 'sam-vit-b_points_small.py')
    dataset = apply_data_spec(cfg, spec).pseudo_label_dataloader.dataset
    assert dataset.ann_file == 'weak/points.json'


def test_both_the_label_and_the_box_have_to_agree():
    def square(x0, y0, x1, y1):
        mask = np.zeros((40, 40), np.uint8, order='F')
        mask[y0:y1, x0:x1] = 1
        return coco_mask.encode(mask)

    refiner = SimpleNamespace(test_cfg=dict(min_iou=0.5, min_box_iou=0.75))

    def agree(*args):
        return SAMRefiner.agree(refiner, *args)

    box, label = [10.0, 10.0, 30.0, 30.0], square(12, 10, 30, 30)
    assert agree(square(10, 10, 30, 30), label, box)
    # The box, but another object in it; the same object, but less than the box.
    frame = np.ones((40, 40), np.uint8, order='F')
    frame[:10] = frame[30:] = frame[:, :10] = frame[:, 30:] = 0
    frame[12:28, 12:28] = 0
    assert not agree(coco_mask.encode(frame), square(12, 12, 28, 28), box)
    assert not agree(square(12, 10, 26, 28), label, box)
    assert not agree(square(0, 0, 0, 0), label, box)
