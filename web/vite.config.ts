import { defineConfig } from "vite";

/** The signalling server during development; override with RAISEHAND_SERVER=http://host:port. */
const server = process.env.RAISEHAND_SERVER ?? "http://127.0.0.1:7880";

const proxy = {
  "/rtc": { target: server, ws: true },
  "/dev/": { target: server },
};

/** What a strict deployment sends; `vite preview` sends it too, so that a violation shows up early. */
const contentSecurityPolicy =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' blob: data:; " +
  "media-src 'self' blob:; style-src 'self'; script-src 'self'";

export default defineConfig({
  // Relative addresses, so that the pages also work below a path prefix of a reverse proxy.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    target: "es2022",
    // No file becomes a data: address: the policy above allows those only for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        // The SDK changes rarely and weighs ten times the page: its own long-lived file.
        codeSplitting: { groups: [{ name: "livekit", test: /node_modules\/(?!preact)/ }] },
      },
    },
  },
  server: { proxy },
  preview: { proxy, headers: { "Content-Security-Policy": contentSecurityPolicy } },
});
