import { Empty } from "antd";

/** Filled by its own author. */
export default function AdminPage() {
  return (
    <div className="rh-centre">
      <Empty />
    </div>
  );
}
