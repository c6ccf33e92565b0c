# What CAMs are sure of: the targets of IRNet. The model has no weights; it reads whole
# images with their CAMs, and a config says in which folder these lie.
model = dict(
    type='mmwsis.RelationLabeler',
    test_cfg=dict(
        foreground_threshold=0.30,  # shares of the highest response of a class
        background_threshold=0.05,
        crf='irnet',
    ),
)
artifact = 'semantic_maps'
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadClassMaps', names=('high_res',)),
    dict(type='mmwsis.PackWeakInputs'),
]
