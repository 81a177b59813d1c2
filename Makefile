# make; make check; make install PREFIX=/usr/local DESTDIR=
# GNU make.  CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the caller's: nothing
# the build cannot do without is kept in them.

VERSION	= 0.1.0

CMDS	= $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
PKGS	= libcjson nettle libarchive libzstd libpcre2-8

CC	= cc
PKG_CONFIG = pkg-config
PROVE	= prove
CFLAGS	= -O2 -g
BUILD	= build

WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 \
	  -Wdangling-else

PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS))

ALL_CPPFLAGS = -D_GNU_SOURCE -DPEFT_VERSION='"$(VERSION)"' -Ilib $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARN) $(CFLAGS)
ALL_LDLIBS = -Wl,--as-needed $(PKG_LIBS) -lpthread -ldl -lm $(LDLIBS)

LIB	= $(BUILD)/libpeft.a
LIBOBJS	= $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*/*.c))
BINS	= $(CMDS:%=$(BUILD)/bin/%)
HELPERS	= $(patsubst tests/%.c,$(BUILD)/bin/%,$(wildcard tests/*.c))

all: $(BINS)

$(BUILD)/bin/%: $(BUILD)/cmd/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(ALL_LDLIBS)

$(BUILD)/bin/%: $(BUILD)/tests/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) $(ALL_LDLIBS)

$(LIB): $(LIBOBJS)
	rm -f $@
	$(AR) rcs $@ $(LIBOBJS)

# One source, compiled once for each processor path.  Decoders must give the
# same bits on each path, so only vec-*.c may fuse products and sums.
%-avx2.o: PATHFLAGS = -O3 -mavx2 -mfma -mf16c $(FUSE)
%-avx512.o: PATHFLAGS = -O3 -mavx512f -mavx512bw -mavx512dq -mavx512vl \
    -mfma -mf16c -mprefer-vector-width=512 $(FUSE)
$(BUILD)/lib/math/vec-%.o: FUSE = -ffp-contract=fast -fno-math-errno \
    -fno-trapping-math

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PATHFLAGS) -MMD -MP -c -o $@ $<

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

check: $(BINS) $(HELPERS)
	PATH="$(abspath $(BUILD))/bin:$$PATH" TOP="$(CURDIR)" \
	    $(PROVE) $(PROVEFLAGS) $(or $(T),tests/*.t)

clean:
	rm -rf build

.PHONY: all check clean
.SECONDARY:
