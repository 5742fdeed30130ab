#!/bin/sh
# What the default target builds and needs: calmc and its libraries. Nothing of tests/ and bench/, and no package of theirs; who asks for tests
# without their package is told its name. (Empty paths stand for a machine without cmocka.)
. "$(dirname "$0")/lib.sh"
command -v ninja >/dev/null || skip "no ninja"
without() { cmake -S "$root" -B "$1" -G Ninja -DCMOCKA_LIB= -DCMOCKA_INC= >log 2>&1 || fail "configuring without cmocka: $(cat log)"; }
without bare
for target in all calmc; do
  ninja -C bare -t commands $target >plan || fail "ninja $target: $(cat plan)"
  grep -q 'calmc' plan || fail "$target does not make calmc: $(cat plan)"
  ! grep -e "$root/tests/" -e "$root/bench/" -e "$root/examples/" plan || fail "$target builds what is no part of the compiler"
done
ninja -C bare -t commands bench >plan || fail "ninja bench: $(cat plan)"
grep -q "$root/bench/roofline.c" plan || fail "bench without roofline: $(cat plan)"
! grep 'cmocka' plan || fail "the benches need cmocka"
expect 1 'tests need libcmocka-dev: .*scripts/setup --tests' ninja -C bare tests
expect 8 'libcmocka-dev' sh -c 'cd bare && ctest --output-on-failure'

# --- the rates that the examples print shares of: a program of its own, of a C compiler alone
. "$root/examples/lib/lib.sh"
build_rates .
./rates --seconds 0.01 f32_all_cores f32_one_core >rates.json || fail "rates: $(cat rates.json)"
for r in f32_all_cores f32_one_core; do
  json_number $r <rates.json | awk '!($1 > 1e8) { exit 1 } END { exit NR != 1 }' || fail "$r: $(cat rates.json)"
done
! grep -q memory rates.json || fail "a rate that was not asked for: $(cat rates.json)"
expect 2 'usage: rates .*\|RATE: .*memory_all_cores' ./rates f32_everywhere
expect 2 'usage: rates' ./rates --seconds none
expect 1 'isa z80' ./rates --isa z80
echo "the default target is calmc alone"
