# make; make check; make install PREFIX=/usr/local DESTDIR=
# GNU make.  CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the caller's: nothing
# the build cannot do without is kept in them.

VERSION	= 0.1.0

CMDS	= $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
PKGS	= libcjson nettle libarchive libzstd libpcre2-8 libutf8proc libxxhash
DEBS	= gcc make pkg-config libcjson-dev nettle-dev libarchive-dev \
	  libzstd-dev libpcre2-dev libutf8proc-dev libxxhash-dev \
	  libopenblas0-pthread

PREFIX	= /usr/local
BINDIR	= $(PREFIX)/bin
MANDIR	= $(PREFIX)/share/man
BASHDIR	= $(PREFIX)/share/bash-completion/completions
ZSHDIR	= $(PREFIX)/share/zsh/site-functions

CC	= cc
CXX	= c++
PKG_CONFIG = pkg-config
INSTALL	= install
PROVE	= prove
MANDOC	= mandoc
CFLAGS	= -O2 -g
CXXFLAGS = $(CFLAGS)
# Parquet is read with Apache Arrow's C++ library, an optional part: of what
# pkg-config finds, or of ARROW=DIR, the folder of the pyarrow package (which
# brings headers and libraries); ARROW=no leaves it out.
ARROW	=
BUILD	= build

WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 \
	  -Wdangling-else

# ---- nothing below is meant to be set by the caller ------------------------

ifneq ($(filter-out clean dist lint help,$(or $(MAKECMDGOALS),all)),)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null || echo missing)
ifneq ($(filter missing,$(PKG_LIBS)),)
ifneq ($(MAKECMDGOALS),demo)
$(error libraries are missing; on Debian: apt-get install $(DEBS))
endif
endif
ifeq ($(ARROW),)
ARROW_LIBS := $(shell $(PKG_CONFIG) --libs 'parquet >= 23' 'arrow >= 23' \
	  2>/dev/null && command -v $(CXX) >/dev/null && echo -lstdc++)
ARROW_FLAGS := $(shell $(PKG_CONFIG) --cflags parquet arrow 2>/dev/null)
ifeq ($(filter -lstdc++,$(ARROW_LIBS)),)
ARROW_LIBS =
endif
else ifneq ($(ARROW),no)
ARROW_LIBS := $(wildcard $(ARROW)/libparquet.so.*) \
	  $(wildcard $(ARROW)/libarrow.so.*)
ifneq ($(words $(ARROW_LIBS)),2)
$(error ARROW=$(ARROW): no libarrow.so.N and libparquet.so.N in it)
endif
ARROW_LIBS += -Wl,-rpath,$(abspath $(ARROW)) -lstdc++
ARROW_FLAGS = -isystem $(ARROW)/include
endif
endif

ALL_CPPFLAGS = -D_GNU_SOURCE -DPEFT_VERSION='"$(VERSION)"' -Ilib \
	$(PKG_CFLAGS) $(CPPFLAGS)
# Not fusing products and sums is gcc's default in ISO C, but not clang's.
ALL_CFLAGS = -std=c11 -ffp-contract=off $(WARN) $(CFLAGS)
# OpenBLAS is opened at run time (lib/math/blas.h says why).
ALL_LDLIBS = -Wl,--as-needed $(PKG_LIBS) $(ARROW_LIBS) -lpthread -ldl -lm \
	$(LDLIBS)

