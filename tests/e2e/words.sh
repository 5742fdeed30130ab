#!/bin/sh
# What a user reads from calmc and from programs: what is wrong, what would have been right, and what is about to happen.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
cat >own.calm <<'END'
model tiny = llama {
  vocab_size = 45  hidden_size = 16  intermediate_size = 24  num_hidden_layers = 1  num_attention_heads = 2  num_key_value_heads = 2
  max_position_embeddings = 512  bos_token_id = 0  eos_token_id = 1  rms_norm_eps = 1e-6  rope_theta = 1000  hidden_act = "silu"
  tie_word_embeddings = false
} tokenizer "chars.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
END
build spec.calm -o app
build own.calm -o own

# --- UTF-16: data, specs, configs, tokenizers
printf '{"text": "ab"}\n' | iconv -f UTF-8 -t UTF-16 >marked.jsonl
printf '{"text": "ab"}\n' | iconv -f UTF-8 -t UTF-16BE >plain.jsonl
for f in marked plain; do expect 1 "^error: $f.jsonl: it is UTF-16, expected UTF-8.*iconv" ./own eval --data $f.jsonl; done
iconv -f UTF-8 -t UTF-16LE own.calm >wide.calm
expect 1 "^error: cannot read 'wide.calm': it is UTF-16" "$CALMC" build wide.calm -o never
cp -r base wide && iconv -f UTF-8 -t UTF-16 base/config.json >wide/config.json
sed 's/"base"$/"wide"/' spec.calm >wide.calm
expect 1 'wide/config.json: it is UTF-16' "$CALMC" build wide.calm -o never
mkdir widetok && iconv -f UTF-8 -t UTF-16 chars.json >widetok/tokenizer.json
expect 1 '^error: widetok/tokenizer.json: it is UTF-16' "$CALMC" tokenize widetok
expect 1 'it is UTF-16' "$CALMC" tokenize chars.json <marked.jsonl
rm -r wide widetok marked.jsonl plain.jsonl wide.calm

# --- a file that holds no rows
row() { printf "$2\n" >bad.jsonl; expect 1 "^error: bad.jsonl:1: $1" ./own eval --data bad.jsonl; }
printf 'First Citizen:\nBefore we proceed any further, hear me speak.\n' >bad.jsonl
expect 1 "^error: bad.jsonl:1: expected a row, a JSON object on one line such as .*\"completion\".*, found 'First Citizen:'" ./own eval --data bad.jsonl
row "expected a row, .* found 'Ünïcode text that goes…'" 'Ünïcode text that goes on and on and on'
row 'expected the keys of one kind of row, .*, found "instruction", "output"$' '{"instruction": "a", "output": "b"}'
row '.*found "prompt", "completion", "text"$' '{"prompt": "a", "completion": "b", "text": "c"}'
row '.*found no key$' '{}'
row 'expected a row, an object such as .*, found an array' '["a", "b"]'
printf '{\n  "text": "a"\n}\n' >bad.jsonl
expect 1 '^error: bad.jsonl:1:.*; a row is a JSON object on one line' ./own eval --data bad.jsonl
keys=$(for i in $(seq 60); do printf '"a_long_key_%d": 1, ' $i; done)
row '.*"a_long_key_1", .* and [0-9]* more$' "{$keys \"z\": 0}"
