"""Load on the desk's HTTP and WebSocket side, for locust: students press and wait, agents accept and end.

Against a server started by ``raisehand serve --dev``::

    locust -f loadtest/locustfile.py --headless --host http://127.0.0.1:7880 \\
        --students 50 --agents 10 --users 60 --spawn-rate 10 --run-time 1m

Against another server, with its API key: ``--api-key KEY --api-secret SECRET`` (the key must be allowed the
roles `student`, `agent` and `service`). Without a screen of locust's own: ``raisehand loadtest``. Only
students: ``locust -f loadtest/locustfile.py Student ...``. Only calls that are answered, or only those that
are cancelled: ``--tags help``, ``--tags cancel``.

Beside the requests, the report has what people feel, measured over the event stream: ``press to ring``,
``press to accepted`` and ``end to told``. Media is not part of it: that is ``raisehand bench`` and ``demo``.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable
from typing import Any

import gevent
import websocket
from gevent.event import AsyncResult, Event
from gevent.queue import Empty, Queue
from locust import HttpUser, between, events, tag, task
from locust.runners import STATE_STOPPING

from loadtest.tokens import DEV_API_KEY, DEV_API_SECRET, platform_token

TOPICS = ("no_sound", "no_picture", "stutter", "cannot_enter")
QUEUE = "technical"
SEVERITIES = ("class_stopping", "degraded", "general")

TOLD_S = 10.0
"""How long a student waits to hear that the call has ended."""
RECONNECT_S = 0.5
_LOOK_S = 0.5  # between looks whether the test is being stopped
OFFER_S = 1.0
"""How long an agent waits for a ring before it looks up."""

_run = f"{int(time.time()):x}"
_numbers = itertools.count(1)
_pressed_at: dict[str, float] = {}
"""When (monotonic) each call was asked for; students and agents are in one process."""
_ended_at: dict[str, float] = {}


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("Raisehand")
    group.add_argument("--students", type=int, default=0, help="Students; 0: by weight, of --users.")
    group.add_argument("--agents", type=int, default=0, help="Agents; 0: by weight, of --users.")
    group.add_argument("--handle-time", type=float, default=8.0, help="Mean seconds of one call.")
    group.add_argument("--patience", type=float, default=60.0, help="Seconds until a student gives up.")
    group.add_argument("--call-kind", choices=("chat", "voice", "video"), default="chat")
    group.add_argument("--api-key", default=DEV_API_KEY, env_var="LOADTEST_API_KEY")
    parser.add_argument("--api-secret", default=DEV_API_SECRET, env_var="LOADTEST_API_SECRET", is_secret=True)


@events.init.add_listener  # type: ignore[untyped-decorator]
def _set_counts(environment: Any, **_: Any) -> None:
    options = environment.parsed_options
    if options is not None:
        Student.fixed_count = options.students
        Agent.fixed_count = options.agents


class EventReader:
    """One event stream, read by a greenlet; it comes back where it broke off."""

    def __init__(self, host: str, token: str, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._url = f"ws{host.removeprefix('http')}/v1/events"
        self._token = token
        self._on_event = on_event
        self._after: int | None = None
        self._socket: websocket.WebSocket | None = None
        self.ready = Event()
        self.failure = ""
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while True:
            query = f"?after={self._after}" if self._after is not None else ""
            try:
                self._socket = websocket.create_connection(
                    self._url + query, header=[f"Authorization: Bearer {self._token}"], timeout=60
                )
                while True:
                    self._read(self._socket.recv())
            except (websocket.WebSocketException, OSError, ValueError) as error:
                self.failure = f"{type(error).__name__}: {error}"
            gevent.sleep(RECONNECT_S)

    def _read(self, text: str | bytes) -> None:
        event = json.loads(text)
        self._after = event["id"]
        if event["type"] == "ready":
            self.ready.set()
        else:
            self._on_event(event)

    def close(self) -> None:
        """End it."""
        self._greenlet.kill(block=False)
        if self._socket is not None:
            self._socket.close(timeout=1)


class _Person(HttpUser):
    """What students and agents have in common."""

    abstract = True
    role = ""

    def on_start(self) -> None:
        """Get a token, listen to events."""
        self.identity = f"{self.role}-{_run}-{next(_numbers)}"
        self.client.headers["Authorization"] = f"Bearer {self.token(self.identity, self.role)}"
        self.begin()
        began = time.perf_counter()
        token = self.token(self.identity, self.role)
        self.reader = EventReader(str(self.host).rstrip("/"), token, self.on_event)
        opened = self.reader.ready.wait(10)
        self.felt("open event stream", time.perf_counter() - began, "" if opened else self.reader.failure)

    def on_stop(self) -> None:
        """Leave."""
        self.reader.close()

    def begin(self) -> None:
        """Before the events."""

    def on_event(self, event: dict[str, Any]) -> None:
        """One event."""

    def token(self, identity: str, role: str) -> str:
        """A platform token, as the host platform mints it."""
        options = self.environment.parsed_options
        return platform_token(identity, role, name=identity, key=options.api_key, secret=options.api_secret)

    def felt(self, name: str, seconds: float, failure: str = "") -> None:
        """Report what somebody felt, beside the requests."""
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=seconds * 1000,
            response_length=0,
            exception=RuntimeError(failure) if failure else None,
            context={},
        )

    def post(self, path: str, body: dict[str, Any], name: str, accepted: tuple[int, ...] = ()) -> Any:
        """POST below `/v1`; None when it failed. `accepted`: refusals that are part of life."""
        with self.client.post(f"/v1{path}", json=body, name=f"/v1{name}", catch_response=True) as answer:
            if answer.status_code in accepted:
                answer.success()
                return None
            if not answer.ok:
                answer.failure(f"{answer.status_code} {answer.text[:200]}")
                return None
            return answer.json()


class Student(_Person):
    """Presses, waits, is helped, rates; some give up at once."""

    role = "student"
    weight = 5
    wait_time = between(2, 8)

    def begin(self) -> None:
        """Nobody helps yet."""
        self._call = ""
        self._accepted: AsyncResult = AsyncResult()
        self._ended: AsyncResult = AsyncResult()

    def on_event(self, event: dict[str, Any]) -> None:
        """Whether the own call was accepted or has ended."""
        if event["call"] != self._call:
            return
        if event["type"] == "call.accepted":
            self._accepted.set(time.monotonic())
        elif event["type"] == "call.ended":
            self._ended.set(time.monotonic())

    @tag("help")
    @task(9)
    def ask_for_help(self) -> None:
        """One call from press to rating."""
        options = self.environment.parsed_options
        call = self._press(options.call_kind)
        if call is None:
            return
        pressed = _pressed_at[call]
        accepted = self._wait(self._accepted, options.patience)
        if accepted is None:
            self._give_up(call)
            return
        self.felt("press to accepted (queue included)", accepted - pressed)
        ended = self._wait(self._ended, 5 * options.handle_time + TOLD_S)
        if ended is None:
            if self._stopping:
                return
            self.felt("end to told", TOLD_S, "the student was not told that the call has ended")
            return
        if call in _ended_at:
            self.felt("end to told", max(0.0, ended - _ended_at.pop(call)))
        rating = {"stars": random.randint(3, 5), "resolved": True}
        self.post(f"/calls/{call}/rating", rating, "/calls/{call}/rating")

    @tag("cancel")
    @task(1)
    def change_the_mind(self) -> None:
        """Press, and cancel."""
        call = self._press(self.environment.parsed_options.call_kind)
        if call is not None:
            gevent.sleep(random.uniform(0.2, 2.0))
            self._give_up(call)

    def _press(self, kind: str) -> str | None:
        self.begin()
        body = {
            "kind": kind,
            "topic": random.choice(TOPICS),
            "severity": random.choice(SEVERITIES),
            "queue": QUEUE,
            "context": {"class_id": f"class-{random.randint(1, 40)}"},
        }
        began = time.monotonic()
        answer = self.post("/calls", body, "/calls")
        if answer is None:
            return None
        self._call = str(answer["call"]["id"])
        _pressed_at[self._call] = began
        if answer["call"]["state"] in ("connecting", "active"):  # accepted while the answer was under way
            self._accepted.set(time.monotonic())
        return self._call

    @property
    def _stopping(self) -> bool:
        return self.environment.runner is not None and self.environment.runner.state == STATE_STOPPING

    def _wait(self, result: AsyncResult, timeout_s: float) -> float | None:
        """When it came; None after `timeout_s`, or when the test is being stopped."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._stopping:
            result.wait(timeout=_LOOK_S)
            if result.ready():
                return float(result.get())
        return None

    def _give_up(self, call: str) -> None:
        self.post(f"/calls/{call}/cancel", {}, "/calls/{call}/cancel", accepted=(409,))
        _pressed_at.pop(call, None)


