model = dict(
    type='mmwsis.RelationLabeler',
    test_cfg=dict(
        foreground_threshold=0.30,  # shares of the highest response of a class
        background_threshold=0.05,
        crf='irnet',
    ),
)
artifact = 'semantic_maps'
