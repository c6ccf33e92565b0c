import json

i = json.load(open('o.json'))['images'][0]
print(i['width'], i['height'])
