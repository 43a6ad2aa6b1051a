# settle: make, make demo, make check, make lint, make bench, make install, make clean. V=1 shows commands.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
B := build

CC ?= cc
MUSL_CC ?= musl-gcc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla
# Fortified headers would turn our wrappers of open and openat into inline functions.
override CPPFLAGS += -D_GNU_SOURCE -U_FORTIFY_SOURCE -MMD -MP -Ishim -I$(B)
override CFLAGS += -std=gnu11 $(WARNINGS)

# What is built in great numbers is built on all processors.
PROCESSORS := $(shell nproc)
make_all = $(MAKE) --no-print-directory -j$(PROCESSORS)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-6s %s\n'
endif

# Layers, from the ground up; each calls only what stands before it.
GROUND := next clock text glob json profile settings rules descriptor filter helper append log record reader
KERNEL := holder proc holders probe watch locate
WAITING := wait namer store history budget block connection track
HOOKS := real sqlite hooks api life
MODULES := $(GROUND) $(KERNEL) $(WAITING)
ASSEMBLY := clone
WAIT_ONLY := wal checkpoint target report progress vigil
WAIT_MODULES := settle_wait $(WAIT_ONLY) next clock text glob json settings profile rules reader holder proc holders probe watch wait

LIBRARY_OBJECTS := $(patsubst %,$(B)/pic/%.o,$(MODULES) $(HOOKS) $(ASSEMBLY) search tail)
WAIT_OBJECTS := $(WAIT_MODULES:%=$(B)/obj/%.o)
UNIT_OBJECTS := $(patsubst %,$(B)/obj/%.o,$(MODULES) $(ASSEMBLY) $(WAIT_ONLY))
UNIT_SOURCES := $(wildcard tests/unit/*.c)
E2E_SOURCES := $(wildcard tests/e2e/*.c)
PROGRAMS := $(patsubst tests/e2e/programs/%.c,$(B)/programs/%,$(wildcard tests/e2e/programs/*.c))
TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(B)/unit/%)
# In the race programs a thread that ThreadSanitizer knows stands in for the helper.
RACE_OBJECTS := $(patsubst %,$(B)/obj/%.o,$(filter-out helper,$(MODULES)) real sqlite)
RACES := $(patsubst tests/race/%.c,$(B)/race/%,$(filter-out %/helper.c,$(wildcard tests/race/*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/launched.c,$(wildcard tests/fuzz/*.c)))

.SECONDARY:
.PHONY: all demo check unit e2e launcher entrypoint chroma sanitize lint format bench bench-guard install clean uninstall deb dist
.PHONY: package torture torture-short torture-race abi race race-programs fuzz fuzz-short fuzz-programs
.PHONY: valgrind valgrind-short sanitize-e2e static
all: $(B)/libsettle.so $(B)/settle-wait $(B)/settle-run $(B)/settle-check

# The library needs libc by name and without versions, so that one file serves every libc: glibc takes the
# oldest version of each symbol, and musl takes itself for it (README, Design).
STUB := $(B)/stub/libc.so.6

# gcc's functions for atomic operations ask libc for the processor's features by a name that musl lacks.
ifneq ($(filter aarch64%,$(shell $(CC) -dumpmachine)),)
PIC := -mno-outline-atomics
endif

$(B)/libsettle.so: $(LIBRARY_OBJECTS) $(B)/export.map $(STUB)
	$(say) LINK $@
	$(Q)$(CC) -shared -nostdlib $(CFLAGS) $(LDFLAGS) -Wl,-z,now -Wl,-z,defs -Wl,--hash-style=both \
		-Wl,-z,noseparate-code -Wl,--sort-section=name \
		-Wl,--version-script=$(B)/export.map -Wl,-soname,libsettle.so -o $@ $(LIBRARY_OBJECTS) $(STUB)

$(STUB): shim/stub.S shim/imports.h Makefile
	$(say) STUB $@
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -nostdlib -Ishim -Wl,-soname,$(@F) -o $@ $<

$(B)/settle-wait: $(WAIT_OBJECTS)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ldl

$(B)/settle-run: $(B)/obj/settle_run.o
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/settle-check: $(B)/obj/settle_check.o $(B)/obj/text.o
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# The programs for images of another libc: without a loader, and so without libsqlite3.
static: $(addprefix $(B)/static/, settle-wait settle-run settle-check)
$(B)/static/settle-wait: $(B)/static/checkpoint.o $(filter-out %/checkpoint.o,$(WAIT_OBJECTS))
$(B)/static/settle-run: $(B)/obj/settle_run.o
$(B)/static/settle-check: $(B)/obj/settle_check.o $(B)/obj/text.o
$(B)/static/settle-%:
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) -static $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/static/%.o: shim/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DSETTLE_STATIC $(CFLAGS) -c -o $@ $<

# The exports, and the places of two pointers that assembly reads, come from the one table of symbols.
$(B)/export.map: shim/export.map.in shim/symbols.h Makefile
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -Ishim $< -o $@

$(B)/offsets.h: shim/offsets.c shim/real.h shim/symbols.h Makefile
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -U_FORTIFY_SOURCE -Ishim -std=gnu11 -S -o - $< \
		| sed -n 's/^.*#offset \([A-Z_]*\) \([0-9]*\).*/#define \1 \2/p' > $@

$(B)/pic/tail.o: $(B)/offsets.h
$(B)/pic/search.o: PIC += -fno-builtin

$(B)/pic/%.o: shim/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -fno-plt $(PIC) -fvisibility=hidden -c -o $@ $<

$(B)/pic/%.o: shim/%.S
	$(say) AS $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -c -o $@ $<

$(B)/obj/%.o: shim/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/obj/%.o: shim/%.S
	$(say) AS $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -c -o $@ $<

# --- tests ---

abi: $(B)/libsettle.so
	$(Q)CC="$(CC)" sh tests/abi/check $<

$(B)/unit/%: tests/unit/%.c $(UNIT_OBJECTS)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(UNIT_OBJECTS) $(LDFLAGS) -lcriterion -lpthread -ldl

$(B)/e2e-tests: $(E2E_SOURCES)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(E2E_SOURCES) $(LDFLAGS) -lcriterion

$(B)/portable-tests: tests/portable/roots.c tests/e2e/e2e.c
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/e2e $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcriterion

$(B)/container-tests: tests/containers/containers.c tests/e2e/e2e.c
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/e2e $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcriterion

# musl-gcc knows no headers of the kernel.
$(B)/containers/facts: MUSL_LINK := -static -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -dumpmachine)
$(B)/containers/%: tests/containers/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS) $(MUSL_LINK)

$(B)/programs/%: tests/e2e/programs/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS) -Wl,--as-needed -lpthread -lsqlite3

$(B)/programs/namesake: tests/e2e/programs/namesake.c $(B)/libraries/namesake.so
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $^ $(LDFLAGS) -Wl,-rpath,'$$ORIGIN/../libraries'

# Without a dynamic linker, and with the other libc.
FOREIGN := $(patsubst %,$(B)/programs/%,plain-static plain-musl plain-musl-static modules-musl)
$(B)/programs/%-static: tests/e2e/programs/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -static -o $@ $< $(LDFLAGS) -lpthread

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

# A second SQLite, for a process that has two.
$(B)/libraries/libcopy.so: Makefile
	$(say) COPY $@
	@mkdir -p $(@D)
	$(Q)cp "$$($(CC) -print-file-name=libsqlite3.so)" $@ && chmod u+w $@
	$(Q)patchelf --set-soname libcopy.so $@

# The API is tested as it is installed.
INSTALLED := $(abspath $(B))/installed
$(INSTALLED)/lib/libsettle.so: $(B)/libsettle.so $(B)/settle-wait shim/settle.h shim/settle.pc.in Makefile
	$(say) COPY $(INSTALLED)
	$(Q)$(MAKE) --no-print-directory install PREFIX=$(INSTALLED) > $(B)/install.log
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
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lpthread -lsqlite3

$(B)/torture/libnaive.so: tests/torture/naive.c $(LIBRARY_OBJECTS) $(B)/export.map
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -fPIC -fvisibility=hidden -Wl,-z,now \
		-Wl,--version-script=$(B)/export.map -o $@ $< $(filter-out %/helper.o,$(LIBRARY_OBJECTS)) -ldl

$(B)/programs/fortified: override CFLAGS += -O2 -D_FORTIFY_SOURCE=2

unit:
	$(Q)$(make_all) $(TESTS)
	$(Q)for test in $(TESTS); do $$test --jobs 2 || exit 1; done

e2e: all $(PROGRAMS) $(FOREIGN) $(LIBRARIES) $(B)/docker/default.json $(B)/api/linked $(B)/api/header $(B)/e2e-tests
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
	$(Q)$(MAKE) --no-print-directory all
	$(Q)sh tests/e2e/chroma/run $(RUNS)

