import { mediaDevices } from "../../shared/media/preview";

/** Lets the browser ask for the microphone now, not while a student waits. A refusal is told in the call. */
export async function requestMicrophone(): Promise<void> {
  try {
    const stream = await mediaDevices()?.getUserMedia({ audio: true });
    for (const track of stream?.getTracks() ?? []) track.stop();
  } catch {
    // Refused or missing: the call says so, with the way on.
  }
}
