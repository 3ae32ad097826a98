import { Alert, App, Button, DatePicker, Form, Input, Radio, Select } from "antd";
import type { Dayjs } from "dayjs";
import { useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { unwrap } from "../../shared/api/client";
import type { Draft } from "../../shared/desk/draft";
import type { MyCall } from "../../shared/desk/model";
import { lookup } from "../../shared/i18n/staff";
import { useAmbience, useSession } from "../context";
import { useNow } from "../desk/now";
import { problemText } from "../problems";

const CODES = [
  "network_home",
  "device_audio",
  "device_video",
  "permission",
  "app_version",
  "class_stream",
  "platform",
  "account",
  "usage",
  "other",
] as const;
const NOTES_CHARACTERS = 4000;
const HOUR_MS = 3600 * 1000;

interface Fields {
  resolved: boolean;
  codes: string[];
  diagnosis?: string;
  notes?: string;
  followup: "none" | "hours" | "tomorrow" | "own";
  when?: Dayjs;
}

/** What it was, while it is fresh; sending it makes the agent free again. */
export function WrapupForm({ mine, draft, onDraft }: { mine: MyCall; draft: Draft; onDraft: (change: Partial<Draft>) => void }) {
  const { t } = useAmbience();
  const { api, desk } = useSession();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const [form] = Form.useForm<Fields>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const followup = Form.useWatch("followup", form);
  const { call } = mine;
  useEffect(() => {
    form.setFieldsValue({ notes: draft.notes });
  }, [form, draft.notes]);

  const send = async (fields: Fields): Promise<void> => {
    setBusy(true);
    setProblem(null);
    const path = { call: mine.id };
    try {
      const when = timeOf(fields);
      if (when !== null) {
        await unwrap(api.POST("/v1/calls/{call}/followup", { params: { path }, body: { when: when.toISOString(), note: fields.notes ?? "" } }));
      }
      await unwrap(
        api.POST("/v1/calls/{call}/wrapup", {
          params: { path },
          body: {
            codes: fields.codes,
            notes: fields.notes ?? "",
            resolved: fields.resolved,
            first_diagnosis: fields.diagnosis ?? "",
          },
        }),
      );
      void message.success(t("wrapup.sent"));
      await desk.refresh();
      void navigate("/desk");
    } catch (error) {
      setProblem(problemText(t, error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <section className="rh-wrapup rh-card" data-wrapup={mine.id}>
      <header>
        <div>
          <h2>{t("wrapup.title")}</h2>
          <p className="rh-muted">{t("wrapup.lead")}</p>
        </div>
        <Remaining until={mine.engagement.until ?? null} />
      </header>
      <Form<Fields>
        form={form}
        layout="vertical"
        requiredMark={false}
        initialValues={{
          codes: draft.codes,
          diagnosis: draft.diagnosis,
          notes: draft.notes,
          followup: "none",
          ...(draft.resolved === null ? {} : { resolved: draft.resolved }),
        }}
        onValuesChange={(_, all) =>
          onDraft({
            notes: all.notes ?? "",
            codes: all.codes,
            diagnosis: all.diagnosis ?? "",
            resolved: (all as Partial<Fields>).resolved ?? null,
          })
        }
        onFinish={(fields) => void send(fields)}
      >
        <Form.Item name="resolved" label={t("wrapup.resolved")} rules={[{ required: true, message: t("wrapup.resolved.missing") }]}>
          <Radio.Group optionType="button" buttonStyle="solid">
            <Radio.Button value data-control="resolved-yes">
              {t("wrapup.resolved.yes")}
            </Radio.Button>
            <Radio.Button value={false} data-control="resolved-no">
              {t("wrapup.resolved.no")}
            </Radio.Button>
          </Radio.Group>
        </Form.Item>
        <Form.Item name="codes" label={t("wrapup.codes")} rules={[{ required: true, message: t("wrapup.codes.missing") }]}>
          <Select
            mode="multiple"
            placeholder={t("wrapup.codes.hint")}
            options={CODES.map((code) => ({ value: code, label: t(`code.${code}`) }))}
            showSearch={{ optionFilterProp: "label" }}
          />
        </Form.Item>
        <Form.Item name="diagnosis" label={t("wrapup.diagnosis")} tooltip={t("wrapup.diagnosis.hint")}>
          <Select
            allowClear
            options={[
              ...CODES.map((code) => ({ value: code, label: t(`code.${code}`) })),
              ...(draft.diagnosis === "" || lookup(t, `code.${draft.diagnosis}`) !== null ? [] : [{ value: draft.diagnosis, label: draft.diagnosis }]),
            ]}
          />
        </Form.Item>
        <Form.Item name="notes" label={t("wrapup.notes")}>
          <Input.TextArea className="rh-grow rh-tall" maxLength={NOTES_CHARACTERS} placeholder={t("wrapup.notes.hint")} data-control="wrapup-notes" />
        </Form.Item>
        <Form.Item name="followup" label={t("wrapup.followup")}>
          <Radio.Group>
            {(["none", "hours", "tomorrow", "own"] as const).map((each) => (
              <Radio key={each} value={each}>
                {t(`wrapup.followup.${each}`)}
              </Radio>
            ))}
          </Radio.Group>
        </Form.Item>
        {followup === "own" ? (
          <Form.Item name="when" rules={[{ required: true, message: t("wrapup.followup.own") }]}>
            <DatePicker showTime={{ format: "HH:mm", minuteStep: 5 }} format="YYYY-MM-DD HH:mm" className="rh-wide" />
          </Form.Item>
        ) : null}
        {problem === null ? null : <Alert className="rh-dialog-problem" type="error" showIcon title={problem} role="alert" />}
        <Button type="primary" size="large" htmlType="submit" block loading={busy} disabled={call === null} data-control="wrapup-send">
          {t("wrapup.send")}
        </Button>
      </Form>
    </section>
  );
}

function timeOf(fields: Fields): Date | null {
  switch (fields.followup) {
    case "hours":
      return new Date(Date.now() + 2 * HOUR_MS);
    case "tomorrow": {
      const day = new Date();
      day.setDate(day.getDate() + 1);
      day.setHours(10, 0, 0, 0);
      return day;
    }
    case "own":
      return fields.when?.toDate() ?? null;
    default:
      return null;
  }
}

function Remaining({ until }: { until: string | null }) {
  const { t } = useAmbience();
  const now = useNow(1000);
  if (until === null) return null;
  const left = Math.ceil((Date.parse(until) - now) / 1000);
  return left > 0 ? <span className={left < 20 ? "rh-warn" : "rh-muted"}>{t("wrapup.left", { s: left })}</span> : null;
}
