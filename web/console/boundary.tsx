import { Button, Result } from "antd";
import { Component, type ReactNode } from "react";
import type { StaffTranslate } from "../shared/i18n/staff";

/** Keeps a bug in one part from taking the call away: the rest of the page goes on. */
export class Boundary extends Component<{ t: StaffTranslate; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    const { t } = this.props;
    return (
      <Result
        status="warning"
        title={t("crash.title")}
        subTitle={t("crash.text")}
        extra={
          <Button type="primary" onClick={() => this.setState({ failed: false })}>
            {t("action.retry")}
          </Button>
        }
      />
    );
  }
}
