# Runtime of the small final models: everything is counted in iterations.
_base_ = ['mmdet::_base_/default_runtime.py', './final_model_runtime.py']

default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(by_epoch=False, interval=200, max_keep_ckpts=2),
)
log_processor = dict(by_epoch=False)
visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)
