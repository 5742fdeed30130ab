#!/bin/sh
# generation_config.json gives generation's defaults, as transformers takes them; flags go before; a pack file has them too.
. "$(dirname "$0")/lib.sh"
made new 32 48 2 4 2 64 1000 >new.calm
build new.calm -o new
./new export model --seed 3 2>err || fail "export: $(cat err)"
echo 'anchor m = "model"' >alone.calm
build alone.calm -o app
says() { echo "{\"eos_token_id\": 1${1:+, $1}}" >model/generation_config.json; }
made() { ./app generate --prompt "12+" --ignore-eos --max-tokens 40 "$@" 2>err || fail "generate $*: $(cat err)"; }
same() { cmp -s "$1" "$2" || fail "$3: '$(cat $1)' and '$(cat $2)' ($(cat err))"; }
other() { ! cmp -s "$1" "$2" || fail "$3: '$(cat $1)'"; }
says
made >greedy
! grep -q 'generation_config' err || fail "a file that says nothing is told: $(cat err)"
made --temperature 2 --top-k 3 --min-p 0.1 --top-p 0.9 --repetition-penalty 1.3 --seed 5 >drawn
other greedy drawn "nothing is drawn"

says '"temperature": 2, "top_k": 3, "do_sample": false'
made >out; same out greedy "do_sample = false is greedy"
says '"temperature": 2, "top_k": 3'
made >out; same out greedy "without do_sample it is greedy"
says '"do_sample": true, "temperature": 2.0, "top_k": 3, "min_p": 0.1, "top_p": 0.9, "repetition_penalty": 1.3'
made --seed 5 >out; same out drawn "the file's values are the flags'"
grep -q '^as generation_config.json says: temperature 2, top_k 3, top_p 0.9, min_p 0.1, repetition_penalty 1.3$' err || fail "not told: $(cat err)"
./app pack >/dev/null 2>err || fail "pack: $(cat err)"
made --seed 5 --pack app.pack >out; same out drawn "a pack file has them too"
made --temperature 0 --repetition-penalty 1 >out; same out greedy "flags go before"
made --temperature 2 --top-k 0 --top-p 1 --min-p 0 --repetition-penalty 1 --seed 5 >a
says; made --temperature 2 --seed 5 >b; same a b "flags switch off what the file says"
# of a file that samples, what it leaves out is transformers' own: temperature 1, top_k 50 (of 45 here: all)
says '"do_sample": true'
made --seed 5 >a; says; made --temperature 1 --seed 5 >b; same a b "do_sample alone"
# a repetition penalty counts without sampling
says '"repetition_penalty": 5.0'
made >a; other a greedy "a repetition penalty changes nothing"
grep -q '^as generation_config.json says: repetition_penalty 5$' err || fail "not told: $(cat err)"
says; made --repetition-penalty 5 >b; same a b "the penalty of file and flag"
[ "$(fold -w1 <a | sort | uniq -d | wc -l)" -lt "$(fold -w1 <greedy | sort | uniq -d | wc -l)" ] || fail "no fewer letters again: $(cat a greedy)"

expect 0 '^warning: --min-p has no effect: at temperature 0' ./app generate --prompt 1 --max-tokens 1 --min-p 0.5
says '"num_beams": 4, "no_repeat_ngram_size": 0, "suppress_tokens": [3], "stop_strings": null'
expect 0 '^warning: generation_config.json: "num_beams", "suppress_tokens": calm does not generate so' ./app generate --prompt 1 --max-tokens 1
for bad in '"temperature": -1' '"top_p": 1.5' '"top_k": -2' '"min_p": "low"' '"repetition_penalty": 0' '"do_sample": 1'; do
  says "$bad"
  expect 1 "model/generation_config.json: ${bad%%:*}: expected" ./app generate --prompt 1
done

# --- standard input and pipes
says
printf '12+' | ./app generate --prompt - --ignore-eos --max-tokens 40 >out 2>err || fail "--prompt -: $(cat err)"
same out greedy "a prompt on standard input"
printf '12+' >prompt; mkfifo pipe
exec 5<>pipe; printf 12 >&5
./app generate --prompt-file pipe --ignore-eos --max-tokens 40 >out 2>err 5>&- & pid=$!
until_that $pid err opened $pid pipe
sleep 0.3; printf + >&5; exec 5>&-
wait $pid || fail "--prompt-file pipe: $(cat err)"
same out greedy "a prompt through a pipe"
./app generate --prompt-file - --ignore-eos --max-tokens 40 <prompt >out 2>err || fail "--prompt-file - of a file: $(cat err)"
same out greedy "a prompt of a file on standard input"
printf '{"prompt": "1+", "completion": "2"}\n{"text": "3+4"}\n' >rows.jsonl
./app eval --data rows.jsonl 2>err | sed 's/^[^:]*//' >want
cat rows.jsonl | ./app eval --data - 2>err | sed 's/^standard input//' >out || fail "eval --data -: $(cat err)"
same out want "rows on standard input"
exec 5<>pipe; cat rows.jsonl >&5
./app eval --data pipe >piped 2>err 5>&- & pid=$!
until_that $pid err opened $pid pipe
exec 5>&-
wait $pid || fail "eval --data pipe: $(cat err)"
sed 's/^pipe//' piped >out; same out want "rows through a pipe"
./app score --data rows.jsonl --out a.st 2>err && ./app score --data - --out b.st <rows.jsonl 2>err && cmp -s a.st b.st || fail "score --data -: $(cat err)"
expect 1 '^error: standard input:2: expected a row' sh -c 'printf "{\"text\": \"1\"}\nno row\n" | ./app eval --data -'
expect 1 '^error: standard input: no rows' ./app eval --data - </dev/null
expect 1 'cannot read pipe: it is a pipe that nobody writes to' ./app eval --data pipe
expect 1 "^error: -: rows are read from files here" ./new train --data - --steps 1 <rows.jsonl
# a compressed file is told as such
for by in gzip zstd xz bzip2; do
  command -v $by >/dev/null || continue
  $by -c <rows.jsonl >packed
  for how in 'eval --data packed' 'train --data packed --steps 1' 'generate --prompt-file packed'; do
    expect 1 "^error: packed: it is compressed by $by, expected text ($by -dc writes it)" ./new $how
  done
  $by -dc packed | ./app eval --data - 2>err | sed 's/^standard input//' >out; same out want "$by -dc"
