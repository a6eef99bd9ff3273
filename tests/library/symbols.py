#!/usr/bin/env python3
"""libmcp_oauth has the symbols of its interface and no others: symbols.py SHARED STATIC

Whatever else was visible could meet a symbol of the host's own libraries: another Boost.JSON, another mcp_oauth::policy.
"""

import re
import subprocess
import sys

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
    dynamic = subprocess.run(["readelf", "-d", shared], check=True, capture_output=True, text=True).stdout
    if not re.search(r"SONAME.*\[libmcp_oauth\.so\.1\]", dynamic):
        complaints.append(f"{shared}: its SONAME is not libmcp_oauth.so.1")
    # Fetching is optional, and so is what it needs.
    if "libcurl" in dynamic:
        complaints.append(f"{shared} is linked to libcurl")
    print("\n".join(complaints) or f"{len(sets[shared])} symbols in the shared library, {len(sets[static])} in the static one")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
