# IRNet on synthetic scenes, every stage in order: python tools/run_pipeline.py configs/irnet/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

from_classifier = {
    'wsis.requires.1.path': '{checkpoint:classifier}',
    'model.backbone.init_cfg.checkpoint': '{checkpoint:classifier}',
}

pipeline = dict(
    name='irnet_synthetic',
    title='IRNet on synthetic scenes',
    work_dir='work_dirs/pipelines/irnet_synthetic',
    stages=[
        _base_.scenes,
        _base_.weak_image_tags,
        dict(name='classifier', type='train', config='cam_r18_synthetic.py'),
        dict(
            name='class_maps',
            type='generate',
            config='cam_r18_synthetic.py',
            out='{data_root}/class_maps/irnet',
        ),
        dict(
            name='relation_labels',
            type='generate',
            config='relation-labels_synthetic.py',
            has_weights=False,
            out='{data_root}/relation_labels/irnet',
        ),
        dict(name='labeler', type='train', config='irnet_r18_synthetic.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='irnet_r18_synthetic.py',
            out='{data_root}/pseudo_labels/irnet.json',
        ),
        dict(
            name='semantic_maps',
            type='generate',
            config='irnet_r18_synthetic.py',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/irnet_semantic',
        ),
        # What the class maps are worth alone.
        dict(
            name='cam_components',
            type='generate',
            config='cam-components_synthetic.py',
            has_weights=False,
            out='{data_root}/pseudo_labels/cam_components.json',
        ),
        dict(
            _base_.quality,
            name='cam_quality',
            pseudo='{data_root}/pseudo_labels/cam_components.json',
        ),
        dict(_base_.quality, pseudo='{data_root}/pseudo_labels/irnet.json'),
        dict(_base_.final_model, config='mask-rcnn_r18_synthetic.py'),
        dict(_base_.final_test, config='mask-rcnn_r18_synthetic.py'),
        dict(
            _base_.full_supervision,
            config='../fully_supervised/mask-rcnn_r18_synthetic.py',
        ),
        dict(_base_.full_test, config='../fully_supervised/mask-rcnn_r18_synthetic.py'),
        _base_.report,
    ],
    fast=dict(
        _base_.fast,
        classifier={**_base_.few_iterations, **_base_.one_process},
        labeler={**_base_.few_iterations, **from_classifier},
    ),
)
