# Echolab: a TCP echo server, a load generator that names every failure, and fault drills.
#
#   make                  build the programs             make check        unit and integration tests
#   make unit             unit tests alone               make integration  programs against each other
#   make demo             the first minute, live         make bench        measure: calls, commands, backends
#   make asan|ubsan|tsan  check under a sanitizer        make valgrind     check under valgrind
#   make sim              a kernel made of choices beneath the backends (SIM_STEPS=, SIM_SEED=)
#   make coverage         line and branch coverage       make fuzz         each fuzzer for FUZZ_TIME seconds
#   make lint             clang-tidy cppcheck shellcheck make tidy         our own limits and layers
#   make analyze          gcc -fanalyzer and clang --analyze: no finding that tools/analyze.allowed does not explain
#   make claims           do the figures of README.md and docs/ still hold? hours, on a quiet machine (CLAIMS='README')
#   make nightly          all that is long: steps, each for a limited time, a table of them (NIGHTLY='sim chaos')
#   make mutants          changes books, verdict and classifier, one thing at a time: do the tests notice?
#   make format           let clang-format decide        make format-check only ask it
#   make pictures         those of the README: a run with its server killed, its page, a drill
#   make lesson           outputs and pictures of docs/lesson, from runs
#   make nth              every n-th call fails, in every program: hours; writes its table to docs/testing.md;
#                         NTH='--every few merge,plot' some of it, more quickly
#   make vm-check         what a kernel can change, on Debian's own: hours
#   make vm-selection     some of it, on Linux 6.1: seven minutes
#   make mpi              echoload-mpi, which needs MPI   make hosts-check  four hosts, by each launcher
#   make takeover-check   20 restarts under load, and one fault at every step of a restart: three minutes
#   make failures         docs/failures.md: what clients see, from a run of every drill
#   make programs         docs/programs.md: what other people's clients notice (CLIENTS='curl nc': some)
#   make install          into $(DESTDIR)$(PREFIX)       make uninstall    take it out again
#   make man completion   manual pages, completions      make dist         release archive, always the same
#   make deb              Debian packages of what is committed: build/deb/*.deb
#   make package-check    these, built, installed and upgraded under systemd: an hour (SUITES=trixie)
#   make compdb           compile_commands.json          make clean        remove build/
#
# Variables: V=1 shows commands; CC, CFLAGS, CPPFLAGS, PREFIX, DESTDIR as usual; VARIANT names the folder under build/,
# and its flags if it is one of those above, or contract (VARIANT=asan make unit); T selects integration tests (make
# integration T='reset *Drain*'), TESTFLAGS are options of tests/run; FUZZ_TIME=20 for each of FUZZ='merge plot'.

VARIANT ?= release
PREFIX  ?= /usr/local
STD     ?= gnu17
B       := build/$(VARIANT)

# --- flags ---------------------------------------------------------------------------------------------------

OPT.asan     := -O1 -g
OPT.ubsan    := -O1 -g
OPT.tsan     := -O1 -g
OPT.fuzz     := -O1 -gline-tables-only
OPT.valgrind := -O1 -g
OPT.coverage := -O0 -g
OPT.contract := -O2 -g
CFLAGS       ?= $(or $(OPT.$(VARIANT)),-O2 -g)
CXXFLAGS     ?= $(CFLAGS)

# both in one: what either finds, one run of the tests finds
SAN.asan     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN.ubsan    := -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN.tsan     := -fsanitize=thread
SAN.fuzz     := -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize-recover=all \
	-fprofile-instr-generate -fcoverage-mapping
# --wrap: tests/coverage
SAN.coverage := --coverage -fprofile-update=atomic -Wl,--wrap=_exit
SAN          := $(SAN.$(VARIANT))

# the checks of glibc need the optimiser, and would hide what the tools of the other variants look for
HARDEN  := -fstack-protector-strong -fPIE
FORTIFY := $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),$(if $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,2))
HARDEN  += $(if $(OPT.$(VARIANT)),,$(if $(FORTIFY),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY)))
WERROR  ?= -Werror
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla $(WERROR)
FLAGS   := $(CPPFLAGS) -std=$(STD) -D_GNU_SOURCE -Iinclude -Isrc -Itests -I$(B) -pthread $(HARDEN) $(WARN) $(SAN)
# where tests look for faults every backend is held to its contract (net/contract.h)
ifneq ($(OPT.$(VARIANT)),)
FLAGS   += -DECHO_CONTRACT
endif
LDALL    = -pie -pthread -Wl,--as-needed -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)
LDLIBS  := -luring -lseccomp -lcap-ng -linih -ljansson -lmicrohttpd -lpcap -lz -pthread -lm

