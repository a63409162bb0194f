# Makefile: bootstrap only: installs what is missing, finds premake5, generates, builds; premake5.lua is the build
#
#   make            build/bin/keymend, keymend.so (Lua module), libkeymend.so (C API)
#   make programs   these and every test program (build/tests)
#   make windows    cross-builds build/win32 and build/win64: keymend.exe, keymend.dll, lua51.dll, policies; test programs
#   make dist       build/dist: a zip and an MSI of the Windows programs for each architecture, and SHA256SUMS
#   make demo       repairs a broken Windows 2000 volume before your eyes
#   make test       all tests; ends with "N passed, N failed, N skipped"
#   make lint       format, static analysis and house rules      make format   lays the C files out
#   make fuzz       libFuzzer, FUZZ_SECONDS (30) for each target
#   make bench      speed and memory of a store of 1,000,000 files
#   make clean      removes build/
# CONFIG=release (default), debug or sanitize chooses what `make` builds; `make windows` builds release alone.

CONFIG ?= release
JOBS ?= $(shell nproc 2> /dev/null || echo 1)
FUZZ_SECONDS ?= 30
export FUZZ_SECONDS

GENERATED := build/gmake2
STAMP := $(GENERATED)/stamp

.DELETE_ON_ERROR:
.PHONY: all programs windows dist demo test bench lint format fuzz clean generate third packages-%

PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j $(JOBS))
BUILD = $(MAKE) -C $(GENERATED) $(PARALLEL) --no-print-directory config=$(CONFIG)_linux64

all: generate
	+$(BUILD) libkeymend module host

programs: packages-test generate
	+$(BUILD)

# What the shipped files are linked from outside this build (libraries, the list of exports) is in no makefile.
windows: packages-windows generate
	@JOBS=$(JOBS) .ci/windows
	@for platform in win32 win64; do \
	  for file in build/$$platform/*.exe build/$$platform/*.dll build/$$platform/tests/*.exe; do \
	    if [ build/third/stamp -nt "$$file" ] || [ build/gen/keymend.def -nt "$$file" ]; then rm -f "$$file"; fi; \
	  done; \
	done
	+$(MAKE) -C $(GENERATED) $(PARALLEL) --no-print-directory config=release_win32
	+$(MAKE) -C $(GENERATED) $(PARALLEL) --no-print-directory config=release_win64
	@for platform in win32 win64; do \
	  for folder in scripts/policies scripts/repair; do \
	    rm -rf build/$$platform/$${folder##*/}; \
	    if [ -d $$folder ]; then cp -r $$folder build/$$platform/; fi; \
	  done; \
	done

dist: packages-dist windows
	@.ci/dist

packages-%:
	@.ci/install $*

third: packages-build
	@JOBS=$(JOBS) .ci/linux

# Generation is cheap, so every build does it: new and removed sources are always seen. Changed flags make
# every object stale, a changed list of sources the archives (ar would keep the removed members).
generate: third
	@mkdir -p $(GENERATED)
	@premake=$$(.ci/premake5) && $$premake embed > build/embed.log && $$premake gmake2 > build/premake.log \
	  || { cat build/embed.log build/premake.log >&2; exit 1; }
	@if [ -e $(STAMP) ] && [ premake5.lua -nt $(STAMP) ]; then rm -rf build/obj; fi
	@if [ -n "$$(find $(GENERATED) -name '*.make' -newer $(STAMP) 2> /dev/null)" ]; then \
	  rm -f build/lib/*.a build/debug/lib/*.a build/sanitize/lib/*.a build/win*/lib/libcore.a build/win*/lib/libbinding.a; fi
	@touch $(STAMP)

demo: all
	@tests/demo/run

test: packages-build packages-test packages-windows packages-dist
	@tests/run

bench: programs
	@tests/bench/run

lint: third packages-test packages-lint
	@tests/lint/run

format: packages-lint
	@git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | xargs -0 clang-format -i

fuzz: generate packages-fuzz
	@tests/fuzz/run $(FUZZ_SECONDS)

clean:
	rm -rf --one-file-system build
