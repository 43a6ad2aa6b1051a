# The tests: a section a directory of tests/, as tests/README.md lists them.

UNIT_SOURCES := $(wildcard tests/unit/*.c)
E2E_SOURCES := $(wildcard tests/e2e/*.c)
PROGRAMS := $(patsubst tests/e2e/programs/%.c,$(B)/programs/%,$(wildcard tests/e2e/programs/*.c))
TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(B)/unit/%)
RACES := $(patsubst tests/race/%.c,$(B)/race/%,$(filter-out %/helper.c,$(wildcard tests/race/*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/launched.c,$(wildcard tests/fuzz/*.c)))

.PHONY: abi unit e2e launcher entrypoint chroma sanitize sanitize-e2e race race-programs fuzz fuzz-short fuzz-programs
.PHONY: valgrind valgrind-short torture torture-short torture-race bench bench-guard lint format

abi: $(B)/libsettle.so
	$(Q)CC="$(CC)" sh tests/abi/check $<

$(B)/unit/%: tests/unit/%.c $(MODULE_ARCHIVES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $< $(MODULE_ARCHIVES) $(LDFLAGS) -lcriterion -lpthread -ldl

$(B)/e2e-tests: $(E2E_SOURCES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $(E2E_SOURCES) $(LDFLAGS) -lcriterion

$(B)/portable-tests: tests/portable/roots.c tests/e2e/e2e.c
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/e2e $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcriterion

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

$(B)/programs/%: tests/e2e/programs/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $< $(LDFLAGS) -Wl,--as-needed -lpthread -lsqlite3

$(B)/programs/namesake: tests/e2e/programs/namesake.c $(B)/libraries/namesake.so
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/../libraries'

$(B)/programs/scopes-linked: tests/e2e/programs/scopes.c $(B)/libraries/scope-2.so
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $< $(LDFLAGS) -Wl,--no-as-needed $(B)/libraries/scope-2.so -Wl,-rpath,'$$ORIGIN/../libraries'

# Without a dynamic linker, and with the other libc.
FOREIGN := $(patsubst %,$(B)/programs/%,plain-static plain-musl plain-musl-static modules-musl)
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

# The API is tested as it is installed.
INSTALLED := $(abspath $(B))/installed
$(INSTALLED)/lib/libsettle.so: $(B)/libsettle.so $(B)/settle-wait shim/settle.h shim/preload/link/settle.pc.in Makefile
	$(say) COPY $(INSTALLED)
	$(Q)$(again) install PREFIX=$(INSTALLED) > $(B)/install.log
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
	@rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cd $(@D) && { apt-get download -qq -o APT::Sandbox::User=root $(docker_source) 2>/dev/null || \
		{ apt-get update -qq && apt-get download -qq -o APT::Sandbox::User=root $(docker_source); }; }
	$(Q)dpkg-deb --fsys-tarfile $(@D)/$(docker_source)*.deb \
		| tar -x -C $(@D) --strip-components=10 --wildcards '*/docker/docker/profiles/seccomp/default.json'

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

$(B)/programs/fortified: override CFLAGS += -O2 -Wp,-D_FORTIFY_SOURCE=2

unit:
	$(Q)$(make_all) $(TESTS)
	$(Q)for test in $(TESTS); do $$test --jobs 2 || exit 1; done

.PHONY: e2e-programs
e2e-programs: all $(PROGRAMS) $(B)/programs/scopes-linked $(FOREIGN) $(LIBRARIES) $(B)/docker/default.json $(B)/api/linked $(B)/api/header $(B)/e2e-tests
	@:

e2e: e2e-programs
	$(Q)$(B)/e2e-tests --jobs 2

launcher: all
	$(Q)sh tests/e2e/launcher.sh

entrypoint: all static $(B)/programs/holder
	$(Q)BUILD=$(B) sh tests/e2e/entrypoint.sh
	$(Q)BUILD=$(B) sh tests/e2e/inject.sh

chroma: all
	$(Q)sh tests/e2e/chroma/run

# How many shutdowns of a ChromaDB in WAL mode leave its main file as the whole store: 4 s each, in two ways.
RUNS ?= 40
.PHONY: chroma-wal
chroma-wal:
	$(Q)sh scripts/setup check
	$(Q)$(again) all
	$(Q)sh tests/e2e/chroma/run $(RUNS)

# Real chromadb in Python programs; the table in tests/README.md. UPDATE=1 writes it there; VERSIONS: of those
# that tests/chroma has a list of; ROUNDS of each way to close.
.PHONY: chroma-python chroma-python-short
chroma-python chroma-python-short:
	$(Q)sh scripts/setup chroma-python
	$(Q)$(again) all
	$(Q)/usr/bin/python3 tests/chroma/run tests/README.md --rounds $(CHROMA_ROUNDS) $(if $(UPDATE),--update) $(VERSIONS)
chroma-python: CHROMA_ROUNDS := $(RUNS)
chroma-python-short: CHROMA_ROUNDS := 6
chroma-python-short: VERSIONS ?= 1.3.3 1.5.9

# As root, with a network: the same library under the libcs of other Debian releases.
.PHONY: portable
portable:
	$(Q)sh scripts/setup check portable
	$(Q)$(again) all $(B)/programs/holder $(B)/e2e-tests $(B)/portable-tests
	$(Q)BUILD=$(B) sh tests/portable/run libcs

# As root, with a network: built on the releases of Debian, by their compilers, with the flags that people give.
.PHONY: builds builds-short
builds: BUILDS := all
builds-short: BUILDS := short
builds builds-short:
	$(Q)sh scripts/setup builds
	$(Q)BUILD=$(B) sh tests/builds/run $(BUILDS)

# As root, with a network: in containers of other Debian releases, and of busybox and musl.
.PHONY: containers container-programs
container-programs: all static $(B)/docker/default.json $(addprefix $(B)/containers/, facts stopped) \
	$(addprefix $(B)/programs/, holder holder-musl-static plain-musl) $(B)/container-tests
	@:
containers:
	$(Q)sh scripts/setup check containers
	$(Q)$(again) container-programs
	$(Q)BUILD=$(B) sh tests/containers/run

# The same for aarch64, with Debian's cross compiler and qemu.
.PHONY: cross
cross:
	$(Q)sh scripts/setup check cross
	$(Q)$(again) B=$(B)/aarch64 CC=aarch64-linux-gnu-gcc all abi
	$(Q)$(again) $(B)/programs/holder $(B)/e2e-tests
	$(Q)BUILD=$(B) sh tests/portable/run aarch64

TORTURE_SECONDS ?= 600
torture: all $(TORTURE)
	$(Q)/usr/bin/python3 tests/torture/run --seconds $(TORTURE_SECONDS) $(if $(SEED),--seed $(SEED))

torture-short: all $(TORTURE)
	$(Q)/usr/bin/python3 tests/torture/run --seconds 30 $(if $(SEED),--seed $(SEED))
	$(Q)/usr/bin/python3 tests/torture/run --seconds 5 --library naive --must-harm

torture-race: all $(B)/torture/race
	$(Q)sh tests/torture/races

# Who sees which holder, by settle and by other tools: the table in tests/README.md, as root. UPDATE=1 writes it there.
.PHONY: matrix
matrix:
	$(Q)sh scripts/setup matrix
	$(Q)$(again) all $(B)/programs/holder
	$(Q)BUILD=$(B) /usr/bin/python3 tests/matrix/network
	$(Q)BUILD=$(B) /usr/bin/python3 tests/matrix/run tests/README.md $(if $(UPDATE),--update)

# The page of settle-report in a browser; pictures of it are left in $(B)/page.
.PHONY: page
page:
	$(Q)sh scripts/setup page
	$(Q)/usr/bin/python3 tests/page/run $(B)/page

# What is installed and packed; the package is installed in a root of its own, as root.
package:
	$(Q)sh scripts/setup build package
	$(Q)$(again) all $(B)/programs/holder
	$(Q)BUILD=$(B) sh tests/package/run

# A thread that ThreadSanitizer knows stands in for the helper, and no program here is preloaded.
RACE_ARCHIVES := $(call archives,obj,track) $(B)/race/helper.a $(WAIT_ARCHIVES)
$(B)/race/helper.a: $(filter-out %/helper.o,$(call objects,obj,helper))
	$(say) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(B)/race/%: tests/race/%.c tests/race/helper.c tests/race/race.h $(B)/obj/preload.a $(RACE_ARCHIVES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $< tests/race/helper.c $(addprefix $(B)/obj/preload/, real.o sqlite.o sqlite_lookup.o) $(RACE_ARCHIVES) \
		$(LDFLAGS) -lpthread -ldl

# ThreadSanitizer of these compilers knows no address spaces as random as newer kernels make them.
race-programs:
	$(Q)$(make_all) $(RACES)
	$(Q)fixed=; setarch -R true 2>/dev/null && fixed='setarch -R'; \
		for program in $(RACES); do $$fixed $$program || exit 1; done

race:
	$(Q)TSAN_OPTIONS=halt_on_error=1 $(again) B=$(B)/race \
		CFLAGS="-O1 -g -fsanitize=thread" LDFLAGS=-fsanitize=thread race-programs

$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(MODULE_ARCHIVES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fsanitize=fuzzer -o $@ $< $(MODULE_ARCHIVES) $(LDFLAGS)

$(B)/launched: tests/fuzz/launched.c $(B)/obj/commands.a $(WAIT_ARCHIVES)
	$(say) TEST $@
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -ldl

# Inputs for each target, and for the launcher, which is a thousand times slower.
FUZZ_RUNS ?= 150000
LAUNCHER_RUNS ?= 3000
FUZZ_SECONDS ?= 0
fuzz: all $(B)/launched
	$(Q)sh scripts/setup fuzz
	$(Q)$(again) B=$(B)/fuzz CC=clang \
		CFLAGS="-O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link" LDFLAGS="$(SANITIZE)" fuzz-programs
	$(Q)/usr/bin/python3 tests/fuzz/launcher.py $(B)/launched $(LAUNCHER_RUNS)

fuzz-programs:
	$(Q)$(make_all) $(FUZZERS)
	$(Q)/usr/bin/python3 tests/fuzz/run.py $(FUZZ_RUNS) $(FUZZ_SECONDS) $(FUZZERS)

fuzz-short:
	$(Q)$(again) FUZZ_SECONDS=1 LAUNCHER_RUNS=300 fuzz

VALGRIND_PROGRAMS := all $(B)/programs/holder $(B)/programs/stepper $(B)/programs/threads
valgrind: $(VALGRIND_PROGRAMS) $(TESTS)
	$(Q)sh scripts/setup check
	$(Q)/usr/bin/python3 tests/valgrind/run.py $(TESTS)

# Without the unit tests, which take minutes.
valgrind-short: $(VALGRIND_PROGRAMS)
	$(Q)/usr/bin/python3 tests/valgrind/run.py

# Other people's tests, with and without the library: tests/suites/run says how they are compared.
.PHONY: suites suites-short
suites: SUITES :=
suites-short: SUITES := --short
suites suites-short:
	$(Q)sh scripts/setup suites
	$(Q)$(again) all
	$(Q)/usr/bin/python3 tests/suites/test_harness.py
	$(Q)/usr/bin/python3 tests/suites/run $(SUITES)

# The modules have no heap, so a leak can only be a test's own.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize:
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(again) B=$(B)/sanitize \
		CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" unit race-programs

# The end-to-end tests with the commands under the same sanitizers, and the library trapping undefined
# behaviour, which needs nothing of the programs it is loaded into. In a tree of links, since the
# tests name what they run by its place.
TRAP := -fsanitize=undefined -fsanitize-undefined-trap-on-error
TREE := $(CURDIR)/$(B)/sanitized
sanitize-e2e:
	@mkdir -p $(TREE)
	$(Q)ln -sfn $(CURDIR)/Makefile $(CURDIR)/shim $(CURDIR)/tests $(CURDIR)/scripts $(TREE)
	$(Q)$(again) -C $(TREE) B=build \
		CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" \
		build/settle-wait build/settle-run build/settle-check
	$(Q)ASAN_OPTIONS=detect_leaks=0 SETTLE_LIBRARY=$(TREE)/build/libsettle.so \
		$(again) -C $(TREE) B=build CFLAGS="-O1 -g $(TRAP)" e2e

# The set-up runs first, and once; the rest is a make of its own so that it sees what was installed.
check:
	$(Q)sh scripts/setup check
	$(Q)$(again) all
	$(Q)$(again) abi
	$(Q)$(again) unit
	$(Q)$(again) sanitize
	$(Q)$(again) race
	$(Q)$(again) fuzz-short
	$(Q)$(again) valgrind-short
	$(Q)$(again) e2e
	$(Q)$(again) sanitize-e2e
	$(Q)$(again) launcher
	$(Q)$(again) entrypoint
	$(Q)$(again) chroma
	$(Q)$(again) torture-short
	$(Q)$(again) suites-short
	$(Q)$(again) bench-guard

# Measuring programs; of several sources: the duel and its parties.
BENCH := $(patsubst %,$(B)/bench/%,calls starts stores floor duel waiter levels empty.so)

$(B)/bench/duel: tests/bench/hold.c
$(B)/bench/waiter: tests/bench/peers/polling.c
$(B)/bench/floor $(B)/bench/levels: $(MODULE_ARCHIVES)
$(B)/bench/%: tests/bench/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -o $@ $^ $(LDFLAGS) -Wl,--as-needed -lpthread -lsqlite3 -ldl

$(B)/bench/empty.so: tests/bench/empty.c
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -shared -o $@ $< $(LDFLAGS)

# All that we promise of speed, beside what else people use; tests/bench/run --help names the sections.
bench:
	$(Q)sh scripts/setup bench
	$(Q)$(again) all $(BENCH)
	$(Q)/usr/bin/python3 tests/bench/run $(SECTIONS)

# Fails where something became slower than tests/bench/limits allows.
bench-guard: all $(BENCH)
	$(Q)/usr/bin/python3 tests/bench/run --guard

# --- lint ---

lint:
	$(Q)sh scripts/setup lint check
	$(Q)$(again) B=$(B)/clang CC=clang $(addprefix $(B)/clang/, libsettle.so settle-wait settle-run settle-check)
	$(Q)BUILD=$(B) sh tests/lint/run

format:
	$(Q)sh tests/lint/run --format
