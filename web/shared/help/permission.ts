import type { MicrophoneState } from "./model";

/** `navigator.mediaDevices`, which browsers leave out on insecure pages. */
function mediaDevices(): Partial<MediaDevices> | undefined {
  return (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
}

/** Whether the browser may be asked for the microphone, without asking it. */
export async function microphonePermission(): Promise<MicrophoneState> {
  if (mediaDevices() === undefined) return "insecure";
  try {
    const status = await navigator.permissions.query({ name: "microphone" });
    if (status.state === "granted") return "granted";
    return status.state === "denied" ? "denied" : "explain";
  } catch {
    return "explain"; // Not every browser answers for this name.
  }
}

export function canShareScreen(): boolean {
  return typeof mediaDevices()?.getDisplayMedia === "function";
}
