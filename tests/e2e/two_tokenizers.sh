#!/bin/sh
# Compositions of models with different tokenizers, both ways round, reading prompts only, with tokens that end where the anchor's do, with a connection from the anchor to the augment, and
# of four models with three tokenizers: untrained they are their anchor, bit for bit; later tokens never reach earlier logits, wherever words,
# emoji and CJK characters are cut and when the ids are no UTF-8; chunks, threads, batches and generation give the bits of one forward; training
# lowers the loss, goes on where it stopped, and leaves the models alone.
. "$(dirname "$0")/lib.sh"
two_tokenizers
sed -i 's/"max_position_embeddings": 96/"max_position_embeddings": 512/' llama/config.json gemma/config.json
cp -r gemma third && cp "$root/tests/parity/tokenizer/synthetic/fallback_metaspace.json" third/tokenizer.json
cp -r llama second
cat >dag.calm <<'END'
anchor  base   = "llama"
augment aug    = "gemma"
augment third  = "third"
augment second = "second" reads prompt
connect base[1]   -> aug[2]    with cross_attention(heads = 2)
connect aug[3]    -> third[1]  with cross_attention(heads = 2)
connect aug[1]    -> second[1] with cross_attention(heads = 2)
connect third[3]  -> base[2]   with cross_attention(heads = 2)
connect second[3] -> base[3]   with cross_attention(heads = 2)
END
for m in llama gemma; do echo "anchor base = \"$m\"" >alone_$m.calm; only= build alone_$m.calm -o alone_$m; done
specs="forth back prompt aligned round dag"
for s in $specs; do
  # two of them, and the anchors alone, for every instruction-set path
  case $s in forth|aligned|dag) only= ;; *) only='--isa native' ;; esac
  build $s.calm -o $s
  loud $s 2 >loud_$s.calm
  build loud_$s.calm -o loud_$s
done
anchor_of() { sed -n 's/^anchor.*"\(.*\)".*/\1/p' "$1.calm"; }
sha256sum llama/* gemma/* second/* third/* >before

random_rows() { awk -v seed="$1" -v lens="$2" -v prompt="$3" 'BEGIN { srand(seed); n = split(lens, l, " "); for (i = 1; i <= n; i++) { s = t = ""
  for (k = 0; k < l[i]; k++) { id = int(rand() * 339); s = s (k ? ", " : "") id; t = t (k ? ", " : "") (k < prompt ? -100 : id) }
  print "{\"input_ids\": [" s "], \"labels\": [" t "]}" } }'; }
cat >text.jsonl <<'END'
{"prompt": "He cab: 2", "completion": "3 kité 😀 or 👩‍👧 [LONGER] x"}
{"text": "漢字's [L x\n\tthere was 日本語 a little girl, wor\nword 1 23 456"}
{"prompt": "", "completion": "k"}
{"prompt": "naïve [MASK] the 12 👍🏽", "completion": "👍 ok"}
{"text": "é́ ▁▁ <0x41> <s> one"}
END
# a few tokens for one tokenizer, hundreds for the other
awk 'BEGIN { for (i = 0; i < 9; i++) s = s "once upon a time there was a little girl the word and the other words are here. "; print "{\"text\": \"" s "\"}" }' >>text.jsonl
{ cat text.jsonl; random_rows 3 "40 1 7 23" 6; } >rows.jsonl
sed -n 2p rows.jsonl >one.jsonl
tac rows.jsonl >moved.jsonl
nrows=$(wc -l <rows.jsonl)
for m in llama gemma; do
  echo '"the naïve 😀漢字’s wor 12👩‍👧!"' | ./alone_$m tokenize >ids
  leak_rows 339 5 <ids >leak_$m.jsonl
done
random_rows 4 24 0 | sed 's/"input_ids"/"ids"/; s/, "labels.*/}/' | leak_rows 339 8 >leak_random.jsonl

same() { "$STCMP" "$@" --exact >said || fail "$what: $(cat said) ($*)"; }
no_leak() {                    # PROGRAM ROWS
  score "$1" leak.st --data "$2"
  n=$(wc -l <"$2") r=1
  while [ $r -lt "$n" ]; do
    same_until leak.st $r logits $((n - r))
    differs_after leak.st $r logits $((n - r))
    r=$((r + 1))
  done
}
for isa in $(available_isas forth); do
  export CALM_ISA=$isa
  for s in $specs; do
    ./$s info >/dev/null 2>&1 || continue
    score alone_"$(anchor_of $s)" alone.st --data rows.jsonl
    score $s untrained.st --data rows.jsonl
    what="$s untrained: other logits than alone" same untrained.st alone.st --key '*.logits'
    p=loud_$s
    score $p all.st --data rows.jsonl
    "$STCMP" all.st alone.st --key '*.logits' --differ 1e-2 >/dev/null || fail "$p: the composition changes nothing"
    score $p one.st --data one.jsonl
    what="$p: alone" same one.st all.st --key 0.logits --as 1.logits
    score $p moved.st --data moved.jsonl --tokens-cap 90
    r=0
    while [ $r -lt "$nrows" ]; do what="$p: moved" same moved.st all.st --key $r.logits --as $((nrows - 1 - r)).logits; r=$((r + 1)); done
    for n in 1 2 3; do CALM_THREADS=$n score $p threads.st --data rows.jsonl; what="$p: $n threads" same threads.st all.st --key '*.logits'; done
    for c in 1 7 64 1,7,64,5; do score $p chunks.st --data rows.jsonl --chunk $c; what="$p: chunks of $c" same chunks.st all.st --key '*.logits'; done
    no_leak $p leak_"$(anchor_of $s)".jsonl
    no_leak $p leak_random.jsonl
  done
  echo "$isa: equal bits throughout"
