# Sourced by run, in the output directory: evaluates the four programs, prints the table, translates five sentences, writes results.json, loss.svg and page.html.

# params PROGRAM: what it is evaluated with (the two models alone have no parameters)
params() { [ ! -d "$1.run" ] || echo "--params $1.run/last"; }
size() { sed -n "s/^$1 //p" data/sizes; }        # rows and characters of a part

for p in smol gemma compose random; do
  echo "evaluating $p" >&2
  ./$p eval --precision "$precision" --data data/dev.jsonl --metric loss --json $(params $p) >$p.loss.json
  ./$p eval --precision "$precision" --data data/test.jsonl --metric exact_match --max-tokens 64 --out $p.test.jsonl --json $(params $p) >/dev/null
  loss=$(json_number loss <$p.loss.json) labelled=$(json_number labelled <$p.loss.json)
  [ -n "$loss" ] || { echo "no held-out loss from $p" >&2; exit 1; }
  echo "$p $loss $labelled $(./chrf $p.test.jsonl --first-line)"
done >evaluated.txt

seconds=$(($(date +%s) - start))
awk -v chars="$(size dev | cut -d' ' -f2)" -v held="$held" -v test="$test" -v rows="$rows" -v steps="$steps" -v seed="$seed" -v seconds="$seconds" -v precision="$precision" '
  BEGIN {
    name["smol"] = "SmolLM2-135M alone"; name["gemma"] = "Gemma-3-270M alone"; name["compose"] = "composition"
    name["random"] = "with a random augment"
    printf "\n%d rows, %d steps; held-out loss of %d rows in nats, of the model’s own tokens; chrF of %d sentences, greedy; products in %s\n", rows, steps, held, test, precision
    printf "%-24s %12s %16s %8s\n", "", "a token", "a character", "chrF"
    file = "results.json"
    printf "{\"seed\": %d, \"rows\": %d, \"steps\": %d, \"seconds\": %d, \"precision\": \"%s\", \"models\": [", seed, rows, steps, seconds, precision >file
  }
  {
    loss[$1] = $2
    printf "%-24s %12.4f %16.4f %8.2f\n", name[$1], $2, $2 * $3 / chars, $4
    printf "%s\n  {\"model\": \"%s\", \"loss\": %s, \"labelled\": %d, \"characters\": %d, \"chrf\": %s}", (NR == 1 ? "" : ","), name[$1], $2, $3, chars, $4 >file
  }
  END {
    printf "\n]}\n" >file
    printf "the augment is worth %.4f nats a token\n", loss["random"] - loss["compose"]
  }' evaluated.txt >table.txt
cat table.txt

curves loss.svg linear label=composition,\ held\ out column=7 start="$(awk '$1 == "smol" { print $2 }' evaluated.txt)" compose.run/log.csv \
  label=random\ augment,\ held\ out column=7 start="$(awk '$1 == "smol" { print $2 }' evaluated.txt)" random.run/log.csv \
  label=composition,\ training compose.run/log.csv label=random\ augment,\ training random.run/log.csv

echo
n=0
while IFS= read -r source; do
  n=$((n + 1))
  printf 'Swahili: %s\nEnglish:' "$source" >prompt.txt
  printf 'Swahili:     %s\n' "$source"
  printf 'reference:   %s\n' "$(sed -n "${n}p" data/references.txt)"
  printf 'composition: %s\n\n' "$(./compose generate --prompt-file prompt.txt --max-tokens 64 --stop "
" --params compose.run/last 2>>generate.log | sed 's/^ *//')"
done <data/prompts.txt

./side SmolLM2-135M\ alone=smol.test.jsonl Gemma-3-270M\ alone=gemma.test.jsonl composition=compose.test.jsonl with\ a\ random\ augment=random.test.jsonl >side.txt
"$calmc" draw compose.calm -o compose.svg 2>/dev/null
plain_page page.html "calm: two real models with two tokenizers" table.txt "The composition=compose.svg" "Loss=loss.svg" "Translations=side.txt" \
  "Settings and hashes of the composition=compose.run/last/theta.json"
echo "$seconds s before generating, $(($(date +%s) - start)) s in all; results in $out/results.json, curves in $out/loss.svg, all of it in $out/page.html"
