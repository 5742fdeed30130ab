#!/bin/sh
# The frozen cache: a training with it, in memory and on disk, gives the bits of one without, whichever rows it holds, resumed too; what it was made of
# decides what it serves; a damaged or cut file costs time and nothing else; the cap; what info says beforehand.
. "$(dirname "$0")/lib.sh"
two_tokenizers
# rows of every kind: shared text with prompts, and a text longer than the context, which becomes windows
awk 'BEGIN {
  for (i = 0; i < 5; i++) printf "{\"prompt\": \"He cab: %d\", \"completion\": \"%d kit%d!\"}\n", i, i * 7, i
  printf "{\"text\": \""; for (i = 0; i < 60; i++) printf "wor%d b ", i; print "\"}"
  print "{\"text\": \"[L x\"}"
}' >data.jsonl
same() { cmp -s "$1/last/theta.safetensors" "$2/last/theta.safetensors" || fail "$1 and $2 have other parameters ($3)"; }
# train PROGRAM OUT CACHE …: 3 epochs and some
train() { p=$1 out=$2 c=$3; shift 3; ./$p train --data data.jsonl --steps ${steps:-16} --batch 3rows --seed 1 --cache "$c" --out "$out" "$@" 2>err || fail "$p train $out $*: $(cat err)"; }
use() { sed -n 's/^frozen cache: \([0-9]*\) rows* in .*; \([0-9]*\) of \([0-9]*\) rows of steps.*/\1 \2 \3/p' err; }

for spec in forth prompt round; do
  loud $spec 1 >$spec.loud.calm
  build $spec.loud.calm -o $spec
  for precision in f32 bf16; do
    train $spec $spec.off off --precision $precision --overwrite
    [ -z "$(use)" ] || fail "--cache off: $(cat err)"
    for c in memory disk auto; do
      train $spec $spec.$c $c --precision $precision --overwrite
      set -- $(use)
      [ "${1:-0}" -gt 7 ] && [ "$2" -gt 0 ] && [ $(($3 - $2)) -lt $(($1 + 3)) ] || fail "$spec, $c: every row is computed once, but for one that a step has twice ($(cat err))"
      same $spec.off $spec.$c "$spec, $c, $precision"
    done
  done
done
rows=$1

# --- looks at held-out data have one of their own: the same losses and the same best parameters; every held-out row is computed once
sed 's/cab: /cob: /' data.jsonl >held.jsonl
looks() { cut -d, -f1-3,7 "$1/log.csv"; }
held() { sed -n 's/^frozen cache: .*; held-out: \([0-9]*\) in [^;]*; \([0-9]*\) of \([0-9]*\)$/\1 \2 \3/p' err; }
train round look.off off --validate held.jsonl --eval-every 4
for c in memory disk; do
  train round look.$c $c --validate held.jsonl --eval-every 4; same look.off look.$c "held-out data, $c"
  cmp -s look.off/best/theta.safetensors look.$c/best/theta.safetensors || fail "$c: another best/"
  looks look.off >a; looks look.$c >b; cmp a b || fail "$c: other held-out losses: $(cat a b)"
  set -- $(held)
  [ "$1" -gt 4 ] && [ "$3" -gt $((4 * $1)) ] && [ $(($3 - $2)) = "$1" ] || fail "held-out rows are computed once ($(cat err))"
done
# what the cache takes is reading (in a trace, between the kernels of its two parts), and both parts are steps, with their kernels
train round look.traced memory --validate held.jsonl --eval-every 4 --profile --trace t.json; same look.off look.traced traced
for part in frozen live loss_frozen loss_live; do grep -q "\"cat\": \"step\", \"name\": \"$part\"" t.json || fail "no step of $part is traced"; done
awk '/"cat": "phase"/ { split($0, f, "\""); name = f[16]; if (name == "kernels" && last == "read" && before == "kernels") n++; before = last; last = name }
     /"cat": "step", "name": "(frozen|loss_frozen)"/ { steps++ }
     END { if (!steps || n < steps) { print "kernels, read, kernels: " n " times, of " steps " steps of what is frozen"; exit 1 } }' t.json || fail "what the cache takes is in no phase"
train round look.disk disk --validate held.jsonl --eval-every 4 --overwrite; set -- $(held)
[ "$2" = "$3" ] && [ "$2" -gt 0 ] || fail "a file that was there: $(cat err)"

# --- what a step reads twice, small steps, one thread: the same bits; every row is found again by a later run, and by the one gone on with
train round many off --tokens-cap 40 --threads 1
train round many.memory memory --tokens-cap 40 --threads 1; same many many.memory '40 tokens a step'
train round half disk --precision bf16 --stop-after 5
train round half disk --resume; same half round.off resumed
train round half disk --precision bf16 --overwrite; set -- $(use); [ "$2" = "$3" ] || fail "a file that was there: $(cat err)"
same half round.off 'served from a file'
train round half disk --precision f32 --overwrite; grep -q 'half/frozen.cache: made by another program' err || fail "precision: $(cat err)"
train round half disk --precision bf16 --overwrite

# --- another row is computed, and no other; of other weights nothing is served
sed 's/cab: 3/cab: 9/' data.jsonl >other; cp data.jsonl as_was; mv other data.jsonl
train round other.off off --precision bf16
train round half disk --precision bf16 --overwrite; same half other.off 'another row'
set -- $(use); [ $(($3 - $2)) -ge 1 ] && [ $(($3 - $2)) -le 2 ] && [ "$1" = $((rows + 1)) ] || fail "one row is another: $(use), $rows before"
mv as_was data.jsonl
size=$(wc -c <gemma/model.safetensors)
cp gemma/model.safetensors weights; flip gemma/model.safetensors $((size - 300)); rm -rf "$XDG_CACHE_HOME"
train round weights.off off --precision bf16
train round half disk --precision bf16 --overwrite; same half weights.off 'other weights'
grep -q 'half/frozen.cache: made by another program, of other weights' err || fail "weights: $(cat err)"
set -- $(use); [ $(($3 - $2)) -ge "$rows" ] || fail "rows of other weights were served: $(use)"
! cmp -s weights.off/last/theta.safetensors round.off/last/theta.safetensors || fail "these weights change nothing"
cp weights gemma/model.safetensors; rm -rf "$XDG_CACHE_HOME"

