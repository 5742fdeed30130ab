#!/bin/sh
# Several files of data, each with a share: what is read of each, that a run in two parts is the same run, that shares are part of what a run is bound to, and
# the loss of each held-out file.
. "$(dirname "$0")/lib.sh"
made new 32 64 2 2 2 64 10000 >new.calm
echo 'train { data = [("a.jsonl", 0.7), ("b.jsonl", 0.3)]  validate = ["a_held.jsonl", "b_held.jsonl"]  batch = 4 rows  steps = 12  eval_every = 5 }' >>new.calm
build new.calm -o app
rows() { awk -v n="$1" -v letters="$2" 'BEGIN { for (i = 0; i < n; i++) { s = ""; for (k = 0; k < 2 + i % 9; k++) s = s substr(letters, (i * k + i) % length(letters) + 1, 1); printf "{\"text\": \"%s\"}\n", s } }'; }
rows 31 abcdefgh >a.jsonl; rows 9 ijklmnop >b.jsonl; rows 8 abcd >a_held.jsonl; rows 3 mnop >b_held.jsonl
run() { out=$1; shift; ./app train --seed 2 --out "$out" "$@" 2>err || fail "train $*: $(cat err)"; }
same() { for f in last/theta.safetensors last/optimizer.safetensors; do cmp "$1/$f" "$2/$f" || fail "$3: $f"; done; cut -d, -f1-5,7- "$1/log.csv" >x; cut -d, -f1-5,7- "$2/log.csv" | cmp - x || fail "$3: log.csv"; }
# the epoch has as many rows as the files, 28 and 12 of 40: all of them are one file's 31, and the other's 9 once and 3 of them again
run whole
grep -q '^data .*/a.jsonl: 31 rows, [0-9]* tokens ([0-9]* labelled); share 0.7: 28 of an epoch.s 40 rows, which is 0.9 times each$' err || fail "a.jsonl: $(cat err)"
grep -q '^data .*/b.jsonl: 9 rows, .*; share 0.3: 12 of an epoch.s 40 rows, which is 1.3 times each$' err || fail "b.jsonl: $(cat err)"
grep -q '/a.jsonl:1: a«' err && grep -q '/b.jsonl:1: i«' err || fail "a row of each is not shown: $(cat err)"

# --- stopped in the middle of an epoch, and of the next
for at in 3 7 11; do
  run part --stop-after $at --overwrite; run part --resume
  same whole part "stopped after step $at"
done

# --- the loss of each held-out file, in lines of progress and in the log, is what eval says; best/ goes by their mean
head -1 whole/log.csv | grep -q ',held_out_loss,"held_out_loss a_held.jsonl","held_out_loss b_held.jsonl"$' || fail "columns: $(head -1 whole/log.csv)"
[ "$(cut -d, -f8 whole/log.csv | grep -c '^[0-9]')" = 3 ] || fail "looks: $(cat whole/log.csv)"
loss() { ./app eval --data "$1" --params whole/last --metric loss --json | tr -d ' \n' | sed 's/.*"loss":\([0-9.e+-]*\).*/\1/'; }
tail -1 whole/log.csv | awk -F, -v a="$(loss a_held.jsonl)" -v b="$(loss b_held.jsonl)" 'function off(x, y) { return (x - y) ^ 2 > 1e-10 }
  { exit off($8, a) || off($9, b) || off($7, (a + b) / 2) }' || fail "eval says $(loss a_held.jsonl) and $(loss b_held.jsonl), the log $(tail -1 whole/log.csv)"
grep -q 'step 12/12 .*held-out loss [0-9.]* (a_held.jsonl [0-9.]*, b_held.jsonl [0-9.]*)' err || fail "each file's loss: $(cat err)"
# another file comes to them: its column is new, that of one that goes stays
run part --resume --steps 14 --validate b_held.jsonl --validate a.jsonl --changed-data
head -1 part/log.csv | grep -q ',"held_out_loss b_held.jsonl","held_out_loss a.jsonl","held_out_loss a_held.jsonl"$' || fail "columns: $(head -1 part/log.csv)"
sed -n 13p part/log.csv | awk -F, -v w="$(sed -n 13p whole/log.csv)" '{ split(w, x, ","); exit !($8 == x[9] && $9 == "" && $10 == x[8]) }' || fail "columns of before: $(sed -n 13p part/log.csv)"
sed -n 15p part/log.csv | awk -F, '{ exit !(NF == 10 && $8 > 0 && $9 > 0 && $10 == "") }' || fail "columns of now: $(sed -n 15p part/log.csv)"

