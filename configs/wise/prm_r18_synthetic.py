# Points from image tags on 128x128 scenes, on two CPU cores: IRNet's classifier of stride 8
# with peak stimulation in place of the mean.
_base_ = '../irnet/cam_r18_synthetic.py'

model = dict(
    type='mmwsis.PeakResponseClassifier',
    head=dict(
        _delete_=True,
        type='mmwsis.PeakStimulationHead',
        num_classes=6,
        in_channels=128,
        scale_factor=2,  # of stride 8
        kernel_size=3,
    ),
    map_extractor=dict(_delete_=True, type='mmwsis.FlippedCAM', smoothing=3),
    # Classifiers that have seen little do not reach the paper's bound of 30.
    test_cfg=dict(
        classes='tags',
        back_propagate=True,
        min_value=None,
        min_share=0.5,
        min_distance=10.0,  # cells of stride 4
        keep_best=True,
    ),
)

test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=192, interpolation='bilinear'),
    dict(type='mmwsis.PackWeakInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=test_pipeline))
artifact = 'points'

# --show and --show-dir of tools/test.py draw the maps and their points over the images.
default_hooks = dict(visualization=dict(show_points=True))

wsis = dict(method='WISE', produces='data/synthetic/pseudo_labels/wise_prm_points.json')
