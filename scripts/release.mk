# What is installed, packed and shipped.

.PHONY: install uninstall deb rpm apk dist

# Where make install puts what, below PREFIX.
PKGCONFIG := lib/pkgconfig
MAN1 := share/man/man1
MAN7 := share/man/man7
COMPLETIONS := share/bash-completion/completions
SCRIPTS := settle settle-entrypoint settle-inject settle-report
COMMANDS := $(SCRIPTS) settle-wait
DESTINATION = $(DESTDIR)$(PREFIX)
# The launcher loads the library by its path; the loader finds it for those who link it once it has been told.
say_ldconfig = test -z "$(DESTDIR)" || exit 0; PATH=$$PATH:/sbin:/usr/sbin; command -v ldconfig > /dev/null || exit 0; \
	ldconfig -p | grep -q ' $(PREFIX)/lib/libsettle.so$$' \
	|| echo "make install: programs that link libsettle (pkg-config settle) find it after, as root: ldconfig $(PREFIX)/lib"
man_page = sed 's|/usr/lib/settle|$(PREFIX)/lib/settle|; s|^\.Os$$|.Os settle $(VERSION)|'

# Nor is a person left to guess from what `install` says of many directories.
refuse_if_closed = place=$(DESTINATION); until test -e $$place; do place=$$(dirname $$place); done; test -w $$place \
	|| { echo "make install: $$place: you may not write there: do it as root, or with PREFIX=\$$HOME/.local" >&2; exit 1; }

# A relative one would stand in what is installed; so would a ~ that the shell has left.
refuse_if_relative = case '$(PREFIX)' in /*) ;; *) \
	echo "make install: PREFIX='$(PREFIX)': expected an absolute path, such as /opt/settle" >&2; exit 1 ;; esac

install: all ## below PREFIX=/usr/local (and DESTDIR)
	@$(refuse_if_relative)
	@$(refuse_if_closed)
	install -d $(addprefix $(DESTINATION)/, bin include lib/settle/report $(PKGCONFIG) $(MAN1) $(MAN7) $(COMPLETIONS))
	install -m 755 $(SCRIPTS:%=scripts/%) $(B)/settle-wait $(DESTINATION)/bin/
	install -m 644 $(wildcard scripts/report/*.*) $(DESTINATION)/lib/settle/report/
	install -m 644 $(B)/libsettle.so $(DESTINATION)/lib/settle/
	install -m 755 $(B)/settle-run $(B)/settle-check $(B)/settle-supervise $(DESTINATION)/lib/settle/
	ln -sf settle/libsettle.so $(DESTINATION)/lib/libsettle.so
	install -m 644 shim/settle.h $(DESTINATION)/include/
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' shim/preload/link/settle.pc.in > $(DESTINATION)/$(PKGCONFIG)/settle.pc
	for command in $(COMMANDS); do \
		$(man_page) scripts/man/$$command.1 > $(DESTINATION)/$(MAN1)/$$command.1 || exit 1; done
	$(man_page) scripts/man/libsettle.7 > $(DESTINATION)/$(MAN7)/libsettle.7
	install -m 644 scripts/completion/settle $(DESTINATION)/$(COMPLETIONS)/
	for command in $(filter-out settle,$(COMMANDS)); do \
		ln -sf settle $(DESTINATION)/$(COMPLETIONS)/$$command || exit 1; done
	@$(say_ldconfig)

# Programs would complain of a library that is gone, each at its start.
PRELOAD_LIST := /etc/ld.so.preload
refuse_if_preloaded = test -n "$(DESTDIR)" || ! grep -qsF $(PREFIX)/lib/settle/libsettle.so $(PRELOAD_LIST) \
	|| { echo "make uninstall: $(PRELOAD_LIST) names $(PREFIX)/lib/settle/libsettle.so: take that line out first (scripts/README.md)" >&2; exit 1; }
# Directories that are empty then go, too, but not those that a system has anyhow.
OWN_DIRECTORIES := $(PKGCONFIG) $(MAN1) $(MAN7) $(COMPLETIONS) $(dir $(COMPLETIONS)) \
	$(if $(filter-out /usr /usr/local,$(PREFIX)),share/man share bin include lib .)

uninstall: ## takes that away
	@$(refuse_if_preloaded)
	rm -rf $(DESTINATION)/lib/settle
	rm -f $(addprefix $(DESTINATION)/, include/settle.h lib/libsettle.so $(PKGCONFIG)/settle.pc $(MAN7)/libsettle.7) \
		$(foreach command, $(COMMANDS), $(DESTINATION)/bin/$(command) $(DESTINATION)/$(MAN1)/$(command).1 \
		$(DESTINATION)/$(COMPLETIONS)/$(command))
	@for directory in $(OWN_DIRECTORIES:%=$(DESTINATION)/%); do \
		test ! -d $$directory || rmdir --ignore-fail-on-non-empty $${directory%/.} || exit 1; done

deb: ## a Debian package, in build/
	$(Q)sh scripts/setup deb
	$(Q)sh scripts/debian/build $(abspath $(B)) $(VERSION)

# Of the same files, by nfpm, with commands for every libc.
rpm: ## a package for Fedora, openSUSE and their like, in build/
apk: ## ... for Alpine
rpm apk:
	$(Q)sh scripts/setup static
	$(Q)$(MAKE) all static
	$(Q)scripts/nfpm/build $@ $(abspath $(B)) $(VERSION)

# What is committed, with the date of the commit: the same bytes wherever it is made.
ARCHIVE = $(B)/settle-$(VERSION).tar.gz
dist: ## an archive of the sources
	$(Q)test -z "$$(git status --porcelain --untracked-files=no)" \
		|| { echo "dist: there are changes that are not committed" >&2; exit 1; }
	$(Q)mkdir -p $(B)
	$(Q)git -c tar.umask=0022 archive --prefix=settle-$(VERSION)/ HEAD | gzip -n9 > $(ARCHIVE)
	@echo $(ARCHIVE)

# The Python package, as one wheel for each architecture, which serves every libc.
.PHONY: wheel wheel-test wheel-musl
wheel: ## Python wheels, in build/dist: manylinux and musllinux, for x86-64 and aarch64
	$(Q)sh scripts/setup build wheel
	$(Q)$(MAKE) all static
	$(Q)$(MAKE) B=$(B)/aarch64 CC=aarch64-linux-gnu-gcc all static
	$(Q)python=$$(tests/venv scripts/python/tools.txt) && export PYTHON=$$python && \
		scripts/python/build $(abspath $(B)) x86_64 $(VERSION) $(abspath $(B))/dist && \
		STRIP=aarch64-linux-gnu-strip \
			scripts/python/build $(abspath $(B))/aarch64 aarch64 $(VERSION) $(abspath $(B))/dist
	@ls $(B)/dist/*.whl

wheel-musl: wheel ## ... in a Python with musl, which is built once, from Debian's sources
	$(Q)sh scripts/setup suites
	$(Q)PYTHON=$$(tests/venv scripts/python/tools.txt) BUILD=$(B) sh tests/wheel/run $(B)/dist musl

wheel-test: wheel ## the wheels, installed in empty environments and used
	$(Q)sh scripts/setup roots
	$(Q)$(MAKE) $(B)/programs/plain-musl
	$(Q)PYTHON=$$(tests/venv scripts/python/tools.txt) BUILD=$(B) sh tests/wheel/run $(B)/dist
