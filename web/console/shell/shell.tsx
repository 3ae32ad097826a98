import { CustomerServiceOutlined, EyeOutlined, KeyOutlined, SettingOutlined } from "@ant-design/icons";
import { Alert, Button, Dropdown, Result, Spin, Tooltip } from "antd";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { Navigate, NavLink, Route, Routes, useNavigate } from "react-router";
import { LOCALES } from "../../shared/i18n";
import { LANGUAGE_NAMES } from "../../shared/i18n/staff";
import { useAttention } from "../attention/attention";
import { Boundary } from "../boundary";
import { AttentionContext, type Me, useAmbience, useSelected, useSession } from "../context";
import { CallSounds } from "../call/callSounds";
import { Avatar } from "../desk/avatar";
import { OfferLayer } from "../desk/offerLayer";
import { useProblems } from "../problems";
import { Mark } from "./mark";
import { ShortcutSheet, useShortcuts } from "./shortcuts";

const DeskPage = lazy(() => import("../desk"));
const SupervisorPage = lazy(() => import("../supervisor"));
const AdminPage = lazy(() => import("../admin"));

type Role = Me["role"];

interface Area {
  readonly path: "/desk" | "/supervisor" | "/admin";
  readonly label: "nav.desk" | "nav.supervisor" | "nav.admin";
  readonly icon: ReactNode;
  readonly roles: readonly Role[];
  readonly page: ReactNode;
}

/** The console's areas and who may see them; the server decides again at every request. */
const AREAS: readonly Area[] = [
  { path: "/desk", label: "nav.desk", icon: <CustomerServiceOutlined />, roles: ["agent", "supervisor"], page: <DeskPage /> },
  { path: "/supervisor", label: "nav.supervisor", icon: <EyeOutlined />, roles: ["supervisor", "admin"], page: <SupervisorPage /> },
  { path: "/admin", label: "nav.admin", icon: <SettingOutlined />, roles: ["admin"], page: <AdminPage /> },
];

/** Where each role begins. */
const HOME: Readonly<Partial<Record<Role, string>>> = { agent: "/desk", supervisor: "/supervisor", admin: "/admin" };

