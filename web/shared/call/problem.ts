import { ConnectionError, ConnectionErrorReason, DisconnectReason, MediaDeviceFailure } from "livekit-client";

/** Everything that can go wrong in a way a person should hear about. Each has texts and a remedy. */
export const PROBLEM_KINDS = [
  "serverUnreachable",
  "tokenUnavailable",
  "tokenInvalid",
  "mediaBlocked",
  "connectionLost",
  "serverShutdown",
  "removed",
  "roomDeleted",
  "duplicateIdentity",
  "insecurePage",
  "microphoneDenied",
  "microphoneMissing",
  "microphoneBusy",
  "cameraDenied",
  "cameraMissing",
  "cameraBusy",
  "screenFailed",
  "chatFailed",
  "unexpected",
] as const;

export type ProblemKind = (typeof PROBLEM_KINDS)[number];

/** A failure that has a text of its own in the catalogue. */
export class ProblemError extends Error {
  constructor(
    readonly kind: ProblemKind,
    cause?: unknown,
  ) {
    super(kind, { cause });
    this.name = "ProblemError";
  }
}

/** Why a connected call ended; null when we left ourselves. */
export function problemOfDisconnect(reason: DisconnectReason | undefined): ProblemKind | null {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return null;
    case DisconnectReason.DUPLICATE_IDENTITY:
      return "duplicateIdentity";
    case DisconnectReason.PARTICIPANT_REMOVED:
      return "removed";
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return "roomDeleted";
    case DisconnectReason.SERVER_SHUTDOWN:
      return "serverShutdown";
    default:
      return "connectionLost";
  }
}

/** Why joining failed; null when we gave up ourselves. */
export function problemOfConnect(error: unknown): ProblemKind | null {
  if (error instanceof ProblemError) return error.kind;
  if (!(error instanceof ConnectionError)) return "unexpected";
  switch (error.reason) {
    case ConnectionErrorReason.Cancelled:
      return null;
    case ConnectionErrorReason.NotAllowed:
      return error.status === 404 ? "roomDeleted" : "tokenInvalid";
    case ConnectionErrorReason.LeaveRequest:
      return problemOfDisconnect(error.context as DisconnectReason) ?? "connectionLost";
    case ConnectionErrorReason.InternalError: {
      // With an HTTP status it was the server; without, the media connection did not come about.
      const status = (error.context as { status?: number } | undefined)?.status;
      return status === undefined ? "mediaBlocked" : "serverUnreachable";
    }
    default:
      return "serverUnreachable";
  }
}

/** Why a device could not be opened; null when the person merely closed the chooser. */
export function problemOfDevice(source: "microphone" | "camera" | "screen", error: unknown): ProblemKind | null {
  if (error instanceof ProblemError) return error.kind;
  const failure = MediaDeviceFailure.getFailure(error);
  if (source === "screen") return failure === MediaDeviceFailure.PermissionDenied ? null : "screenFailed";
  switch (failure) {
    case MediaDeviceFailure.PermissionDenied:
      return `${source}Denied`;
    case MediaDeviceFailure.NotFound:
      return `${source}Missing`;
    case MediaDeviceFailure.DeviceInUse:
      return `${source}Busy`;
    default:
      return error instanceof TypeError ? "insecurePage" : "unexpected";
  }
}
