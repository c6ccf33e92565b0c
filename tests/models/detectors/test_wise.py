"""WISE: its losses, prediction by every mask source, and what it refuses."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmwsis.models.detectors import wise_masks
from mmwsis.models.detectors.wise import MASK_SOURCES
from mmwsis.ops import enlarged_at
from mmwsis.structures.grid_map import GridMap

sys.path.insert(0, str(Path(__file__).parent))
from wise_toy import (
    OBJECTS,
    SIZE,
    box_masks,
    evaluation_sample,
    place_blobs,
    place_embeddings,
    toy,
    training_sample,
)

L_NET_TERMS = {
    'loss_image',
    'loss_point',
    'loss_false_positive',
    'loss_split',
    'loss_global_split',
}


def image_of(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, *size, generator=generator)


def total(losses):
    return sum(losses.values())


def test_the_loss_is_the_weighted_sum_of_both_branches():
    model, sample = toy(), training_sample()
    image = image_of(SIZE)[None]
    losses = model(image, [sample], mode='loss')
    assert losses.keys() == L_NET_TERMS | {'loss_embedding'}
    logits, embeddings = model(image)
    objects, groups = sample.gt_instances, sample.gt_pixel_groups
    terms = model.loss_localization(logits[0], objects.points.long(), objects.labels)
    own = model.loss_embedding(
        enlarged_at(embeddings[0], groups.anchors, SIZE),
        enlarged_at(embeddings[0], groups.pixels, SIZE),
        groups.same,
    )
    assert_close(total(losses), 0.1 * total(terms) + 0.9 * own)
    assert all(losses[name] == 0.1 * value for name, value in terms.items())
    total(losses).backward()
    for name, weight in model.named_parameters():
        assert weight.requires_grad == (
            '.bn' not in name and 'downsample.1' not in name
        )
        if weight.requires_grad:
            assert weight.grad.isfinite().all() and weight.grad.any(), name


@pytest.mark.parametrize(
    ('weight', 'trained', 'idle'),
    [
        (1.0, 'localization_head', 'embedding_head'),
        (0.0, 'embedding_head', 'localization_head'),
    ],
)
def test_one_branch_is_trained_and_the_other_never_run(
    weight, trained, idle, monkeypatch
):
    source = 'blobs' if weight else 'gt_points'
    model = toy(localization_weight=weight, test_cfg=dict(mask_source=source))
    for name in ('forward', 'stride8'):
        monkeypatch.setattr(getattr(model, idle), name, None)
    sample = training_sample()
    if weight:
        del sample.gt_pixel_groups, sample.mask_proposals
    else:
        del sample.gt_instances
    losses = model.loss(image_of(SIZE)[None], [sample])
    assert losses.keys() == (L_NET_TERMS if weight else {'loss_embedding'})
    total(losses).backward()
    assert not any(p.requires_grad for p in getattr(model, idle).parameters())
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert all(p.grad.any() for p in getattr(model, trained).parameters())
    assert model.backbone.conv1.weight.grad.any()
    model.eval()
    model(image_of(SIZE)[None], [evaluation_sample()], mode='predict')


def test_weighting_both_branches_equals_each_alone():
    sample, image = training_sample(), image_of(SIZE)[None]
    alone = {}
    for weight in (1.0, 0.0):
        source = 'blobs' if weight else 'gt_points'
        model = toy(localization_weight=weight, test_cfg=dict(mask_source=source))
        alone.update(model.loss(image, [sample]))
    losses = toy(localization_weight=0.25).loss(image, [sample])
    for name, value in losses.items():
        assert_close(value, alone[name] * (0.75 if name == 'loss_embedding' else 0.25))


def test_frozen_batch_norms_are_not_in_the_optimizer():
    model = toy(localization_weight=1.0, test_cfg=dict(mask_source='blobs'))
    settings = dict(
        constructor='mmwsis.TrainableParametersConstructor',
        optimizer=dict(type='Adam', lr=1e-5, weight_decay=5e-4),
    )
    (group,) = build_optim_wrapper(model, settings).param_groups
    trained = {id(one) for one in group['params']}
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(
        norm.training for norm in model.train().modules() if norm in norms
    )
    frozen = [*model.embedding_head.parameters()]
    frozen += [weight for norm in norms for weight in norm.parameters()]
    assert not any(id(one) in trained for one in frozen)
    assert len(trained) == len(list(model.parameters())) - len(frozen)


@pytest.mark.parametrize('smaller', [False, True])
def test_a_batch_gives_what_single_images_give(smaller):
    model = toy()
    sizes = [SIZE, (40, 56) if smaller else SIZE]
    samples = [
        training_sample(OBJECTS[:2], SIZE, img_id=1),
        training_sample(OBJECTS[:1], sizes[1], img_id=2, seed=1),
    ]
    images = [image_of(size, seed) for seed, size in enumerate(sizes)]
    batch = torch.full((2, 3, *SIZE), 7.0)  # padding that would be noticed
    for row, image in zip(batch, images):
        row[:, : image.shape[1], : image.shape[2]] = image
    together = model.loss(batch, samples)
    total(together).backward()
    gradient = model.backbone.conv1.weight.grad.clone()
    model.zero_grad()
    single = [model.loss(image[None], [one]) for image, one in zip(images, samples)]
    for name, value in together.items():
        assert_close(value, (single[0][name] + single[1][name]) / 2)
    (sum(map(total, single)) / 2).backward()
    assert_close(gradient, model.backbone.conv1.weight.grad, rtol=1e-4, atol=1e-5)

    model.eval()
    samples = [evaluation_sample(OBJECTS, s, n) for n, s in enumerate(sizes)]
    model(batch, samples, mode='predict')
    for image, size, sample in zip(images, sizes, samples):
        alone = evaluation_sample(OBJECTS, size)
        model(image[None], [alone], mode='predict')
        for key in ('labels', 'scores', 'masks', 'bboxes'):
            assert_close(sample.pred_instances[key], alone.pred_instances[key])
        assert_close(sample.pred_points.points, alone.pred_points.points)


def test_an_image_without_points_has_a_zero_embedding_loss_with_a_graph():
    model, sample = toy(), training_sample(())
    losses = model.loss(image_of(SIZE)[None], [sample])
    assert losses['loss_embedding'] == losses['loss_point'] == losses['loss_split'] == 0
    assert losses['loss_image'] > 0
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_sigmoid_form():
    model = toy(loss_localization=dict(type='mmwsis.LCFCNLoss', form='sigmoid'))
    image = image_of(SIZE)[None]
    logits, _ = model(image)
    assert logits.shape == (1, 2, *SIZE)
    losses = model.loss(image, [training_sample()])
    total(losses).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    logits = torch.full((1, 2, *SIZE), -1.0)
    logits[0, 0, 2:8, 2:8], logits[0, 1, 5:12, 5:12] = 1.0, 2.0  # they overlap
    model.localization_head.forward = lambda *_: logits
    found = model.intermediates(image[0], evaluation_sample())
    assert found.blobs.labels.tolist() == [0, 1]
    assert found.blobs.areas.tolist() == [36 - 9, 49]
    assert_close(found.points.scores, torch.tensor([1.0, 2.0]).sigmoid())


# The first object is hit, the second one by a point of another class, the third twice.
FOUND = ((10, 10, 0), (40, 30, 0), (45, 9, 0), (55, 9, 0))


@pytest.fixture
def predicted(monkeypatch):
    """Function of test settings: an image's predictions, all maps made up."""

    def run(sample=None, artifact=None, **test_cfg):
        model = toy(test_cfg=test_cfg).eval()
        model.artifact = artifact
        place_blobs(model, monkeypatch, FOUND)
        place_embeddings(model, monkeypatch)
        sample = evaluation_sample() if sample is None else sample
        (sample,) = model(image_of(SIZE)[None], [sample], mode='predict')
        return sample

    return run


