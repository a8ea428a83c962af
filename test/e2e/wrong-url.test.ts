// Every verb that talks to a mesh, with a URL that is something else's.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backend, http, listening, refusing } from "../support/backends.ts";
import { selfSignedCertificate } from "../support/certificate.ts";
import { everyCommand, runCli } from "../unit/cli/support.ts";

let folder = "";
const servers: Backend[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "waggle-wrong-"));
  await writeFile(join(folder, "token"), "a-token-of-sixteen");
  await writeFile(join(folder, "passphrase"), "the passphrase of this fixture", { mode: 0o600 });
  await writeFile(
    join(folder, "haproxy.cfg"),
    "frontend f\n  bind :8080\n  default_backend web\nbackend web\n  server a 127.0.0.1:1\n",
  );
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(folder, { recursive: true });
});

/** Verbs that have no mesh, and those that keep trying to reach one. */
const others = new Set([
  "up",
  "down",
  "agent",
  "edge",
  "control",
  "reload",
  "swarm join",
  "deploy",
  "destroy",
  "completion",
  "context ls",
  "context use",
  "context show",
  "context create",
  "context inspect",
  "context rm",
]);

/** The arguments of the verbs that have any. */
const argsOf: Readonly<Record<string, readonly string[]>> = {
  "service create": ["--name", "a", "waggle/whoami"],
  "service ps": ["a"],
  "service inspect": ["a"],
  "service update": ["--force", "a"],
  "service scale": ["a=2"],
  "service rollback": ["a"],
  "service logs": ["a"],
  "service rm": ["a"],
  "server add": ["a", "b", "127.0.0.1:80"],
  "server inspect": ["a/b"],
  "server set": ["a/b", "--weight", "2"],
  "server rm": ["a/b"],
  "node inspect": ["a"],
  "node ps": ["a"],
  "node update": ["--availability", "drain", "a"],
  "node rm": ["a"],
  "task set": ["a.1", "--admin", "drain"],
  "gateway-key": ["--rotate"],
  import: ["FOLDER/haproxy.cfg"],
  connect: ["redis"],
  doctor: ["mesh"],
  restore: [
    "--yes",
    "--passphrase-file",
    "FOLDER/passphrase",
    new URL("../fixtures/backups/step-9.backup", import.meta.url).pathname,
  ],
  events: ["-f"],
  logs: ["a"],
  top: ["--once"],
  trace: ["--explain", "http://127.0.0.1:8080/"],
};

const verbs = everyCommand()
  .filter(({ command }) => command.commands.length === 0)
  .map(({ path }) => path.join(" "))
  .filter((verb) => !others.has(verb));

const answer =
  (
    status: number,
    type: string,
    body: string,
    headers: Readonly<Record<string, string>> = {},
  ): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, { "content-type": type, ...headers }).end(body);

/** The origin of a server that ends with the tests. */
async function originOf(starting: Promise<Backend>): Promise<string> {
  const server = await starting;
  servers.push(server);
  return server.origin;
}

const httpAt = (listener: RequestListener) => originOf(http(listener));
const tlsAt = () => originOf(listening(createTlsServer(selfSignedCertificate())));

const marks = { "x-request-id": "request-1" };

/** Kinds of wrong URLs, and what the error says. */
const kinds: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
  [
    "a page that is not found",
    () => httpAt(answer(404, "text/html", "<h1>404</h1>")),
    /responded 404 text\/html/,
  ],
  [
    "a page",
    () => httpAt(answer(200, "text/html", "<h1>hello</h1>")),
    /is not a mesh: it responded 200 text\/html/,
  ],
  ["an API with an object", () => httpAt(answer(200, "application/json", '{"ok":true}')), /is not a mesh/],
  ["an API with a list", () => httpAt(answer(200, "application/json", "[]")), /is not a mesh/],
  [
    "an API with errors",
    () => httpAt(answer(404, "application/json", '{"message":"Not Found"}')),
    /404 "Not Found"/,
  ],
  [
    "an API with request ids",
    () => httpAt(answer(200, "application/json", '{"ok":[1]}', marks)),
    /not that of a mesh|not a mesh|no ID/,
  ],
  [
    "an API with odd values",
    () => httpAt(answer(200, "application/json", "[null,5]", marks)),
    /not that of a mesh|not a mesh/,
  ],
  ["an empty response", () => httpAt(answer(204, "text/plain", "")), /is not a mesh/],
  [
    "a redirect",
    () => httpAt(answer(302, "text/html", "", { location: "https://sso.example/" })),
    /redirects to https:\/\/sso.example/,
  ],
  [
    "a gateway's error",
    () => httpAt(answer(502, "text/html", "bad gateway")),
    /a proxy in front of it responded 502/,
  ],
  ["a closed port", () => originOf(refusing()), /connection refused/],
  [
    "TLS to a plain port",
    async () => (await httpAt(answer(200, "text/html", ""))).replace("http", "https"),
    /does not speak TLS/,
  ],
  [
    "a certificate that is not trusted",
    async () => (await tlsAt()).replace("http", "https"),
    /certificate is not trusted/,
  ],
  ["HTTP to a TLS port", tlsAt, /closed without a response|does not speak HTTP/],
  [
    "another protocol",
    () =>
      originOf(
        listening(createTcpServer((socket) => void socket.on("error", () => {}).write("SSH-2.0-x\r\n"))),
      ),
    /does not speak HTTP/,
  ],
  [
    "a host that does not exist",
    async () => "http://no-such-host.invalid",
    /no such host|cannot be resolved/,
  ],
];

describe.each(kinds)("[L101] the URL of %s", (_kind, start, expected) => {
  let url = "";
  beforeAll(async () => {
    url = await start();
  });

  test.each(verbs)("[L101] is one sentence of waggle %s, and a hint", async (verb) => {
    const given = (argsOf[verb] ?? []).map((arg) => arg.replace("FOLDER", folder));
    const place = verb === "login" ? ["--token-file", join(folder, "token"), url] : ["--host", url];
    const env = { WAGGLE_TOKEN: "a-token-of-sixteen", XDG_CONFIG_HOME: folder };
    const { code, out, err } = await runCli([...verb.split(" "), ...place, ...given], { env });
    expect(out + err).not.toMatch(/internal error|^ {4}at /m);
    // They report it, as one of their lines.
    if (verb === "version") return expect([code, out]).toEqual([0, expect.stringMatching(expected)]);
    if (verb === "doctor") return expect([code, out]).toEqual([1, expect.stringMatching(expected)]);
    // Its report of the file comes first.
    if (verb !== "import") expect(out).toBe("");
    expect(err).toMatch(expected);
    expect(err).toMatch(/^waggle: [^\n]+\n(?:[^\n]+\n)?$/);
    expect([1, 3, 4]).toContain(code);
  });
});
