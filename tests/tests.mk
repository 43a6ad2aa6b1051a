# The tests: a section a directory of tests/, as tests/README.md lists them. What a target needs is installed
# first (scripts/setup), and the rest is a make of its own, so that it sees what was installed.

setup = $(Q)sh scripts/setup
python := /usr/bin/python3
# Programs sleep more than they work.
E2E_JOBS ?= 8

# --- ci: lanes; make check, in the Makefile, is a part of them ---

.PHONY: ci programs

ci: ## what decides whether a change lands: check, lint, and the tests with roots; as root, with a network
	$(setup)
	$(Q)$(python) tests/lanes ci $(if $(UPDATE),--update tests/README.md)

# What several lanes need, and so none of them builds.
programs: e2e-programs container-programs torture-programs $(B)/portable-tests
	@:

# Compiled and linked in two steps, so that a cache of objects serves them.
$(B)/tests/%.o: tests/%.c | $(B)/compiler
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

# --- unit ---

.PHONY: unit
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*.c))

$(B)/unit/%: $(B)/tests/unit/%.o $(MODULE_ARCHIVES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(link) -lcriterion -lpthread -ldl

unit: ## the modules
	$(setup) check
	$(Q)$(MAKE) $(jobs) $(TESTS)
	$(Q)for test in $(TESTS); do $$test --jobs 2 || exit 1; done

# --- abi ---

.PHONY: abi
abi: $(B)/libsettle.so ## what the library exports and needs, against lists
	$(Q)CC="$(CC)" sh tests/abi/check $<

# --- e2e: unmodified programs under the library ---

.PHONY: e2e e2e-programs launcher entrypoint chroma chroma-wal
E2E_SOURCES := $(wildcard tests/e2e/*.c)
PROGRAMS := $(patsubst tests/e2e/programs/%.c,$(B)/programs/%,$(wildcard tests/e2e/programs/*.c))

$(B)/e2e-tests: $(E2E_SOURCES:%.c=$(B)/%.o)
	$(say) TEST $@
	$(link) -lcriterion

$(B)/programs/%: $(B)/tests/e2e/programs/%.o
	$(say) LINK $@
	@mkdir -p $(@D)
	$(link) -Wl,--as-needed -lpthread -lsqlite3

$(B)/programs/namesake: tests/e2e/programs/namesake.c $(B)/libraries/namesake.so
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/../libraries'

$(B)/programs/scopes-linked: tests/e2e/programs/scopes.c $(B)/libraries/scope-2.so
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $< $(LDFLAGS) -Wl,--no-as-needed $(B)/libraries/scope-2.so -Wl,-rpath,'$$ORIGIN/../libraries'

# Without a dynamic linker, and with the other libc.
FOREIGN := $(patsubst %,$(B)/programs/%,keeper-musl plain-static plain-musl plain-musl-static modules-musl \
	stepper-static signals-static supervised-static supervised-musl-static)
$(B)/programs/%-static: tests/e2e/programs/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -static -o $@ $< $(LDFLAGS) -lpthread

$(B)/programs/%-musl: tests/e2e/programs/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS)

$(B)/programs/%-musl-static: tests/e2e/programs/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CPPFLAGS) $(CFLAGS) -static -o $@ $< $(LDFLAGS)

# Libraries that the programs load. A row: the name, the source, the flags and libraries that it is built
# with, and the compiler where it is another one.
define library
LIBRARIES += $(B)/libraries/$(1).so
$(B)/libraries/$(1).so: tests/e2e/libraries/$(2).c $(filter $(B)/%,$(3))
	$$(say) LINK $$@
	@mkdir -p $$(@D)
	$$(Q)$(or $(4),$$(CC)) $$(CPPFLAGS) $$(CFLAGS) -O2 -fPIC -shared -o $$@ $$< $$(LDFLAGS) \
		-Wl,-soname,$$(@F),-rpath,'$$$$ORIGIN' $(3)
endef
comma := ,
libraries := $(B)/libraries
tail := -foptimize-sibling-calls
no_tail := -fno-optimize-sibling-calls
sqlite_header := -idirafter /usr/include
$(eval $(call library,counter,counter))
$(eval $(call library,numbers,numbers))
$(eval $(call library,early,early,-lsqlite3))
$(eval $(call library,early-first,early,-lsqlite3 -Wl$(comma)-z$(comma)initfirst))
$(eval $(call library,namesake,namesake))
$(eval $(call library,past-closes,past,-ldl))
$(eval $(call library,past-opens,past,-DOPENS -ldl))
$(eval $(call library,slow,slow,-ldl))
$(eval $(call library,paused-copy,paused_copy))
$(eval $(call library,picky,picky))
$(eval $(call library,picky-copy,picky))
$(eval $(call library,connection,connection,$(no_tail) -lsqlite3))
$(eval $(call library,connection-tail,connection,$(tail) -lsqlite3))
$(eval $(call library,connection-copy,connection,$(no_tail) $(libraries)/libcopy.so))
$(eval $(call library,connection-copy-tail,connection,$(tail) $(libraries)/libcopy.so))
$(eval $(call library,connection-picky,connection,$(no_tail) $(libraries)/picky-copy.so))

$(eval $(call library,picky-musl,picky,$(sqlite_header),$(MUSL_CC)))
$(eval $(call library,connection-musl,connection,$(sqlite_header) $(no_tail) $(libraries)/picky-musl.so,$(MUSL_CC)))

# Copies of a stand-in for SQLite that tell which they are, and modules that are bound to them in every
# way: to one, to one of their own, to none, to that of whoever needs them, or by a table.
now := -Wl$(comma)-z$(comma)now
lazy := -Wl$(comma)-z$(comma)lazy
needs := -Wl$(comma)--no-as-needed
$(eval $(call library,scope-1,scope_sqlite,-DID=1))
$(eval $(call library,scope-2,scope_sqlite,-DID=2))
$(eval $(call library,scope-own-now,scope_sqlite,-DID=3 -DMODULE $(now)))
$(eval $(call library,scope-own-lazy,scope_sqlite,-DID=4 -DMODULE $(lazy)))
$(eval $(call library,scope-one-now,scope_module,$(now) $(libraries)/scope-1.so))
$(eval $(call library,scope-one-lazy,scope_module,$(lazy) $(libraries)/scope-1.so))
$(eval $(call library,scope-two-now,scope_module,$(now) $(libraries)/scope-2.so))
$(eval $(call library,scope-two-lazy,scope_module,$(lazy) $(libraries)/scope-2.so))
$(eval $(call library,scope-none,scope_module,$(lazy)))
$(eval $(call library,scope-root-1,scope_root,$(needs) $(libraries)/scope-none.so $(libraries)/scope-1.so))
$(eval $(call library,scope-root-2,scope_root,$(needs) $(libraries)/scope-2.so $(libraries)/scope-none.so))
$(eval $(call library,scope-extension,scope_module,-DEXTENSION))

# A second SQLite, for a process that has two.
$(B)/libraries/libcopy.so: Makefile
	$(say) COPY $@
	@mkdir -p $(@D)
	$(Q)cp "$$($(CC) -print-file-name=libsqlite3.so)" $@ && chmod u+w $@
	$(Q)patchelf --set-soname libcopy.so $@

# The API is tested as it is installed, by a make of its own, which must find all made: this one may be making it.
INSTALLED := $(abspath $(B))/installed
$(INSTALLED)/lib/libsettle.so: $(addprefix $(B)/, libsettle.so settle-wait settle-run settle-check settle-supervise) shim/settle.h shim/preload/link/settle.pc.in Makefile
	$(say) COPY $(INSTALLED)
	$(Q)$(MAKE) install PREFIX=$(INSTALLED) > $(B)/install.log
	$(Q)touch $@

LINK_API = $$(PKG_CONFIG_PATH=$(INSTALLED)/lib/pkgconfig pkg-config --cflags --libs settle) \
	-Wl,-rpath,$(INSTALLED)/lib

$(B)/api/linked: tests/e2e/api/linked.c $(INSTALLED)/lib/libsettle.so
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE $(CFLAGS) -o $@ $< $(LDFLAGS) $(LINK_API) -lpthread

$(B)/api/header: tests/e2e/api/header.cc $(INSTALLED)/lib/libsettle.so
	$(say) CXX $@
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++98 -pedantic -Wall -Wextra -Werror -o $@ $< $(LINK_API)

# Docker's own seccomp profile, which is no part of a binary package of Debian.
docker_source := golang-github-docker-docker-dev
$(B)/docker/default.json:
	$(say) FETCH $@
	@mkdir -p $(@D)
	$(Q)cd "$$(tests/cache docker)" && ls $(docker_source)*.deb > /dev/null 2>&1 \
		|| { apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root $(docker_source); }
	$(Q)dpkg-deb --fsys-tarfile "$$(tests/cache docker)"/$(docker_source)*.deb \
		| tar -x -C $(@D) --strip-components=10 --wildcards '*/docker/docker/profiles/seccomp/default.json'

$(B)/programs/fortified: override CFLAGS += -O2 -Wp,-D_FORTIFY_SOURCE=2

e2e-programs: all $(PROGRAMS) $(B)/programs/scopes-linked $(FOREIGN) $(LIBRARIES) $(B)/torture/race $(B)/docker/default.json $(B)/api/linked $(B)/api/header $(B)/e2e-tests
	@:

e2e: ## programs under the library, end to end
	$(setup) check
	$(Q)$(MAKE) $(jobs) e2e-programs
	$(Q)$(B)/e2e-tests --jobs $(E2E_JOBS)

launcher: all ## the launcher, in every shell
	$(Q)sh tests/e2e/launcher.sh

entrypoint: all static $(B)/programs/holder ## settle-entrypoint and settle-inject
	$(Q)BUILD=$(B) sh tests/e2e/entrypoint.sh
	$(Q)BUILD=$(B) sh tests/e2e/inject.sh

chroma: ## a real Chroma server
	$(setup) check
	$(Q)$(MAKE) all
	$(Q)sh tests/e2e/chroma/run

RUNS ?= 40
chroma-wal: ## how many shutdowns (RUNS=) of a ChromaDB in WAL mode leave its main file as the whole store
	$(setup) check
	$(Q)$(MAKE) all
	$(Q)sh tests/e2e/chroma/run $(RUNS)

# --- chroma: real chromadb in Python programs ---

# UPDATE=1 writes the table in tests/README.md; VERSIONS: of those that tests/chroma has a list of; ROUNDS of each
# way to close.
.PHONY: chroma-python chroma-python-short
chroma-python: ## chromadb 0.4 to 1.5 in Python programs, each way to close, copies counted
chroma-python: CHROMA_ROUNDS := $(RUNS)
chroma-python-short: ## ... two of them, fewer rounds
chroma-python-short: CHROMA_ROUNDS := 6
chroma-python-short: VERSIONS ?= 1.3.3 1.5.9
chroma-python chroma-python-short:
	$(setup) chroma-python
	$(Q)$(MAKE) all
	$(Q)$(python) tests/chroma/run tests/README.md --rounds $(CHROMA_ROUNDS) $(if $(UPDATE),--update) $(VERSIONS)

# Copies of a store that the program's own threads go on writing to, without and with settle by turns: half an hour.
.PHONY: chroma-python-live
chroma-python-live: ## ... copies of a live store, no worse than without
	$(setup) chroma-python
	$(Q)$(MAKE) all
	$(Q)$(python) tests/chroma/live tests/README.md --copies $(COPIES) $(if $(UPDATE),--update) $(VERSIONS)
COPIES ?= 200

# --- engines: bindings of SQLite in each language, told apart from what their programs do ---

# UPDATE=1 writes the table in tests/README.md; ENGINES: some of its rows.
.PHONY: engines
engines: ## engines as people install them, in each language: their closes wait, and the program's own readers do not
	$(setup) engines
	$(Q)$(MAKE) all
	$(Q)$(python) tests/engines/run tests/README.md $(if $(UPDATE),--update) $(ENGINES)

# By settle-wait --copy, of stores that programs go on writing to: half an hour.
.PHONY: copy-live copy-live-short
copy-live: ## 200 copies (COPIES=) by settle-wait --copy of each live ChromaDB: all are whole
copy-live: COPIES_EACH = $(COPIES)
copy-live-short: ## ... three of one
copy-live-short: COPIES_EACH = 3
copy-live-short: VERSIONS ?= 1.3.3
copy-live copy-live-short:
	$(setup) chroma-python
	$(Q)$(MAKE) all
	$(Q)$(python) tests/chroma/copies tests/README.md --copies $(COPIES_EACH) $(if $(UPDATE),--update) $(VERSIONS)

# --- stores: other embedded stores, by their real libraries ---

.PHONY: stores stores-short
STORES ?=
stores: ## DuckDB, LevelDB, RocksDB, LMDB, HDF5, Kuzu, Qdrant, H2 by their real libraries (STORES="duckdb lmdb": some of them)
stores: STORES_HERE = $(STORES)
stores-short: ## ... three of them, one of each kind
stores-short: STORES_HERE = leveldb duckdb hdf5
stores stores-short:
	$(setup) chroma-python $(if $(filter h2,$(or $(STORES_HERE),h2)),stores)
	$(Q)$(MAKE) all $(B)/libraries/paused-copy.so
	$(Q)BUILD=$(B) $(python) tests/stores/run $(STORES_HERE)

# --- supervise: programs that no preloaded library reaches ---

.PHONY: supervise
SUPERVISED ?=
supervise: ## settle --supervise with static programs in C, Go and Rust for musl (SUPERVISED="bbolt rust": some of them)
	$(setup) supervise
	$(Q)$(MAKE) all
	$(Q)$(python) tests/supervise/run tests/README.md $(if $(UPDATE),--update) $(SUPERVISED)

.PHONY: supervise-machines machine-programs
# The end-to-end tests of it, linked statically, with a stand-in for Criterion.
MACHINE_SOURCES := tests/supervise/machine/runner.c tests/e2e/e2e.c tests/e2e/host.c $(wildcard tests/e2e/supervise*.c)
$(B)/machine/runner: $(MACHINE_SOURCES) $(wildcard tests/supervise/machine/criterion/*.h)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -static -Itests/supervise/machine -o $@ $(filter %.c,$^) $(LDFLAGS)

machine-programs: static $(B)/machine/runner $(patsubst %,$(B)/programs/%-static, holder filtered stepper signals supervised)
	@:

MACHINES ?= amd64 arm64
supervise-machines: ## settle --supervise with Debian's kernel, which has Yama, and on aarch64; minutes
	$(setup) machines
	$(Q)$(MAKE) all
	$(Q)BUILD=$(B) sh tests/supervise/machine/run $(MACHINES)

# --- machine: on kernels of Debian's, by qemu ---

# What `make cells`, `make bench` and `make e2e` ask, where there are Btrfs, 100,000 descriptors, and other kernels than
# this one: of the releases in KERNELS, with the files on each of ON.
.PHONY: cells-machine bench-machine e2e-machine
MACHINE := BUILD=$(B) sh tests/machine/run
KERNELS ?= bookworm
ON ?= btrfs

cells-machine: ## the cells on a machine whose kernel has Btrfs, by each kind of close; who holds a store in a subvolume
	$(setup) check machines
	$(Q)$(MAKE) all $(B)/programs/holder
	$(Q)$(MACHINE) $(python) tests/cells/subvolumes
	$(Q)for on in $(ON); do $(MACHINE) --tmp $$on $(python) tests/cells/run --here || exit 1; done

bench-machine: ## how the last close scales, on a machine that allows 100,000 descriptors
	$(setup) check machines
	$(Q)$(MAKE) all $(BENCH)
	$(Q)NO_SKIP=1 $(MACHINE) sh -c '$(python) tests/bench/run --strict --output build/machine/out/scale.json scale && \
		cp $(B)/bench/scale.svg build/machine/out/'

E2E_FILTER ?= */*
e2e-machine: ## the end-to-end tests on machines (KERNELS=, ON=, E2E_FILTER=): hours
	$(setup) check machines
	$(Q)$(MAKE) $(jobs) e2e-programs
	$(Q)for kernel in $(KERNELS); do for on in $(ON); do $(MACHINE) --seconds 9000 --kernel $$kernel --tmp $$on \
		$(B)/e2e-tests --jobs 4 --filter '$(E2E_FILTER)' || exit 1; done; done

# --- race: what threads share, under ThreadSanitizer ---

.PHONY: race race-programs
RACES := $(patsubst tests/race/%.c,$(B)/race/%,$(filter-out %/helper.c %/scratch.c,$(wildcard tests/race/*.c)))

# A thread that ThreadSanitizer knows stands in for the helper, and no program here is preloaded.
RACE_ARCHIVES := $(call archives,obj,track) $(B)/race/helper.a $(WAIT_ARCHIVES)
$(B)/race/helper.a: $(filter-out %/helper.o,$(call objects,obj,helper))
	$(say) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
RACE_OBJECTS := $(B)/tests/race/helper.o $(B)/tests/race/scratch.o $(addprefix $(B)/obj/preload/, raw.o real.o sqlite.o sqlite_lookup.o)
$(B)/race/%: $(B)/tests/race/%.o $(RACE_OBJECTS) $(RACE_ARCHIVES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(link) -lpthread -ldl

# ThreadSanitizer of these compilers knows no address spaces as random as newer kernels make them.
race-programs:
	$(Q)$(MAKE) $(jobs) $(RACES)
	$(Q)fixed=; setarch -R true 2>/dev/null && fixed='setarch -R'; \
		for program in $(RACES); do $$fixed $$program || exit 1; done

race: ## what threads share, under ThreadSanitizer
	$(Q)TSAN_OPTIONS=halt_on_error=1 $(MAKE) B=$(B)/race \
		CFLAGS="-O1 -g -fsanitize=thread" LDFLAGS=-fsanitize=thread race-programs

# --- sanitizers: other tests, once more under AddressSanitizer and UBSan ---

.PHONY: sanitize sanitize-e2e
# The modules have no heap, so a leak can only be a test's own.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize: ## unit and race, under AddressSanitizer and UBSan
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(MAKE) B=$(B)/sanitize \
		CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" unit race-programs

# The end-to-end tests with the commands under the same sanitizers, and the library trapping undefined
# behaviour, which needs nothing of the programs it is loaded into; but for what libc says must not be NULL: a hook
# passes on what the program gave, and the kernel tells it. In a tree of links, since the tests name what they run by
# its place.
TRAP := -fsanitize=undefined -fno-sanitize=nonnull-attribute -fsanitize-undefined-trap-on-error
TREE := $(CURDIR)/$(B)/sanitized
sanitize-e2e: ## e2e, with commands under AddressSanitizer, and the library trapping undefined behaviour
	@mkdir -p $(TREE)
	$(Q)ln -sfn $(CURDIR)/Makefile $(CURDIR)/shim $(CURDIR)/tests $(CURDIR)/scripts $(TREE)
	$(Q)$(MAKE) -C $(TREE) B=build \
		CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" \
		build/settle-wait build/settle-run build/settle-check build/settle-supervise
	$(Q)ASAN_OPTIONS=detect_leaks=0 SETTLE_LIBRARY=$(TREE)/build/libsettle.so \
		$(MAKE) -C $(TREE) B=build CFLAGS="-O1 -g $(TRAP)" e2e

# --- fuzz ---

.PHONY: fuzz fuzz-short fuzz-programs
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/launched.c,$(wildcard tests/fuzz/*.c)))
# Inputs for each target, and for the launcher, which is a thousand times slower.
FUZZ_RUNS ?= 150000
LAUNCHER_RUNS ?= 3000
FUZZ_SECONDS ?= 0

$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(MODULE_ARCHIVES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer

$(B)/launched: tests/fuzz/launched.c $(B)/obj/commands.a $(WAIT_ARCHIVES)
	$(say) TEST $@
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -ldl

fuzz: ## libFuzzer on each parser of settings, paths and lines
	$(setup) fuzz
	$(Q)$(MAKE) all $(B)/launched
	$(Q)$(MAKE) B=$(B)/fuzz CC=clang \
		CFLAGS="-O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link" LDFLAGS="$(SANITIZE)" fuzz-programs
	$(Q)$(python) tests/fuzz/launcher.py $(B)/launched $(LAUNCHER_RUNS)

fuzz-programs:
	$(Q)$(MAKE) $(jobs) $(FUZZERS)
	$(Q)$(python) tests/fuzz/run.py $(FUZZ_RUNS) $(FUZZ_SECONDS) $(FUZZERS)

fuzz-short: ## ... for a second each
	$(Q)$(MAKE) FUZZ_SECONDS=1 LAUNCHER_RUNS=300 fuzz

# --- valgrind ---

.PHONY: valgrind valgrind-short
VALGRIND_PROGRAMS := all $(B)/programs/holder $(B)/programs/stepper $(B)/programs/threads
valgrind: ## real programs, and the unit tests, under memcheck
	$(setup) check
	$(Q)$(MAKE) $(VALGRIND_PROGRAMS) $(TESTS)
	$(Q)$(python) tests/valgrind/run.py $(TESTS)

valgrind-short: ## ... without the unit tests, which take minutes
	$(setup) check
	$(Q)$(MAKE) $(VALGRIND_PROGRAMS)
	$(Q)$(python) tests/valgrind/run.py

# --- torture ---

.PHONY: torture torture-short torture-race torture-locks torture-locks-short torture-programs
# Workers and inspector of the torture, and the library with the mistake that it must find.
TORTURE := $(B)/torture/worker $(B)/torture/inspector $(B)/torture/libnaive.so $(B)/programs/holder

$(B)/torture/worker: tests/torture/database.c
$(B)/torture/%: tests/torture/%.c tests/torture/shared.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -lpthread -lsqlite3

$(B)/torture/libnaive.so: tests/torture/naive.c $(LIBRARY_OBJECTS) $(B)/made/export.map
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -fPIC -fvisibility=hidden -Wl,-z,now \
		-Wl,--version-script=$(B)/made/export.map -o $@ $< $(filter-out %/helper/helper.o,$(LIBRARY_OBJECTS)) -ldl

$(B)/torture/libtouch.so: tests/torture/locks.c
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -o $@ $< $(LDFLAGS) -lpthread -lsqlite3

torture-programs: all $(TORTURE)
	@:

TORTURE_SECONDS ?= 600
LOCKS_SECONDS ?= 60
LOCKS_RUNS ?= 20
torture: torture-programs ## ten minutes of writers and readers on one database, some killed (TORTURE_SECONDS=, SEED=); then torture-locks
	$(Q)$(python) tests/torture/run --seconds $(TORTURE_SECONDS) $(if $(SEED),--seed $(SEED))
	$(Q)$(MAKE) torture-locks

torture-short: torture-programs ## ... for half a minute, and with a library that must be caught
	$(Q)$(python) tests/torture/run --seconds 30 $(if $(SEED),--seed $(SEED))
	$(Q)$(python) tests/torture/run --seconds 5 --library naive --must-harm

torture-locks: all $(B)/torture/locks $(B)/torture/libtouch.so ## own locks: a program that copies its own live store, for LOCKS_SECONDS, LOCKS_RUNS times
	$(Q)$(python) tests/torture/locks --seconds $(LOCKS_SECONDS) --runs $(LOCKS_RUNS)
	$(Q)$(python) tests/torture/locks --seconds $(LOCKS_SECONDS) --runs $(LOCKS_RUNS) --chroma 0.6.3 --chroma 1.5.9

torture-locks-short: all $(B)/torture/locks ## ... for some seconds, and without the library, where rows must be lost
	$(Q)$(python) tests/torture/locks --seconds 4
	$(Q)$(python) tests/torture/locks --seconds 3 --library off --must-harm

RACE_ROUNDS ?= $(or $(ROUNDS),5)
RACE_SECONDS ?= 30
torture-race: all $(B)/torture/race ## how many locks SQLite loses by its own race, alone and under the library, by turns (ROUNDS=, RACE_SECONDS=)
	$(Q)$(python) tests/torture/races --rounds $(RACE_ROUNDS) --seconds $(RACE_SECONDS)

# --- suites: other people's tests ---

.PHONY: suites suites-short
suites: ## the tests of CPython, DBD::SQLite, PHP, SQLite, APSW, sqlite-utils, py-lmdb with and without the library, case by case
suites: SUITES :=
suites-short: ## ... a part of the first four
suites-short: SUITES := --short
suites suites-short:
	$(setup) suites
	$(Q)$(MAKE) all
	$(Q)$(python) tests/suites/test_harness.py
	$(Q)$(python) tests/suites/run $(SUITES)

# --- bench ---

.PHONY: bench bench-guard
# Measuring programs; of several sources: the duel and its parties.
BENCH := $(patsubst %,$(B)/bench/%,calls starts stores database floor duel waiter levels wakes empty.so)

$(B)/bench/duel: tests/bench/hold.c
$(B)/bench/waiter: tests/bench/peers/polling.c
$(B)/bench/floor $(B)/bench/levels $(B)/bench/wakes: $(MODULE_ARCHIVES)
$(B)/bench/%: tests/bench/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -Wl,--as-needed -lpthread -lsqlite3 -ldl

$(B)/bench/empty.so: tests/bench/empty.c
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -o $@ $< $(LDFLAGS)

bench: ## all that we promise of speed, beside its peers; SECTIONS="cost overshoot" are some of it
	$(setup) bench
	$(Q)$(MAKE) all $(BENCH) $(addprefix $(B)/programs/, supervised-static filtered)
	$(Q)$(python) tests/bench/run $(SECTIONS)

bench-guard: ## instruction counts and overshoot against tests/bench/limits
	$(setup) check
	$(Q)$(MAKE) all $(BENCH)
	$(Q)$(python) tests/bench/run --guard

# --- in roots of other systems: as root, with a network ---

.PHONY: builds builds-short newcomer newcomer-demo newcomer-tests portable cross containers container-programs
builds: ## built on Debian 11 to sid, by their compilers, with the flags that people and distributions give
builds: BUILDS := all
builds-short: ## ... by each release's own compiler
builds-short: BUILDS := short
builds builds-short:
	$(setup) builds
	$(Q)BUILD=$(B) sh tests/builds/run $(BUILDS)

newcomer: ## make demo and make check in bare roots of Debian 12 and 13, where only make and git are
newcomer: NEWCOMER := all
newcomer-demo: ## ... make demo
newcomer-demo: NEWCOMER := demo
newcomer-tests: ## ... make unit and make e2e, of the other release than this machine's
newcomer-tests: NEWCOMER := tests
newcomer newcomer-demo newcomer-tests:
	$(setup) newcomer
	$(Q)BUILD=$(B) sh tests/newcomer/run $(NEWCOMER)

$(B)/portable-tests: tests/portable/roots.c tests/e2e/e2e.c
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/e2e $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcriterion

portable: ## the same library with other libcs
	$(setup) check portable
	$(Q)$(MAKE) all $(B)/programs/holder $(B)/e2e-tests $(B)/portable-tests
	$(Q)BUILD=$(B) sh tests/portable/run libcs

cross: ## the library for aarch64, by Debian's cross compiler, under qemu
	$(setup) check cross
	$(Q)$(MAKE) B=$(B)/aarch64 CC=aarch64-linux-gnu-gcc all abi
	$(Q)$(MAKE) $(B)/programs/holder $(B)/e2e-tests
	$(Q)BUILD=$(B) sh tests/portable/run aarch64

$(B)/container-tests: tests/containers/containers.c tests/e2e/e2e.c
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/e2e $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcriterion

# musl-gcc knows no headers of the kernel.
$(B)/containers/facts: MUSL_LINK := -static -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -dumpmachine 2> /dev/null)
$(B)/containers/%: tests/containers/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS) $(MUSL_LINK)

container-programs: all static $(B)/docker/default.json $(addprefix $(B)/containers/, facts stopped) \
	$(addprefix $(B)/programs/, holder holder-musl-static plain-musl) $(B)/container-tests
	@:

containers: ## the same library in containers of Debian old and new, and of musl; the recipes
	$(setup) check containers
	$(Q)$(MAKE) container-programs
	$(Q)BUILD=$(B) sh tests/containers/run

# --- cells: who holds a store, and how it is closed ---

.PHONY: cells cells-short
cells: ## each kind of holder by each kind of close, with and without threads, on each file system (as root)
	$(setup) check
	$(Q)$(MAKE) all $(B)/programs/holder
	$(Q)BUILD=$(B) $(python) tests/cells/subvolumes
	$(Q)BUILD=$(B) $(python) tests/cells/run

cells-short: ## ... by close(2), on one file system
	$(setup) check
	$(Q)$(MAKE) all
	$(Q)BUILD=$(B) $(python) tests/cells/run --short

# --- matrix, page, package: what the README shows, and what is shipped ---

.PHONY: matrix page package package-nfpm
matrix: ## the table of who sees which holder, as root (UPDATE=1 writes it); settle on a network file system
	$(setup) matrix
	$(Q)$(MAKE) all $(addprefix $(B)/programs/, holder supervised-static)
	$(Q)BUILD=$(B) $(python) tests/matrix/network
	$(Q)BUILD=$(B) $(python) tests/matrix/run tests/README.md $(if $(UPDATE),--update)

page: ## the page of settle-report in Chromium; pictures are left in build/page
	$(setup) page
	$(Q)$(python) tests/page/run $(B)/page

package: ## what is installed and packed; the package in a root of its own, as root
	$(setup) check build package
	$(Q)$(MAKE) all $(B)/programs/holder
	$(Q)BUILD=$(B) sh tests/package/run

package-nfpm: ## the .rpm and the .apk; the latter in a root of musl, as root; builds nfpm once
	$(setup) check nfpm
	$(Q)$(MAKE) all $(B)/programs/holder $(B)/programs/plain-musl
	$(Q)BUILD=$(B) sh tests/package/nfpm

# --- docs ---

.PHONY: docs
docs: ## every command block of the READMEs as it stands, in a scratch copy of this machine; as root
	$(setup) docs
	$(Q)$(python) tests/docs/run

# --- lint ---

.PHONY: lint format
lint: ## all that is written here, and a build with clang
	$(setup) lint check
	$(Q)$(MAKE) B=$(B)/clang CC=clang $(addprefix $(B)/clang/, libsettle.so settle-wait settle-run settle-check settle-supervise)
	$(Q)BUILD=$(B) MADE=$(B)/clang/made sh tests/lint/run

format: ## lays out the C files
	$(Q)sh tests/lint/run --format
