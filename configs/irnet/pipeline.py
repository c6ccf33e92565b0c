# IRNet, every stage in order:
#   python tools/run_pipeline.py configs/irnet/pipeline.py --data coco
_base_ = ['../_base_/pipelines/stages.py', '../_base_/pipelines/irnet_stages.py']

pipeline = dict(
    name='irnet_{data}',
    title='IRNet on {title}',
    supervision='image_tags',
    data=dict(  # --data; the first is the default
        voc=dict(title='VOC 2012', backbone='r50', final_model='mask-rcnn_r50_voc.py'),
        coco=dict(title='COCO', backbone='r50', final_model='mask-rcnn_r50.py'),
    ),
    dataset='mmwsis::data_specs/{data}.py',
    stages=_base_.stages,
    without=['cam_components', 'cam_quality'],
)
