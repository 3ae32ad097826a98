import { createRoot } from "react-dom/client";
import { ConsoleApp } from "./app";
import { signStyleSheets } from "./nonce";
import "./styles/tokens.css";
import "./styles/base.css";

signStyleSheets();
const root = document.getElementById("app");
if (root !== null) createRoot(root).render(<ConsoleApp />);