def test_blobs_are_masks_of_score_one(predicted):
    found = predicted(mask_source='blobs').pred_instances
    assert found.labels.tolist() == [0] * 4
    assert found.scores.tolist() == [1.0] * 4
    assert found.masks.flatten(1).sum(1).tolist() == [9] * 4
    assert found.bboxes[0].tolist() == [44, 8, 47, 11]  # by first pixels


def by_mask(found):
    """Masks and scores in the order of the points of FOUND that have one."""
    return sorted(
        (int(m.sum()), round(float(s), 4)) for m, s in zip(found.masks, found.scores)
    )


def test_best_proposal_has_the_best_objectness(predicted):
    found = predicted(mask_source='best_proposal').pred_instances
    areas = [19 * 19, 27 * 23, 23 * 15, 23 * 15]
    assert by_mask(found) == sorted((area, 0.9) for area in areas)
    assert not len(
        predicted(mask_source='best_proposal', cand_min_score=0.95).pred_instances
    )


def test_oracle_takes_what_fits_the_object_below_the_point(predicted):
    found = predicted(mask_source='oracle').pred_instances
    dice = {area: round(2 * area / (2 * area + 1), 4) for area in (256, 240)}
    assert by_mask(found) == [(240, dice[240]), (240, dice[240]), (256, dice[256])]


