#!/bin/sh
# What can be wrong with an augment's tokenizer and context: answered by name, exit status 1, before anything is computed.
. "$(dirname "$0")/lib.sh"
two_tokenizers
echo '{"prompt": "He: ", "completion": "a: b: c"}' >pairs.jsonl
echo '{"text": "a: b: c: d"}' >text.jsonl
# changed FILE SED: the spec forth.calm in t/, with one file changed
changed() {
  rm -rf t; mkdir t; cp -r llama gemma forth.calm t
  sed -i "$2" "t/$1"
  cmp -s "$1" "t/$1" && fail "'$2' changes nothing in $1"
  build t/forth.calm -o t/app
}
# ids beyond the vocabulary
changed gemma/tokenizer.json 's/":": *[0-9][0-9]*/":":5000/'
grep -q "^warning: model 'aug' has 384 rows in its vocabulary (.*gemma/config.json), and .*gemma/tokenizer.json gives ids up to 5000: a text with a token beyond them is refused" build.log ||
  fail "the build says nothing of ids beyond the vocabulary: $(cat build.log)"
gives='the tokenizer of model aug gives id 5000 for this text; the model knows ids below 384'
expect 1 "pairs.jsonl:1: $gives" ./t/app score --data pairs.jsonl --out x.st
expect 1 "text.jsonl:1: $gives" ./t/app train --data text.jsonl --steps 1
expect 1 "text.jsonl:1: $gives" ./t/app eval --data text.jsonl
expect 1 "pairs.jsonl:1: $gives" ./t/app info --data pairs.jsonl
expect 1 "$gives" ./t/app generate --prompt "a: b"
./t/app info >said && grep -q 'vocabulary 384 (the tokenizer gives ids up to 5000), context' said || fail "info: $(cat said)"
changed gemma/tokenizer.json 's/"ids": *\[1\]/"ids":[999]/'
expect 1 'the tokenizer of model aug begins every text with id 999; the model knows ids below 384' ./t/app info
# rows that no token has are padding
build forth.calm -o t/app
! grep '^warning' build.log || fail "a vocabulary that is padded is warned of"
grep -q "^model 'aug' has 384 rows in its vocabulary (.*gemma/config.json), and .*gemma/tokenizer.json gives ids up to 381: the others are padding" build.log || fail "padding is not told: $(cat build.log)"
./t/app info >said && grep -q '^augment aug .* vocabulary 384 (2 padding: the tokenizer gives ids up to 381), context' said || fail "info says nothing of padding: $(cat said)"
# tokenizers that are not read
changed gemma/tokenizer.json 's/"type": *"BPE"/"type":"WordPiece"/'
expect 1 'gemma/tokenizer.json: .*"WordPiece" is not supported' ./t/app info
rm -rf t; mkdir t; cp -r llama gemma forth.calm t
sed -i 's/}$//' t/gemma/tokenizer.json
expect 1 "forth.calm:2:1: error: .*gemma/tokenizer.json:2" "$CALMC" build t/forth.calm -o t/app
# contexts too small
small() { changed gemma/config.json "s/\"max_position_embeddings\": [0-9]*/\"max_position_embeddings\": $1/"; }
small 1
sed -n 2p rows.jsonl >cjk.jsonl
expect 1 "cjk.jsonl:1: aug's context is full before the text begins" ./t/app score --data cjk.jsonl --out x.st
expect 1 'the prompt is longer than aug.s context of 1 token' ./t/app generate --prompt "He: a: b"
# one that is left out limits nothing and reads nothing: the anchor's own logits of whole texts, of its own text too
echo 'anchor base = "llama"' >alone.calm
build alone.calm -o alone
left_out() {                   # DATA FLAGS…
  what=$1; shift
  ./t/app score --data "$what" --out x.st --ablate aug "$@" 2>err || fail "left out, $what $*: $(cat err)"
  ./alone score --data "$what" --out y.st "$@" 2>/dev/null
  "$STCMP" x.st y.st --key '*.logits' --exact || fail "left out, $what $*: other logits than the anchor's"
  [ "$("$STCAT" x.st 0.visible.aug | sort -n | tail -n 1)" = 0 ] || fail "left out, and something of it is visible"
}
sed 's/}$/, "augment": {"aug": "much too long a text"}}/' pairs.jsonl >ownpairs.jsonl
left_out cjk.jsonl
left_out pairs.jsonl --chunk 3
./t/app score --data ownpairs.jsonl --out x.st --ablate aug 2>err || fail "a text of its own, of an augment that is left out: $(cat err)"
"$STCMP" x.st y.st --key '*.logits' --exact || fail "left out with a text of its own: other logits than the anchor's"
for words in '--prompt "He: a: b" --max-tokens 5 --ignore-eos' '--data pairs.jsonl --max-tokens 5'; do
  eval "./t/app generate $words --scale aug=0" >x 2>err || fail "left out, generate $words: $(cat err)"
  eval "./alone generate $words" >y 2>/dev/null
  cmp x y || fail "left out, generate $words: another text than the anchor's"
