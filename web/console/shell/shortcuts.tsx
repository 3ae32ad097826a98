import { Modal } from "antd";
import { useEffect, useRef } from "react";
import { useT } from "../context";

export type Shortcuts = Readonly<Record<string, (() => void) | null>>;

/** Whether keys belong to a field or a dialog at the moment. */
function isTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  const target = event.target;
  if (!(target instanceof Element)) return false;
  return isEditable(target) || target.closest('.ant-modal, .ant-popover, .ant-dropdown, [role="menu"], [role="listbox"]') !== null;
}

export function isEditable(target: Element): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && !/^(button|checkbox|radio|submit)$/.test(target.type)) ||
    (target instanceof HTMLElement && target.isContentEditable)
  );
}

/** Single keys for the whole page; they rest while somebody types. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const current = useRef(shortcuts);
  useEffect(() => {
    current.current = shortcuts;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.repeat || isTaken(event)) return;
      const act = current.current[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (act === undefined || act === null) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}

const SHEET = [
  ["Enter", "keys.accept"],
  ["M", "keys.mic"],
  ["V", "keys.camera"],
  ["H", "keys.hold"],
  ["C", "keys.chat"],
  ["I", "keys.invite"],
  ["T", "keys.transfer"],
  ["R", "keys.hand"],
  ["P", "keys.popout"],
  ["E", "keys.end"],
  ["1 – 4", "keys.switch"],
  ["?", "keys.help"],
] as const;

export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useT();
  return (
    <Modal open={open} onCancel={onClose} title={t("keys.title")} footer={null} width={460} destroyOnHidden>
      <dl className="rh-keys">
        {SHEET.map(([key, label]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(label)}</dd>
          </div>
        ))}
      </dl>
      <p className="rh-muted">{t("keys.note")}</p>
    </Modal>
  );
}
