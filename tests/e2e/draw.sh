#!/bin/sh
# calmc draw: any spec as a standalone SVG: a box for every layer, an arrow for every connection with its operator's name, what is trained marked; names escaped.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
mkdir 'a&b<c>'
cp -r base aug 'a&b<c>'
cat >'a&b<c>/"three"&.calm' <<'END'
anchor base = "base"
augment one = "aug" as int8
augment two = "aug" reads prompt
augment three = "aug"
tune three
connect one[1, 3] -> base[2, 4] with cross_attention(heads = 3)
connect two[all] -> base[spread] with cross_attention_normed(heads = 3)
connect three[2].normed -> base[4] with cross_attention_scaled(heads = 3)
END
"$CALMC" draw spec.calm -o two.svg 2>err || fail "draw: $(cat err)"
grep -q '^wrote two.svg' err || fail "it is not said: $(cat err)"
"$CALMC" draw 'a&b<c>/"three"&.calm' >three.svg 2>err || fail "draw: $(cat err)"
count() { grep -c "$1" "$2" || :; }
# boxes: layers 0 to 4 of both models; arrows: two and seven, each with its title
[ "$(count '<rect .*rx="3"' two.svg)" = 10 ] || fail "boxes: $(cat two.svg)"
[ "$(count 'class="arrow learns"' two.svg)" = 2 ] && [ "$(count '>cross_attention</text>' two.svg)" = 2 ] || fail "arrows: $(cat two.svg)"
[ "$(count 'class="arrow learns"' three.svg)" = 7 ] && [ "$(count '>cross_attention_normed</text>' three.svg)" = 4 ] || fail "arrows: $(cat three.svg)"
grep -q '>cross_attention_scaled.normed</text>' three.svg || fail "a tap is not named: $(cat three.svg)"
grep -q '<title>aug.1-&gt;base.2: cross_attention, [1-9][0-9]* parameters</title>' two.svg || fail "titles: $(cat two.svg)"
[ "$(count 'class="box trained"' two.svg)" = 1 ] || fail "a frozen model is drawn trained (one box is the key's): $(cat two.svg)"
[ "$(count 'class="box trained"' three.svg)" = 4 ] || fail "of the tuned model layers 0 to 2 are trained: $(cat three.svg)"
grep -q '>&quot;three&quot;&amp;.calm</text>' three.svg || fail "the title is not escaped: $(cat three.svg)"
grep -q 'as int8' three.svg && grep -q 'reads prompt' three.svg || fail "what models are is not said"
# no box stands in another's place, and all is inside the picture
inside() {
  awk 'BEGIN { RS = "[<>]" } /^svg / { match($0, /viewBox="0 0 [0-9]* [0-9]*/); split(substr($0, RSTART + 9, RLENGTH - 9), v, " ") }
    /^rect .*rx="3"/ { for (k in at) delete at[k]; n = split($0, w, "[ =\"]+"); for (i = 1; i < n; i++) at[w[i]] = w[i + 1]
      if (at["x"] < 0 || at["y"] < 0 || at["x"] + at["width"] > v[3] || at["y"] + at["height"] > v[4] || at["height"] < 12) bad = $0
      for (j = 1; j <= boxes; j++) if (bx[j] == at["x"] && at["y"] < by[j] + bh[j] && by[j] < at["y"] + at["height"]) bad = $0
      boxes++; bx[boxes] = at["x"]; by[boxes] = at["y"]; bh[boxes] = at["height"] }
    END { if (bad != "" || !boxes) print "bad: " bad; exit bad != "" || !boxes }' "$1" || fail "$1: boxes"
}
inside two.svg; inside three.svg
# many layers: those that are connected, and runs between them
{ made deep 16 32 200 2 2 64 10000; } >deep.calm
"$CALMC" draw deep.calm -o deep.svg 2>err || fail "draw: $(cat err)"
inside deep.svg
grep -q '>layers 1 to 199</text>' deep.svg && grep -q 'numbers are trained' deep.svg || fail "deep: $(cat deep.svg)"
# adapters: a mark at every layer that has some, of a run of layers one, their numbers said
grep -q 'class="adapter"' two.svg && fail "there are no adapters: $(cat two.svg)"
{ cat spec.calm; echo 'adapt aug with lora(rank = 2) adapt base "*.layers.1.*.q_proj", "*.layers.1.*.v_proj" with lora(rank = 4)'; } >lora.calm
"$CALMC" draw lora.calm -o lora.svg 2>err || fail "draw: $(cat err)"
inside lora.svg
build lora.calm -o lora
numbers() { ./lora info | awk -v of="$1" 'index($1, of) == 1 { gsub(/[][,]/, ""); n += $2 * $3 } END { print n }'; }
[ "$(count 'class="adapter"' lora.svg)" = 5 ] || fail "layers 1 to 3 of aug and 2 of base (and the key): $(cat lora.svg)"
for m in aug base; do
  grep -q "frozen; $(numbers $m.model) in adapters</text>" lora.svg || fail "$m's adapters have $(numbers $m.model) numbers: $(cat lora.svg)"
