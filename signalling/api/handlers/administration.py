"""API keys, staff accounts and topics: what administrators set besides agents and queues."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, StringConstraints, model_validator

from signalling.api.context import Api
from signalling.api.fields import Id, Line, Word
from signalling.api.handlers import common
from signalling.api.keys import new_key_id, secret_of
from signalling.api.problems import FieldError, Problem
from signalling.api.roles import STAFF, Role
from signalling.api.route import Asked, NoQuery, Nothing, Query, Request
from signalling.desk import commands as c
from signalling.desk.model import AgentId, AgentProfile, QueueId
from signalling.service.topics import Choice, Topic, Words
from signalling.store.accounts import StaffAccount
from signalling.store.administration import ApiKey
from signalling.store.errors import ConcurrencyError, UniquenessError

MINIMUM_PASSWORD = 10
"""NIST SP 800-63B asks for 8; these accounts hear children."""
GENERATED_PASSWORD_BYTES = 12
MAXIMUM_TOPICS = 100
_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
KEY_ROLES = frozenset(Role) - {Role.GUEST}
"""What tokens of a made key may say; guests come by links of the server."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Password = Annotated[SecretStr, Field(min_length=MINIMUM_PASSWORD, max_length=256)]


def _wrong(field: str, message: str, kind: str) -> Problem:
    return Problem("invalid", message, [FieldError(field=field, message=message, kind=kind)])


# API keys ---------------------------------------------------------------------------------------------


class KeyAnswer(BaseModel):
    """An API key, without its secret."""

    id: str = Field(description="The `iss` of tokens it signs.")
    name: str
    roles: list[Role] = Field(description="What its tokens may say.")
    configured: bool = Field(description="From the configuration: it cannot be changed here.")
    created_at: AwareDatetime | None
    created_by: str
    last_used_at: AwareDatetime | None = Field(description="To the minute.")
    revoked_at: AwareDatetime | None


class Keys(BaseModel):
    """All API keys, newest first."""

    items: list[KeyAnswer]


class KeyBody(Request):
    """A new API key."""

    name: Name = Field(description="What for: the platform's name.")
    roles: list[Role] = Field(
        default_factory=lambda: [Role.STUDENT, Role.SERVICE], min_length=1, max_length=len(Role)
    )

    @model_validator(mode="after")
    def _issuable(self) -> KeyBody:
        if set(self.roles) - KEY_ROLES or len(set(self.roles)) != len(self.roles):
            raise ValueError("roles: each once, and not guest, who comes by link")
        return self


class KeyCreated(BaseModel):
    """The only time that the secret is shown."""

    key: KeyAnswer
    secret: str


def _key_answer(key: ApiKey) -> KeyAnswer:
    return KeyAnswer(
        id=key.id,
        name=key.name,
        roles=[Role(role) for role in key.roles],
        configured=False,
        created_at=key.created_at,
        created_by=key.created_by,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )


async def find_keys(api: Api, asked: Asked[Nothing, NoQuery]) -> Keys:
    """Keys made here, then those of the configuration."""
    made = [_key_answer(key) for key in await api.api_keys.all()]
    configured = [
        KeyAnswer(
            id=key,
            name="",
            roles=sorted(Role(role) for role in api.settings.api.key_roles.get(key, list(Role))),
            configured=True,
            created_at=None,
            created_by="",
            last_used_at=None,
            revoked_at=None,
        )
        for key in api.settings.secrets
    ]
    return Keys(items=made + configured)


async def make_key(api: Api, asked: Asked[KeyBody, NoQuery]) -> KeyCreated:
    """Make a key; its secret is in this answer and nowhere else."""
    made_with, base_secret = api.signing_key
    key = ApiKey(
        id=new_key_id(),
        name=asked.body.name,
        roles=tuple(role.value for role in asked.body.roles),
        made_with=made_with,
        created_at=api.clock.utc_now(),
        created_by=asked.actor.id,
    )
    await api.api_keys.add(key)
    await _note(api, asked, "key.created", key.id, name=key.name, roles=list(key.roles))
    return KeyCreated(key=_key_answer(key), secret=secret_of(key.id, base_secret))


async def revoke_key(api: Api, asked: Asked[Nothing, NoQuery]) -> None:
    """End a key: its tokens open nothing any more, here at once, on other nodes within seconds."""
    key = asked.path["key"]
    if key in api.settings.secrets:
        raise Problem("conflict", "this key is in the configuration: remove it there")
    if not await api.api_keys.revoke(key):
        raise Problem("not_found", "no such key in force")
    api.keys.forget(key)
    await _note(api, asked, "key.revoked", key)


# Accounts ---------------------------------------------------------------------------------------------


class AccountAnswer(BaseModel):
    """Somebody who may log in."""

    id: str = Field(description="Of agents and supervisors also the agent's id.")
    username: str
    name: str
    role: Role
    disabled: bool


class AccountsAnswer(BaseModel):
    """All accounts by user name."""

    items: list[AccountAnswer]


