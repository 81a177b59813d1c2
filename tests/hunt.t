#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random products, attention, kernels, some seconds of them: `make hunt' goes
# on for longer.
. "$TOP/tests/lib.sh"

unset OPENBLAS_CORETYPE PEFT_CPU
unit product-hunt 4 1
unit attention-hunt 3 1
unit kernel-hunt 1 1
done_testing
