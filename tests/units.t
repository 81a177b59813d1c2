#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library of these tests, and C tests that need no golden.
. "$TOP/tests/lib.sh"

cat >some.t <<'!'
. "$TOP/tests/lib.sh"
n=100 failed=5 what=x want=y glob=z
ok one true
ok two sh -c 'echo no; exit 1'
expect 3 'b*' sh -c 'echo bad >&2; exit 3'
expect 0 '' sh -c 'echo bad >&2; exit 3'
unit printf 'ok 7\nnot ok 8\nBail out!\n'
skip more 'of no use'
ok 'one line
ok 99 - of two' true
[ "$n $failed $what $want $glob" = '100 5 x y z' ] || echo changed
done_testing
!
cat >some.want <<'!'
ok 1 - one
not ok 2 - two
# failed: sh -c echo no; exit 1
# no
ok 3 - exit status 3: sh -c echo bad >&2; exit 3
ok 4 - standard error is 'b*'
not ok 5 - exit status 0: sh -c echo bad >&2; exit 3
# failed: [ 3 -eq 0 ]
# stderr was:
# bad
not ok 6 - standard error is ''
# failed: false
# stderr was:
# bad
# not ok 8
# Bail out!
ok 7 - printf ok 7\nnot ok 8\nBail out!\n
ok 8 - more # SKIP of no use
ok 9 - one line
1..9
!
run sh some.t
cp out some.got
ok 'a test that fails says so' [ "$rc" -eq 1 ]
ok 'its lines are in sequence, whatever names it uses' \
    diff some.want some.got

for t in base-unit rng-unit json-unit file-unit in-unit opt-unit st-unit source-unit \
    parts-unit grouped-unit grouped-file-unit; do
	unit $t
done
done_testing