class AccountWithPassword(BaseModel):
    """An account; the password, if it was generated, is shown this once."""

    account: AccountAnswer
    password: str | None


class AccountBody(Request):
    """A new account."""

    username: str = Field(description="1 to 64 letters, digits or . @ + - _; also the id, in lower case.")
    name: Name
    role: Role
    password: Password | None = Field(default=None, description="Empty: one is generated.")

    @model_validator(mode="after")
    def _usable(self) -> AccountBody:
        if not _USERNAME.fullmatch(self.username):
            raise ValueError("username: 1 to 64 letters, digits or . @ + - _")
        if self.role not in STAFF:
            raise ValueError("role: agent, supervisor, reviewer or admin")
        return self


class AccountPatch(Request):
    """What changes."""

    name: Name | None = None
    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None
    reset_password: bool = Field(default=False, description="Generate a new one.")

    @model_validator(mode="after")
    def _usable(self) -> AccountPatch:
        if self.role is not None and self.role not in STAFF:
            raise ValueError("role: agent, supervisor, reviewer or admin")
        if self.password is not None and self.reset_password:
            raise ValueError("give password or reset_password, not both")
        return self


def _account_answer(account: StaffAccount) -> AccountAnswer:
    return AccountAnswer(
        id=account.id,
        username=account.username,
        name=account.name,
        role=Role(account.role),
        disabled=account.disabled,
    )


async def find_accounts(api: Api, asked: Asked[Nothing, NoQuery]) -> AccountsAnswer:
    """Everybody who may log in."""
    return AccountsAnswer(items=[_account_answer(account) for account in await api.accounts.all()])


async def add_account(api: Api, asked: Asked[AccountBody, NoQuery]) -> AccountWithPassword:
    """Create an account; agents and supervisors get their place at the desk with it."""
    body = asked.body
    generated = None if body.password is not None else secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    password = body.password.get_secret_value() if body.password is not None else generated or ""
    username = body.username.casefold()
    account = StaffAccount(username, username, body.name, body.role.value, await api.passwords.hash(password))
    try:
        await api.accounts.add(account)
    except UniquenessError:
        raise _wrong("body.username", "this user name is taken", "taken") from None
    await _note(api, asked, "account.created", account.id, role=account.role)
    await _seat(api, asked, account)
    return AccountWithPassword(account=_account_answer(account), password=generated)


async def change_account(api: Api, asked: Asked[AccountPatch, NoQuery]) -> AccountWithPassword:
    """Change an account. A new password or role, and disabling it, end its sessions."""
    body, account = asked.body, await api.accounts.get(asked.path["account"])
    if account is None:
        raise Problem("not_found", "no such account")
    if account.id == asked.actor.id and (body.disabled or body.role not in (None, Role(account.role))):
        raise Problem("conflict", "nobody takes his own rights away: ask another administrator")
    generated = secrets.token_urlsafe(GENERATED_PASSWORD_BYTES) if body.reset_password else None
    password = body.password.get_secret_value() if body.password is not None else generated
    changed = replace(
        account,
        name=body.name if body.name is not None else account.name,
        role=body.role.value if body.role is not None else account.role,
        disabled=body.disabled if body.disabled is not None else account.disabled,
        password_hash=await api.passwords.hash(password) if password else account.password_hash,
    )
    await api.accounts.update(changed)
    what: dict[str, Any] = {
        name: getattr(changed, name)
        for name in ("name", "role", "disabled")
        if getattr(changed, name) != getattr(account, name)
    }
    await _note(api, asked, "account.changed", account.id, **what, password=password is not None)
    if changed.role != account.role:
        await _seat(api, asked, changed)
    return AccountWithPassword(account=_account_answer(changed), password=generated)


async def _seat(api: Api, asked: Asked[Any, Any], account: StaffAccount) -> None:
    """Agents and supervisors have a profile at the desk; whoever has one keeps queues and skills."""
    if account.role not in (Role.AGENT.value, Role.SUPERVISOR.value):
        return
    supervises = account.role == Role.SUPERVISOR.value
    known = await api.queries.agent(AgentId(account.id))
    profile = known.profile if known is not None else AgentProfile(AgentId(account.id), name=account.name)
    wanted = replace(profile, supervisor=supervises, routable=profile.routable and not supervises)
    if known is None or wanted != known.profile:
        await common.run(api, c.PutAgent(by=common.desk_actor(asked.actor), profile=wanted))


# Topics -----------------------------------------------------------------------------------------------


class Bilingual(Request):
    """A text in both languages."""

    zh: Line = Field(default="", alias="zh-CN")
    en: Line = ""


class BilingualAnswer(BaseModel):
    """A text in both languages; empty: none."""

    zh: str = Field(serialization_alias="zh-CN")
    en: str


class TopicAnswer(BaseModel):
    """Something to ask about."""

    id: str
    choice: Choice = Field(description="To which of the three big choices it belongs.")
    name: BilingualAnswer
    advice: BilingualAnswer = Field(description="What to try while waiting.")
    child_advice: BilingualAnswer = Field(description="The same for children; empty: as for adults.")
    queue: str | None = Field(default=None, description="Who takes it; only for staff and services.")