# As root, with a network: the same library under the libcs of other Debian releases.
.PHONY: portable
portable:
	$(Q)sh scripts/setup check portable
	$(Q)$(MAKE) --no-print-directory all $(B)/programs/holder $(B)/e2e-tests $(B)/portable-tests
	$(Q)BUILD=$(B) sh tests/portable/run libcs

# As root, with a network: in containers of other Debian releases, and of busybox and musl.
.PHONY: containers container-programs
container-programs: all static $(B)/docker/default.json $(addprefix $(B)/containers/, facts stopped) \
	$(addprefix $(B)/programs/, holder holder-musl-static plain-musl) $(B)/container-tests
	@:
containers:
	$(Q)sh scripts/setup check containers
	$(Q)$(MAKE) --no-print-directory container-programs
	$(Q)BUILD=$(B) sh tests/containers/run

# The same for aarch64, with Debian's cross compiler and qemu.
.PHONY: cross
cross:
	$(Q)sh scripts/setup check cross
	$(Q)$(MAKE) --no-print-directory B=$(B)/aarch64 CC=aarch64-linux-gnu-gcc all abi
	$(Q)$(MAKE) --no-print-directory $(B)/programs/holder $(B)/e2e-tests
	$(Q)BUILD=$(B) sh tests/portable/run aarch64

TORTURE_SECONDS ?= 600
torture: all $(TORTURE)
	$(Q)/usr/bin/python3 tests/torture/run --seconds $(TORTURE_SECONDS) $(if $(SEED),--seed $(SEED))

torture-short: all $(TORTURE)
	$(Q)/usr/bin/python3 tests/torture/run --seconds 30 $(if $(SEED),--seed $(SEED))
	$(Q)/usr/bin/python3 tests/torture/run --seconds 5 --library naive --must-harm

torture-race: all $(B)/torture/race
	$(Q)sh tests/torture/races

# Who sees which holder, by settle and by other tools: the README's table, as root. UPDATE=1 writes it there.
.PHONY: matrix
matrix:
	$(Q)sh scripts/setup matrix
	$(Q)$(MAKE) --no-print-directory all $(B)/programs/holder
	$(Q)BUILD=$(B) /usr/bin/python3 tests/matrix/network
	$(Q)BUILD=$(B) /usr/bin/python3 tests/matrix/run README.md $(if $(UPDATE),--update)

# The page of settle-report in a browser; pictures of it are left in $(B)/page.
.PHONY: page
page:
	$(Q)sh scripts/setup page
	$(Q)/usr/bin/python3 tests/page/run $(B)/page

# What is installed and packed; the package is installed in a root of its own, as root.
package:
	$(Q)sh scripts/setup build package
	$(Q)$(MAKE) --no-print-directory all $(B)/programs/holder
	$(Q)BUILD=$(B) sh tests/package/run

$(B)/race/%: tests/race/%.c tests/race/helper.c tests/race/race.h $(RACE_OBJECTS)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< tests/race/helper.c $(RACE_OBJECTS) $(LDFLAGS) -lpthread -ldl

# ThreadSanitizer of these compilers knows no address spaces as random as newer kernels make them.
race-programs:
	$(Q)$(make_all) $(RACES)
	$(Q)fixed=; setarch -R true 2>/dev/null && fixed='setarch -R'; \
		for program in $(RACES); do $$fixed $$program || exit 1; done

race:
	$(Q)TSAN_OPTIONS=halt_on_error=1 $(MAKE) --no-print-directory B=$(B)/race \
		CFLAGS="-O1 -g -fsanitize=thread" LDFLAGS=-fsanitize=thread race-programs

# An archive, of which a target takes what it does not bring itself.
$(B)/modules.a: $(UNIT_OBJECTS)
	$(say) AR $@
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(B)/modules.a
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -o $@ $< $(B)/modules.a $(LDFLAGS)

$(B)/launched: tests/fuzz/launched.c $(WAIT_OBJECTS)
	$(say) TEST $@
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(filter-out %/settle_wait.o,$(WAIT_OBJECTS)) $(LDFLAGS) -ldl

# Inputs for each target, and for the launcher, which is a thousand times slower.
FUZZ_RUNS ?= 150000
LAUNCHER_RUNS ?= 3000
FUZZ_SECONDS ?= 0
fuzz: all $(B)/launched
	$(Q)sh scripts/setup fuzz
	$(Q)$(MAKE) --no-print-directory B=$(B)/fuzz CC=clang \
		CFLAGS="-O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link" LDFLAGS="$(SANITIZE)" fuzz-programs
	$(Q)/usr/bin/python3 tests/fuzz/launcher.py $(B)/launched $(LAUNCHER_RUNS)

