import { afterEach, describe, expect, it, vi } from "vitest";
import { HelpCore } from "../shared/help/core";
import { Credentials } from "../shared/help/credentials";
import type { HelpOptions } from "../shared/help/options";
import { TopicList } from "../shared/help/topicList";
import { BUILT_IN_TOPICS, choiceOf, lastResort, questionsOf, severityOf, type Topic, topicsOf } from "../shared/help/topics";
import { catalogues } from "../shared/i18n/student";
import { translate } from "../shared/i18n/student/translate";
import { topicName } from "../widget/components/topicsPage";

const words = (zh: string, en: string) => ({ "zh-CN": zh, en });
const WRITTEN: readonly Topic[] = [
  { id: "headset", choice: "no_sound", words: words("耳机没声音", "Headset is silent") },
  { id: "exam", choice: "other", words: words("考试", "") },
  { id: "general", choice: "other", words: words("其他", "Other") },
];

describe("topics", () => {
  it("are as urgent as they say, unknown ones as their choice", () => {
    expect(severityOf("no_sound", "no_sound", true)).toBe("class_stopping");
    expect(severityOf("no_sound", "no_sound", false)).toBe("degraded");
    expect(severityOf("cannot_enter", "other", true)).toBe("class_stopping");
    expect(severityOf("homework", "other", true)).toBe("general");
    expect(severityOf("headset", "no_sound", true)).toBe("class_stopping");
    expect(severityOf("exam", "other", true)).toBe("general");
  });

  it("have questions that fit them, unknown ones those of their choice", () => {
    expect(questionsOf("homework", "other")).toEqual([]);
    expect(questionsOf("headset", "no_sound")).toEqual(questionsOf("no_sound", "no_sound"));
    expect(questionsOf("exam", "other")).toEqual(["scope", "since"]);
  });

  it("stand under one of the big choices; the last resort stands apart", () => {
    expect(topicsOf(WRITTEN, "other").map((topic) => topic.id)).toEqual(["exam"]);
    expect(topicsOf(WRITTEN, "no_picture")).toEqual([]);
    expect([lastResort("no_picture"), lastResort("other")]).toEqual(["no_picture", "general"]);
    expect([choiceOf("headset", WRITTEN), choiceOf("no_picture", WRITTEN), choiceOf("gone", WRITTEN)]).toEqual(["no_sound", "no_picture", "other"]);
  });

  it("are called as the school calls them, in whatever language there is", () => {
    const t = translate(catalogues.en, false);
    expect(WRITTEN.map((topic) => topicName(topic, "en", t))).toEqual(["Headset is silent", "考试", "Other"]);
    for (const topic of BUILT_IN_TOPICS) expect(catalogues["zh-CN"]).toHaveProperty([`topic.${topic.id}`]);
  });
});

describe("the list of topics", () => {
  afterEach(() => vi.unstubAllGlobals());

  function list(answer: () => Response): TopicList {
    vi.stubGlobal("fetch", () => Promise.resolve(answer()));
    const options = { base: "http://help.test", credentials: new Credentials("a.b.c", null), memory: null, guestOf: null } as HelpOptions;
    return new TopicList(new HelpCore(options, { follow: () => undefined, reread: () => Promise.resolve() }));
  }
  const items = WRITTEN.map(({ id, choice, words: name }) => ({ id, choice, name, advice: words("", ""), child_advice: words("", "") }));

  it("is the server's once it has been changed", async () => {
    let version = 0;
    const found = list(() => Response.json({ version, items }));
    await found.read();
    expect(found.topics.get()).toBe(BUILT_IN_TOPICS);
    version = 1;
    await found.read();
    expect(found.topics.get()).toEqual(WRITTEN);
    expect([found.knows("exam"), found.knows("stutter"), found.knows("nothing")]).toEqual([true, true, false]);
  });

  it("stays as it is while the server cannot say", async () => {
    const answers = [Response.json({ version: 1, items }), new Response("{}", { status: 503 })];
    const found = list(() => answers.shift() ?? Response.error());
    for (const expected of [WRITTEN, WRITTEN, WRITTEN]) {
      await found.read();
      expect(found.topics.get()).toEqual(expected);
    }
  });
});
