# `make demo` and `make test` set up everything they need: Python 3.11 and make are all that must be there.
PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
SAMPLE = samples/t1w_brain.nii.gz

.PHONY: demo test test-browser test-cluster test-slow test-webgpu faults fuzz matrix lint docs web clean

demo: $(VENV)/installed
	mkdir -p demo
	$(BIN)/sr-keras predict $(SAMPLE) -o demo/t1w_brain_x2.nii.gz --scale 2 --force
	$(BIN)/sr-keras evaluate $(SAMPLE) --task in-plane --acquisition mri_k_space_1 --figure demo/comparison.png --force
	@echo "Open demo/t1w_brain_x2.nii.gz over $(SAMPLE) in a viewer; demo/comparison.png shows the detail."

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow and not faults and not fuzz and not cluster and not browser and not webgpu"

# The pages in Chromium, where it is installed.
test-browser: $(VENV)/installed .debian/llvmpipe/fetched
	$(BIN)/python -m pytest -m browser

# Dask clusters whose workers and clients are killed, and Slurm's daemons where they are installed.
test-cluster: $(VENV)/installed
	$(BIN)/python -m pytest -m cluster

# GPUs in software: WebGPU, whose onnxruntime replaces that of the environment in one on top of it, and Vulkan.
test-webgpu: $(VENV)/installed $(VENV)-webgpu/installed .debian/llvmpipe/fetched .debian/onnxruntime/fetched
	$(VENV)-webgpu/bin/python -m pytest tests/engines/test_gpus.py

$(VENV)-webgpu/installed: $(VENV)/installed
	$(BIN)/python -m venv --clear --without-pip $(VENV)-webgpu
	$(BIN)/python -m pip --python $(VENV)-webgpu/bin/python install --quiet --no-deps onnxruntime-webgpu
	$(BIN)/python -c "import site; print('import site; site.addsitedir(\'%s\')' % site.getsitepackages()[0])" > \
		"$$($(VENV)-webgpu/bin/python -c 'import site; print(site.getsitepackages()[0])')/on_top.pth"
	touch $@

# Parts of newer Debians than the system's: Vulkan in software that computes in float16, and headers of ONNX Runtime.
.debian/llvmpipe/fetched:
	tests/fetch_debian.sh .debian/llvmpipe bookworm-backports mesa-vulkan-drivers

.debian/onnxruntime/fetched:
	tests/fetch_debian.sh .debian/onnxruntime trixie libonnxruntime-dev

test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

# kill -9, full disks, limits and races, at every moment: a table of what was lost.
faults: $(VENV)/installed
	$(BIN)/python -m pytest tests/faults

# Damaged inputs of every reader: a table of what ended in a traceback.
fuzz: $(VENV)/installed
	$(BIN)/python -m pytest tests/fuzz

# The oldest and the newest versions of Python and of the libraries: a table of what passes.
matrix:
	$(PYTHON) tests/matrix.py

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The page that super-resolves scans in a browser, in sr_keras/web/site/.
web: $(VENV)/installed
	$(BIN)/python web/build.py

# The site in site/; a warning is an error. Where the page for browsers is built, it lies in site/app/.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	test ! -e sr_keras/web/site/index.html || $(BIN)/sr-keras web -o site/app --force

$(VENV)/installed: pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-webgpu .debian .matrix demo build dist site *.egg-info
