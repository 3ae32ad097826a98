import { createRoot } from "react-dom/client";
import { ConsoleApp } from "./app";
import { signStyleSheets } from "./nonce";
import "./styles/tokens.css";
import "./styles/base.css";

signStyleSheets();
keepFilesOut();
const root = document.getElementById("app");
if (root !== null) createRoot(root).render(<ConsoleApp />);

/** A file dropped beside the chat would open in place of the page, and end the call. */
function keepFilesOut(): void {
  for (const name of ["dragover", "drop"] as const) {
    window.addEventListener(name, (event) => {
      if (event.dataTransfer?.types.includes("Files") === true) event.preventDefault();
    });
  }
}
