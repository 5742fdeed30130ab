#!/bin/sh
# calmc tokenize: a folder's tokenizer.json to ids and byte spans and back; mistakes named by line and byte.
. "$(dirname "$0")/lib.sh"
syn=$root/tests/parity/tokenizer/synthetic
mkdir model
cp "$syn/chars.json" model/tokenizer.json
[ "$(echo '"3+7="' | "$CALMC" tokenize model | tr -d ' ' | sed 's/.*offsets//')" = '":[[0,1],[1,2],[2,3],[3,4]]}' ] || fail "spans of chars"
for name in byte_words byte_triples fallback_prepend; do
  printf '%s\n' '"Hello, world! 1234"' '"a\u0000b \ud83d\ude00\n"' '""' | "$CALMC" tokenize "$syn/$name.json" >ids
  "$CALMC" tokenize "$syn/$name.json" --decode <ids >back
  printf '%s\n' '"Hello, world! 1234"' '"a\u0000b 😀\n"' '""' >want
  cmp -s back want || fail "$name: $(cat back)"
done
printf '"ab"\n\n"a\377b"\n' >bad
expect 1 'standard input:3: not UTF-8: byte 3 of the line is 0xFF' "$CALMC" tokenize model <bad
echo '[1, 99999]' >bad
expect 1 'standard input:1: id 1: expected a number from 0 to' "$CALMC" tokenize model --decode <bad
expect 1 'nowhere' "$CALMC" tokenize nowhere </dev/null
expect 2 'expected' "$CALMC" tokenize
expect 2 'commands are build, pack, draw, tokenize, verify, doctor, doc and families' "$CALMC" frobnicate x

# --- vocab.json and merges.txt, as they lie in directories without a tokenizer.json; what transformers makes of them stands in expected.txt
cp -r "$root/tests/parity/two_files" two
sed -n 'p;n' two/expected.txt >texts
sed -n 'n;p' two/expected.txt >want
"$CALMC" tokenize two <texts | tr -d ' ' | sed 's/{"ids":\(\[[^]]*\]\).*/\1/' >ids
cmp -s ids want || fail "two files: $(diff ids want)"
made new 32 48 1 2 2 64 1000 | sed 's/vocab_size = 45/vocab_size = 300/; s/tokenizer "chars.json"/tokenizer "two"/' >new.calm
build new.calm -o new
./new tokenize <texts >whole
./new export made --seed 1 2>err || fail "export: $(cat err)"
rm -r two/expected.txt
"$CALMC" tokenize made <texts >ids
cmp -s ids whole || fail "the exported tokenizer.json is another"
sed -i 's/GPT2Tokenizer/OddTokenizer/' two/tokenizer_config.json
expect 1 'mean to a "OddTokenizer" is not known.*from_pretrained(.two.)' "$CALMC" tokenize two <texts
rm two/tokenizer_config.json
echo '{"[Z]": 310}' >two/added_tokens.json
expect 1 '"\[Z\]" is listed with id 310, but its place behind the vocabulary is 300' "$CALMC" tokenize two <texts
rm two/added_tokens.json
echo 'a b c' >>two/merges.txt
expect 1 'two/merges.txt:[0-9]*: expected two tokens with a space between them, found "a b c"' "$CALMC" tokenize two <texts
sed -i '$d' two/merges.txt
echo 'a nonesuch' >>two/merges.txt
expect 1 "^error: two/merges.txt:$(wc -l <two/merges.txt): joins \"a\" and \"nonesuch\", but not all of these and the two together are tokens of vocab.json\$" "$CALMC" tokenize two <texts
sed -i '$d' two/merges.txt
echo '{}' >>two/vocab.json
expect 1 'two/vocab.json:1: expected the end of the file' "$CALMC" tokenize two <texts

# --- a SentencePiece model alone
mkdir piece
echo x >piece/tokenizer.model
expect 1 '^error: piece/tokenizer.model: a SentencePiece model, without the tokenizer.json.*python3 -c "from transformers import AutoTokenizer as T; T.from_pretrained(.piece.)' "$CALMC" tokenize piece <texts
cp made/config.json made/model.safetensors piece
echo 'anchor base = "piece"' >piece.calm
expect 1 'piece/tokenizer.model: a SentencePiece model' "$CALMC" build piece.calm -o never
