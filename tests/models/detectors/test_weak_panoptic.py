"""WeakPanoptic: its losses, panoptic predictions and rankings, and what it refuses."""

import sys
from pathlib import Path

import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData
from torch.nn.modules.batchnorm import _BatchNorm
from torch.testing import assert_close

from mmwsis.models.detectors import true_segments
from mmwsis.models.rgb_image import rgb_image

sys.path.insert(0, str(Path(__file__).parent))
from weak_panoptic_toy import (
    MEAN,
    OBJECTS,
    SIZE,
    STD,
    image_of,
    place_probs,
    toy,
    training_sample,
    truth,
    with_detections,
)

SEMANTIC = {'decode.loss_ce', 'decode.acc_seg', 'aux.loss_ce', 'aux.acc_seg'}


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def predicted(model, sample=None, image=None):
    model.eval()
    sample = training_sample() if sample is None else sample
    image = image_of() if image is None else image
    (sample,) = model(image[None], [sample], mode='predict')
    return sample


@pytest.mark.parametrize('instances', [False, True])
def test_losses_reach_every_weight(instances):
    model = toy(instances)
    samples = [training_sample(), training_sample(OBJECTS[:1], img_id=2)]
    losses = model(torch.stack([image_of(), image_of(seed=1)]), samples, mode='loss')
    assert losses.keys() == SEMANTIC | ({'loss_instance'} if instances else set())
    total(losses).backward()
    for name, weight in model.named_parameters():
        assert weight.grad.isfinite().all() and weight.grad.any(), name


def test_the_instance_loss_is_that_of_the_head():
    model, sample = toy(semantic_weight=0.5), training_sample()
    losses = model(image_of()[None], [sample], mode='loss')
    alone = toy(False)(image_of()[None], [training_sample()], mode='loss')
    assert_close(losses['decode.loss_ce'], 0.5 * alone['decode.loss_ce'])
    assert_close(losses['decode.acc_seg'], alone['decode.acc_seg'])
    probs = model.semantic_probs(image_of(), sample, SIZE)
    found = sample.detections
    colours = rgb_image(image_of(), model.data_preprocessor).permute(1, 2, 0)
    boxes = found.labels, found.scores, found.bboxes
    assigned = model.instance_head(probs, *boxes, colours)
    segments = true_segments(sample, 2, 4, SIZE)
    expected = model.loss_instance(assigned.probs, assigned.labels, *segments)
    # The order of detections does not change what they are matched with.
    assert_close(losses['loss_instance'], expected.detach(), check_stride=False)


def test_detections_get_no_gradient():
    model, sample = toy(), training_sample()
    scores = sample.detections.scores.requires_grad_()
    boxes = sample.detections.bboxes.requires_grad_()
    losses = model(image_of()[None], [sample], mode='loss')
    losses['loss_instance'].backward()
    assert model.decode_head.conv_seg.weight.grad.any()
    assert scores.grad is None and boxes.grad is None


def test_padding_does_not_change_the_loss():
    model, size = toy(), (SIZE[0] + 8, SIZE[1] + 16)
    image, large = torch.rand(3, *SIZE) * 255, torch.rand(3, *size) * 255
    logits = torch.randn(2, 4, *size)  # of the padding as well

    def instance_loss(images, samples, logits):
        data = dict(inputs=images, data_samples=samples)
        data = model.data_preprocessor(data, training=True)
        model.decode_head.forward = lambda features: logits.clone()
        return model(**data, mode='loss')['loss_instance']

    small = logits[:1, :, : SIZE[0], : SIZE[1]]
    alone = instance_loss([image], [training_sample()], small)
    other = instance_loss([large], [training_sample(size=size)], logits[1:])
    both = [training_sample(), training_sample(size=size, img_id=2)]
    assert both[0].img_shape == SIZE
    padded = instance_loss([image, large], both, logits)
    assert_close(padded, (alone + other) / 2)


def test_a_crop_without_labels_is_an_exact_zero_with_a_graph():
    model, sample = toy(), training_sample()
    sample.gt_sem_seg = PixelData(sem_seg=torch.full((1, *SIZE), 255).byte())
    sample.gt_panoptic_seg = PixelData(instance_map=torch.full((1, *SIZE), -1))
    losses = model(image_of()[None], [sample], mode='loss')
    assert all(losses[name] == 0 for name in losses if 'loss' in name)
    total(losses).backward()
    for name, weight in model.named_parameters():
        assert not weight.grad.any(), name


def test_batch_norms_keep_their_statistics():
    model = toy()
    norms = [one for one in model.modules() if isinstance(one, _BatchNorm)]
    assert norms and not any(one.training for one in norms)
    assert all(one.weight.requires_grad for one in norms)
    head = toy(norm_eval=False).decode_head
    assert all(one.training for one in head.modules() if isinstance(one, _BatchNorm))


def test_segments_do_not_overlap_and_are_the_objects():
    model = toy()
    place_probs(model)
    sample = predicted(model)
    codes = sample.pred_panoptic_seg.sem_seg[0]
    labels, numbers = truth()
    known = labels != 255
    assert_close(sample.pred_sem_seg.sem_seg[0], codes % 1000)
    assert (codes % 1000 == labels)[known].float().mean() > 0.97
    objects = sample.pred_instances
    assert sorted(objects.labels.tolist()) == [0, 1, 1]
    assert objects.masks.sum(0).max() == 1  # no pixel is in two
    for number, (x0, y0, x1, y1, label) in enumerate(OBJECTS, start=3):
        mask = numbers == number
        ious = (objects.masks & mask).sum((1, 2)) / (objects.masks | mask).sum((1, 2))
        assert ious.max() > 0.9 and objects.labels[ious.argmax()] == label
        edges = torch.tensor([x0, y0, x1, y1]).float()
        assert (objects.bboxes[ious.argmax()] - edges).abs().max() <= 2
    table = sample.pred_segments
    assert sorted(table.codes.tolist()) == codes.unique().tolist()
    assert set(codes[~known].unique().tolist()) <= set(table.codes.tolist())


@pytest.mark.parametrize('things', ['det', 'mean_conf', 'oracle'])
@pytest.mark.parametrize('stuff', ['det', 'mean_conf', 'oracle'])
def test_rankings(things, stuff):
    model = toy(test_cfg=dict(thing_score=things, stuff_score=stuff))
    probs = place_probs(model)
    sample = predicted(model)
    codes, table = sample.pred_panoptic_seg.sem_seg[0], sample.pred_segments
    found = training_sample().detections
    colours = rgb_image(image_of(), model.data_preprocessor).permute(1, 2, 0)
    own = model.instance_head(
        *(probs, found.labels, found.scores, found.bboxes, colours), 10
    ).probs.amax(0)
    segments, labels = true_segments(training_sample(), 2, 4, SIZE)
    for code, score in zip(table.codes, table.scores):
        label, mask = code % 1000, codes == code
        kind = things if label < 2 else stuff
        if kind == 'det':
            expected = 0.9 if label < 2 else 1.0
        elif kind == 'mean_conf':
            expected = own[mask].mean()
        else:
            mask = mask & (segments >= 0)
            ious = [
                ((segments == g) & mask).sum() / ((segments == g) | mask).sum()
                for g in range(len(labels))
                if labels[g] == label
            ]
            expected = max(ious)
        assert_close(score, torch.as_tensor(expected), check_dtype=False)
    order = sample.pred_instances.labels
    assert_close(sample.pred_instances.scores, table.scores[table.codes % 1000 < 2])
    assert len(order) == 3


def test_without_detections_there_is_stuff_alone():
    model = toy()
    place_probs(model)
    sample = predicted(model, with_detections(training_sample(), ()))
    assert set(sample.pred_panoptic_seg.sem_seg.unique().tolist()) == {2, 3}
    assert len(sample.pred_instances) == 0
    assert sample.pred_instances.masks.shape == (0, *SIZE)


def test_predictions_have_the_size_of_the_original_image():
    model, sample = toy(), training_sample()
    sample.set_metainfo(dict(ori_shape=(2 * SIZE[0] + 1, 2 * SIZE[1] - 3)))
    place_probs(model)
    sample = predicted(model, sample)
    for found in (
        sample.pred_panoptic_seg.sem_seg[0],
        sample.pred_sem_seg.sem_seg[0],
        sample.pred_instances.masks[0],
    ):
        assert tuple(found.shape) == sample.ori_shape
    semantic = toy(False)
    place_probs(semantic)
    assert (
        predicted(semantic, sample).pred_sem_seg.sem_seg.shape[1:] == sample.ori_shape
    )


