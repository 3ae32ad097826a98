import type { ComponentChildren, JSX } from "preact";

function icon(paths: ComponentChildren): () => JSX.Element {
  return function Icon() {
    return (
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
        {paths}
      </svg>
    );
  };
}

export const HandIcon = icon(
  <path d="M8.4 13V7.4a1.2 1.2 0 0 1 2.4 0v4.1m0 0V5.6a1.2 1.2 0 0 1 2.4 0v5.8m0-4.3a1.2 1.2 0 0 1 2.4 0v6.7c0 3.2-2 5.2-4.8 5.2-2.2 0-3.3-.9-4.3-2.7l-1.7-3a1.15 1.15 0 0 1 1.9-1.3l1.7 2" />,
);
export const MicrophoneIcon = icon(
  <>
    <rect x="9" y="3" width="6" height="11.5" rx="3" />
    <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
  </>,
);
export const MicrophoneOffIcon = icon(
  <>
    <path d="M15 9.5V6a3 3 0 0 0-5.8-1M9 9v2.5a3 3 0 0 0 4.6 2.5M5.5 11.5a6.5 6.5 0 0 0 10.4 5.2m2.1-2.4c.3-.9.5-1.8.5-2.8M12 18v3M4 4l16 16" />
  </>,
);
export const CameraIcon = icon(
  <>
    <rect x="2.8" y="6" width="12.4" height="12" rx="3" />
    <path d="m15.2 10.8 4.4-2.7a1 1 0 0 1 1.6.9v6a1 1 0 0 1-1.6.9l-4.4-2.7" />
  </>,
);
export const CameraOffIcon = icon(
  <path d="M10.2 6h2a3 3 0 0 1 3 3v1.8l4.4-2.7a1 1 0 0 1 1.6.9v6a1 1 0 0 1-.9 1M15.2 15.4A3 3 0 0 1 12.2 18H5.8a3 3 0 0 1-3-3V9a3 3 0 0 1 2.6-3M4 4l16 16" />,
);
export const ScreenIcon = icon(
  <>
    <rect x="3" y="4.5" width="18" height="12.5" rx="2.5" />
    <path d="M12 13.5v-5m0 0L9.8 10.7M12 8.5l2.2 2.2M8.5 20h7" />
  </>,
);
export const ScreenOffIcon = icon(
  <>
    <rect x="3" y="4.5" width="18" height="12.5" rx="2.5" />
    <path d="m10 8.8 4 4m0-4-4 4M8.5 20h7" />
  </>,
);
export const ChatIcon = icon(
  <path d="M5.5 5h13A2.5 2.5 0 0 1 21 7.5v7a2.5 2.5 0 0 1-2.5 2.5H12l-4.3 3.4a.6.6 0 0 1-1-.5V17H5.5A2.5 2.5 0 0 1 3 14.5v-7A2.5 2.5 0 0 1 5.5 5ZM8 9.5h8M8 12.8h5" />,
);
export const PeopleIcon = icon(
  <>
    <circle cx="9" cy="8.5" r="3.3" />
    <path d="M2.8 19c.5-3.4 2.9-5.3 6.2-5.3s5.7 1.9 6.2 5.3M15.5 5.6a3.3 3.3 0 0 1 0 5.9M18 14.3c1.8.8 2.9 2.4 3.2 4.7" />
  </>,
);
export const MoreIcon = icon(
  <g class="icon-fill">
    <circle cx="5.5" cy="12" r="1.7" />
    <circle cx="12" cy="12" r="1.7" />
    <circle cx="18.5" cy="12" r="1.7" />
  </g>,
);
export const LeaveIcon = icon(
  <path d="M3.4 14.6c-.8-.9-.8-2.3.1-3.1C5.8 9.2 8.8 8 12 8s6.2 1.2 8.5 3.5c.9.8.9 2.2.1 3.1l-1 1.1c-.5.5-1.2.6-1.8.3l-2.4-1.3a1.5 1.5 0 0 1-.8-1.6l.2-1.3a9 9 0 0 0-5.6 0l.2 1.3c.1.7-.2 1.3-.8 1.6L6.2 16c-.6.3-1.3.2-1.8-.3l-1-1.1Z" />,
);
export const CaretIcon = icon(<path d="m7.5 14 4.5-4.5 4.5 4.5" />);
export const CheckIcon = icon(<path d="m5.5 12.5 4.3 4.3 8.7-9.3" />);
export const CloseIcon = icon(<path d="m6.5 6.5 11 11m0-11-11 11" />);
export const PinIcon = icon(<path d="M9 4h6l-.6 6.2 3.1 3.3H6.5l3.1-3.3L9 4Zm3 9.5V20" />);
export const LinkIcon = icon(
  <path d="M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7l1.2-1.2" />,
);
export const SendIcon = icon(<path d="M4.5 11.8 19.5 5l-4.3 14.5-3.7-6-7-1.7Zm7 1.7 3.2-3.2" />);
export const ChartIcon = icon(<path d="M4 19.5h16M7 16v-4m5 4V6m5 10V9.5" />);
export const WarningIcon = icon(<path d="M12 9v4.5m0 3v.01M10.4 4.6 3 17.5A1.8 1.8 0 0 0 4.6 20h14.8a1.8 1.8 0 0 0 1.6-2.5L13.6 4.6a1.85 1.85 0 0 0-3.2 0Z" />);
export const SoundIcon = icon(
  <path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4Zm11.5-1a5 5 0 0 1 0 7M18 6a8.5 8.5 0 0 1 0 12" />,
);
export const DiceIcon = icon(<path d="M4 12a8 8 0 0 1 13.7-5.6L20 8.6M20 4v4.6h-4.6M20 12a8 8 0 0 1-13.7 5.6L4 15.4M4 20v-4.6h4.6" />);
export const GlobeIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M3.5 12h17M12 3.5c2.3 2.4 3.4 5.2 3.4 8.5s-1.1 6.1-3.4 8.5c-2.3-2.4-3.4-5.2-3.4-8.5s1.1-6.1 3.4-8.5Z" />
  </>,
);
export const FullscreenIcon = icon(<path d="M4.5 9V6A1.5 1.5 0 0 1 6 4.5h3m6 0h3A1.5 1.5 0 0 1 19.5 6v3m0 6v3a1.5 1.5 0 0 1-1.5 1.5h-3m-6 0H6A1.5 1.5 0 0 1 4.5 18v-3" />);
export const ThemeIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path class="icon-fill" d="M12 3.5a8.5 8.5 0 0 1 0 17Z" />
  </>,
);
export const KeyIcon = icon(
  <>
    <circle cx="8" cy="15.5" r="4" />
    <path d="m11 12.5 8-8m-3 3 2.5 2.5" />
  </>,
);

/** Three bars like a phone's; `level` of them are lit. */
export function SignalIcon({ level }: { level: number }) {
  return (
    <svg class="icon signal-icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {[0, 1, 2].map((bar) => (
        <rect
          key={bar}
          class={bar < level ? "signal-bar lit" : "signal-bar"}
          x={4 + bar * 6}
          y={14 - bar * 4.5}
          width="4"
          height={6 + bar * 4.5}
          rx="1.5"
        />
      ))}
    </svg>
  );
}