export function Shell() {
  const { t } = useAmbience();
  const { me, desk } = useSession();
  const stream = useSelected(desk.state, (state) => state.stream);
  const areas = AREAS.filter((area) => area.roles.includes(me.role));
  const home = HOME[me.role];
  const [keys, setKeys] = useState(false);
  useShortcuts({ "?": () => setKeys((open) => !open) });
  return (
    <OptionalAttention works={desk.works}>
    <div className="rh-shell">
      <a className="rh-skip" href="#main" onClick={focusMain}>
        {t("nav.skip")}
      </a>
      <nav className="rh-rail" aria-label={t("nav.label")}>
        <Mark size={34} />
        {areas.map((area) => (
          <NavLink key={area.path} to={area.path} className="rh-rail-item">
            {area.icon}
            <span>{t(area.label)}</span>
          </NavLink>
        ))}
        <span className="rh-rail-space" />
        {desk.works ? (
          <button type="button" className="rh-rail-item" data-control="shortcuts" onClick={() => setKeys(true)}>
            <KeyOutlined />
            <span>{t("nav.help")}</span>
          </button>
        ) : null}
        <Account />
      </nav>
      <div className="rh-body">
        {stream === "reconnecting" || stream === "refused" ? (
          <Alert
            banner
            type={stream === "refused" ? "error" : "warning"}
            title={t(`stream.${stream}`)}
            action={
              <Button size="small" onClick={() => (stream === "refused" ? window.location.reload() : desk.retryNow())}>
                {stream === "refused" ? t("action.signIn") : t("action.retry")}
              </Button>
            }
          />
        ) : null}
        <main id="main" className="rh-main" tabIndex={-1}>
          <Routes>
            {AREAS.map((area) => (
              <Route key={area.path} path={`${area.path}/*`} element={areas.includes(area) ? <Page>{area.page}</Page> : <Forbidden />} />
            ))}
            <Route path="/" element={home === undefined ? <Forbidden /> : <Navigate to={home} replace />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </main>
      </div>
      {desk.works ? <OfferLayer /> : null}
      <CallSounds />
      <ShortcutSheet open={keys} onClose={() => setKeys(false)} />
    </div>
    </OptionalAttention>
  );
}

/** Ring and notifications for whoever takes calls. */
function OptionalAttention({ works, children }: { works: boolean; children: ReactNode }) {
  return works ? <WithAttention>{children}</WithAttention> : children;
}

function WithAttention({ children }: { children: ReactNode }) {
  const { t } = useAmbience();
  const { desk, settings } = useSession();
  return <AttentionContext.Provider value={useAttention(desk, settings, t)}>{children}</AttentionContext.Provider>;
}

function focusMain(event: { preventDefault: () => void }): void {
  event.preventDefault(); // The address's hash belongs to the router.
  document.getElementById("main")?.focus();
}

function Page({ children }: { children: ReactNode }) {
  const { t } = useAmbience();
  return (
    <Boundary t={t}>
      <Suspense
        fallback={
          <div className="rh-centre">
            <Spin size="large" />
          </div>
        }
      >
        {children}
      </Suspense>
    </Boundary>
  );
}

function Account() {
  const { t, locale, preferences, remember } = useAmbience();
  const { me, signOut } = useSession();
  const { guard } = useProblems();
  return (
    <Dropdown
      trigger={["click"]}
      placement="topLeft"
      menu={{
        selectable: true,
        selectedKeys: [`theme.${preferences.theme}`, `locale.${locale}`],
        items: [
          {
            type: "group",
            label: `${me.name} · ${t(`role.${me.role as "agent" | "supervisor" | "admin" | "reviewer"}`)}`,
            key: "who",
          },
          { type: "divider" },
          {
            type: "group",
            key: "theme",
            label: t("account.theme"),
            children: (["system", "light", "dark"] as const).map((each) => ({
              key: `theme.${each}`,
              label: t(`theme.${each}`),
              onClick: () => remember({ theme: each }),
            })),
          },
          {
            type: "group",
            key: "language",
            label: t("account.language"),
            children: LOCALES.map((each) => ({
              key: `locale.${each}`,
              label: LANGUAGE_NAMES[each],
              onClick: () => remember({ locale: each }),
            })),
          },
          { type: "divider" },
          { key: "out", label: t("account.signOut"), onClick: () => void guard(signOut) },
        ],
      }}
    >
      <Tooltip title={t("nav.account")} placement="right">
        <button type="button" className="rh-rail-account" aria-label={t("nav.account")}>
          <Avatar id={me.id} name={me.name} size={34} staff />
        </button>
      </Tooltip>
    </Dropdown>
  );
}

function Forbidden() {
  const { t } = useAmbience();
  const { signOut } = useSession();
  const { guard } = useProblems();
  const navigate = useNavigate();
  const { me } = useSession();
  const home = HOME[me.role];
  return (
    <div className="rh-centre">
      <Result
        status="403"
        title={t("page.forbidden.title")}
        subTitle={t("page.forbidden.text")}
        extra={
          home === undefined ? (
            <Button onClick={() => void guard(signOut)}>{t("account.signOut")}</Button>
          ) : (
            <Button type="primary" onClick={() => void navigate(home)}>
              {t("page.home")}
            </Button>
          )
        }
      />
    </div>
  );
}

function NotFound() {
  const { t } = useAmbience();
  const navigate = useNavigate();
  return (
    <div className="rh-centre">
      <Result
        status="404"
        title={t("page.notFound.title")}
        subTitle={t("page.notFound.text")}
        extra={
          <Button type="primary" onClick={() => void navigate("/")}>
            {t("page.home")}
          </Button>
        }
      />
    </div>
  );
}
