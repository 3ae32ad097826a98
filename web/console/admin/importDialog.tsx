import { DownloadOutlined, InboxOutlined } from "@ant-design/icons";
import { Alert, App, Button, Modal, Progress, Table, Tag, Upload } from "antd";
import { useMemo, useState } from "react";
import { decodeCsv, type Imported, type ImportRow, readAgents, type RowProblem, templateCsv } from "../../shared/admin/importAgents";
import { type Schemas, unwrap } from "../../shared/api/client";
import type { StaffTranslate } from "../../shared/i18n/staff";
import { useSession, useT } from "../context";
import { problemText } from "../problems";
import { saveFile } from "./file";

/** Files larger than this are none that people made, in bytes. */
const MAXIMUM_BYTES = 2_000_000;
const COLOURS = { new: "green", changed: "blue", same: "default", wrong: "red" } as const;

interface ImportProps {
  agents: readonly Schemas["AgentAnswer"][];
  queues: ReadonlyMap<string, string>;
  onClose: () => void;
  onImported: () => void;
}

type Kind = keyof typeof COLOURS;
const kindOf = (row: ImportRow): Kind => (row.problems.length > 0 ? "wrong" : row.is);

/** A file of agents: shown row by row with what is wrong, before anything is changed. */
export function ImportDialog({ agents, queues, onClose, onImported }: ImportProps) {
  const t = useT();
  const { api } = useSession();
  const { message } = App.useApp();
  const [imported, setImported] = useState<Imported | null>(null);
  const [unreadable, setUnreadable] = useState(false);
  const [progress, setProgress] = useState<number | null>(null);
  const [failures, setFailures] = useState<readonly string[]>([]);
  const known = useMemo(() => ({ agents: new Map(agents.map((agent) => [agent.id, agent])), queues }), [agents, queues]);
  const rows = imported?.rows ?? [];
  const count = (kind: Kind): number => rows.filter((row) => kindOf(row) === kind).length;
  const wanted = rows.filter((row) => kindOf(row) === "new" || kindOf(row) === "changed");

  const read = async (file: File): Promise<void> => {
    setFailures([]);
    setUnreadable(false);
    try {
      if (file.size > MAXIMUM_BYTES) throw new RangeError("too large");
      setImported(readAgents(decodeCsv(new Uint8Array(await file.arrayBuffer())), known));
    } catch {
      setImported(null);
      setUnreadable(true);
    }
  };
  const apply = async (): Promise<void> => {
    const failed: string[] = [];
    setProgress(0);
    for (const [index, row] of wanted.entries()) {
      try {
        await unwrap(api.PUT("/v1/agents/{agent}", { params: { path: { agent: row.id } }, body: row.body }));
      } catch (error) {
        failed.push(t("admin.import.failed", { id: row.id, reason: problemText(t, error) }));
      }
      setProgress(index + 1);
    }
    setProgress(null);
    onImported();
    if (wanted.length > failed.length) void message.success(t("admin.import.done", { n: wanted.length - failed.length }));
    if (failed.length === 0) onClose();
    else setFailures(failed);
  };

  return (
    <Modal
      open
      title={t("admin.import.title")}
      width={820}
      onCancel={onClose}
      mask={{ closable: false }}
      footer={
        <div className="rh-admin-foot">
          <Button className="rh-admin-first" icon={<DownloadOutlined />} data-admin="template" onClick={() => saveFile("agents-template.csv", templateCsv())}>
            {t("admin.import.template")}
          </Button>
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="primary" data-admin="apply" disabled={wanted.length === 0} loading={progress !== null} onClick={() => void apply()}>
            {t("admin.import.apply", { n: wanted.length })}
          </Button>
        </div>
      }
    >
      <Upload.Dragger
        accept=".csv,text/csv"
        showUploadList={false}
        disabled={progress !== null}
        beforeUpload={(file) => {
          void read(file);
          return false;
        }}
      >
        <p className="rh-admin-drop">
          <InboxOutlined /> {imported === null ? t("admin.import.drop") : t("admin.import.again")}
        </p>
        <p className="rh-muted">{t("admin.import.hint")}</p>
      </Upload.Dragger>
      <div className="rh-admin-preview" aria-live="polite">
        {unreadable ? <Alert type="error" showIcon title={t("admin.import.file.unreadable")} /> : null}
        {imported?.problem == null ? null : <Alert type="error" showIcon title={t(`admin.import.file.${imported.problem}`)} />}
        {failures.map((failure) => (
          <Alert key={failure} type="error" showIcon title={failure} />
        ))}
        {imported !== null && imported.unknown.length > 0 ? (
          <Alert type="warning" showIcon title={t("admin.import.unknown", { columns: imported.unknown.join(", ") })} />
        ) : null}
        {progress === null ? null : <Progress percent={Math.round((progress / wanted.length) * 100)} format={() => t("admin.import.working", { n: progress, all: wanted.length })} />}
        {rows.length === 0 ? null : (
          <>
            <p data-import-summary>
              <strong>
                {t("admin.import.summary", { new: count("new"), changed: count("changed"), same: count("same"), wrong: count("wrong") })}
              </strong>
            </p>
            {count("wrong") > 0 ? <p className="rh-muted">{t("admin.import.fix")}</p> : null}
            <Table<ImportRow>
              rowKey="line"
              size="small"
              dataSource={[...rows].sort((one, other) => Number(kindOf(other) === "wrong") - Number(kindOf(one) === "wrong") || one.line - other.line)}
              pagination={{ pageSize: 8, hideOnSinglePage: true, showSizeChanger: false, size: "small" }}
              rowClassName={(row) => (kindOf(row) === "wrong" ? "rh-admin-wrong" : "")}
              columns={[
                { title: t("admin.import.line"), dataIndex: "line", width: 60 },
                { title: t("admin.agents.id"), dataIndex: "id", width: 120, ellipsis: true },
                { title: t("admin.agents.name"), width: 110, ellipsis: true, render: (_, row) => row.body.name },
                {
                  title: t("admin.import.what"),
                  render: (_, row) => (
                    <>
                      <Tag color={COLOURS[kindOf(row)]}>{t(`admin.import.${kindOf(row)}`)}</Tag>
                      {row.problems.map((problem, index) => (
                        <div key={index} className="rh-admin-problem">
                          {problemOf(t, problem)}
                        </div>
                      ))}
                    </>
                  ),
                },
              ]}
            />
          </>
        )}
      </div>
    </Modal>
  );
}

function problemOf(t: StaffTranslate, problem: RowProblem): string {
  switch (problem.kind) {
    case "idMissing":
    case "nameLong":
    case "cellsWrong":
      return t(`admin.import.row.${problem.kind}`);
    default:
      return t(`admin.import.row.${problem.kind}`, { value: problem.value });
  }
}
