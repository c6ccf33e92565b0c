"""BESTIE: losses against the released code's, prediction, and its switches."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import mask2bbox
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmwsis.models.detectors.bestie import GROUPING
from mmwsis.models.detectors.dense_maps import DenseMaps
from mmwsis.ops import keep_tagged, scored_instances

sys.path.insert(0, str(Path(__file__).parent))
from bestie_toy import REFINEMENT, toy, training_sample, two_squares

GOLDEN = Path(__file__).parents[2] / 'golden' / 'bestie'


def golden(name):
    with np.load(GOLDEN / f'{name}.npz') as file:
        return {key: torch.from_numpy(np.array(file[key])) for key in file.files}


def golden_step(name, monkeypatch, **settings):
    """Model whose maps are the recorded ones, its samples, and the record."""
    data = golden(name)
    from_points = bool(data['point_supervised'])
    model = toy(supervision='points' if from_points else 'image_tags', **settings)
    maps = DenseMaps(
        *(data[key].requires_grad_() for key in ('seg_logits', 'center', 'offset'))
    )
    monkeypatch.setattr(model, 'head_maps', lambda images: maps)
    samples = []
    for semantic_map, tags, rows in zip(
        data['wsss'], data['label'], data['points_xyc_conf'].long()
    ):
        rows = rows[rows[:, 0] >= 0]
        samples.append(
            training_sample(
                semantic_map.long(), rows[:, :2], rows[:, 2], tags > 0, from_points
            )
        )
    return model, maps, samples, data


@pytest.mark.parametrize('name', ['step_cls_0', 'step_point_1'])
def test_golden_steps(name, monkeypatch):
    model, maps, samples, data = golden_step(name, monkeypatch)
    losses = model.loss(torch.zeros(2, 3, *data['wsss'].shape[1:]), samples)
    expected = {
        'loss_seg': data['seg_loss'],
        'loss_center': data['center_loss_pseudo'] / 2,
        'loss_center_refined': data['center_loss_refined'] / 2,
        'loss_offset': data['offset_loss_pseudo'] / 2,
        'loss_offset_refined': data['offset_loss_refined'] / 2,
    }
    if name == 'step_point_1':  # one centre map: its two halves are one term
        expected['loss_center'] += expected.pop('loss_center_refined')
    assert losses.keys() == expected.keys()
    total = sum(losses.values())
    pairs = [(losses[key], value) for key, value in expected.items()]
    for found, value in (*pairs, (total, data['loss'])):
        limit = 1e-5 * value.abs().item()  # relative ones in the README
        assert_close(found, value, rtol=0, atol=limit, check_dtype=False)
    total.backward()
    for one, key in zip(maps, ('grad_seg', 'grad_center', 'grad_offset')):
        assert_close(one.grad, data[key], rtol=0, atol=1e-5 * data[key].abs().max())


@pytest.mark.parametrize(('align', 'key'), [(False, 'y_hrnet'), (True, 'y_resnet')])
def test_golden_enlarged_maps(align, key):
    data = golden('upsample_0')
    model = toy(align_corners=align)
    found = model.enlarged(data['x'], data['target_hw'].tolist())
    assert_close(found, data[key], rtol=0, atol=1e-5)


def test_without_refinement_pseudo_labels_count_twice(monkeypatch):
    model, _, samples, data = golden_step('step_cls_0', monkeypatch, refinement=None)
    losses = model.loss(torch.zeros(2, 3, *data['wsss'].shape[1:]), samples)
    assert losses.keys() == {'loss_seg', 'loss_center', 'loss_offset'}
    for key in ('center', 'offset'):
        expected = data[f'{key}_loss_pseudo']
        assert_close(
            losses[f'loss_{key}'], expected, rtol=1e-5, atol=0, check_dtype=False
        )


def test_without_guidance_every_pixel_counts(monkeypatch):
    model, maps, samples, data = golden_step(
        'step_cls_0', monkeypatch, instance_guidance=False, refinement=None
    )
    losses = model.loss(torch.zeros(2, 3, *data['wsss'].shape[1:]), samples)
    targets = [sample.gt_center_targets for sample in samples]
    centers, offsets = (
        torch.stack([one.get(key) for one in targets]) for key in ('centers', 'offsets')
    )
    assert_close(losses['loss_center'], 200 * (maps.centers - centers).square().mean())
    assert_close(losses['loss_offset'], 0.01 * (maps.offsets - offsets).abs().mean())


@pytest.mark.parametrize('from_points', [False, True])
@pytest.mark.parametrize(
    'settings',
    [
        {},
        dict(class_agnostic=True),
        dict(refinement=dict(REFINEMENT, beta=0.0)),
        dict(refinement=None),
        dict(instance_guidance=False),
    ],
    ids=str,
)
def test_every_switch_trains_all_weights_and_predicts(settings, from_points):
    kind = 'points' if from_points else 'image_tags'
    model = toy(supervision=kind, **settings)
    samples = [two_squares(number, from_points) for number in (1, 2)]
    images = torch.rand(2, 3, 48, 64)
    losses = model(images, samples, mode='loss')
    sum(losses.values()).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    maps = model(images)
    assert maps.centers.shape[1] == (1 if settings.get('class_agnostic') else 2)
    model.eval()
    for artifact in (None, *model.artifacts):
        model.artifact = artifact
        model(images, samples, mode='predict')


def test_the_class_agnostic_target_is_the_largest_of_all_classes():
    model = toy(class_agnostic=True, refinement=None)
    sample = two_squares()
    maps = DenseMaps(
        torch.zeros(1, 3, 48, 64),
        sample.gt_center_targets.centers.amax(0)[None, None],
        sample.gt_center_targets.offsets[None],
    )
    model.head_maps = lambda images: maps
    losses = model.loss(torch.zeros(1, 3, 48, 64), [sample])
    assert losses['loss_center'] == losses['loss_offset'] == 0


def test_nothing_labelled_is_a_zero_with_a_graph():
    semantic_map = torch.full((32, 32), 255)
    no_points = torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    sample = training_sample(semantic_map, *no_points, torch.zeros(2, dtype=torch.bool))
    for kind in ('image_tags', 'points'):
        model = toy(supervision=kind)
        losses = model.loss(torch.rand(1, 3, 32, 32), [sample])
        assert all(value == 0 for value in losses.values())
        sum(losses.values()).backward()
        assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize('mode', ['loss', 'predict'])
@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_output_that_is_not_finite_stops_with_the_images(mode, value):
    model = toy().train(mode == 'loss')
    samples = [two_squares(number) for number in (7, 8)]
    images = torch.rand(2, 3, 48, 64)
    images[1] = value
    model.backbone.eval()  # statistics of the batch would spoil both
    with pytest.raises(FloatingPointError, match=r'image ids \[8\]'):
        model(images, samples, mode=mode)


def test_other_settings_are_refused():
    with pytest.raises(ValueError, match=r"supervision: expected one of .*'boxes'"):
        toy(supervision='boxes')
    with pytest.raises(ValueError, match=r"unknown keys \['treshold'\]"):
        toy(test_cfg=dict(treshold=0.1))


def predicted(model, maps, sample, artifact='instances'):
    """Prediction from given maps of the original image's size."""
    model.eval()
    model.artifact = artifact
    model.head_maps = lambda images: maps
    model.predict_image(torch.zeros(3, *sample.img_shape), sample)
    return sample


