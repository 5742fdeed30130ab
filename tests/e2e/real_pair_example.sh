#!/bin/sh
# The tools of examples/real_pair: its data maker on a small text, chrF against goldens of sacrebleu (tests/parity/make_chrf_golden.py), and the
# whole of `run` on two models of a few hundred weights with two tokenizers.
. "$(dirname "$0")/lib.sh"
example=$root/examples/real_pair
. "$root/examples/lib/lib.sh"
tool "$example/make_data.c" ./make_data
build_chrf

# --- chrF
cut -d' ' -f1 "$root/tests/parity/chrf/scores.txt" | while read -r name; do
  echo "$name $(./chrf "$root/tests/parity/chrf/$name.jsonl") $(./chrf "$root/tests/parity/chrf/$name.jsonl" --first-line)"
done >scores.txt
cmp -s scores.txt "$root/tests/parity/chrf/scores.txt" || fail "chrF: $(diff scores.txt "$root/tests/parity/chrf/scores.txt")"
printf '{"completion": "a"}\n' >broken.jsonl
expect 1 'broken.jsonl:1: "generated"' ./chrf broken.jsonl
expect 1 'no rows' ./chrf /dev/null

# --- rows: what does not fit is left out, batches hold rows of like length, all follows from the seed
mkdir text rows again other
for part in train:60 dev:8 test:8; do
  awk -v n="${part#*:}" -v part="${part%:*}" 'BEGIN { for (i = 1; i <= n; i++) {
    s = "neno"; for (k = 0; k < i * 7 % 13; k++) s = s " jumla" k
    print i % 10 == 3 ? "fupi" : s " \"" part i "\" \\ mwisho" >"text/" part ".swa"
    e = "word"; for (k = 0; k < i * 7 % 13; k++) e = e " all" k
    print e " " part i " end, naïve" >"text/" part ".en" } }'
