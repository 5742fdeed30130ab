#!/bin/sh
# What info says of memory before anything is loaded, against what evaluation and training then take: within a twentieth and 12 MB. Of a file
# that was packed nothing stays resident beside the packed form. Real checkpoints too, where they are.
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
# near WHAT PREDICTED MEASURED
near() {
  awk -v what="$1" -v said="$2" -v took="$3" 'BEGIN { off = took - said; if (off < 0) off = -off; printf "%s: %.0f MB said, %.0f MB taken\n", what, said / 1e6, took / 1e6
    exit !(said > 0 && took > 0) || off > said / 20 + 12e6 }' || fail "$1: info said $2 bytes, it took $3"
}
rows 4 512 >rows.jsonl
echo 'anchor base = "model"' >frozen.calm
build frozen.calm -o frozen
for app in frozen new; do
  ./$app info --json --tokens-cap 1024 >info 2>/dev/null
  said=$(sed -n '/"eval"/,$p' info | number peak)
  took=$(./$app eval --data rows.jsonl --tokens-cap 1024 --metric loss --json 2>/dev/null | number peak_resident)
  near "$app: eval" "$said" "$took"
  [ $app = frozen ] || continue
  mapped=$(number mapped <info) packed=$(number packed <info)
  [ "$mapped" -gt 50000000 ] && [ "$took" -lt $((mapped / 3 + packed + 60000000)) ] || fail "of $mapped bytes that were packed into $packed much stayed: $took"
done
# with held-out data the best parameters so far are kept too
sed 's/batch = 1024 tokens/& validate = "rows.jsonl"/' new.calm >held.calm
build held.calm -o held
for app in new held; do
  said=$(./$app info --json --tokens-cap 1024 2>/dev/null | sed -n '/"train": {/,$p' | sed -n '/"parameters"/,$p' | number peak)
  ./$app train --data rows.jsonl --steps 1 2>err || fail "train: $(cat err)"
  took=$(sed -n 's/.*done after .*, \([0-9]*\) MB;.*/\1/p' err)
  near "$app: train" "$said" "${took:-0}000000"
  echo "$said" >$app.said
done
[ $(($(cat held.said) - $(cat new.said))) -gt 50000000 ] || fail "held-out data takes no memory: $(cat new.said held.said)"
real=${CALM_REAL:-$HOME/.cache/calm-real}
for model in smollm2-135m gemma3-270m; do
  [ -f "$real/$model/model.safetensors" ] || { echo "$model: skipped, it is not there"; continue; }
  echo "anchor base = \"$real/$model\"" >real.calm
  build real.calm -o real
  said=$(./real info --json --tokens-cap 512 2>/dev/null | sed -n '/"eval"/,$p' | number peak)
  rows 1 512 >one.jsonl
  near "$model: eval" "$said" "$(./real eval --data one.jsonl --tokens-cap 512 --metric loss --json 2>/dev/null | number peak_resident)"
done
