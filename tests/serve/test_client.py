"""A client generated from the OpenAPI document asks for what `match` found."""

import csv
import os
from collections import defaultdict
from pathlib import Path

from client import AuthenticatedClient
from client.api.evaluation import evaluate
from client.api.policies import list_policies
from client.api.subjects import explain, get_services
from client.models import Evaluate, Evaluation, Explanation, Problem, Services

RESULTS = Path(os.environ["MIANSHEN_RESULTS"])


def open_client() -> AuthenticatedClient:
    return AuthenticatedClient(
        base_url=os.environ["MIANSHEN_URL"],
        token=os.environ["MIANSHEN_KEY"],
        auth_header_name="X-Api-Key",
        prefix="",
        headers={"Accept-Language": "en"},
    )


def grants() -> dict[tuple[str, str], list[str]]:
    found = defaultdict(list)
    with (RESULTS / "grants.csv").open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            found[row["subject_kind"], row["subject_id"]].append(row["grant_id"])
    return found


def test_services_are_those_of_the_run():
    asked = 0
    with open_client() as client:
        for (kind, subject), expected in sorted(grants().items())[::25]:
            services = get_services.sync(kind, subject, client=client, purpose="casework")
            assert isinstance(services, Services)
            got = [service.grant_id for service in services.services if service.grant_id]
            assert sorted(got) == sorted(expected)
            asked += 1
    assert asked > 20


def test_an_explanation_has_its_tree():
    (kind, subject), _ = next(item for item in sorted(grants().items()) if item[0][0] == "person")
    with open_client() as client:
        told = explain.sync(kind, subject, "990100-MZ-0007", client=client, purpose="casework")
    assert isinstance(told, Explanation)
    assert told.reason.policy == "990100-MZ-0007"
    assert "verdict:" in told.text


def test_posted_facts_are_judged():
    body = Evaluate.from_dict(
        {
            "subject": "person",
            "as_of": "2026-06-30",
            "facts": {"birth_date": "1946-03-31", "hukou_region": "990102", "deceased": False},
            "policies": ["990100-MZ-0007"],
        }
    )
    with open_client() as client:
        told = evaluate.sync(client=client, body=body)
    assert isinstance(told, Evaluation)
    assert [(one.policy, one.verdict.value, one.amount) for one in told.policies] == [("990100-MZ-0007", "yes", "60.00")]


def test_problems_are_typed():
    with open_client() as client:
        told = list_policies.sync(client=client, cursor="zz")
    assert isinstance(told, Problem)
    assert told.status == 400
