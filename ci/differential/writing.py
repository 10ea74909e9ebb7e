"""Writes a value as YAML in one of the many ways it may be written."""
import json
import re

PLAIN = re.compile(r"^[A-Za-z_./~$][A-Za-z0-9_./~${}:?+=@-]*$")
# What a reader takes for something else than text.
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ".", ".inf", ".nan", ".5"}


class Raw(str):
    """Text that stands in the file as it is."""


class Alias(str):
    """`*name`."""


class Tagged:
    """A value behind a tag or an anchor: `!reset`, `!override`, `&name`."""

    def __init__(self, mark, value):
        self.mark, self.value = mark, value


class Writer:
    def __init__(self, random):
        self.r = random

    def document(self, value):
        return "".join(f"{line}\n" for line in self.block(value, 0))

    def block(self, value, indent):
        """The lines of a mapping or list, each on lines of its own."""
        pad = " " * indent
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from self.entry(f"{pad}{self.key(key)}:", inner, indent)
        elif isinstance(value, list):
            for inner in value:
                yield from self.entry(f"{pad}-", inner, indent)
        else:
            yield pad + self.flow(value)

    def entry(self, head, value, indent):
        mark = ""
        while isinstance(value, Tagged):
            mark += f" {value.mark}"
            value = value.value
        if isinstance(value, (dict, list)) and value and self.r.random() < 0.75:
            yield head + mark + (" # why" if self.r.random() < 0.02 else "")
            yield from self.block(value, indent + self.r.choice((2, 2, 4)))
        elif type(value) is str and value and self.r.random() < 0.05 and "\n" not in value and value.strip() == value:
            yield f"{head}{mark} {self.r.choice(('|-', '>-', '|', '>'))}"
            yield " " * (indent + 4) + value
        else:
            yield f"{head}{mark} {self.flow(value)}".rstrip(" ")

    def key(self, key):
        if isinstance(key, Raw) or PLAIN.match(key) and ":" not in key and key.lower() not in WORDS and self.r.random() < 0.95:
            return key
        return json.dumps(key, ensure_ascii=False)

    def flow(self, value):
        if isinstance(value, Tagged):
            return f"{value.mark} {self.flow(value.value)}"
        if isinstance(value, Alias):
            return f"*{value} "
        if isinstance(value, Raw):
            return value
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.key(k)}: {self.flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.flow(v) for v in value) + "]"
        if isinstance(value, str):
            return self.text(value)
        if value is None:
            return self.r.choice(("null", "null", "~"))
        return json.dumps(value)

    def text(self, value):
        chance = self.r.random()
        if chance < 0.5 and PLAIN.match(value) and not value.endswith(":") and value.lower() not in WORDS:
            if not set("{}?") & set(value) and ": " not in value:
                return value
        if chance < 0.75 and "\n" not in value:
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=False)
