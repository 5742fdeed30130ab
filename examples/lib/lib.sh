# Sourced by the examples' run scripts, which set root.

# build_calm: installs what is missing and builds the compiler (sets calmc). CALMC names a compiler that is built already.
build_calm() {
  calmc=${CALMC:-}
  [ -z "$calmc" ] || return 0
  sh "$root/scripts/setup"
  launcher=
  command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
  mkdir -p "$root/build"
  (flock 8 && cmake -S "$root" -B "$root/build" -G Ninja $launcher >/dev/null && ninja -C "$root/build" calmc >&2) 8>>"$root/build/.calm-example.lock"
  calmc=$root/build/calmc
}

# tool SOURCE PROGRAM [LIBRARY…]: one of an example's own small C programs
tool() {
  source=$1 program=$2; shift 2
  cc -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -I"$root" -o "$program" "$source" "$@"
}

# own_directory DIR: makes DIR, or takes one that an earlier run made (it is marked, or under build/), whose results are then replaced; ends the script
# where DIR holds what no run made, or another run is at work there. The mark is held locked, through descriptor 9, by the run and what it starts.
own_directory() {
  case $1 in
    "$root"/build/?*) ;;
    *) if [ -e "$1" ] && [ ! -e "$1/.calm-example" ] && [ -n "$(ls -A "$1")" ]; then
         echo "--out $1: holds what this script did not make; give another directory, or empty it" >&2
         exit 1
       fi ;;
  esac
  mkdir -p "$1"
  exec 9>>"$1/.calm-example"
  flock -n 9 || { echo "--out $1: another run is at work there (process $(cat "$1/.calm-example")); wait for it, or give another directory" >&2; exit 1; }
  echo $$ >"$1/.calm-example"
}

# renewed MADE DIR: what MADE has new or otherwise than DIR takes its place there; the rest stays as it is, for whoever reads it. MADE is gone then.
renewed() {
  mkdir -p "$2"
  for made_file in "$1"/*; do cmp -s "$made_file" "$2/${made_file##*/}" || mv "$made_file" "$2"; done
  rm -rf "$1"
}

# build_rates DIR: makes DIR/rates, which says what this machine can do at most (rates.c)
build_rates() { tool "$root/examples/lib/rates.c" "$1/rates" "$root/runtime/machine/rates.c" -fno-tree-vectorize -pthread; }
# scoring_tool SOURCE PROGRAM [SOURCE…]: likewise one that uses runtime/work/textscore
scoring_tool() {
  source=$1 program=$2; shift 2
  tool "$source" "$program" "$@" "$root/runtime/work/textscore.c" "$root/runtime/work/words13a.c" "$root/runtime/core/alloc.c" "$root/runtime/core/rt_error.c" -ljansson -lm
}
# build_chrf: makes ./chrf, which scores what `eval --out` wrote (examples/real_pair/chrf.c)
build_chrf() { scoring_tool "$root/examples/real_pair/chrf.c" ./chrf; }

# need_number FLAG VALUE: ends the script when VALUE is not a whole number
need_number() {
  case $2 in ''|*[!0-9]*) echo "$1 $2: expected a number" >&2; exit 2 ;; esac
}

# json_number KEY: the first "KEY": NUMBER of standard input
json_number() { tr ',{}' '\n\n\n' | sed -n "s/^ *\"$1\": *\([-+.0-9eE]*\).*/\1/p" | head -n 1; }

# plain_page FILE TITLE [HEADING=]PART…: FILE, HTML that needs nothing else: an SVG picture as it is, any other part as the text it is
plain_page() {
  page_file=$1 page_title=$2; shift 2
  {
    echo "<!doctype html><meta charset=\"utf-8\"><title>$page_title</title>"
    echo '<style>body{font:14px sans-serif;max-width:75em;margin:2em auto}pre{background:#f4f4f4;padding:.5em;overflow-x:auto}</style>'
    echo "<h1>$page_title</h1>"
    for page_part; do
      case $page_part in *=*) echo "<h2>${page_part%%=*}</h2>" ;; esac
      case $page_part in
        *.svg) cat "${page_part#*=}" ;;
        *) echo '<pre>'; sed 's/&/\&amp;/g; s/</\&lt;/g' "${page_part#*=}"; echo '</pre>' ;;
      esac
    done
  } >"$page_file.new"
  mv "$page_file.new" "$page_file"
}

# curves FILE SCALE ARGUMENT…: log.csv files as lines in an SVG picture; see curves.awk
curves() {
  file=$1 scale=$2; shift 2
  awk -v scale="$scale" -f "$root/examples/lib/curves.awk" "$@" >"$file"
}
