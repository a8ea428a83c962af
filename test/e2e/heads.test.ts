// Request and response heads byte by byte: the data plane in workerd in front of a task that shows what it
// was sent. docs/http.md has the results as tables.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TableService } from "../../src/domain/table/table.ts";
import {
  operatorToken,
  serviceOf,
  startPlane,
  type TestEntry,
  type TestPlane,
  tableOf,
} from "../support/dataplane.ts";
import { freePort, isUnderPlatformRules, loopbackHost } from "../support/mesh-process.ts";
import { missingPrograms, startProgram } from "../support/program.ts";
import { lines, type RawTask, rawSend, rawTask, requestLine } from "../support/raw-http.ts";
import { until } from "../support/until.ts";

const tasks: RawTask[] = [];
let plane: TestPlane;

beforeAll(async () => {
  plane = await startPlane(tableOf(1), { BODY_TIMEOUT_MS: "1000", TRUSTED_PROXIES: "198.51.100.0/24" });
});

afterAll(async () => {
  await plane.stop();
  await Promise.all(tasks.map((task) => task.stop()));
});

/** Starts a task that responds with these bytes. */
async function use(respond: (request: string) => string = () => ok("ok")): Promise<RawTask> {
  const task = await rawTask(respond);
  tasks.push(task);
  return task;
}

let version = 1;
/** Publishes services, and waits until the data plane has the new table. */
async function publish(...services: TableService[]): Promise<void> {
  version += 1;
  plane.setTable(tableOf(version, ...services));
  const headers = `X-Waggle-Debug: 1\r\nX-Waggle-Token: ${operatorToken}\r\n`;
  await until(`table version ${version}`, async () => {
    const { text } = await send(9, "/", { headers });
    return lines(text, "x-waggle-table-version")[0] === String(version);
  });
}

let lastPort = 8100;
/** Publishes a service with one task. @returns its port */
async function publishTask(task: RawTask, more: Partial<TableService> = {}): Promise<number> {
  lastPort += 1;
  await publish(serviceOf("app", lastPort, [task.origin], more));
  return lastPort;
}

function ok(body: string, headers = ""): string {
  return `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

type RawRequest = {
  readonly entry?: TestEntry;
  readonly method?: string;
  readonly host?: string;
  /** Lines that end with CRLF. */
  readonly headers?: string;
  readonly body?: string;
};

/** Sends a request to a published port. */
function send(port: number, target: string, more: RawRequest = {}) {
  const { entry = {}, method = "GET", host = "www.example.com", headers = "", body = "" } = more;
  const facts = plane.entry({ ...entry, port })["x-waggle-entry"];
  const head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nX-Waggle-Entry: ${facts}\r\n${headers}\r\n`;
  return rawSend(plane.port, head + body);
}

test.each([
  ["/a^b{c}", "/a%5Eb%7Bc%7D"],
  ["/a'|b", "/a'|b"],
  ["/a\\b", "/a/b"],
  ['/a"b', "/a%22b"],
  ["/q?a=^{}|\\b", "/q?a=^{}|\\b"],
  ["/q?a='b'", "/q?a=%27b%27"],
  ["/q?", "/q?"],
  ["/a%2fb;c=%41//d", "/a%2fb;c=%41//d"],
  ["/a/%2E%2e/b/./c", "/b/c"],
  ["/caf\xc3\xa9", "/caf%C3%A9"],
  ["/a#b", "/a"],
])("[Q24] the target %s reaches a task as %s", async (target, expected) => {
  const task = await use();
  expect((await send(await publishTask(task), target)).status).toBe(200);
  expect(task.requests.map(requestLine)).toEqual([`GET ${expected} HTTP/1.1`]);
});

