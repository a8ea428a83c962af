// Regular expressions of checks on a real mesh, compared with a real HAProxy.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServerStatus } from "../../src/protocol/server.ts";
import { csvRow, readCsv } from "../support/haproxy-csv.ts";
import { freePort, MeshProcess, newStateDir } from "../support/mesh-process.ts";
import { missingPrograms, startProgram } from "../support/program.ts";
import { until } from "../support/until.ts";

/** Responds to `/BODY` with that body, percent-decoded. */
let backend: Server;
let port: number;

beforeAll(async () => {
  backend = createServer((request, response) =>
    response.end(decodeURIComponent(request.url?.slice(1) ?? "")),
  );
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  port = (backend.address() as AddressInfo).port;
});

afterAll(async () => {
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
});

describe("a pattern that a backtracking engine does not finish", () => {
  test("[F36] [F39] leaves the mesh responsive; its server can be changed and removed, after a restart too", async () => {
    const stateDir = newStateDir();
    const first = await MeshProcess.start(["--nodes", "0"], stateDir);
    try {
      const target = `127.0.0.1:${port}`;
      const check = ["--check", "--inter", "200ms", "--httpchk", `/${"a".repeat(60)}!`];
      const evil = ["--expect", "rstring (a+)+$"];
      await run(
        first,
        "server",
        "add",
        "web",
        "one",
        target,
        ...check,
        ...evil,
        "--label",
        "waggle.host=web.test",
      );
      await lastCheckOf(first, "L7RSP/200");
    } finally {
      await first.stop();
    }
    replaceStoredText(stateDir, '"(a+)+$"', '"(?=a)a"');

    const mesh = await MeshProcess.start(["--nodes", "0"], stateDir);
    try {
      const { lastCheck, status } = await lastCheckOf(mesh, 'cannot use the pattern "(?=a)a"');
      expect([status, lastCheck]).toEqual(["DOWN", expect.stringContaining("lookahead (?= is not")]);
      await run(mesh, "server", "set", "web/one", "--weight", "5");
      await run(mesh, "server", "set", "web/one", "--admin", "maint");
      await run(mesh, "server", "set", "web/one", "--admin", "ready", "--expect", "rstring a!$");
      await lastCheckOf(mesh, "L7OK/200");
      const refused = await mesh.waggle("server", "set", "web/one", "--expect", "rstring (?=a)a");
      expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("lookahead (?= is not")]);
      await run(mesh, "server", "rm", "web/one");
      expect(await mesh.get("/mesh/servers")).toEqual([]);
    } finally {
      await mesh.remove();
    }
  });
});

const missing = missingPrograms(["haproxy"]);
const skipPrefix = missing.length === 0 ? "" : `skipped: not installed: ${missing.join(", ")}: `;

