#!/bin/sh
# What info says of memory before anything is loaded, against what evaluation and training then take: within a tenth. Of a file that was packed
# nothing stays resident beside the packed form. Under a limit that does not hold them, runs are refused or warned of. Real checkpoints too, where
# they are.
. "$(dirname "$0")/lib.sh"
cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
cat >new.calm <<'END'
model new = llama {
  vocab_size = 45  hidden_size = 512  intermediate_size = 1536  num_hidden_layers = 5  num_attention_heads = 8  num_key_value_heads = 2
  max_position_embeddings = 512  bos_token_id = 0  eos_token_id = 1  rms_norm_eps = 1e-6  rope_theta = 10000  hidden_act = "silu"
  tie_word_embeddings = false
} tokenizer "chars.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
train { batch = 1024 tokens }
END
build new.calm -o new
./new export model --seed 1 2>err || fail "export: $(cat err)"
# rows N LENGTH: N rows of LENGTH ids
rows() { awk -v n="$1" -v len="$2" 'BEGIN { for (i = 0; i < n; i++) { s = ""; for (k = 0; k < len; k++) s = s (k ? ", " : "") (i * 7 + k * 13) % 45; printf "{\"input_ids\": [%s], \"labels\": [%s]}\n", s, s } }'; }
number() { tr ',{}' '\n\n\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }
# of COMMAND KEY: what the JSON of info (standard input) says of a command's memory
of() { sed -n '/"memory": {/,$p' | sed -n "/\"$1\": {/,/}/p" | number "$2"; }
# near WHAT PREDICTED MEASURED
near() {
  awk -v what="$1" -v said="$2" -v took="$3" 'BEGIN { off = took - said; if (off < 0) off = -off; printf "%s: %.0f MB said, %.0f MB taken\n", what, said / 1e6, took / 1e6
    exit !(said > 0 && took > 0) || off > took / 10 }' || fail "$1: info said $2 bytes, it took $3"
}
# eval_near PROGRAM DATA CAP: of info with that data. train_near PROGRAM DATA CAP: the same of a training of two steps
eval_near() {
  said=$(./$1 info --json --data $2 --tokens-cap $3 2>/dev/null | of eval peak)
  near "$1: eval of $2 at $3" "$said" "$(./$1 eval --data $2 --tokens-cap $3 --metric loss --json 2>/dev/null | number peak_resident)"
}
train_near() {
  said=$(./$1 info --json --data $2 --tokens-cap $3 2>/dev/null | of train peak)
  ./$1 train --data $2 --steps 2 --batch $3 --out $1.$3 2>err || fail "train: $(cat err)"
  near "$1: train of $2 at $3" "$said" "$(sed -n 's/.*done after .*, \([0-9]*\) MB;.*/\1/p' err)000000"
  rm -rf $1.$3
}
rows 4 512 >rows.jsonl
echo 'anchor base = "model"' >frozen.calm
build frozen.calm -o frozen
for app in frozen new; do
  ./$app info --json --tokens-cap 1024 >info 2>/dev/null
  said=$(of eval peak <info)
  took=$(./$app eval --data rows.jsonl --tokens-cap 1024 --metric loss --json 2>/dev/null | number peak_resident)
  near "$app: eval" "$said" "$took"
  [ $app = frozen ] || continue
  mapped=$(number mapped <info) packed=$(number packed <info)
  [ "$mapped" -gt 50000000 ] && [ "$took" -lt $((mapped / 3 + packed + 60000000)) ] || fail "of $mapped bytes that were packed into $packed much stayed: $took"
