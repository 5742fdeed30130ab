#!/bin/sh
# What a checkpoint holds and what becomes of damage: one flipped bit is an error with both hashes, an earlier calm's loads with a warning, best/ is
# there with held-out data only and the start is called the best where it was, another instruction-set path is said.
. "$(dirname "$0")/lib.sh"
only=
cp -r "$root/tests/parity/fixture/." .
sed '/^train/,$d' spec.calm >bare.calm
build bare.calm -o app
train() { ./app train --data rows.jsonl --seed 3 "$@" 2>err || fail "train $*: $(cat err)"; }
field() { sed -n "s/^ *\"$1\": \([^,]*\),*/\1/p" "$2"; }

# --- without held-out data there is no best/; with it best/ is the lowest of all looks, also when the run is cut in two
train --steps 6 --out run
[ ! -e run/best ] || fail "best/ without held-out data"
! grep -q 'held-out' err || fail "held-out loss of nothing: $(cat err)"
train --steps 12 --out whole --validate rows.jsonl --lr 1e-2 --eval-every 3
tail -1 err | grep -q '^done .*best parameters in whole/best (held-out loss was lowest after step [1-9].*last step in whole/last' || fail "which look was best is not said: $(cat err)"
cut -d, -f7 whole/log.csv | grep '[0-9]' | sort -g | head -1 >lowest
[ "$(printf %.4f "$(cat lowest)")" = "$(printf %.4f "$(field best whole/best/theta.json)")" ] || fail "best: $(field best whole/best/theta.json), lowest look: $(cat lowest)"
train --steps 12 --out part --validate rows.jsonl --lr 1e-2 --eval-every 3 --stop-after 5
train --steps 12 --out part --validate rows.jsonl --lr 1e-2 --eval-every 3 --resume
for f in best/theta.safetensors last/theta.safetensors last/optimizer.safetensors; do cmp whole/$f part/$f || fail "$f of a run in two parts"; done
# the time that a run took is that of its parts
before=$(field seconds part/best/theta.json) after=$(field seconds part/last/theta.json)
awk -v a="$before" -v b="$after" 'BEGIN { exit !(a > 0 && b > a) }' || fail "seconds: $before at the best step, $after at the end"
grep -q "^done after step 12 of 12 in .* s ($(printf %.1f "$after") s with what was before), " err || fail "$after s in all are not said: $(cat err)"
[ "$(field best_step whole/last/theta.json)" = "$(field step whole/best/theta.json)" ] || fail "best_step"

# --- a training that was of no use says so, also when it is stopped or gone on with
train --steps 4 --out idle --validate rows.jsonl --lr 0
grep -q '^warning: the start was best' err || fail "the start was best, and nothing says so: $(cat err)"
train --steps 6 --out idle --lr 0 --resume
grep -q '^warning: the start was best' err || fail "after --resume: the start was best, and nothing says so: $(cat err)"
train --steps 8 --out early --validate rows.jsonl --lr 0 --eval-every 4 --stop-after 3
! grep -q 'the start was best' err || fail "no look was made: $(cat err)"
# patience: looks after steps 2, 4 and 6 find nothing lower than the start, also where the run was stopped in between
train --steps 20 --out tired --validate rows.jsonl --lr 0 --eval-every 2 --patience 3
grep -q 'not below .* in 3 looks (patience): done after step 6 of 20' err || fail "patience: $(cat err)"
train --steps 20 --out tired2 --validate rows.jsonl --lr 0 --eval-every 2 --patience 3 --stop-after 3
train --out tired2 --resume
cmp tired/last/theta.safetensors tired2/last/theta.safetensors && [ "$(wc -l <tired2/log.csv)" = 7 ] || fail "patience, resumed: $(cat err)"
train --steps 0 --out zero --validate rows.jsonl
! grep -q 'the start was best' err || fail "nothing was trained: $(cat err)"
mkdir run/best; train --steps 7 --out run --resume
grep -q 'run/best stays as it is' err || fail "a best/ that nobody keeps: $(cat err)"

# --- one flipped bit, anywhere
for f in theta optimizer; do
  n=$(wc -c <run/last/$f.safetensors)
  for at in 0 20 $((n / 2)) $((n - 1)); do
    rm -rf bad; cp -r run bad; flip bad/last/$f.safetensors $at
    was=$(sha256sum <run/last/$f.safetensors | cut -c1-12) is=$(sha256sum <bad/last/$f.safetensors | cut -c1-12)
    expect 1 "^error: bad/last/$f.safetensors: .*$is.*$was" ./app train --data rows.jsonl --steps 9 --seed 3 --out bad --resume
    [ $f = theta ] || continue
    expect 1 "^error: bad/last/$f.safetensors: .*$is.*$was" ./app eval --data rows.jsonl --params bad/last
    expect 1 "^error: bad/last/$f.safetensors: .*$is.*$was" ./app score --data rows.jsonl --out never.st --params bad/last/theta.safetensors
  done
