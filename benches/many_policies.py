#!/usr/bin/env python3
"""Writes a policies folder of any size: the regions, registers and parameters of `policies/`, and policies derived from its own.

A round holds one copy of every shipped policy, with codes of its own and its ties (requires, excludes, entitled) to the copies
of the same round. Half of the copies hold in one county only. Thresholds, days and amounts are drawn from a few values each,
so that conditions repeat as those of real policies do. The same seed gives the same bytes.

    python3 benches/many_policies.py --policies 10000 --seed 1 --out /tmp/policies10000
"""

import argparse
import random
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "policies"
COUNTIES = ["9901%02d" % number for number in range(1, 10)]
CITY = "990100"
# How many values one threshold takes over the whole folder.
STEPS = 24

CODE = re.compile(r"\b(\d{6}-[A-Z]{2}-)(\d{4})\b")
COVERS = re.compile(r'^covers: \{region: "\d+"', re.MULTILINE)
COMPARED = re.compile(r"(<=|>=|<|>) (\d[\d_]*)(?![\d_.%-])")
DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
PAID = re.compile(r"\b(then|else) (\d+)\b")
AMOUNT = re.compile(r"^(  amount: )(\d+)$", re.MULTILINE)
CONDITION = re.compile(r"^(?P<key> *(?:when|where): |  amount: case )(?P<text>.*)$", re.MULTILINE)
INLINE_AMOUNT = re.compile(r"(\{amount: )(\d+)(?=,)")


def varied_number(text, draw):
    """A threshold near the one given; zero and one stay, whose meaning is whether and not how much."""
    value = int(text.replace("_", ""))
    if value <= 1:
        return text
    step = max(1, value // 50)
    return str(value + step * draw.randrange(STEPS))


def varied_day(match, draw):
    """A day of the same month, in one of a few years."""
    year = int(match.group(1)) - draw.randrange(4)
    return "%04d-%s-%s" % (year, match.group(2), match.group(3) if match.group(2) != "02" else "28")


def varied_condition(text, draw):
    """A condition with other thresholds and days, and an amount with other sums."""
    if " between " in text:
        # Both ends would have to move together.
        return text
    text = DAY.sub(lambda match: varied_day(match, draw), text)
    text = COMPARED.sub(lambda match: "%s %s" % (match.group(1), varied_number(match.group(2), draw)), text)
    return PAID.sub(lambda match: "%s %s" % (match.group(1), varied_number(match.group(2), draw)), text)


def derived(text, number, region, draw):
    """A copy of a policy under codes of round `number`, covering `region`."""
    text = CODE.sub(lambda match: "%s%s-%04d" % (match.group(1), match.group(2), number), text)
    text = COVERS.sub('covers: {region: "%s"' % region, text, count=1)
    text = CONDITION.sub(lambda match: match.group("key") + varied_condition(match.group("text"), draw), text)
    text = AMOUNT.sub(lambda match: match.group(1) + varied_number(match.group(2), draw), text)
    return INLINE_AMOUNT.sub(lambda match: match.group(1) + varied_number(match.group(2), draw), text)


def in_order_of_ties(templates):
    """Those that others name come first, so that a last round that is cut short names nothing that is not there."""
    codes = {CODE.search(text).group(0): path for path, text in templates.items()}
    ordered, open_ = [], set()

    def visit(path):
        if path in ordered or path in open_:
            return
        open_.add(path)
        for code in CODE.finditer(templates[path]):
            if code.group(0) in codes:
                visit(codes[code.group(0)])
        ordered.append(path)

    for path in sorted(templates):
        visit(path)
    return ordered


def write(out, policies, seed):
    """Writes the folder."""
    draw = random.Random(seed)
    for name in ("registers", "parameters"):
        shutil.copytree(ROOT / name, out / name)
    shutil.copy(ROOT / "regions.yaml", out / "regions.yaml")
    templates = {path.parent.relative_to(ROOT): path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*/*/policy.yaml"))}
    ordered = in_order_of_ties(templates)
    for index in range(policies):
        number, place = divmod(index, len(ordered))
        path = ordered[place]
        region = draw.choice(COUNTIES) if draw.random() < 0.5 else CITY
        folder = out / ("round-%04d" % number) / ("%s-%s" % (path.parent.name, path.name))
        folder.mkdir(parents=True)
        (folder / "policy.yaml").write_text(derived(templates[path], number, region, draw), encoding="utf-8")


def main():
    """Reads the arguments and writes the folder, which must not be there yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--policies", type=int, default=10_000, help="how many policies")
    parser.add_argument("--seed", type=int, default=1, help="what thresholds, amounts and regions are drawn from")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write, which must not be there yet")
    arguments = parser.parse_args()
    if arguments.out.exists():
        sys.exit("%s is there already" % arguments.out)
    write(arguments.out, arguments.policies, arguments.seed)


if __name__ == "__main__":
    main()
