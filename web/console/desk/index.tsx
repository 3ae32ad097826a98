import { Navigate, Route, Routes, useParams } from "react-router";
import "../styles/desk.css";
import "../styles/call.css";
import { CallPage } from "../call/callPage";
import { useSelected, useSession } from "../context";
import { DeskBar } from "./deskBar";
import { DeskHome } from "./deskHome";

/** The agent's place: my state and calls on top, below it the waiting or the call. */
export default function DeskPage() {
  return (
    <div className="rh-desk">
      <DeskBar />
      <Routes>
        <Route index element={<Start />} />
        <Route path="home" element={<DeskHome />} />
        <Route path="call/:call" element={<OneCall />} />
        <Route path="*" element={<Navigate to="/desk" replace />} />
      </Routes>
    </div>
  );
}

/** Whoever has a call begins there. */
function Start() {
  const { desk } = useSession();
  const loaded = useSelected(desk.state, (state) => state.loaded || state.calls.length > 0);
  const call = useSelected(desk.state, (state) => state.calls[0]?.id ?? null);
  if (!loaded) return <DeskHome />;
  return <Navigate to={call === null ? "/desk/home" : `/desk/call/${call}`} replace />;
}

function OneCall() {
  const { call = "" } = useParams();
  return <CallPage key={call} id={call} />;
}
