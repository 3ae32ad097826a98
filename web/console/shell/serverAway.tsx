import { Button, Result } from "antd";
import { useT } from "../context";

export function ServerAway({ onRetry }: { onRetry: () => void }) {
  const t = useT();
  return (
    <main className="rh-centre">
      <Result
        status="warning"
        title={t("problem.title")}
        subTitle={t("problem.unreachable")}
        extra={
          <Button type="primary" onClick={onRetry}>
            {t("action.retry")}
          </Button>
        }
      />
    </main>
  );
}