test("[X120] a path rule compares the path that the task sees, in every spelling of its dots", async () => {
  const [own, admin] = [await use(), await use()];
  const paths = { at: ["app"], rules: [{ host: null, path: "/admin", exact: false }] };
  await publish(
    serviceOf("app", 9102, [own.origin]),
    serviceOf("admin", 9103, [admin.origin], { options: { paths } }),
  );
  const targets = ["/admin", "/x/../admin", "/%2e/admin", "/x/%2E%2E/admin", "/x\\..\\admin", "/;a/../admin"];
  for (const target of targets) expect((await send(9102, target)).status).toBe(200);
  for (const target of ["//admin", "/..;/admin", "/%2fadmin", "/%252e/admin"]) await send(9102, target);
  expect(admin.requests.map(requestLine)).toEqual(targets.map(() => "GET /admin HTTP/1.1"));
  expect(own.requests.map((request) => request.split(" ")[1])).toEqual([
    "//admin",
    "/..;/admin",
    "/%2fadmin",
    "/%252e/admin",
  ]);
});

test("[W46] a hash of the path is that of the path that the task sees", async () => {
  const own = await Promise.all(Array.from({ length: 8 }, () => use()));
  await publish(
    serviceOf(
      "app",
      9104,
      own.map(({ origin }) => origin),
      { policy: "uri" },
    ),
  );
  const spellings = (path: string) => [path, `/x/..${path}`, `/%2e${path}`, `${path}?query`];
  for (const path of ["/a", "/b", "/c", "/d", "/e"]) {
    for (const spelling of spellings(path)) await send(9104, spelling);
    const withIt = own.filter(({ requests }) =>
      requests.some((request) => request.startsWith(`GET ${path}`)),
    );
    expect(withIt).toHaveLength(1);
  }
});

test("[X124] a login that belongs to a connection reaches no task, and the challenge for it passes", async () => {
  const challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n";
  const task = await use(() => challenge);
  const port = await publishTask(task);
  expect(lines((await send(port, "/")).text, "www-authenticate")).toEqual(["Negotiate"]);
  for (const value of [
    "NTLM TlRMTVNTUAAB",
    "negotiate YII=",
    "Basic YTpi\r\nAuthorization: Negotiate YII=",
  ]) {
    const { status, body } = await send(port, "/", { headers: `Authorization: ${value}\r\n` });
    expect(status).toBe(403);
    expect(body).toMatch(/a login by (?:NTLM|negotiate) belongs to one connection/i);
  }
  expect(task.requests).toHaveLength(1);
  await send(port, "/", { headers: "Authorization: Bearer negotiate\r\nProxy-Authorization: NTLM TlRM\r\n" });
  expect(lines(task.requests[1] ?? "", "authorization")).toEqual(["Bearer negotiate"]);
  expect(lines(task.requests[1] ?? "", "proxy-authorization")).toEqual([]);
});

test("[X125] a request with a transfer coding besides chunked is 501 and reaches no task", async () => {
  const task = await use();
  const headers = "Transfer-Encoding: gzip, chunked\r\n";
  const options = { method: "POST", headers, body: "3\r\nabc\r\n0\r\n\r\n" };
  const { status, body } = await send(await publishTask(task), "/", options);
  expect(status).toBe(501);
  expect(body).toContain("gzip, chunked");
  expect(task.requests).toEqual([]);
});

test("[Q25] a chunked GET whose body does not begin is 408 after the time for a body", async () => {
  const task = await use();
  const { status } = await send(await publishTask(task), "/", { headers: "Transfer-Encoding: chunked\r\n" });
  expect(status).toBe(408);
  expect(task.requests).toEqual([]);
});

test.each(["GET", "HEAD"])(
  "[Q25] a chunked body of %s is refused with the reason, and a sized one arrives",
  async (method) => {
    const task = await use();
    const port = await publishTask(task);
    const chunked = (body: string) =>
      send(port, "/", { method, headers: "Transfer-Encoding: chunked\r\n", body });
    const refused = await chunked("3\r\nabc\r\n0\r\n\r\n");
    expect(refused.status).toBe(411);
    if (method === "GET") expect(refused.body).toContain("state its Content-Length");
    expect(task.requests).toEqual([]);
    expect((await chunked("0\r\n\r\n")).status).toBe(200);
    await send(port, "/", { method, headers: "Content-Length: 3\r\n", body: "abc" });
    expect(task.requests.map((request) => request.split("\r\n\r\n")[1])).toEqual(["", "abc"]);
  },
);

