#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A layer includes only from the layers above it in this list.
set -u
layers='base math tensor quant text data model peft train merge eval pack'
bad=0
for file in lib/*/*.[ch] lib/*/*.cc lib/*/*.inc; do
	own=$(basename "$(dirname "$file")")
	allowed="$own"
	for l in $layers; do
		allowed="$allowed $l"
		[ "$l" = "$own" ] && break
	done
	for inc in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
		case " $allowed " in
		*" $inc "*) ;;
		*) echo "$file: includes from $inc, which is not above $own"; bad=1 ;;
		esac
	done
done
exit $bad