def test_gt_mask_is_the_object_below_the_point(predicted):
    found = predicted(mask_source='gt_mask').pred_instances
    assert by_mask(found) == [(240, 1.0), (240, 1.0), (256, 1.0)]
    truth = box_masks()
    assert all(
        any((mask.numpy() == one).all() for one in truth) for mask in found.masks
    )


def test_wise_takes_what_fits_the_embeddings(predicted):
    """Also where the class is wrong; two points on one object: the first has it all."""
    found = predicted(mask_source='wise').pred_instances
    sizes = [16 * 16, 24 * 20, 20 * 12]
    assert by_mask(found) == sorted((a, round(2 * a / (2 * a + 1), 4)) for a in sizes)


@pytest.mark.parametrize('score', ['dice', 'peak', 'product'])
def test_scores(predicted, score):
    found = predicted(mask_source='wise', score=score)
    peak = (torch.tensor([1.0, 3.0, 0.0]).softmax(0)[1]).item()
    dice = {area: 2 * area / (2 * area + 1) for area in (256, 480, 240)}
    for mask, value in zip(found.pred_instances.masks, found.pred_instances.scores):
        one = dice[int(mask.sum())]
        expected = dict(dice=one, peak=peak, product=one * peak)[score]
        assert value.item() == pytest.approx(expected, rel=1e-6)


def test_without_candidates_the_own_region_stays_with_the_score_zero(predicted):
    found = predicted(mask_source='wise', cand_min_score=0.95).pred_instances
    assert by_mask(found) == [(240, 0.0), (256, 0.0), (480, 0.0)]


@pytest.mark.parametrize(
    ('settings', 'scores'),
    [
        (dict(cand_min_score=0.7), (0.7, 0.7)),
        (dict(cand_min_score=0.0, background_min_score=0.7), (0.7, 0.0)),
    ],
)
def test_background_may_have_a_score_of_its_own(
    predicted, settings, scores, monkeypatch
):
    seen = {}

    def spy(name):
        original = getattr(wise_masks, name)

        def called(*args):
            seen[name] = args
            return original(*args)

        monkeypatch.setattr(wise_masks, name, called)

    spy('least_covered_pixels')
    spy('choose_proposals')
    predicted(mask_source='wise', **settings)
    assert seen['least_covered_pixels'][2] == scores[0]
    assert seen['choose_proposals'][3] == scores[1]


def test_gt_points_are_annotated_ones_or_those_of_the_masks(predicted):
    sample = predicted(mask_source='gt_points')
    assert sample.pred_instances.labels.tolist() == [0, 1, 0]
    assert by_mask(sample.pred_instances)[-1][0] == 480
    assert len(sample.pred_points.labels) == len(FOUND)  # L-Net's, which are counted
    clicked = evaluation_sample()
    clicked.gt_instances = InstanceData(
        labels=torch.tensor([1]), points=torch.tensor([[45.0, 35.0]])
    )
    found = predicted(clicked, mask_source='gt_points').pred_instances
    assert found.labels.tolist() == [1]
    assert found.masks.sum() == 480


