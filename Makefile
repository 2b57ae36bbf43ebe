# SPDX-License-Identifier: MIT
# Each target sets up all it needs: system packages, .venv, the native build.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON_VENV := .venv/bin/python
CPP := $(shell git ls-files 'cpp/*.[ch]pp' 'tests/*.[ch]pp')
CMAKE := $(shell git ls-files '*CMakeLists.txt')
SANITIZERS ?= asan tsan
FUZZ_SECONDS ?= 60

.PHONY: demo demo-obs test test-obs-latest test-cpp test-sanitizers fuzz test-wheel test-python check format bench bench-windows wheel windows test-windows clean

demo: ## The main job on real programs, with nothing to configure
	@.ci/setup demo
	@.venv/bin/pypac-obs demo

demo-obs: ## The same into a private OBS: what is on each of its tracks, a picture of its mixer
	@.ci/setup demo-obs
	@.venv/bin/pypac-obs obs demo

test: test-cpp test-sanitizers fuzz test-wheel test-python test-windows ## The whole test suite

test-cpp:
	@.ci/setup test
	cmake --preset release
	cmake --build --preset release
	ctest --preset release

test-sanitizers:
	@.ci/setup test
	for preset in $(SANITIZERS); do \
	  cmake --preset $$preset && cmake --build --preset $$preset && ctest --preset $$preset; \
	done

# What is found new stays in build/; a crash is written there as well and becomes a file of the corpus.
fuzz: ## Looks for input from other programs that breaks a reader
	@.ci/setup test
	cmake --preset fuzz && cmake --build --preset fuzz
	mkdir -p build/fuzz/corpus
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 build/fuzz/tests/fuzz/fuzz_shared_track_reader \
	  -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -timeout=5 -rss_limit_mb=1024 \
	  -artifact_prefix=build/fuzz/ build/fuzz/corpus tests/fuzz/corpus/shared_track_reader

# The wheel works in an environment that has nothing but what it asks for.
test-wheel:
	@.ci/setup test
	rm -rf build/wheel
	$(PYTHON_VENV) -m pip wheel --quiet --no-deps -w build/wheel .
	$(PYTHON_VENV) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet build/wheel/*.whl
	cd build/wheel && venv/bin/pypac-obs --version && venv/bin/pypac-obs schema > /dev/null
	cd build/wheel && venv/bin/python $(CURDIR)/.ci/wheel_parts.py

test-python: test-cpp
	@.ci/setup test
	$(PYTHON_VENV) -m pytest

test-obs-latest: ## The tests with OBS again, in Debian unstable; takes root, 2 GB and time
	@.ci/obs_latest

check: ## Formatting, types, lints, spelling
	@.ci/setup check
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/clang-format --dry-run --Werror $(CPP)
	.venv/bin/gersemi --check $(CMAKE)
	.venv/bin/codespell $$(git ls-files ':!configs/broken')
	.venv/bin/actionlint -shellcheck .venv/bin/shellcheck
	cmake --preset release -DCMAKE_EXPORT_COMPILE_COMMANDS=ON > /dev/null
	.venv/bin/python .ci/tidy.py build/release

format: ## Puts every file into the project's form
	@.ci/setup check
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/clang-format -i $(CPP)
	.venv/bin/gersemi -i $(CMAKE)

bench: ## Speed, latency and memory, next to other programs
	@.ci/setup bench
	cmake --preset release && cmake --build --preset release
	$(PYTHON_VENV) tests/bench/run.py

bench-windows: ## Windows' capture under Wine, next to Linux's
	@.ci/setup windows
	@.ci/setup bench
	cmake --preset windows && cmake --build --preset windows --target bench_wasapi_capture
	cmake --preset release && cmake --build --preset release
	$(PYTHON_VENV) tests/bench/run.py windows_capture

# scikit-build-core asks the running Python what it builds for; this tells it something else.
windows: ## A wheel for Windows (CPython 3.11), built on Linux
	@.ci/setup windows
	$(PYTHON_VENV) .ci/windows_python.py build/windows/python
	rm -rf build/windows/wheel
	_PYTHON_HOST_PLATFORM=win-amd64 SETUPTOOLS_EXT_SUFFIX=.cp311-win_amd64.pyd \
	$(PYTHON_VENV) -m pip wheel --quiet --no-deps --no-build-isolation -w build/windows/wheel . \
	  -C build-dir=build/windows \
	  -C cmake.define.CMAKE_TOOLCHAIN_FILE=$(CURDIR)/cmake/mingw-w64.cmake \
	  -C cmake.define.PYPAC_TARGET_PYTHON=$(CURDIR)/build/windows/python/python.exe \
	  -C cmake.define.Python_INCLUDE_DIR=$(CURDIR)/build/windows/python/include \
	  -C cmake.define.Python_LIBRARY=$(CURDIR)/build/windows/python/libs/python311.lib \
	  -C cmake.define.NB_SUFFIX=.cp311-win_amd64.pyd -C cmake.define.NB_SUFFIX_S=.pyd
	$(PYTHON_VENV) .ci/windows_dlls.py build/windows/wheel/*.whl
	mkdir -p dist && cp build/windows/wheel/*.whl dist/

# Those of tests/python that are about Windows, too. Left out are the demo, which is Linux's, and two
# that go through all moments and answers, of which each opens many files: minutes under Wine.
WINDOWS_TESTS := tests/python -k 'not (lost_at_any_moment or whatever_obs_answers)' \
  --ignore tests/python/cli/test_demo_signals.py --ignore tests/python/cli/test_obs_demo_tones.py \
  --ignore tests/python/outputs/full_disk_process.py

# The C++ tests and the wheel, in Wine: its capture against a double of Windows' audio service.
test-windows: windows ## What is shipped for Windows, under Wine
	cmake --preset windows && cmake --build --preset windows && ctest --preset windows
	$(PYTHON_VENV) .ci/windows_python.py build/windows/python build/windows/wheel/*.whl
	tests/windows/in_wine build/windows/python/python.exe -Im pytest $(WINDOWS_TESTS)
	$(PYTHON_VENV) -m pytest tests/windows

wheel:
	@.ci/setup test
	$(PYTHON_VENV) -m pip wheel --no-deps -w dist .

clean:
	rm -rf build dist .venv