# --- sources -------------------------------------------------------------------------------------------------

PROGRAMS := $(patsubst src/%/main.c,%,$(wildcard src/*/main.c))
# $(call files,FOLDERS,PATTERN): what lies in them, at any depth
files     = $(sort $(shell find $(1) -name '$(2)'))
# the core moves bytes and runs no program; the lab runs and observes programs
CORE     := src/base src/net src/backend
LAB      := src/lab
PRELOADS := $(patsubst tests/%.c,$(B)/%.so,$(wildcard tests/preload/*.c))
# what they share is in tests/fuzz/lib
FUZZERS  := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
# other people's loops: what is not here for this compiler is not built. $(call has,HEADER,COMPILER,LIBRARY)
has       = $(shell printf '\043include <%s>\nint main(void) { return 0; }\n' '$(1)' | \
	$(2) $(CPPFLAGS) $(LDFLAGS) -o /dev/null - $(3) >/dev/null 2>&1 && echo y)
ifeq ($(origin CXX),default)
CXX      := $(if $(filter %gcc,$(CC)),$(CC:%gcc=%g++),$(if $(filter clang%,$(CC)),$(CC:clang%=clang++%),g++))
endif
LACKED   := $(if $(call has,ev.h,$(CC) -xc,-lev),,bench/servers/libev_echo.c) \
	$(if $(call has,uv.h,$(CC) -xc,-luv),,bench/servers/libuv_echo.c) \
	$(if $(call has,asio/version.hpp,$(CXX) -xc++),,bench/servers/asio_echo.cpp)
CXXFILES := $(filter-out $(LACKED),$(call files,bench,*.cpp))
BENCHED  := $(call files,bench/micro,*.c)
BENCHES  := $(filter-out $(BENCHED) $(LACKED),$(call files,bench,*.c))
CFILES   := $(filter-out src/mpi/% $(LACKED),$(call files,src tests bench docs,*.c))
HFILES   := $(call files,include src tests bench,*.h)
# what is in a program as it is, its name asset_page_css
ASSETS   := $(filter-out %.c %.h,$(wildcard src/*/page/*.*)) $(wildcard src/*/*/*.gp)
CONFIGS  := $(wildcard configs/*.conf configs/*/*.conf configs/*/*/*.conf configs/*/*.yml configs/hosts/*)
MANPAGES := $(PROGRAMS:%=$(B)/man/%.1)
SHELLS   := bash zsh fish
COMPLETIONS := $(foreach s,$(SHELLS),$(PROGRAMS:%=$(B)/completion/$(s)/%))

LIBS := $(B)/lib/lab.a $(B)/lib/echo.a
obj = $(patsubst %.c,$(B)/%.o,$(1))
Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(Q),@printf '  %-7s %s\n' $(1) $@)
sub  = +$(Q)$(MAKE) --no-print-directory

# Writes stdin to $@, but leaves its time alone when nothing changed
update = { mkdir -p $(@D) && cat >$@.tmp && if cmp -s $@.tmp $@; then rm $@.tmp; else mv $@.tmp $@; fi; }

# --- building ------------------------------------------------------------------------------------------------

all: $(PROGRAMS:%=$(B)/%)

# Another compiler or other flags: everything is built again
$(B)/flags: export STAMP = $(CC) $(CFLAGS) $(FLAGS) / $(LDALL) $(LDLIBS)
$(B)/flags: FORCE
	@printf '%s\n' "$$STAMP" | $(update)

# A new commit: only what includes version.h is built again
$(B)/version.h: tools/version FORCE
	@$< --header | $(update)

$(B)/config.h: tools/probe.sh $(B)/flags
	$(call say,PROBE)
	$(Q)CC='$(CC)' sh $< >$@.tmp && mv $@.tmp $@

$(B)/%.o: %.c $(B)/flags | $(B)/config.h $(B)/version.h
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(FLAGS) -MMD -MP -c -o $@ $<

# The bytes of the file, and a 0 behind them, in a section that cannot be written or run
$(ASSETS:%=$(B)/%.o): $(B)/%.o: % $(B)/flags
	$(call say,DATA)
	$(Q)mkdir -p $(@D) && n=asset_$(subst .,_,$(notdir $*)) && \
		printf '.section .rodata\n.global %s\n%s: .incbin "%s"\n.byte 0\n.section .note.GNU-stack,"",%%progbits\n' \
		$$n $$n $* | $(CC) -x assembler -c -o $@ -

link = $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDALL) -o $@ $(filter %.o %.a,$^) $(LDLIBS)

# $(call archive,name,folders): all but main. The folders are prerequisites because a file that is taken away
# changes only them.
define archive
$(B)/$(1).a: $(call obj,$(filter-out %/main.c,$(filter $(2:%=%/%),$(CFILES)))) \
		$(patsubst %,$(B)/%.o,$(filter $(2:%=%/%),$(ASSETS))) $(shell find $(2) -type d)
	$$(call say,AR)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(eval $(call archive,lib/echo,$(CORE) $(if $(filter coverage,$(VARIANT)),tests/coverage)))
$(eval $(call archive,lib/lab,$(LAB)))
$(foreach p,$(PROGRAMS),$(eval $(call archive,lib/$(p),src/$(p))))

$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/src/%/main.o $(B)/lib/%.a $(LIBS)
	$(call say,LD)
	$(link)

# The one program that needs MPI (libopenmpi-dev), and nothing else does: make mpi
mpi: all $(B)/echoload-mpi
$(B)/echoload-mpi: src/mpi/echoload_mpi.c $(LIBS) $(B)/flags
	$(call say,MPICC)
	$(Q)OMPI_CC='$(CC)' mpicc $(CFLAGS) $(FLAGS) $(LDALL) -o $@ $< $(LIBS) $(LDLIBS)

# --- tests ---------------------------------------------------------------------------------------------------

# What tests are told: where the programs are, how they were built, how much more time they need, and what to
# run them under. A report of a sanitizer must not look like an exit code of ours.
SLOW.asan := 3
SLOW.tsan := 5
SLOW.valgrind := 10
WRAP.valgrind := $(CURDIR)/tests/lib/with_ring_poll valgrind -q --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite,possible --suppressions=$(CURDIR)/tests/valgrind.supp
export ECHOLAB_BIN := $(CURDIR)/$(B)
export ECHOLAB_VARIANT := $(VARIANT)
export ECHOLAB_SLOW ?= $(or $(SLOW.$(VARIANT)),1)
export ECHOLAB_WRAP := $(WRAP.$(VARIANT))
# one process: the leak check at the end of each of hundreds would take minutes
export CK_FORK := $(if $(filter asan valgrind coverage,$(VARIANT)),no,yes)
# for a test that hangs, not for one that waits its turn on a busy machine: Check has 4 seconds
export CK_DEFAULT_TIMEOUT := 60
export CK_TIMEOUT_MULTIPLIER := $(ECHOLAB_SLOW)
export ASAN_OPTIONS ?= exitcode=99:verify_asan_link_order=0
export UBSAN_OPTIONS ?= exitcode=99:print_stacktrace=1
export TSAN_OPTIONS ?= exitcode=99:halt_on_error=1
# another user may not write down what it ran, which is no word of the program's
export GCOV_ERROR_FILE ?= /dev/null

# sanitizers of these compilers lose their shadow memory when the kernel randomises addresses too well
RUN = $(if $(filter asan tsan fuzz,$(VARIANT)),$(shell setarch -R true 2>/dev/null && echo setarch -R))
# most tests wait for something: twice as many as CPUs
TESTFLAGS ?= -j $(shell echo $$(($$(nproc) * 2)))

# everything that tests run
check-programs: all $(B)/unit $(PRELOADS) bench-programs
check: check-programs
	$(sub) unit; r=$$?; $(MAKE) --no-print-directory integration && exit $$r

$(B)/unit: private LDLIBS += $(shell pkg-config --libs check)
$(B)/unit: $(call obj,$(filter tests/unit/% tests/lib/%,$(CFILES))) $(PROGRAMS:%=$(B)/lib/%.a) $(LIBS)
	$(call say,LD)
	$(link)
unit: $(B)/unit $(PRELOADS)
	$(Q)$(RUN) $(ECHOLAB_WRAP) $(B)/unit

# never instrumented: they come before the runtime of the sanitizer
$(B)/preload/%.so: tests/preload/%.c $(B)/flags | $(B)/config.h $(B)/version.h
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(filter-out $(SAN),$(FLAGS)) -MMD -MP -fPIC -shared -o $@ $< -ldl
integration: all $(PRELOADS) bench-programs
	$(Q)$(RUN) tests/run $(TESTFLAGS) $(T)

# A kernel made of choices beneath the real backends: the linker puts its calls in the place of these (tests/sim/sim.h)
SIM_STEPS ?= 1000000
SIM_SEED  ?= 1
SIM_WRAPS := accept4 clock_gettime close connect epoll_create1 epoll_ctl epoll_pwait2 epoll_wait eventfd fcntl \
	getsockname getsockopt nanosleep read recv send sendmsg setsockopt shutdown socket syscall write \
	__assert_fail $(addprefix io_uring_,peek_batch_cqe queue_exit queue_init_params register register_buf_ring \
	register_files_sparse register_files_update register_ring_fd submit submit_and_get_events submit_and_wait \
	submit_and_wait_timeout)
SIM       := $(call files,tests/sim,*.c)
$(B)/sim: private LDALL += $(SIM_WRAPS:%=-Wl,--wrap=%)
$(B)/sim: $(call obj,$(SIM)) $(B)/lib/echod.a $(LIBS)
	$(call say,LD)
	$(link)
sim: $(B)/sim
	$(Q)$(RUN) $(B)/sim -n $(SIM_STEPS) -s $(SIM_SEED) $(if $(SIM_ONLY),-o '$(SIM_ONLY)')

# does it find what was once wrong? each fault is put back and must be found
sim-bugs: $(B)/sim
	$(Q)tests/sim/find-bugs $(B) $(BUGS)
.PHONY: sim sim-bugs

# MUTANTS='src/base/cause.c' is a part of it
mutants: $(B)/unit
	$(Q)tests/mutate $(B) $(MUTANTS)
.PHONY: mutants

# NTH='merge malloc' is a part of it
nth: check-programs
	$(Q)tests/nth --table docs/testing.md $(NTH)
.PHONY: nth

# one load from four hosts, by mpirun, Slurm, ClusterShell: namespaces stand for hosts; minutes, root, tools/deps --hosts
hosts-check: mpi $(PRELOADS)
	$(Q)tests/run --in hosts --timeout 300 $(TESTFLAGS) $(T)

# restarts that no client sees, as many and under as much load as is promised, and whatever fails
takeover-check: all $(PRELOADS) bench-programs
	$(Q)ECHOLAB_STEPS=1 ECHOLAB_RESTARTS=20 ECHOLAB_CONNECTIONS=500 tests/run -v --timeout 600 \
		'test_takeover.*no_client*' 'test_takeover_steps*'

# what the kernel has a part in, on the one that runs: what is left out compares, or reads only files
kernel-check: check-programs
	$(Q){ r=0; $(MAKE) --no-print-directory unit || r=1; \
	$(MAKE) --no-print-directory integration T='test_echod_ test_echoload_ test_fork test_uring' || r=1; \
	$(B)/echodrill -j 2 run || r=1; echo $$r >$(B)/kernel-check.code; } 2>&1 | tee $(B)/kernel-check.log
	$(Q)tools/tested-on <$(B)/kernel-check.log; exit $$(cat $(B)/kernel-check.code)
vm-selection:
	$(Q)tests/vm-selection
vm-check:
	$(Q)r=0; for k in 6.1 6.12; do echo "Linux $$k:"; \
		tools/vm --kernel $$k --time 14400 'make kernel-check' || r=1; done; exit $$r

# CLAIMS='README' is a part of it, CLAIMS=--list only says what is claimed
claims: check-programs
	$(Q)tools/claims $(CLAIMS)
# NIGHTLY='sim chaos' are some of its steps, NIGHTLY=--list only names them
nightly:
	$(Q)tools/nightly $(NIGHTLY)
.PHONY: claims nightly

demo: all
	$(Q)tools/demo

pictures: all
	$(Q)tools/pictures
lesson: all
	$(Q)tools/lesson

# the page as it came out, and only if every drill passed; what other kernels showed is kept
failures: all
	$(Q)$(B)/echodrill -j 4 -o markdown --json $(B)/failures.json run >$(B)/failures.md && \
		{ echo; sed -n '/^## From kernel to kernel/,$$p' docs/failures.md; } >>$(B)/failures.md && \
		cp $(B)/failures.md docs/failures.md || \
		{ echo 'not every drill passed: see $(B)/failures.md and $(B)/failures.json' >&2; exit 1; }

# CLIENTS='curl nc' are some of them; it goes on where it was broken off
programs: all
	$(Q)tools/programs $(CLIENTSFLAGS) $(CLIENTS)

# a make below this one takes what is exported for a wish of the user's
asan ubsan tsan valgrind:
	$(sub) VARIANT=$@ $(if $(filter file,$(origin ECHOLAB_SLOW)),ECHOLAB_SLOW=$(or $(SLOW.$@),1)) check
coverage:
	$(Q)rm -rf build/coverage
	$(sub) VARIANT=coverage check
	$(Q)tools/coverage build/coverage

# FUZZ='merge plot' are some of them
FUZZ_TIME ?= 20
$(eval $(call archive,lib/fuzz,tests/fuzz/lib))
$(FUZZERS): private SAN := $(subst fuzzer-no-link,fuzzer,$(SAN))
$(FUZZERS): $(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(B)/lib/fuzz.a $(PROGRAMS:%=$(B)/lib/%.a) $(LIBS)
	$(call say,LD)
	$(link)
fuzzers: $(FUZZERS)
fuzz:
	$(sub) VARIANT=fuzz CC=clang run-fuzzers
run-fuzzers: fuzzers
	$(Q)$(RUN) tests/fuzz/run --time $(FUZZ_TIME) $(FUZZFLAGS) $(FUZZ)

# --- benchmarks ----------------------------------------------------------------------------------------------

$(B)/bench_all: $(call obj,$(BENCHED)) $(LIBS)
	$(call say,LD)
	$(link)
# bench/bare/floor.c is build/release/bench/floor: who runs it need not know its room
define bench_program
bench-programs: $(B)/bench/$(basename $(notdir $(1)))
$(B)/bench/$(basename $(notdir $(1))): $(call obj,$(1)) $(LIBS)
	$$(call say,LD)
	$$(link)
endef
$(foreach c,$(BENCHES),$(eval $(call bench_program,$(c))))
$(B)/bench/libev_echo: private LDLIBS += -lev
$(B)/bench/libuv_echo: private LDLIBS += -luv
# the one in C++: compiled and linked at once, with the flags that are not C's alone; nothing of ours is in it, and it
# is never instrumented
define bench_cxx
bench-programs: $(B)/bench/$(basename $(notdir $(1)))
$(B)/bench/$(basename $(notdir $(1))): $(1) $(B)/flags
	$$(call say,CXX)
	$$(Q)mkdir -p $$(@D) && $$(CXX) $$(CXXFLAGS) $$(CPPFLAGS) -std=c++17 -DASIO_STANDALONE $$(HARDEN) -Wall -Wextra \
		-Wshadow $$(WERROR) $$(filter-out $$(SAN),$$(LDALL)) -o $$@ $$<
endef
$(foreach c,$(CXXFILES),$(eval $(call bench_cxx,$(c))))
bench-programs: $(if $(BENCHED),$(B)/bench_all)
# within five minutes: what calls cost, what whole commands cost, and which backend is faster for one workload or two
bench: all bench-programs
	$(Q)$(if $(BENCHED),$(B)/bench_all $(BENCHFLAGS))
	$(Q)ECHOLAB_BIN=$(B) tools/hyperfine.sh --runs 10 $(B)/hyperfine
	$(Q)$(B)/echobench run configs/bench/quick.conf --json $(B)/quick.json || [ $$? = 5 ] # 5: too noisy to say

# --- what reads the sources ----------------------------------------------------------------------------------

lint: clang-tidy cppcheck shellcheck

clang-tidy: $(CFILES:%.c=$(B)/%.tidy)
$(B)/%.tidy: %.c .clang-tidy $(B)/%.o
	$(call say,LINT)
	$(Q)clang-tidy --quiet $< -- $(CFLAGS) $(FLAGS) >$@.log 2>&1 && mv $@.log $@ || { cat $@.log; exit 1; }
# an assert may call a function that only looks; clang-tidy tells those from the others
cppcheck:
	$(Q)cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
		-j $$(nproc) -Iinclude -Isrc -Itests --suppress=missingInclude --suppress=assertWithSideEffect --suppress=unknownMacro $(CFILES)
# What follows the paths through the code. gcc does so twice, since what is inlined is another path: not optimised, and as
# it is built.
ANALYZED := $(filter src/% bench/%,$(CFILES))
ANALYZE   = $(CPPFLAGS) -std=$(STD) -D_GNU_SOURCE -Iinclude -Isrc -I$(B) -pthread
analyze: $(ANALYZED:%.c=$(B)/%.gcc-analyzed) $(ANALYZED:%.c=$(B)/%.clang-analyzed)
	$(Q)tools/analyze $^
$(B)/%.gcc-analyzed: %.c $(B)/%.o
	$(call say,ANALYZE)
	$(Q)for o in -O0 '-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2'; do \
		LC_ALL=C gcc $$o $(ANALYZE) -fanalyzer -c -o /dev/null $< || exit; done >$@.log 2>&1 && mv $@.log $@ || \
		{ cat $@.log; exit 1; }
$(B)/%.clang-analyzed: %.c $(B)/%.o
	$(call say,ANALYZE)
	$(Q)LC_ALL=C clang --analyze --analyzer-output text $(ANALYZE) -o /dev/null $< >$@.log 2>&1 && mv $@.log $@ || \
		{ cat $@.log; exit 1; }
.PHONY: analyze
shellcheck:
	$(Q)shellcheck $$(grep -lsE '^#!(/usr)?/bin/(env )?(ba)?sh' tools/* tests/* configs/hosts/* .ci/* debian/*)

tidy: all $(B)/unit bench-programs
	$(Q)tools/tidy; r=$$?; tools/claims --check && exit $$r
format:
	$(Q)clang-format -i $(CFILES) $(CXXFILES) $(HFILES) src/mpi/*.c
format-check:
	$(Q)$(if $(CFILES)$(HFILES),clang-format --dry-run -Werror $(CFILES) $(CXXFILES) $(HFILES))

compdb: $(B)/config.h $(B)/version.h
	$(Q){ sep='['; for f in $(CFILES); do printf '%s\n{ "directory": "%s", "file": "%s", "command": "%s" }' \
		"$$sep" '$(CURDIR)' $$f "$(CC) $(CFLAGS) $(FLAGS) -c $$f"; sep=,; done; echo ' ]'; } >compile_commands.json

# --- installing ----------------------------------------------------------------------------------------------

man: $(MANPAGES)
$(B)/man/%.1: $(B)/%
	$(call say,MAN)
	$(Q)mkdir -p $(@D) && $< --man >$@.tmp && mv $@.tmp $@

completion: $(COMPLETIONS)
$(COMPLETIONS): $(B)/completion/%: $(PROGRAMS:%=$(B)/%)
	$(call say,SHELL)
	$(Q)mkdir -p $(@D) && $(B)/$(notdir $@) --completion=$(notdir $(@D:%/=%)) >$@.tmp && mv $@.tmp $@

# what packagers may want elsewhere
BINDIR  ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR  ?= $(DATADIR)/man
BASHDIR ?= $(DATADIR)/bash-completion/completions
ZSHDIR  ?= $(DATADIR)/zsh/site-functions
FISHDIR ?= $(DATADIR)/fish/vendor_completions.d
# /etc is the configuration of what is in /usr, and systemd looks below both /usr and /usr/local
SYSCONFDIR  ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

units: $(B)/systemd/echod.service $(B)/systemd/echod@.service $(B)/systemd/echod.conf
unit = $(Q)mkdir -p $(@D) && sed -e 's,@BINDIR@,$(BINDIR),; s,@UNIT@,$(1),; s,@INSTANCE@,$(2),; s,@OF@,$(3),' \
	-e 's,@CONF@,$(SYSCONFDIR)/echolab/$(4).conf,' $< | $(update)
$(B)/systemd/echod.service: configs/systemd/echod.service.in FORCE
	$(call unit,echod,,,echod)
$(B)/systemd/echod@.service: configs/systemd/echod.service.in FORCE
	$(call unit,echod@NAME,-%i, of @CONF@,%i)
# what a socket unit passes takes the place of a default, not of what is set; the path of the takeover is the unit's
$(B)/systemd/echod.conf: configs/echod.conf FORCE
	$(Q)mkdir -p $(@D) && sed -e '0,/^listen /s//;listen/' -e 's/^takeover /;takeover/' $< | $(update)

# $(call put,MODE,FILE,WHERE)
put = install -D -m $(1) '$(2)' '$(DESTDIR)$(3)' &&
# where each file goes, but for the configurations: folder, what stands before the program's name, and after it
UNITS = $(UNITDIR)/echod.service $(UNITDIR)/echod@.service $(UNITDIR)/echod.socket $(SYSUSERSDIR)/echod.conf
INSTALLED = $(UNITS) $(foreach p,$(PROGRAMS),$(BINDIR)/$(p) $(MANDIR)/man1/$(p).1 $(BASHDIR)/$(p) $(ZSHDIR)/_$(p) $(FISHDIR)/$(p).fish)

install: all man completion units
	$(Q)$(foreach p,$(PROGRAMS),$(call put,755,$(B)/$(p),$(BINDIR)/$(p)) \
		$(call put,644,$(B)/man/$(p).1,$(MANDIR)/man1/$(p).1) \
		$(call put,644,$(B)/completion/bash/$(p),$(BASHDIR)/$(p)) \
		$(call put,644,$(B)/completion/zsh/$(p),$(ZSHDIR)/_$(p)) \
		$(call put,644,$(B)/completion/fish/$(p),$(FISHDIR)/$(p).fish)) :
	$(Q)$(call put,644,$(B)/systemd/echod.service,$(UNITDIR)/echod.service) \
		$(call put,644,$(B)/systemd/echod@.service,$(UNITDIR)/echod@.service) \
		$(call put,644,configs/systemd/echod.socket,$(UNITDIR)/echod.socket) \
		$(call put,644,configs/systemd/echod.sysusers,$(SYSUSERSDIR)/echod.conf) :
	$(Q)[ -e '$(DESTDIR)$(SYSCONFDIR)/echolab/echod.conf' ] || \
		$(call put,644,$(B)/systemd/echod.conf,$(SYSCONFDIR)/echolab/echod.conf) :
	$(Q)for f in $(CONFIGS) configs/programs/files/*; do \
		[ -x $$f ] && m=755 || m=644; install -D -m $$m $$f '$(DESTDIR)$(DATADIR)/echolab/'$$f || exit 1; done
uninstall:
	rm -f $(INSTALLED:%='$(DESTDIR)%')
	rm -rf '$(DESTDIR)$(DATADIR)/echolab'

# What Debian calls a snapshot, where the commit is not that of debian/changelog's version: tools/deb
deb:
	$(Q)tools/deb $(DEBFLAGS)
package-check:
	$(Q)tests/package-check $(SUITES)

# The same bytes for the same commit, whoever makes it: nothing of the user's settings of git, of the time or the umask
dist:
	$(Q)mkdir -p build/dist && tools/version >build/dist/VERSION && sed -i 's/-dirty / /' build/dist/VERSION && \
		chmod 644 build/dist/VERSION
	$(Q)read -r v commit <build/dist/VERSION && n=echolab-$$v && git -c tar.umask=0022 -c core.autocrlf=false \
		-c core.eol=lf archive --format=tar --prefix=$$n/ --add-file=build/dist/VERSION -o build/dist/$$n.tar HEAD && \
		gzip -9nf build/dist/$$n.tar && echo build/dist/$$n.tar.gz

clean:
	$(Q)rm -rf build compile_commands.json
help:
	@sed -n '/^[^#]/q; /^$$/q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

.PHONY: all mpi hosts-check check check-programs takeover-check kernel-check vm-check vm-selection unit integration demo pictures lesson failures bench bench-programs lint clang-tidy cppcheck shellcheck tidy format \
	format-check asan ubsan tsan valgrind coverage fuzz fuzzers run-fuzzers man completion units install uninstall dist deb package-check compdb clean \
	help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
-include $(shell test -d $(B) && find $(B) -name '*.d')
