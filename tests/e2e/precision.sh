#!/bin/sh
# The choice of precision: what `auto` makes of stored weights, who is asked before whom, what a checkpoint keeps, and that every run says which and why.
. "$(dirname "$0")/lib.sh"
two_tokenizers
build forth.calm -o app                                      # two models stored in BF16
field() { sed -n "s/^ *\"$1\": \([^,]*\),*/\1/p" "$2" | head -1; }
sizes="--steps 2 --seed 3 --data rows.jsonl"

# --- every command that computes has the flag, and takes none but its words
for command in "train --data rows.jsonl" "eval --data rows.jsonl" "generate --prompt a" "score --data rows.jsonl --out never.st" "verify --ref never.st" info; do
  for word in fp8 F32 f16 "" " f32" 1 "auto "; do
    expect 2 "--precision: expected auto, f32 or bf16, found \"$word\"" ./app $command --precision "$word"
  done
  expect 2 '--precision is given twice' ./app $command --precision f32 --precision f32
  expect 2 '--precision needs a value' ./app $command --precision
  ./app ${command%% *} --help | grep -q '^  --precision NAME .*f32.*bf16' || fail "$command --help says nothing of --precision"
done
for command in tokenize "export x" "verify-files x"; do expect 2 'precision' ./app $command --precision f32; done
[ ! -e app.run ] && [ ! -e never.st ] || fail "something was left of command lines that were refused"

# --- info and the first line of every run
says() { grep -q -e "$1" "$2" || fail "no '$1' in: $(cat "$2")"; }
./app info --precision f32 >info; says '^f32: --precision says so$' info
./app info --json --precision f32 | grep -q '"precision": "f32"' || fail "info --json has no precision"
./app train $sizes --precision f32 --out f32 2>err || fail "train: $(cat err)"
head -1 err >first; says ', f32: --precision says so, ' first
[ "$(field precision f32/last/theta.json)" = '"f32"' ] || fail "theta.json: $(field precision f32/last/theta.json)"
for command in "eval --data rows.jsonl" "generate --prompt a --max-tokens 2" "score --data rows.jsonl --out s.st"; do
  ./app $command --params f32/last >out 2>err || fail "$command: $(cat err)"
  head -1 err >first; says '^forth.calm: avx[0-9]*, f32: the parameters were trained in it$' first
  ./app $command --params f32/last/theta.safetensors --precision f32 >out 2>err || fail "$command: $(cat err)"
  head -1 err >first; says '^forth.calm: avx[0-9]*, f32: --precision says so$' first
done

# --- a train block's comes before what is stored, and behind a flag and what trained the parameters
{ cat forth.calm; echo 'train { precision = f32 }'; } >told.calm
build told.calm -o told
./told info >info; says '^f32: the train block says so$' info
./told info --precision auto >info; says "^[bf0-9]*: base's weights are stored in BF16" info
./told train --help | grep -q '^  --precision .*(default: f32)' || fail "told train --help: $(./told train --help)"
./told eval --data rows.jsonl 2>err >out || fail "$(cat err)"
says '^told.calm: avx[0-9]*, f32: the train block says so$' err
./told eval --data rows.jsonl --params f32/last 2>err >out || fail "$(cat err)"
says '^told.calm: avx[0-9]*, f32: the parameters were trained in it$' err
./told train $sizes --out of_spec 2>err || fail "$(cat err)"
says ', f32: the train block says so, ' err

# --- an earlier calm's checkpoint says nothing: it was f32. One that cannot be is refused by its key
old() { rm -rf old; cp -r f32 old; sed -i -e '/^  "sha256"/d' -e "$1" old/last/theta.json; }
old '/^  "precision"/d'
./app eval --data rows.jsonl --params old/last >out 2>err || fail "$(cat err)"
says ', f32: the parameters were trained in it$' err
old 's/^  "precision": "f32"/  "precision": "fp8"/'
expect 1 'old/last/theta.json: "precision": expected "f32" or "bf16", found "fp8"' ./app eval --data rows.jsonl --params old/last
expect 1 'old/last/theta.json: "precision": expected "f32" or "bf16", found "fp8"' ./app train --steps 4 --out old --resume
echo "chosen and said"
