# SPDX-License-Identifier: MIT
# Each target sets up all it needs: system packages, .venv, the native build.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON_VENV := .venv/bin/python
CPP := $(shell git ls-files 'cpp/*.[ch]pp' 'tests/*.[ch]pp')
CMAKE := $(shell git ls-files '*CMakeLists.txt')
SANITIZERS ?= asan tsan

.PHONY: demo test test-cpp test-sanitizers test-wheel test-python check format bench wheel clean

demo: ## The main job on real programs, with nothing to configure
	@.ci/setup demo
	@.venv/bin/pypac-obs demo

test: test-cpp test-sanitizers test-wheel test-python ## The whole test suite

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

# The wheel works in an environment that has nothing but what it asks for.
test-wheel:
	@.ci/setup test
	rm -rf build/wheel
	$(PYTHON_VENV) -m pip wheel --quiet --no-deps -w build/wheel .
	$(PYTHON_VENV) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet build/wheel/*.whl
	cd build/wheel && venv/bin/pypac-obs --version && venv/bin/pypac-obs schema > /dev/null
	cd build/wheel && venv/bin/python -c 'import pypac_obs; print(*pypac_obs.capabilities().values(), sep="\n")'

test-python: test-cpp
	@.ci/setup test
	$(PYTHON_VENV) -m pytest

check: ## Formatting, types, lints, spelling
	@.ci/setup check
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/clang-format --dry-run --Werror $(CPP)
	.venv/bin/gersemi --check $(CMAKE)
	.venv/bin/codespell $$(git ls-files ':!configs/broken')
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

wheel:
	@.ci/setup test
	$(PYTHON_VENV) -m pip wheel --no-deps -w dist .

clean:
	rm -rf build dist .venv