def scene():
    """Maps that say two squares, and a bar of one pixel's width, all of class 0."""
    sample = two_squares()
    semantic_map = torch.zeros(48, 64, dtype=torch.int64)
    semantic_map[4:20, 6:22], semantic_map[:, 60] = 1, 2
    logits = 20.0 * torch.nn.functional.one_hot(semantic_map, 3).float()
    centers = torch.zeros(1, 2, 48, 64)
    centers[0, 0, 12, 14] = centers[0, 1, 24, 60] = 0.9
    offsets = torch.zeros(1, 2, 48, 64)
    return DenseMaps(logits.permute(2, 0, 1)[None], centers, offsets), sample


@pytest.mark.parametrize(
    'name',
    ['0', 'blank_3', 'clean_ignore_2', 'edges_0', 'flip_1', 'point_4'],
)
def test_golden_predictions(name):
    data = golden(f'infer_{name}')
    maps = DenseMaps(*(data[key] for key in ('seg_logits', 'center', 'offset')))
    size = tuple(data['seg_map'].shape)
    sample = DetDataSample(metainfo=dict(img_id=1, img_shape=size, ori_shape=size))
    sample.gt_tags = data['label'][0]
    if 'points_xyc' in data:
        sample.gt_instances = InstanceData(
            points=data['points_xyc'][:, :2].float(), labels=data['points_xyc'][:, 2]
        )
    model = toy(
        num_classes=len(sample.gt_tags),
        supervision='points' if 'points_xyc' in data else 'image_tags',
        test_cfg=dict(
            flip=bool(data['flip']),
            ignore=bool(data['ignore']),
            threshold=data['val_thresh'].item(),
            kernel_size=data['val_kernel'].item(),
            beta=data['beta'].item(),
        ),
    )
    exports = data['clean'] or 'points_xyc' in data
    found = predicted(model, maps, sample, 'instances' if exports else None)
    found = found.pred_instances
    rows = zip(data['pred_label'], data['pred_mask'] > 0, data['pred_score'])
    expected = [row for row in rows if row[1].any()]  # the released code has empty ones
    assert len(found) == len(expected)
    for label, mask, score in expected:
        same = (found.labels == label) & (found.masks == mask).all((1, 2))
        assert same.sum() == 1
        assert abs(found.scores[same].item() - score.item()) < 1e-5


