import { useEffect, useMemo, useState } from "preact/hooks";
import { HandIcon } from "../playground/icons";
import { apiClient, ApiError, type Schemas, unwrap } from "../shared/api/client";
import type { PlatformClaims } from "../shared/help/claims";
import type { Translate } from "../shared/i18n/student/translate";
import { ShieldIcon } from "../widget/icons";
import { Buttons, Card } from "../widget/components/parts";

type Decision = Schemas["Decision"];

/** A parent decides whether the child's call may be recorded; and may change it as long as the link holds. */
export function GuardianPage({ base, token, claims, t }: { base: string; token: string; claims: PlatformClaims; t: Translate }) {
  const api = useMemo(() => apiClient({ base, token: () => token }), [base, token]);
  const [info, setInfo] = useState<Schemas["HelpAnswer"] | null>(null);
  const [call, setCall] = useState<Schemas["CallAnswer"] | null>(null);
  const [problem, setProblem] = useState<"expired" | "unreachable" | null>(null);
  const [busy, setBusy] = useState(false);

  const failed = (error: unknown): void => {
    setProblem(error instanceof ApiError && error.status >= 400 && error.status < 500 ? "expired" : "unreachable");
  };
  const load = async (): Promise<void> => {
    setProblem(null);
    try {
      const params = { path: { call: claims.call } };
      setInfo(await unwrap(api.GET("/v1/help")));
      setCall(await unwrap(api.GET("/v1/calls/{call}", { params })));
    } catch (error) {
      failed(error);
    }
  };
  useEffect(() => void load(), []);

  const decide = async (decision: Decision): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const body = { participant: claims.guardianOf, decision, by: "guardian" as const, notice_version: info?.notice.version ?? "1" };
      setCall(await unwrap(api.POST("/v1/calls/{call}/consent", { params: { path: { call: claims.call } }, body })));
    } catch (error) {
      failed(error);
    }
    setBusy(false);
  };

  const decided = call?.consents.find((each) => each.participant === claims.guardianOf)?.decision ?? null;
  const name = claims.child !== "" ? claims.child : (call?.participants.find((each) => each.identity === claims.guardianOf)?.name ?? "");
  const { brand, days } = { brand: info?.brand ?? "", days: info?.notice.days ?? 0 };
  return (
    <div class="panel whole" role="main" aria-label={t("guardian.title")}>
      <header class="head">
        <span class="brand-mark">
          <HandIcon />
        </span>
        <h1>{t("page.title")}</h1>
      </header>
      <div class="body">
        <div class="page" data-page="guardian" data-decision={decided ?? "open"}>
          {problem !== null && (
            <Card tone="warning" name="problem">
              <p role="alert">{t(problem === "expired" ? "guardian.expired" : "problem.unreachable")}</p>
              <Buttons>
                <button type="button" class="button primary" onClick={() => void load()}>
                  {t("problem.retry")}
                </button>
              </Buttons>
            </Card>
          )}
          {info !== null && call !== null && (
            <>
              <span class="big-icon">
                <ShieldIcon />
              </span>
              <h2 tabindex={-1}>{t("guardian.title")}</h2>
              <p>{name === "" ? t("guardian.textUnnamed", { brand, days }) : t("guardian.text", { name, brand, days })}</p>
              <p role="status">
                {decided === "granted" && <strong>{t("guardian.granted")}</strong>}
                {decided === "refused" && <strong>{t("guardian.refused")}</strong>}
                {decided === "withdrawn" && <strong>{t("guardian.withdrawn")}</strong>}
              </p>
              <Buttons>
                {decided === "granted" ? (
                  <button type="button" class="button" data-action="withdraw" disabled={busy} onClick={() => void decide("withdrawn")}>
                    {t("guardian.withdraw")}
                  </button>
                ) : (
                  <>
                    <button type="button" class="button" data-action="agree" disabled={busy} onClick={() => void decide("granted")}>
                      {t("guardian.agree")}
                    </button>
                    {decided === null && (
                      <button type="button" class="button" data-action="refuse" disabled={busy} onClick={() => void decide("refused")}>
                        {t("guardian.refuse")}
                      </button>
                    )}
                  </>
                )}
              </Buttons>
              <p class="hint">{t("guardian.ticket", { ticket: call.ticket })}</p>
            </>
          )}
        </div>
      </div>
    </div>
  );
}
