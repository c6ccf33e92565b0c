"""MAL and EXITS: losses, gradients, teacher, mixed precision, prediction."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmengine.model import MMDistributedDataParallel
from pycocotools import mask as coco_mask
from torch import distributed
from torch.nn import functional as F

from mmwsis.models.labelers.mask_auto_labeler import box_masks
from mmwsis.models.losses import projection_mil_loss
from mmwsis.registry import MODELS

ALL = ['mal', 'exits', 'variant', 'warmup']


def run_loss(model, data):
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    return losses, model.parse_losses(losses)[0]


@pytest.mark.parametrize('areas', [(400.0, 3000.0, 20000.0), (500.0,)])
@pytest.mark.parametrize('name', ALL)
def test_every_trainable_parameter_gets_a_finite_gradient(build, batch, name, areas):
    model = build(name)
    model.train()
    _, total = run_loss(model, batch(areas=areas))
    assert total.isfinite()
    total.backward()
    for key, parameter in model.named_parameters():
        frozen = key.startswith(('teacher.', 'similarity_extractor.'))
        assert parameter.requires_grad == (not frozen), key
        assert (parameter.grad is None) == frozen, key
        assert frozen or parameter.grad.isfinite().all(), key


def test_losses_and_statistics(build, batch):
    losses, total = run_loss(build('exits'), batch())
    names = {'loss_point', 'loss_crf', 'fallback_rate', 'pseudo_fg', 'pseudo_bg'}
    assert set(losses) == names
    torch.testing.assert_close(total, losses['loss_point'] + losses['loss_crf'])
    assert set(run_loss(build('mal'), batch())[0]) == {'loss_mil', 'loss_crf'}
    assert set(run_loss(build('warmup'), batch())[0]) == {'loss_mil'}


@torch.no_grad()
def test_mil_loss_equals_slow_reference(build, batch):
    model = build('warmup')
    data = model.data_preprocessor(batch(), True)
    losses = model(**data, mode='loss')
    logits = model(**data)
    box = torch.stack([s.box_mask for s in data['data_samples']]).float()
    # 32 to 16 pixels: the mean of the two by two pixels that a logit covers.
    target = F.avg_pool2d(box[:, None], 2)[:, 0]
    assert logits.shape[1:] == target.shape[1:] == (16, 16)
    expected = projection_mil_loss(logits.sigmoid(), target).sum() / (3 + 1e-4) * 4
    torch.testing.assert_close(losses['loss_mil'], expected)


def test_ramps_scale_the_losses(build, batch, fresh_progress):
    fresh_progress.update_info('iter', 250)
    fresh_progress.update_info('epoch', 0)
    plain, _ = run_loss(build('mal'), batch())
    ramps = dict(mil_ramp=dict(iters=1000), crf_ramp=dict(iters=500))
    ramped, _ = run_loss(build('mal', **ramps), batch())
    torch.testing.assert_close(ramped['loss_mil'], plain['loss_mil'] / 4)
    torch.testing.assert_close(ramped['loss_crf'], plain['loss_crf'] / 2)


def test_crf_takes_the_student_view_and_both_networks(build, batch, monkeypatch):
    model = build('mal')
    with torch.no_grad():
        for parameter in model.teacher.parameters():
            parameter.mul_(1.1)
    data = model.data_preprocessor(batch(), True)
    seen = {}

    def record(image, student_prob, teacher_prob, box_target):
        seen.update(image=image, student=student_prob, teacher=teacher_prob)
        return student_prob.sum()

    monkeypatch.setattr(model.loss_crf, 'forward', record)
    model(**data, mode='loss')
    inputs, areas = data['inputs'], [s.area for s in data['data_samples']]
    torch.testing.assert_close(seen['image'], F.avg_pool2d(inputs['student'], 2))
    expected = model.teacher(inputs['teacher'], areas).sigmoid()
    torch.testing.assert_close(seen['teacher'], expected)
    assert not seen['teacher'].requires_grad
    assert seen['student'].requires_grad


def test_similarity_comes_from_the_teacher_view(build, batch):
    model = build('exits')
    data = model.data_preprocessor(batch(), True)
    _, similarity = model.retrieve(data['inputs'], data['data_samples'])
    expected = model.similarity_extractor(data['inputs']['teacher'])
    assert torch.equal(similarity, expected)
    assert similarity.shape == (3, 16, 16)
    image = dict(image=data['inputs']['teacher'])
    again, _ = model.retrieve(image, data['data_samples'])
    assert again.init_fg.dtype == torch.bool


def test_retrieval_starts_at_the_pushed_and_mirrored_points(build, batch):
    model = build('exits')
    data = model.data_preprocessor(batch(), True)
    retrieval, _ = model.retrieve(data['inputs'], data['data_samples'])
    # Crop pixels of the four points: (15, 5), (4, 16), (14, 27), (26, 15), each
    # pushed by 2; cells of 8 pixels.
    cells = retrieval.init_fg[0].nonzero().tolist()
    assert cells == [[0, 1], [1, 3], [2, 0], [3, 1]]
    mirrored = torch.zeros(4, 4, dtype=torch.bool)
    for u, v in ((15, 7), (6, 16), (14, 25), (24, 15)):
        mirrored[int(v // 8), int((32 - u) // 8)] = True
    assert torch.equal(retrieval.init_fg[1], mirrored)
    assert not (retrieval.init_fg & retrieval.init_bg).any()


def test_teacher_is_a_frozen_copy_after_init_weights(build):
    model = build('exits')
    students, teachers = model.student.state_dict(), model.teacher.state_dict()
    assert students.keys() == teachers.keys()
    for key, value in students.items():
        assert torch.equal(value, teachers[key]), key
        assert value.data_ptr() != teachers[key].data_ptr(), key


def test_frozen_parts_stay_in_evaluation_mode(build):
    model = build('exits').train()
    assert model.student.training
    assert not any(m.training for m in model.teacher.modules())
    assert not any(m.training for m in model.similarity_extractor.modules())


def test_warmup_has_no_teacher(build):
    model = build('warmup')
    assert model.teacher is None
    assert not any(key.startswith('teacher') for key in model.state_dict())


@pytest.fixture
def process_group(tmp_path):
    distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize('name', ALL)
def test_distributed_training_waits_for_no_parameter(build, batch, name, process_group):
    model = build(name).train()
    wrapped = MMDistributedDataParallel(model)
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=1e-3)
    hook = MeanTeacherHook(momentum=0.004)
    runner = SimpleNamespace(iter=0, model=wrapped)
    if name != 'warmup':
        hook.before_train(runner)
    # An unused parameter would raise in the second step.
    for step, areas in enumerate([(500.0, 20000.0), (4000.0,), (20000.0,)]):
        data = model.data_preprocessor(batch(areas=areas), True)
        total, _ = model.parse_losses(wrapped(**data, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if name != 'warmup':
            before = copy.deepcopy(model.teacher.state_dict())
            hook.after_train_iter(SimpleNamespace(iter=step, model=wrapped), step)
            after = model.teacher.state_dict()
            assert any(not torch.equal(before[k], after[k]) for k in after)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('name', ['mal', 'exits'])
def test_autocast_keeps_losses_in_float32(build, batch, name, dtype):
    model = build(name)
    with torch.autocast('cpu', dtype):
        losses, total = run_loss(model, batch())
        plain = {k: v for k, v in losses.items() if 'loss' in k}
    assert all(value.dtype == torch.float32 for value in plain.values())
    total.backward()
    assert all(
        p.grad.isfinite().all() for p in model.parameters() if p.grad is not None
    )


def test_state_round_trip(build, batch, config):
    model = build('exits')
    other = MODELS.build(config('exits'))
    other.load_state_dict(model.state_dict(), strict=True)
    data = model.data_preprocessor(batch(), True)
    assert torch.equal(model(**data), other(**data))
    prefixes = {key.split('.')[0] for key in model.state_dict()}
    assert prefixes == {'student', 'teacher', 'similarity_extractor'}


def test_non_finite_similarity_names_the_annotations(build, batch):
    model = build('exits')
    data = model.data_preprocessor(batch(), True)
    data['inputs']['teacher'][1] = float('nan')
    with pytest.raises(FloatingPointError, match=r'annotation ids \[101\] is not'):
        model(**data, mode='loss')


def test_missing_extreme_points_name_the_annotations(build, batch):
    model = build('exits')
    data = model.data_preprocessor(batch(), True)
    del data['data_samples'][2].extreme_points
    with pytest.raises(ValueError, match=r'annotation ids \[102\] have no'):
        model(**data, mode='loss')


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('weights', ['student', 'teacher', 'mixed'])
@torch.no_grad()
def test_prediction_logits(build, batch, weights, flip):
    model = build('mal', test_cfg=dict(weights=weights, flip=flip)).eval()
    for parameter in model.teacher.parameters():
        parameter.mul_(1.2)
    data = model.data_preprocessor(batch(views=('image',)), False)
    images, areas = data['inputs']['image'], [400.0, 3000.0, 20000.0]
    networks = dict(
        student=[model.student],
        teacher=[model.teacher],
        mixed=[model.student, model.teacher],
    )[weights]
    expected = []
    for network in networks:
        logits = network(images, areas)
        if flip:
            logits = (logits + network(images.flip(3), areas).flip(2)) / 2
        expected.append(logits)
    torch.testing.assert_close(
        model.predict_logits(**data), torch.stack(expected).mean(0)
    )


def test_prediction_writes_masks_of_image_size(build, batch):
    model = build('exits', test_cfg=dict(mask_thr=(0.0, 0.0, 1.0))).eval()
    samples = model.test_step(batch(views=('image',)))
    for sample, empty in zip(samples, (False, False, True), strict=True):
        mask = coco_mask.decode(sample.pred_mask)
        assert mask.shape == (40, 50)
        assert isinstance(sample.pred_mask['counts'], str)
        assert sample.empty_prediction is empty
        assert bool(mask.any()) is not empty
        # The crop box is the box mask's frame, moved by (10, 10).
        rows, columns = np.nonzero(mask)
        assert empty or (rows.min(), rows.max()) == (15, 37)
        assert empty or (columns.min(), columns.max()) == (14, 36)
        assert (0 < sample.pred_score <= 1) is not empty


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        (dict(weights='ema'), "must be 'student'"),
        (dict(threshold=0.5), r"unknown keys \['threshold'\]"),
    ],
)
def test_wrong_test_settings_are_refused(build, test_cfg, message):
    with pytest.raises(ValueError, match=message):
        build('mal', test_cfg=test_cfg)


def test_teacher_of_the_warmup_is_refused(build):
    with pytest.raises(ValueError, match='needs a teacher'):
        build('warmup', test_cfg=dict(weights='mixed'))


def test_labeler_without_losses_is_refused(build):
    with pytest.raises(ValueError, match='nothing to learn from'):
        build('warmup', loss_mil=None)


def test_retrieval_without_delta_is_refused(build):
    with pytest.raises(ValueError, match='needs delta'):
        build('exits', retrieval=dict(hops=3))


def test_unknown_retrieval_option_is_refused(build):
    with pytest.raises(ValueError, match=r"unknown keys \['alpha'\].*'hops'"):
        build('exits', retrieval=dict(delta=2, alpha=3))


def test_unknown_mode_is_refused(build, batch):
    model = build('mal')
    with pytest.raises(ValueError, match="got 'train'"):
        model(**model.data_preprocessor(batch()), mode='train')


def test_random_extractor_is_warned_of(build, monkeypatch):
    printed = []
    monkeypatch.setattr(
        'mmwsis.models.labelers.similarity_extractor.print_log',
        lambda text, **kwargs: printed.append(text),
    )
    build('exits')
    assert any('stays random' in text for text in printed)


def test_no_sample_has_no_prediction_and_no_loss(build):
    model = build('mal')
    assert model.predict(dict(image=torch.zeros(0, 3, 64, 64)), []) == []
    with pytest.raises(ValueError, match='at least one sample'):
        box_masks([])
