#!/usr/bin/env python3
"""Writes the tables of runtime/text/classes.c: classes of characters as Hugging Face `tokenizers` has them, whose tables are of older Unicode versions
than libraries know. Each is asked about every character.

    tests/parity/make_classes.py [--check]      # --check: exit status 1 when the file would become another
"""
import os, sys
from tokenizers import normalizers, pre_tokenizers

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "runtime/text/classes.c")
ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(chars):
    out = []
    for c in chars:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def marks():
    strip = normalizers.StripAccents()
    return ranges(c for c in ALL if strip.normalize_str("a" + chr(c)) == "a")


def punctuation():
    split = pre_tokenizers.Punctuation("removed")
    return ranges(c for c in ALL if not split.pre_tokenize_str(chr(c)))


def scripts():
    """Characters of one script are not split. Number 0 is any script: alone, such a character is left out."""
    split = pre_tokenizers.UnicodeScripts()
    first, out, last = [], [], 0
    together = lambda a, b: len(split.pre_tokenize_str(chr(a) + chr(b))) == 1
    for c in range(0x110000):
        if 0xD800 <= c <= 0xDFFF or not split.pre_tokenize_str(chr(c)):
            k = 0
        elif last and together(first[last - 1], c):
            k = last
        else:
            k = next((i + 1 for i, a in enumerate(first) if together(a, c)), 0)
            if not k:
                first.append(c)
                k = len(first)
        last = k or last
        if not out or out[-1][1] != k:
            out.append((c, k))
    return out


def table(items):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 140:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join(lines + [line])


def pairs(l):
    return table(f"{{0x{a:X}, 0x{b:X}}}" for a, b in l)


def main():
    text = open(PATH, encoding="utf-8").read()
    for name, body in (("marks", pairs(marks())), ("punctuation", pairs(punctuation())), ("scripts", table(f"{{0x{c:X}, {k}}}" for c, k in scripts()))):
        begin = text.index(f" {name}[] = {{\n") + len(f" {name}[] = {{\n")
        text = text[:begin] + body + "\n" + text[text.index("};", begin):]
    if "--check" in sys.argv:
        sys.exit(open(PATH, encoding="utf-8").read() != text)
    open(PATH, "w", encoding="utf-8").write(text)


main()
