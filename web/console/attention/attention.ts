import { useEffect, useMemo, useState } from "react";
import type { StaffDesk } from "../../shared/desk/desk";
import type { StaffTranslate } from "../../shared/i18n/staff";
import { useSelected } from "../context";
import { type SettingsStore } from "../settings";
import { useTopicName } from "../topicName";
import { Ring } from "./ring";

export interface Attention {
  readonly ring: Ring;
  /** The browser refuses sound until the next click. */
  readonly muted: boolean;
  readonly notifications: NotificationPermission | "missing";
  readonly askForNotifications: () => Promise<void>;
}

/** Makes an agent look up: rings, notifies, and changes the window's title while an offer stands. */
export function useAttention(desk: StaffDesk, settings: SettingsStore, t: StaffTranslate): Attention {
  const ring = useMemo(() => new Ring(), []);
  const ringing = useSelected(desk.state, (state) => state.ringing);
  const wanted = useSelected(settings, (value) => value.ring);
  const [notifications, setNotifications] = useState(permission);
  const [muted, setMuted] = useState(false);
  const first = ringing[0];
  const name = first?.call?.student?.name ?? "";
  const topicName = useTopicName();
  const topic = first?.call == null ? "" : topicName(first.call.topic);

  useEffect(() => () => ring.close(), [ring]);
  useEffect(() => {
    const wake = (): void => {
      void ring.wake().then(() => setMuted(!ring.audible));
    };
    window.addEventListener("pointerdown", wake);
    window.addEventListener("keydown", wake);
    return () => {
      window.removeEventListener("pointerdown", wake);
      window.removeEventListener("keydown", wake);
    };
  }, [ring]);

  const offer = first?.offer.id ?? null;
  useEffect(() => {
    if (offer === null || !wanted) return undefined;
    ring.start();
    const check = setTimeout(() => setMuted(!ring.audible), 300);
    return () => {
      clearTimeout(check);
      ring.stop();
    };
  }, [ring, offer, wanted]);

  useEffect(() => {
    if (offer === null) return undefined;
    const before = document.title;
    document.title = `${t("offer.ringing")} · ${name}`;
    return () => {
      document.title = before;
    };
  }, [offer, name, t]);

  useEffect(() => {
    if (offer === null || name === "" || !document.hidden || permission() !== "granted") return undefined;
    const shown = new Notification(`${t("offer.ringing")} · ${name}`, { body: topic, tag: offer, requireInteraction: true });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
    return () => shown.close();
  }, [offer, name, topic, t]);

  return {
    ring,
    muted,
    notifications,
    askForNotifications: async () => {
      if (permission() === "default") await Notification.requestPermission();
      setNotifications(permission());
    },
  };
}

function permission(): NotificationPermission | "missing" {
  return "Notification" in window ? Notification.permission : "missing";
}