def test_prm_takes_points_with_scores(predicted):
    sample = evaluation_sample()
    sample.gt_instances = InstanceData(
        labels=torch.tensor([1]),
        points=torch.tensor([[45.0, 35.0]]),
        scores=torch.tensor([0.7]),
    )
    found = predicted(sample, mask_source='prm', score='peak').pred_instances
    assert found.scores.tolist() == pytest.approx([0.7])
    del sample.gt_instances.scores
    with pytest.raises(ValueError, match=r"'prm' makes masks for\. Load .*LoadCues"):
        predicted(sample, mask_source='prm')


def test_clicks_take_the_place_of_found_points_in_labels(predicted):
    sample = training_sample()
    sample.gt_instances.ann_ids = np.array(['a', 'b', 'c'], object)
    found = predicted(sample, 'instances').pred_instances
    assert found.labels.tolist() == [0, 1, 0]
    assert found.ann_ids.tolist() == ['a', 'b', 'c']
    assert 'ann_ids' not in predicted(sample).pred_instances  # points are found
    found = predicted(sample, 'instances', use_clicks=False).pred_instances
    assert found.labels.tolist() == [0, 0, 0]
    assert 'ann_ids' not in found
    found = predicted(sample, 'points')
    assert len(found.pred_points.points) == len(FOUND)
    assert sorted(map(tuple, found.pred_points.points.int().tolist())) == sorted(
        (x, y) for x, y, _ in FOUND
    )
    del sample.gt_instances
    with pytest.raises(ValueError, match=r'image id 1 has no points.*use_clicks=False'):
        predicted(sample, 'instances')


def test_labels_have_scores_in_the_unit_interval(predicted):
    sample = training_sample()
    proposals = sample.mask_proposals
    scores = np.linspace(40, 30, len(proposals)).astype(np.float32)
    object.__setattr__(proposals, 'scores', scores)
    settings = dict(mask_source='best_proposal', use_clicks=False)
    assert predicted(sample, **settings).pred_instances.scores.max() > 30
    assert predicted(sample, 'instances', **settings).pred_instances.scores.max() == 1


@pytest.mark.parametrize('source', ['oracle', 'gt_mask', 'gt_points'])
def test_upper_bounds_ask_for_ground_truth(predicted, source):
    unlabelled = evaluation_sample()
    del unlabelled.gt_instances
    elsewhere = evaluation_sample(())  # as DetInferencer packs an image
    elsewhere.set_metainfo(dict(supervision=None))
    weak = training_sample()
    for sample in (unlabelled, elsewhere, weak):
        if source == 'gt_points' and sample is weak:
            continue  # whose points these are
        with pytest.raises(
            ValueError, match=rf"image id 1 has no .*mask_source='{source}'"
        ):
            predicted(sample, mask_source=source)


@pytest.mark.parametrize('source', MASK_SOURCES)
def test_predictions_without_labels_are_those_with_them(predicted, source):
    """No row but the upper bounds reads a label."""
    if source in ('oracle', 'gt_mask', 'gt_points', 'prm'):
        return
    bare = evaluation_sample()
    del bare.gt_instances
    ours, theirs = (predicted(s, mask_source=source) for s in (None, bare))
    assert_close(ours.pred_instances.masks, theirs.pred_instances.masks)


def test_missing_proposals_are_named(predicted):
    sample = evaluation_sample()
    sample.pop('mask_proposals')
    for source in ('wise', 'best_proposal', 'oracle', 'gt_points'):
        with pytest.raises(ValueError, match=r'image id 1 has no mask proposals'):
            predicted(sample, mask_source=source)
    assert len(predicted(sample, mask_source='blobs').pred_instances) == 4
    assert len(predicted(sample, mask_source='gt_mask').pred_instances) == 3


