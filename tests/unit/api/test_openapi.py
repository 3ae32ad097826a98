"""The document made from the route table."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs

from signalling.api import openapi_file
from signalling.api.openapi import document, problem_codes
from signalling.api.permissions_doc import TARGET, render
from signalling.api.problems import PROBLEMS
from signalling.api.routes import ROUTES

DOCUMENT = document(ROUTES, version="1")


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for item in value.values() for each in references(item)]
    if isinstance(value, list):
        return [each for item in value for each in references(item)]
    return []


def test_every_route_is_described() -> None:
    described = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert described == {(route.method, "/v1" + route.path) for route in ROUTES}
    assert DOCUMENT["openapi"] == "3.1.0"


def test_operation_ids_are_unique() -> None:
    names = [route.name for route in ROUTES]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_0-9]+", name) for name in names)


def test_references_lead_somewhere_and_schemas_are_schemas() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    for name, schema in schemas.items():
        jsonschema_rs.meta.validate({**schema, "$id": f"urn:{name}"})


def test_every_code_a_route_may_answer_with_is_known() -> None:
    for route in ROUTES:
        for code in problem_codes(route):
            assert code in PROBLEMS, (route.path, code)


def test_every_route_says_who_may_use_it() -> None:
    for route in ROUTES:
        operation = DOCUMENT["paths"]["/v1" + route.path][route.method.lower()]
        assert operation["x-roles"] == sorted(role.value for role in route.roles)
        assert bool(operation["security"]) is not route.public
        assert operation["summary"]


def test_the_permissions_page_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(), "run: python -m signalling.api.permissions_doc"


def test_the_document_of_the_web_pages_is_up_to_date() -> None:
    written = openapi_file.TARGET.read_text(encoding="utf-8")
    assert written == openapi_file.text(), (
        "run: python -m signalling.api.openapi_file && (cd web && npm run api)"
    )
