/** The W3C Capture Handle Identity draft, which TypeScript's library does not know yet. */
interface CaptureHandleConfig {
  handle: string;
  exposeOrigin: boolean;
  permittedOrigins: string[];
}
interface CaptureHandle {
  readonly handle?: string;
}
interface CaptureDevices {
  setCaptureHandleConfig?(config: CaptureHandleConfig): void;
}
export interface CapturedTrack extends MediaStreamTrack {
  getCaptureHandle?(): CaptureHandle | null;
}

/** What a captured picture shows. */
export type Captured =
  /** This very page. */
  | { readonly kind: "own" }
  /** Another tab; `handle` names it if it is one of ours. */
  | { readonly kind: "tab"; readonly handle: string | null }
  /** A window or a whole screen, or the browser does not say. */
  | { readonly kind: "outside" };

let ours: string | null = null;

/** Gives this page a mark by which it is known again in what the student shares. Only top-level pages may. Claimed
 * anew each time: the host page may have set a mark of its own since. */
export function claimHandle(): string | null {
  const devices = navigator.mediaDevices as CaptureDevices | undefined;
  if (devices?.setCaptureHandleConfig === undefined || window.top !== window) return null;
  const handle = ours ?? `raisehand-${crypto.randomUUID()}`;
  try {
    devices.setCaptureHandleConfig({ handle, exposeOrigin: false, permittedOrigins: [window.location.origin] });
  } catch {
    return null;
  }
  ours = handle;
  return ours;
}

export function capturedOf(track: CapturedTrack): Captured {
  const surface = track.getSettings().displaySurface;
  if (surface !== "browser") return { kind: "outside" };
  const handle = track.getCaptureHandle?.()?.handle ?? null;
  return handle !== null && handle === ours ? { kind: "own" } : { kind: "tab", handle };
}
