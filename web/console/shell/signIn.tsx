import { Alert, Button, Form, Input, type InputRef } from "antd";
import { useEffect, useRef, useState } from "react";
import { type ApiClient, unwrap } from "../../shared/api/client";
import { LOCALES } from "../../shared/i18n";
import { LANGUAGE_NAMES } from "../../shared/i18n/staff";
import { type Me, useAmbience } from "../context";
import { problemText } from "../problems";
import { Mark } from "./mark";

interface Fields {
  username: string;
  password: string;
}

export function SignIn({ api, expired, onSignedIn }: { api: ApiClient; expired: boolean; onSignedIn: (me: Me) => void }) {
  const { t, locale, remember } = useAmbience();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const first = useRef<InputRef>(null);
  useEffect(() => first.current?.focus(), []);

  const submit = async (fields: Fields): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const answer = await unwrap(api.POST("/v1/login", { body: fields }));
      onSignedIn(answer.user);
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="rh-sign-in">
      <section className="rh-sign-in-card">
        <Mark size={44} />
        <h1>{t("signIn.title")}</h1>
        <p className="rh-lead">{t("signIn.lead")}</p>
        {expired && problem === null ? <Alert type="info" showIcon title={t("signIn.expired")} /> : null}
        {problem === null ? null : <Alert type="error" showIcon title={problemText(t, problem)} role="alert" />}
        <Form<Fields> layout="vertical" requiredMark={false} onFinish={(fields) => void submit(fields)}>
          <Form.Item name="username" label={t("signIn.username")} rules={[{ required: true, message: t("signIn.usernameMissing") }]}>
            <Input ref={first} size="large" autoComplete="username" autoCapitalize="none" spellCheck={false} maxLength={128} />
          </Form.Item>
          <Form.Item name="password" label={t("signIn.password")} rules={[{ required: true, message: t("signIn.passwordMissing") }]}>
            <Input.Password size="large" autoComplete="current-password" maxLength={256} />
          </Form.Item>
          <Button type="primary" size="large" htmlType="submit" block loading={busy}>
            {t("signIn.submit")}
          </Button>
        </Form>
        <div className="rh-sign-in-languages">
          {LOCALES.map((each) => (
            <Button key={each} type="text" size="small" aria-pressed={each === locale} lang={each} onClick={() => remember({ locale: each })}>
              {LANGUAGE_NAMES[each]}
            </Button>
          ))}
        </div>
      </section>
    </main>
  );
}