# --- damaged, cut short, not ours
train round half disk --precision bf16 --overwrite
cp half/frozen.cache good
flip half/frozen.cache 400
train round half disk --precision bf16 --overwrite; same half round.off 'a damaged record'
grep -q 'half/frozen.cache: a record is damaged; what it held is computed again' err || fail "damaged: $(cat err)"
head -c $(($(wc -c <good) - 100)) good >half/frozen.cache
train round half disk --precision bf16 --overwrite; same half round.off 'a file cut short'
set -- $(use); [ $(($3 - $2)) -ge 1 ] && [ $(($3 - $2)) -le 2 ] || fail "a file without its last record: $(use)"
cmp -s good half/frozen.cache || fail "the record that was cut off is not there again"
echo mine >half/frozen.cache
expect 1 "half/frozen.cache: what is there is no file of calm's records, and is left as it is" ./round train --data data.jsonl --steps 2 --cache disk --out half --overwrite
[ "$(cat half/frozen.cache)" = mine ] || fail "a stranger's file was written to"
rm half/frozen.cache; ln -s ../data.jsonl half/frozen.cache
expect 1 'half/frozen.cache' ./round train --data data.jsonl --steps 2 --cache disk --out half --overwrite
rm half/frozen.cache

# --- the cap
for c in memory disk; do
  train round cap.$c $c --precision bf16 --cache-limit 20KB; same cap.$c round.off "the cap, $c"
  grep -q 'the frozen cache is full at [0-9.]* MB' err || fail "the cap is not said: $(cat err)"
  set -- $(use); [ "$1" -gt 0 ] && [ "$1" -lt "$rows" ] && [ "$2" -gt 0 ] || fail "the cap: $(use) of $rows"
done
[ "$(wc -c <cap.disk/frozen.cache)" -le 20000 ] || fail "a file of more than 20 KB"

# --- the settings, in flags and specs; auto where it is of no use; what is predicted
for bad in -1 4gb 1TB '4 G' x ''; do expect 2 '--cache-limit: expected a size, as in "4GB" or "500MB"' ./round train --data data.jsonl --cache-limit "$bad"; done
expect 2 '--cache: expected auto, memory, disk or off, found "ram"' ./round train --data data.jsonl --cache ram
steps=1; train round once auto
[ -z "$(use)" ] || fail "one pass has no later epoch: $(cat err)"
steps=4; train round little auto; steps=16
grep -q '1\.[0-9]* passes' err && [ -z "$(use)" ] || fail "little of a second pass is not worth its memory: $(cat err)"
train round tight auto --cache-limit 1KB; [ -z "$(use)" ] || fail "auto beyond the limit: $(cat err)"
{ cat round.loud.calm; echo 'train { data = "data.jsonl" cache = disk cache_limit = "1.5 MB" }'; } >told.calm
build told.calm -o told
./told train --help | grep -q '^  --cache-limit SIZE .*(default: 1500000)' || fail "$(./told train --help)"
sed 's/"1.5 MB"/"x"/' told.calm >bad.calm
expect 1 'cache_limit: expected a size, as in "4GB" or "500MB"' "$CALMC" build bad.calm -o bad
./told train --steps 9 --out told.run 2>err || fail "$(cat err)"
[ -f told.run/frozen.cache ] || fail "no file: $(cat err)"
bytes=$(./told info --json | sed -n '/"frozen": {/,/}/s/^ *"bytes": \([0-9]*\).*/\1/p')
kept=$(wc -c <told.run/frozen.cache)
[ "$bytes" -gt 0 ] && [ "$bytes" -le "$kept" ] && [ "$kept" -le $((bytes + 80 + rows * 56)) ] || fail "info predicts $bytes bytes, and the file has $kept"
./told info | grep -q '^  frozen .* spares [1-9][0-9]* % of a training' || fail "$(./told info)"
# of held-out data too: what the run then says and its file has
{ cat round.loud.calm; echo 'train { data = "data.jsonl" validate = "held.jsonl" eval_every = 4 steps = 16 batch = 3 rows cache = disk }'; } >watched.calm
build watched.calm -o watched
./watched train --out watched.run 2>err || fail "$(cat err)"
bytes=$(./watched info --json | sed -n '/"held": {/,/}/s/^ *"bytes": \([0-9]*\).*/\1/p') share=$(./watched info | sed -n 's/.*of held-out rows of .*, each of which spares \([0-9]*\) % of a look.*/\1/p')
kept=$(wc -c <watched.run/frozen_held.cache)
[ "$bytes" -gt 0 ] && [ "$bytes" -le "$kept" ] && [ "$kept" -le $((bytes + 80 + rows * 56)) ] || fail "info predicts $bytes bytes of held-out rows, and the file has $kept"
[ "$share" -gt 0 ] && grep -q "held-out rows, each of which spares $share % of a look" err || fail "info says that held-out rows spare $share %, the run: $(cat err)"
tiny >tiny.calm; build tiny.calm -o tiny
./tiny train --data data.jsonl --steps 2 --cache memory --out tiny.run 2>err || fail "$(cat err)"
grep -q 'cache has no effect: nothing of what this program trains through is frozen' err || fail "$(cat err)"
