# Columns of training logs (log.csv) against the optimizer step, as SVG:
#   awk -v scale=log|linear -f curves.awk label=NAME [column=N] [every=N] [start=Y] [what=TEXT] FILE …
# label names the line; column is what is drawn (default 3, the loss; 4 is the learning rate, 7 the held-out loss, which has gaps), what: of what the axis is; every:
# only each N-th step; start: a value at step 0. All but scale, what and every hold for the next file only.
BEGIN { FS = ","; every = 1; column = 3; what = "loss (nats per labelled token)" }
FNR == 1 {
  n++
  name[n] = label != "" ? label : FILENAME
  if (start != "") add(0, start)
  take = column
  label = start = ""
  column = 3
  next
}
$take != "" && ($1 == 1 || $1 % every == 0) { add($1, $take) }

function add(s, y) {
  if (scale == "log" && y < 1e-3) y = 1e-3
  k = ++count[n]
  step[n, k] = s
  value[n, k] = y
  if (s > last) last = s
  if (low == "" || y < low) low = y
  if (high == "" || y > high) high = y
}
function height(y) { return scale == "log" ? log(y) : y }
function px(s) { return 60 + 700 * s / last }
function py(y) { return 20 + 360 * (height(high) - height(y)) / (height(high) - height(low)) }
# 1, 2 or 5 times a power of ten: steps of about a sixth of the range
function nice(range,   p) {
  p = sprintf("%.6g", exp(log(10) * floor(log(range / 6) / log(10) + 1e-9))) + 0
  return range / 6 > 5 * p ? 10 * p : range / 6 > 2 * p ? 5 * p : range / 6 > p ? 2 * p : p
}
function floor(x) { return x < int(x) ? int(x) - 1 : int(x) }
function line_at(y) { printf "<path d=\"M60 %.1fH760\" stroke=\"#ddd\"/><text x=\"52\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", py(y), py(y) + 4, y }
END {
  split("#1b6ca8 #c8553d #2a9d4a #8a8a8a #b08900 #7b4fa3", color, " ")
  split("|2 2|6 3|1 4", dashes, "|")
  if (last == 0) last = 1
  if (high == "") low = high = 1
  if (low == high) { low -= 0.5; high += 0.5 }
  print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"440\" font-family=\"sans-serif\" font-size=\"12\"><rect width=\"800\" height=\"440\" fill=\"white\"/>"
  if (scale == "log") for (y = 1e-3; y <= high; y *= 10) { if (y >= low) line_at(y) }
  else for (y = nice(high - low) * floor(low / nice(high - low) + 1); y <= high; y += nice(high - low)) line_at(y)
  for (s = 0; s <= last * 1.001; s += nice(last)) printf "<text x=\"%.1f\" y=\"400\" text-anchor=\"middle\">%d</text>\n", px(s), s
  print "<text x=\"410\" y=\"425\" text-anchor=\"middle\">optimizer step</text><text x=\"62\" y=\"14\">" what "</text>"
  for (i = 1; i <= n; i++) {
    points = ""
    for (k = 1; k <= count[i]; k++) points = points sprintf("%s%.1f,%.1f", k == 1 ? "" : " ", px(step[i, k]), py(value[i, k]))
    dash = dashes[int((i - 1) / 6) % 4 + 1]
    if (dash) dash = " stroke-dasharray=\"" dash "\""
    c = color[(i - 1) % 6 + 1]
    printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.3\"%s points=\"%s\"/>", c, dash, points
    printf "<path d=\"M575 %dH595\" stroke=\"%s\" stroke-width=\"1.3\"%s/><text x=\"600\" y=\"%d\" fill=\"%s\">%s</text>\n", 16 + 16 * i, c, dash, 20 + 16 * i, c, name[i]
  }
  print "</svg>"
}
