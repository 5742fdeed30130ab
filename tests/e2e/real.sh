#!/bin/sh
# Two real pretrained checkpoints against what transformers computes in f32 over the same bf16 weights (tests/parity/make_real_goldens.py):
# the loss of the first four windows of 512 tokens of WikiText-2's test text, the five largest next-token logits of eight prompts, 32 greedy
# tokens; that loss in bf16 and with weights kept as int8, too. `tests/run --real` makes the checkpoints; they are looked for in CALM_REAL or ~/.cache/calm-real.
. "$(dirname "$0")/lib.sh"
real=${CALM_REAL:-$HOME/.cache/calm-real}
gold=$root/tests/parity/real
[ -f "$real/smollm2-135m/model.safetensors" ] && [ -f "$real/gemma3-270m/model.safetensors" ] ||
  skip "no real checkpoints in $real (tests/run --real makes them)"
# json: standard input as one JSON string
json() { awk 'BEGIN { printf "\"" } { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); printf "%s\\n", $0 } END { print "\"" }'; }
# windows PREFIX: four rows of 512 ids from {"ids": […]} on standard input, every window begun with PREFIX ("-": nothing)
windows() {
  ids_of | sed 's/, */\n/g' | awk -v prefix="$1" '
    function begin() { row = ""; n = 0; if (prefix != "-") for (k = 1; k <= np; k++) put(p[k]) }
    function put(id) { row = row (n++ ? ", " : "") id; print id >"ids" }
    BEGIN { np = prefix == "-" ? 0 : split(prefix, p, ","); begin() }
    { put($1) } n == 512 { printf "{\"input_ids\": [%s], \"labels\": [%s]}\n", row, row; if (++w == 4) exit; begin() }'
}
for model in smollm2-135m gemma3-270m; do
  read -r prefix digest loss <"$gold/$model.windows"
  echo "anchor base = \"$real/$model\"" >spec.calm
  build spec.calm -o app
  echo "$model: five largest logits"
  ./app score --precision f32 --data "$gold/$model.prompts.jsonl" --top 5 --out got.safetensors 2>/dev/null
  "$STCMP" got.safetensors "$gold/$model.prompts.safetensors" --key '*.top.ids' --last --exact || fail "$model: other tokens among the five likeliest"
  "$STCMP" got.safetensors "$gold/$model.prompts.safetensors" --key '*.top.values' --tol 1e-3 || fail "$model: logits"
  echo "$model: the likeliest token, all along prompts and continuations"
  ./app score --precision f32 --data "$gold/$model.greedy.jsonl" --top 1 --out got.safetensors 2>/dev/null
  "$STCMP" got.safetensors "$gold/$model.greedy.safetensors" --key '*.top.ids' --exact || fail "$model: other greedy tokens"
  # texts.jsonl: ["prompt", "continuation"]; both sides of the comparison are JSON text of this one's escapes
  while IFS= read -r line; do
    prompt=$(printf '%s' "$line" | sed 's/^\["\(.*\)", "\(.*\)"\]$/\1/')
    want=$(printf '%s' "$line" | sed 's/^\["\(.*\)", "\(.*\)"\]$/\2/')
    printf '%b' "$(printf '%s' "$prompt" | sed 's/\\"/"/g')" >prompt
    ./app generate --precision f32 --prompt-file prompt --max-tokens 32 --ignore-eos 2>/dev/null >made
    printf '%b\n' "$(printf '%s' "$want" | sed 's/\\"/"/g')" | cmp -s - made || fail "$model after '$prompt': $(cat made), expected $want"
  done <"$gold/$model.texts.jsonl"
  echo "$model: greedy continuations of eight prompts equal"
  [ -f "$data/text/wikitext-2/test.txt" ] || { echo "skipped: no $data/text/wikitext-2/test.txt"; continue; }
  head -n 60 "$data/text/wikitext-2/test.txt" | json | ./app tokenize | windows "$prefix" >rows.jsonl
  [ "$(sha256sum <ids | cut -d' ' -f1)" = "$digest" ] || fail "$model: the windows' tokens are not those of the golden"
  loss() { ./$1 eval --precision $2 --data rows.jsonl --metric loss --json 2>/dev/null | tr ',' '\n' | sed -n 's/.*"loss": *//p' | tr -d '}] ' | head -n 1; }
  loss app f32 >loss
  awk -v want="$loss" -v model=$model '{ d = $1 - want; if (d < 0) d = -d; printf "%s: loss %.6f, transformers %.6f\n", model, $1, want; exit d > 1e-4 }' loss ||
    fail "$model: the loss differs"
  # the same weights in bf16: of so few tokens within 0.15 % of f32's loss (transformers' own bf16 is off by -0.034 % and +0.096 % here; bench/eval_real has more windows and
  # the bar of 0.1 %); kept as int8: at most 0.5 % above bf16's
  echo "anchor base = \"$real/$model\" as int8" >int8.calm
  build int8.calm -o int8
  echo "$(cat loss) $(loss app bf16) $(loss int8 f32)" | awk -v model=$model 'function off(x, y) { return 100 * (x / y - 1) }
    { printf "%s: bf16 %+.3f %% of f32, int8 %+.3f %% of bf16\n", model, off($2, $1), off($3, $2); exit !($1 > 0 && $2 > 0 && $3 > 0 && off($2, $1) ^ 2 < 0.0225 && off($3, $2) < 0.5) }' || fail "$model: the loss in bf16, or as int8"
done