def test_thin_boxes_are_evaluated_but_not_exported():
    settings = dict(flip=False, min_area=20)
    maps, sample = scene()
    found = predicted(toy(test_cfg=settings), maps, sample, None).pred_instances
    assert sorted(found.labels.tolist()) == [0, 1]
    maps, sample = scene()
    found = predicted(toy(test_cfg=settings), maps, sample).pred_instances
    assert found.labels.tolist() == [0]
    assert found.bboxes.tolist() == [[6, 4, 22, 20]]
    assert found.scores.item() == pytest.approx(0.9, abs=1e-4)


def test_only_known_classes_are_exported():
    maps, sample = scene()
    sample.gt_tags = torch.tensor([0.0, 1.0])
    settings = dict(flip=False, min_area=20)
    assert not len(predicted(toy(test_cfg=settings), maps, sample).pred_instances)
    maps, _ = scene()
    found = predicted(toy(test_cfg=dict(settings, clean=False)), maps, sample)
    assert found.pred_instances.labels.tolist() == [0]
    maps, _ = scene()
    found = predicted(toy(test_cfg=settings), maps, sample, None)  # an evaluation
    assert sorted(found.pred_instances.labels.tolist()) == [0, 1]
    del sample.gt_tags
    with pytest.raises(ValueError, match=r'image id 1 has no gt_tags.*clean=False'):
        predicted(toy(test_cfg=settings), maps, sample)


def test_exported_labels_follow_the_points():
    maps, sample = scene()
    sample.gt_instances = InstanceData(
        points=torch.tensor([[10.0, 8], [60, 40], [18, 8]]),
        labels=torch.tensor([0, 1, 0]),  # the second's instance is too thin
        ann_ids=torch.tensor([9, 4, 7]),
    )
    model = toy(supervision='points', test_cfg=dict(flip=False))
    found = predicted(model, maps, sample).pred_instances
    assert found.bboxes.tolist() == [[6, 4, 15, 20], [15, 4, 22, 20]]
    assert found.ann_ids.tolist() == [9, 7]
    maps, _ = scene()
    model = toy(supervision='points', test_cfg=dict(flip=False, point_guided=False))
    found = predicted(model, maps, sample).pred_instances
    assert found.bboxes.tolist() == [[6, 4, 22, 20]]
    assert 'ann_ids' not in found
    del sample.gt_instances
    model = toy(supervision='points')
    with pytest.raises(ValueError, match=r'image id 1 has no gt_instances'):
        predicted(model, DenseMaps(*(torch.cat([m, m]) for m in maps)), sample)


def test_points_lie_on_their_instances():
    maps, sample = scene()
    found = predicted(
        toy(test_cfg=dict(flip=False)), maps, sample, 'points'
    ).pred_points
    assert found.labels.tolist() == [0]
    x, y = found.points[0].tolist()
    assert 6 <= x < 22 and 4 <= y < 20


def test_offsets_are_measured_in_the_original_image_on_demand():
    """Prediction on an image half as large as the original one."""
    for rescale, factor in ((False, (1, 1)), (True, (2, 3))):
        model = toy(test_cfg=dict(flip=False, rescale_offset=rescale)).eval()
        sample = DetDataSample(
            metainfo=dict(img_id=1, img_shape=(32, 32), ori_shape=(64, 96))
        )
        image = torch.rand(3, 32, 32)
        *_, offsets = model._averaged(image, sample)
        offsets = model._full_offsets(offsets, (64, 96), sample)
        plain = model.enlarged(model.head_maps(image[None]).offsets, (64, 96))[0]
        assert_close(offsets, plain * torch.tensor(factor)[:, None, None])


def test_instances_of_the_networks_size_become_those_of_the_original():
    settings = dict(flip=False, min_area=20, network_size=True)
    for kind, guided in (('image_tags', False), ('points', True)):
        maps, sample = scene()
        sample.set_metainfo(dict(ori_shape=(96, 128)))
        model = toy(supervision=kind, test_cfg=dict(settings, point_guided=guided))
        found = predicted(model, maps, sample).pred_instances
        square = found.bboxes[found.labels == 0]
        assert square.tolist() == [[12, 8, 44, 40]]
        maps, _ = scene()
        found = predicted(model, maps, sample, 'semantic_maps').pred_sem_seg.sem_seg
        assert found.shape == (1, 96, 128) and (found == 1).sum() == 32 * 32


