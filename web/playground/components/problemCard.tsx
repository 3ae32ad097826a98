import type { ComponentChildren } from "preact";
import type { ProblemKind } from "../../shared/call/problem";
import { useAmbience } from "../context";
import { WarningIcon } from "../icons";

interface ProblemCardProps {
  kind: ProblemKind;
  /** `inline`: within a card or as a notice; `page`: the only thing on the page. */
  shape: "inline" | "page";
  children: ComponentChildren;
}

/** What went wrong, what helps, and at least one button (the children). */
export function ProblemCard({ kind, shape, children }: ProblemCardProps) {
  const { t } = useAmbience();
  const Title = shape === "page" ? "h1" : "h2";
  return (
    <section class={`problem problem-${shape}`} role="alert" data-problem={kind}>
      <span class="problem-mark">
        <WarningIcon />
      </span>
      <div class="problem-body">
        <Title class="problem-title">{t(`problem.${kind}.title`)}</Title>
        <p class="problem-text">{t(`problem.${kind}.text`)}</p>
        <div class="problem-actions">{children}</div>
      </div>
    </section>
  );
}
