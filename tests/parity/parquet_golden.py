#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/parquet: files as pyarrow and the datasets library write
them, and their rows as JSON lines.

usage: parquet_golden.py OUTDIR  (needs pyarrow)

NAME.parquet, NAME.jsonl   a file; pyarrow's to_pylist() as JSON, but that a
                           null in a structure is left out, that times are in
                           ISO 8601 (UTC), maps objects, and NaN null
chats: what the hub has; types: every type that has a form in JSON, over two
row groups; bytes: a column of pictures beside a text
"""
import datetime as dt
import decimal
import json
import math
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

OUT = sys.argv[1]
os.makedirs(OUT, exist_ok=True)


def plain(type_, value):
    if value is None:
        return None
    if pa.types.is_struct(type_):
        return {f.name: plain(f.type, value[f.name]) for f in type_ if value[f.name] is not None}
    if pa.types.is_map(type_):
        pairs = [(k, plain(type_.item_type, v)) for k, v in value]
        if pa.types.is_string(type_.key_type):
            return dict(pairs)
        return [{k: v for k, v in (("key", a), ("value", b)) if v is not None} for a, b in pairs]
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        return [plain(type_.value_type, v) for v in value]
    if pa.types.is_dictionary(type_):
        return plain(type_.value_type, value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.timezone.utc)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    return value


def write(name, table, **how):
    pq.write_table(table, f"{OUT}/{name}.parquet", **how)
    row = pa.struct(list(table.schema))
    with open(f"{OUT}/{name}.jsonl", "w") as f:
        for record in table.to_pylist():
            f.write(json.dumps(plain(row, record), ensure_ascii=False, separators=(",", ":")) + "\n")


CALL = pa.struct([("type", pa.string()), ("function", pa.struct([("name", pa.string()), ("arguments", pa.struct([
    ("city", pa.string()), ("days", pa.int64())]))]))])
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.list_(CALL))])
CALLS = [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln"}}},
         {"type": "function", "function": {"name": "weather", "arguments": {"city": "Bern", "days": 3}}}]
CHATS = [[("user", f"Question {i}: what is {i} + {i}?"), ("assistant", f"It is {2 * i}.\n")] +
         ([("user", "und „morgen“? 🌦"), ("assistant", CALLS), ("tool", '{"rain": true}'), ("assistant", "Regen.")]
          if i % 4 == 1 else []) for i in range(10)]


def message(role, said):
    return {"role": role, "content": "", "tool_calls": said} if isinstance(said, list) else {"role": role, "content": said}


write("chats", pa.table({
    "id": pa.array([f"c{i}" for i in range(len(CHATS))], pa.large_string()),
    "messages": pa.array([[message(*m) for m in chat] for chat in CHATS], pa.list_(MESSAGE)),
    "source": pa.array([None if i % 3 else "web" for i in range(len(CHATS))]).dictionary_encode(),
}), row_group_size=4, compression="zstd", use_dictionary=False)

UTC = dt.datetime(2024, 2, 29, 23, 59, 58, 123456)
OLD = dt.datetime(1899, 3, 1, 0, 0, 0)
DAY = [dt.date(2000, 2, 29), None, dt.date(1900, 3, 1), dt.date(1969, 12, 31), dt.date(2100, 2, 28)]
NOON = [dt.time(12, 0), None, dt.time(23, 59, 59, 999000), dt.time(0, 0, 0, 1000), dt.time(1, 2, 3)]
WHEN = [UTC, None, OLD, UTC, dt.datetime(1970, 1, 1)]


def cut(values, micros):
    return [None if v is None else v.replace(microsecond=v.microsecond // micros * micros) for v in values]


def column(values, type_):
    return pa.array(values, type_)


INTS = {f"{s}int{b}": column([0, None, 1, 2**(b - (s == "")) - 1, -(2**(b - 1)) if s == "" else 7],
                             getattr(pa, f"{s}int{b}")()) for s in ("", "u") for b in (8, 16, 32, 64)}
write("types", pa.table(INTS | {
    "bool": column([True, None, False, True, False], pa.bool_()),
    "half": column([1.5, None, -0.25, 65504.0, 6e-8], pa.float16()),
    "float": column([0.1, None, 1.0, float("nan"), 3e38], pa.float32()),
    "double": column([0.1, None, 6.0, float("inf"), 1e-300], pa.float64()),
    "text": column(["a\"b\\c\n\t\x01", None, "", "é🙂\u2028", "x" * 40], pa.string()),
    "large": column(["a", None, "", "\0", "z"], pa.large_string()),
    "view": column(["short", None, "", "longer than twelve bytes", "twelve bytes"], pa.string_view()),
    "bytes": column([b"abc", None, b"", "ü".encode(), b"d"], pa.binary()),
    "fixed": column([b"abc", None, b"def", "aü".encode(), b"ghi"], pa.binary(3)),
    "word": column(["x", None, "y", "x", "x"], pa.dictionary(pa.int32(), pa.string())),
    "date": column(DAY, pa.date32()), "date64": column(DAY, pa.date64()),
    "clock": column(cut(NOON, 10**6), pa.time32("s")), "clock_ms": column(NOON, pa.time32("ms")),
    "clock_us": column(NOON, pa.time64("us")), "clock_ns": column(NOON, pa.time64("ns")),
    "at_ms": column(cut(WHEN, 1000), pa.timestamp("ms")), "at_us": column(WHEN, pa.timestamp("us")),
    "at_utc": column(WHEN, pa.timestamp("us", "UTC")), "at_zone": column(WHEN, pa.timestamp("us", "Europe/Berlin")),
    "decimal": column([decimal.Decimal(d) if d else None for d in ("1.25", None, "-0.05", "12345.60", "0.00")],
                      pa.decimal128(9, 2)),
    "wide": column([decimal.Decimal(d) if d else None for d in ("0.5", None, "-3", "1e30", "-0.001")],
                   pa.decimal256(60, 5)),
    "list": column([[1, None, 2], None, [], [3], [4, 5]], pa.list_(pa.int32())),
    "lists": column([[["a"], []], None, [], [None, ["b", None]], [[]]], pa.large_list(pa.list_(pa.string()))),
    "pair": column([[1.0, 2.0], None, [3.0, None], [0.0, 0.5], [1.0, 1.0]], pa.list_(pa.float32(), 2)),
    "map": column([[("a", 1), ("b", None)], None, [], [("ü", 3)], [("", 4)]], pa.map_(pa.string(), pa.int64())),
    "numbers": column([[(1, "x")], None, [], [(2, None)], [(3, "y"), (4, "z")]], pa.map_(pa.int64(), pa.string())),
    "deep": column([{"a": {"b": [{"c": 1}]}}, None, {"a": None}, {"a": {"b": None}}, {"a": {"b": [None, {"c": None}]}}],
                   pa.struct([("a", pa.struct([("b", pa.list_(pa.struct([("c", pa.int64())])))]))])),
    "none": pa.nulls(5),
}), row_group_size=3, use_dictionary=["word", "text"], compression="snappy", write_statistics=False)

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
pq.write_table(pa.table({
    "prompt": ["one", "two", "three"], "completion": [" 1", " 2", " 3"],
    "image": pa.array([{"bytes": b"\x89PNG", "path": "a"}, {"bytes": b"GIF", "path": "b"}, None], PICTURE),
    "took": pa.array([dt.timedelta(seconds=1)] * 3, pa.duration("us")),
}), f"{OUT}/bytes.parquet", write_statistics=False)
