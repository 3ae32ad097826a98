"""The desk's one entrance: state, command and time in, events out.

The rules stand in :mod:`queueing` (asking, waiting, offers, ending), :mod:`talking` (hold, third parties,
transfer, supervision, chat), :mod:`casework` (consent, wrap-up, rating, tickets) and :mod:`staff` (agents,
administration).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from signalling.desk import casework, queueing, staff, talking
from signalling.desk import commands as c
from signalling.desk.draft import Draft
from signalling.desk.errors import Refusal
from signalling.desk.events import Event
from signalling.desk.state import Desk

_RULES: Mapping[type[c.Command], Callable[[Draft, Any], None]] = {
    c.OpenCall: queueing.open_call,
    c.CancelCall: queueing.cancel_call,
    c.EndCall: queueing.end_call,
    c.RequestCallback: queueing.request_callback,
    c.RequestHuman: queueing.request_human,
    c.MakeOffer: queueing.make_offer,
    c.AcceptOffer: queueing.accept_offer,
    c.DeclineOffer: queueing.decline_offer,
    c.ReportJoined: queueing.report_joined,
    c.ReportLeft: queueing.report_left,
    c.CallDue: queueing.call_due,
    c.TicketDue: queueing.ticket_due,
    c.HoldCall: talking.hold,
    c.ResumeCall: talking.resume,
    c.UpgradeCall: talking.upgrade,
    c.DropIn: talking.drop_in,
    c.InviteGuest: talking.invite_guest,
    c.ChangeMode: talking.change_mode,
    c.RemoveParticipant: talking.remove,
    c.StartTransfer: talking.start_transfer,
    c.CompleteTransfer: talking.complete_transfer,
    c.CancelTransfer: talking.cancel_warm_transfer,
    c.TakeOver: talking.take_over,
    c.RaiseHand: talking.raise_hand,
    c.LowerHand: talking.lower,
    c.PostMessage: talking.post_message,
    c.DescribeCall: talking.describe,
    c.GiveConsent: casework.give_consent,
    c.WrapUp: casework.wrap_up,
    c.RateCall: casework.rate,
    c.ScheduleFollowUp: casework.schedule_follow_up,
    c.ConfirmTicket: casework.confirm_ticket,
    c.UpdateTicket: casework.update_ticket,
    c.AppendMessage: casework.append_message,
    c.SetAgentState: staff.set_state,
    c.AgentLost: staff.lost,
    c.AgentDue: staff.due,
    c.PutAgent: staff.put_agent,
    c.PutQueue: staff.put_queue,
}


def decide(desk: Desk, command: c.Command, now: datetime) -> list[Event]:
    """What follows from `command`; `desk` is left as it was.

    An empty list means that there is nothing to do: what was asked for is so already.

    :param desk: at least what :func:`state.needs` names for the command.
    :param now: aware UTC; times of one stream should not run backwards.
    :raises Refusal: the rules do not allow it now.
    """
    if now.tzinfo is None:
        raise ValueError("now: must be aware")
    draft = Draft(desk.fork(), now, command.by, [])
    _RULES[type(command)](draft, command)
    return draft.events


__all__ = ["Refusal", "decide"]
