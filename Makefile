# settle: what there is to make. `make help` lists it; V=1 shows the commands; STRICT=1, as in CI, takes
# warnings for errors. Each room has a file of its own: shim/build.mk, tests/tests.mk, scripts/release.mk.

VERSION := $(shell sed -n 's/^\#define SETTLE_VERSION "\(.*\)"$$/\1/p' shim/settle.h)
PREFIX ?= /usr/local
DESTDIR ?=
B := build

CC ?= cc
MUSL_CC ?= musl-gcc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla
WARNINGS += $(if $(filter 1,$(STRICT)),-Werror)
override CPPFLAGS += -D_GNU_SOURCE -MMD -MP -Ishim -I$(B)/made
# Fortified headers would turn our wrappers of open and openat into inline functions. By -Wp, as distributions
# switch them on: what is said so comes after every -D and -U. (ccache runs the preprocessor each time for it, so CI says -U.)
UNFORTIFIED ?= -Wp,-U_FORTIFY_SOURCE
override CFLAGS += -std=gnu11 $(WARNINGS) $(UNFORTIFIED)

# Objects for link-time optimisation have no symbols for an ar that lacks the compiler's own plugin. And gcc up to 12
# warns at each link that it is done by one process, unless it is told how many may be.
ifneq ($(findstring -flto,$(CFLAGS)),)
compiler := $(notdir $(lastword $(CC)))
ifeq ($(findstring clang,$(compiler)),)
override CFLAGS := $(patsubst -flto,-flto=auto,$(CFLAGS))
override LDFLAGS := $(patsubst -flto,-flto=auto,$(LDFLAGS))
endif
ifeq ($(origin AR),default)
ifneq ($(findstring clang,$(compiler)),)
AR := $(or $(shell command -v $$($(CC) -print-prog-name=llvm-ar)),ar \
	$(addprefix --plugin ,$(wildcard $(shell $(CC) -print-resource-dir)/../../LLVMgold.so)))
else
AR := $(or $(shell command -v $(if $(findstring gcc,$(compiler)),$(subst gcc,gcc-ar,$(compiler)),gcc-ar)),ar)
endif
endif
endif

# Many targets are made by a make of their own, after their setup. It shares the jobs of this one (make -jN) where a
# recipe names it, $(MAKE); without a -j, what is built in great numbers is built on all processors.
MAKEFLAGS += --no-print-directory
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-6s %s\n'
endif

# How an object is made of a source in shim/; the archives of objects, one a room, are in shim/build.mk.
COMPILE = $(CC) $(CPPFLAGS) $(CFLAGS)

.SECONDARY:
.DELETE_ON_ERROR:

# Of several goals one is made after the other, each with all jobs: two may be makes of their own that build the same.
ifneq ($(word 2,$(filter-out $(B)/%,$(MAKECMDGOALS))),)
.NOTPARALLEL:
.PHONY: $(MAKECMDGOALS)
$(sort $(MAKECMDGOALS)):
	$(Q)$(MAKE) $@
else

.PHONY: all help demo check clean

all: ## the library and the commands, in build/
all: $(B)/libsettle.so $(B)/settle-wait $(B)/settle-run $(B)/settle-check $(B)/settle-supervise

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):[^#]*## \(.*\)/\1\t\2/p' $(filter-out %.d,$(MAKEFILE_LIST)) \
		| awk -F '\t' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: ## the main job, shown; installs what it needs
	$(Q)sh scripts/setup demo
	$(Q)$(MAKE) all
	$(Q)/usr/bin/python3 scripts/demo

check: ## all tests that need nothing but this machine, and a network once
	$(Q)sh scripts/setup check
	$(Q)/usr/bin/python3 tests/lanes check

clean: ## removes build/
	rm -rf $(B)

include shim/build.mk tests/tests.mk scripts/release.mk

-include $(wildcard $(addprefix $(B)/, *.d */*.d */*/*.d */*/*/*.d))

endif
