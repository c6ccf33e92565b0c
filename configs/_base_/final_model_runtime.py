# What final models add to MMDetection's default runtime. Without a labeler in `wsis` they
# are trained on the dataset's own masks: the fully-supervised baseline.
custom_hooks = [dict(type='mmwsis.StopOnNaNHook')]
wsis = dict(stage='final_model')
