# nearfar: `make demo` shows it at work, `make test` checks it. Both bring what they need.
.PHONY: demo test build install bench soak asan tsan train format clean help
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

build:
	@tools/setup.sh build
	@[ -f build/build.ninja ] || { echo "make: configuring" >&2; \
	  cmake --preset release > build.log 2>&1 && rm build.log || { cat build.log >&2; exit 1; }; }
	@echo "make: building (the count below tells how far)" >&2
	@cmake --build build -j $(JOBS)

demo:
	@tools/setup.sh build
	@[ -f build/build.ninja ] || cmake --preset release
	@cmake --build build -j $(JOBS) --target nearfar
	@examples/demo.sh

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory build
	@echo "make: testing" >&2
	@ctest --test-dir build --output-on-failure -j $(JOBS) -LE 'slow'

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
	@training/train_tiny_pair.sh

format:
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-asan build-tsan
