// Odd hosts and request targets, against the control Worker in workerd.

import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, test } from "vitest";
import control from "../../../workers/control.ts";
import main from "../../../workers/main.ts";

type Sent = {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly token: boolean;
};

/** The request as workerd makes it of the bytes on a socket: it joins scheme, Host and target unchecked. */
function requestOf({ method, host, target, token }: Sent): Parameters<typeof main.fetch>[0] {
  const headers = { host, ...(token && { authorization: `Bearer ${env.OPERATOR_TOKEN}` }) };
  const request = new Request("http://mesh.test/", { method, headers });
  // The constructor only accepts a URL that can be parsed.
  Object.defineProperty(request, "url", { value: `http://${host}${target}` });
  return request as Parameters<typeof main.fetch>[0];
}

async function statusOf(worker: typeof control | typeof main, sent: Sent): Promise<number> {
  const response = await worker.fetch(requestOf(sent), env, createExecutionContext());
  const text = await response.text();
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  if (response.headers.get("content-type") === "application/json" && text !== "") JSON.parse(text);
  expect(text).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
  return response.status;
}

const goodHosts = ["mesh.test", "mesh.test:8787", "127.0.0.1:1", "[::1]:80", "a_b.test.", "h:"];
const badHosts = [
  ...["[", "]", "[::1", "a b", "a\tb", "%", "%zz", "a%20b", "u:p@h", "u@h", "h:99999", "h:abc", "a:1:2"],
  ...["a/b", "a?x", "a#b", "\\", "a,b", "<x>", "^", "*", "|", '"', "1.2.3.4.5", "x".repeat(300)],
];
const paths = [
  ...["/", "/dashboard/", "/dashboard/nodes/x", "/v1.44/services/x", "/mesh/health", "/mesh/servers"],
  ...[
    "/mesh/route?url=http://[/",
    "/haproxy?stats",
    "/haproxy?stats;csv",
    "/metrics",
    "/_ping",
    "/v1.99/info",
  ],
];

const word = fc.oneof(
  fc.constantFrom(
    "services",
    "nodes",
    "tasks",
    "mesh",
    "dashboard",
    "v1.44",
    "haproxy?stats",
    "assets",
    "events",
  ),
  fc.constantFrom(
    "..",
    ".",
    "",
    "%",
    "%zz",
    "%ff",
    "%00",
    "%2f",
    "%2e%2e",
    "a b",
    "\\",
    ";",
    "?",
    "&",
    "=",
    "{}",
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: "grapheme", maxLength: 4 }),
);
const target = fc.oneof(
  fc.array(word, { maxLength: 6 }).map((words) => `/${words.join("/")}`),
  fc.tuple(fc.constantFrom(...paths), word).map(([path, end]) => path + end),
  fc.tuple(fc.constantFrom(...paths), word, word).map(([path, name, value]) => `${path}?${name}=${value}`),
);
const method = fc.constantFrom("GET", "HEAD", "DELETE", "POST", "PUT", "OPTIONS", "PROPFIND");

test("[A71] an unreadable Host or target is 400 in the API's own form, whatever the path", async () => {
  for (const host of badHosts) {
    for (const path of paths) {
      const sent = { method: "GET", host, target: path, token: true };
      const response = await control.fetch(requestOf(sent), env, createExecutionContext());
      expect([host, path, response.status, response.headers.get("content-type")]).toEqual([
        host,
        path,
        400,
        "application/json",
      ]);
      expect(await response.json()).toEqual({
        message: expect.stringContaining("write Host as HOST or HOST:PORT"),
      });
      expect(response.headers.get("x-request-id")).not.toBeNull();
    }
  }
  for (const host of goodHosts) {
    expect([
      host,
      await statusOf(control, { method: "GET", host, target: "/mesh/health", token: false }),
    ]).toEqual([host, 200]);
  }
  expect(await statusOf(control, { method: "OPTIONS", host: "mesh.test", target: "*", token: true })).toBe(
    400,
  );
});

test("[A70] [A71] no Host and no target is an internal error, and every response has nosniff", async () => {
  const host = fc.oneof(
    fc.constantFrom(...goodHosts, ...badHosts),
    fc.string({ minLength: 1, maxLength: 6 }),
  );
  // A header value has no control characters and no spaces around it; the runtime refuses these itself.
  const sendable = host.filter((text) => /^[!-~]([ -~]*[!-~])?$/.test(text));
  const sent = fc.record({ method, host: sendable, target, token: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(sent, fc.constantFrom(control, main), async (request, worker) => {
      const status = await statusOf(worker, request);
      expect(status).not.toBe(500);
      if (status >= 400) expect(status).toBeLessThan(504);
    }),
    { numRuns: 400 },
  );
});
