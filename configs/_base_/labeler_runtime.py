# Runtime of labelers of object crops with a mean teacher.
_base_ = './default_runtime.py'

# --show and --show-dir of tools/test.py switch it on.
default_hooks = dict(
    visualization=dict(type='mmwsis.CropPredictionVisualizationHook', draw=False)
)

custom_hooks = [
    # First, so that `custom_hooks.0.interval` always means the teacher's: set it to
    # optim_wrapper.accumulative_counts. The first call copies the student.
    dict(type='mmdet.MeanTeacherHook', momentum=0.004, interval=1),
    dict(type='mmwsis.StopOnNaNHook'),
    dict(type='mmwsis.ExactResumeHook'),
]