# --- flags: the same shares, not of 1; a file by a name like a share
run flags --data 7:a.jsonl --data 3:b.jsonl
same whole flags "7 and 3 for 0.7 and 0.3"
grep -q 'shares come to 10,' err || fail "that they are not of 1: $(cat err)"
cp a.jsonl 0.7:b.jsonl
expect 2 'could be either: the file is ./0.7:b.jsonl' ./app train --data 0.7:b.jsonl --out never
run named --data ./0.7:b.jsonl --validate a_held.jsonl --steps 2
rm 0.7:b.jsonl
expect 2 'expected a share above 0 and a file, as in 0.7:a.jsonl, found "0:a.jsonl"' ./app train --data 0:a.jsonl --out never
expect 1 'b.jsonl has no share, and another file has' ./app train --data 1:a.jsonl --data b.jsonl --out never
expect 1 './b.jsonl is given twice' ./app train --data b.jsonl --data ./b.jsonl --out never
expect 1 'b.jsonl: a share of 1e-05 of an epoch.s 40 rows .* is not one row' ./app train --data 1:a.jsonl --data 1e-5:b.jsonl --out never
: >empty.jsonl
expect 1 'empty.jsonl: no rows' ./app train --data 0.5:a.jsonl --data 0.5:empty.jsonl --out never
[ ! -e never ] || fail "a run of what was refused"

# --- without shares they are one file
cat a.jsonl b.jsonl >both.jsonl
run two --data a.jsonl --data b.jsonl; run one --data both.jsonl
same one two "two files for one of both"

# --- a share belongs to what a run is bound to
cp -r whole bound
expect 1 'a.jsonl: a share of 0.6 is not what the run has been trained with: 0.7' ./app train --out bound --resume --steps 16 --data 0.6:a.jsonl --data 0.4:b.jsonl
expect 1 'b.jsonl .* is not what the run has been trained with: .*a.jsonl' ./app train --out bound --resume --steps 16 --data 0.7:b.jsonl --data 0.3:a.jsonl
expect 1 'a.jsonl: no share is not what the run has been trained with: one' ./app train --out bound --resume --steps 16 --data a.jsonl --data b.jsonl
expect 1 '1 file of data: the run has been trained with 2\|share' ./app train --out bound --resume --steps 16 --data a.jsonl
run bound --resume --steps 13 --data 0.6:a.jsonl --data 0.4:b.jsonl --changed-data
grep -q '^warning: .*a share of 0.6 is not what' err && grep -q '^data .*0.7:.*a.jsonl 0.3:.*b.jsonl -> 0.6:a.jsonl 0.4:b.jsonl, from --data' err || fail "a changed share: $(cat err)"
run bound --resume --steps 14
grep -q '^data .*a.jsonl: 31 rows, .*; share 0.6: 24 of an epoch' err || fail "shares that a run was changed to: $(cat err)"

# --- what looks at data before a training
./app train --dry-run --seed 2 >said 2>err || fail "--dry-run: $(cat err)"
grep -q '^ .*/a.jsonl: 31 rows, .*; share 0.7: 28 of' said && grep -q '^ .*/b.jsonl: 9 rows, .*; share 0.3: 12 of' said || fail "--dry-run: $(cat said)"
tokens=$(sed -n 's/^tokens *\([0-9.e+]*\),.*/\1/p' said) took=$(tail -1 whole/log.csv | cut -d, -f2)
[ "$tokens" = "$took" ] || fail "--dry-run: $tokens tokens, the run took $took"
./app train --check >said 2>err || fail "--check: $(cat err)"
for f in a b a_held b_held; do grep -q "$f.jsonl: [0-9]* rows, .*nothing wrong" said || fail "--check of $f: $(cat said)"; done
./app info --data 0.7:a.jsonl --data 0.3:b.jsonl >said 2>err || fail "info: $(cat err)"
grep -q '^  a.jsonl: 31 rows, .*; share 0.7: 28 of' said && grep -q '^  b.jsonl: 9 rows, .*; share 0.3' said || fail "info: $(cat said)"
# a row at fault is named by its own file and line
echo '{"text": 5}' >>b.jsonl
expect 1 'b.jsonl:10: "text": expected a string' ./app train --out never
expect 1 'b.jsonl:10: "text": expected a string' ./app train --check
