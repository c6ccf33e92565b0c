import logging

import pytest
import torch
from mmengine.config import Config

from mmwsis.engine import run_config


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / 'solov2_tiny.py'
    path.write_text(
        "model = dict(type='X')\n"
        "optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.))\n"
        "default_hooks = dict(visualization=dict(type='V'))\n"
        "env_cfg = dict(dist_cfg=dict(backend='nccl'))\n"
    )
    return path


def test_work_dir_is_named_after_the_config(config_file):
    cfg = run_config.load_run_config(config_file)
    assert cfg.work_dir == 'work_dirs/solov2_tiny'


def test_command_line_wins_over_the_config(config_file):
    cfg = run_config.load_run_config(
        config_file, {'work_dir': 'a', 'optim_wrapper.optimizer.lr': 2.0}
    )
    assert (cfg.work_dir, cfg.optim_wrapper.optimizer.lr) == ('a', 2.0)
    assert run_config.load_run_config(config_file, work_dir='b').work_dir == 'b'


def test_missing_config_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing.py does not exist'):
        run_config.load_run_config(tmp_path / 'nothing.py')


def test_nccl_gives_way_to_gloo_without_a_gpu(config_file, monkeypatch):
    monkeypatch.setattr(run_config.torch.cuda, 'is_available', lambda: False)
    cfg = run_config.load_run_config(config_file, launcher='pytorch')
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.model_wrapper_cfg.device_ids is None
    assert run_config.load_run_config(config_file).env_cfg.dist_cfg.backend == 'nccl'


def test_nccl_stays_with_a_gpu(config_file, monkeypatch):
    monkeypatch.setattr(run_config.torch.cuda, 'is_available', lambda: True)
    cfg = run_config.load_run_config(config_file, launcher='pytorch')
    assert cfg.env_cfg.dist_cfg.backend == 'nccl'
    assert 'model_wrapper_cfg' not in cfg


def test_amp_replaces_the_plain_wrapper_on_a_gpu(config_file, monkeypatch):
    monkeypatch.setattr(run_config.torch.cuda, 'is_available', lambda: True)
    cfg = run_config.load_run_config(config_file)
    run_config.use_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'


def test_amp_keeps_the_settings_of_a_config_that_has_it(config_file):
    cfg = run_config.load_run_config(
        config_file, {'optim_wrapper.type': 'AmpOptimWrapper'}
    )
    run_config.use_amp(cfg)
    assert 'loss_scale' not in cfg.optim_wrapper


def test_amp_refuses_a_wrapper_that_it_would_throw_away(config_file):
    cfg = run_config.load_run_config(config_file, {'optim_wrapper.type': 'Mine'})
    with pytest.raises(ValueError, match='the config uses Mine'):
        run_config.use_amp(cfg)


def test_amp_without_a_gpu_is_ignored_and_said(config_file, monkeypatch, caplog):
    monkeypatch.setattr(run_config.torch.cuda, 'is_available', lambda: False)
    cfg = run_config.load_run_config(config_file)
    with caplog.at_level(logging.INFO):
        run_config.use_amp(cfg)
    assert cfg.optim_wrapper.type == 'OptimWrapper'


def test_auto_scale_lr_needs_the_base_batch_size(config_file):
    cfg = run_config.load_run_config(config_file)
    with pytest.raises(RuntimeError, match='enable, base_batch_size'):
        run_config.use_auto_scale_lr(cfg)
    cfg.auto_scale_lr = dict(enable=False, base_batch_size=16)
    run_config.use_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr.enable is True


def test_resume_follows_mmdetection(config_file, tmp_path):
    cfg = Config(dict(load_from='pretrained.pth'))
    run_config.set_resume(cfg, None)
    assert cfg.load_from == 'pretrained.pth' and 'resume' not in cfg
    run_config.set_resume(cfg, 'auto')
    assert cfg.resume is True and cfg.load_from is None
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save({}, checkpoint)
    run_config.set_resume(cfg, str(checkpoint))
    assert cfg.load_from == str(checkpoint)
    with pytest.raises(FileNotFoundError, match='epoch_9.pth does not exist'):
        run_config.set_resume(cfg, str(tmp_path / 'epoch_9.pth'))


def test_show_dir_turns_drawing_on(config_file):
    cfg = run_config.load_run_config(config_file)
    run_config.use_visualization(cfg, False, 'pictures', 2)
    assert cfg.default_hooks.visualization.draw is True
    assert cfg.default_hooks.visualization.test_out_dir == 'pictures'
    assert 'show' not in cfg.default_hooks.visualization
    del cfg.default_hooks.visualization
    with pytest.raises(RuntimeError, match='default_hooks.visualization'):
        run_config.use_visualization(cfg, True, None, 2)


def _detector_config(metric):
    return Config(
        dict(
            model=dict(type='Detector'),
            test_dataloader=dict(
                dataset=dict(pipeline=[dict(type='Load'), dict(type='Pack')])
            ),
            test_evaluator=dict(type='CocoMetric', metric=metric),
        )
    )


def test_tta_wraps_model_and_pipeline():
    cfg = _detector_config('bbox')
    run_config.use_tta(cfg)
    assert cfg.model.type == 'mmdet.DetTTAModel'
    assert cfg.model.module.type == 'Detector'
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert [step.type for step in pipeline] == ['Load', 'TestTimeAug']


def test_tta_that_would_lose_the_masks_is_refused():
    with pytest.raises(ValueError, match='would lose the masks'):
        run_config.use_tta(_detector_config(['bbox', 'segm']))
