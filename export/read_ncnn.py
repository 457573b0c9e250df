"""Run an ncnn file (.ncnn.param, with its .ncnn.bin beside it) without sr_keras, on the CPU.

    python export/read_ncnn.py MODEL IMAGES.npy RESULT.npy

IMAGES.npy is (batch, height, width), float32, scaled to 0..1 as the file's manifest says. Needs: pip install ncnn
"""

import sys

import ncnn
import numpy as np

model, source, target = sys.argv[1:]
net = ncnn.Net()
# By default ncnn computes in float16 where the device has it.
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
net.load_param(model)
net.load_model(model.removesuffix(".param") + ".bin")
results = []
for image in np.load(source, allow_pickle=False):
    extractor = net.create_extractor()
    extractor.input("lr", ncnn.Mat(image[None]))
    results.append(np.array(extractor.extract("final")[1])[0])
np.save(target, np.stack(results))