done

# --- many prompts at a time: what each gives alone, in the order of the rows
awk 'BEGIN { for (i = 0; i < 9; i++) { s = ""; for (k = 0; k <= i * 5 % 7; k++) s = s (k * 3 + i) % 10; printf "{\"id\": %d, \"prompt\": \"%s+\"}\n", i, s } }' >prompts.jsonl
answers() { ./app generate --data prompts.jsonl "$@" 2>err || fail "generate --data $*: $(cat err)"; }
texts() { sed 's/.*"generated":\("[^"]*"\).*/\1/' "$1"; }
for how in '' '--temperature 2'; do
  answers --max-tokens 30 --slots 3 --seed 4 $how --out all.jsonl --overwrite
  i=0
  while read -r row; do
    p=$(echo "$row" | sed 's/.*"prompt": "\([^"]*\)".*/\1/')
    ./app generate --prompt "$p" --max-tokens 30 --seed $((4 + i)) $how 2>/dev/null >alone
    sed -n "$((i + 1))p" all.jsonl | grep -q "^{\"id\":$i,\"prompt\":\"$p\",\"generated\":" || fail "row $i: $(sed -n "$((i + 1))p" all.jsonl)"
    sed -n "$((i + 1))p" all.jsonl | sed 's/.*"generated":\("[^"]*"\).*/\1/' >made
    { "$STCAT" --text <made; echo; } | cmp -s - alone || fail "row $i$how: '$(cat made)', alone '$(cat alone)'"
    i=$((i + 1))
  done <prompts.jsonl
  [ "$(wc -l <all.jsonl)" = 9 ] || fail "rows: $(cat all.jsonl)"
done
grep -q '^all.jsonl: 9 rows, [0-9]* tokens in .*; stopped by end of text' err || fail "no summary: $(cat err)"
answers --max-tokens 30 --slots 9 --seed 4 --temperature 2 >out; same out all.jsonl "other slots, and standard output"
cat prompts.jsonl | ./app generate --data - --max-tokens 30 --seed 4 --temperature 2 >out 2>err; same out all.jsonl "prompts on standard input"
expect 1 '^error: all.jsonl is there already, and is left as it is (another place: --out; replace it: --overwrite)' ./app generate --data prompts.jsonl --out all.jsonl
# what was interrupted goes on: the part that a directory in its place left over, cut in a line
mkdir cut.jsonl
expect 1 '^cut.jsonl.part keeps the answers of 9 of 9 rows' ./app generate --data prompts.jsonl --max-tokens 30 --seed 4 --temperature 2 --out cut.jsonl --overwrite
rmdir cut.jsonl
[ "$(wc -l <cut.jsonl.part)" = 10 ] || fail "the part: $(cat cut.jsonl.part)"
head -n 5 cut.jsonl.part >head; sed -n 6p cut.jsonl.part | cut -c1-20 | tr -d '\n' >>head; cp head cut.jsonl.part
expect 1 'cut.jsonl.part is of an interrupted run of other sampling, max-tokens, and is left' ./app generate --data prompts.jsonl --max-tokens 29 --out cut.jsonl
cmp -s head cut.jsonl.part || fail "another run changed the part"
answers --max-tokens 30 --seed 4 --temperature 2 --out cut.jsonl
grep -q '^cut.jsonl.part: going on, 4 of 9 rows have their answers$' err || fail "not gone on: $(cat err)"
same cut.jsonl all.jsonl "what was gone on with"
[ ! -e cut.jsonl.part ] || fail "the part is left"
# a part without an answer is nobody's work: one of data that were mended goes on as if it were not there
printf '{"prompt": "1"}\n{"prompt":\n' >mended.jsonl
expect 1 '^error: mended.jsonl:2:' ./app generate --data mended.jsonl --max-tokens 3 --out mended
[ "$(wc -l <mended.part)" = 1 ] || fail "an answer is in it: $(cat mended.part)"
sed -i 's/:$/: "2"}/' mended.jsonl
expect 0 '^mended: 2 rows' ./app generate --data mended.jsonl --max-tokens 3 --out mended
expect 0 '^warning: --slots has no effect: there is no --data' ./app generate --prompt 1 --slots 3 --max-tokens 1
echo mine >cut2.part
expect 1 'cut2.part: expected the answers of an interrupted run, or nothing' ./app generate --data prompts.jsonl --out cut2
[ "$(cat cut2.part)" = mine ] || fail "a file of the user's is changed"
printf '{"prompt": "1"}\n{"prompts": "1"}\n' >bad.jsonl
expect 1 '^error: bad.jsonl:2: expected "prompt", a string' ./app generate --data bad.jsonl --out never
echo '{"prompt": "1", "generated": "x"}' >bad.jsonl
expect 1 '^error: bad.jsonl:1: the row has a key "generated"' ./app generate --data bad.jsonl
expect 2 'give one of them' ./app generate --data prompts.jsonl --prompt x
echo "generation_config.json's defaults, and flags before them; standard input, pipes, compressed files"
