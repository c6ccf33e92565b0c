import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

sys.path.insert(0, str(Path(__file__).parents[1]))

from own_process import run_ranks

from mmwsis.compat import join_cpu_processes
from mmwsis.engine.hooks import NonFiniteLossError, StopOnNaNHook
from mmwsis.engine.hooks.stop_on_nan_hook import describe_samples


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


def _runner(work_dir, accumulate=1, **settings):
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
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=0.01), accumulative_counts=accumulate
        ),
        train_cfg=dict(by_epoch=False, max_iters=3),
        custom_hooks=[dict(type='mmwsis.StopOnNaNHook')],
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)
        ),
        default_scope='mmengine',
        experiment_name=f'stop_{work_dir.name}',
        log_level='ERROR',
        **settings,
    )


def _message(iteration, rank, samples, path):
    lines = '\n'.join(
        f'  img_path=img_{i}.png, img_id={i}, ann_id={10 + i}' for i in samples
    )
    return (
        f'loss, loss_mil not finite at iteration {iteration} (epoch 1, batch '
        f'{iteration} of it), rank {rank}.\n'
        'Loss terms: loss=nan, loss_mil=nan, loss_crf=0.5\n'
        f'Samples of the batch:\n{lines}\n'
        f'Written to {path}. No checkpoint was written after it. Look at these '
        'annotations with tools/analysis_tools/browse_dataset.py; if they are right, '
        'lower optim_wrapper.optimizer.lr, lengthen the warm-up, clip gradients '
        '(optim_wrapper.clip_grad) or train without --amp, and resume.'
    )


def test_run_stops_and_names_iteration_terms_and_samples(tmp_path):
    with pytest.raises(NonFiniteLossError) as caught:
        _runner(tmp_path).train()

    report = tmp_path / 'non_finite_loss_rank0.json'
    assert str(caught.value) == _message(2, 0, (2, 3), report)
    report = json.loads(report.read_text())
    assert report['iteration'] == 2
    assert [sample['img_id'] for sample in report['samples']] == [2, 3]


def test_between_two_steps_of_gradient_accumulation(tmp_path):
    """The batch of iteration 2 of 3 is not yet part of any update."""
    with pytest.raises(NonFiniteLossError) as caught:
        _runner(tmp_path, accumulate=3).train()
    report = tmp_path / 'non_finite_loss_rank0.json'
    assert str(caught.value) == _message(2, 0, (2, 3), report)
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_1.pth']


def test_of_two_processes_the_one_with_the_bad_batch_says_so(tmp_path):
    """Samples go to ranks in turn: images 1 and 3 are the second's first batch."""

    def train():
        join_cpu_processes()
        _runner(
            tmp_path,
            launcher='pytorch',
            env_cfg=dict(dist_cfg=dict(backend='gloo')),
            cfg=dict(
                model_wrapper_cfg=dict(
                    type='MMDistributedDataParallel', device_ids=None
                )
            ),
        ).train()

    codes, texts = run_ranks(train, 2, tmp_path, seconds=60)  # neither hangs
    assert codes == [1, 1]
    report = tmp_path / 'non_finite_loss_rank1.json'
    assert texts[1] == _message(1, 1, (1, 3), report)
    assert texts[0] == (
        'The loss of rank 1 is not finite at iteration 1; the message of that rank '
        'names the batch. Rank 0 stops too, because its gradients were averaged with '
        'those.'
    )
    assert report.is_file() and not (tmp_path / 'non_finite_loss_rank0.json').exists()
    assert not list(tmp_path.glob('iter_*.pth'))


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
