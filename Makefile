# Short names for the presets of CMakePresets.json, which are the source of truth.
PRESET ?= release

.PHONY: build test debug tsan bench format check miniwob
build:
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET)

test: build
	ctest --preset $(PRESET)

debug tsan:
	$(MAKE) test PRESET=$@

bench:
	cmake --preset release -DREIN_BENCH=ON
	cmake --build --preset release

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

check: build
	ctest --preset $(PRESET) -R '^check_'

# pages for the environment miniwob and its tests
miniwob:
	tools/fetch-miniwob
