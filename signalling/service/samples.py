"""Sample data of `--dev`: queues, staff and the students a platform might send. Known to everybody."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from signalling.api.passwords import Passwords
from signalling.desk.commands import PutAgent, PutQueue
from signalling.desk.model import SYSTEM, AgentId, AgentProfile, Overflow, QueueConfig, QueueId
from signalling.service.desk_service import DeskService
from signalling.settings import DeskSettings
from signalling.store.accounts import Accounts, StaffAccount
from signalling.store.errors import UniquenessError
from signalling.store.queries import Queries

PASSWORD = "raisehand"  # noqa: S105  (of sample accounts, on loopback, printed at start)


@dataclass(frozen=True, slots=True)
class SampleStaff:
    """An account, and for those who take calls what they can."""

    username: str
    name: str
    role: str
    queues: tuple[str, ...] = ()
    skills: tuple[tuple[str, int], ...] = ()
    languages: tuple[str, ...] = ("zh", "en")


@dataclass(frozen=True, slots=True)
class SampleQueue:
    """A queue."""

    id: str
    name: str
    topics: tuple[str, ...]
    vip_only: bool = False
    overflow: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SampleStudent:
    """Somebody a host platform could mint a token for."""

    id: str
    name: str
    profile: tuple[tuple[str, str | int], ...]


QUEUES = (
    SampleQueue(
        "technical", "技术支持", ("no_sound", "no_picture", "stutter", "cannot_enter", "screen_share", "app")
    ),
    SampleQueue("teaching", "教学服务", ("homework", "replay", "schedule", "teacher")),
    SampleQueue("sales", "课程顾问", ("course", "price", "refund", "renewal")),
    SampleQueue("vip", "VIP 专属", (), vip_only=True, overflow=(("technical", 10.0),)),
)

STAFF = (
    SampleStaff(
        "chen", "陈老师", "agent", ("technical", "vip"), (("audio", 5), ("network", 4)), ("zh", "en")
    ),
    SampleStaff("lin", "林老师", "agent", ("technical",), (("video", 4), ("network", 3)), ("zh",)),
    SampleStaff("zhao", "赵老师", "agent", ("technical",), (("device", 4), ("app", 4)), ("zh", "en")),
    SampleStaff("sun", "孙老师", "agent", ("teaching",), (("math", 4),), ("zh",)),
    SampleStaff("li", "李老师", "agent", ("teaching",), (("english", 5),), ("zh", "en")),
    SampleStaff("wu", "吴老师", "agent", ("sales",), (("renewal", 4),), ("zh",)),
    SampleStaff("zhou", "周老师", "agent", ("sales",), (("course", 4),), ("zh", "en")),
    SampleStaff("he", "何老师", "agent", ("vip", "technical"), (("audio", 5), ("network", 5)), ("zh", "en")),
    SampleStaff("qian", "钱主管", "supervisor"),
    SampleStaff("wang", "王主管", "supervisor"),
    SampleStaff("song", "宋老师", "reviewer"),
    SampleStaff("admin", "管理员", "admin"),
)

STUDENTS = (
    SampleStudent(
        "student-1",
        "小明",
        (("level", "vip"), ("age", 12), ("locale", "zh-CN"), ("grade", "六年级"), ("class_id", "301")),
    ),
    SampleStudent(
        "student-2", "小红", (("age", 9), ("locale", "zh-CN"), ("grade", "三年级"), ("class_id", "301"))
    ),
    SampleStudent("student-3", "Tom", (("age", 16), ("locale", "en"), ("class_id", "302"))),
    SampleStudent("teacher-1", "郑老师", (("age", 35), ("locale", "zh-CN"), ("class_id", "301"))),
)

_log = structlog.get_logger("samples")


async def add_sample_accounts(accounts: Accounts, passwords: Passwords) -> None:
    """The accounts of `--dev`, where they are missing."""
    present = {account.username for account in await accounts.all()}
    missing = [person for person in STAFF if person.username not in present]
    if not missing:
        return
    hashed = await passwords.hash(PASSWORD)  # one for all: the password is the same and printed anyway
    for person in missing:
        account = StaffAccount(person.username, person.username, person.name, person.role, hashed)
        try:
            await accounts.add(account)
        except UniquenessError:  # another node was faster
            _log.debug("sample account exists", username=person.username)


async def add_sample_desk(service: DeskService, queries: Queries, settings: DeskSettings) -> None:
    """Queues and agents of `--dev`, where they are missing."""
    queues = {queue.id for queue in await queries.queues()}
    for sample in QUEUES:
        if QueueId(sample.id) not in queues:
            config = QueueConfig(
                QueueId(sample.id),
                name=sample.name,
                topics=frozenset(sample.topics),
                vip_only=sample.vip_only,
                overflow=tuple(Overflow(QueueId(queue), after_s) for queue, after_s in sample.overflow),
                offer_timeout_s=settings.offer_timeout_s,
            )
            await service.execute(PutQueue(by=SYSTEM, config=config))
    agents = {agent.id for agent in await queries.agents()}
    for person in STAFF:
        supervises = person.role == "supervisor"
        if (person.queues or supervises) and AgentId(person.username) not in agents:
            profile = AgentProfile(
                AgentId(person.username),
                name=person.name,
                queues=frozenset(QueueId(queue) for queue in person.queues),
                skills=dict(person.skills),
                languages=frozenset(person.languages),
                supervisor=supervises,
                routable=not supervises,
            )
            await service.execute(PutAgent(by=SYSTEM, profile=profile))
