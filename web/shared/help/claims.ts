/** What a platform token says of its bearer: for showing only, the server checks it. */
export interface PlatformClaims {
  readonly role: string;
  readonly id: string;
  readonly name: string;
  readonly expiresAtMs: number | null;
  readonly age: number | null;
  /** Of a guest: whether whoever invited knows an adult. */
  readonly adult: boolean;
  readonly locale: string;
  readonly classId: string;
  /** Of a guest or a guardian: the call of the invitation. */
  readonly call: string;
  /** Of a guardian: for whom it decides. */
  readonly guardianOf: string;
  /** Of a guardian: the child's name. */
  readonly child: string;
}

/** Under this age a guardian decides about recording; the server has the last word. */
export const MINOR_AGE_YEARS = 14;

/** Reads a platform token; null when it is none. */
export function readPlatformClaims(token: string): PlatformClaims | null {
  const part = token.trim().split(".")[1];
  if (part === undefined) return null;
  let claims: unknown;
  try {
    const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0))));
  } catch {
    return null;
  }
  const root = record(claims);
  const own = record(root.raisehand);
  const profile = record(own.profile);
  const id = text(root.sub);
  const role = text(own.role);
  if (id === "" || role === "") return null;
  return {
    role,
    id,
    name: text(root.name),
    expiresAtMs: typeof root.exp === "number" ? root.exp * 1000 : null,
    age: typeof profile.age === "number" ? profile.age : null,
    adult: profile.adult === true,
    locale: text(profile.locale),
    classId: text(profile.class_id),
    call: text(own.call),
    guardianOf: text(own.guardian_of),
    child: text(profile.child),
  };
}

/** Whether this person cannot decide alone about recording: under age, or of unknown age. */
export function isMinor(claims: PlatformClaims): boolean {
  if (claims.role === "guest") return !claims.adult;
  return claims.age === null || claims.age < MINOR_AGE_YEARS;
}

/** Whether to speak as to a child: only when the age is known to be a child's. */
export function isChild(claims: PlatformClaims): boolean {
  return claims.age !== null && claims.age < MINOR_AGE_YEARS;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
