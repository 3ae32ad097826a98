import { theme as antd, type ThemeConfig } from "antd";

const FONT =
  'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "HarmonyOS Sans SC", "MiSans", "Microsoft YaHei", ' +
  '"Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", sans-serif';

/** Ant Design in our colours; the same values stand as `--rh-…` in styles/tokens.css. */
export function themeOf(dark: boolean): ThemeConfig {
  return {
    algorithm: dark ? antd.darkAlgorithm : antd.defaultAlgorithm,
    token: {
      colorPrimary: dark ? "#2bb8a6" : "#0f766e",
      colorInfo: dark ? "#2bb8a6" : "#0f766e",
      colorLink: dark ? "#6fdccd" : "#0b625b",
      colorSuccess: dark ? "#4cc98a" : "#18864b",
      colorWarning: dark ? "#f3c76b" : "#b06c00",
      colorError: dark ? "#e5535f" : "#c42b3a",
      colorTextBase: dark ? "#eef1f4" : "#161b22",
      colorBgBase: dark ? "#14181d" : "#ffffff",
      colorBgLayout: dark ? "#0e1115" : "#f3f5f7",
      colorBgContainer: dark ? "#171b21" : "#ffffff",
      colorBgElevated: dark ? "#1d232a" : "#ffffff",
      colorBorder: dark ? "#343d47" : "#d3dae1",
      colorBorderSecondary: dark ? "#262d35" : "#e6ebef",
      colorTextSecondary: dark ? "#a5b0bc" : "#535e6b",
      colorTextTertiary: dark ? "#909ca8" : "#66717e",
      colorTextDescription: dark ? "#a5b0bc" : "#5b6673",
      colorTextPlaceholder: dark ? "#83909c" : "#6b7683",
      borderRadius: 8,
      fontFamily: FONT,
      fontSize: 14,
      controlHeight: 34,
      wireframe: false,
    },
    components: {
      Button: { primaryShadow: "none", defaultShadow: "none", dangerShadow: "none", ...(dark ? { primaryColor: "#04201c" } : {}) },
      Tabs: { horizontalMargin: "0", titleFontSize: 14 },
      Table: { cellPaddingBlock: 10, headerBorderRadius: 8 },
      Tooltip: { colorBgSpotlight: dark ? "#2b323b" : "#20262d" },
    },
  };
}
