#!/bin/sh
# Data by its index: a resumed run is the uninterrupted one in the middle of a text, for any number of threads; a row at fault deep in a large file is found by
# --check and before it is trained on, and training goes on behind it once it is mended; what is said of a large file is of a sample, and says so; an index that is
# stale or spoilt is never used; a run of an earlier calm goes on where its place is one of the order of rows.
. "$(dirname "$0")/lib.sh"
{ made new 16 32 1 2 2 12 10000; echo 'train { too_long = skip }'; } >new.calm
build new.calm -o app
train() { ./app train --seed 3 "$@" 2>err || fail "train $*: $(cat err)"; }
field() { sed -n "s/^ *\"$1\": \([^,]*\),*/\1/p" "$2"; }

# --- windows of a text in their row's place: cut anywhere, with and without a thread that reads ahead
awk 'BEGIN { for (i = 0; i < 9; i++) { s = ""; for (k = 0; k < i * 7; k++) s = s substr("abcdefghijklmnop", (i * k) % 16 + 1, 1); printf "%s{\"text\": \"a%s\"}\r\n", i % 4 ? "" : "\n \n", s } printf "{\"prompt\": \"ab\", \"completion\": \"c\"}" }' >rows.jsonl
CALM_THREADS=2 train --data rows.jsonl --steps 24 --batch 20tokens --out whole
CALM_THREADS=1 train --data rows.jsonl --steps 24 --batch 20tokens --out one
for f in theta optimizer; do cmp whole/last/$f.safetensors one/last/$f.safetensors || fail "reading ahead gives other bits"; done
within=0
for stop in 3 4 5 9 14 17; do
  rm -rf part
  CALM_THREADS=$((stop % 2 + 1)) train --data rows.jsonl --steps 24 --batch 20tokens --out part --stop-after $stop
  [ "$(field window part/last/theta.json)" = 0 ] || within=$((within + 1))
  CALM_THREADS=$((stop / 2 % 2 + 1)) train --data rows.jsonl --steps 24 --batch 20tokens --out part --resume
  for f in theta optimizer; do cmp whole/last/$f.safetensors part/last/$f.safetensors || fail "$f: stopped after step $stop it is another run"; done
done
[ $within -gt 1 ] || fail "no checkpoint stood within a text"
# a window that the row does not have
rm -rf part; cp -r one part; unsigned part/last/theta.json; sed -i 's/^\( *"window": \)[0-9]*/\199/' part/last/theta.json
expect 1 '^error: rows.jsonl:[0-9]*: expected window 100 of this row, where the run stood, found ' ./app train --data rows.jsonl --steps 25 --out part --resume

# --- as an earlier calm saved it: the same place where rows are windows, refused where they are not, and then the next epoch
grep -v '"text": "a"\|"text": "a.\{11,\}"' rows.jsonl >short.jsonl
train --data short.jsonl --steps 12 --batch 2rows --out short; train --data short.jsonl --steps 12 --batch 2rows --out old --stop-after 5
for run in old one; do
  unsigned $run/last/theta.json
  sed -i -e 's/"calm": [0-9]*/"calm": 3/' -e '/^ *"window"/d' -e 's/^\( *"position": \)0/\11/' $run/last/theta.json
done
train --data short.jsonl --steps 12 --batch 2rows --out old --resume
cmp short/last/theta.safetensors old/last/theta.safetensors || fail "the place of an earlier calm's run is another one"
expect 1 '^error: one/last/theta.json: "position": saved in format 3, .*has rows of several windows.*--changed-data' ./app train --data rows.jsonl --steps 25 --out one --resume
expect 0 'warning: one/last/theta.json: saved in format 3, .*goes on with epoch' ./app train --data rows.jsonl --steps 25 --out one --resume --changed-data

