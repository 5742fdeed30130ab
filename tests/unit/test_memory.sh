#!/bin/sh
# Makes what test_memory works on: the models of tests/parity/two_tokenizers with their tokenizers, and a program of them as an object.
# sh test_memory.sh SOURCE DIRECTORY CALMC
set -eu
rm -rf "$2"
mkdir -p "$2"
cd "$2"
cp -r "$1/tests/parity/two_tokenizers/." .
cp "$1/tests/parity/tokenizer/synthetic/byte_words.json" llama/tokenizer.json
cp "$1/tests/parity/tokenizer/synthetic/fallback_prepend.json" gemma/tokenizer.json
"$3" build round.calm --emit=obj -o program.o
ln -s llama first
ln -s gemma second
