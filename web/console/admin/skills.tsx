import { DeleteOutlined, PlusOutlined } from "@ant-design/icons";
import { AutoComplete, Button, Form, InputNumber } from "antd";
import { useT } from "../context";
import { IconButton } from "./parts";

export const WORD = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Skills with their levels. */
export function SkillFields({ name, known }: { name: string; known: readonly string[] }) {
  const t = useT();
  return (
    <Form.List name={name}>
      {(fields, { add, remove }) => (
        <>
          {fields.map((field) => (
            <div key={field.key} className="rh-admin-line">
              <Form.Item
                name={[field.name, "skill"]}
                rules={[
                  { required: true, message: t("admin.required") },
                  { pattern: WORD, message: t("admin.id.wrong") },
                ]}
                noStyle={false}
              >
                <AutoComplete options={known.map((value) => ({ value }))} showSearch={{ filterOption: true }} placeholder={t("admin.agents.skill")} aria-label={t("admin.agents.skill")} />
              </Form.Item>
              <Form.Item name={[field.name, "level"]} rules={[{ required: true, message: t("admin.required") }]}>
                <InputNumber min={1} max={5} precision={0} aria-label={t("admin.agents.level")} prefix={t("admin.agents.level")} />
              </Form.Item>
              <IconButton label={t("admin.topics.remove")} icon={<DeleteOutlined />} onClick={() => remove(field.name)} />
            </div>
          ))}
          <Button type="dashed" size="small" icon={<PlusOutlined />} onClick={() => add({ skill: "", level: 3 })}>
            {t("admin.agents.skill.add")}
          </Button>
        </>
      )}
    </Form.List>
  );
}