def test_piecewise_inference_is_the_semantic_networks_weights_in_the_whole():
    semantic, whole = toy(False), toy()
    with torch.no_grad():
        for weight in semantic.parameters():
            weight.add_(torch.rand_like(weight) * 0.1)
    missing = whole.load_state_dict(semantic.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(key.startswith('instance_head.') for key in missing.missing_keys)
    expected = predicted(semantic).pred_sem_seg.sem_seg
    probs = whole.eval().semantic_probs(image_of(), training_sample(), SIZE)
    assert_close(probs.argmax(0)[None], expected)


def test_semantic_maps_and_labels_of_the_next_round():
    settings = dict(score_thr=0.5, tags=False, merge=False, low_iou=None)
    model = toy(False, test_cfg=dict(refinement=settings))
    place_probs(model)
    model.artifact = 'semantic_maps'
    labels, numbers = truth()
    known = labels != 255
    found = predicted(model).pred_sem_seg.sem_seg[0]
    assert (found == labels)[known].all()
    model.artifact = 'panoptic_maps'
    sample = training_sample()
    del sample.gt_panoptic_seg
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([one[:4] for one in OBJECTS]).float(),
        labels=torch.tensor([one[4] for one in OBJECTS]),
    )
    codes = predicted(model, sample).pred_panoptic_seg.sem_seg[0]
    assert (codes % 1000 == labels)[known].all()
    things = known & (labels < 2)
    assert (codes[things] // 1000 == numbers[things] - 2).all()


@pytest.mark.parametrize('instances', [False, True])
def test_labels_are_refined_from_what_the_semantic_network_says(instances):
    settings = dict(score_thr=0.5, tags=False, merge=False, low_iou=None)
    model = toy(instances, test_cfg=dict(refinement=settings))
    calls = []
    model.refinement = lambda *given: calls.append(given)
    model.artifact = 'panoptic_maps'
    sample = training_sample()
    sample.set_metainfo(dict(ori_shape=(20, 28)))
    predicted(model, sample)
    ((image, probs, given),) = calls
    assert given is sample and image.dtype == torch.uint8
    assert image.shape == (3, 20, 28) and probs.shape == (4, 20, 28)


def test_masks_and_instance_maps_are_the_same_segments():
    by_map, by_masks = training_sample(), training_sample()
    del by_masks.gt_panoptic_seg
    _, numbers = truth()
    masks = torch.stack([numbers == number for number in (3, 4, 5)])
    by_masks.gt_instances = InstanceData(masks=BitmapMasks(masks.numpy(), *SIZE))
    expected = true_segments(by_map, 2, 4, SIZE)
    for found, other in zip(true_segments(by_masks, 2, 4, SIZE), expected):
        assert_close(found, other)
    assert expected.labels.tolist() == [2, 3, 0, 1, 1]
    # Pixels of things in no instance are ignored, stuff needs no number.
    by_map.gt_panoptic_seg.instance_map[numbers[None] < 4] = 0
    segments, labels = true_segments(by_map, 2, 4, SIZE)
    assert labels.tolist() == [2, 3, 1, 1]
    assert (segments[numbers == 3] == -1).all() and (segments[:2] == -1).all()


def test_the_image_is_found_again():
    model = toy()
    image = torch.randint(256, (3, *SIZE), dtype=torch.uint8)
    data = dict(inputs=[image], data_samples=[training_sample()])
    inputs = model.data_preprocessor(data)['inputs'][0]
    assert_close(rgb_image(inputs, model.data_preprocessor), image.flip(0))
    mean, std = (torch.tensor(value)[:, None, None] for value in (MEAN, STD))
    assert_close(inputs, (image.flip(0) - mean) / std)


def errors():
    sample = training_sample()
    del sample.detections
    yield sample, 'loss', 'image id 1 has no detections, which instance_head assigns'
    yield sample, 'predict', 'load them by mmwsis.LoadDetections'
    sample = training_sample()
    del sample.gt_panoptic_seg
    yield sample, 'loss', 'image id 1 has neither an instance map nor masks'
    sample = training_sample()
    sample.gt_panoptic_seg = PixelData(instance_map=torch.zeros(1, 8, 8))
    yield sample, 'loss', r'image id 1: the instances cover \(8, 8\)'
    sample = training_sample(detected=OBJECTS[:1] * 65_533)
    yield sample, 'predict', 'image id 1: 65533 detections .* are 65535 segments'


@pytest.mark.parametrize('sample, mode, message', errors())
def test_errors_name_the_image(sample, mode, message):
    model = toy()
    with pytest.raises(ValueError, match=message):
        model(image_of()[None], [sample], mode=mode)


def test_segments_of_a_semantic_network_are_refused():
    model = toy(False)
    model.artifact = 'instances'
    with pytest.raises(ValueError, match=r"'instances' .* need an instance_head"):
        predicted(model)


def test_an_output_that_is_not_finite_stops_training():
    model = toy()
    with torch.no_grad():
        model.decode_head.conv_seg.bias[0] = torch.nan
    with pytest.raises(FloatingPointError, match=r'logits .* image ids \[1\]'):
        model(image_of()[None], [training_sample()], mode='loss')


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(test_cfg=dict(thing_score='area')), 'thing_score: expected one of'),
        (dict(test_cfg=dict(num_iters=-1)), 'num_iters: expected an integer >= 0'),
        (dict(test_cfg=dict(scores='det')), 'unknown keys'),
        (dict(num_stuff_classes=0), 'num_stuff_classes: expected an integer >= 1'),
        (dict(semantic_weight=-1), 'semantic_weight: expected a number'),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        toy(**settings)
