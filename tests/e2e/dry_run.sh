#!/bin/sh
# train --dry-run says what a training takes, and leaves nothing: rows and tokens are those of the training, operations follow steps and looks.
. "$(dirname "$0")/lib.sh"
made new 32 64 2 2 2 64 10000 >new.calm
echo 'train { data = "rows.jsonl" batch = 8 rows }' >>new.calm
build new.calm -o app
awk 'BEGIN { for (i = 0; i < 50; i++) { s = "a"; for (k = 0; k < i % 23; k++) s = s substr("abcdefghijklmnop", (i * k) % 16 + 1, 1); printf "{\"text\": \"%s\"}\n", s } }' >rows.jsonl
head -7 rows.jsonl >held.jsonl
ls >before
dry() { ./app train --dry-run --seed 2 "$@" >said 2>err || fail "--dry-run $*: $(cat err)"; }
number() { sed -n "s/^$1 *[a-z ]*\([0-9.e+-]*\).*/\1/p" said; }
dry --steps 40
tflop=$(number TFLOP) tokens=$(number tokens)
grep -q '^rows      50 rows of [0-9]* tokens, [0-9]* labelled, in ' said || fail "rows: $(cat said)"
grep -q '^course    batch 8 rows, .* 40 steps: ' said || fail "course: $(cat said)"
grep -q '^hours     [0-9.e-]* (.*) at [0-9.]* Gflop/s, measured now on ' said || fail "hours: $(cat said)"
grep -q '^memory    about [0-9]* MB' said || fail "memory: $(cat said)"
ls | grep -v '^said$\|^err$\|^cache$\|^before$\|^after$' >after
grep -v '^cache$\|^before$' before >was
grep -v '^was$' after | cmp -s - was || fail "something is left: $(cat after)"
dry --steps 80
awk -v a="$tflop" -v b="$(number TFLOP)" 'BEGIN { exit !(a > 0 && b > 1.9 * a && b < 2.1 * a) }' || fail "twice the steps are $(number TFLOP) TFLOP, not twice $tflop"
dry --steps 40 --validate held.jsonl --eval-every 10
grep -q '^TFLOP .*: [0-9.e-]* of training, [0-9.e-]* of 5 looks at held-out data' said || fail "looks: $(cat said)"
grep -q '^held out  7 rows of ' said || fail "held-out rows: $(cat said)"
./app train --seed 2 --steps 40 --out run 2>err || fail "train: $(cat err)"
took=$(tail -n 1 run/log.csv | cut -d, -f2)
[ "$tokens" = "$took" ] || fail "$tokens tokens were said, $took taken: $(head -1 run/log.csv)"
expect 2 'touches no run: leave --resume out' ./app train --dry-run --resume
expect 2 'give one of them' ./app train --dry-run --check
expect 1 'no such file\|No such file\|not there' ./app train --dry-run --data nothing.jsonl
expect 1 '\-\-memory allows' ./app train --dry-run --memory 1MB

# --- with a frozen cache all looks but the first cost less, by what the training says that a row of held-out data spares
cp -r "$root/tests/parity/fixture/." .
build spec.calm -o two
looked() { sed -n 's/^TFLOP .* training, \([0-9.e-]*\) of 5 looks.*/\1/p' said; }
held() { ./two train --data rows.jsonl --validate rows.jsonl --steps 40 --eval-every 10 "$@" >said 2>err || fail "$*: $(cat err)"; }
held --dry-run --cache off
off=$(looked)
grep -q 'spares' said && fail "nothing is kept: $(cat said)"
held --dry-run --cache memory
on=$(looked) said=$(sed -n 's/.*later looks \([0-9]*\) %.*/\1/p' said)
held --out two.run --cache memory
part=$(sed -n 's/.* each of which spares \([0-9]*\) % of a look.*/\1/p' err)
awk -v a="$off" -v b="$on" -v p="$part" 'BEGIN { d = b / (a / 5 * (5 - 4 * p / 100)); exit !(p > 10 && d > 0.98 && d < 1.02) }' || fail "looks take $off without, $on with a cache that spares $part %"
[ "$said" = "$part" ] || fail "$said % is said, $part % spared"
echo "said, and nothing left"
