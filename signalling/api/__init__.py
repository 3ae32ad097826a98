"""The REST and event surface: one route table gives routing, validation, OpenAPI and authorisation."""
