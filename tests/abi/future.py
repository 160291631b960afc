#!/usr/bin/env python3
"""future.py plugin.h OUT: plugin.h as a later minor version might have it, with one more member at
the end of each struct that a plugin fills in."""
import pathlib
import re
import sys

APPENDED = {
    "tier_slot": "const char *hint;",
    "tier_entry": "const char *hint;",
    "tier_component": "const char *homepage;",
    "tier_plugin": "const char *author;",
}


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    for struct, member in APPENDED.items():
        text, count = re.subn(rf"^}} {struct};", f"  {member}\n}} {struct};", text, flags=re.M)
        assert count == 1, struct
    text, count = re.subn(r"#define TIER_ABI_MINOR \d+u", "#define TIER_ABI_MINOR 1u", text)
    assert count == 1
    pathlib.Path(sys.argv[2]).write_text(text)


if __name__ == "__main__":
    main()