def test_proposals_of_a_resized_image_are_taken_as_they_were(predicted):
    """The network sees half of the size; masks are those of the original image."""
    sample = evaluation_sample()
    half = GridMap.identity(SIZE).resized((SIZE[0] // 2, SIZE[1] // 2))
    sample.mask_proposals = sample.mask_proposals.transformed(half)
    sample.set_metainfo(dict(img_shape=(SIZE[0] // 2, SIZE[1] // 2)))
    found = predicted(sample, mask_source='wise').pred_instances
    assert [a for a, _ in by_mask(found)] == [240, 256, 480]


@pytest.mark.parametrize('source', MASK_SOURCES)
@pytest.mark.parametrize('artifact', [None, 'instances', 'points'])
def test_nothing_found_is_an_empty_result(monkeypatch, source, artifact):
    model = toy(test_cfg=dict(mask_source=source)).eval()
    model.artifact = artifact
    place_blobs(model, monkeypatch, ())
    monkeypatch.setattr(model.embedding_head, 'stride8', None)  # not run
    sample = evaluation_sample(())
    sample.gt_instances.points = torch.zeros(0, 2)
    sample.gt_instances.scores = torch.zeros(0)
    (sample,) = model(image_of(SIZE)[None], [sample], mode='predict')
    assert sample.pred_points.points.shape == (0, 2)
    if artifact != 'points':
        assert sample.pred_instances.masks.shape == (0, *SIZE)


@pytest.mark.parametrize('source', MASK_SOURCES)
def test_points_without_a_proposal(predicted, source):
    """Sources that choose none drop the object; embeddings keep the own region."""
    sample = evaluation_sample()
    sample.mask_proposals = sample.mask_proposals[np.zeros(0, np.int64)]
    if source == 'prm':
        sample.gt_instances = InstanceData(
            labels=torch.tensor([1]),
            points=torch.tensor([[45.0, 35.0]]),
            scores=torch.tensor([0.7]),
        )
    found = predicted(sample, mask_source=source).pred_instances
    if source in ('best_proposal', 'oracle'):
        assert found.masks.shape == (0, *SIZE)
    elif source in ('wise', 'prm', 'gt_points'):
        assert len(found) and (found.scores == 0).all()
        assert found.masks.flatten(1).any(1).all()
    else:  # these need no proposals
        assert len(found) and (found.scores == 1).all()


def test_each_instance_knows_its_point(predicted):
    """Drawn, an object keeps its colour if one before it has no mask."""
    sample, model = (
        evaluation_sample(),
        toy(test_cfg=dict(mask_source='gt_mask')).eval(),
    )
    place_blobs(model, pytest.MonkeyPatch(), FOUND)
    found = model.intermediates(image_of(SIZE), sample)
    assert len(found.objects) == 3 < len(found.points.labels)
    for number, mask in zip(found.objects, found.instances.masks):
        x, y = found.points.points[number]
        assert mask[y, x]


def test_clicks_are_not_counted_as_found_points(predicted):
    model = toy(localization_weight=0.0, test_cfg=dict(mask_source='gt_points')).eval()
    sample = evaluation_sample()
    (sample,) = model(image_of(SIZE)[None], [sample], mode='predict')
    assert len(sample.pred_instances) == 3 and 'pred_points' not in sample


@pytest.mark.parametrize('branch', ['localization_head', 'embedding_head'])
def test_output_that_is_not_finite_names_the_image(branch):
    model = toy()
    getattr(model, branch).scores[0].bias.data[0] = torch.nan
    name = dict(localization_head='logits', embedding_head='embeddings')[branch]
    match = rf"{name} of the network are not finite, image ids \['b\.jpg'\]"
    with pytest.raises(FloatingPointError, match=match):
        model.loss(image_of(SIZE)[None], [training_sample(img_id='b.jpg')])
    sample = evaluation_sample(img_id='b.jpg')
    model.test_cfg['mask_source'] = 'gt_points'
    with pytest.raises(FloatingPointError, match=match):
        model.eval()(image_of(SIZE)[None], [sample], mode='predict')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(localization_weight=1.5), r'expected a number in \[0, 1\]'),
        (
            dict(test_cfg=dict(mask_source='blob')),
            "mask_source: expected one of .*'blob'",
        ),
        (
            dict(test_cfg=dict(score='peaks')),
            "test_cfg.score: expected one of .*'peaks'",
        ),
        (dict(test_cfg=dict(threshold=1)), 'unknown keys'),
        (
            dict(localization_weight=1),
            "'wise' needs E-Net, which localization_weight=1",
        ),
        (
            dict(localization_weight=0),
            "'wise' needs L-Net, which localization_weight=0",
        ),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        toy(**settings)
