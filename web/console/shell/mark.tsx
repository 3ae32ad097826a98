/** The raised hand. */
export function Mark({ size }: { size: number }) {
  return (
    <svg className="rh-mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="#0f766e" />
      <path
        d="M11.2 17.4V10a1.6 1.6 0 0 1 3.2 0m0 5.4V7.6a1.6 1.6 0 0 1 3.2 0v7.6m0-5.6a1.6 1.6 0 0 1 3.2 0v8.8c0 4.2-2.6 6.8-6.3 6.8-2.9 0-4.4-1.2-5.7-3.5l-2.2-4a1.5 1.5 0 0 1 2.5-1.7l2.1 2.6"
        fill="none"
        stroke="#fff"
        strokeWidth="1.9"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
