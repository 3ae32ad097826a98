import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { MediaHandle } from "../../shared/call/model";
import { colourIndex, initials } from "../../shared/format";
import { useAmbience } from "../context";
import { CopyIcon } from "../icons";

interface CardProps {
  title?: string;
  tone?: "plain" | "warning" | "accent";
  icon?: ComponentChildren;
  children: ComponentChildren;
  name?: string;
}

/** A framed piece of advice or a question, with its buttons. */
export function Card({ title, tone = "plain", icon, children, name }: CardProps) {
  return (
    <section class={`card ${tone}`} data-card={name}>
      {icon !== undefined && <span class="card-icon">{icon}</span>}
      <div class="card-body">
        {title !== undefined && <h3>{title}</h3>}
        {children}
      </div>
    </section>
  );
}

export function Buttons({ children }: { children: ComponentChildren }) {
  return <div class="buttons">{children}</div>;
}

/** A face, or what stands for it. */
export function Avatar({ name, identity, large = false }: { name: string; identity: string; large?: boolean }) {
  return (
    <span class={`avatar tint-${colourIndex(identity, 6)}${large ? " large" : ""}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

interface VideoProps {
  handle: MediaHandle;
  mirrored?: boolean;
  fit: "cover" | "contain";
  label?: string;
}

export function Video({ handle, mirrored = false, fit, label }: VideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => (element.current === null ? undefined : handle.attach(element.current)), [handle]);
  const classes = `video fit-${fit}${mirrored ? " mirrored" : ""}`;
  return <video ref={element} class={classes} autoplay playsinline muted aria-label={label} />;
}

export function Sound({ handle, muted = false }: { handle: MediaHandle; muted?: boolean }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => (element.current === null ? undefined : handle.attach(element.current)), [handle]);
  useEffect(() => {
    if (element.current !== null) element.current.muted = muted;
  }, [muted, handle]);
  return <audio ref={element} autoplay />;
}

/** A number to keep, with a button that copies it. */
export function Ticket({ number, label }: { number: string; label: string }) {
  const { t } = useAmbience();
  const [copied, setCopied] = useState(false);
  return (
    <p class="ticket">
      <span class="ticket-label">{label}</span>
      <strong class="ticket-number">{number}</strong>
      <button
        type="button"
        class="icon-button small"
        data-action="copy-ticket"
        aria-label={copied ? t("rating.copied") : t("rating.copy")}
        title={t("rating.copy")}
        onClick={() => void copyText(number).then((done) => setCopied(done))}
      >
        {copied ? <CheckMark /> : <CopyIcon />}
      </button>
      <span class="visually-hidden" role="status">
        {copied ? t("rating.copied") : ""}
      </span>
    </p>
  );
}

function CheckMark() {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d="m5.5 12.5 4.3 4.3 8.7-9.3" />
    </svg>
  );
}

/** Puts a text on the clipboard; whether it worked. Old web views know only the second way. */
export async function copyText(text: string): Promise<boolean> {
  const clipboard = (navigator as { clipboard?: Clipboard }).clipboard;
  try {
    if (clipboard !== undefined) {
      await clipboard.writeText(text);
      return true;
    }
  } catch {
    // Refused: the old way may still work.
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way in old web views and insecure pages
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/** A choice of a few, as radio buttons side by side. */
export function Choice<Value extends string>(props: {
  label: string;
  options: readonly { value: Value; label: string; icon?: ComponentChildren }[];
  value: Value | null;
  onChoose: (value: Value) => void;
  name: string;
}) {
  return (
    <div class="choice" role="radiogroup" aria-label={props.label} data-choice={props.name}>
      {props.options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="radio"
          aria-checked={props.value === option.value}
          data-value={option.value}
          onClick={() => props.onChoose(option.value)}
        >
          {option.icon}
          <span>{option.label}</span>
        </button>
      ))}
    </div>
  );
}
