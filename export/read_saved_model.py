"""Run a SavedModel without sr_keras.

    python export/read_saved_model.py MODEL IMAGES.npy RESULT.npy

IMAGES.npy is (batch, height, width), float32, scaled to 0..1 as the file's manifest says. Needs: pip install tensorflow
"""

import sys

import numpy as np
import tensorflow as tf

model, source, target = sys.argv[1:]
images = np.load(source, allow_pickle=False)
loaded = tf.saved_model.load(model)
np.save(target, loaded.signatures["serving_default"](lr=tf.constant(images[..., None]))["final"].numpy()[..., 0])
