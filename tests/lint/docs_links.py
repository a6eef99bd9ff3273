#!/usr/bin/env python3
"""Relative links of the Markdown files lead somewhere, and so do their #anchors."""

import re
from pathlib import Path
from urllib.parse import unquote

from sources import ROOT, report, repository_files

WHY = "A link that leads nowhere sends the reader away: mend the path, or the heading it names."


def without_code(text):
    text = re.sub(r"^(```|~~~).*?^\1[ \t]*$", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "``", text)


def anchors_of(text):
    """The ids that a Markdown renderer gives to the headings."""
    seen, anchors = {}, set()
    text = re.sub(r"^(```|~~~).*?^\1[ \t]*$", "", text, flags=re.S | re.M)
    for heading in re.findall(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", text, re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        anchors.add(slug if count == 0 else f"{slug}-{count}")
    return anchors | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def complaints_about(name, text, root):
    found = []
    plain = without_code(text)
    links = re.finditer(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", plain, re.M)
    for match in links:
        link = match.group(1) or match.group(2)
        line = plain.count("\n", 0, match.start()) + 1
        if re.match(r"[a-z][a-z0-9+.-]*:", link, re.I):
            continue
        path, _, anchor = link.partition("#")
        target = (root / name).parent / unquote(path) if path else root / name
        if path.startswith("/"):
            target = root / path.lstrip("/")
        if not target.exists():
            found.append(f"{name}:{line}: {link}: there is no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors_of(target.read_text()):
            found.append(f"{name}:{line}: {link}: {target.name} has no such heading")
    return found


def main():
    found = []
    for name in repository_files():
        if name.endswith(".md"):
            found += complaints_about(name, (ROOT / name).read_text(), Path(ROOT))
    report("docs_links", found, WHY)


if __name__ == "__main__":
    main()
