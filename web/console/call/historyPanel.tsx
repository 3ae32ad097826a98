import { Alert, Button, Spin } from "antd";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { Contact, History } from "../../shared/desk/history";
import { lookup, type StaffTranslate } from "../../shared/i18n/staff";
import type { Locale } from "../../shared/i18n";
import { useAmbience, useSelected, useSession, useStore } from "../context";
import { useTopicName } from "../topicName";
import { whenText } from "../words";

/** Before the end comes into view, older contacts are fetched: so many rows ahead. */
const AHEAD = 40;
const ROW_PX = 74;

/** All contacts, newest first: only the rows in view are in the page, however many there are. */
export function HistoryPanel({ history, current }: { history: History; current: string }) {
  const { t, locale } = useAmbience();
  const topicName = useTopicName();
  const state = useStore(history.state);
  const { desk } = useSession();
  const agents = useSelected(desk.state, (value) => value.agents);
  const scroller = useRef<HTMLDivElement>(null);
  const { contacts } = state;
  const rows = useVirtualizer({
    count: contacts.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    getItemKey: (index) => contacts[index]?.id ?? index,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;

  useEffect(() => {
    if (state.more && !state.loading && state.error === null && last >= contacts.length - AHEAD) void history.more();
  }, [history, state.more, state.loading, state.error, last, contacts.length]);

  return (
    <div className="rh-history">
      <p className="rh-muted rh-history-count" role="status">
        {contacts.length === 0
          ? state.loading || state.more
            ? ""
            : t("history.none")
          : t(state.more ? "history.count.more" : "history.count", { n: contacts.length })}
      </p>
      <div className="rh-history-scroll" ref={scroller} data-history={contacts.length} tabIndex={0} role="group" aria-label={t("history.title")}>
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          <ul className="rh-history-rows" style={{ transform: `translateY(${shown[0]?.start ?? 0}px)` }}>
            {shown.map((row) => {
              const contact = contacts[row.index];
              if (contact === undefined) return null;
              return (
                <li key={row.key} data-index={row.index} ref={rows.measureElement}>
                  <Entry
                    contact={contact}
                    current={contact.id === current}
                    t={t}
                    locale={locale}
                    topicName={topicName}
                    nameOf={(id) => agents.get(id)?.name ?? id}
                  />
                </li>
              );
            })}
          </ul>
        </div>
        {state.loading ? (
          <p className="rh-muted rh-history-more">
            <Spin size="small" /> {t("history.loading")}
          </p>
        ) : null}
        {state.error === null ? null : (
          <Alert
            type="warning"
            title={t("history.failed")}
            action={
              <Button size="small" onClick={() => void history.more()}>
                {t("action.retry")}
              </Button>
            }
          />
        )}
      </div>
    </div>
  );
}

function Entry({
  contact,
  current,
  t,
  locale,
  topicName,
  nameOf,
}: {
  contact: Contact;
  current: boolean;
  t: StaffTranslate;
  locale: Locale;
  topicName: (topic: string) => string;
  nameOf: (id: string) => string;
}) {
  const when = whenText(t, locale, contact.atMs);
  if (contact.kind === "message") {
    const { message } = contact;
    return (
      <article className="rh-contact">
        <p className="rh-row">
          <span className="rh-contact-channel">{lookup(t, `history.channel.${message.channel}`) ?? message.channel}</span>
          <strong>{lookup(t, `history.from.${message.role}`) ?? message.role}</strong>
          <time className="rh-muted rh-end">{when}</time>
        </p>
        <p className="rh-contact-text">{message.text}</p>
      </article>
    );
  }
  const { call } = contact;
  const { wrapup, rating } = call;
  return (
    <article className={`rh-contact${current ? " rh-contact-current" : ""}`}>
      <p className="rh-row">
        <span className="rh-contact-channel">{t(`kind.${call.kind}`)}</span>
        <strong>{topicName(call.topic)}</strong>
        <time className="rh-muted rh-end">{current ? t("history.this") : when}</time>
      </p>
      <p className="rh-row rh-muted">
        {wrapup === null ? null : (
          <span className={wrapup.resolved ? "rh-good" : "rh-warn"}>
            {wrapup.resolved ? t("desk.recent.resolved") : t("desk.recent.unresolved")}
          </span>
        )}
        {wrapup === null ? (call.closed_reason === null ? t(`callState.${call.state}`) : t(`closedReason.${call.closed_reason}`)) : nameOf(wrapup.agent)}
        {rating === null ? null : <span>{t("history.rating", { n: rating.stars })}</span>}
        {contact.messages > 0 ? (
          <span className="rh-end">
            {t("chat.title")} {contact.messages}
          </span>
        ) : null}
      </p>
      {call.note === "" ? null : <p className="rh-contact-text">{call.note}</p>}
      {wrapup === null || wrapup.notes === "" ? null : <p className="rh-contact-text rh-contact-notes">{wrapup.notes}</p>}
    </article>
  );
}
