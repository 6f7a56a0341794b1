"""Turns the workload's JSON policies into a policies folder that `mianshen match --dossiers` runs.

    python convert.py policies_1000.json FOLDER
"""
import json
import pathlib
import sys

REGIONS = """regions:
  - {code: "000000", name: {zh: 全国, en: Country}, level: country, from: 1949-10-01}
"""


def condition(atom):
    fact, op, value = atom
    if op == "is":
        return fact if value else f"not {fact}"
    return f"{fact} {op} {value}"


def policy(number, conditions):
    """One policy file: a criterion per condition, the `or` pair as an `any`."""
    code = f"000000-WL-{number:05}"
    lines = [
        f"code: {code}",
        f"name: {{zh: 匹配负载 {number}, en: Workload {number}}}",
        "authority: {code: 000000-WL, name: 匹配负载}",
        'covers: {region: "000000"}',
        "subject: person",
        "in_force: {from: 2020-01-01}",
        "basis:",
        "  - {id: workload, title: 匹配负载, status: sample}",
        "criteria:",
        "  all:",
    ]

    def criterion(name, atom, indent):
        text = condition(atom)
        return f'{indent}- {{id: {name}, clause: "{text}", basis: workload, when: "{text}"}}'

    lines += [criterion(f"c{at}", atom, "    ") for at, atom in enumerate(conditions["and"])]
    if conditions["or"]:
        lines.append("    - any:")
        lines += [criterion(f"o{at}", atom, "        ") for at, atom in enumerate(conditions["or"])]
    lines += ["benefit: {kind: service, period: once}", "delivery: {mode: review}"]
    return code, "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    (folder / "registers").mkdir(parents=True, exist_ok=True)
    (folder / "regions.yaml").write_text(REGIONS)
    for number, conditions in enumerate(json.loads(pathlib.Path(sys.argv[1]).read_text())):
        code, text = policy(number, conditions)
        place = folder / "workload" / code
        place.mkdir(parents=True, exist_ok=True)
        (place / "policy.yaml").write_text(text)


if __name__ == "__main__":
    main()
