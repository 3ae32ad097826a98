import type { Credentials } from "../shared/help/credentials";

/** Sends something that nobody waits for; whether it arrived. */
export async function sendQuietly(base: string, credentials: Credentials, path: string, body: unknown): Promise<boolean> {
  try {
    const send = async (token: string): Promise<Response> =>
      fetch(base.replace(/\/+$/, "") + path, {
        method: "POST",
        headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
        credentials: "omit",
        keepalive: true,
      });
    const answer = await send(await credentials.fresh());
    if (answer.status !== 401) return answer.ok;
    return (await send(await credentials.renew())).ok;
  } catch {
    return false;
  }
}
