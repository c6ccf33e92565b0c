# Points to points, in rounds, and at the end to instances. No weights, no training.
_base_ = 'data.py'

model = dict(type='mmwsis.SimilarPixels')
pseudo_label_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(
        _base_.dataset,
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage'),
            dict(type='mmwsis.LoadWeakAnnotations'),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
artifact = 'points'
wsis = dict(method='TOY', stage='labeler', supervision='points')
