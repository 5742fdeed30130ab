#!/bin/sh
# --memory: what fits is chosen, said and kept to; every choice trains the same, up to the order of sums, and computing again changes no bit; what does not fit is
# refused before a weight is read, or ends a run with its state saved.
. "$(dirname "$0")/lib.sh"
{ made new 256 768 5 4 2 512 10000; } >new.calm
build new.calm -o new
./new export model --seed 1 2>err || fail "export: $(cat err)"
number() { tr ',{}' '\n\n\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }
cat >lean.calm <<'END'
anchor base = "model"
augment aug = "model"
connect aug[every 2] -> base[1, 3] with cross_attention(heads = 4)
train { batch = 1024 tokens steps = 3 optimizer = adamw(lr = 1e-3) }
END
build lean.calm -o lean
awk 'BEGIN { for (i = 0; i < 24; i++) { s = ""; for (k = 0; k < 40 + i * 4; k++) s = s (k ? ", " : "") (i * 7 + k * 13) % 45; printf "{\"input_ids\": [%s], \"labels\": [%s]}\n", s, s } }' >many.jsonl
within() {                     # NAME SIZE FLAGS…: a training within so many MB
  name=$1 size=$2; shift 2
  ./lean train --data many.jsonl --out $name --seed 1 --memory ${size}MB "$@" 2>err || fail "train within $size MB: $(cat err)"
  took=$(sed -n 's/.*done after .*, \([0-9]*\) MB;.*/\1/p' err)
  grep -q "^memory ${size}MB: steps of at most [0-9]* token" err || fail "what was chosen is not said: $(cat err)"
  [ "${took:-999999}" -le "$size" ] || fail "$took MB were taken where $size are allowed: $(cat err)"
}
./lean train --data many.jsonl --out free --seed 1 --cache off 2>err || fail "train: $(cat err)"
took=$(sed -n 's/.*done after .*, \([0-9]*\) MB;.*/\1/p' err)
expect 1 'at least [0-9]* MB of memory are needed, and --memory allows 30 MB: .* for weights, .* a step of the longest row (131 tokens)' ./lean train --data many.jsonl --out refused --memory 30MB
[ ! -e refused ] || fail "a run that was refused has left a directory"
least=$(sed -n 's/.*at least \([0-9]*\) MB.*/\1/p' said)
mv model/model.safetensors away
expect 1 'and --memory allows 30 MB' ./lean train --data many.jsonl --out refused --memory 30MB
mv away model/model.safetensors
within same $((took + took / 20 + 20)) --cache off
cmp free/last/theta.safetensors same/last/theta.safetensors || fail "where all of it fits something else is trained"
within half $(((took + least) / 2)) --cache off
# near the least, in steps that hold the longest row: what a process has at its start is a little more or less every time, and between keeping what the backward
# pass needs and computing it again are 4 MB
n=131
within little $((least + 2)) --tokens-cap $n --cache off
grep -q 'is computed again ([0-9]* % more operations)' err || fail "near the least nothing is computed again: $(cat err)"
./lean train --data many.jsonl --out capped --seed 1 --cache off --tokens-cap $n 2>err || fail "train: $(cat err)"
cmp little/last/theta.safetensors capped/last/theta.safetensors || fail "computing again changes bits"
for run in half little; do "$STCMP" $run/last/theta.safetensors free/last/theta.safetensors --tol 1e-3 >said || fail "$run within --memory trained something else: $(cat said)"; done
# what is computed again, and the frozen cache: both at once
within both $((least + 2)) --tokens-cap $n --cache disk --steps 6
grep -q 'is computed again' err && grep -q '^frozen cache: 24 rows in .*; [1-9][0-9]* of' err || fail "near the least there is no frozen cache: $(cat err)"
within alone $((least + 2)) --tokens-cap $n --cache off --steps 6
cmp alone/last/theta.safetensors both/last/theta.safetensors || fail "the frozen cache where things are computed again: other bits"
# a run that is gone on with keeps to its steps, with more memory too where that is not asked for
within parts $((least + 2)) --tokens-cap $n --cache off --stop-after 1
./lean train --data many.jsonl --out parts --resume 2>err || fail "resume: $(cat err)"
cmp little/last/theta.safetensors parts/last/theta.safetensors || fail "resumed under --memory: other bits"
# info chooses by what it has resident itself, which is not to the byte what a training has: that it keeps to the size, by smaller steps
./lean info --data many.jsonl --memory $((least + 4))MB >said || fail "info: $(cat said)"
set -- $(sed -n "s/^  memory   within $((least + 4)) MB: steps of at most \([0-9]*\) tokens.*; about \([0-9]*\) MB in all.*/\1 \2/p" said)
[ "${1:-9999}" -lt 1024 ] && [ "$2" -le $((least + 4)) ] || fail "info: $(cat said)"
# the frozen cache takes what is left
within kept $((took + took / 20 + 20)) --cache memory
cmp free/last/theta.safetensors kept/last/theta.safetensors || fail "the frozen cache within --memory: other bits"

# evaluation: fewer tokens at a time
./lean eval --data many.jsonl --metric loss --params free/last --json >all 2>err || fail "eval: $(cat err)"
most=$(($(number peak_resident <all) / 1000000))
./lean eval --data many.jsonl --metric loss --params free/last --memory $((most - 8))MB --json >some 2>err || fail "eval: $(cat err)"
grep -q '^--memory: [0-9]* tokens are computed at a time, not 4096' err || fail "eval within little memory says nothing: $(cat err)"
[ "$(number peak_resident <some)" -le $(((most - 8) * 1000000)) ] || fail "eval took more than $((most - 8)) MB: $(cat some)"
expect 1 'MB of memory are needed, and --memory allows 20 MB' ./lean eval --data many.jsonl --metric loss --params free/last --memory 20MB
# what it says is needed is the least, in smaller steps: with that it runs
least=$(sed -n 's/.*at least \([0-9]*\) MB of memory are needed.*/\1/p' said)
[ "${least:-999999}" -lt $((most - 8)) ] || fail "eval needs $least MB, and ran with $((most - 8)): $(cat said)"
./lean eval --data many.jsonl --metric loss --params free/last --memory $((least + 8))MB --json >some 2>err || fail "eval with the least that is needed: $(cat err)"
# a step of the longest row is the least there is of it: told before a weight is read, as what it is
{ cat many.jsonl; awk 'BEGIN { s = 7; for (k = 1; k < 500; k++) s = s ", " k % 45; printf "{\"input_ids\": [%s], \"labels\": [%s]}\n", s, s }'; } >long.jsonl
mv model/model.safetensors away
expect 1 "^error: long.jsonl: at least [0-9]* MB of memory are needed, and --memory allows $((least + 1)) MB, for a step of the longest row (499 tokens)" ./lean eval --data long.jsonl --metric loss --params free/last --memory $((least + 1))MB
mv away model/model.safetensors
least=$(sed -n 's/.*at least \([0-9]*\) MB of memory are needed.*/\1/p' said)
./lean eval --data long.jsonl --metric loss --params free/last --memory $((least + 2))MB --json >some 2>err || fail "eval with what its longest row needs: $(cat err)"
[ "$(number peak_resident <some)" -le $(((least + 2) * 1000000)) ] || fail "eval of a long row took more than $((least + 2)) MB: $(cat some)"
expect 2 '--memory: expected a size, as in "8GB" or "500MB", found "much"' ./lean eval --data many.jsonl --memory much

# generation: as many sequences at a time as fit, not one where eleven do; each says what it says alone
awk 'BEGIN { for (i = 0; i < 12; i++) { s = ""; for (k = 0; k < 100; k++) s = s substr("abcdefghijklmnop", (i * 7 + k * 5) % 16 + 1, 1); printf "{\"prompt\": \"%s\"}\n", s } }' >prompts.jsonl
answer() { out=$1; shift; ./lean generate --data prompts.jsonl --params free/last --max-tokens 40 --ignore-eos --out $out "$@"; }
answer all.jsonl 2>err || fail "generate: $(cat err)"
expect 1 'MB of memory are needed, and --memory allows 20 MB' answer none.jsonl --memory 20MB
least=$(sed -n 's/.*at least \([0-9]*\) MB of memory are needed.*/\1/p' said)
answer few.jsonl --memory $((least + 8))MB 2>err || fail "generate within little memory: $(cat err)"
grep -q '^--memory: \([2-9]\|1[01]\) sequences are decoded at a time, not 12$' err || fail "twelve prompts within little memory: $(cat err)"
cmp all.jsonl few.jsonl || fail "generated within little memory: another text"
# and of one, no more of it at a time than it has
answer one.jsonl --memory $((least + 2))MB --slots 1 2>err || fail "generate of one at a time: $(cat err)"
cmp all.jsonl one.jsonl || fail "generated one at a time: another text"

# what is chosen is what fits in the precision that trained the parameters, also where weights are stored in another
./new export narrow --dtype bf16 --seed 1 2>err || fail "export: $(cat err)"
sed 's/"model"/"narrow"/' lean.calm >narrow.calm
build narrow.calm -o narrow.app
./narrow.app train --data many.jsonl --steps 1 --precision f32 --out wide 2>err || fail "train: $(cat err)"
expect 1 'MB of memory are needed, and --memory allows 20 MB' ./narrow.app generate --data prompts.jsonl --params wide/last --max-tokens 40 --ignore-eos --out never.jsonl --memory 20MB
least=$(sed -n 's/.*at least \([0-9]*\) MB of memory are needed.*/\1/p' said)
expect 0 'sequences are decoded at a time, not 12' ./narrow.app generate --data prompts.jsonl --params wide/last --max-tokens 40 --ignore-eos --out wide.jsonl --memory $((least + 6))MB
grep -q ', f32: the parameters were trained in it' said || fail "another precision: $(cat said)"
