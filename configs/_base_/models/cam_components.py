model = dict(
    type='mmwsis.ClassMapComponents',
    test_cfg=dict(threshold=0.25, min_area=0.01),  # IRNet's own
)
artifact = 'instances'