fuzz-programs:
	$(Q)$(make_all) $(FUZZERS)
	$(Q)/usr/bin/python3 tests/fuzz/run.py $(FUZZ_RUNS) $(FUZZ_SECONDS) $(FUZZERS)

fuzz-short:
	$(Q)$(MAKE) --no-print-directory FUZZ_SECONDS=1 LAUNCHER_RUNS=300 fuzz

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
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 tests/suites/test_harness.py
	$(Q)/usr/bin/python3 tests/suites/run $(SUITES)

# The modules have no heap, so a leak can only be a test's own.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize:
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(MAKE) --no-print-directory B=$(B)/sanitize \
		CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" unit race-programs

# The end-to-end tests with the commands under the same sanitizers, and the library trapping undefined
# behaviour, which needs nothing of the programs it is loaded into. In a tree of links, since the
# tests name what they run by its place.
TRAP := -fsanitize=undefined -fsanitize-undefined-trap-on-error
TREE := $(CURDIR)/$(B)/sanitized
sanitize-e2e:
	@mkdir -p $(TREE)
	$(Q)ln -sfn $(CURDIR)/Makefile $(CURDIR)/shim $(CURDIR)/tests $(CURDIR)/scripts $(TREE)
	$(Q)$(MAKE) --no-print-directory -C $(TREE) B=build \
		CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" \
		build/settle-wait build/settle-run build/settle-check
	$(Q)ASAN_OPTIONS=detect_leaks=0 SETTLE_LIBRARY=$(TREE)/build/libsettle.so \
		$(MAKE) --no-print-directory -C $(TREE) B=build CFLAGS="-O1 -g $(TRAP)" e2e

# The set-up runs first, and once; the rest is a make of its own so that it sees what was installed.
check:
	$(Q)sh scripts/setup check
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory abi
	$(Q)$(MAKE) --no-print-directory unit
	$(Q)$(MAKE) --no-print-directory sanitize
	$(Q)$(MAKE) --no-print-directory race
	$(Q)$(MAKE) --no-print-directory fuzz-short
	$(Q)$(MAKE) --no-print-directory valgrind-short
	$(Q)$(MAKE) --no-print-directory e2e
	$(Q)$(MAKE) --no-print-directory sanitize-e2e
	$(Q)$(MAKE) --no-print-directory launcher
	$(Q)$(MAKE) --no-print-directory entrypoint
	$(Q)$(MAKE) --no-print-directory chroma
	$(Q)$(MAKE) --no-print-directory torture-short
	$(Q)$(MAKE) --no-print-directory suites-short
	$(Q)$(MAKE) --no-print-directory bench-guard

demo:
	$(Q)sh scripts/setup demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 scripts/demo

# Measuring programs; of several sources: the duel and its parties.
BENCH := $(patsubst %,$(B)/bench/%,calls starts stores floor duel waiter levels empty.so)

$(B)/bench/duel: tests/bench/hold.c
$(B)/bench/waiter: tests/bench/peers/polling.c
$(B)/bench/floor $(B)/bench/levels: $(UNIT_OBJECTS)
$(B)/bench/%: tests/bench/%.c
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $^ $(LDFLAGS) -Wl,--as-needed -lpthread -lsqlite3 -ldl

$(B)/bench/empty.so: tests/bench/empty.c
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $< $(LDFLAGS)

# All that we promise of speed, beside what else people use; tests/bench/run --help names the sections.
bench:
	$(Q)sh scripts/setup bench
	$(Q)$(MAKE) --no-print-directory all $(BENCH)
	$(Q)/usr/bin/python3 tests/bench/run $(SECTIONS)

# Fails where something became slower than tests/bench/limits allows.
bench-guard: all $(BENCH)
	$(Q)/usr/bin/python3 tests/bench/run --guard

# --- keeping house ---