describe.skipIf(missing.length > 0)(`${skipPrefix}a pattern of HAProxy`, () => {
  const expectations: readonly (readonly [expectation: string, body: string])[] = [
    ["rstring ^OK$", "OK"],
    ["rstring ^OK$", "OK\n"],
    ["rstring ^OK$", "OK\n\n"],
    ["rstring ^OK$", "all\nOK\n"],
    ["rstring (?m)^OK$", "all\nOK\nfine\n"],
    ["rstring ^OK\\z", "OK\n"],
    ["rstring a.b", "a\nb"],
    ["rstring a.b", "a\rb"],
    ["rstring (?s)a.b", "a\nb"],
    ["rstring (?i)healthy", "all HEALTHY"],
    ["rstring grün", "alles grün"],
    ["string grün", "alles grün"],
    ["rstring \\d{3}", "is 200"],
    ["rstring \\bup\\b", "sup"],
    ["rstring [[:upper:]]{2,3}!", "up UP!"],
    ["rstring \\Qa.b\\E", "axb"],
    ['rstring "status":\\s*"(up|ok)"', '{"status": "ok"}'],
    ["rstring (a+)+$", "aaaaaaaa!"],
    ["rstring \\x41\\.", "A."],
    ["rstring ^$", ""],
    ["! rstring error", "all fine"],
    ["! rstring error", "an error"],
    ["! rstring error", ""],
    ["! string error", ""],
    ["rstatus ^2..$", "any"],
    ["! rstatus ^2", "any"],
  ];

  test("[F42] has the same result in the mesh, which imports the same file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "waggle-patterns-"));
    const file = join(folder, "haproxy.cfg");
    const statsPort = await freePort();
    writeFileSync(file, configuration(statsPort));
    const mesh = await MeshProcess.start(["--nodes", "0"]);
    const haproxy = startProgram("haproxy", ["-db", "-f", file]);
    try {
      expect(await run(mesh, "import", file)).not.toMatch(/could not {2}http-check/);
      const haproxyWords = await haproxyResults(statsPort);
      await until("the first check of each server", async () =>
        (await serversOf(mesh)).every(({ last }) => last !== null),
      );
      const byName = new Map((await serversOf(mesh)).map(({ service, last }) => [service, last?.word]));
      const results = expectations.map((expectation, index) => [...expectation, byName.get(`b${index}`)]);
      expect(results).toEqual(
        expectations.map((expectation, index) => [...expectation, haproxyWords[index]]),
      );
      expect(new Set(haproxyWords)).toEqual(new Set(["L7OK", "L7RSP", "L7STS"]));
    } finally {
      await haproxy.stop();
      await mesh.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  function configuration(statsPort: number): string {
    const quoted = (text: string) => `"${text.replaceAll(/[\\"$]/g, "\\$&")}"`;
    const backends = expectations.map(([expectation, body], index) => {
      const [, head = "", pattern = ""] = /^((?:! )?\w+ )(.*)$/s.exec(expectation) ?? [];
      return `backend b${index}
    option httpchk
    http-check send meth GET uri ${quoted(`/${encodeURIComponent(body)}`)} ver HTTP/1.1 hdr Host a.example.com
    http-check expect ${head}${quoted(pattern)}
    server one 127.0.0.1:${port} check inter 500ms
`;
    });
    return `defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen stats
    bind 127.0.0.1:${statsPort}
    stats enable
    stats uri /stats
${backends.join("")}`;
  }

  async function haproxyResults(statsPort: number): Promise<readonly (string | undefined)[]> {
    let words: readonly (string | undefined)[] = [];
    await until("HAProxy's first checks", async () => {
      const csv = readCsv(await (await fetch(`http://127.0.0.1:${statsPort}/stats;csv`)).text());
      words = expectations.map((_, index) => csvRow(csv, `b${index}`, "one").check_status);
      return words.every((word) => word !== "INI" && word?.startsWith("*") === false);
    });
    return words;
  }
});

function serversOf(mesh: MeshProcess): Promise<readonly ServerStatus[]> {
  return mesh.get("/mesh/servers");
}

/** Waits until the last check of the only server has this text. */
function lastCheckOf(mesh: MeshProcess, text: string): Promise<ServerStatus> {
  const probe = async () => (await serversOf(mesh)).find(({ lastCheck }) => lastCheck.includes(text));
  return until(`a check with ${text}`, probe, { withinMs: 20_000 });
}

async function run(mesh: MeshProcess, ...args: string[]): Promise<string> {
  const { code, out, err } = await mesh.waggle(...args);
  expect([args, code, err]).toEqual([args, 0, ""]);
  return out;
}

/**
 * Replaces text in the stored servers of a mesh that is stopped and in its prober's list, as if an earlier
 * release had stored it.
 */
function replaceStoredText(stateDir: string, from: string, to: string): void {
  const columns = new Map([
    ["servers", "body"],
    ["facts", "value"],
  ]);
  const files = readdirSync(stateDir, { recursive: true, encoding: "utf8" });
  let changed = 0;
  for (const file of files.filter((name) => name.endsWith(".sqlite"))) {
    using database = new DatabaseSync(join(stateDir, file));
    for (const { name } of database.prepare("SELECT name FROM sqlite_master").all()) {
      const column = columns.get(String(name));
      if (column === undefined) continue;
      const update = `UPDATE ${name} SET ${column} = replace(${column}, ?, ?) WHERE instr(${column}, ?) > 0`;
      changed += Number(database.prepare(update).run(from, to, from).changes);
    }
  }
  expect(changed).toBe(2);
}
