from setuptools import find_packages, setup

# configs/ stands at the top, where people look for it; the wheel carries it as sr_keras.configs.
setup(
    packages=[*find_packages(include=["sr_keras", "sr_keras.*"]), "sr_keras.configs"],
    package_dir={"sr_keras.configs": "configs"},
    package_data={
        "sr_keras": [
            "py.typed",
            "weights/*",
            "weights/onnx/*",
            "weights/uncertainty/*",
            "export/slices.npz",
            "engines/manifest.schema.json",
            "benchmark/*.json",
            "report/*.html",
            "report/*.css",
            "report/*.js",
            "report/*.gz",
            "report/*.txt",
            "web/site/**",
        ],
        "sr_keras.configs": ["*.yaml"],
    },
)
