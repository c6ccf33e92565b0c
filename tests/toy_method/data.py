default_scope = 'mmdet'
custom_imports = dict(imports=['toy_method'])
classes = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')
dataset = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='points',
    data_root='',
    ann_file='scenes/weak/points_train.json',
    data_prefix=dict(img='scenes/train/'),
    metainfo=dict(classes=classes),
)