def test_the_mirror_image_is_averaged_but_for_offsets():
    model = toy(test_cfg=dict(flip=True)).eval()
    sample = DetDataSample(
        metainfo=dict(img_id=1, img_shape=(32, 48), ori_shape=(30, 44))
    )
    image = torch.rand(3, 32, 48)
    with torch.no_grad():
        scores, centers, offsets = model._averaged(image, sample)
        mirrored = model._averaged(image.flip(-1), sample)
        assert_close(scores, mirrored[0].flip(-1))
        assert_close(centers, mirrored[1].flip(-1))
        assert_close(offsets, model.head_maps(image[None]).offsets)


def blobs(classes, num_classes, seed):
    """Heads' maps of an image and its mirror image: some classes, centres, noise."""
    generator = torch.Generator().manual_seed(seed)

    def noise(channels, size):
        maps = torch.randn(2, channels, *size, generator=generator)
        return torch.nn.functional.interpolate(maps, (24, 32), mode='bicubic')

    logits = torch.full((2, num_classes + 1, 24, 32), -50.0)
    shown = [0, *(label + 1 for label in classes)]
    logits[:, shown] = 4 * noise(len(shown), (5, 6))
    absent = [label for label in range(num_classes) if label not in classes]
    logits[:, [label + 1 for label in absent[:1]], 7, 9] = 20  # too small an object
    centers = 0.8 * noise(num_classes, (6, 8))
    return DenseMaps(logits, centers, 20 * noise(2, (5, 6)))


@pytest.mark.parametrize('artifact', [None, 'instances'])
@pytest.mark.parametrize(
    ('num_classes', 'classes'),
    [
        (6, ()),
        (6, (4,)),
        (6, (0, 3, 5)),
        (6, (0, 1, 2, 3, 4, 5)),
        (4, (0, 1, 3)),
        (3, (1,)),
        (3, (0, 1, 2)),
        (1, ()),
        (1, (0,)),
    ],
)
@pytest.mark.parametrize(
    'settings',
    [
        {},
        dict(class_agnostic=True),
        dict(align_corners=True, test_cfg=dict(flip=False, network_size=True)),
        dict(test_cfg=dict(rescale_offset=True, ignore=True, beta=20.0)),
    ],
    ids=str,
)
def test_centre_maps_of_absent_classes_change_nothing(
    settings, num_classes, classes, artifact
):
    """Bit by bit the instances of all centre maps, each enlarged."""
    settings = {
        **settings,
        'test_cfg': {'min_area': 80, **settings.get('test_cfg', {})},
    }
    model = toy(num_classes, **settings)
    maps = blobs(classes, num_classes, seed=len(classes))
    if model.class_agnostic:
        maps = maps._replace(centers=maps.centers[:, :1])
    if not model.test_cfg['flip']:
        maps = DenseMaps(*(one[:1] for one in maps))
    sample = DetDataSample(
        metainfo=dict(img_id=1, img_shape=(96, 128), ori_shape=(90, 121))
    )
    sample.gt_tags = torch.tensor([1.0, 0, 0, 0, 1, 1])[:num_classes]
    found = predicted(model, maps, sample, artifact).pred_instances
    size = sample.img_shape if model.test_cfg['network_size'] else sample.ori_shape
    scores, centers, offsets = model._averaged(torch.zeros(3, 96, 128), sample)
    logits = maps.seg_logits.clone()
    logits[1:] = logits[1:].flip(-1)
    assert torch.equal(scores, model.enlarged(logits, size).softmax(1).mean(0))
    if artifact is not None:
        scores = keep_tagged(scores, sample.gt_tags > 0)
    settings = {key: model.test_cfg[key] for key in GROUPING}
    labels, confidence, masks = scored_instances(
        scores,
        torch.cat([model.enlarged(one, size)[0] for one in centers.split(1, 1)]).expand(
            num_classes, -1, -1
        ),
        model._full_offsets(offsets, size, sample),
        keep_centerless=not model.test_cfg['ignore'],
        **settings,
    )
    masks = model._at_original_size(masks, sample)
    if artifact is None:
        kept = masks.flatten(1).any(1)
    else:
        boxes, confidence = mask2bbox(masks), confidence.clamp(0, 1)
        kept = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 2
    assert torch.equal(found.labels, labels[kept])
    assert torch.equal(found.scores, confidence[kept])
    assert torch.equal(found.masks, masks[kept])
    possible = set(classes) if artifact is None else set(classes) & {0, 4, 5}
    assert set(found.labels.tolist()) <= possible
    assert len(found) or not possible or model.test_cfg['ignore']
