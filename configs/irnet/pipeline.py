# IRNet, every stage in order:
#   python tools/run_pipeline.py configs/irnet/pipeline.py --data coco
_base_ = '../_base_/pipelines/stages.py'

pipeline = dict(
    name='irnet_{data}',
    title='IRNet on {title}',
    supervision='image_tags',
    data=dict(  # --data; the first is the default
        voc=dict(title='VOC 2012', final_model='mask-rcnn_r50_voc.py'),
        coco=dict(title='COCO', final_model='mask-rcnn_r50.py'),
    ),
    dataset='../data_specs/{data}.py',
    stages=[
        dict(name='weak_labels'),
        dict(name='classifier', type='train', config='cam_r50_{data}.py'),
        dict(
            name='class_maps',
            type='generate',
            config='cam_r50_{data}.py',
            out='{data_root}/class_maps/irnet',
        ),
        dict(
            name='relation_labels',
            type='generate',
            config='relation-labels_{data}.py',
            has_weights=False,
            out='{data_root}/relation_labels/irnet',
        ),
        dict(name='labeler', type='train', config='irnet_r50_{data}.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='irnet_r50_{data}.py',
            out='{data_root}/pseudo_labels/irnet.json',
        ),
        dict(
            name='semantic_maps',
            type='generate',
            config='irnet_r50_{data}.py',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/irnet_semantic',
        ),
        dict(name='quality'),
        dict(name='final_model'),
        dict(name='final_test'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
)
