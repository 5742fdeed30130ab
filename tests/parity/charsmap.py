"""SentencePiece's precompiled_charsmap, made from a dict: a double array (darts-clone's) whose values are places in the texts behind it."""
import struct, unicodedata


def build(rules):
    """bytes of a charsmap that makes rules[key] of each key (strings; no key is empty)."""
    texts, place = b"", {}
    for v in rules.values():
        if v not in place:
            place[v] = len(texts)
            texts += v.encode() + b"\0"
    trie = {}
    for key, v in rules.items():
        node = trie
        for b in key.encode():
            node = node.setdefault(b, {})
        node[-1] = place[v]
    units, used = {0: 0}, {0}

    def put(node, at):
        """node's children get a block of their own: the unit of byte b is at base ^ b."""
        labels = [0 if b == -1 else b for b in node]
        base = 1
        while any((base ^ b) in used for b in labels) or base == at or not fits(base ^ at):
            base += 1
        used.update(base ^ b for b in labels)
        used.add(base)                            # of the leaf, kept free where there is none
        offset = base ^ at
        units[at] |= (offset << 10 if offset < 1 << 21 else offset >> 8 << 10 | 1 << 9) | (1 << 8 if -1 in node else 0)
        for b, child in node.items():
            units[base ^ max(b, 0)] = 1 << 31 | child if b == -1 else b
        for b, child in node.items():
            if b != -1:
                put(child, base ^ b)

    fits = lambda offset: offset < 1 << 21
    put(trie, 0)
    n = (max(units) | 255) + 1
    array = struct.pack(f"<{n}I", *(units.get(i, 0) for i in range(n)))
    return struct.pack("<I", len(array)) + array + texts


def nfkc_rules(chars):
    rules = {}
    for c in chars:
        v = unicodedata.normalize("NFKC", c)
        if v != c:
            rules[c] = v
    return rules


def small_charsmap(rng=None):
    """Like SentencePiece's nmt_nfkc, in small: compatibility characters, composed accents, control characters left out, spaces."""
    chars = [chr(c) for r in ((0xA0, 0x180), (0x1E00, 0x1F00), (0x2000, 0x2070), (0x2150, 0x2190), (0x2460, 0x2480), (0xFB00, 0xFB07),
                              (0xFF01, 0xFF5F), (0x1D400, 0x1D434)) for c in range(*r)]
    rules = nfkc_rules(chars)
    for c in chars:
        d = unicodedata.normalize("NFD", c)
        if d != c:
            rules[d] = unicodedata.normalize("NFKC", c)     # written with its accent apart
    for c in [*range(1, 9), 11, *range(14, 32), 127, 0x200B, 0xFEFF]:
        rules[chr(c)] = ""
    for c in (9, 10, 13, 0x1680, 0x3000):
        rules[chr(c)] = " "
    rules["\ufdfa"] = "صلى الله عليه وسلم"
    if rng and rng.random() < 0.5:
        rules["\u0600"] = "x"                     # a character that joins what follows it
        rules["a"] = ""
    return build(rules)
