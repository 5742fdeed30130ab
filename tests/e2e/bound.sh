#!/bin/sh
# What a run is bound to and what it says of itself: numbers of theta.json and of flags that are none, a step that moves nothing, the directory of a
# run as parameters, nothing left to do.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
sed '/^train/,$d' spec.calm >bare.calm
build bare.calm -o app
train() { ./app train --data rows.jsonl "$@" 2>err || fail "train $*: $(cat err)"; }
# spoil KEY VALUE: run/last with another number in theta.json, as bad/last
spoil() { rm -rf bad; cp -r run bad; sed -i "s/^\( *\"$1\": \)[^,]*/\1$2/" bad/last/theta.json; ! cmp -s run/last/theta.json bad/last/theta.json || fail "no $1 in theta.json"; }
train --steps 4 --batch 2rows --out run

# --- numbers: of theta.json, refused by file and key; of flags and the environment, by one reader
for bad in 'position -1000000000' 'step -1' 'step 4611686018427387904' 'tokens -5' 'epoch 9223372036854775807' 'end_of_text 4294967298' 'best_step -7' \
           'tokens_cap 4611686018427387904' 'n 4611686018427387904' 'accumulate 4611686018427387904' 'warmup -2'; do
  spoil $bad
  key=${bad% *}; [ "$key" != n ] || key=batch
  expect 1 "^error: bad/last/theta.json: .*$key.*expected .*found" ./app train --out bad --resume --steps 6
done
spoil n 1000000000; unsigned bad/last/theta.json
expect 1 'more than 16777216 rows' ./app train --out bad --resume --steps 6
for n in 4611686018427387904 0 ' 2' +2 0x10 2k; do
  expect 2 "tokens-cap: expected a whole number" ./app train --data rows.jsonl --out never --tokens-cap "$n"
  expect 2 "tokens-cap: expected a whole number" ./app eval --data rows.jsonl --tokens-cap "$n"
done
for n in ' 2' +2 2x 0x2; do
  expect 2 'threads: expected a whole number' ./app info --threads "$n"
  expect 1 'CALM_THREADS=' env CALM_THREADS="$n" ./app info
done
for x in ' 1' +1 inf nan 0x1p3 1e; do expect 2 'lr: expected a number' ./app train --data rows.jsonl --out never --lr "$x"; done
if (ulimit -v 4000000; ./app --version) >/dev/null 2>&1; then         # not a sanitizer build's
  expect 1 'a step of 1000000000 tokens needs' sh -c 'ulimit -v 4000000; ./app eval --data rows.jsonl --tokens-cap 1000000000'
fi
[ ! -e never ] || fail "a run of settings that were refused"

# --- a run as parameters: which checkpoints are in it
expect 1 '^error: run is the directory of a run.*run/last$' ./app eval --data rows.jsonl --params run
train --steps 12 --validate rows.jsonl --lr 1e-2 --eval-every 3 --out both
expect 1 'both/last or both/best' ./app score --data rows.jsonl --out never --params both

# --- nothing left to do: said, and nothing is touched
(cd run && find . -type f -exec sha256sum {} + | sort) >before
for more in '' '--steps 2' '--steps 9 --stop-after 3'; do
  ./app train --out run --resume $more 2>err || fail "resume $more: $(cat err)"
  tail -1 err | grep -q '^nothing left to do: run/last is after step 4, and' || fail "nothing left to do with '$more': $(cat err)"
done
(cd run && find . -type f -exec sha256sum {} + | sort) | cmp - before || fail "a resumption without a step touched the run"

# --- a training that moves nothing, or to the worse
cat >dead.calm <<'END'
op dead(b[N, D], a[M, E]) -> delta[N, D] {
  param proj[D, E], wq[1, D, D], wk[1, D, D], wo[1, D, D] = fan_in(1)
  p = linear(a, proj)
  o[N, 1, D] = attention(linear(b, wq), linear(p, wk), linear(p, wo))
  return o * 0
}
END
{ echo 'use "dead.calm"'; sed 's/with .*/with dead()/' bare.calm; } >still.calm
build still.calm -o still
./still train --data rows.jsonl --steps 5 --out still.run 2>err || fail "train: $(cat err)"
[ "$(grep -c '^warning: the gradient of step 1 is 0, and of step 2' err)" = 1 ] || fail "no word of a gradient that is 0: $(cat err)"
tail -1 err | grep -q '^warning: the gradient was 0 from step 1 to the last' || fail "the end does not say it: $(cat err)"
train --steps 20 --lr 30 --batch 1rows --out worse
tail -1 err | grep -q '^warning: the loss rose, from ' || fail "a training to the worse says nothing: $(cat err)"
train --steps 200 --lr 2e-2 --batch 1rows --out far
train --steps 260 --lr 30 --resume --out far
[ "$(grep -c '^warning: the loss of step [0-9]* is [0-9.]*, that of the first was [0-9.]*: it diverges' err)" = 1 ] || fail "not said when it diverges: $(cat err)"
train --steps 30 --lr 1e-2 --out fine
! grep -q '^warning' err || fail "a warning of a training that is fine: $(cat err)"
echo "numbers, runs and what they came to"