# --- a large file: what is said is of a sample; a row at fault is found by --check, and stops a training before it is reached
large() { awk -v n="$1" -v bad="$2" 'BEGIN { for (i = 1; i <= n; i++) if (i == bad) print "{\"text\": " i "}"; else printf "{\"prompt\": \"%d=\", \"completion\": \"%d%s\"}\n", i, i % 97, i % 2 ? "" : " and more of it" }'; }
large 90000 88123 >large.jsonl
[ "$(wc -c <large.jsonl)" -gt 4194304 ] || fail "not large: $(wc -c <large.jsonl) bytes"
bad='large.jsonl:88123: "text": expected a string, found an integer'
expect 1 "^error: $bad" ./app train --data large.jsonl --check
expect 2 '\-\-check reads data and touches no run' ./app train --data large.jsonl --check --resume
[ ! -e app.run ] || fail "--check made a run"
expect 1 "^error: $bad" env CALM_THREADS=2 ./app train --seed 3 --data large.jsonl --steps 1000000 --batch 64rows --save-every 1000000 --out stopped
sed -i '/^warning/d' said
grep -q '^new.calm: .* 90000 rows of about .* tokens (.* labelled; by a sample of [0-9]* rows), ' said || fail "a sample is not named: $(cat said)"
grep -q 'of a sample of [0-9]* rows (of 90000) ' said || ./app train --data large.jsonl --steps 0 --out never 2>&1 | grep -q 'of a sample of [0-9]* rows (of 90000) [0-9]* rows are longer' || fail "cut rows of a sample are not named: $(cat said)"
if [ -e stopped/last ]; then
  grep -q "stopped/last holds step [0-9]*: with the row mended, --resume --changed-data goes on" said || fail "how to go on is not said: $(cat said)"
  large 90000 0 >large.jsonl
  step=$(field step stopped/last/theta.json)
  train --data large.jsonl --steps $((step + 2)) --out stopped --resume --changed-data
fi
expect 1 "^error: $bad" sh -c "sed '88123s/.*/{\"text\": 88123}/' large.jsonl >row.jsonl; mv row.jsonl large.jsonl; CALM_THREADS=1 ./app train --data large.jsonl --no-shuffle --steps 100000 --batch 40000rows --tokens-cap 65536 --out single"
rm -rf app.run
large 90000 0 >large.jsonl
./app train --data large.jsonl --check >said 2>err || fail "--check: $(cat err)"
grep -q '^large.jsonl: 90000 rows of about .* tokens (.* labelled; by a sample of [0-9]* rows), 45000 of them so short that their bytes tell that nothing is cut: nothing wrong' said || fail "--check says: $(cat said)"
grep -q '^large.jsonl: 45000 rows are longer than new.s context of 12 tokens and left out' err || fail "--check says nothing of rows that are left out: $(cat err)"
expect 1 '^error: large.jsonl:2: the row of 19 tokens is longer than new.s context of 12 tokens, and so is what is left without its prompt; too_long = skip' ./app train --data large.jsonl --check --too-long error

# --- what bytes decide is not tokenized: rows that cannot be longer than the context; what is longer is found among them, beforehand and beside a training
made wide 16 32 1 2 2 64 10000 >wide.calm
build wide.calm -o wide
awk '{ print } NR == 77777 { printf "{\"text\": \""; for (i = 0; i < 20; i++) printf "abcdefgh"; print "\"}" }' large.jsonl >mostly.jsonl
./wide train --data mostly.jsonl --check >said 2>err || fail "--check: $(cat err)"
grep -q '^mostly.jsonl: 90001 rows of about [0-9.e+]* tokens (.* labelled; by a sample of [0-9]* rows), 90000 of them so short that their bytes tell' said || fail "--check says: $(cat said)"
grep -q '^note: mostly.jsonl: 1 row cut into 3 windows of at most 64 tokens\|^mostly.jsonl: 1 row cut into 3 windows of at most 64 tokens' err || fail "--check says nothing of the long row: $(cat err)"
./app train --data mostly.jsonl --check >said 2>err || fail "--check: $(cat err)"
grep -q '^mostly.jsonl: 90001 rows of about .*, 45000 of them so short' said || fail "rows that may be longer were not tokenized: $(cat said)"
printf '%s\n' '{"text": ""}' '{"text": ""}' >nothing.jsonl
expect 1 'nothing.jsonl: no row has a labelled token' ./wide train --data nothing.jsonl --check

