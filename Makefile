# The verbs of the project: the same on the desk and in CI. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build run test test-asan test-tsan sim fuzz bench profile lint format clean test-fresh crash bridge workers package test-package

JOBS    ?= $(shell nproc)
SEEDS   ?= 1000
SERVICE ?=
SECONDS ?= 60
ROUNDS  ?= 100
SEED    ?= 1
PEERS   ?= 0
BEFORE  ?=
VERSION ?=
DATA    ?= ./data
LISTEN  ?= 127.0.0.1:8080

configure = @test -f $(1)/build.ninja || cmake --preset $(2) -Wno-dev
compile   = cmake --build $(1) --parallel $(JOBS)
ctest     = ctest --preset $(1) --parallel $(JOBS)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup:  ## install what is missing: Debian packages (packaging/packages.txt) and the npm lock files
	@tools/setup.sh

build:  ## the program, at ./build/gantry
	$(call configure,build,release)
	@$(call compile,build)

run: setup build  ## serve on http://127.0.0.1:8080/, filled with this machine's package history (DATA=./data LISTEN=127.0.0.1:8080)
	@tools/run.sh '$(DATA)' '$(LISTEN)'

test: setup build  ## every test
	@$(call ctest,release)

test-asan: setup  ## every test under the address and undefined-behaviour sanitizers
	$(call configure,build-asan,asan)
	@$(call compile,build-asan)
	@$(call ctest,asan)

test-tsan: setup  ## every test under the thread sanitizer
	$(call configure,build-tsan,tsan)
	@$(call compile,build-tsan)
	@$(call ctest,tsan)

sim: build  ## the crash simulators over many seeds (SEEDS=1000; SERVICE=queue or pool, kernel, log: that one alone)
	@tools/each.sh build '$(SERVICE)_sim' --seeds $(SEEDS)

crash: setup build  ## real crashes: SIGKILL, failing calls, a full disk, a disk that forgets (ROUNDS=100 SEED=1; two of them need root)
	@python3 tests/crash/run.py kill faults full forget --gantry build/gantry --tools build/tests/crash --rounds $(ROUNDS) --seed $(SEED) \
	    || [ $$? = 77 ]

bridge: setup build  ## `gantry queue bridge` and a real RabbitMQ while one of them is killed (ROUNDS=100 SEED=1)
	@python3 tests/queue_bridge/queue_bridge_test.py build/gantry --rounds $(ROUNDS) --seed $(SEED) Killed || [ $$? = 77 ]

workers: build  ## real workers and producers of the queue while the server and they are killed (ROUNDS=100 SEED=1)
	@python3 tests/queue_kill/queue_kill_test.py build/gantry --rounds $(ROUNDS) --seed $(SEED)

fuzz: setup  ## the fuzz targets, each for a while (SECONDS=60)
	$(call configure,build-fuzz,fuzz)
	@$(call compile,build-fuzz) --target $$(ninja -C build-fuzz -t targets all | sed -n '/^cmake_/d; s/^\([a-z_]*_fuzz\): phony$$/\1/p')
	@tools/each.sh build-fuzz _fuzz -max_total_time=$(SECONDS) -print_final_stats=1

bench:  ## measure: a table, and build/bench.json (PEERS=1 also installs and measures the peers; BEFORE=COMMIT the price of what came since)
	@tools/setup.sh $(if $(filter 1,$(PEERS)),bench)
	@cmake --preset release -Wno-dev -DGANTRY_BENCH_PEERS=$(PEERS) >/dev/null
	@$(call compile,build)
	@python3 bench/run.py --build build $(if $(filter 1,$(PEERS)),--peers) $(if $(BEFORE),--before $(BEFORE))

profile: build  ## count anew what the program does when it works: profile/gantry.profdata, by which Release builds are optimized
	@cmake --preset release -B build-profile -DGANTRY_PROFILE=count -DBUILD_TESTING=OFF -Wno-dev >/dev/null
	@$(call compile,build-profile) --target gantry
	@python3 bench/train.py

lint: setup  ## clang-format, the structure checks, clang-tidy
	$(call configure,build,release)
	@tools/lint.sh

format:  ## rewrite the C++ files as .clang-format says
	@git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

test-fresh:  ## both commands of the README in a debootstrap chroot that has never seen the project (needs root)
	@tests/fresh/run.sh

package: setup  ## build/package/gantry_VERSION_ARCH.deb, and its symbols beside it (VERSION= what the program says)
	$(call configure,build,release)
	@$(call compile,build) --target gantry
	@packaging/deb/build.sh build build/package '$(VERSION)'

test-package: package  ## the package: its parts, and its life in a debootstrap chroot (needs root)
	@$(call compile,build) --target under_filters
	@python3 tests/package/package_test.py build || [ $$? = 77 ]
	@python3 tests/package/chroot_test.py build build/tests/package/under_filters || [ $$? = 77 ]

clean:  ## remove every build directory
	rm -rf build build-dev build-asan build-tsan build-fuzz build-profile
