#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/shapes.jsonl: records of many shapes and what transformers and TRL make of them with the tiny model.

usage: shapes.py MODEL >shapes.jsonl

A line is {"record", "args", "input_ids", "labels"}: args are peft-tokenize's.
Shapes are converted by TRL where it knows them; chats are rendered with the model's template, its assistant turns put between
{% generation %} marks (which changes no text), and labels are the assistant mask of transformers.
"""
import json, sys
from transformers import AutoTokenizer
from trl import maybe_convert_to_chatml

tok = AutoTokenizer.from_pretrained(sys.argv[1])
plain = tok.chat_template
begin = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
assert begin in plain
marked = plain.replace(begin, "{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' + '\n' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' + '\n' }}{% endif %}")

def turn(role, content, **more):
    return {"role": role, "content": content, **more}

def out(record, ids, labels, args=()):
    assert len(ids) == len(labels)
    print(json.dumps({"record": record, "args": list(args), "input_ids": ids, "labels": labels}, ensure_ascii=False))

def chat(record, messages, want=None, args=()):
    """want: which assistant turns are learnt; None: all of them."""
    text = tok.apply_chat_template(messages, chat_template=plain, tokenize=False)
    assert text == tok.apply_chat_template(messages, chat_template=marked, tokenize=False)
    e = tok.apply_chat_template(messages, chat_template=marked, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = e["input_ids"], e["assistant_masks"]
    runs, labels = -1, []
    for i, m in enumerate(mask):
        runs += m and (i == 0 or not mask[i - 1])
        labels.append(ids[i] if m and (want is None or runs in want) else -100)
    out(record, ids, labels, args)

def joined(record, prompt, completion, args=(), text=False):
    """As TRL does it: together, the completion ended by the end token."""
    completion += "" if completion.endswith(tok.eos_token) else tok.eos_token
    e = tok(prompt + completion, return_offsets_mapping=True)
    labels = [i if text or b >= len(prompt) else -100 for i, (b, _) in zip(e["input_ids"], e["offset_mapping"])]
    out(record, e["input_ids"], labels, args)

U, A, S = (lambda t: turn("user", t)), (lambda t: turn("assistant", t)), (lambda t: turn("system", t))
two = [U("How long will it take?"), A("transfer_timing"), U("And my card, ügly?"), A("card_arrival\n")]

# messages
for system in ([], [S("Name the intent.")]):
    m = system + two
    chat({"messages": m}, m)
    chat({"messages": m}, m, {1}, ["--supervise", "last"])
    chat({"messages": m}, m, {1}, ["--supervise", "completion"])
    chat({"messages": [dict(x, weight=0) if x["content"] == "transfer_timing" else x for x in m]}, m, {1})
    chat({"messages": [dict(x, weight=1) if x["role"] == "assistant" else x for x in m]}, m)
many = [U("a"), A("b"), U("c"), A("d"), A("e")]
chat({"messages": many}, many, {1, 2}, ["--supervise", "completion"])
chat({"messages": many}, many, {2}, ["--supervise", "last"])

# ShareGPT
share = [{"from": "human", "value": "Hi there"}, {"from": "gpt", "value": "Hello!"}, {"from": "human", "value": "Bye"}, {"from": "gpt", "value": "See you"}]
m = maybe_convert_to_chatml({"conversations": [dict(x, **{"from": {"human": "user", "gpt": "assistant"}[x["from"]]}) for x in share]})["messages"]
chat({"conversations": share}, m)
chat({"conversations": [{"from": "system", "value": "Short."}] + share}, [S("Short.")] + m)
chat({"system": "Short.", "conversations": share}, [S("Short.")] + m)
chat({"conversations": m}, m)

# Alpaca, as LLaMA-Factory joins it
chat({"instruction": "Translate.", "input": "Hund", "output": "dog"}, [U("Translate.\nHund"), A("dog")])
chat({"instruction": "Say hi.", "input": "", "output": "hi"}, [U("Say hi."), A("hi")])
chat({"instruction": "Again.", "output": "hi", "system": "Be kind.", "history": [["Say hi.", "hi"], ["More", "hello"]]},
    [S("Be kind."), U("Say hi."), A("hi"), U("More"), A("hello"), U("Again."), A("hi")])

# prompt and completion
joined({"prompt": "The card is", "completion": " lost"}, "The card is", " lost")
joined({"prompt": "The card is", "completion": " lost<|im_end|>"}, "The card is", " lost")
joined({"prompt": "The card is", "completion": " lost"}, "The card is", " lost", ["--supervise", "text"], True)
joined({"prompt": "straddle", "completion": "d"}, "straddle", "d")
chat({"prompt": "The card is", "completion": "lost"}, [U("The card is"), A("lost")], None, ["--chat"])
chat({"prompt": two[:3], "completion": two[3:]}, two, {1})
chat({"prompt": [S("Short.")] + two[:1], "completion": two[1:2]}, [S("Short.")] + two[:2])
joined({"text": "All of it."}, "", "All of it.")
