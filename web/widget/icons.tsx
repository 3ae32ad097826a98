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

export const NoSoundIcon = icon(<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4Zm12 0 5 5m0-5-5 5" />);
export const NoPictureIcon = icon(
  <>
    <rect x="3" y="4.5" width="18" height="12.5" rx="2.5" />
    <path d="m9.8 8.5 4.4 4.4m0-4.4-4.4 4.4M8.5 20h7" />
  </>,
);
export const QuestionIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.7" />
    <path d="M9.6 9.6a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.9-1.2 1.8m0 2.6v.01" />
  </>,
);
export const PhoneIcon = icon(
  <path d="M6.6 4h2.2a1.2 1.2 0 0 1 1.1.8l1 2.7a1.2 1.2 0 0 1-.3 1.3L9.3 10a11 11 0 0 0 4.7 4.7l1.2-1.3a1.2 1.2 0 0 1 1.3-.3l2.7 1a1.2 1.2 0 0 1 .8 1.1v2.2a2 2 0 0 1-2.2 2A15.5 15.5 0 0 1 4.6 6.2 2 2 0 0 1 6.6 4Z" />,
);
export const MinimiseIcon = icon(<path d="M6 12.5h12" />);
export const ExpandIcon = icon(<path d="M13.5 4.5h6v6m0-6-7 7m-2 8h-6v-6m0 6 7-7" />);
export const BackIcon = icon(<path d="m14.5 6-6 6 6 6" />);
export const ClipIcon = icon(
  <path d="m19.5 11.5-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.5 1.5 0 0 1-2.2-2.1l7-7" />,
);
export const ScreenshotIcon = icon(
  <>
    <path d="M4 8V6.5A2.5 2.5 0 0 1 6.5 4H8m8 0h1.5A2.5 2.5 0 0 1 20 6.5V8m0 8v1.5a2.5 2.5 0 0 1-2.5 2.5H16m-8 0H6.5A2.5 2.5 0 0 1 4 17.5V16" />
    <circle cx="12" cy="12" r="3.2" />
  </>,
);
export const FlipIcon = icon(<path d="M4.5 11a7.5 7.5 0 0 1 13-4.2L20 9m0-4.5V9h-4.5M19.5 13a7.5 7.5 0 0 1-13 4.2L4 15m0 4.5V15h4.5" />);
export const MusicIcon = icon(
  <>
    <path d="M9 17.5V6l10-2v11.5" />
    <circle cx="6.5" cy="17.5" r="2.5" />
    <circle cx="16.5" cy="15.5" r="2.5" />
  </>,
);
export const CopyIcon = icon(
  <>
    <rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2.5" />
    <path d="M15.5 8.5V6.5A2.5 2.5 0 0 0 13 4H6.5A2.5 2.5 0 0 0 4 6.5V13a2.5 2.5 0 0 0 2.5 2.5h2" />
  </>,
);
export const ClockIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5V12l3 2.2" />
  </>,
);
export const FileIcon = icon(<path d="M7 3.5h6.5L19 9v9.5a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-13a2 2 0 0 1 2-2ZM13.5 3.5V9H19" />);
export const BulbIcon = icon(<path d="M9.5 17.5h5M10.5 20.5h3M8.3 14.2a6 6 0 1 1 7.4 0c-.8.6-1.2 1.3-1.2 2.3v1h-5v-1c0-1-.4-1.7-1.2-2.3Z" />);
export const ShieldIcon = icon(<path d="M12 3.5 5 6v5.5c0 4.3 2.9 7.5 7 9 4.1-1.5 7-4.7 7-9V6l-7-2.5Zm-3 8.7 2.2 2.2 4-4.2" />);
export const SmileIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M8.5 14.2c.8 1.3 2 2 3.5 2s2.7-.7 3.5-2M9 9.8v.01m6-.01v.01" />
  </>,
);
export const FrownIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M8.5 16c.8-1.3 2-2 3.5-2s2.7.7 3.5 2M9 9.8v.01m6-.01v.01" />
  </>,
);

export function StarIcon({ lit }: { lit: boolean }) {
  return (
    <svg class={`icon star${lit ? " lit" : ""}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d="m12 3.8 2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8L12 3.8Z" />
    </svg>
  );
}