done
./make_data text rows 5 40 8 4 6 >sizes
./make_data text again 5 40 8 4 6 >/dev/null
./make_data text other 6 40 8 4 6 >/dev/null
cmp -s rows/train.jsonl again/train.jsonl || fail "the same seed makes other rows"
! cmp -s rows/train.jsonl other/train.jsonl || fail "another seed makes the same rows"
[ "$(wc -l <rows/train.jsonl) $(wc -l <rows/dev.jsonl) $(wc -l <rows/test.jsonl) $(wc -l <rows/prompts.txt)" = "40 4 6 5" ] || fail "sizes: $(wc -l rows/*)"
! grep -q fupi rows/*.jsonl || fail "a pair that is too short was taken"
grep -q '^{"prompt": "Swahili: neno.* \\"train[0-9]*\\" \\\\ mwisho\\nEnglish:", "completion": " word.* end, naïve"}$' rows/train.jsonl || fail "rows: $(head -n 1 rows/train.jsonl)"
[ "$(sort -u rows/train.jsonl | wc -l)" = 40 ] || fail "a row was taken twice"
awk '{ n = length($0); if (NR % 8 == 1) low = high = n; if (n < low) low = n; if (n > high) high = n; if (NR % 8 == 0) sum += high - low }
     { if (NR == 1 || n < least) least = n; if (n > most) most = n } END { exit !(sum / 5 < (most - least) / 3) }' rows/train.jsonl || fail "batches of unlike length"
expect 1 'has .* pairs of 10 to 220 characters, 1000 are wanted' ./make_data text rows 5 1000 8 4 6
expect 2 'usage' ./make_data text rows 5 40 0 4 6
sed -i '$d' text/dev.en
expect 1 'dev.swa has 8 lines, dev.en has 7' ./make_data text rows 5 40 8 4 6

# --- the whole run, on tiny models; the skip where there are none
mkdir models
expect 77 'skipped: no .*smollm2-135m' sh "$example/run" --models models --data rows
cat >anchor.calm <<END
model smol = llama {
  vocab_size = 339  hidden_size = 36  intermediate_size = 48  num_hidden_layers = 4  num_attention_heads = 3  num_key_value_heads = 1
  max_position_embeddings = 512  bos_token_id = 330  eos_token_id = 331  rms_norm_eps = 1e-5  rope_theta = 1000  hidden_act = "silu"
  tie_word_embeddings = true
} tokenizer "$root/tests/parity/tokenizer/synthetic/byte_words.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
END
augment() { cat <<END
model gemma = gemma3 {
  vocab_size = 392  hidden_size = 24  intermediate_size = 32  num_hidden_layers = 6  num_attention_heads = 2  num_key_value_heads = 1  head_dim = 12
  max_position_embeddings = 512  bos_token_id = 1  eos_token_id = 2  query_pre_attn_scalar = 12  sliding_window = 64
  rms_norm_eps = 1e-6  hidden_activation = "gelu_pytorch_tanh"  tie_word_embeddings = true
} tokenizer "$1" init { "*norm.weight" = zeros  "*" = fan_in(1) }
END
}
augment "$root/tests/parity/tokenizer/synthetic/fallback_prepend.json" >augment.calm
augment models/gemma3-270m/tokenizer.json >untrained.calm
build anchor.calm -o anchor
build augment.calm -o augment
./anchor export models/smollm2-135m --seed 1 2>err || fail "export: $(cat err)"
./augment export models/gemma3-270m --seed 2 2>err || fail "export: $(cat err)"
echo "words end here" >>text/dev.en
expect 2 'expected f32 or bf16' sh "$example/run" --models models --data text --precision auto
for reads in '' '--reads prompt --precision bf16'; do
  sh "$example/run" --models models --data text --random untrained.calm --out out --rows 40 --held 6 --test 6 --seed 5 $reads >table 2>err || fail "run $reads: $(cat err)"
  for word in 'SmolLM2-135M alone' 'Gemma-3-270M alone' 'composition  ' 'with a random augment' 'the augment is worth' 'Swahili:  ' 'reference:  ' 'composition:'; do
    grep -q "$word" table || fail "no '$word' in $(cat table)"
  done
  [ "$(grep -c '^reference:   word' table)" = 5 ] || fail "five translations: $(cat table)"
  [ "$(tr ',' '\n' <out/results.json | grep -c '"chrf": [0-9]')" = 4 ] || fail "results.json: $(cat out/results.json)"
  p=f32; [ -z "$reads" ] || p=bf16                       # the tiny models are stored in F32
  grep -q "\"precision\": \"$p\"" out/results.json && grep -q "; products in $p\$" table || fail "which precision? $(cat table)"
  ./out/compose info | grep -q '^f32: ' && grep -q " $p: " err || fail "not trained in $p: $(cat err)"
  grep -q '^</svg>' out/loss.svg && [ "$(grep -c '<polyline' out/loss.svg)" = 4 ] || fail "loss.svg"
  for word in '<pre>' 'composition  ' 'with a random augment' '"sha256": ' 'wanted  '; do grep -q -- "$word" out/page.html || fail "no $word in page.html"; done
  [ "$(grep -c '<svg' out/page.html)" = 2 ] && [ "$(grep -c '^  wanted ' out/page.html)" = 6 ] && ! grep -q 'src=\|href=\|url([^#]' out/page.html || fail "page.html: $(cat out/page.html)"
  grep -q "$(echo "$reads" | sed 's/--//; s/ --precision.*//')\$" out/compose.calm || fail "compose.calm: $(cat out/compose.calm)"
done
mkdir mine; echo precious >mine/compose.calm
expect 1 'mine: holds what this script did not make' sh "$example/run" --models models --data text --random untrained.calm --out mine --rows 40
expect 1 'mine: holds what this script did not make' sh "$root/examples/kv_arithmetic/run" --out mine
[ "$(cat mine/compose.calm)" = precious ] || fail "a file of the user's was overwritten"
sed -n 2,8p table
