"""The desk's refusals as problems: the same codes, with the status that fits."""

from __future__ import annotations

from typing import Final

from signalling.api.problems import PROBLEMS, Problem, ProblemKind
from signalling.desk.errors import Refusal

REFUSALS: Final = {
    "agent_busy": ProblemKind(409, "The agent has another call or offer"),
    "agent_unavailable": ProblemKind(409, "The agent is not at work, or has another call or offer"),
    "already_in_call": ProblemKind(409, "This agent is in the call already"),
    "already_rated": ProblemKind(409, "The call has been rated"),
    "already_seeking": ProblemKind(409, "Somebody is being asked or sought already"),
    "already_transferring": ProblemKind(409, "A transfer is under way"),
    "call_closed": ProblemKind(409, "The call has ended"),
    "call_full": ProblemKind(409, "The call has as many participants as it may have"),
    "guardian_required": ProblemKind(409, "For a minor, a guardian decides"),
    "illegal_state": ProblemKind(409, "This cannot be done in the present state"),
    "no_transfer": ProblemKind(409, "No transfer is under way"),
    "not_a_minor": ProblemKind(409, "An adult decides alone"),
    "offer_expired": ProblemKind(410, "The offer has expired; the call was offered to somebody else"),
    "offer_withdrawn": ProblemKind(410, "The offer no longer stands"),
    "stale_token": ProblemKind(409, "This agent no longer belongs to the call"),
    "unknown_queue": ProblemKind(422, "There is no such queue"),
}
"""Codes of `signalling.desk` beyond those the API has itself."""

PROBLEMS.update(REFUSALS)

CALL_CODES: Final = ("call_closed", "illegal_state", "conflict")
"""Refusals that most commands about a call may meet."""


def problem_of(refusal: Refusal) -> Problem:
    """The problem for a refusal; an unknown code is a bug and becomes ``conflict``."""
    code = refusal.code if refusal.code in PROBLEMS else "conflict"
    return Problem(code, refusal.message)
