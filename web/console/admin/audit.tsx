import { Table } from "antd";
import { type Schemas, unwrap } from "../../shared/api/client";
import { lookup } from "../../shared/i18n/staff";
import { useAmbience, useSession } from "../context";
import { PageHead, Readable } from "./parts";
import { useLoaded } from "./useLoaded";

type Entry = Schemas["AuditAnswer"];
const SHOWN = 200;

/** Who changed what. */
export function AuditPage() {
  const { t, locale } = useAmbience();
  const { api } = useSession();
  const loaded = useLoaded(async () => (await unwrap(api.GET("/v1/audit", { params: { query: { limit: SHOWN } } }))).items);
  const time = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
  return (
    <>
      <PageHead title={t("admin.tab.audit")} lead={t("admin.audit.lead")} />
      <Readable loaded={loaded}>
        <Table<Entry>
          rowKey={(entry) => `${entry.at} ${entry.action} ${entry.target}`}
          size="middle"
          loading={loaded.loading && loaded.value === null}
          dataSource={loaded.value ?? []}
          pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
          locale={{ emptyText: t("admin.audit.empty") }}
          scroll={{ x: 560 }}
          columns={[
            { title: t("admin.audit.at"), render: (_, entry) => time.format(new Date(entry.at)) },
            { title: t("admin.audit.who"), dataIndex: "actor" },
            { title: t("admin.audit.what"), render: (_, entry) => lookup(t, `admin.audit.${entry.action}`) ?? entry.action },
            { title: t("admin.audit.target"), render: (_, entry) => <span className="rh-admin-code">{entry.target}</span> },
          ]}
        />
      </Readable>
    </>
  );
}
