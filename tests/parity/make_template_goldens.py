#!/usr/bin/env python3
"""What transformers makes of conversations with chat templates, for tests/unit/test_template.c.

    make_template_goldens.py                     writes tests/parity/templates: snippets of one construct each, and the templates of
                                                 templates/own (written for this, in the manner of the families that publish one) over conversations.json
    make_template_goldens.py OUT DIR|FILE …      the same files in OUT for other people's templates: *.jinja, tokenizer_config.json (chat_template), of
                                                 directories with all below; then CALM_TEMPLATE_GOLDENS=OUT build/test_template

Rendered as apply_chat_template does it: messages normalised, render_jinja_template, the clock stopped. Needs transformers; the test needs only the files.
"""
import datetime, hashlib, json, logging, os, sys
import jinja2
from transformers.utils import chat_template_utils as ctu

logging.disable(logging.CRITICAL)
here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")


class Stopped(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2025, 7, 4, 13, 5, 9)


ctu.datetime = Stopped

TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city, \"now\".", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "The city's name"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
                                     "days": {"type": "array", "items": {"type": "integer"}, "default": [1, 2]}}, "required": ["city"]}}}
CALL = [{"id": "call12345", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Łódź", "days": [1, 2.5, None, True]}}}]
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def u(text): return {"role": "user", "content": text}
def a(text, **more): return {"role": "assistant", "content": text, **more}
def s(text): return {"role": "system", "content": text}


CONVERSATIONS = [
    dict(messages=[u("Hi there")], add_generation_prompt=True),
    dict(messages=[u("Hi there"), a("Hello.")]),
    dict(messages=[s("Be brief."), u("  padded \n"), a("\n answer \n\n"), u("more?")], add_generation_prompt=True),
    dict(messages=[s("Be brief."), u("one"), a("1"), u("two"), a("2"), u("three"), a("3")]),
    dict(messages=[u("why"), a("<think>\nbecause\n</think>\n\nso"), u("and?"), a("<think>hm</think>there")]),
    dict(messages=[u("why"), a("so", reasoning_content="be\ncause "), u("and?")], add_generation_prompt=True, names={"enable_thinking": False}),
    dict(messages=[u("why"), a("so", reasoning="hm", name=None)], names={"enable_thinking": True}),
    dict(messages=[u([{"type": "text", "text": "part one"}, {"type": "text", "text": " part two"}]), a([{"type": "text", "text": "yes"}])]),
    dict(messages=[s("S"), u("weather?")], tools=[TOOL], add_generation_prompt=True),
    dict(messages=[u("weather?"), a(None, tool_calls=CALL), {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "{\"t\": 21.0}"},
                   a("21 degrees"), u("thanks")], tools=[TOOL, TOOL], add_generation_prompt=True),
    dict(messages=[u("weather?"), a("", tool_calls=CALL), {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "sun"}], tools=[TOOL]),
    dict(messages=[u("a"), u("b")], add_generation_prompt=True),
    dict(messages=[a("first"), u("b")]),
    dict(messages=[u(""), a(""), u("«<&>'\"» 日本語 \U0001f600 \u00a0\u2003x")], add_generation_prompt=True),
    dict(messages=[u("doc?")], documents=[{"title": "T", "text": "body\nof it"}], add_generation_prompt=True),
]

SNIPPET_INPUT = dict(
    messages=[s("sys"), u(" Hello World "), a("line one\nline two\n"), u([{"type": "text", "text": "p"}, {"type": "image"}])],
    names={"i": 7, "f": 2.5, "t": True, "n": None, "e": "", "str": "Hello World", "uni": "äÖ日本\U0001f600", "list": [3, 1, 2], "empty": [], "nested": [[1, "a"], [2, "b"]],
           "d": {"b": 1, "a": [1, 2], "items_": "x", "C": None}, "rows": [{"k": "x", "v": 3}, {"k": "Y", "v": 1}, {"k": "a"}], "big": 1e22, "small": 1.5e-7, "whole": 3.0,
           "bos_token": "<s>", "mixed": ["b", "A", "c"]})

SNIPPETS = r"""
{{ 1 + 2 * 3 - 4 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}|{{ 2 ** 10 }}|{{ 2 ** -1 }}|{{ 2 ** 3 ** 2 }}|{{ -2 ** 2 }}|{{ 7.5 // 2 }}|{{ -7.5 % 2 }}
{{ 1 / 3 }}|{{ 0.1 + 0.2 }}|{{ big }}|{{ small }}|{{ whole }}|{{ 1e15 }}|{{ 1e16 }}|{{ 123456789012345680.0 }}|{{ 0.0001 }}|{{ 0.00001 }}|{{ -0.0 }}|{{ 1e300 * 1e10 }}
{{ 0x1F }}|{{ 0b101 }}|{{ 0o17 }}|{{ 1_000 }}|{{ 1_0.5 }}|{{ 1e3 }}
{{ 1 / 0 }}
{{ "a" + 'b' }}|{{ "a" ~ 1 ~ none ~ nope ~ 1.5 }}|{{ "ab" * 3 }}|{{ 3 * "x" }}|{{ [1] * 2 }}|{{ [1] + [2] }}|{{ (1, 2) + (3,) }}
{{ "a\tb\n\\\"\x41\u00e9\U0001F600\101\q" }}
{{ 'one' 'two' }}
{{ True }}|{{ false }}|{{ None }}|{{ nope }}|{{ [1, 2.0, 'a', "it's", none, true] }}|{{ {'a': 1, "b": [2]} }}|{{ (1,) }}|{{ () }}|{{ {} }}|{{ [] }}
{{ ["a'b\"c", "\n\t\\", "é", "\x01", "\x7f"] }}
{{ 1 == 1.0 }}|{{ true == 1 }}|{{ 'a' == "a" }}|{{ [1] == [1] }}|{{ (1,) == [1] }}|{{ {'a': 1} == {'a': 1.0} }}|{{ nope == nada }}|{{ none == nope }}
{{ 1 < 2 < 3 }}|{{ 3 > 2 > 2 }}|{{ 'a' < 'b' }}|{{ [1, 2] < [1, 3] }}|{{ 1 != 2 }}|{{ 2 >= 2 }}|{{ 1 <= 0 }}
{{ 1 in list }}|{{ 9 not in list }}|{{ 'lo' in str }}|{{ 'a' in d }}|{{ 'z' not in d }}|{{ 1 in nope }}|{{ '' in '' }}
{{ 1 in none }}
{{ 1 in 'abc' }}
{{ not true }}|{{ not nope }}|{{ true and 'x' }}|{{ none or 'y' }}|{{ '' or 0 or [] }}|{{ 1 and 2 or 3 }}|{{ not 1 == 2 }}|{{ false or not false }}
{{ 'a' if t else 'b' }}|{{ 'a' if n else 'b' }}|{{ 'a' if n }}|{{ 1 if 0 else 2 if 0 else 3 }}|{{ ('x' if t else 'y') ~ 'z' }}
{{ list[0] }}|{{ list[-1] }}|{{ list[9] }}|{{ str[0] }}|{{ str[-1] }}|{{ uni[2] }}|{{ d['b'] }}|{{ d.a[1] }}|{{ d['nope'] }}|{{ d.nope }}|{{ none.x }}|{{ none['x'] }}|{{ nested[1][1] }}|{{ nested.0.1 }}
{{ list[1:] }}|{{ list[:-1] }}|{{ list[::-1] }}|{{ list[::2] }}|{{ str[1:4] }}|{{ str[::-1] }}|{{ uni[1:3] }}|{{ uni[-2:] }}|{{ list[5:] }}|{{ str[-100:3] }}|{{ list[2:0:-1] }}|{{ d[1:] }}|{{ (1,2,3)[1:] }}|{{ range(5)[1:3] | list }}
{{ nope.x }}
{{ nope['x'] }}
{{ nope[1:] }}
{{ nope + 1 }}
{{ nope() }}
{{ 'x'() }}
{{ d.items is callable }}|{{ d['items'] is defined }}|{{ d.items() | list }}|{{ d.keys() | list }}|{{ d.values() | list }}|{{ d.get('a') }}|{{ d.get('q') }}|{{ d.get('q', 5) }}|{{ d.items() | length }}|{{ d.items()[0] is defined }}
{{ str.upper() }}|{{ str.lower() }}|{{ str.title() }}|{{ "they're bill's".title() }}|{{ "hELLO wORLD".capitalize() }}|{{ uni.upper() }}|{{ uni.lower() }}
{{ '  x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ 'abcba'.rstrip('ab') }}|{{ "\u00a0\u2003x\x1f".strip() }}|{{ ' x '.lstrip() }}|{{ ' x '.rstrip() ~ '.' }}
{{ 'a,b,,c'.split(',') }}|{{ ' a  b c '.split() }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'a b c'.rsplit(' ', 1) }}|{{ ' a  b  c '.split(none, 1) }}|{{ ' a  b  c '.rsplit(none, 1) }}|{{ ''.split() }}|{{ ''.split(',') }}|{{ 'aXXbXXc'.split('XX')[-1] }}|{{ 'a,b'.split(sep=',') }}
{{ "a\nb\r\nc\x0bd\u2028e\n".splitlines() }}|{{ 'a-b-c'.partition('-') }}|{{ 'a-b-c'.rpartition('-') }}|{{ 'abc'.partition('-') }}|{{ 'abc'.rpartition('-') }}
{{ 'x'.split('') }}
{{ str.startswith('He') }}|{{ str.endswith(('x', 'ld')) }}|{{ str.find('o') }}|{{ str.rfind('o') }}|{{ str.find('z') }}|{{ uni.find('本') }}|{{ str.count('l') }}|{{ str.index('W') }}|{{ str.find('o', 5) }}|{{ ''.count('') }}
{{ str.index('z') }}
{{ str.replace('l', 'L') }}|{{ str.replace('l', 'L', 1) }}|{{ 'ab'.replace('', '-') }}|{{ 'ab'.replace('', '-', 2) }}|{{ 'abc'.removeprefix('ab') }}|{{ 'abc'.removesuffix('bc') }}
{{ '12'.isdigit() }}|{{ ''.isdigit() }}|{{ 'a1'.isalnum() }}|{{ 'ab'.isalpha() }}|{{ ' '.isspace() }}|{{ 'AB1'.isupper() }}|{{ 'ab1'.islower() }}|{{ '1'.isupper() }}|{{ '½'.isnumeric() }}|{{ '²'.isdigit() }}
{{ ', '.join(['a', 'b']) }}|{{ '-'.join('abc') }}|{{ '7'.zfill(3) }}|{{ '-7'.zfill(4) }}|{{ 'x'.ljust(3) }}|{{ 'x'.rjust(3, '.') }}|{{ 'x'.center(4) }}|{{ 'xy'.center(5, '*') }}
{{ '{} and {}'.format(1, 'b') }}|{{ '{1}{0}'.format('a', 'b') }}|{{ '{x}'.format(x=[1]) }}|{{ '{{}}'.format() }}
{{ ', '.join([1]) }}
{{ '%s is %d' % ('a', 3) }}|{{ '%s' % 5 }}|{{ '%.2f' % 3.14159 }}|{{ '%r' % 'x' }}|{{ '100%%' % () }}|{{ '%s-%s' | format('a', none) }}
{{ '%s' % ('a', 'b') }}
{{ list | length }}|{{ str | count }}|{{ nope | length }}|{{ d | length }}|{{ uni | length }}
{{ i | length }}
{{ nope | default('x') }}|{{ n | default('x') }}|{{ e | default('x', true) }}|{{ n | d('y', boolean=true) }}|{{ nope | default }}|{{ nope.x | default('q') }}
{{ list | sort }}|{{ mixed | sort }}|{{ mixed | sort(case_sensitive=true) }}|{{ list | sort(reverse=true) }}|{{ rows[:2] | sort(attribute='v') }}|{{ list | min }}|{{ list | max }}|{{ mixed | max }}|{{ empty | max }}|{{ rows[:2] | sum(attribute='v') }}|{{ list | sum }}|{{ rows[:2] | max(attribute='v') }}
{{ rows | sort(attribute='v') }}
{{ d | dictsort }}|{{ {'b': 2, 'a': 3} | dictsort(by='value') }}|{{ {'b': 2, 'A': 3} | dictsort(true) }}|{{ d | items | list }}|{{ {'a': 1} | dictsort(reverse=true) }}
{{ list | join }}|{{ list | join(', ') }}|{{ rows | join('-', attribute='k') }}|{{ nope | join('x') }}|{{ str | join('.') }}|{{ list | first }}|{{ list | last }}|{{ empty | first }}|{{ str | last }}|{{ list | reverse | list }}|{{ str | reverse }}
{{ list | map('string') | join }}|{{ rows | map(attribute='k') | list }}|{{ rows | map(attribute='v', default=0) | list }}|{{ mixed | map('upper') | list }}|{{ [[1,2],[3]] | map('first') | list }}|{{ ['a '] | map('trim') | first }}|{{ nested | map(attribute='1') | list }}|{{ ['ab'] | map('replace', 'a', 'x') | list }}
{{ list | select('odd') | list }}|{{ list | reject('odd') | list }}|{{ [0, 1, '', 'a'] | select | list }}|{{ rows | selectattr('v') | list }}|{{ rows | selectattr('v', 'defined') | map(attribute='k') | list }}|{{ rows | rejectattr('k', 'equalto', 'x') | list | length }}|{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ list | select('in', [1, 2]) | list }}|{{ list | select('>', 1) | list }}|{{ rows | selectattr('k', '==', 'x') | first }}
{{ list | select('odd') | length }}
{{ none | selectattr('a', 'equalto', 1) | list }}|{{ none | rejectattr('a') | list | length }}|{{ none | map('upper') | list }}|{{ 0 | select | list }}|{{ false | map(attribute='a') | join }}|{{ none | reject('odd') | first }}
{{ none | sort }}
{{ none | unique | list }}
{{ 1 | select | list }}
{{ [1, 1, 2] | unique | list }}|{{ mixed | unique | list }}|{{ ['a', 'A'] | unique | list }}|{{ ['a', 'A'] | unique(true) | list }}|{{ [1,2,3,4,5] | batch(2) | list }}|{{ [1,2,3] | batch(2, 'x') | list }}
{{ str | upper }}|{{ str | lower }}|{{ "foo-bar baz(qux" | title }}|{{ str | capitalize }}|{{ '  x ' | trim }}|{{ 'xax' | trim('x') }}|{{ str | replace('o', '0') }}|{{ str | replace('o', '0', 1) }}|{{ 5 | string ~ 'a' }}|{{ 'x' | center(5) }}.|{{ n | trim }}|{{ 12 | upper }}
{{ "a\nb\n\nc" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent('> ') }}|{{ "" | indent }}|{{ "a\n" | indent }}
{{ 'foo bar baz qux' | truncate(9) }}|{{ 'foo bar baz' | truncate(9) }}|{{ 'foo bar baz qux' | truncate(9, true) }}|{{ 'foo bar baz qux' | truncate(11, false, '..', 0) }}|{{ uni | truncate(4, true, '.', 0) }}
{{ '42' | int }}|{{ ' 42 ' | int }}|{{ '4.9' | int }}|{{ 'x' | int }}|{{ 'x' | int(7) }}|{{ 2.9 | int }}|{{ -2.9 | int }}|{{ none | int }}|{{ 'ff' | int(base=16) }}|{{ '1e3' | int }}|{{ '3.5' | float }}|{{ 'x' | float }}|{{ 3 | float }}|{{ true | int }}
{{ 2.5 | round }}|{{ 3.5 | round }}|{{ 2.567 | round(2) }}|{{ 2.1 | round(method='ceil') }}|{{ 2.19 | round(1, 'floor') }}|{{ 5 | round }}|{{ -3 | abs }}|{{ -2.5 | abs }}|{{ 2.675 | round(2) }}
{{ '<a href="x">&\'' | escape }}|{{ '<' | safe }}|{{ ('<' | safe) + '>' }}|{{ '<' ~ ('<' | safe) }}|{{ '<' | e | e }}|{{ '<' | e | forceescape }}
{{ d | tojson }}|{{ uni | tojson }}|{{ [1, 2.0, none, true, "a\"\\\n\x01/<>"] | tojson }}|{{ 'é😀' | tojson(ensure_ascii=true) }}|{{ big | tojson }}|{{ {} | tojson }}|{{ [] | tojson(indent=2) }}|{{ (1,2) | tojson }}|{{ {1: 2, none: 3, true: 4} | tojson }}
{{ d | tojson(indent=2) }}
{{ d | tojson(indent=1, separators=(',', ':'), sort_keys=true) }}|{{ nested | tojson(separators=(',', ':')) }}|{{ d | tojson(indent='--') }}|{{ list | tojson(indent=0) }}
{{ nope | tojson }}
{{ i is defined }}|{{ nope is defined }}|{{ nope is undefined }}|{{ n is none }}|{{ nope is none }}|{{ t is true }}|{{ 1 is true }}|{{ t is boolean }}|{{ i is integer }}|{{ t is integer }}|{{ f is float }}|{{ i is number }}|{{ t is number }}|{{ str is string }}|{{ d is mapping }}|{{ list is iterable }}|{{ str is iterable }}|{{ i is iterable }}|{{ list is sequence }}|{{ d is sequence }}|{{ str is sequence }}|{{ nope is iterable }}|{{ nope is sequence }}|{{ n is iterable }}|{{ d.items() is sequence }}|{{ raise_exception is callable }}|{{ str is not string }}
{{ 3 is odd }}|{{ 4 is even }}|{{ 9 is divisibleby 3 }}|{{ 9 is divisibleby(2) }}|{{ 'a' is in ['a'] }}|{{ 1 is eq 1 }}|{{ 2 is gt 1 }}|{{ 1 is ne 1 }}|{{ 'abc' is lower }}|{{ 'ABC' is upper }}|{{ 1 is sameas 1 if false else none is sameas none }}|{{ 'upper' is filter }}|{{ 'odd' is test }}|{{ not 3 is odd }}|{{ d.a is defined and d.a is not none }}
{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.depth }};{% endfor %}
{% for x in [1,1,2] %}{{ loop.changed(x) }}{% endfor %}|{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}|{% for k in d %}{{ k }}{% endfor %}|{% for c in uni %}{{ c }}.{% endfor %}|{% for (a, b) in nested %}{{ b }}{% endfor %}
{% for x in empty %}x{% else %}none{% endfor %}|{% for x in nope %}x{% else %}none{% endfor %}|{% for x in list if x > 1 %}{{ loop.index }}{{ x }}{{ loop.last }}{% endfor %}|{% for x in list if x > 9 %}{% else %}E{% endfor %}
{% for x in none %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}|{% for x in range(3) %}{% for y in range(3) %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }}{% endfor %}{% endfor %}
{% for x in [[1, [2, [3]]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}
{% for a, b in [1, 2] %}{% endfor %}
{% set x = 1 %}{% for q in [1,2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}|{% if true %}{% set x = 9 %}{% endif %}{{ x }}|{% set ns = namespace(c=0, l=[]) %}{% for q in list %}{% set ns.c = ns.c + q %}{% set ns.l = ns.l + [q] %}{% endfor %}{{ ns.c }}{{ ns.l }}|{{ ns.q is defined }}|{{ namespace({'z': 1}).z }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}|{% set (c, d2) = [3, 4] %}{{ c }}{{ d2 }}|{% set x %}block {{ str }}{% endset %}{{ x }}|{% set y | upper | replace('O', '0') %}text {{ str }}{% endset %}{{ y }}|{% set z = 1, 2 %}{{ z }}
{% macro m(a, b='B', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m(b=1, a=2) }}{{ m() }}|{{ m(1) | length }}|{{ m(1) ~ 'x' }}|{{ m is callable }}
{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}|{% set g = 'late' %}{% macro r() %}{{ g }}{% endmacro %}{% set g = 'later' %}{{ r() }}
{% macro m(x) %}<{{ caller() }}{{ x }}>{% endmacro %}{% call m(1) %}body{% endcall %}|{% macro k() %}{{ caller('a', 'b') }}{% endmacro %}{% call(p, q) k() %}{{ q }}{{ p }}{% endcall %}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% filter upper %}a{{ str }}{% endfilter %}|{% with x = 1, y = 2 %}{{ x }}{{ y }}{% endwith %}{{ x is defined }}|{% raw %}{{ not }} {% this %}{% endraw %}|{# gone #}.
{% if n %}a{% elif i > 5 %}b{% else %}c{% endif %}|{% if '' %}a{% else %}c{% endif %}|{% if [] or {} %}a{% endif %}
{% for x in list -%}   {{ x }}   {%- endfor %}|  {%- if true %} a {% endif -%}   b
{{ range(3) | list }}|{{ range(1, 4) | list }}|{{ range(5, 0, -2) | list }}|{{ dict(a=1) }}|{{ dict({'b': 2}, a=1) }}|{{ range(3) | length }}|{{ 1 in range(3) }}
{{ strftime_now('%Y-%m-%d %H:%M') }}|{{ strftime_now("%d %b %Y") }}|{{ strftime_now('%A, %B %-d') }}
{{ raise_exception('no') }}
{{ messages[0]['role'] }}|{{ messages[1].content | trim }}|{{ messages[2].content.split('\n') }}|{{ messages[3].content[0].text }}|{{ messages | length }}|{{ messages[-1]['content'] is string }}|{{ messages[0].name is defined }}|{{ tools is none }}|{{ tools is defined }}|{{ documents }}|{{ add_generation_prompt }}
{{ [1, 2,] }}|{{ {'a': 1,} }}|{{ (1, 2,) }}|{{ d.get(key='a') if false else 'x' }}|{{ range(*[1, 3]) | list }}|{{ dict(**{'a': 1}) }}
{% generation %}all {{ str }}{% endgeneration %} out {% generation %}{% endgeneration %}{% for x in list %}{% generation %}{{ x }}{% endgeneration %},{% endfor %}
a{% generation %}é日{% set q = 1 %}{% endgeneration %}{{ q is defined }}
{{ 'a' is string and 'b' is string }}|{{ 'x' in 'xy' and not 'z' in 'xy' }}|{{ (list | length) > 2 }}|{{ list | length > 2 }}|{{ -list[0] }}|{{ -1 | abs }}|{{ 'a' ~ 'b' | upper }}|{{ 1 ~ 2 + 3 }}
{{ [x for x in list] }}
{{ lambda }}|{{ x is y }}
{{ 'a' 
  ~ 'b' }}|{{
  1 }}
{{ {'a': {'b': [1, {'c': 'deep'}]}}.a.b[1].c }}|{{ ('a', 'b')[1] }}|{{ 'abc'[1] }}|{{ [[1]][0][0] }}|{{ "x".upper().lower() }}|{{ 'a-b'.split('-')[1].upper() | lower }}
{{ d.a | join(',') if d.a else 'none' }}|{{ (d.nope or []) | length }}|{{ d.nope | length }}|{{ d.get('nope', {}).get('x') }}|{{ 'yes' if d.a is defined and d.a | length == 2 }}
{{ d.pop('a') }}
{{ list.append(1) }}
{{ 1 if }}
{{ 'abc' | nofilter }}
{{ i. }}
{% set 1 = 2 %}
{% endfor %}
{% for x in list %}
{{ "unterminated }}
{{ }}
{{ (1, 2 }}
{{ 1 2 }}
{% if x = 1 %}{% endif %}
{{ loop.index }}
{{ True and none is none }}|{{ None is none }}
{% if names %}{{ i | nofilter }}{% elif not i %}{{ i | nofilter(1) }}{% else %}x{% endif %}
{% if i %}{{ i | nofilter }}{% endif %}
{% if i and (i | nofilter) %}x{% endif %}
{% if not i %}{% if i is notest %}a{% endif %}{% else %}x{% endif %}
{{ (i | nofilter) if not i else 'x' }}
{{ (i | nofilter) if i else 'x' }}
{{ 'x' if i else i is notest }}
{{ i | nofilter ~ (1 if i else 2) }}
{% if not i %}{% for a in list %}{{ a | nofilter }}{% endfor %}{% endif %}
{% for a in list %}{% if not a %}{{ a | nofilter }}{% endif %}{{ a }}{% endfor %}
{% macro m() %}{% if not i %}{{ i | nofilter }}{% endif %}x{% endmacro %}{{ m() }}
{% if not i %}{% macro m() %}{{ i | nofilter }}{% endmacro %}{% endif %}x
{% if not i %}{% set y %}{{ i | nofilter }}{% endset %}{% endif %}x
{% if not i %}{% with %}{{ i | nofilter }}{% endwith %}{% endif %}x
{% if not i %}{% generation %}{{ i | nofilter }}{% endgeneration %}{% endif %}x
{% for a in list if a is notest %}{{ a }}{% endfor %}
"""
WHITESPACE = ["  {% if true %}\n  x\n  {% endif %}\n  y\n", "a\n\n  {%- if true -%}\n\n b \n {%- endif %}\n\nc\n\n", "a {{ 1 }}\n b {{- 2 -}} \n c\n", "a\n  {#- c -#}\n  b\n  {# c #}\n  d\n",
              "{% if true %}\r\nx\r\n{% endif %}\ry", "x {%+ if true %}\ny{%+ endif +%}\nz", "  {% raw %}\n {{x}} \n  {% endraw %}\n q", "\n\n{{ 1 }}\n", "   {{ 1 }}   \n", "{% set x = 1 %}   \n{{ x }}",
              "a\t{% if true %}b\n\t {% endif %}c", "{% for x in [1,2] %}\n    - {{ x }}\n{% endfor %}\nend", "{{ '}}' }}{{ {'a': {}} }}{% if '%}' %}x{% endif %}", "{{ \"{{ x }}\" }}", "{{-1}}{{ 2-}}", "{%- set x -%} a {%- endset -%} {{x}}", "", "\n", "{", "{{'{%'}}"]


def render(template, c):
    names = {**NAMES, **c.get("names", {})}
    messages = ctu._normalize_chat_messages(c["messages"])
    mark = "generation" in template
    try:
        text, spans = ctu.render_jinja_template([messages], tools=c.get("tools"), documents=c.get("documents"), chat_template=template,
                                                return_assistant_tokens_mask=mark, add_generation_prompt=c.get("add_generation_prompt", False), **names)
    except (jinja2.TemplateError, TypeError, ValueError, ZeroDivisionError, OverflowError, AttributeError, KeyError, AssertionError, IndexError) as e:
        return {"error": f"{type(e).__name__}: {str(e)[:80]}"}
    out = {"text": text[0]}
    if mark:
        out["generated"] = [[len(text[0][:b].encode()), len(text[0][:e].encode())] for b, e in spans[0]]
    return out


def write(path, what):
    with open(path, "w") as f:
        json.dump(what, f, ensure_ascii=False, indent=1)
        f.write("\n")


def conversations():
    return [{**c, "names": {**NAMES, **c.get("names", {})}} for c in CONVERSATIONS]


def templates_of(path):
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            yield from templates_of(os.path.join(path, name))
    elif path.endswith(".jinja"):
        yield path, open(path, encoding="utf-8", newline="").read()
    elif os.path.basename(path) == "tokenizer_config.json":
        t = json.load(open(path)).get("chat_template")
        for one in t if isinstance(t, list) else [{"name": "", "template": t}] if t else []:
            yield path + ":" + one["name"], one["template"]


def main():
    out, sources = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 2 else (here, [os.path.join(here, "own")])
    os.makedirs(out, exist_ok=True)
    write(os.path.join(out, "conversations.json"), conversations())
    known, listed = set(), {}
    for source in sources:
        for path, template in templates_of(source):
            cases = [render(template, c) for c in CONVERSATIONS]
            sha = hashlib.sha256(template.encode()).hexdigest()
            if sha in known: continue
            known.add(sha)
            name = os.path.basename(path)[:-6] if path.endswith(".jinja") else f"{os.path.basename(os.path.dirname(path))}-{sha[:8]}"
            listed[name] = {"template": sha, "renderings": hashlib.sha256(json.dumps(cases, sort_keys=True).encode()).hexdigest(), "rendered": sum("text" in c for c in cases)}
            write(os.path.join(out, name + ".golden.json"), {"template": template, "cases": cases})
    if out != here:
        write(os.path.join(out, "list.json"), listed)
        print(len(known), "templates,", sum(v["rendered"] for v in listed.values()), "renderings")
        return
    lines, merged = SNIPPETS.strip("\n").split("\n"), []
    for line in lines:                                     # a snippet of several lines goes on with blanks, or begins with what only a second line does
        if merged and (line.startswith("  ") or merged[-1].count("{{") > merged[-1].count("}}") and merged[-1].rstrip().endswith(("{{", "'a'"))): merged[-1] += "\n" + line
        else: merged.append(line)
    fixed = []
    for m in merged:
        if "{%" in m or "\n" in m or "}}|{{" not in m: fixed.append(m)
        else:
            parts = m.split("}}|{{")
            fixed += [("" if k == 0 else "{{") + p + ("" if k == len(parts) - 1 else "}}") for k, p in enumerate(parts)]
    snippets = {t: render(t, SNIPPET_INPUT) for t in fixed + WHITESPACE}
    write(os.path.join(here, "snippets.json"), {"input": {**SNIPPET_INPUT, "names": {**NAMES, **SNIPPET_INPUT["names"]}}, "snippets": snippets})
    print(len(snippets), "snippets,", len(known), "templates")


main()
