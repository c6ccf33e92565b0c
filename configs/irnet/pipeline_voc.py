# IRNet on VOC 2012, every stage in order: python tools/run_pipeline.py configs/irnet/pipeline_voc.py
_base_ = '../_base_/pipelines/voc.py'

pipeline = dict(
    name='irnet_voc',
    title='IRNet on VOC 2012',
    work_dir='work_dirs/pipelines/irnet_voc',
    stages=[
        _base_.weak_image_tags,
        dict(name='classifier', type='train', config='cam_r50_voc.py'),
        dict(
            name='class_maps',
            type='generate',
            config='cam_r50_voc.py',
            out='{data_root}/class_maps/irnet',
        ),
        dict(
            name='relation_labels',
            type='generate',
            config='relation-labels_voc.py',
            has_weights=False,
            out='{data_root}/relation_labels/irnet',
        ),
        dict(name='labeler', type='train', config='irnet_r50_voc.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='irnet_r50_voc.py',
            out='{data_root}/pseudo_labels/irnet.json',
        ),
        dict(
            name='semantic_maps',
            type='generate',
            config='irnet_r50_voc.py',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/irnet_semantic',
        ),
        dict(_base_.quality, pseudo='{data_root}/pseudo_labels/irnet.json'),
        dict(_base_.final_model, config='mask-rcnn_r50_voc.py'),
        dict(_base_.final_test, config='mask-rcnn_r50_voc.py'),
        dict(
            _base_.full_supervision, config='../fully_supervised/mask-rcnn_r50_voc.py'
        ),
        dict(_base_.full_test, config='../fully_supervised/mask-rcnn_r50_voc.py'),
        _base_.report,
    ],
)