C_FILES := $(wildcard shim/*.c shim/*.h tests/*/*.c tests/*/*.h tests/*/*/*.c tests/*/*/*.h)
SH_FILES := scripts/settle scripts/setup tests/e2e/launcher.sh tests/e2e/chroma/run .ci/run
SH_FILES += scripts/settle-entrypoint scripts/settle-inject
SH_FILES += tests/e2e/results.sh tests/e2e/entrypoint.sh tests/e2e/inject.sh
SH_FILES += tests/portable/run tests/portable/roots.sh tests/portable/mirror.sh tests/containers/run
SH_FILES += tests/torture/races
SH_FILES += scripts/debian/build tests/package/run
SH_FILES += tests/abi/check
SH_FILES += tests/suites/fetch

lint:
	$(Q)sh scripts/setup lint check
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)$(MAKE) --no-print-directory B=$(B)/clang CC=clang $(B)/clang/libsettle.so $(B)/clang/settle-wait \
		$(B)/clang/settle-run $(B)/clang/settle-check
	$(Q)echo $(wildcard shim/*.c) | xargs -n 8 -P $(PROCESSORS) sh -c \
		'clang-tidy --quiet "$$@" -- -D_GNU_SOURCE -U_FORTIFY_SOURCE -std=gnu11 -Ishim' clang-tidy
	$(Q)cppcheck -j $(PROCESSORS) --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE -D__x86_64__ -D__linux__ -Ishim shim
	$(Q)shellcheck $(SH_FILES)
	$(Q)shellcheck -s bash scripts/completion/settle tests/package/completion.bash
	$(Q)for script in settle settle-entrypoint settle-inject; do \
		grep -q '^ *version=$(VERSION)$$' scripts/$$script || exit; done && \
		grep -q '"$(VERSION)"' shim/settings.h && grep -q '^VERSION = "$(VERSION)"$$' scripts/settle-report || \
		{ echo "lint: version $(VERSION) is not in all scripts/settle* and shim/settings.h" >&2; exit 1; }

format:
	$(Q)clang-format -i $(C_FILES)

# Where make install puts what, below PREFIX.
PKGCONFIG := lib/pkgconfig
MAN1 := share/man/man1
MAN7 := share/man/man7
COMPLETIONS := share/bash-completion/completions
SCRIPTS := settle settle-entrypoint settle-inject settle-report
COMMANDS := $(SCRIPTS) settle-wait
DESTINATION = $(DESTDIR)$(PREFIX)

install: all
	install -d $(addprefix $(DESTINATION)/, bin include lib/settle/report $(PKGCONFIG) $(MAN1) $(MAN7) $(COMPLETIONS))
	install -m 755 $(SCRIPTS:%=scripts/%) $(B)/settle-wait $(DESTINATION)/bin/
	install -m 644 $(wildcard scripts/report/*.*) $(DESTINATION)/lib/settle/report/
	install -m 644 $(B)/libsettle.so $(DESTINATION)/lib/settle/
	install -m 755 $(B)/settle-run $(B)/settle-check $(DESTINATION)/lib/settle/
	ln -sf settle/libsettle.so $(DESTINATION)/lib/libsettle.so
	install -m 644 shim/settle.h $(DESTINATION)/include/
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' shim/settle.pc.in > $(DESTINATION)/$(PKGCONFIG)/settle.pc
	install -m 644 $(COMMANDS:%=scripts/man/%.1) $(DESTINATION)/$(MAN1)/
	sed 's|/usr/lib/settle|$(PREFIX)/lib/settle|' scripts/man/libsettle.7 > $(DESTINATION)/$(MAN7)/libsettle.7
	install -m 644 scripts/completion/settle $(DESTINATION)/$(COMPLETIONS)/
	for command in $(filter-out settle,$(COMMANDS)); do \
		ln -sf settle $(DESTINATION)/$(COMPLETIONS)/$$command || exit 1; done

# The directories of others stay.
uninstall:
	rm -rf $(DESTINATION)/lib/settle
	rm -f $(addprefix $(DESTINATION)/, include/settle.h lib/libsettle.so $(PKGCONFIG)/settle.pc $(MAN7)/libsettle.7) \
		$(foreach command, $(COMMANDS), $(DESTINATION)/bin/$(command) $(DESTINATION)/$(MAN1)/$(command).1 \
		$(DESTINATION)/$(COMPLETIONS)/$(command))

deb: all
	$(Q)sh scripts/debian/build $(abspath $(B)) $(VERSION)

# What is committed, with the date of the commit: the same bytes wherever it is made.
ARCHIVE = $(B)/settle-$(VERSION).tar.gz
dist:
	$(Q)test -z "$$(git status --porcelain --untracked-files=no)" \
		|| { echo "dist: there are changes that are not committed" >&2; exit 1; }
	$(Q)mkdir -p $(B)
	$(Q)git -c tar.umask=0022 archive --prefix=settle-$(VERSION)/ HEAD | gzip -n9 > $(ARCHIVE)
	@echo $(ARCHIVE)

clean:
	rm -rf $(B)

-include $(wildcard $(B)/*/*.d $(B)/*.d)
