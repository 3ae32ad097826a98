import { App, Button } from "antd";
import { useMemo } from "react";
import { ApiError } from "../shared/api/client";
import { lookup, type StaffTranslate } from "../shared/i18n/staff";
import { useAmbience } from "./context";

/** What went wrong, in words for people. */
export function problemText(t: StaffTranslate, error: unknown): string {
  if (error instanceof ApiError) return lookup(t, `problem.${error.code}`) ?? t("problem.unexpected");
  return t("problem.unexpected");
}

export interface Problems {
  /** Tells of a failure, with a button: try again where that makes sense, else a word that it was read. */
  readonly show: (error: unknown, retry?: () => void) => void;
  /** Runs something; a failure is told, with the chance to run it again. Resolves to whether it worked. */
  readonly guard: (act: () => Promise<unknown>) => Promise<boolean>;
}

/** Failures that trying again would not mend. */
const FINAL = new Set(["forbidden", "call_closed", "offer_expired", "offer_withdrawn", "stale_token", "already_in_call", "not_found"]);

export function useProblems(): Problems {
  const { notification } = App.useApp();
  const { t } = useAmbience();
  return useMemo(() => {
    const show: Problems["show"] = (error, retry) => {
      if (error instanceof ApiError && error.code === "unauthenticated") return; // The sign-in comes up by itself.
      const key = error instanceof ApiError ? error.code : "unexpected";
      const again = retry !== undefined && !(error instanceof ApiError && FINAL.has(error.code));
      notification.error({
        key,
        title: t("problem.title"),
        description: problemText(t, error),
        placement: "bottomRight",
        duration: again ? 0 : 8,
        actions: (
          <Button
            size="small"
            type={again ? "primary" : "default"}
            onClick={() => {
              notification.destroy(key);
              if (again) retry();
            }}
          >
            {again ? t("action.retry") : t("action.dismiss")}
          </Button>
        ),
      });
    };
    const guard: Problems["guard"] = async (act) => {
      try {
        await act();
        return true;
      } catch (error) {
        show(error, () => void guard(act));
        return false;
      }
    };
    return { show, guard };
  }, [notification, t]);
}
