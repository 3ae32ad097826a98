import { ApiOutlined, AuditOutlined, ClusterOutlined, QuestionCircleOutlined, SafetyOutlined, TeamOutlined } from "@ant-design/icons";
import type { ReactNode } from "react";
import { Navigate, NavLink, Route, Routes } from "react-router";
import { useT } from "../context";
import { AccountsPage } from "./accounts";
import "../styles/desk.css";
import "./admin.css";
import { AgentsPage } from "./agents";
import { AuditPage } from "./audit";
import { KeysPage } from "./keys";
import { QueuesPage } from "./queues";
import { TopicsPage } from "./topics";

interface Part {
  readonly path: "agents" | "queues" | "topics" | "accounts" | "keys" | "audit";
  readonly icon: ReactNode;
  readonly page: ReactNode;
}

const PARTS: readonly Part[] = [
  { path: "agents", icon: <TeamOutlined />, page: <AgentsPage /> },
  { path: "queues", icon: <ClusterOutlined />, page: <QueuesPage /> },
  { path: "topics", icon: <QuestionCircleOutlined />, page: <TopicsPage /> },
  { path: "accounts", icon: <SafetyOutlined />, page: <AccountsPage /> },
  { path: "keys", icon: <ApiOutlined />, page: <KeysPage /> },
  { path: "audit", icon: <AuditOutlined />, page: <AuditPage /> },
];

/** What an administrator sets. */
export default function AdminPage() {
  const t = useT();
  return (
    <div className="rh-admin">
      <nav className="rh-admin-nav" aria-label={t("admin.tabs")}>
        {PARTS.map((part) => (
          <NavLink key={part.path} to={`/admin/${part.path}`} className="rh-admin-link">
            {part.icon}
            <span>{t(`admin.tab.${part.path}`)}</span>
          </NavLink>
        ))}
      </nav>
      <div className="rh-admin-page">
        <Routes>
          {PARTS.map((part) => (
            <Route key={part.path} path={part.path} element={part.page} />
          ))}
          <Route path="*" element={<Navigate to="/admin/agents" replace />} />
        </Routes>
      </div>
    </div>
  );
}
