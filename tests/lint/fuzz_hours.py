#!/usr/bin/env python3
"""fuzz/hours.tsv is about the targets there are, docs/testing.md says what each reads and has the table that the hours make
(`--write` makes it), and the seeds that `./dev fuzz --keep` added are as few and small as it keeps them."""

import sys

from sources import ROOT, report

sys.path.insert(0, str(ROOT / "fuzz"))
import ledger  # noqa: E402
import run  # noqa: E402

WHY = "How long a parser was searched is a claim like any other. ./dev docs writes the table; ./dev fuzz … --keep the hours."
PAGE = ROOT / "docs/testing.md"


def complaints_about(rows, targets, seeds):
    """`seeds` are the sizes of the generated seeds of each target."""
    found = [f"fuzz/hours.tsv: there is no fuzz/{name}_fuzz.cc" for name in sorted(set(rows) - set(targets))]
    for name, sizes in sorted(seeds.items()):
        if len(sizes) > run.KEPT_FILES or sum(sizes) > run.KEPT_BYTES:
            found.append(f"fuzz/corpus/{name}: {len(sizes)} generated seeds of {sum(sizes)} bytes; "
                         f"at most {run.KEPT_FILES} of {run.KEPT_BYTES} are kept")
    return found


def not_described(page, targets):
    described = page.partition(ledger.BEGIN)[0]
    return [f"docs/testing.md: what `{name}` reads is not in the table of fuzz targets" for name in targets
            if f"`{name}`" not in described]


def generated_seeds(root=ROOT):
    return {folder.name: [path.stat().st_size for path in folder.iterdir() if run.is_generated(path)]
            for folder in (root / "fuzz/corpus").iterdir() if folder.is_dir()}


def main():
    rows, found = ledger.read((ROOT / "fuzz/hours.tsv").read_text())
    targets = ledger.targets_of()
    found += complaints_about(rows, targets, generated_seeds())
    page = PAGE.read_text()
    found += not_described(page, targets)
    try:
        right = ledger.page_with(page, rows, targets)
    except ValueError as missing:
        found.append(f"docs/testing.md: {missing}")
    else:
        if page != right and not found:
            if "--write" in sys.argv:
                PAGE.write_text(right)
            else:
                found.append("docs/testing.md: the table is not what fuzz/hours.tsv says")
    report("fuzz_hours", found, WHY)


if __name__ == "__main__":
    main()
