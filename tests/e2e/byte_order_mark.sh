#!/bin/sh
# What Windows' editors put before a text: a byte order mark before the spec, every JSON file of a model, its index of shards, data, a prompt in a
# file, lines to tokenize and a checkpoint's description changes nothing.
. "$(dirname "$0")/lib.sh"
two_tokenizers
rm -r gemma
echo '{"eos_token_id": [331, 7]}' >llama/generation_config.json
echo '{"eos_token": "</s>"}' >llama/tokenizer_config.json
mkdir cut; "$STSPLIT" llama cut 2 && rm llama/model.safetensors && mv cut/* llama/
cp -r llama marked
for f in llama/*.json; do printf '\357\273\277' | cat - "$f" >"marked/${f#llama/}"; done
[ "$(head -c 3 marked/model.safetensors.index.json | od -An -tx1)" = ' ef bb bf' ] || fail "no mark before the index"
printf '{"text": "once upon a time"}\n{"prompt": "wor", "completion": "d it"}\n' >plain.jsonl
printf 'once upon' >plain.txt
for k in jsonl txt; do printf '\357\273\277' | cat - plain.$k >marked.$k; done
spec() { printf 'anchor base = "%s"\naugment aug = "%s"\nconnect aug[1] -> base[2] with cross_attention(heads = 2)\n' "$1" "$1"; }
spec llama >plain.calm
{ printf '\357\273\277'; spec marked; } >marked.calm
for p in plain marked; do
  build $p.calm -o $p.app
  ./$p.app train --data $p.jsonl --steps 1 --batch 2rows --out $p.run 2>err || fail "$p train: $(cat err)"
  [ $p = plain ] || { printf '\357\273\277' | cat - $p.run/last/theta.json >theta && mv theta $p.run/last/theta.json; }
  ./$p.app score --data $p.jsonl --params $p.run/last --out $p.st 2>err || fail "$p score: $(cat err)"
  ./$p.app generate --params $p.run/last --prompt-file $p.txt --max-tokens 8 >$p.text 2>err || fail "$p generate: $(cat err)"
done
"$STCMP" marked.st plain.st --exact || fail "a byte order mark changes what is computed"
cmp -s marked.text plain.text || fail "a byte order mark changes what is generated: $(cat marked.text), not $(cat plain.text)"
[ "$(printf '\357\273\277"once"\n' | ./plain.app tokenize)" = "$(echo '"once"' | ./plain.app tokenize)" ] || fail "a byte order mark changes what is tokenized"
# places in messages stay right: columns are of characters as an editor counts them
printf '\357\273\277{"vocab_size": x}\n' >marked/config.json
expect 1 'marked/config.json:1:16' "$CALMC" build marked.calm -o never
echo "byte order marks are stepped over"
