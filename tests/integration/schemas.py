# SPDX-License-Identifier: MIT
"""The schemas of results in docs/, closed: a key that is new in a result must be new in its schema."""
import functools
import json

from jsonschema import Draft202012Validator

from echolab import ROOT


def schema(name):
    """"echoload-1" and the like."""
    return json.loads((ROOT / f"docs/{name}.schema.json").read_text())


@functools.cache
def closed(name):
    """The schema as its version 1 would be, if nothing might be added."""
    def close(node, whole=True):
        """Nothing beside its properties. Definitions are not whole: who refers to them may add some."""
        if isinstance(node, dict):
            if whole and ("$ref" in node or "properties" in node):
                node.setdefault("unevaluatedProperties", False)
            for key, child in node.items():
                for value in child.values() if key in ("$defs", "properties") else [child]:
                    close(value, key != "$defs")
    made = schema(name)
    close(made)
    return Draft202012Validator(made)


def problems(name, result):
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in closed(name).iter_errors(result)]
