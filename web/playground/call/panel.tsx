import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useAmbience } from "../context";
import { CloseIcon } from "../icons";

interface SidePanelProps {
  title: string;
  kind: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** Beside the stage; on a phone over it. */
export function SidePanel({ title, kind, onClose, children }: SidePanelProps) {
  const { t } = useAmbience();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <aside class={`panel panel-${kind}`} aria-label={title}>
      <header class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" class="tool" aria-label={t("panel.close")} title={t("panel.close")} onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      {children}
    </aside>
  );
}
