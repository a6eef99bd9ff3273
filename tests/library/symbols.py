#!/usr/bin/env python3
"""libmcp_oauth has the symbols of its interface and no others: symbols.py SHARED STATIC

Whatever else was visible could meet a symbol of the host's own libraries: another Boost.JSON, another mcp_oauth::policy.
And what the C header declared once, under a number of the interface, it declares for ever: c_abi_NUMBER.txt has all of it.
A function that is added goes there as well (UPDATE_GOLDEN=1); one that is missing or different asks for a new number.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OURS = re.compile(r"mcp_oauth_\w+|_ZNK?9mcp_oauth2v1\w+|_ZT[ISV]N9mcp_oauth2v1\w+")
# What a host calls; there would be nothing to use without them.
WANTED = {"mcp_oauth_validate", "mcp_oauth_abi", "_ZNK9mcp_oauth2v15guard5admitERKNS0_7requestE",
          "_ZNK9mcp_oauth2v15guard8validateESt17basic_string_viewIcSt11char_traitsIcEE"}
# Insides that the interface only names.
INSIDE = re.compile(r"N9mcp_oauth2v1\w*5partsC|9mcp_oauth2v110make_parts|9mcp_oauth2v113pending_parts\w*C")


def defined(arguments):
    out = subprocess.run(["nm", "--defined-only", *arguments], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1] for line in out.splitlines() if re.match(r"[0-9a-f]+ [A-Za-z] ", line)]
    return {name.split("@")[0] for name in names} - {"MCP_OAUTH_1"}


def declarations():
    """Every declaration of c.h, one line each, without comments."""
    text = (ROOT / "include/mcp_oauth/c.h").read_text()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", " ", text, flags=re.S)
    text = re.sub(r"^#.*$", " ", text, flags=re.M)
    found, line, depth = [], "", 0
    for c in re.sub(r"\s+", " ", text):
        depth += {"{": 1, "}": -1}.get(c, 0)
        line += c
        if c == ";" and depth == 0:
            found.append(line.strip().removeprefix("MCP_OAUTH_API "))
            line = ""
    return found


def complaints_about_c(exported):
    number = re.search(r"define MCP_OAUTH_ABI (\d+)", (ROOT / "include/mcp_oauth/abi.h").read_text()).group(1)
    recorded_at = ROOT / f"tests/library/c_abi_{number}.txt"
    declared = declarations()
    recorded = recorded_at.read_text().splitlines() if recorded_at.exists() else []
    lost = [f"c.h no longer has, though interface {number} does: {d}" for d in recorded if d not in declared]
    if os.environ.get("UPDATE_GOLDEN") and not lost:
        recorded_at.write_text("".join(d + "\n" for d in declared))
        recorded = declared
    new = [f"{recorded_at.name} does not have: {d}" for d in declared if d not in recorded]
    functions = {re.search(r"(mcp_oauth_\w+)\(", d).group(1) for d in declared if not d.startswith(("typedef", "enum"))}
    odd = [f"c.h declares {n}, and nobody can call it" for n in sorted(functions - exported)]
    odd += [f"{n} can be called, and c.h does not declare it" for n in sorted(exported - functions)]
    return lost + new + odd


def main():
    shared, static = sys.argv[1:3]
    complaints = []
    sets = {shared: defined(["-D", shared]), static: defined(["-g", static])}
    for library, names in sets.items():
        complaints += [f"{library}: {n} is visible" for n in sorted(names) if not OURS.fullmatch(n) or INSIDE.search(n)]
        complaints += [f"{library}: {n} is not there" for n in sorted(WANTED - names)]
    # A C header declares what both have.
    c = [{n for n in names if n.startswith("mcp_oauth_")} for names in sets.values()]
    complaints += [f"only one of the two has {n}" for n in sorted(c[0] ^ c[1])]
    complaints += complaints_about_c(c[0])
    dynamic = subprocess.run(["readelf", "-d", shared], check=True, capture_output=True, text=True).stdout
    if not re.search(r"SONAME.*\[libmcp_oauth\.so\.1\]", dynamic):
        complaints.append(f"{shared}: its SONAME is not libmcp_oauth.so.1")
    # Fetching is optional, and so is what it needs.
    if "libcurl" in dynamic:
        complaints.append(f"{shared} is linked to libcurl")
    # The grammar of policies comes from a room that reads YAML as well.
    if "yaml" in dynamic:
        complaints.append(f"{shared} is linked to a reader of YAML")
    print("\n".join(complaints) or f"{len(sets[shared])} symbols in the shared library, {len(sets[static])} in the static one")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