done
unset CALM_ISA

# generation: greedy ids by one whole forward each, then what `generate` prints, alone and among others
greedy() {                     # PROGRAM IDS PROMPT COUNT: IDS and COUNT more
  ids=$2 i=0
  while [ $i -lt "$4" ]; do
    echo "$ids" | awk -F', *' -v prompt="$3" '{ for (k = 1; k <= NF; k++) t = t (k > 1 ? ", " : "") (k <= prompt ? -100 : $k); print "{\"input_ids\": [" $0 "], \"labels\": [" t "]}" }' >next.jsonl
    score "$1" next.st --data next.jsonl --top 1
    ids="$ids, $("$STCAT" next.st 0.top.ids | tail -n 1)"
    i=$((i + 1))
  done
  echo "$ids"
}
for s in $specs; do
  p=loud_$s prefix=""
  [ "$(anchor_of $s)" = gemma ] && prefix="1, "
  for prompt in "He cab: 2" "the 漢字 😀"; do
    ids=$prefix$(echo "\"$prompt\"" | ./$p tokenize | ids_of)
    n=$(echo "$ids" | awk -F, '{ print NF }')
    { printf '%s' "$prompt"; ./$p generate --seed 1 --prompt "$prompt" --max-tokens 12 --ignore-eos 2>err || fail "$p generate: $(cat err)"; } >made
    echo "{\"ids\": [$(greedy $p "$ids" "$n" 12)]}" | ./$p tokenize --decode | "$STCAT" --text >want
    echo >>want
    cmp -s made want || fail "$p generates from '$prompt' $(cat made), whole forwards give $(cat want)"
  done
  sed -n '1p; 4p' text.jsonl >asked.jsonl
  ./$p eval --seed 1 --data asked.jsonl --max-tokens 12 --slots 3 --out dump --json >eval.json 2>err || fail "$p eval: $(cat err)"
  grep -q '"exact_match"' eval.json && [ "$(wc -l <dump)" = 2 ] || fail "$p eval: $(cat eval.json dump)"
  sed -n 's/.*"generated":\("[^"]*"\).*/\1/p' dump | "$STCAT" --text >many
  : >each
  for prompt in "He cab: 2" "naïve [MASK] the 12 👍🏽"; do ./$p generate --seed 1 --prompt "$prompt" --max-tokens 12 2>err | head -c -1 >>each; done
  cmp -s many each || fail "$p: eval generates $(cat many), generate $(cat each)"
done
echo "generation equals whole forwards"

# training
awk 'BEGIN { srand(5); for (i = 0; i < 24; i++) { a = int(rand() * 90) + 10; print "{\"prompt\": \"漢" a " = \", \"completion\": \"" a " 😀\"}" } }' >train.jsonl
loss() { ./"$1" eval --data train.jsonl --metric loss --json --params "$2" 2>/dev/null | tr ',' '\n' | sed -n 's/.*"loss": *//p' | head -n 1 | tr -d '}] '; }
train() { prog=$1; shift; ./"$prog" train --data train.jsonl --batch 8rows --seed 1 --lr ${rate:-1e-2} --schedule constant --warmup 0 "$@" >/dev/null 2>err || fail "$prog train $*: $(cat err)"; }
for s in $specs; do
  rate=0; train $s --steps 1 --out start --overwrite; rate=
  train $s --steps 12 --out whole --overwrite
  train $s --steps 12 --stop-after 5 --out part --overwrite
  train $s --steps 12 --out part --resume
  what="$s: resumed training" same part/last/theta.safetensors whole/last/theta.safetensors
  a=$(loss $s start/last) b=$(loss $s whole/last)
  awk -v a="$a" -v b="$b" 'BEGIN { exit !(b > 0 && b < a - 0.05) }' || fail "$s: loss $a, after 12 steps $b"
  echo "$s: loss $a, after 12 steps $b"
  rm -rf start whole part
done
sha256sum llama/* gemma/* second/* third/* >after
cmp -s before after || fail "a model changed: $(diff before after)"
./forth info --data rows.jsonl 2>/dev/null | grep -q 'aug sees [0-9.]* % of the tokens' || fail "info says no share"
