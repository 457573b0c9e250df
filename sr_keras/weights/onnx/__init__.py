"""The shipped stages as ONNX files, each with its manifest."""
