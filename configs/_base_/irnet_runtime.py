# Runtime of IRNet: when training is over, the mean displacement is found.
_base_ = './default_runtime.py'

custom_hooks = [
    dict(type='mmwsis.StopOnNaNHook'),
    dict(type='mmwsis.ExactResumeHook'),
    dict(type='mmwsis.DisplacementMeanHook', crop_size=512, whole_batches=32),
]
