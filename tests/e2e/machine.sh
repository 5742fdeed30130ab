#!/bin/sh
# What a program may use of the machine: how many threads it starts and what it says decided that, under an affinity mask and in a control group
# with a CPU quota (where this user may make one).
. "$(dirname "$0")/lib.sh"
made new 32 64 2 4 2 64 10000 >new.calm
build new.calm -o new
unset CALM_THREADS

# --- threads
flags=
threads() { "$@" ./new info $flags 2>/dev/null | sed -n 's/^[^,]*, \([0-9]* thread.*\), [0-9]* kernels$/\1/p'; }
is() { [ "$1" = "$2" ] || fail "expected '$2', found '$1'"; }
is "$(threads env CALM_THREADS=3)" "3 threads (CALM_THREADS)"
is "$(threads env CALM_THREADS=1)" "1 thread (CALM_THREADS)"
[ "$(threads env CALM_THREADS=)" = "$(threads env)" ] || fail "an empty CALM_THREADS: $(threads env CALM_THREADS=)"
flags="--threads 2"
is "$(threads env CALM_THREADS=3)" "2 threads (--threads)"
flags=
for n in 0 1025 -1 two 2x 1.5; do expect 1 "CALM_THREADS=$n: expected a number from 1 to 1024" env CALM_THREADS=$n ./new info; done
for n in 0 1025; do expect 2 "\-\-threads: expected a whole number from 1 to 1024, found \"$n\"" ./new info --threads $n; done
one=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')                      # the first of those that this test may use
[ "$(nproc)" = 1 ] || is "$(threads taskset -c "$one")" "1 thread (1 core of the affinity mask)"

if [ "$(nproc)" = 1 ]; then
  echo "skipped: a CPU quota shows on two processors or more"
elif group cpu cpu.max cpu.cfs_quota_us; then
  if [ -f "$group/cpu.max" ]; then echo "190000 100000" >"$group/cpu.max"; else echo 190000 >"$group/cpu.cfs_quota_us"; fi
  is "$(threads inside)" "1 thread (the CPU quota of $group is 1.9 processors)"
  is "$(threads inside env CALM_THREADS=2)" "2 threads (CALM_THREADS)"
  drop
fi
