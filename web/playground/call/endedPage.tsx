import { useState } from "preact/hooks";
import type { ProblemKind } from "../../shared/call/problem";
import { formatDuration } from "../../shared/format";
import type { MessageKey } from "../../shared/i18n/playground";
import { ProblemCard } from "../components/problemCard";
import { useAmbience } from "../context";
import { HandIcon } from "../icons";

interface EndedPageProps {
  problem: ProblemKind | null;
  connectedAtMs: number | null;
  onRejoin: () => void;
  onHome: () => void;
}

/** The remedy that the main button offers; the other button always leads back to the start. */
const REMEDIES: Partial<Record<ProblemKind, MessageKey & `action.${string}`>> = {
  duplicateIdentity: "action.takeOver",
  serverUnreachable: "action.retry",
  mediaBlocked: "action.retry",
};

/** After these, joining the same way again would fail or be unwelcome: a new start comes first. */
const START_ANEW: readonly ProblemKind[] = ["removed", "roomDeleted", "tokenInvalid", "tokenUnavailable"];

export function EndedPage({ problem, connectedAtMs, onRejoin, onHome }: EndedPageProps) {
  const { t } = useAmbience();
  const [endedAtMs] = useState(() => Date.now());
  const anew = problem !== null && START_ANEW.includes(problem);
  const rejoinLabel = t((problem === null ? undefined : REMEDIES[problem]) ?? "action.rejoin");
  const homeLabel = t(anew ? (problem === "roomDeleted" ? "action.newRoom" : "action.back") : "ended.home");
  const buttons = (
    <>
      <button type="button" class={anew ? "button" : "button primary"} onClick={onRejoin}>
        {rejoinLabel}
      </button>
      <button type="button" class={anew ? "button primary" : "button"} onClick={onHome}>
        {homeLabel}
      </button>
    </>
  );
  return (
    <main class="ended">
      {problem === null ? (
        <section class="ended-card" data-ended="left">
          <span class="brand-mark large">
            <HandIcon />
          </span>
          <h1>{t("ended.left")}</h1>
          {connectedAtMs !== null && (
            <p>{t("ended.leftText", { time: formatDuration((endedAtMs - connectedAtMs) / 1000) })}</p>
          )}
          <div class="problem-actions">{buttons}</div>
        </section>
      ) : (
        <ProblemCard kind={problem} shape="page">
          {buttons}
        </ProblemCard>
      )}
    </main>
  );
}