done
# texts: none in another's place, none outside: long names, arrows both ways in one gap, many at one layer, a model that reads itself; glyphs are taken narrow
long=an_augmenting_model_whose_name_nobody_would_want_to_type_twice
cat >crowd.calm <<END
anchor base = "base"
augment $long = "aug"
augment near = "aug"
augment mid = "aug"
augment far = "aug"
connect $long[1, 2] -> base[2, 3] with gated_addition()
connect $long[2] -> base[1] with cross_attention(heads = 3)
connect near[3] -> base[4] with gated_addition()
connect far[1] -> mid[2] with gated_addition()
connect mid[2] -> near[2] with gated_addition()
connect far[3] -> base[3] with gated_addition()
connect base[1] -> base[2] with gated_addition()
END
printf 'anchor base = "base"\nconnect base[1] -> base[2] with cross_attention(heads = 3)\n' >self.calm
apart() {
  sed 's/<text/\n<text/g' "$1" | grep '<text' | grep -v halo | sed 's/<text x="\([^"]*\)" y="\([^"]*\)" class="\([^"]*\)">\(.*\)<.text>/\1 \2 \4 \3/; s/&[a-z]*;/./g' >texts
  awk -v picture="$(grep -o 'width="[0-9]*"' "$1" | head -1 | tr -dc 0-9)" '
    { n = split($0, w, " "); class = ""; for (k = n; k > 3 && w[k] ~ /^(name|small|start|end)$/; k--) class = class " " w[k]
      text = w[3]; for (j = 4; j <= k; j++) text = text " " w[j]
      wide = length(text) * (class ~ /name/ ? 7.5 : 5); x = w[1] - (class ~ /start/ ? 0 : class ~ /end/ ? wide : wide / 2); high = class ~ /name/ ? 12 : 9
      if (x < 0 || x + wide > picture) { print "outside: " text; bad = 1 }
      for (j = 1; j < NR; j++) if (x < tx[j] + tw[j] && tx[j] < x + wide && w[2] - high < ty[j] && ty[j] - th[j] < w[2]) { print text " and " tt[j]; bad = 1 }
      tx[NR] = x; ty[NR] = w[2]; tw[NR] = wide; th[NR] = high; tt[NR] = text }
    END { exit bad || NR < 8 }' texts >bad || fail "$1: texts in each other's place: $(cat bad)"
}
for f in crowd self; do "$CALMC" draw $f.calm -o $f.svg 2>err || fail "draw: $(cat err)"; inside $f.svg; done
for f in two three deep lora crowd self; do apart $f.svg; done
# who reads whom stands beside it: an arrow that passes a column is drawn over it, too
[ "$(count 'class="arrow learns passes"' crowd.svg)" = 2 ] || fail "far to base and mid to near pass columns: $(cat crowd.svg)"
# a text of XML: every tag is closed
for f in two three deep lora crowd self; do
  [ "$(grep -o '<[a-z]' $f.svg | wc -l)" = "$(grep -o '</[a-z]*>\|/>' $f.svg | wc -l)" ] || fail "$f.svg: tags that are not closed"
done
cp two.svg was.svg
expect 1 'error' "$CALMC" draw nothing.calm -o two.svg
cmp two.svg was.svg
expect 1 'cannot write spec.calm' "$CALMC" draw spec.calm -o spec.calm
cp rows.jsonl mine
expect 1 'cannot write mine: a file is there that is no picture' "$CALMC" draw spec.calm -o mine
cmp mine rows.jsonl
cp three.svg over.svg
expect 0 'wrote over.svg' "$CALMC" draw spec.calm -o over.svg
cmp over.svg two.svg
expect 2 'is an option of build' "$CALMC" draw spec.calm --emit=plan
echo "drawn"
