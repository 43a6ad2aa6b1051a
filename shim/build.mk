# The library and the commands. A room of shim/ is a folder, and an archive of objects: what a program
# is linked from shows what it may call.

# From the ground up: a room may call those before it (`make lint` reads the includes).
ROOMS := base config holders wait helper track preload
# Beside them, on the rooms up to wait; each of these has a main function.
COMMANDS_MAIN := settle_wait settle_run settle_check
# And one on the rooms up to track, with its own main function.
SUPERVISE_MAIN := settle_supervise

sources_of = $(wildcard shim/$(1)/*.c shim/$(1)/*.S)
# $(call objects,KIND,ROOM): what is made of a room's sources
objects = $(patsubst shim/%,$(B)/$(1)/%.o,$(basename $(call sources_of,$(2))))
archives = $(patsubst %,$(B)/$(1)/%.a,$(2))

# libc's own functions, for the library alone.
LIBRARY_ONLY := base/string
LIBRARY_OBJECTS := $(foreach room,$(ROOMS),$(call objects,pic,$(room)))
LIBRARY_ARCHIVES := $(call archives,pic,$(ROOMS))

# What the tests link: every module that has no hook of libc in it, or of the commands no main function.
# Whoever needs a room names those below it, too, and an archive comes before those that it calls.
WAIT_ARCHIVES := $(call archives,obj,wait holders config base)
MODULE_ARCHIVES := $(call archives,obj,commands supervise track helper) $(WAIT_ARCHIVES)

# Whether there is what it takes is said once, before many objects say it in many words.
PACKAGES := install the packages gcc and libc6-dev (Debian), gcc and glibc-devel (Fedora), or build-base and linux-headers (Alpine)
$(B)/compiler:
	@mkdir -p $(@D)
	@command -v $(firstword $(CC)) > $@.path || { echo "make: there is no compiler '$(CC)':" \
		"$(PACKAGES), or name another one by CC=" >&2; exit 1; }
	@echo 'int main(void) { return 0; }' \
		| LC_ALL=C $(CC) $(LDFLAGS) -include stdio.h -include linux/seccomp.h -x c -o $@ - 2> $@.said \
		|| { echo "make: '$(CC)' builds no program ($$(grep -m 1 -i error $@.said)): $(PACKAGES)" >&2; exit 1; }

# The two archives of a room: pic is what the library is made of, obj the commands and the tests.
define room_rules
$(B)/pic/$(1).a: $$(call objects,pic,$(1))
$(B)/obj/$(1).a: $$(filter-out $(LIBRARY_ONLY:%=$(B)/obj/%.o) $(COMMANDS_MAIN:%=$(B)/obj/commands/%.o) $(SUPERVISE_MAIN:%=$(B)/obj/supervise/%.o),$$(call objects,obj,$(1)))
endef
$(foreach room,$(ROOMS) commands supervise,$(eval $(call room_rules,$(room))))

$(B)/%.a:
	$(say) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The library needs libc by name and without versions, so that one file serves every libc: glibc takes the
# oldest version of each symbol, and musl takes itself for it (shim/README.md).
STUB := $(B)/stub/libc.so.6

# gcc's functions for atomic operations ask libc for the processor's features by a name that musl lacks.
ifneq ($(filter aarch64%,$(shell $(CC) -dumpmachine 2> /dev/null)),)
PIC := -mno-outline-atomics
endif

$(B)/libsettle.so: $(LIBRARY_ARCHIVES) $(B)/made/export.map $(STUB)
	$(say) LINK $@
	$(Q)$(CC) -shared -nostdlib $(CFLAGS) $(LDFLAGS) -Wl,-z,now -Wl,-z,defs -Wl,--hash-style=both \
		-Wl,-z,noseparate-code -Wl,--sort-section=name \
		-Wl,--version-script=$(B)/made/export.map -Wl,-soname,libsettle.so -o $@ \
		-Wl,--whole-archive $(LIBRARY_ARCHIVES) -Wl,--no-whole-archive $(STUB)

$(STUB): shim/preload/link/stub.S shim/preload/link/imports.h Makefile | $(B)/compiler
	$(say) STUB $@
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -nostdlib -Ishim -Wl,-soname,$(@F) -o $@ $<

# Not all of $$^: a list of dependencies that an older checkout has left may name sources.
link = $(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a %.so,$^)

$(B)/settle-wait: $(B)/obj/commands/settle_wait.o $(B)/obj/commands.a $(WAIT_ARCHIVES)
	$(say) LINK $@
	$(link) -ldl

$(B)/settle-run: $(B)/obj/commands/settle_run.o $(WAIT_ARCHIVES)
	$(say) LINK $@
	$(link)

CHECK_OBJECTS := $(B)/obj/commands/settle_check.o $(call archives,obj,commands config base)
$(B)/settle-check: $(CHECK_OBJECTS)
	$(say) LINK $@
	$(link)

SUPERVISE_OBJECTS := $(B)/obj/supervise/settle_supervise.o $(call archives,obj,supervise track helper) $(WAIT_ARCHIVES)
$(B)/settle-supervise: $(SUPERVISE_OBJECTS)
	$(say) LINK $@
	$(link) -pthread

# The programs for images of another libc. They have no loader, so libsqlite3 is linked into settle-wait where
# the compiler has a static one (libsqlite3-dev); without it --copy and --checkpoint say so.
SQLITE_ARCHIVE := $(filter /%,$(shell $(CC) -print-file-name=libsqlite3.a 2> /dev/null))
$(B)/static/settle-wait: STATIC_LIBRARIES := $(if $(SQLITE_ARCHIVE),-u sqlite3_open_v2 -Xlinker --wrap=dlopen $(SQLITE_ARCHIVE) -lm)
.PHONY: static
static: ## the commands, linked statically, for images of another libc
static: $(addprefix $(B)/static/, settle-wait settle-run settle-check settle-supervise)
$(B)/static/settle-wait: $(B)/obj/commands/settle_wait.o $(B)/static/sqlite_api.o $(B)/obj/commands.a $(WAIT_ARCHIVES)
$(B)/static/settle-run: $(B)/obj/commands/settle_run.o $(WAIT_ARCHIVES)
$(B)/static/settle-check: $(CHECK_OBJECTS)
$(B)/static/settle-supervise: $(SUPERVISE_OBJECTS)
$(B)/static/settle-%:
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) -static $(CFLAGS) $(LDFLAGS) -o $@ $^ $(STATIC_LIBRARIES)

$(B)/static/%.o: shim/commands/%.c | $(B)/compiler
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -DSETTLE_STATIC -c -o $@ $<

# The exports, the hashes of the names that are looked up, and the places of some pointers that assembly
# reads come from the one table of symbols.
$(B)/made/export.map: shim/preload/link/export.map.in shim/preload/symbols.h Makefile | $(B)/compiler
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -Ishim $< -o $@

$(B)/made/preload/names.h: $(addprefix shim/preload/, link/names.in link/names.awk symbols.h) Makefile | $(B)/compiler
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -Ishim $< | tr -d ' ' | tr ';' '\n' | LC_ALL=C awk -f shim/preload/link/names.awk > $@

$(B)/made/preload/offsets.h: shim/preload/link/offsets.c shim/preload/real.h shim/preload/symbols.h Makefile | $(B)/compiler
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -U_FORTIFY_SOURCE -Ishim -std=gnu11 -S -o - $< \
		| sed -n 's/^.*#offset \([A-Z_]*\) \([0-9]*\).*/#define \1 \2/p' > $@

$(B)/pic/preload/real.o $(B)/obj/preload/real.o $(B)/tests/unit/elf_lookup.o: $(B)/made/preload/names.h
$(B)/pic/preload/tail_calls.o $(B)/obj/preload/tail_calls.o: $(B)/made/preload/offsets.h
$(B)/pic/base/string.o: PIC += -fno-builtin -fno-lto

# What runs on the program's stack takes little of it: paths have memory of their own (base/scratch.h). Also at the
# start, since a library that is loaded late begins on the stack of any thread, which may have room for some lines more,
# but for no path. Without optimisation clang gives each value that is ever there a place of its own.
FRAME := $(if $(filter -O0,$(CFLAGS)),1024,768)
$(B)/pic/base/%.o $(B)/pic/config/%.o: PIC += -Wframe-larger-than=2048
$(B)/pic/track/%.o $(B)/pic/helper/%.o $(B)/pic/preload/%.o: PIC += -Wframe-larger-than=$(FRAME)
$(B)/pic/preload/start.o $(B)/pic/track/begin.o: PIC += -Wframe-larger-than=2048

# What waits, who holds a store when a wait was in vain, and what is told of it, spends its time in the kernel: so it is
# small, rather than fast. Each page counts where a program locks its memory (tests/e2e/resources.c). Not what runs at
# every start (SYS_AT_START), nor the sums of a -wal. Who asks for another optimisation gets it.
small := $(filter-out wait/wal,$(patsubst shim/%.c,%,$(wildcard shim/holders/*.c shim/wait/*.c))) \
	$(addprefix base/,clock elf_object file_system glob json listing scan text utf8) config/profile_names config/summary \
	$(addprefix helper/,append helper interruption lines log record) \
	$(addprefix preload/,api connections processes replaced sqlite sqlite_lookup) \
	$(addprefix track/,begin block carry connection exit history in_vain later mention namer outlasted question sum take_up tell use)
$(patsubst %,$(B)/pic/%.o,$(small)): PIC += $(if $(filter -O2,$(CFLAGS)),-Os)

define assemble
$(say) AS $@
@mkdir -p $(@D)
$(Q)$(CC) $(CPPFLAGS) -c -o $@ $<
endef

$(B)/pic/%.o: shim/%.c | $(B)/compiler
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIC -fno-plt $(PIC) -fvisibility=hidden -c -o $@ $<

$(B)/obj/%.o: shim/%.c | $(B)/compiler
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(B)/pic/%.o: shim/%.S | $(B)/compiler
	$(assemble)

$(B)/obj/%.o: shim/%.S | $(B)/compiler
	$(assemble)