done
# the largest matrix, here most of the model, stands in memory once: it is packed while there is little else
sed 's/vocab_size = 45 /vocab_size = 40000 /;s/num_hidden_layers = 5/num_hidden_layers = 2/;s/tie_word_embeddings = false/tie_word_embeddings = true/;/^train/d' new.calm >tied.calm
build tied.calm -o tied
./tied export large --seed 1 2>err || fail "export: $(cat err)"
echo 'anchor base = "large"' >heavy.calm
build heavy.calm -o heavy
size=$(wc -c <large/model.safetensors) took=$(./heavy eval --data rows.jsonl --tokens-cap 64 --metric loss --json 2>/dev/null | number peak_resident)
[ "$took" -lt $((size + size / 4 + 20000000)) ] || fail "of $size bytes, most of them in one matrix, $took are resident"
# within PERCENT PROGRAM COMMAND…: with that part more of --memory than it takes without any it computes as before, and keeps to it. Of a table that ids read, only what they read is resident
within() {
  part=$1; shift
  "$PEAK" took "$@" >out 2>err || fail "$*: $(cat err)"
  most=$(($(cat took) / 10000 * (100 + part) / 10000))
  "$PEAK" least "$@" --memory "${most}MB" >out 2>err || fail "$*: $(cat took) bytes were taken, and of --memory ${most}MB it says: $(cat err)"
  echo "$*: $(cat took) bytes, with --memory ${most}MB $(cat least)"
  ! grep -q 'at a time, not' err && [ "$(cat least)" -le "${most}000000" ] || fail "$*: within $most MB it takes $(cat least): $(cat err)"
}
awk 'BEGIN { srand(7); for (i = 0; i < 40; i++) { s = ""; for (k = 0; k < 200; k++) s = s (k ? ", " : "") 2 + int(rand() * 39000); printf "{\"input_ids\": [%s], \"labels\": [%s]}\n", s, s } }' >wide.jsonl
within 20 ./heavy eval --data wide.jsonl --metric loss --tokens-cap 256
within 20 ./heavy generate --prompt abc --max-tokens 40 --ignore-eos
within 20 ./heavy score --data wide.jsonl --top 2 --tokens-cap 256 --out top.st
# the best parameters so far are on disk: with held-out data a training takes no more
sed 's/batch = 1024 tokens/& validate = "rows.jsonl"/' new.calm >held.calm
build held.calm -o held
for app in new held; do
  said=$(./$app info --json --tokens-cap 1024 2>/dev/null | of train peak)
  ./$app train --data rows.jsonl --steps 1 2>err || fail "train: $(cat err)"
  took=$(sed -n 's/.*done after .*, \([0-9]*\) MB;.*/\1/p' err)
  near "$app: train" "$said" "${took:-0}000000"
  echo "${took}" >$app.took
done
# a batch of few rows is all that a step holds
sed 's/batch = 1024 tokens/batch = 2 rows/' new.calm >few.calm
build few.calm -o few
rows 40 64 >even.jsonl
said=$(./few info --json --data even.jsonl 2>/dev/null | of train peak)
./few train --data even.jsonl --steps 4 --out few.run 2>err || fail "train: $(cat err)"
near "few: train of 2 rows at a time" "$said" "$(sed -n 's/.*done after .*, \([0-9]*\) MB;.*/\1/p' err)000000"
dry=$(./few train --dry-run --data even.jsonl --steps 4 2>/dev/null | sed -n 's/^memory *about \([0-9]*\) MB.*/\1/p')
near "few: dry run" "$said" "${dry}000000"
# held-out rows that are longer than those of training are what a step at them is of
rows 8 16 >short.jsonl
./held info --json --data short.jsonl --tokens-cap 64 >info 2>/dev/null
./held info --json --data rows.jsonl --tokens-cap 64 >looked 2>/dev/null
[ "$(of train activations <info)" -ge "$(of eval activations <looked)" ] || fail "of held-out rows of 512 tokens info says $(of train activations <info), eval of them $(of eval activations <looked)"
[ -f held.run/best/theta.safetensors ] && [ "$(wc -c <held.run/best/theta.safetensors)" -gt 50000000 ] || fail "no best/: $(ls held.run)"
[ $(($(cat held.took) - $(cat new.took))) -lt 20 ] || fail "held-out data takes memory: $(cat new.took held.took)"

