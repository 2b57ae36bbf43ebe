# SPDX-License-Identifier: MIT
# Each target sets up all it needs: system packages, .venv, the native build.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON_VENV := .venv/bin/python

# What these run is in .ci/stages.py. Several at once share their stages: make check test
CHECKS := check test test-fast test-cpp test-sanitizers test-python test-windows test-wheel fuzz windows
WANTED := $(filter $(CHECKS),$(MAKECMDGOALS))

.PHONY: demo demo-obs $(CHECKS) test-long test-obs-latest format lock bench bench-windows wheel clean

demo: ## The main job on real programs, with nothing to configure
	@.ci/setup demo
	@.venv/bin/pypac-obs demo

demo-obs: ## The same into a private OBS: what is on each of its tracks, a picture of its mixer
	@.ci/setup demo-obs
	@.venv/bin/pypac-obs obs demo

ifneq ($(WANTED),)
$(firstword $(WANTED)):
	@python3 .ci/checks.py $(WANTED)

$(wordlist 2,$(words $(WANTED)),$(WANTED)): $(firstword $(WANTED))
	@:
endif

test-long: ## Everything at its full length and with the newest OBS, for the night and for a release; takes root
	@PYPAC_LONG=1 FUZZ_SECONDS=$${FUZZ_SECONDS:-60} python3 .ci/checks.py check test test-obs-latest

test-obs-latest: ## The tests with OBS again, in Debian unstable; takes root, 2 GB and time
	@.ci/obs_latest

format: ## Puts every file into the project's form
	@.ci/setup check
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/clang-format -i $$(git ls-files 'cpp/*.[ch]pp' 'tests/*.[ch]pp')
	.venv/bin/gersemi -i $$(git ls-files '*CMakeLists.txt' 'cmake/*.cmake')

lock: ## The lock files of Python packages anew, with the newest versions
	@.ci/lock --upgrade

bench: ## Speed, latency and memory, next to other programs
	@.ci/setup bench
	cmake --preset release && cmake --build --preset release --target all benchmarks
	$(PYTHON_VENV) tests/bench/run.py

bench-windows: ## Windows' capture under Wine, next to Linux's
	@.ci/setup windows bench
	cmake --preset windows && cmake --build --preset windows --target bench_wasapi_capture
	cmake --preset release && cmake --build --preset release --target all benchmarks
	$(PYTHON_VENV) tests/bench/run.py windows_capture

wheel:
	@.ci/setup test
	$(PYTHON_VENV) -m pip wheel --no-deps --no-build-isolation -w dist .

clean:
	rm -rf build dist .venv
