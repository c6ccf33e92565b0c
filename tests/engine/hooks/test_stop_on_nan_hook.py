import json

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmwsis.engine.hooks import NonFiniteLossError, StopOnNaNHook
from mmwsis.engine.hooks.stop_on_nan import describe_samples


class _Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        sample = BaseDataElement(
            metainfo=dict(img_path=f'img_{index}.png', img_id=index, ann_id=10 + index)
        )
        return dict(inputs=torch.ones(2), data_samples=sample)


class _BreaksAtThird(BaseModel):
    """Its loss is NaN for the sample with image id 3."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        loss = self.linear(torch.stack(list(inputs))).mean()
        bad = any(sample.img_id == 3 for sample in data_samples)
        return dict(
            loss_mil=loss * float('nan') if bad else loss,
            loss_crf=loss * 0 + 0.5,
            fallback_rate=torch.tensor(float('nan')),
        )


def _runner(work_dir):
    return Runner(
        model=_BreaksAtThird(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=_Samples(),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        train_cfg=dict(by_epoch=False, max_iters=3),
        custom_hooks=[dict(type='mmwsis.StopOnNaNHook')],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)
        ),
        default_scope='mmengine',
        experiment_name=f'stop_{work_dir.name}',
        log_level='ERROR',
    )


def test_run_stops_and_names_iteration_terms_and_samples(tmp_path):
    with pytest.raises(NonFiniteLossError) as caught:
        _runner(tmp_path).train()

    message = str(caught.value)
    assert 'iteration 2' in message
    assert 'loss_mil=nan' in message and 'loss_crf=0.5' in message
    assert 'img_2.png' in message and 'img_3.png' in message
    assert 'ann_id=13' in message and 'ann_id=11' not in message
    report = json.loads((tmp_path / 'non_finite_loss_rank0.json').read_text())
    assert report['iteration'] == 2
    assert [sample['img_id'] for sample in report['samples']] == [2, 3]


def test_no_checkpoint_is_written_after_the_bad_loss(tmp_path):
    with pytest.raises(NonFiniteLossError):
        _runner(tmp_path).train()

    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_1.pth']
    state = torch.load(tmp_path / 'iter_1.pth', weights_only=False)['state_dict']
    assert all(value.isfinite().all() for value in state.values())


def test_undefined_statistics_beside_the_losses_do_not_stop(tmp_path):
    runner = _runner(tmp_path)
    hook = StopOnNaNHook()
    hook.after_train_iter(runner, 0, None, dict(loss=1.0, fallback_rate=float('nan')))


def test_samples_of_several_branches_are_described():
    sample = BaseDataElement(metainfo=dict(img_path='a.png', img_id=torch.tensor(4)))
    batch = dict(inputs=None, data_samples=dict(weak=[sample], strong=[sample]))
    described = list(describe_samples(batch))
    assert described == [dict(img_path='a.png', img_id=4)] * 2


def test_interval_must_be_positive():
    with pytest.raises(ValueError, match='at least 1, got 0'):
        StopOnNaNHook(interval=0)