test.each([
  ["600", "600 Odd", "Content-Length: 3", "a task of app responded with status 600"],
  ["999", "999 Odd", "Content-Length: 3", "a task of app responded with status 999"],
  [
    "101 without an upgrade",
    "101 Switching Protocols",
    "Upgrade: h2c",
    "a task of app responded with status 101",
  ],
  // Framing is between Cloudflare's proxy and the task: a Worker learns of no Transfer-Encoding of a response.
  [
    "gzip, chunked",
    "200 OK",
    "Transfer-Encoding: gzip, chunked",
    isUnderPlatformRules
      ? "could not be reached"
      : 'a task of app responded with Transfer-Encoding "gzip, chunked"',
  ],
])(
  "[X127] a response with %s is 502 with what the task sent, and no other task gets the request",
  async (_name, line, header, what) => {
    const task = await use(() => `HTTP/1.1 ${line}\r\n${header}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
    const { status, body } = await send(await publishTask(task), "/");
    expect(status).toBe(502);
    expect(JSON.parse(body).message).toContain(what);
    expect(task.requests).toHaveLength(1);
  },
);

test.each([
  ["100 Continue", 200],
  ["102 Processing", 200],
  ["103 Early Hints", 200],
  ["199 Odd", 200],
  ["1000 Odd", 502],
  ["99 Odd", 502],
])("[Q29] after a status line %s the response is %i", async (line, expected) => {
  const task = await use(() => `HTTP/1.1 ${line}\r\n\r\n${ok("final")}`);
  const { status, body } = await send(await publishTask(task), "/");
  expect(status).toBe(expected);
  if (status === 200) expect(body).toBe("final");
});

test("[X127] every status from 200 to 599 passes with its reason phrase and body", async () => {
  const task = await use((request) => {
    return `HTTP/1.1 ${request.split(" ")[1]?.slice(1)} Odd One\r\nContent-Length: 3\r\n\r\nabc`;
  });
  const port = await publishTask(task);
  for (const status of [200, 218, 299, 399, 418, 451, 499, 529, 599]) {
    const { text, body } = await send(port, `/${status}`);
    expect([text.split("\r\n")[0], body]).toEqual([`HTTP/1.1 ${status} Odd One`, "abc"]);
  }
});

test.each([
  ["a tab", "a\tb", "a b"],
  ["only a tab", "\t", " "],
  ["spaces", " a  b ", " a  b "],
  ["bytes above 127", "caf\xe9", ""],
  ["UTF-8", "caf\xc3\xa9", ""],
  ["no character", "", ""],
  ["60,000 characters", "r".repeat(60_000), "r".repeat(60_000)],
])("[X162] a response whose reason phrase has %s passes", async (_name, phrase, expected) => {
  const zipped = gzipSync("body").toString("latin1");
  const head = `Content-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2`;
  for (const status of [200, 404, 599]) {
    const task = await use(() => `HTTP/1.1 ${status} ${phrase}\r\n${head}\r\n\r\n${zipped}`);
    const { text, body } = await send(await publishTask(task), "/", { headers: "Accept-Encoding: gzip\r\n" });
    expect([requestLine(text), body]).toEqual([`HTTP/1.1 ${status} ${expected}`, zipped]);
    expect(lines(text, "set-cookie")).toEqual(["a=1", "b=2"]);
  }
});

test("[X162] a response without a space behind its status passes", async () => {
  const task = await use(() => "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok");
  const { status, body } = await send(await publishTask(task), "/");
  expect([status, body]).toEqual([200, "ok"]);
});

test.each(["a\x01b", "a\0b", "a\x7fb", "\x1b[31m", "a\rb"])(
  "[X162] a response whose reason phrase has a control character is 502: %j",
  async (phrase) => {
    const task = await use(() => `HTTP/1.1 200 ${phrase}\r\nContent-Length: 2\r\n\r\nok`);
    expect((await send(await publishTask(task), "/", { method: "POST" })).status).toBe(502);
  },
);

test.each([
  // RFC 9112 §6.3 lets a proxy refuse them. Whether Cloudflare's does is not documented; the one here does.
  [
    "two equal lengths",
    "200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    isUnderPlatformRules ? 502 : 200,
  ],
  ["two lengths", "200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", 502],
  ["a length that is no number", "200 OK\r\nContent-Length: 0x3\r\n\r\nabc", 502],
  ["204 with a body", "204 No Content\r\nContent-Length: 3\r\n\r\nabc", 204],
  ["304 with a body", "304 Not Modified\r\nContent-Length: 3\r\n\r\nabc", 304],
  [
    "bytes after its body",
    "200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    200,
  ],
])(
  "[Q26] after a response with %s the next one is read from its beginning",
  async (_name, response, status) => {
    const task = await use((request) =>
      request.startsWith("GET /odd") ? `HTTP/1.1 ${response}` : ok("next"),
    );
    const port = await publishTask(task);
    const odd = await send(port, "/odd");
    expect(odd.status).toBe(status);
    if (status !== 502) expect(odd.body).toBe(status === 200 ? "abc" : "");
    expect((await send(port, "/next")).body).toBe("next");
  },
);

test("[Q26] a response to HEAD keeps its length and has no body", async () => {
  const task = await use(() => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
  const { text, body } = await send(await publishTask(task), "/", { method: "HEAD" });
  expect([lines(text, "content-length"), body]).toEqual([["12345"], ""]);
});

test("[X126] other spellings of forwarding headers reach no task, from any client", async () => {
  const task = await use();
  const port = await publishTask(task);
  const spellings = [
    "x_forwarded_for",
    "X-Forwarded_For",
    "X_Forwarded-Proto",
    "x_real_ip",
    "Client_IP",
    "x.forwarded.for",
    "X_Waggle_Loop",
    "x_request_id",
    "CF_Connecting_IP",
  ];
  const headers = [...spellings, "X_App", "My_Header"].map((name) => `${name}: 10.9.8.7\r\n`).join("");
  for (const client of ["203.0.113.7", "198.51.100.9"]) await send(port, "/", { entry: { client }, headers });
  for (const request of task.requests) {
    expect(spellings.filter((name) => lines(request, name.replaceAll(".", "\\.")).length > 0)).toEqual([]);
    expect(lines(request, "x_app").concat(lines(request, "my_header"))).toEqual(["10.9.8.7", "10.9.8.7"]);
  }
  expect(lines(task.requests[0] ?? "", "x-forwarded-for")).toEqual(["203.0.113.7"]);
});

const noNginx = missingPrograms(["nginx"]).length > 0;

test.skipIf(noNginx)(
  `[Q27] nginx with "gzip on" compresses through the mesh${noNginx ? " (skipped: no nginx; apt-get install nginx-light)" : ""}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "waggle-nginx-"));
    const nginxPort = await freePort();
    const page = "<p>compressible</p>".repeat(1_000);
    writeFileSync(join(folder, "index.html"), page);
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; user root;
      events {}
      http { access_log off; gzip on; types { text/html html; }
        server { listen 127.0.0.1:${nginxPort}; root ${folder}; } }`,
    );
    const nginx = startProgram("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"]);
    try {
      const origin = `http://127.0.0.1:${nginxPort}`;
      await until("nginx", async () => (await fetch(origin)).ok);
      await publish(
        serviceOf("plain", 9105, [origin]),
        serviceOf("named", 9106, [origin], { options: { via: true } }),
      );
      const headers = "Accept-Encoding: gzip\r\nConnection: close\r\n";
      const plain = await send(9105, "/", { headers });
      expect(lines(plain.text, "content-encoding")).toEqual(["gzip"]);
      expect(plain.body.length).toBeLessThan(page.length / 20);
      // nginx does not compress for proxies that name themselves, unless "gzip_proxied" says so.
      const named = await send(9106, "/", { headers });
      expect([lines(named.text, "content-encoding"), named.body]).toEqual([[], page]);
    } finally {
      await nginx.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test("[X129] [X130] [X131] a response names what the client asked for, also beside bytes that are not UTF-8", async () => {
  const task = await use((request) => {
    const host = lines(request, "host")[0];
    const cookies = `Set-Cookie: a=1; Domain=${loopbackHost}\r\nSet-Cookie: b=2\r\nSet-Cookie: c=3; domain=${loopbackHost}; Path=/\r\n`;
    return `HTTP/1.1 302 Found\r\nLocation: http://${host}/dir/\r\nContent-Location: //${host}/x\r\nRefresh: 0; url=http://${host}\r\nX-Odd: \xe9\r\n${cookies}Content-Length: 0\r\n\r\n`;
  });
  const { text } = await send(await publishTask(task), "/dir", {
    entry: { scheme: "https" },
    host: "www.example.com:8443",
  });
  const values = ["location", "content-location", "refresh", "set-cookie", "x-odd"].map((name) =>
    lines(text, name),
  );
  expect(values).toEqual([
    ["https://www.example.com:8443/dir/"],
    ["//www.example.com:8443/x"],
    ["0; url=https://www.example.com:8443"],
    ["a=1; Domain=www.example.com", "b=2", "c=3; domain=www.example.com; Path=/"],
    ["\xe9"],
  ]);
});

test("[X131] cookies are not rewritten if one has bytes that would be lost", async () => {
  const task = await use(() => ok("", `Set-Cookie: a=1; Domain=${loopbackHost}\r\nSet-Cookie: b=\xe9\r\n`));
  const { text } = await send(await publishTask(task), "/");
  expect(lines(text, "set-cookie")).toEqual([`a=1; Domain=${loopbackHost}`, "b=\xe9"]);
});

test("[W47] a sticky cookie in a line of its own counts and reaches no task, and UTF-8 survives", async () => {
  const own = [await use(), await use(), await use()];
  const origins = own.map(({ origin }) => origin);
  await publish(serviceOf("app", 9107, origins, { options: { sticky: "SRV" } }));
  const set = lines((await send(9107, "/")).text, "set-cookie")[0] ?? "";
  const sticky = set.slice(0, set.indexOf(";"));
  const first = own.find(({ requests }) => requests.length === 1);
  for (const headers of [
    `Cookie: a=1\r\nCookie: ${sticky}\r\nCookie: b=caf\xc3\xa9\r\n`,
    `Cookie: ${sticky}\r\nCookie: a=1; b=caf\xc3\xa9\r\n`,
  ]) {
    const { text } = await send(9107, "/", { headers });
    expect(lines(text, "set-cookie")).toEqual([]);
    const [cookie = ""] = lines(first?.requests.at(-1) ?? "", "cookie");
    expect(cookie.split(/[,;] /)).toEqual(["a=1", "b=caf\xc3\xa9"]);
  }
  expect(own.map(({ requests }) => requests.length).toSorted()).toEqual([0, 0, 3]);
});

test("[W48] bytes in a Cookie header that are not UTF-8 survive, with the sticky cookie beside them", async () => {
  const own = [await use(), await use()];
  await publish(
    serviceOf(
      "app",
      9108,
      own.map(({ origin }) => origin),
      { options: { sticky: "SRV" } },
    ),
  );
  const first = await send(9108, "/", { headers: "Cookie: a=\xe9\xff\r\n" });
  const set = lines(first.text, "set-cookie")[0] ?? "";
  const sticky = set.slice(0, set.indexOf(";"));
  const task = own.find(({ requests }) => requests.length === 1);
  expect(lines(task?.requests[0] ?? "", "cookie")).toEqual(["a=\xe9\xff"]);
  await send(9108, "/", { headers: `Cookie: ${sticky}; a=\xe9\xff\r\n` });
  expect(lines(task?.requests[1] ?? "", "cookie")).toEqual([`${sticky}; a=\xe9\xff`]);
});
