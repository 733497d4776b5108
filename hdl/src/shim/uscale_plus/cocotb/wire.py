"""Layouts, codes and places as `protocol` declares them, from the file that xtask writes."""

import json
import os

with open(os.environ["PINRING_LAYOUT"], encoding="utf-8") as file:
    LAYOUT = json.load(file)

IDENTITY = LAYOUT["identity"]
APERTURE = LAYOUT["apertures"]
LIMIT = LAYOUT["limits"]


def code(kind, name):
    """The value of a code."""
    return LAYOUT["codes"][kind][name]


def size(structure):
    """Bytes of a structure."""
    return LAYOUT["structures"][structure]["bytes"]


def pack(structure, **values):
    """A structure's bytes; fields that are not named are zero, a nested structure is given as bytes."""
    layout = LAYOUT["structures"][structure]
    word = 0
    for name, value in values.items():
        field = layout["fields"][name]
        value = int.from_bytes(value, "little") if isinstance(value, bytes) else int(value)
        if value >> field["width"]:
            raise ValueError(f"{structure}.{name} has {field['width']} bits, not room for {value:#x}")
        word |= value << field["offset"]
    return word.to_bytes(layout["bytes"], "little")


def unpack(structure, data):
    """The fields of a structure's bytes."""
    layout = LAYOUT["structures"][structure]
    if len(data) != layout["bytes"]:
        raise ValueError(f"{structure} has {layout['bytes']} bytes, not {len(data)}")
    return _fields(layout, int.from_bytes(data, "little"))


def register(name):
    """Byte offset of a register."""
    return LAYOUT["registers"][name]["offset"]


def register_fields(name, value):
    """The fields of a register's value."""
    return _fields(LAYOUT["registers"][name], value)


def register_value(name, **values):
    """A register's value of its fields."""
    fields = LAYOUT["registers"][name]["fields"]
    return sum(int(value) << fields[field]["offset"] for field, value in values.items())


def _fields(layout, word):
    return {
        name: word >> field["offset"] & (1 << field["width"]) - 1 for name, field in layout["fields"].items()
    }
