#!/bin/sh
# The two real checkpoints composed, both ways round, each with its own tokenizer: untrained the logits are the anchor's bit for bit; with random
# parameters later tokens never reach earlier logits, with words, emoji and CJK characters cut; chunks give the bits of one forward.
# `tests/run --real` makes the checkpoints; they are looked for in CALM_REAL or ~/.cache/calm-real.
. "$(dirname "$0")/lib.sh"
real=${CALM_REAL:-$HOME/.cache/calm-real}
[ -f "$real/smollm2-135m/model.safetensors" ] && [ -f "$real/gemma3-270m/model.safetensors" ] ||
  skip "no real checkpoints in $real (tests/run --real makes them)"
text='the naïveté of 漢字 is 👩‍🚀😀 in 2024: antidisestablishmentarianism'
cat >rows.jsonl <<'END'
{"prompt": "Swahili: Habari 😀\nEnglish:", "completion": " Hello 漢, 👍🏽"}
END
way() {                        # ANCHOR AUGMENT HEADS
  echo "anchor base = \"$real/$1\"" >alone.calm
  { cat alone.calm; echo "augment aug = \"$real/$2\""; echo "connect aug[every 6] -> base[spread] with cross_attention(heads = $3)"; } >pair.calm
  loud pair 0.1 >loud.calm
  for p in alone pair loud; do build $p.calm -o $p; done
  cuts="3 7 9 12 15 19"
  echo "\"$text\"" | ./pair tokenize | leak_rows 49000 0 $cuts >leak.jsonl
  score alone alone.st --data rows.jsonl
  score pair pair.st --data rows.jsonl
  "$STCMP" pair.st alone.st --key '*.logits' --exact || fail "$1 with $2, untrained: other logits than alone"
  score loud full.st --data rows.jsonl
  "$STCMP" full.st alone.st --key '*.logits' --differ 1e-3 >/dev/null || fail "the composition changes nothing"
  for c in 1 5; do
    score loud chunks.st --data rows.jsonl --chunk $c
    "$STCMP" chunks.st full.st --key '*.logits' --exact || fail "$1 with $2: chunks of $c"
  done
  score loud leak.st --data leak.jsonl --top 64
  r=1
  for cut in $cuts; do
    for what in ids values; do same_until leak.st $r top.$what "$cut"; done
    differs_after leak.st $r top.values "$cut"
    r=$((r + 1))
  done
  echo "$1 with $2: the anchor's logits untrained, no leak, chunks equal"
  rm -f ./*.st
}
way smollm2-135m gemma3-270m 9
way gemma3-270m smollm2-135m 4
