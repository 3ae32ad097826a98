import { useT } from "../context";

export default function DeskPage() {
  return <h1>{useT()("desk.title")}</h1>;
}
