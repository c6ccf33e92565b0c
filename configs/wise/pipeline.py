# WISE from one point per object, every stage in order:
#   python tools/run_pipeline.py configs/wise/pipeline.py --data coco
# VOC's points are those that people clicked, where they lie in data/voc/weak (docs/datasets/
# voc.md), and else derived from the masks; Cityscapes' and COCO's are derived, KITTI's are
# centres of boxes (docs/datasets/kitti.md).
_base_ = ['../_base_/pipelines/stages.py', '../_base_/pipelines/wise_stages.py']

# Scores of the built-in proposals are not calibrated: any may become a mask (`min_score`).
# WISE is the final model. Mask R-CNN on its labels is trained where it has a baseline.
_no_baseline = dict(
    refined='',
    final_model='',
    weak='network_test',
    without=['final_model', 'final_test', 'full_supervision', 'full_test'],
)
pipeline = dict(
    name='wise_{data}',
    title='WISE on {title}',
    supervision='points',
    data=dict(  # --data; the first is the default
        voc=dict(
            title='VOC 2012',
            dataset='voc_train',  # without SBD
            network='mmwsis::wise/wise_r50_voc.py',
            refined='mmwsis::wise/mask-rcnn_r50_voc_train.py',
            final_model='mask-rcnn_r50_voc_train.py',
            proposals='{data_root}/proposals/built_in',
            min_score=0,
            weak='final_test',
        ),
        coco=dict(
            title='COCO',
            dataset='coco',
            network='mmwsis::wise/wise_r50_coco.py',
            refined='mmwsis::wise/mask-rcnn_r50.py',
            final_model='mask-rcnn_r50.py',
            proposals='{data_root}/proposals/built_in',
            min_score=0,
            weak='final_test',
        ),
        kitti=dict(
            title='KITTI',
            dataset='kitti',
            network='mmwsis::wise/wise_r50_kitti.py',
            proposals='{data_root}/proposals/built_in',
            min_score=0,
            **_no_baseline,
        ),
        cityscapes=dict(
            title='Cityscapes',
            dataset='cityscapes',
            network='mmwsis::wise/wise_r50_cityscapes.py',
            proposals='{data_root}/proposals/built_in',
            min_score=0,
            **_no_baseline,
        ),
    ),
    dataset='mmwsis::data_specs/{dataset}.py',
    stages=_base_.stages,
)
del _no_baseline