# two tokenizers: a step is full where one of the models has its tokens, and the other has fewer of the same text
cp "$root/tests/parity/tokenizer/synthetic/byte_words.json" .
cat >pair.calm <<'END'
anchor base = "wide"
augment aug = "model"
connect aug[2] -> base[2] with cross_attention(heads = 4)
END
sed 's/vocab_size = 45/vocab_size = 400/;s/chars.json/byte_words.json/' new.calm >wide.calm
build wide.calm -o wide_app
./wide_app export wide --seed 1 2>err || fail "export: $(cat err)"
build pair.calm -o pair
awk 'BEGIN { for (i = 0; i < 40; i++) { s = ""; for (k = 0; k < 20; k++) s = s " once upon a time there was a little girl"; printf "{\"text\": \"%s\"}\n", s } }' >story.jsonl
train_near pair story.jsonl 1024
eval_near pair story.jsonl 2048
data=$(./pair info --json --data story.jsonl 2>/dev/null | of train activations)
any=$(./pair info --json 2>/dev/null | of train activations)
[ "$data" -lt $((any * 3 / 4)) ] || fail "activations of text of which one model has far more tokens: $data, of any text $any"

# --- limits
expect 1 'address space are needed, and this process may have 256 MB (ulimit -v)' sh -c "ulimit -v 250000 && ./new train --data rows.jsonl --steps 1 --out refused"
[ ! -d refused ] || fail "a run that was refused has left a directory"
sh -c 'ulimit -v 250000 && ./new info' >said 2>err || fail "info under ulimit -v: $(cat err)"
grep -q 'address space 256.0 (ulimit -v)' said || fail "info says nothing of ulimit -v: $(tail -n 1 said)"
./new info | grep -q '^  here .* free' || fail "info says nothing of free memory"
if group memory memory.max memory.limit_in_bytes; then
  file=$group/memory.max
  [ -f "$file" ] || file=$group/memory.limit_in_bytes
  echo 200000000 >"$file"
  expect 1 "at least [0-9]* MB of memory are needed, and $file allows 200 MB" inside ./new train --data rows.jsonl --steps 1 --out refused
  ! inside ./new eval --data rows.jsonl --tokens-cap 512 --metric loss 2>&1 | grep 'warning: about' || fail "a warning where there is room"
  expect 0 "warning: about [0-9]* MB of memory will be needed, and $file allows 200 MB .*--tokens-cap" inside ./new eval --data rows.jsonl --tokens-cap 8192
  [ "$(grep -c 'warning: about' said)" = 1 ] || fail "not one warning: $(cat said)"
  inside ./new info >said
  grep -q "limit 200.0 ($file)" said || fail "info says nothing of the limit: $(cat said)"
  drop
fi

# --- real checkpoints
real=${CALM_REAL:-$HOME/.cache/calm-real}
[ -f "$real/smollm2-135m/model.safetensors" ] && [ -f "$real/gemma3-270m/model.safetensors" ] || { echo "real checkpoints: skipped, they are not there"; exit 0; }
stories=$root/../shared/data/weights/stories260k/hf plays=$root/../shared/data/text/tinyshakespeare/input.txt
[ -f "$stories/model.safetensors" ] && [ -f "$plays" ] || { echo "real checkpoints: skipped, for the data beside them is not there"; exit 0; }
awk '{ gsub(/[\\"]/, ""); s = s " " $0; if (length(s) > 1400) { printf "{\"text\": \"%s\"}\n", s; s = ""; if (++n == 12) exit } }' "$plays" >plays.jsonl
echo "anchor base = \"$real/smollm2-135m\"" >smol.calm
echo "anchor base = \"$real/gemma3-270m\"" >gem.calm
{ cat smol.calm; echo "augment aug = \"$stories\""; echo 'connect aug[every 1] -> base[spread] with cross_attention_scaled(heads = 8)'; } >smolst.calm
{ cat smol.calm; echo "augment aug = \"$real/gemma3-270m\""; echo 'connect aug[every 6] -> base[spread] with cross_attention_scaled(heads = 8)'; } >smolgem.calm
for app in smol gem smolst smolgem; do
  build $app.calm -o $app
  eval_near $app plays.jsonl 512
done
eval_near smol plays.jsonl 4096
for app in smol gem; do
  within 15 ./$app eval --data plays.jsonl --metric loss
  within 7 ./$app generate --prompt 'Once upon a time' --max-tokens 4
  within 7 ./$app score --data plays.jsonl --top 5 --out top.st
done
train_near smolst plays.jsonl 1024
train_near smolgem plays.jsonl 512