done
rm -rf bad; cp -r run bad; sed -i '/"step"/d' bad/last/theta.json
expect 1 'bad/last/theta.json: "step"' ./app train --data rows.jsonl --steps 9 --seed 3 --out bad --resume
sed 's/"calm": [0-9]*/"calm": 99/' run/last/theta.json >bad/last/theta.json
expect 1 'format 99, by a newer calm' ./app train --data rows.jsonl --steps 9 --seed 3 --out bad --resume
expect 1 'format 99, by a newer calm' ./app eval --data rows.jsonl --params bad/last

# --- a digit of theta.json: told; its layout says nothing, and what was changed on purpose is taken without its hash
for change in 's/"step": 7/"step": 6/' 's/^\(  "tokens": \)/\11/' 's/"accumulate": 1/"accumulate": 2/'; do
  rm -rf bad; cp -r run bad; sed -i "$change" bad/last/theta.json
  ! cmp -s run/last/theta.json bad/last/theta.json || fail "nothing to change: $change in $(cat bad/last/theta.json)"
  expect 1 'bad/last/theta.json: it does not say what was saved' ./app train --data rows.jsonl --steps 9 --out bad --resume
  expect 1 'bad/last/theta.json: it does not say what was saved' ./app eval --data rows.jsonl --params bad/last
  expect 1 'bad/last/theta.json: it does not say what was saved' ./app verify-files bad
done
rm -rf bad; cp -r run bad; tr -d '\n' <run/last/theta.json | sed 's/": /"  :   /g' >bad/last/theta.json
./app eval --data rows.jsonl --params bad/last >said 2>err || fail "theta.json on one line: $(cat err)"
! grep -q warning err || fail "theta.json on one line: $(cat err)"
cp run/last/theta.json bad/last; unsigned bad/last/theta.json
sed -i 's/"step": 7/"step": 6/' bad/last/theta.json
./app eval --data rows.jsonl --params bad/last >said 2>err || fail "theta.json without its hash: $(cat err)"
[ "$(grep -c '^warning: .*no hash of itself' err)" = 1 ] || fail "no warning, or several: $(cat err)"

# --- as an earlier calm saved it: no hashes, other fields; one warning, and the run it would have been
rm -rf old; cp -r run old
spec=$(./app info --json 2>/dev/null | sed -n 's/.*"spec_sha256": "\([0-9a-f]*\)".*/\1/p')
earlier 1 run/last/theta.json "$spec" base aug | sed -e '/"best_step"/d' -e 's/^  "step"/  "best_train": 0.5, "sum": 1.5, "count": 1.0, "step"/' >old/last/theta.json
! grep -q 'files\|best_step' old/last/theta.json || fail "not as an earlier calm saved it: $(cat old/last/theta.json)"
train --steps 9 --out old --resume
[ "$(grep -c 'has no hash' err)" = 1 ] || fail "no warning, or several: $(cat err)"
train --steps 9 --out run --resume
! grep -q 'no hash' err || fail "a warning about hashes: $(cat err)"
cmp run/last/theta.safetensors old/last/theta.safetensors || fail "an earlier calm's checkpoint goes on otherwise"
grep -q sha256 old/last/theta.json || fail "no hashes now"

[ "calmc $(field calm_version old/last/theta.json | tr -d '"')" = "$("$CALMC" --version)" ] || fail "which calm wrote it is not said: $(cat old/last/theta.json)"

# --- another instruction-set path
[ "$(field isa run/last/theta.json)" = '"avx2"' ] && other=avx512 || other=avx2
if CALM_ISA=$other ./app info >/dev/null 2>&1; then
  CALM_ISA=$other ./app train --data rows.jsonl --seed 3 --steps 10 --out run --resume 2>err || fail "train: $(cat err)"
  [ "$(grep -c "^warning: run/last was trained with .* and goes on with $other" err)" = 1 ] || fail "another path is not said: $(cat err)"
  CALM_ISA=$other ./app train --data rows.jsonl --seed 3 --steps 11 --out run --resume 2>err || fail "train: $(cat err)"
  ! grep -q 'was trained with' err || fail "the same path is said: $(cat err)"
fi
echo "damage is seen, the best is kept"
