import { render } from "preact";
import { App } from "./app";
import { browserEnvironment, type Environment } from "./environment";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/menu.css";
import "./styles/join.css";
import "./styles/call.css";

async function chooseEnvironment(): Promise<Environment> {
  if (import.meta.env.DEV) {
    const story = new URLSearchParams(window.location.search).get("mock");
    if (story !== null) return (await import("./mock/stories")).storyEnvironment(story);
  }
  return browserEnvironment();
}

const root = document.getElementById("app");
if (root !== null) {
  void chooseEnvironment().then((environment) => render(<App environment={environment} />, root));
}
