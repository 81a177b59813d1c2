#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random small templates over Jinja's filters, tests, methods, numbers, escapes and statements, against transformers.

usage: jinja_random.py TEMPLATE-UNIT SEED COUNT

Each template is rendered by transformers, or raises; template-unit is given what it said, and what differs is printed.
"""
import json
import random
import re
import subprocess
import sys
from transformers.utils.chat_template_utils import render_jinja_template

UNIT, SEED, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
M = [{"role": "user", "content": "hi There", "n": 1, "kids": [{"role": "a", "kids": [{"role": "b", "kids": []}]}, {"role": "c", "kids": []}]},
     {"role": "assistant", "content": "Grüße, 世界 ǅ ßtraße x²", "n": 2, "kids": []}, {"role": "user", "content": "", "n": 3, "kids": [{"role": "d", "kids": []}]}]
STRINGS = ["", "a", "A", "aB", "hello World foo-bar", "12", "-7", "3.5", "0x1f", "ß", "ǆungla", "ΑΣ", "x²", "٣", "½", "Ⅷ", "a_b", "_x1", "1a", " ", "\\t\\n", "a b  c\\td",
           "one two three four five six seven eight", "foo/bar?x=1&y=é", "<b>&", "a,b,,c", "The quick-brown fox (jumps) over", "supercalifragilistic", "line one\\nline two\\n\\nlast", "Ünï Çode", "if", "e\\u0301", "\\x41\\u00e9\\U0001F600", "\\101\\7z", "\\q\\'", "TITLE Case", "Title Case", "a\\u2028b", "%20", "~.-_"]
NUMBERS = ["0", "1", "2", "-1", "3", "7", "10", "80", "0x1F", "0b101", "0o17", "1_000", "0XfF", "0B1", "1_0.5_0", "1e3", "2.5", "-0.5", "1.5e-3", "1000", "999999", "1500000", "1048576", "00", "1_", "0x", "1__0", "12345678901234567", "3.14159", "5e-324"]
METHODS = ["isdigit", "isalpha", "isspace", "isupper", "islower", "isalnum", "istitle", "isnumeric", "isdecimal", "isidentifier", "isascii", "isprintable", "swapcase", "casefold", "upper", "lower", "title", "capitalize", "strip", "splitlines", "split"]
FILTERS = ["truncate", "wordwrap", "urlencode", "filesizeformat", "center", "title", "capitalize", "wordcount", "length", "trim", "upper", "lower", "int", "float", "string", "first", "last", "list", "reverse", "indent", "e", "tojson", "abs", "round", "max", "min", "sum", "unique", "sort", "nosuch"]
TESTS = ["upper", "lower", "string", "number", "integer", "float", "iterable", "sequence", "mapping", "odd", "even", "none", "defined", "true", "false", "callable", "boolean", "escaped", "filter", "test"]
r = random.Random()

def string(): return '%s%s%s' % ((q := r.choice("'\"")), r.choice(STRINGS) if r.random() < .85 else r.choice(STRINGS) + ' ' + r.choice(STRINGS), q)
def number(): return r.choice(NUMBERS) if r.random() < .8 else str(r.randint(-20, 200))
def boolean(): return r.choice(["true", "false"])
def small(): return str(r.randint(-3, 14))
def arg(d=0): return r.choice([string, number, boolean, lambda: "none", lambda: "q", lambda: "messages[%d].content" % r.randint(0, 3), lambda: "[%s]" % ", ".join(value(d + 1) for _ in range(r.randint(0, 3))), lambda: "{%s}" % ", ".join("%s: %s" % (string(), value(d + 1)) for _ in range(r.randint(0, 2)))])()
def value(d=0): return r.choice([string, string, number, arg if d < 2 else string])()
def opt(*names):
    out = []
    kw = False
    for n, f in names:
        if r.random() < .35: kw = True; continue
        if kw or r.random() < .2: kw = True; out.append("%s=%s" % (n, f()))
        else: out.append(f())
    return "(" + ", ".join(out) + ")"
def filt():
    return r.choice([
        lambda: "%s | truncate%s" % (text(), opt(("length", small), ("killwords", boolean), ("end", lambda: r.choice(["''", "'..'", "'…'"])), ("leeway", lambda: r.choice("0123")))),
        lambda: "%s | truncate(%s, %s, leeway=0)" % (text(), r.randint(3, 20), boolean()),
        lambda: "%s | wordwrap%s" % (text(), opt(("width", lambda: str(r.randint(-1, 20))), ("break_long_words", boolean), ("wrapstring", lambda: "'|'"), ("break_on_hyphens", boolean))),
        lambda: "%s | urlencode" % value(), lambda: "[[%s, %s], ('b', %s)] | urlencode" % (value(), value(), value()), lambda: "{'a b': %s, 'c': %s} | urlencode" % (value(), value()),
        lambda: "%s | filesizeformat%s" % (r.choice([number, string])(), opt(("binary", boolean))),
        lambda: "%s | center%s" % (value(), opt(("width", small))),
        lambda: "%s | int%s" % (value(), opt(("default", number), ("base", lambda: r.choice(["0", "2", "8", "10", "16", "36"])))),
        lambda: "%s | float%s" % (value(), opt(("default", number))),
        lambda: "%s | round%s" % (number(), opt(("precision", lambda: r.choice("0123")), ("method", lambda: r.choice(["'ceil'", "'floor'", "'common'", "'x'"])))),
        lambda: "%s | indent%s" % (text(), opt(("width", small), ("first", boolean), ("blank", boolean))),
        lambda: "%s | replace(%s, %s%s)" % (text(), string(), string(), r.choice(["", ", 1", ", count=0", ", 2"])),
        lambda: "%s | trim%s" % (text(), opt(("chars", string))),
        lambda: "%s | %s" % (value(), r.choice(FILTERS)), lambda: "%s | default(%s)" % (value(), value()),
        lambda: "[%s, %s] | %s" % (value(), value(), r.choice(["max", "min", "sum", "join", "join(',')", "first", "last", "sort", "unique | list", "list", "length", "map('upper') | list", "map('int') | list"])),
        lambda: "'%s' | format(%s)" % (r.choice(["%s", "%5s|", "%(a)s", "%-4d|", "%r"]), r.choice([value(), "a=" + value()])),
    ])()
def text(): return string() if r.random() < .85 else "messages[%d].content" % r.randint(0, 2)
def method():
    return r.choice([
        lambda: "%s.%s()" % (text(), r.choice(METHODS)), lambda: "%s.%s()" % (text(), r.choice(METHODS[:14])),
        lambda: "%s.center(%s%s)" % (text(), small(), r.choice(["", ", '*'"])), lambda: "%s.zfill(%s)" % (text(), small()),
        lambda: "%s.%s(%s%s)" % (text(), r.choice(["find", "rfind", "count", "startswith", "endswith", "index", "rindex"]), string() if r.random() < .5 else "'%s'" % r.choice("abeot "), r.choice(["", "", ", " + small(), ", %s, %s" % (small(), small())])),
        lambda: "%s.%s(%s)" % (text(), r.choice(["strip", "lstrip", "rstrip", "split", "rsplit", "partition", "join", "removeprefix", "removesuffix"]), string()),
        lambda: "%s.splitlines(%s)" % (text(), boolean()), lambda: "%s.replace(%s, %s)" % (text(), string(), string()),
        lambda: "(%s).%s()" % (number(), r.choice(["is_integer", "bit_length", "bit_count"])),
        lambda: "%s.expandtabs(%s)" % (text(), small()), lambda: "'{%s}'.format(%s)" % (r.choice(["", "0", ":5", ":>4", "!r"]), value()),
    ])()
def expr():
    return r.choice([filt, filt, method, method, lambda: "%s is %s" % (value(), r.choice(TESTS)), number,
        lambda: "%s %s %s" % (r.choice([number, string])(), r.choice(["+", "-", "*", "/", "//", "%", "~", "==", "<", "and", "or", "in"]), r.choice([number, string])()), lambda: string(), lambda: "%s ** %s" % (number(), r.choice("0123")),
        lambda: "[%s, %s]" % (expr(), value()), lambda: "(%s) | string | length" % expr(), lambda: "namespace(%s).%s" % (r.choice(["a=1, b=2", "{'a': 1}", "{'a': 1}, b=2", "[('a', 3)]", "", "3", "_x=1"]), r.choice("abz")),
        lambda: "dict(%s)" % r.choice(["a=1", "{'a': 1}", "{'a': 1}, a=2", "[['a', 1], ('b', 2)]", "", "3", "[1]"]), lambda: "namespace(a=1)['a']"])()
def body(names=()): return "".join(r.choice(["x", " ", "\n", "{{ %s }}" % (r.choice(names) if names and r.random() < .8 else expr()), "{{ loop.index }}" if r.random() < .2 else ""]) for _ in range(r.randint(1, 4)))
def call(name): return "%s(%s)" % (name, ", ".join([value() for _ in range(r.randint(0, 3))] + r.sample(["a=1", "b='k'", "z=3"], r.randint(0, 2))))
def macro():
    params = r.choice(["", "a", "a, b", "a, b=2", "a=1, b=a", "a, varargs", "a, kwargs=3", "a, caller=none"])
    inner = body(["a", "b", "varargs", "kwargs", "varargs | length", "kwargs | tojson", "kwargs.items() | list", "caller()", "caller(1)", "caller is defined", "a is defined", "m.name"])
    use = r.choice(["{{ %s }}" % call("m"), "{%% call m(%s) %%}%s{%% endcall %%}" % (r.choice(["", "1", "1, 2, 3", "z=4"]), body()), "{%% call(x, y=5) %s %%}%s{%% endcall %%}" % (call("m"), body(["x", "y", "varargs", "kwargs"])),
        "{{ m.%s }}" % r.choice(["name", "arguments", "catch_kwargs", "catch_varargs", "caller", "zzz is defined"])])
    return "{%% macro m(%s) %%}%s{%% endmacro %%}%s" % (params, inner, use)
def loop():
    attrs = ["loop.depth", "loop.depth0", "loop.index", "loop.changed(x.role)", "loop.cycle('a','b')", "loop.first", "loop.last", "x.role", "loop(x.kids)", "loop(x.kids)", "loop(x.kids)", "loop.length", "loop.revindex", "loop(q)", "loop(3)"]
    inner = body(attrs) + (r.choice(["", "", "{% if loop.last %}L{% endif %}", "{% if x.kids %}({{ loop(x.kids) }}){% endif %}", "{% set z = loop.depth %}{{ z }}", "{% for y in x.kids %}{{ loop.index }}{{ y.role }}{% endfor %}", "{% break %}", "{% if x.role == 'a' %}{% continue %}{% endif %}"]))
    return "{%% for x in messages%s%s %%}%s%s%s{%% endfor %%}" % (r.choice(["", "", " if x.kids", " if x.role != 'c'"]), r.choice([" recursive", " recursive", " recursive", ""]), inner, "{{ x.role }}", r.choice(["", "{% else %}E"]))
def block():
    return r.choice(["{%% set t = 1 %%}{%% block b %s%%}%s{{ t }}{%% set t = 2 %%}{{ t }}{%% endblock %s%%}{{ t }}" % (r.choice(["", "scoped ", "required "]), body(), r.choice(["", "b ", "c "])),
        "{%% for i in [1,2] %%}{%% block b %s%%}[{{ i }}{{ loop.index }}]{%% endblock %%}{%% endfor %%}" % r.choice(["", "scoped "]),
        "{% block a %}{% set u = 3 %}{% block b %}{{ u }}{% endblock %}{% endblock %}", "{% block a %}1{% endblock %}{% block a %}2{% endblock %}", "{% with w = 4 %}{% block a %}{{ w }}{% endblock %}{% endwith %}", "{% block a %}{% macro f() %}F{% endmacro %}{{ f() }}{% endblock %}{{ f is defined }}"])
def state():
    return r.choice(["{%% set j = joiner(%s) %%}{%% for x in [1,2,3] %%}{{ j() }}{{ x }}{%% endfor %%}" % r.choice(["", "' | '", "sep='-'", "3"]),
        "{%% set c = cycler(%s) %%}{{ c.current }}{%% for x in [1,2,3] %%}{{ c.next() }}{%% endfor %%}{{ c.current }}{{ c.reset() }}{{ c.next() }}" % r.choice(["1", "'a','b'", "1,2,3", ""]),
        "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.a + ns.b }}{{ ns.c is defined }}{{ ns['b'] }}", "{% set ns = namespace() %}{% set ns._x = 2 %}{{ ns._x }}", "{% set ns = namespace({'k': 1}, j=2) %}{% set ns.k %}abc{% endset %}{{ ns.k }}{{ ns.j }}"])
def escape():
    on = r.choice(["true", "true", "false", "1"])
    return "{%% autoescape %s %%}%s{%% endautoescape %%}{{ '<' }}" % (on, r.choice(["{{ '<' }}&", "{{ '<' | safe }}{{ '>' | e }}", "{% set x %}<{{ '>' }}{% endset %}{{ x }}", "{% set s = '>' | safe %}{{ messages[0].role ~ '<' ~ s }}{{ '<' ~ '>' }}", "{{ ['<', '>'] | join('&') }}", "{{ ['<', '>' | safe] | join('&') }}", "{{ messages[0] }}", "{% filter upper %}<{{ 'a>' }}{% endfilter %}", "{% macro m() %}<{{ '>' }}{% endmacro %}{{ m() }}", "{{ '<' | replace('<', '>') }}", "{{ ('<' | safe) | replace('<', '>') }}", "{{ ['<'] | tojson }}", "{{ 1 }}{{ none }}{{ q }}", "{{ ('<' | safe) + '<' }}", "{% for x in ['<'] %}{{ x }}{% endfor %}"]))
LINES = []
TOP = [expr] * 10 + [macro] * 2 + [loop] * 2 + [block, state, escape]
for i in range(COUNT):
    r.seed(SEED * 1000003 + i)
    f = r.choice(TOP)
    t = "{{ %s }}" % f() if f is expr else f()
    line = {"template": t, "messages": M}
    try:
        line["rendered"] = render_jinja_template([M], chat_template=t)[0][0]
    except Exception as e:
        line["error"] = "%s: %s" % (type(e).__name__, e)
    # objects as Python shows them, and numbers of more than 64 bits, are refused
    if not re.search(r"<generator|<Macro|\d{19}", line.get("rendered", "")):
        LINES.append(line)
out = subprocess.run([UNIT], input="".join(json.dumps(x) + "\n" for x in LINES), capture_output=True, text=True).stdout.split("\n")
n = bad = 0
for k, s in enumerate(out):
    n += s.startswith(("ok", "not ok"))
    if s.startswith("not ok"):
        bad += 1
        print("%s\n\twe: %s\n\tthey: %r" % (LINES[n - 1]["template"], "\n\t".join(out[k + 1:k + 3]), LINES[n - 1].get("rendered", LINES[n - 1].get("error"))))
print("%d templates, %d of them raise; %d differ" % (n, sum("error" in x for x in LINES), bad))
sys.exit(bad != 0)
