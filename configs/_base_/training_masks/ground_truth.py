# The dataset's own masks: nothing has to be made before.
wsis = dict(
    method='FULL', stage='final_model', supervision='masks', requires=[], produces=None
)