class TopicsAnswer(BaseModel):
    """The list that the help button shows, in its order."""

    items: list[TopicAnswer]
    version: int = Field(description="To be sent back when replacing it.")


class TopicBody(Request):
    """Something to ask about."""

    id: Word
    choice: Choice
    name: Bilingual
    advice: Bilingual = Field(default_factory=Bilingual)
    child_advice: Bilingual = Field(default_factory=Bilingual)
    queue: Id | None = Field(default=None, description="Empty: the default queue.")

    @model_validator(mode="after")
    def _named(self) -> TopicBody:
        if not self.name.zh or not self.name.en:
            raise ValueError("name: both languages")
        return self


class TopicsBody(Request):
    """The whole list."""

    items: list[TopicBody] = Field(min_length=1, max_length=MAXIMUM_TOPICS)
    version: int = Field(ge=0, description="Of the list that was read before.")

    @model_validator(mode="after")
    def _distinct(self) -> TopicsBody:
        ids = [item.id for item in self.items]
        if len(set(ids)) != len(ids):
            raise ValueError("items: each id once")
        return self


def _words(words: Words) -> BilingualAnswer:
    return BilingualAnswer(zh=words.zh, en=words.en)


async def _topics_answer(api: Api, role: Role) -> TopicsAnswer:
    topics = await api.topics.current()
    takes: dict[str, str] = {}
    if role in STAFF | {Role.SERVICE}:
        for queue in await api.queries.queues():
            if not queue.vip_only:
                takes |= {topic: queue.id for topic in queue.topics if topic not in takes}
    return TopicsAnswer(
        items=[
            TopicAnswer(
                id=topic.id,
                choice=topic.choice,
                name=_words(topic.name),
                advice=_words(topic.advice),
                child_advice=_words(topic.child_advice),
                queue=takes.get(topic.id),
            )
            for topic in topics
        ],
        version=api.topics.version,
    )


async def find_topics(api: Api, asked: Asked[Nothing, NoQuery]) -> TopicsAnswer:
    """What there is to ask about."""
    return await _topics_answer(api, asked.actor.role)


async def put_topics(api: Api, asked: Asked[TopicsBody, NoQuery]) -> TopicsAnswer:
    """Replace the list, and let the queues take what they shall."""
    body = asked.body
    queues = {queue.id: queue for queue in await api.queries.queues()}
    for index, item in enumerate(body.items):
        queue = queues.get(QueueId(item.queue)) if item.queue is not None else None
        if item.queue is not None and (queue is None or queue.vip_only):
            raise _wrong(f"body.items.{index}.queue", "no such queue for everybody", "unknown_queue")
    before = {topic.id for topic in await api.topics.current()}
    topics = [
        Topic(
            item.id,
            item.choice,
            Words(item.name.zh, item.name.en),
            Words(item.advice.zh, item.advice.en),
            Words(item.child_advice.zh, item.child_advice.en),
        )
        for item in body.items
    ]
    try:
        await api.topics.replace(topics, body.version)
    except ConcurrencyError:
        api.topics.forget()
        raise Problem("conflict", "somebody changed the topics meanwhile: read them again") from None
    known = before | {topic.id for topic in topics}
    for queue in queues.values():
        if queue.vip_only:
            continue
        mine = {item.id for item in body.items if item.queue == queue.id}
        wanted = frozenset((queue.topics - known) | mine)
        if wanted != queue.topics:
            config = replace(queue, topics=wanted)
            await common.run(api, c.PutQueue(by=common.desk_actor(asked.actor), config=config))
    await _note(api, asked, "topics.replaced", "topics", version=api.topics.version, topics=len(topics))
    return await _topics_answer(api, asked.actor.role)


# Audit ------------------------------------------------------------------------------------------------


class AuditQuery(Query):
    """How many."""

    limit: int = Field(default=50, ge=1, le=500)


class AuditAnswer(BaseModel):
    """Somebody changed something."""

    at: AwareDatetime
    actor: str
    role: str
    action: str
    target: str
    data: dict[str, Any]


class AuditEntries(BaseModel):
    """The last changes, newest first."""

    items: list[AuditAnswer]


async def find_audit(api: Api, asked: Asked[Nothing, AuditQuery]) -> AuditEntries:
    """Who changed keys, accounts and topics. Changes of queues and agents are events."""
    return AuditEntries(
        items=[
            AuditAnswer(
                at=entry.at,
                actor=entry.actor,
                role=entry.role,
                action=entry.action,
                target=entry.target,
                data=dict(entry.data),
            )
            for entry in await api.audit.newest(asked.query.limit)
        ]
    )


async def _note(api: Api, asked: Asked[Any, Any], action: str, target: str, **data: Any) -> None:
    await api.audit.add(asked.actor.id, asked.actor.role.value, action, target, data)
