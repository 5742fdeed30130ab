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
expect 2 'commands are build, pack, tokenize, verify and doctor' "$CALMC" frobnicate x
