"""The estimators of uncertainty that ship, as ONNX files."""
