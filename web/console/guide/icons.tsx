import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      {children}
    </svg>
  );
}

export const LaserIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="2.6" fill="currentColor" stroke="none" />
    <path d="M10 2.5v2.2M10 15.3v2.2M2.5 10h2.2M15.3 10h2.2M4.7 4.7l1.5 1.5M13.8 13.8l1.5 1.5M15.3 4.7l-1.5 1.5M6.2 13.8l-1.5 1.5" />
  </Icon>
);
export const PenIcon = () => (
  <Icon>
    <path d="m3.5 16.5 1-3.8L13.6 3.6a1.5 1.5 0 0 1 2.1 0l.7.7a1.5 1.5 0 0 1 0 2.1L7.3 15.5l-3.8 1ZM12 5.2 14.8 8" />
  </Icon>
);
export const ArrowIcon = () => (
  <Icon>
    <path d="M4 16 15.5 4.5M8.2 4.2h7.6v7.6" />
  </Icon>
);
export const BoxIcon = () => (
  <Icon>
    <rect x="3" y="4.5" width="14" height="11" rx="2" />
  </Icon>
);
export const TextIcon = () => (
  <Icon>
    <path d="M4 6V4.2h12V6M10 4.2v11.6M7.6 15.8h4.8" />
  </Icon>
);
export const UndoIcon = () => (
  <Icon>
    <path d="M7 4 3.5 7.5 7 11M3.5 7.5h8a4.5 4.5 0 0 1 0 9H8" />
  </Icon>
);
export const ClearIcon = () => (
  <Icon>
    <path d="m11.2 3.6 5.2 5.2a1.4 1.4 0 0 1 0 2L11 16.4H7.4l-3.8-3.8a1.4 1.4 0 0 1 0-2l7-7a.5.5 0 0 1 .6 0ZM7 7.4l5.6 5.6M5 16.4h11.5" />
  </Icon>
);
export const FreezeIcon = () => (
  <Icon>
    <path d="M10 2.5v15M3.5 6.2l13 7.6M16.5 6.2l-13 7.6M7.8 3.8 10 5.6l2.2-1.8M7.8 16.2l2.2-1.8 2.2 1.8" />
  </Icon>
);
export const PlayIcon = () => (
  <Icon>
    <path d="M6.5 4.2v11.6L16 10 6.5 4.2Z" fill="currentColor" />
  </Icon>
);
