import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { CheckIcon } from "../icons";

/** Distance of a menu from its button and from the window's edge, CSS pixels. */
const GAP = 8;
/** Below this window width menus become sheets at the bottom (see menu.css). */
const SHEET_BELOW = 560;

interface MenuProps {
  /** Accessible name of the button and of the menu. */
  label: string;
  buttonClass: string;
  button: ComponentChildren;
  disabled?: boolean;
  /** Drawn only while open; `close` also gives the focus back to the button. */
  children: (close: () => void) => ComponentChildren;
}

/** A button with a menu: arrow keys move, Escape and clicks outside close. */
export function Menu({ label, buttonClass, button, disabled = false, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const anchor = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);

  const close = (): void => {
    setOpen(false);
    anchor.current?.focus();
  };

  useLayoutEffect(() => {
    const shown = panel.current;
    const from = anchor.current;
    if (!open || shown === null || from === null) return undefined;
    // The top layer, so that no tile or panel clips the menu.
    if ("showPopover" in shown) shown.showPopover();
    place(shown, from);
    const all = items(shown);
    const chosen = all.find((item) => item.getAttribute("aria-checked") === "true");
    (all[0]?.hasAttribute("aria-checked") === true && chosen !== undefined ? chosen : all[0])?.focus();
    const replace = (): void => place(shown, from);
    const outside = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (!shown.contains(target) && !from.contains(target)) setOpen(false);
    };
    window.addEventListener("resize", replace);
    document.addEventListener("pointerdown", outside);
    return () => {
      window.removeEventListener("resize", replace);
      document.removeEventListener("pointerdown", outside);
    };
  }, [open]);

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLDivElement>): void => {
    const all = items(event.currentTarget);
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") close();
    else if (event.key === "Tab") setOpen(false);
    else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === "Home") all[0]?.focus();
    else if (event.key === "End") all.at(-1)?.focus();
    else return;
    event.stopPropagation();
    if (event.key !== "Tab") event.preventDefault();
  };

  return (
    <>
      <button
        ref={anchor}
        type="button"
        class={buttonClass}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        disabled={disabled}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div ref={panel} class="menu" role="menu" aria-label={label} popover="manual" tabIndex={-1} onKeyDown={onKeyDown}>
          {children(close)}
        </div>
      )}
    </>
  );
}

/** One of several choices that exclude each other. */
export function MenuChoice(props: { chosen: boolean; label: string; hint?: string; onChoose: () => void }) {
  return (
    <button type="button" class="menu-item" role="menuitemradio" aria-checked={props.chosen} tabIndex={-1} onClick={props.onChoose}>
      <span class="menu-mark">{props.chosen && <CheckIcon />}</span>
      <span class="menu-text">
        {props.label}
        {props.hint !== undefined && <small>{props.hint}</small>}
      </span>
    </button>
  );
}

export function MenuAction(props: { icon: ComponentChildren; label: string; onChoose: () => void }) {
  return (
    <button type="button" class="menu-item" role="menuitem" tabIndex={-1} onClick={props.onChoose}>
      <span class="menu-mark">{props.icon}</span>
      <span class="menu-text">{props.label}</span>
    </button>
  );
}

export function MenuGroup(props: { label: string; children: ComponentChildren }) {
  return (
    <div class="menu-group" role="group" aria-label={props.label}>
      <div class="menu-title">{props.label}</div>
      {props.children}
    </div>
  );
}

/** A short-lived flag, such as "copied". */
export function useFlash(milliseconds = 2000): [boolean, () => void] {
  const [on, setOn] = useState(0);
  useEffect(() => {
    if (on === 0) return undefined;
    const timer = setTimeout(() => setOn(0), milliseconds);
    return () => clearTimeout(timer);
  }, [on, milliseconds]);
  return [on > 0, () => setOn((count) => count + 1)];
}

function items(panel: HTMLElement): HTMLElement[] {
  return [...panel.querySelectorAll<HTMLElement>(".menu-item")];
}

function place(panel: HTMLElement, anchor: HTMLElement): void {
  if (window.innerWidth < SHEET_BELOW) {
    panel.style.removeProperty("left");
    panel.style.removeProperty("top");
    return;
  }
  const from = anchor.getBoundingClientRect();
  const size = panel.getBoundingClientRect();
  const left = Math.min(Math.max(GAP, from.left + from.width / 2 - size.width / 2), window.innerWidth - size.width - GAP);
  const above = from.top - size.height - GAP;
  const top = above >= GAP && from.top > window.innerHeight / 2 ? above : from.bottom + GAP;
  panel.style.left = `${Math.round(left)}px`;
  panel.style.top = `${Math.round(Math.max(GAP, Math.min(top, window.innerHeight - size.height - GAP)))}px`;
}
