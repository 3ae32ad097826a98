import type { Call } from "../shared/call/model";
import { CallSession, type JoinRequest, type SessionOptions } from "../shared/call/session";
import { devicesAllowed, DevicePreview, type Preview } from "../shared/media/preview";
import type { KeyValueStorage } from "../shared/preferences";
import { parseQuery, type PageQuery } from "../shared/query";
import { findTokenSource, requestToken, signalUrl, type JoinToken, type TokenRequest, type TokenSource } from "../shared/token";

/** A call that the page can begin. */
export interface JoinableCall extends Call {
  join(request: JoinRequest): Promise<void>;
}

/** All that the page asks of the world; stories (`?mock=`, development only) bring their own. */
export interface Environment {
  readonly query: PageQuery;
  /** The page's own address. */
  readonly base: string;
  readonly storage: KeyValueStorage | null;
  openPreview(devices: Partial<Record<MediaDeviceKind, string>>): Preview;
  /** Whether the preview may start without a question of the browser's. */
  devicesAllowed(): Promise<boolean>;
  openCall(options: SessionOptions): JoinableCall;
  findTokenSource(): Promise<TokenSource>;
  requestToken(request: TokenRequest): Promise<JoinToken>;
  /** A pasted or handed-over token, for this page's server. */
  givenToken(token: string): JoinToken;
}

export function browserEnvironment(): Environment {
  const base = window.location.href;
  return {
    query: parseQuery(window.location.search),
    base,
    storage: browserStorage(),
    openPreview: (devices) => new DevicePreview(devices),
    devicesAllowed,
    openCall: (options) => new CallSession(options),
    findTokenSource: () => findTokenSource(base),
    requestToken: (request) => requestToken(base, request),
    givenToken: (token) => ({ url: signalUrl(base), token: token.trim() }),
  };
}

function browserStorage(): KeyValueStorage | null {
  try {
    return window.localStorage;
  } catch {
    return null; // Forbidden altogether, for instance in some embedded pages.
  }
}
