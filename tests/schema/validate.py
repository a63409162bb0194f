#!/usr/bin/python3
"""validate.py: whether JSON documents are as a schema says: validate.py SCHEMA DOCUMENT...

Golden documents stand with placeholders for what differs from run to run; these become plain values first.
"""
import json
import re
import sys

import jsonschema

PLACEHOLDERS = [
    (r'("identity":\s*)IDENTITY', r'\1"1"'),
    (r'("device":\s*)DEVICE', r'\1"1"'),
    (r'("time":\s*)TIME', r"\1 1"),
    (r":\s*CAPABILITIES\b", ":[]"),
    (r":\s*ATTRIBUTES\b", ":32"),
    (r'"NOW"', '"2026-01-01T00:00:00Z"'),
    (r"NOW", "2026-01-01T00:00:00Z"),
    (r'"TICKS"', '"134116992000000000"'),
    (r'"SHA256"', '"' + "0" * 64 + '"'),
    (r"TRANSACTION", "20260101T000000Z-000000"),
]


def document(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for pattern, plain in PLACEHOLDERS:
        text = re.sub(pattern, plain, text)
    return json.loads(text)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    wrong = 0
    for path in sys.argv[2:]:
        for error in list(validator.iter_errors(document(path)))[:3]:
            wrong += 1
            print("%s: /%s: %s" % (path, "/".join(map(str, error.absolute_path)), error.message[:300]))
    print("%d documents, %d faults" % (len(sys.argv) - 2, wrong))
    return 1 if wrong or len(sys.argv) < 3 else 0


sys.exit(main())
