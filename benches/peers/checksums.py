"""The two checksums of a run of `mianshen match`: yes and unknown verdicts, all policies together.

    python checksums.py OUT
"""
import json
import pathlib
import sys

counts = json.loads((pathlib.Path(sys.argv[1]) / "manifest.json").read_text())["counts"]
print(f"e={counts['yes']} u={counts['unknown']}")
