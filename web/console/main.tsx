import { createRoot } from "react-dom/client";
import { ConsoleApp } from "./app";
import "./styles/tokens.css";
import "./styles/base.css";

const root = document.getElementById("app");
if (root !== null) createRoot(root).render(<ConsoleApp />);