class Agent(_Person):
    """Accepts what rings, helps for a while, ends, wraps up."""

    role = "agent"
    weight = 1
    wait_time = between(0.1, 0.5)

    def begin(self) -> None:
        """Be hired: a service sets the profile."""
        self._offers: Queue = Queue()
        body = {"name": self.identity, "queues": [QUEUE], "languages": ["zh", "en"], "max_chats": 1}
        hired = {"Authorization": f"Bearer {self.token(f'hr-{self.identity}', 'service')}"}
        self.client.put(f"/v1/agents/{self.identity}", json=body, headers=hired, name="/v1/agents/{agent}")

    def on_start(self) -> None:
        """Come to work."""
        super().on_start()
        self._say("available")

    def on_stop(self) -> None:
        """Go home."""
        self._say("offline")
        super().on_stop()

    def _say(self, state: str) -> None:
        path = f"/v1/agents/{self.identity}/state"
        self.client.put(path, json={"state": state}, name="/v1/agents/{agent}/state")

    def on_event(self, event: dict[str, Any]) -> None:
        """A ring at the own console."""
        if event["type"] == "offer.created" and event["data"]["offer"]["agent"] == self.identity:
            pressed = _pressed_at.get(event["call"])
            if pressed is not None:
                self.felt("press to ring (queue included)", time.monotonic() - pressed)
            self._offers.put((event["data"]["offer"]["id"], event["call"]))

    @tag("help", "cancel")
    @task
    def answer_a_call(self) -> None:
        """One call from ring to wrap-up."""
        try:
            offer, call = self._offers.get(timeout=OFFER_S)
        except Empty:
            return
        # The student may have cancelled, or the offer expired: both are part of life.
        if self.post(f"/offers/{offer}/accept", {}, "/offers/{offer}/accept", accepted=(409, 410)) is None:
            return
        gevent.sleep(self.environment.parsed_options.handle_time * random.uniform(0.5, 1.5))
        _ended_at[call] = time.monotonic()
        if self.post(f"/calls/{call}/end", {}, "/calls/{call}/end", accepted=(403, 409)) is not None:
            notes = {"codes": ["loadtest"], "notes": "-", "resolved": True}
            self.post(f"/calls/{call}/wrapup", notes, "/calls/{call}/wrapup", accepted=(409,))
        _pressed_at.pop(call, None)
