// Sticky cookies: name the target that a client stays with, signed so that a client cannot choose its target.
//
// A value is `TASK.SIGNATURE`: HMAC-SHA256 over service and target, with a key that the registry sends beside
// the table. All clients of a target have the same value, so it does not identify them.

/** 132 bits in base64url. */
const signatureLength = 22;
/** Maximum cookies kept. One more clears all. */
const maxKept = 20_000;

/** @see docs/decisions/0021-sticky-key-beside-the-table.md */
export class StickyCookies {
  readonly #values = new Map<string, string>();
  #secret = "";
  #key: Awaited<ReturnType<typeof crypto.subtle.importKey>> | null = null;

  /** The cookie value of a target. A promise only for a target not seen before. */
  of(secret: string, serviceId: string, taskId: string): string | Promise<string> {
    const known = secret === this.#secret ? this.#values.get(`${serviceId} ${taskId}`) : undefined;
    return known ?? this.#make(secret, serviceId, taskId);
  }

  async #make(secret: string, serviceId: string, taskId: string): Promise<string> {
    const text = new TextEncoder();
    if (this.#secret !== secret || this.#key === null) {
      const hmac = { name: "HMAC", hash: "SHA-256" };
      const key = await crypto.subtle.importKey("raw", text.encode(secret), hmac, false, ["sign"]);
      this.#values.clear();
      this.#secret = secret;
      this.#key = key;
    }
    const name = `${serviceId} ${taskId}`;
    const signed = await crypto.subtle.sign("HMAC", this.#key, text.encode(`waggle sticky ${name}`));
    const signature = btoa(String.fromCharCode(...new Uint8Array(signed)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .slice(0, signatureLength);
    if (this.#values.size >= maxKept) this.#values.clear();
    const value = `${taskId}.${signature}`;
    this.#values.set(name, value);
    return value;
  }
}

/** The id of the target that a cookie names, whether or not its signature is valid. */
export function taskOfCookie(value: string): string {
  return value.slice(0, Math.max(0, value.length - signatureLength - 1));
}

/** True if a client's cookie equals the signed one, in constant time. */
export function isSameCookie(cookie: string, signed: string): boolean {
  let difference = cookie.length ^ signed.length;
  for (let at = 0; at < signed.length; at += 1) difference |= cookie.charCodeAt(at) ^ signed.charCodeAt(at);
  return difference === 0;
}

/** The Set-Cookie header for a cookie that lasts until the browser closes. */
export function setCookie(name: string, value: string, scheme: "http" | "https"): string {
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${scheme === "https" ? "; Secure" : ""}`;
}
