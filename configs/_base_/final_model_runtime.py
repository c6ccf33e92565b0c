# What final models add to MMDetection's default runtime.
custom_hooks = [dict(type='mmwsis.StopOnNaNHook')]