LIB	= $(BUILD)/libpeft.a
ifeq ($(ARROW_LIBS),)
LEFTOUT	= lib/data/parquet.c
else
LEFTOUT	= lib/data/parquet-none.c
CXXSRCS	= lib/data/parquet-arrow.cc
endif
LIBOBJS	= $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(LEFTOUT),\
	  $(wildcard lib/*/*.c))) $(CXXSRCS:%.cc=$(BUILD)/%.o)
BINS	= $(CMDS:%=$(BUILD)/bin/%)
HELPERS	= $(patsubst tests/%.c,$(BUILD)/bin/%,$(wildcard tests/*.c))
BENCHES	= $(patsubst tests/bench/%.c,$(BUILD)/bin/%,\
	  $(wildcard tests/bench/*.c))
FUZZERS	= $(patsubst tests/fuzz/%.c,$(BUILD)/bin/%,\
	  $(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
MAN1	= $(wildcard man/*.1)
MAN5	= $(wildcard man/*.5)
MAN7	= $(wildcard man/*.7)

all: $(BINS)

help:
	@sed -n 's/^#: //p' Makefile

$(BUILD)/bin/%: $(BUILD)/cmd/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(ALL_LDLIBS)

# Each fuzz target also links with a main() that replays files, so that
# `make check' runs the corpus with any compiler.
$(BUILD)/bin/fuzz-%: $(BUILD)/tests/fuzz/fuzz-%.o \
    $(BUILD)/tests/fuzz/replay.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

$(BENCHES): $(BUILD)/bin/%: $(BUILD)/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(ALL_LDLIBS)

$(BUILD)/bin/%: $(BUILD)/tests/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(ALL_LDLIBS)

$(LIB): $(LIBOBJS) $(BUILD)/parts
	rm -f $@
	$(AR) rcs $@ $(LIBOBJS)

# One source, compiled once for each processor path.  Decoders must give the
# same bits on each path, so only panels and vec-*.c may fuse products and sums,
# for which gcc wants more than -O1.
PATHOPT	= -O3
FUSEOPT	= -O3
%-avx2.o: PATHFLAGS = $(PATHOPT) -mavx2 -mfma -mf16c $(FUSE)
%-avx512.o: PATHFLAGS = $(PATHOPT) -mavx512f -mavx512bw -mavx512dq -mavx512vl \
    -mfma -mf16c -mprefer-vector-width=512 $(FUSE)
%-avx512bf16.o %-amx.o: PATHFLAGS = $(PATHOPT) -mavx512f -mavx512bw -mavx512dq \
    -mavx512vl -mavx512bf16 -mfma -mf16c -mprefer-vector-width=512
%-amx.o: PATHFLAGS += -mavx512vnni -mamx-tile -mamx-bf16 -mamx-int8
%-avxvnni.o: PATHFLAGS = $(PATHOPT) -mavx2 -mfma -mavxvnni -mf16c
%-avx512vnni.o: PATHFLAGS = $(PATHOPT) -mavx512f -mavx512bw -mavx512dq -mavx512vl \
    -mavx512vnni -mfma -mf16c -mprefer-vector-width=512
$(BUILD)/lib/math/panel-%.o $(BUILD)/lib/quant/few-%.o: PATHFLAGS += $(PANELOPT)
$(BUILD)/lib/math/panel-%.o $(BUILD)/lib/math/vec-%.o: FUSE = $(FUSEOPT) \
    -ffp-contract=fast -fno-math-errno -fno-trapping-math

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PATHFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc Makefile $(BUILD)/parts
	@mkdir -p $(@D)
	$(CXX) -std=c++20 -Ilib $(ARROW_FLAGS) $(CPPFLAGS) -Wall -Wextra \
	    $(CXXFLAGS) -MMD -MP -c -o $@ $<

# Which optional parts are in: written when that changes, so that what a
# build left out is not kept by the next.
$(BUILD)/parts: FORCE
	@mkdir -p $(@D)
	@echo '$(ARROW_LIBS)' | cmp -s - $@ || echo '$(ARROW_LIBS)' >$@

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

#: make check      run the tests (T=tests/merge.t: one of them)
check: $(BINS) $(HELPERS) $(FUZZERS) $(BENCHES)
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    $(PROVE) $(PROVEFLAGS) $(or $(T),$(LONG) $(filter-out $(LONG), \
	    $(wildcard tests/*.t)))
# what takes longest goes first: nothing waits for it with a core idle
LONG	= tests/math.t tests/goldens.t tests/families.t tests/train.t

#: make demo       the whole chain on a real model, in five minutes
demo:
	MAKE="$(MAKE)" DEMO_DEBS="$(DEBS) jq python3-pip" sh examples/demo.sh

#: make sanitize   the tests under ASan and UBSan
# A finding of UBSan is a trap, of which ASan names the line: the words that it
# has for each check otherwise are 12 MB of data in a program, to be relocated
# when it starts and searched for leaks when it ends.  -g would follow variables
# between the checks for longer than gcc compiles, and jump threading and gcse
# go through all the ways between them, a minute for one file of kernels.
sanitize:
	ASAN_OPTIONS=handle_sigill=1:$$ASAN_OPTIONS \
	$(MAKE) check BUILD=build/sanitize PATHOPT=-O1 \
	    FUSEOPT="-O2 -fno-gcse -fno-thread-jumps" CFLAGS="-O1 -g1 \
	    -fsanitize=address,undefined -fno-sanitize-recover=all \
	    -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer"

#: make fuzz       clang's libFuzzer over each reader, FUZZTIME seconds each
#:                 (FUZZ=fuzz-gguf: one of them); finds are in build/fuzz
fuzz: FUZZTIME = 60
fuzz: FUZZ = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
fuzz: FUZZFLAGS = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
    -fsanitize=address,undefined,float-cast-overflow
fuzz:
	$(MAKE) build/fuzz/libpeft.a CC=clang BUILD=build/fuzz PATHOPT=-O1 \
	    PANELOPT=-fno-sanitize=all CFLAGS="$(FUZZFLAGS) -fsanitize=fuzzer-no-link"
	r=0; for n in $(FUZZ); do \
	    mkdir -p build/fuzz/corpus/$$n && \
	    clang -std=c11 $(FUZZFLAGS) -fsanitize=fuzzer $(ALL_CPPFLAGS) \
		-o build/fuzz/$$n tests/fuzz/$$n.c build/fuzz/libpeft.a \
		$(ALL_LDLIBS) && \
	    build/fuzz/$$n -max_total_time=$(FUZZTIME) -timeout=30 \
		-rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$$n- build/fuzz/corpus/$$n \
		tests/fuzz/corpus/$$n || { echo "$$n: FOUND" >&2; r=1; }; \
	done; exit $$r

#: make hunt       random products, attention and kernels against plain sums,
#:                 HUNTTIME seconds each of seed HUNTSEED (a trial again:
#:                 build/bin/product-hunt 0 SEED TRIAL)
hunt: HUNTTIME = 60
hunt: HUNTSEED = $(shell date +%s)
hunt: $(BUILD)/bin/product-hunt $(BUILD)/bin/attention-hunt \
    $(BUILD)/bin/kernel-hunt
	for h in $^; do $$h $(HUNTTIME) $(HUNTSEED) || exit 1; done

#: make lint       layers, headers, manual pages, shell, white space
lint:
	sh tests/layers.sh
	sh tests/style.sh
	sh tests/seen.sh
	for h in lib/*/*.h; do $(CC) -std=c11 -D_GNU_SOURCE -Ilib \
	    $$($(PKG_CONFIG) --cflags $(PKGS)) -fsyntax-only -x c $$h || \
	    exit 1; done
	cppcheck -q --error-exitcode=1 --std=c11 -Ilib --inline-suppr \
	    '-DcJSON_ArrayForEach(e,a)=for(e=(a)->child;e;e=e->next)' \
	    --suppress=missingIncludeSystem --suppress=syntaxError \
	    cmd lib
	$(MANDOC) -T lint -W warning $(MAN1) $(MAN5) $(MAN7)
	shellcheck -s sh -x -S warning -e SC2034 tests/*.t tests/*.sh \
	    tests/*/*.sh examples/*.sh .ci/run
	! grep -nE '[[:space:]]+$$' man/* tests/*.t tests/*.sh

#: make bench      speed and memory against the peers (PEERS=virtual env)
bench: all $(BENCHES) $(BUILD)/bin/vocab-tool
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    sh tests/bench/run.sh
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    sh tests/bench/methods.sh

#: make bench-methods  what a step of DoRA, IA3, prompt tuning costs beside LoRA's
bench-methods: all $(BENCHES)
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    sh tests/bench/methods.sh

#: make bench-quant  the same of quantising (SHAPES='llama-1b llama-7b')
bench-quant: all $(BENCHES)
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    sh tests/bench/quant.sh

#: make parity     trains as PEFT does (MODEL=SmolLM2.gguf); other software
#:                 reads what we write (PEERS, ADAPTERS=virtual envs; HUNT=N
#:                 the first of HUNTS=N random configurations, FAMILY_HUNT=
#:                 of FAMILY_HUNTS= families, FAMILY_WIDE=1: wider)
parity: all $(BUILD)/bin/logits-tool $(BUILD)/bin/tokenizer-unit \
    $(BUILD)/bin/side-tool $(BUILD)/bin/vocab-tool $(BUILD)/bin/peft-unit
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    $(PROVE) -v tests/parity/tokenizers.sh tests/parity/train.sh \
	    tests/parity/run.sh tests/parity/vocab.sh tests/parity/readers.sh \
	    tests/parity/methods.sh tests/parity/hunt.sh tests/parity/gguf.sh \
	    tests/parity/families.sh \
	    tests/parity/adapters_lib.sh \
	    tests/parity/heads.sh tests/parity/layouts.sh tests/parity/svd.sh

#: make completions  write completions/ anew from the option tables
completions: $(BINS)
	for c in $(CMDS); do \
	    $(BUILD)/bin/$$c --completion=bash >completions/$$c.bash && \
	    $(BUILD)/bin/$$c --completion=zsh >completions/_$$c || exit 1; \
	done

#: make install    (PREFIX, DESTDIR), make uninstall
install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 \
	    $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 \
	    $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	$(INSTALL) -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 644 $(MAN7) $(DESTDIR)$(MANDIR)/man7
	for c in $(CMDS); do $(INSTALL) -m 644 completions/$$c.bash \
	    $(DESTDIR)$(BASHDIR)/$$c && $(INSTALL) -m 644 \
	    completions/_$$c $(DESTDIR)$(ZSHDIR)/_$$c || exit 1; done

uninstall:
	cd $(DESTDIR)$(BINDIR) && rm -f $(CMDS)
	cd $(DESTDIR)$(MANDIR) && rm -f $(MAN1:man/%=man1/%) \
	    $(MAN5:man/%=man5/%) $(MAN7:man/%=man7/%)
	cd $(DESTDIR)$(BASHDIR) && rm -f $(CMDS)
	cd $(DESTDIR)$(ZSHDIR) && rm -f $(CMDS:%=_%)

dist:
	git archive --prefix=peft-$(VERSION)/ HEAD | gzip -9n > \
	    peft-$(VERSION).tar.gz

# What a packager will do, done first by us.
distcheck: dist
	rm -rf build/distcheck && mkdir -p build/distcheck
	gzip -dc peft-$(VERSION).tar.gz | tar -xf - -C build/distcheck
	cd build/distcheck/peft-$(VERSION) && $(MAKE) && $(MAKE) check && \
	    $(MAKE) install DESTDIR="$(CURDIR)/build/distcheck/root" && \
	    $(MAKE) uninstall DESTDIR="$(CURDIR)/build/distcheck/root"
	test -z "$$(find build/distcheck/root ! -type d)"

clean:
	rm -rf build

.PHONY: FORCE all help check demo sanitize fuzz hunt lint bench bench-methods bench-quant parity completions \
	install uninstall dist distcheck clean
.SECONDARY:
