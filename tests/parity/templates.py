#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chat templates of any models with random chats, against transformers.

usage: templates.py FOLDER TEMPLATE-UNIT SEED COUNT

Each FOLDER/**/*.jinja is rendered with COUNT chats: tools with nested schemas, tool calls and their answers, thoughts, parts of
messages, odd texts, options.  What transformers renders, or that it raises, goes to template-unit; where we differ the chats
are left in the current folder as NAME.jsonl and what was said of them as NAME.out.
"""
import glob
import hashlib
import json
import os
import random
import subprocess
import sys
from transformers.utils.chat_template_utils import _alias_reasoning_fields, _compile_jinja_template, render_jinja_template

FOLDER, UNIT, SEED, COUNT = sys.argv[1:3] + [int(x) for x in sys.argv[3:5]]
W=["Hi","What is 2+2?"," spaced ","line\nbreak","\n\nlead","trail \n","Grüße, 世界 👋🏽","<b>&amp;'\"</b>","{{ x }} {% y %}","a\\b\\n","tab\there","","<|im_end|>","[INST] x [/INST]","\u2028sep","1e-7","x"*50,"<think>\nhm\n</think>\n\nanswer","</think>done","<think>open","null","True","ünï\u0301","\r\nDOS","'quoted'","<tool_call>\n{}\n</tool_call>","0.10"]
def text(r): return r.choice(W) if r.random()<.7 else ' '.join(r.choice(W) for _ in range(r.randint(1,4)))
def val(r,d=0):
    k=r.randint(0,9 if d<3 else 6)
    return [lambda:text(r),lambda:r.randint(-5,10**r.randint(0,18)),lambda:r.random()*10**r.randint(-8,18),lambda:True,lambda:False,lambda:None,lambda:r.choice([1.0,0.1,1e22,-0.0,1e-7,123456789.125]),
            lambda:[val(r,d+1) for _ in range(r.randint(0,3))],lambda:{r.choice(["a","b","city","käse","x y","n"])+str(i):val(r,d+1) for i in range(r.randint(0,3))},lambda:text(r)][k]()
def schema(r,d=0):
    t=r.choice(["string","integer","number","boolean","array","object","null",["string","null"]]) if d<2 else r.choice(["string","integer"])
    s={"type":t}
    if r.random()<.7: s["description"]=text(r)
    if r.random()<.2: s["enum"]=[val(r,3) for _ in range(r.randint(1,3))]
    if r.random()<.15: s["default"]=val(r,2)
    if r.random()<.1: s["nullable"]=True
    if t=="array" and r.random()<.8: s["items"]=schema(r,d+1)
    if t=="object":
        s["properties"]={n:schema(r,d+1) for n in r.sample(["city","unit","däys","n"],r.randint(0,3))}
        if r.random()<.6: s["required"]=list(s["properties"])[:r.randint(0,2)]
        if r.random()<.2: s["additionalProperties"]=r.choice([True,False,{"type":"string"}])
    if r.random()<.1: s={"anyOf":[schema(r,d+1),{"type":"null"}]} if d<2 else s
    if r.random()<.05: s["$ref"]="#/x"
    return s
def tool(r,i):
    p={"type":"object","properties":{n:schema(r) for n in r.sample(["location","unit","days","käse","opt"],r.randint(0,4))}}
    if r.random()<.8: p["required"]=r.sample(list(p["properties"]),r.randint(0,len(p["properties"])))
    f={"name":r.choice(["get_weather","get_balance","search","run.code"])+str(i)}
    if r.random()<.9: f["description"]=text(r)
    if r.random()<.95: f["parameters"]=p
    if r.random()<.15: f["return"]={"type":"string","description":text(r)}
    if r.random()<.1: f["strict"]=True
    return {"type":"function","function":f} if r.random()<.93 else f
def content(r):
    x=r.random()
    if x<.85: return text(r)
    if x<.96: return [({"type":"text","text":text(r)} if r.random()<.85 else r.choice([{"type":"image"},{"type":"image","url":"x"},{"type":"image_url","image_url":{"url":"u"}},{"type":"audio"},{"type":"video"},{"type":"text"}])) for _ in range(r.randint(0,3))]
    return None
def call(r,n):
    a={k:val(r,1) for k in r.sample(["location","unit","days","käse"],r.randint(0,3))}
    c={"type":"function","function":{"name":r.choice(["get_weather0","search1"]),"arguments":a if r.random()<.75 else json.dumps(a)}}
    if r.random()<.7: c["id"]="call%05d"%n if r.random()<.8 else "c%d"%n
    if r.random()<.06: c=c["function"]
    return c
def chat(r):
    m=[]; n=0
    if r.random()<.5: m.append({"role":r.choice(["system"]*6+["developer"]),"content":content(r)})
    for _ in range(r.randint(1,4)):
        if r.random()<.97: m.append({"role":"user","content":content(r)})
        if r.random()<.9:
            a={"role":"assistant","content":content(r)}
            if r.random()<.25: a[r.choice(["reasoning_content","thinking","reasoning"])]=text(r)
            if r.random()<.35:
                a["tool_calls"]=[call(r,n+i) for i in range(r.choice([1,1,1,2,3]))]; 
                if r.random()<.5: a["content"]=r.choice(["",None])
                if r.random()<.1: del a["content"]
                m.append(a)
                for c in a["tool_calls"]:
                    t={"role":r.choice(["tool"]*8+["ipython","function"]),"content":content(r) if r.random()<.8 else val(r)}
                    if "id" in c and r.random()<.8: t["tool_call_id"]=c["id"]
                    if r.random()<.6: t["name"]=c.get("function",c)["name"]
                    m.append(t); n+=1
                if r.random()<.7: m.append({"role":"assistant","content":content(r)})
                continue
            m.append(a)
    if r.random()<.05: m.append({"role":"system","content":text(r)})
    if r.random()<.02: m.append({"role":"other","content":"x"})
    return m
OPT=[("enable_thinking",[True,False]),("thinking",[True,False]),("reasoning_effort",["low","high","none"]),("model_identity",["You are X."]),("date_string",["26 Jul 2024"]),("tools_in_user_message",[True,False]),("builtin_tools",[["browser"],["python","browser"],[]]),("preserve_thinking",[True]),("clear_thinking",[True,False]),("keep_past_thinking",[True]),("documents",[[{"title":"T","text":"D"}],[{"title":"a","text":"b\nc"},{"doc_id":1,"title":"ü","text":"x"}]]),("custom_tools",[None]),("add_vision_id",[True]),("controls",[{"length":"short"}]),("citations",[True]),("system_message",["S"])]
def opts(r):
    o={}
    if r.random()<.5: o["add_generation_prompt"]=True
    if r.random()<.5: o["tools"]=[tool(r,i) for i in range(r.randint(1,3))]
    for k,v in OPT:
        if r.random()<.12: o[k]=r.choice(v)
    return o
def al(m):
    try: return json.loads(json.dumps(_alias_reasoning_fields(m)))
    except Exception: return m
def full(o): return {"tools":None,"documents":None,"add_generation_prompt":False,**o}


def rendered(src, m, o):
    rest = dict(o)
    t, d, g = rest.pop("tools", None), rest.pop("documents", None), rest.pop("add_generation_prompt", False)
    line = {"messages": al(m), "options": full(o)}
    try:
        line["rendered"] = render_jinja_template([m], tools=t, documents=d, chat_template=src, add_generation_prompt=g,
                                                 bos_token="<s>", eos_token="</s>", **rest)[0][0]
    except Exception as e:
        line["error"] = type(e).__name__ + ": " + str(e)
    return line


with open("config.json", "w") as f:
    json.dump({"bos_token": "<s>", "eos_token": "</s>"}, f)
seen, total, differ = set(), 0, 0
for path in sorted(glob.glob(FOLDER + "/**/*.jinja", recursive=True)):
    with open(path, encoding="utf-8") as f:
        src = f.read()
    digest = hashlib.md5(src.encode()).hexdigest()
    if digest in seen:
        continue
    seen.add(digest)
    try:
        _compile_jinja_template(src)
    except Exception:
        continue
    rng = random.Random("%d %s" % (SEED, os.path.basename(path)))
    lines = [json.dumps(rendered(src, chat(rng), json.loads(json.dumps(opts(rng)))), ensure_ascii=False) for _ in range(COUNT)]
    given = ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")
    r = subprocess.run([UNIT, path, "config.json"], input=given, capture_output=True)
    total += COUNT
    if r.returncode != 0:
        name = os.path.basename(path)[:-6]
        with open(name + ".jsonl", "wb") as f:
            f.write(given)
        with open(name + ".out", "wb") as f:
            f.write(r.stdout + r.stderr)
        n = r.stdout.count(b"\nnot ok") + r.stdout.startswith(b"not ok")
        differ += max(n, 1)
        print("%s: %d of %d differ" % (path, n, COUNT))
print("%d templates, %d chats, %d differ" % (len(seen), total, differ))
sys.exit(differ > 0)