# --- evaluation reads it by its index too: what a small file gives, for any number of threads, and says of what rows it knew before
for n in 1 2; do
  CALM_THREADS=$n ./app eval --data large.jsonl --metric loss --json 2>err | grep -v 'seconds\|peak' >eval.$n || fail "eval: $(cat err)"
  grep -q '^large.jsonl: of a sample of [0-9]* rows (of 90000) [0-9]* rows are longer' err || fail "a sample is not named: $(cat err)"
  grep -q '^large.jsonl: 45000 rows are longer' err || fail "nothing is said of all rows, once they are read: $(cat err)"
  CALM_THREADS=$n ./app eval --data rows.jsonl --json 2>err | grep -v 'seconds\|peak' >small.$n || fail "eval: $(cat err)"
done
cmp eval.1 eval.2 && cmp small.1 small.2 || fail "evaluation depends on threads"
grep -q '"rows": 45000,' eval.1 || fail "not every row is evaluated: $(cat eval.1)"
for half in 'NR <= 45000' 'NR > 45000'; do
  awk "$half" large.jsonl >half.jsonl
  ./app eval --data half.jsonl --metric loss --json 2>/dev/null | tr -d ' ,"' | awk -F: '$1 == "labelled" { n = $2 } $1 == "loss" { print n, $2; exit }'
done >halves
said=$(tr -d ' ,"' <eval.1 | awk -F: '$1 == "labelled" { n = $2 } $1 == "loss" { print n, $2; exit }')
awk -v said="$said" '{ n += $1; sum += $1 * $2 } END { split(said, all, " "); off = sum / n - all[2]; exit !(n == all[1] && off < 1e-6 && off > -1e-6) }' halves ||
  fail "two halves: $(cat halves), the whole: $said"
./app info --data large.jsonl >said 2>err || fail "info: $(cat err)"
grep -q '^large.jsonl: looked at [0-9]* of its 90000 rows' err || fail "info does not name its sample: $(cat err)"

# --- an index is of the content: kept and used, told where it is spoilt, and of no other file, whatever its size and time say
sleep 3
./app train --data large.jsonl --check >good 2>/dev/null; ./app train --data large.jsonl --check >/dev/null 2>&1
index=$(ls "$XDG_CACHE_HOME"/calm/rows-* | head -n 1)
sum=$(sha256sum large.jsonl | cut -d' ' -f1)
[ -f "$XDG_CACHE_HOME/calm/rows-$sum" ] || fail "no index of large.jsonl is kept: $index"
flip "$XDG_CACHE_HOME/calm/rows-$sum" 5000
./app train --data large.jsonl --check >again 2>err
grep -q '^large.jsonl: the index of its rows that was kept is spoilt, and is made again' err || fail "a spoilt index is not told: $(cat err)"
[ "$(sed 's/(.* s)//' good)" = "$(sed 's/(.* s)//' again)" ] || fail "a spoilt index was used: $(cat again)"
cp -p large.jsonl before; sed -i '2s/.*/{"text":                    "x"}/' large.jsonl
awk 'NR == FNR { n[FNR] = length($0); next } FNR == 2 { while (length($0) < n[2]) $0 = $0 " " } { print substr($0, 1, n[FNR]) }' before large.jsonl >other; mv other large.jsonl
sed -i '5s/.*/{"text": 5}/' large.jsonl; while [ "$(wc -c <large.jsonl)" -lt "$(wc -c <before)" ]; do sed -i '5s/$/ /' large.jsonl; done
touch -r before large.jsonl
[ "$(stat -c '%s %Y' large.jsonl)" = "$(stat -c '%s %Y' before)" ] || fail "not of the same size and time"
expect 1 '^error: large.jsonl:5: "text": expected a string' ./app train --data large.jsonl --check
echo "rows are read by their index"
