# Runtime of the small labelers with a mean teacher.
_base_ = './labeler_runtime.py'

custom_hooks = [
    # A teacher of 0.004 averages over 250 iterations, a fifth of this training.
    dict(type='mmdet.MeanTeacherHook', momentum=0.02, interval=1),
    dict(type='mmwsis.StopOnNaNHook'),
    dict(type='mmwsis.ExactResumeHook'),
]

default_hooks = dict(
    logger=dict(interval=25),
    checkpoint=dict(by_epoch=False, interval=250, max_keep_ckpts=2),
)
log_processor = dict(by_epoch=False)
