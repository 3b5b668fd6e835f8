# nearfar: `make demo` shows it at work, `make test` checks it. Both bring what they need.
.PHONY: demo test build configured install bench soak asan tsan train format clean help
.DEFAULT_GOAL := help

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local

help:
	@echo "make demo     build, run small-big live against a second process, print the table"
	@echo "make test     build and run all tests"
	@echo "make build    leave the program at build/nearfar"
	@echo "make install  program, library, headers and CMake package into PREFIX ($(PREFIX))"
	@echo "make bench    build and run the benchmarks of bench/"
	@echo "make soak     the long memory run: 20,000 images through run and node"
	@echo "make asan     the unit tests under address and undefined-behaviour sanitizers"
	@echo "make tsan     the unit tests under the thread sanitizer"
	@echo "make train    train the tiny pair of models/ anew"

build: configured
	@echo "make: building (the count below tells how far)" >&2
	@cmake --build build -j $(JOBS)

# Brings the packages and configures once; later changes to CMake files are seen by the build itself.
configured:
	@tools/setup.sh build
	@[ -f build/build.ninja ] || { echo "make: configuring" >&2; mkdir -p build; \
	  cmake --preset release > build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }; }

demo: configured
	@echo "make: building the program (the count below tells how far)" >&2
	@cmake --build build -j $(JOBS) --target nearfar
	@examples/demo.sh

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build
	@echo "make: testing" >&2
	@[ -d "$${NEARFAR_ASSETS:-../shared/assets}" ] || \
	  echo "make: no bundle of real photos: the tests with the label assets are left out" >&2
	@ctest --test-dir build --output-on-failure -j $(JOBS) -LE slow

install: build
	@cmake --install build --prefix $(PREFIX)

bench: build
	@cmake --build build -j $(JOBS) --target bench
	@for program in build/bench/*_bench; do echo "== $$program"; $$program || exit 1; done

soak: build
	@bench/soak.py

asan tsan:
	@tools/setup.sh build
	@cmake --preset $@ > /dev/null
	@cmake --build build-$@ -j $(JOBS)
	@ctest --test-dir build-$@ --output-on-failure -j $(JOBS) -L unit

train:
	@tools/setup.sh train
	@$(MAKE) --no-print-directory build
	@build/nearfar scene --out build/scene --seed 2001 --split train=8000 --split val=600
	@/usr/bin/python3 training/train_tiny_pair.py train --data build/scene
	@/usr/bin/python3 training/train_tiny_pair.py export --data build/scene --models models

format:
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-asan build-tsan
