import { defineConfig } from "vite";

/** The signalling server during development; override with RAISEHAND_SERVER=http://host:port. */
const server = process.env.RAISEHAND_SERVER ?? "http://127.0.0.1:7880";

const proxy = {
  "/rtc": { target: server, ws: true },
  "/v1/": { target: server, ws: true },
  "/dev/": { target: server },
};

/** What a strict deployment sends; `vite preview` sends it too, so that a violation shows up early. */
const contentSecurityPolicy =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' blob: data:; " +
  "media-src 'self' blob:; style-src 'self'; script-src 'self'";

/** The script that other people's pages name: it keeps its address through all versions. */
const LOADER = "raisehand-help";

/** Large libraries that change rarely, each in its own long-lived file. */
const LIBRARIES = [
  { name: "livekit", test: /node_modules\/(livekit-client|@livekit|@bufbuild|webrtc-adapter|sdp|sdp-transform|jose|events|loglevel|machina|typed-emitter|ts-api-utils|rxjs)\// },
  { name: "charts", test: /node_modules\/(echarts|zrender|tslib)\// },
];

export default defineConfig({
  // Relative addresses, so that the pages also work below a path prefix of a reverse proxy.
  base: "./",
  build: {
    outDir: "dist",
    target: "es2022",
    // No file becomes a data: address: the policy above allows those only for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      onLog(level, log, handle) {
        // antd marks its modules for React's servers, which this is not.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
      input: {
        playground: "index.html",
        help: "help/index.html",
        class: "class/index.html",
        console: "console/index.html",
        [LOADER]: "widget/loader.ts",
      },
      preserveEntrySignatures: "allow-extension",
      output: {
        entryFileNames: (chunk) => (chunk.name === LOADER ? "widget/[name].js" : "assets/[name]-[hash].js"),
        codeSplitting: { groups: LIBRARIES },
      },
    },
  },
  server: { proxy },
  preview: { proxy, headers: { "Content-Security-Policy": contentSecurityPolicy } },
});