done
for words in "--data rows.jsonl" "--data pairs.jsonl --contributions"; do
  ./t/app eval $words --ablate aug >x 2>err || fail "left out, eval $words: $(cat err)"
  ./alone eval ${words% --con*} >y 2>/dev/null
  [ "$(sed -n '1s/  .*loss/loss/p' x)" = "$(sed -n '1s/  .*loss/loss/p' y)" ] || fail "left out, eval $words: $(cat x y)"
done
./t/app score --data cjk.jsonl --out x.st --ablate aug --hidden aug.1 >said 2>&1 && fail "what --hidden asks for is left out"
# one with the anchor's tokenizer neither
rm -rf u; mkdir u; cp -r llama u/base; cp -r llama u/aug; echo 'anchor base = "base" augment aug = "aug" connect aug[1] -> base[1] with cross_attention(heads = 2)' | sed 's/ \(augment\|connect\)/\n\1/g' >u/spec.calm
sed -i 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 4/' u/aug/config.json
build u/spec.calm -o u/app
expect 1 "is longer than aug's context of 4 tokens" ./u/app score --data pairs.jsonl --out x.st
./u/app score --data pairs.jsonl --out x.st --ablate aug 2>err || fail "one with the anchor's tokenizer, left out: $(cat err)"
./alone score --data pairs.jsonl --out y.st 2>/dev/null
"$STCMP" x.st y.st --key '*.logits' --exact || fail "one with the anchor's tokenizer, left out: other logits"
small 6
expect 1 'pairs.jsonl:1: the row is longer than aug.s context of 6 tokens' ./t/app score --data pairs.jsonl --out x.st
echo '{"prompt": "a: He: a: He: a: ", "completion": "b"}' >pairs.jsonl
expect 0 'pairs.jsonl: 1 row is longer than aug.s context of 6 tokens: its prompt was cut' ./t/app score --data pairs.jsonl --out x.st --too-long truncate
[ "$("$STCAT" x.st 0.visible.aug | sort -n | tail -n 1)" -le 6 ] || fail "more visible than the context holds"
expect 0 'stopped by the end of the context' ./t/app generate --prompt "a" --max-tokens 90 --ignore-eos
expect 0 'exact match' ./t/app eval --data pairs.jsonl --too-long truncate
expect 0 '' ./t/app score --data pairs.jsonl --chunk 3 --out chunks.st --too-long truncate
"$STCMP" chunks.st x.st --key '*.logits' --exact || fail "chunks of a row that was cut"
# another directory at run time, with another tokenizer: a model that follows; with the anchor's own: one that shares its ids
build forth.calm -o forth
cp -r gemma other && cp "$root/tests/parity/tokenizer/synthetic/fallback_metaspace.json" other/tokenizer.json
./forth score --model aug=other --data pairs.jsonl --out x.st 2>/dev/null || fail "another directory"
./forth score --data pairs.jsonl --out y.st 2>/dev/null
cmp -s x.st y.st && fail "another tokenizer changes nothing"
cp llama/tokenizer.json other/tokenizer.json
./forth score --model aug=other --data pairs.jsonl --out x.st 2>/dev/null || fail "the anchor's tokenizer"
"$STCAT" x.st 0.visible.aug >/dev/null 2>&1 && fail "an augment with the anchor's tokenizer follows"
expect 1 'no such' "$STCAT" x.st 0.visible.aug
echo "every mistake answered"
