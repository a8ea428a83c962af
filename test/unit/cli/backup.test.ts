// `waggle backup` and `waggle restore`, between control APIs over real registries.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { newFile, openFile } from "../../../src/cli/backup/file-format.ts";
import { BackupFile } from "../../../src/cli/backup/read-file.ts";
import type { Cli, KeySource } from "../../../src/cli/cli.ts";
import { controlApp } from "../../../src/control/app.ts";
import { unwrap } from "../../../src/domain/model/error.ts";
import { newestStep } from "../../../src/registry/backup-store.ts";
import { serve } from "../../support/serve.ts";
import { SmallDisk } from "../../support/small-disk.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { until } from "../../support/until.ts";
import { TestMesh } from "../registry/harness.ts";
import { fakeMesh, type RunResult, runCli } from "./support.ts";

// A key that is not easily guessed takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const viewerToken = "a-token-for-viewers";
const data = Buffer.from("hunter2 opens it").toString("base64");

type Served = {
  readonly url: string;
  readonly token: string;
  readonly mesh: TestMesh;
  readonly stop: () => Promise<void>;
};

async function serveMesh(token: string): Promise<Served> {
  const mesh = new TestMesh();
  mesh.idPad = token.charAt(2);
  mesh.sealSecret = token;
  mesh.restart();
  const telemetry = newTelemetry(() => mesh.nowMs);
  const app = controlApp({
    mesh: mesh.registry,
    telemetry,
    counters: telemetry,
    operatorToken: token,
    viewerToken,
    entrySettings: { domain: "", balancerPort: 8000 },
    now: () => mesh.nowMs,
    newId: () => "request",
    dialGateway: async () => new Response(null, { status: 503 }),
    forward: async () => new Response(null, { status: 503 }),
  });
  const server = await serve((request) => app.fetch(request));
  return { url: `http://${server.host}`, token, mesh, stop: () => server.stop() };
}

const passphrase = "correct horse battery staple";

let folder = "";
let key = "";
let from: Served;
let file = "";
let taken: RunResult;

const on = ({ url, token }: Pick<Served, "url" | "token">, args: string, overrides: Partial<Cli> = {}) =>
  runCli(args.split(" ").filter(Boolean), {
    ...overrides,
    env: { WAGGLE_URL: url, WAGGLE_TOKEN: token, XDG_CONFIG_HOME: folder, ...overrides.env },
  });

/** Another backup may begin. */
const pause = ({ mesh }: Served) => {
  mesh.nowMs += 10_000;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "waggle-backup-"));
  key = join(folder, "key");
  writeFileSync(key, `${passphrase}\n`, { mode: 0o600 });
  from = await serveMesh("a-first-operator-token");
  from.mesh.node("node1");
  from.mesh.service("web");
  from.mesh.work();
  unwrap(
    from.mesh.registry.createDependency({ kind: "config", name: "plain", labels: {}, data }, "operator"),
  );
  file = join(folder, "mesh.backup");
  const written = join(folder, "written.backup");
  taken = await on(from, `backup --passphrase-file ${key} ${written}`);
  if (taken.code === 0) await copyCheaply(written, file);
});

/** The same backup with a key that takes no time to derive. */
async function copyCheaply(written: string, copy: string): Promise<void> {
  const { head } = await BackupFile.open(written);
  const open = await openFile(head, passphrase);
  const lines = readFileSync(written, "utf8").trimEnd().split("\n").slice(2);
  const { key: _, ...description } = head.header;
  const cheap = await newFile(passphrase, description, { N: 2, r: 1, p: 1 });
  const parts = lines.map((line, at) => cheap.seal(at, open?.(at, line) ?? Buffer.alloc(0)));
  writeFileSync(copy, cheap.head.text + parts.join(""), { mode: 0o600 });
}

afterAll(async () => {
  await from.stop();
  rmSync(folder, { recursive: true });
});

/** A file with the lines of the backup, changed. */
function changed(name: string, change: (lines: string[]) => readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, change(readFileSync(file, "utf8").split("\n")).join("\n"));
  return path;
}

/** A terminal on which each text is typed when the command reads. */
function typing(...texts: string[]): KeySource {
  const listeners = new Set<(bytes: Uint8Array) => void>();
  return {
    isTTY: true,
    setRawMode: () => {},
    resume: () => {
      const text = texts.shift() ?? "";
      setTimeout(() => {
        for (const listener of [...listeners]) listener(Buffer.from(text));
      });
    },
    pause: () => {},
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
  };
}

describe("the file", () => {
  const written = () => join(folder, "written.backup");

  test("[L160] says in clear text what it is; everything else is sealed", () => {
    expect(taken).toMatchObject({ code: 0, err: "" });
    expect(taken.out).toMatch(
      /^backup of the mesh test of 2027-\S+Z: 1 service \(web\), 1 node \(node1\) and 1 config \(plain\); 1 task, \d+ events\n.*\/written\.backup: \d+\.\d KiB, for its owner only; keep the passphrase elsewhere\n$/,
    );
    const [first, head = "", ...parts] = readFileSync(written(), "utf8").trimEnd().split("\n");
    expect(first).toBe("waggle-backup 1");
    expect(JSON.parse(head)).toMatchObject({
      mesh: { id: from.mesh.registry.info().id, name: "test" },
      at: expect.stringMatching(/Z$/),
      waggle: "0.1.0",
      parts: parts.length,
      key: { kdf: "scrypt", N: 131_072, r: 8, p: 1, cipher: "aes-256-gcm" },
    });
    expect(parts.every((line) => /^[A-Za-z0-9_-]+$/.test(line))).toBe(true);
    const { token } = from;
    for (const secret of [data, token, "hunter2", from.mesh.registry.joinTokens().worker])
      expect(readFileSync(written(), "utf8")).not.toContain(secret);
  });

  test("[L163] is for its owner only, and replaces another one only by --force", async () => {
    expect((statSync(written()).mode & 0o777).toString(8)).toBe("600");
    const before = readFileSync(file);
    pause(from);
    const again = await on(from, `backup --passphrase-file ${key} ${file}`);
    expect(again).toEqual({
      code: 1,
      out: "",
      err: `waggle: ${file} exists\nname another file, or overwrite it with --force\n`,
    });
    expect(readFileSync(file).equals(before)).toBe(true);
    const copy = join(folder, "forced");
    writeFileSync(copy, "an older backup");
    expect((await on(from, `backup --force --passphrase-file ${key} ${copy}`)).code).toBe(0);
    expect(readFileSync(copy, "utf8")).toMatch(/^waggle-backup 1\n/);
    expect(readdirSync(folder).filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  test.each<[string, () => string, RegExp]>([
    ["a missing folder", () => join(folder, "none/mesh.backup"), /there is no folder .*none\n/],
    ["a file as folder", () => join(file, "mesh.backup"), /mesh\.backup is not a folder\n/],
    ["a folder", () => folder, /is a folder\n/],
    ["a device", () => "/dev/null", /\/dev\/null is not a regular file\n- writes to standard output/],
    ["a system folder", () => "/proc/mesh.backup", /cannot write \/proc\/mesh\.backup: /],
  ])("[L163] that cannot be written is refused before the mesh is asked: %s", async (_, path, reason) => {
    const events = from.mesh.events("mesh.backup").length;
    const { code, out, err } = await on(from, `backup --force --passphrase-file ${key} ${path()}`);
    expect([code === 1 || code === 2, out]).toEqual([true, ""]);
    expect(err).toMatch(reason);
    expect(from.mesh.events("mesh.backup")).toHaveLength(events);
  });

  const disk = SmallDisk.mount(1);
  test.skipIf(typeof disk === "string")("[L163] a full disk or a read-only one leaves nothing", async () => {
    if (typeof disk === "string") return;
    try {
      disk.fill();
      pause(from);
      expect(await on(from, `backup --passphrase-file ${key} ${disk.path}/mesh.backup`)).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringMatching(/: the disk is full\nnothing was written; name a file elsewhere\n$/),
      });
      expect(readdirSync(disk.path)).toEqual(["filler"]);
    } finally {
      disk.unmount();
    }
  });

  test("[L164] goes to standard output for -, without another word there", async () => {
    pause(from);
    const { code, out, err } = await on(from, `backup --passphrase-file ${key} -`);
    expect([code, out.split("\n")[0]]).toEqual([0, "waggle-backup 1"]);
    expect(err).toMatch(/^backup of the mesh test of /);
    const copy = join(folder, "from-stdout");
    writeFileSync(copy, out);
    expect((await on(from, `backup --inspect --passphrase-file ${key} ${copy}`)).code).toBe(0);
  });

  const bin = fileURLToPath(new URL("../../../bin/waggle", import.meta.url));
  const env = () => ({ ...process.env, WAGGLE_URL: from.url, WAGGLE_TOKEN: from.token, KEY: key, BIN: bin });

  test.each([
    [
      "a reader that has ended",
      '{ $BACKUP; echo "ended with $?" >&2; } | true',
      "the program that reads it has ended",
    ],
    ["a full disk", '$BACKUP >/dev/full; echo "ended with $?" >&2', "the disk is full"],
  ])("[L172] ends with 1 if standard output cannot be written: %s", async (_, script, reason) => {
    pause(from);
    const backup = '"$BIN" backup --passphrase-file "$KEY" -';
    const { stderr } = await promisify(execFile)("sh", ["-c", script.replace("$BACKUP", backup)], {
      env: env(),
    });
    expect(stderr).toBe(
      `waggle: cannot write the backup to standard output: ${reason}\nwhat was written is not a whole backup\nended with 1\n`,
    );
    const parts = from.mesh.database.exec("SELECT count(*) AS parts FROM transfer_parts");
    expect(parts).toEqual([{ parts: 0 }]);
  });

  test("[L172] waits for a slow reader", async () => {
    pause(from);
    let [waiting, most] = [0, 0];
    const writeOut = async () => {
      waiting += 1;
      most = Math.max(most, waiting);
      await new Promise((resolve) => setTimeout(resolve, 30));
      waiting -= 1;
    };
    expect((await on(from, `backup --passphrase-file ${key} -`, { writeOut })).code).toBe(0);
    expect([waiting, most]).toEqual([0, 1]);
  });

  test.each(["SIGTERM", "SIGHUP", "SIGINT"] as const)("[L173] %s leaves nothing of it", async (signal) => {
    const { pid = 0, ended, started } = await interruptedBackup();
    await started;
    expect(drafts()).toHaveLength(1);
    process.kill(pid, signal);
    await until("the draft is removed", () => drafts().length === 0);
    expect(await ended()).toEqual({ code: 130, stderr: "" });
    expect(drafts()).toEqual([]);
  });

  const drafts = () => readdirSync(folder).filter((name) => name.startsWith("interrupted"));

  /** A backup that waits for its first part. */
  async function interruptedBackup() {
    const part = Promise.withResolvers<Response>();
    const asked = Promise.withResolvers<void>();
    const id = "a".repeat(25);
    const atMs = from.mesh.nowMs;
    const headers = { "x-request-id": "request" };
    const mesh = await serve(async ({ method, url }) => {
      const { pathname } = new URL(url);
      if (method === "POST")
        return Response.json({ id, parts: 1, step: 9, mesh: { id: "x", name: "x" }, atMs }, { headers });
      if (!pathname.startsWith("/mesh/backup"))
        return Response.json({ Version: "1", ApiVersion: "1.44" }, { headers });
      if (method === "DELETE") return new Response(null, { headers });
      asked.resolve();
      return await part.promise;
    });
    const args = ["backup", "--passphrase-file", key, join(folder, "interrupted")];
    const child = spawn(bin, args, {
      env: { ...env(), WAGGLE_URL: `http://${mesh.host}` },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const exited = once(child, "close");
    let stderr = "";
    child.stderr.on("data", (bytes) => {
      stderr += bytes;
    });
    return {
      pid: child.pid,
      started: asked.promise,
      ended: async () => {
        part.resolve(new Response(null, { status: 404, headers }));
        const [code] = await exited;
        await mesh.stop();
        return { code, stderr };
      },
    };
  }

  test("[L172] any other verb ends with 1 and a sentence if the disk is full", async () => {
    const { stdout, stderr } = await promisify(execFile)(
      "sh",
      ["-c", '"$BIN" --help >/dev/full || echo "ended with $?"'],
      { env: env() },
    );
    expect([stdout, stderr]).toEqual([
      "ended with 1\n",
      "waggle: cannot write to standard output: the disk is full\n",
    ]);
  });

  test("[L165] is inspected without a mesh, and with its passphrase shows names and numbers, and no values", async () => {
    const nowhere = { url: "http://127.0.0.1:1", token: "none" };
    const plain = await on(nowhere, `backup --inspect ${file}`);
    expect(plain).toMatchObject({ code: 0, err: "" });
    expect(plain.out).toContain("contents  sealed: give --passphrase-file FILE, or set WAGGLE_PASSPHRASE\n");
    expect(plain.out).not.toContain("web");
    const open = await on(nowhere, `backup --inspect ${file}`, {
      env: { WAGGLE_PASSPHRASE: passphrase },
    });
    expect(open.out).toContain("1 service (web), 1 node (node1) and 1 config (plain); 1 task");
    expect(open.out).not.toContain(data);
    const json = await on(nowhere, `backup --inspect --json --passphrase-file ${key} ${file}`);
    expect(JSON.parse(json.out)).toMatchObject({
      mesh: { name: "test" },
      contents: { services: ["web"] },
      unreadable: [],
    });
    expect((await on(nowhere, "backup --inspect")).code).toBe(2);
  });
});

describe("the passphrase", () => {
  const path = () => join(folder, `asked-${readdirSync(folder).length}`);

  test("[L162] is asked for twice, and not shown", async () => {
    pause(from);
    const keys = typing("a long passphrase\r", "a long passphrase\r");
    const asked = path();
    const { code, err } = await on(from, `backup ${asked}`, { keys });
    expect([code, err]).toEqual([0, "Passphrase of the backup: \nThe same again: \n"]);
    const opened = await on(from, `backup --inspect ${asked}`, {
      env: { WAGGLE_PASSPHRASE: "a long passphrase" },
    });
    expect(opened.code).toBe(0);
  });

  test.each<[string, () => Partial<Cli>, string, RegExp]>([
    [
      "two that differ",
      () => ({ keys: typing("a long passphrase\r", "another one\r") }),
      "",
      /the two passphrases differ/,
    ],
    ["an empty one", () => ({ keys: typing("\r") }), "", /the passphrase is empty/],
    ["an empty variable", () => ({ env: { WAGGLE_PASSPHRASE: "" } }), "", /WAGGLE_PASSPHRASE is empty/],
    [
      "none, and no terminal",
      () => ({}),
      "",
      /no passphrase was given, and there is no terminal to ask on\ngive --passphrase-file FILE, or set WAGGLE_PASSPHRASE/,
    ],
    [
      "no such file",
      () => ({}),
      "--passphrase-file /none",
      /cannot read --passphrase-file \/none: there is no such file/,
    ],
    ["an argument", () => ({}), "--passphrase secret", /unknown flag|unknown option/],
  ])("[L162] is refused: %s", async (_, overrides, flags, reason) => {
    const at = path();
    const { code, out, err } = await on(from, `backup ${flags} ${at}`, overrides());
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(reason);
    expect(existsSync(at)).toBe(false);
  });

  test("[L162] a short one and a file that others can read are warned of", async () => {
    pause(from);
    const short = join(folder, "short");
    writeFileSync(short, "short");
    chmodSync(short, 0o644);
    const { code, err } = await on(from, `backup --passphrase-file ${short} ${path()}`);
    expect(code).toBe(0);
    expect(err).toContain(`other users of this machine can read ${short}`);
    expect(err).toContain("fewer than 12 characters");
  });
});

describe("a file that cannot be restored", () => {
  const swap = (lines: string[], at: number, change: (line: string) => string) =>
    lines.map((line, index) => (index === at ? change(line) : line));
  const withHead = (change: (head: Record<string, unknown>) => object) => (lines: string[]) =>
    swap(lines, 1, (line) => JSON.stringify(change(JSON.parse(line))));

  test.each<[string, () => string, RegExp]>([
    ["missing", () => join(folder, "none"), /cannot read .*none: there is no such file\n$/],
    ["a folder", () => folder, /cannot read .*: it is a folder\n$/],
    ["empty", () => changed("empty", () => []), /empty is empty\n/],
    [
      "another file",
      () => key,
      /key is not a backup of waggle: it begins with "correct horse battery staple"\na backup begins with "waggle-backup 1"/,
    ],
    [
      "one long line",
      () => changed("long", () => ["x".repeat(100_000)]),
      /is not a backup of waggle: it begins with "x{30}"\n/,
    ],
    [
      "of a later format",
      () => changed("later", (lines) => swap(lines, 0, () => "waggle-backup 2")),
      /has format 2, and this release reads format 1\nuse the release that wrote it, or a later one\n$/,
    ],
    [
      "without its header",
      () => changed("headless", ([first = ""]) => [first]),
      /has a header that cannot be read: /,
    ],
    [
      "with a costly key",
      () =>
        changed(
          "costly",
          withHead((head) => ({ ...head, key: { ...(head.key as object), N: 2 ** 30 } })),
        ),
      /has a header that cannot be read: key: N: /,
    ],
    [
      "with an odd cost",
      () =>
        changed(
          "odd",
          withHead((head) => ({ ...head, key: { ...(head.key as object), N: 100_000 } })),
        ),
      /key: N: a power of two is expected\n/,
    ],
    [
      "cut in a line",
      () => changed("cut", (lines) => swap(lines, lines.length - 2, (line) => line.slice(0, 9)).slice(0, -1)),
      /ends too early: it has \d of \d+ parts\n/,
    ],
    [
      "cut after a line",
      () => changed("short-file", (lines) => [...lines.slice(0, 4), ""]),
      /ends too early: it has 2 of \d+ parts\n/,
    ],
    [
      "with a part too many",
      () => changed("more", (lines) => [...lines.slice(0, -1), "abcd", ""]),
      /goes on after its last part\n/,
    ],
    [
      "with a changed part",
      () =>
        changed("flipped", (lines) =>
          swap(lines, 3, (line) => `${line.startsWith("A") ? "B" : "A"}${line.slice(1)}`),
        ),
      /part 2 of .*flipped was changed after it was written\ntake another copy of the file; nothing was changed\n$/,
    ],
    [
      "with two parts exchanged",
      () => changed("moved", ([a = "", b = "", c = "", d = "", ...rest]) => [a, b, d, c, ...rest]),
      /part 1 of .*moved was changed after it was written\n/,
    ],
    [
      "with another name in its header",
      () =>
        changed(
          "renamed",
          withHead((head) => ({ ...head, mesh: { id: "x", name: "other" } })),
        ),
      /part 1 of .*renamed was changed after it was written\n/,
    ],
    [
      "of another passphrase",
      () =>
        changed(
          "resalted",
          withHead((head) => ({ ...head, key: { ...(head.key as object), salt: "A".repeat(22) } })),
        ),
      /the passphrase does not open .*resalted\nit is the backup of the mesh test of 2027-\S+, and has the passphrase that was given then\n$/,
    ],
  ])("[L161] %s is refused in a sentence, and nothing is sent", async (_, path, reason) => {
    const nowhere = { url: "http://127.0.0.1:1", token: "none" };
    const { code, out, err } = await on(nowhere, `restore --passphrase-file ${key} ${path()}`);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(reason);
    expect(err.split("\n").length).toBeLessThanOrEqual(3);
  });

  test("[L161] with another passphrase is refused", async () => {
    const { code, err } = await on(from, `restore ${file}`, {
      env: { WAGGLE_PASSPHRASE: "a wrong passphrase" },
    });
    expect([code, err]).toEqual([1, expect.stringContaining(`the passphrase does not open ${file}\n`)]);
    expect((await on(from, "restore -")).code).toBe(2);
  });
});

describe("without the operator token", () => {
  test.each([
    ["no token", false],
    ["an empty one in its state folder", true],
  ])("[L171] nothing is sent or written: %s", async (kind, isInFolder) => {
    const requests: string[] = [];
    // As a mesh behind a proxy that ends TLS, or one that takes the client by its certificate.
    const server = await serve((request) => {
      requests.push(request.url);
      return Response.json({}, { headers: { "x-request-id": "request" } });
    });
    const stateDir = join(folder, `state of ${kind}`.replaceAll(" ", "-"));
    mkdirSync(stateDir);
    const control = `http://${server.host}`;
    writeFileSync(join(stateDir, "mesh.json"), JSON.stringify({ control, token: "" }));
    const env = { WAGGLE_URL: isInFolder ? "" : control, WAGGLE_TOKEN: "" };
    const state = !isInFolder ? "" : `--state ${stateDir}`;
    const target = join(folder, "unsealed");
    try {
      for (const verb of ["restore", "backup"]) {
        const path = verb === "restore" ? file : target;
        const { code, out, err } = await on(from, `${verb} ${state} --passphrase-file ${key} ${path}`, {
          env,
        });
        expect([code, out]).toEqual([4, ""]);
        expect(err).toBe(
          `waggle: a backup travels sealed with the operator token of the mesh at ${control}, and this command has none\ngive the operator token with WAGGLE_TOKEN=… or --token-file FILE; nothing was sent\n`,
        );
      }
      expect(requests).toEqual([]);
      expect(readdirSync(folder).filter((name) => name.startsWith("unsealed"))).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});

describe("restore", () => {
  let to: Served;
  beforeAll(async () => {
    to = await serveMesh("a-second-operator-token");
    to.mesh.nowMs = from.mesh.nowMs;
  });
  afterAll(() => to.stop());

  test("[L166] is for operators, and a refusal leaves no part behind", async () => {
    const viewer = await on({ url: to.url, token: viewerToken }, `restore --passphrase-file ${key} ${file}`);
    expect([viewer.code, viewer.out]).toEqual([4, ""]);
    const backup = await on(
      { url: from.url, token: viewerToken },
      `backup --passphrase-file ${key} ${folder}/viewed`,
    );
    expect([backup.code, existsSync(join(folder, "viewed"))]).toEqual([4, false]);
  });

  test("[L166] fills a new mesh, sealed under its own token, and says what follows", async () => {
    const { code, out, err } = await on(to, `restore --passphrase-file ${key} ${file}`);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(
      /^restored into the mesh test at \S+: 1 service \(web\), 1 node \(node1\) and 1 config \(plain\), as of 2027-\S+\nagents connect by themselves [^\n]+\ntasks of nodes that have not returned by \S+ are replaced on others\n$/,
    );
    expect(to.mesh.registry.dependency("config", "plain")).toMatchObject({ ok: true, value: { data } });
    expect(to.mesh.database.exec("SELECT count(*) AS parts FROM transfer_parts")).toEqual([{ parts: 0 }]);
    expect(to.mesh.registry.services().map(({ spec }) => spec.name)).toEqual(["web"]);
  });

  test("[L166] refuses a mesh that has something, and replaces it after its name was typed", async () => {
    to.mesh.service("newer");
    const flags = `--passphrase-file ${key} ${file}`;
    const lost = "2 services (newer, web), 1 node (node1) and 1 config (plain)";
    expect(await on(to, `restore ${flags}`)).toMatchObject({
      code: 1,
      err: `waggle: the mesh test is not empty, it has ${lost}: restore into a new mesh, or replace all of this one with --replace\n`,
    });
    const asked = await on(to, `restore --replace ${flags}`, { keys: typing("yes\n") });
    expect(asked).toMatchObject({ code: 1, out: "" });
    expect(asked.err).toContain(`This deletes what the mesh test at ${to.url} has: ${lost}.\n`);
    expect(asked.err).toContain("nothing was changed: that is not the mesh's name");
    for (const [more, code] of [
      ["", 2],
      ["--yes", 2],
      ["--yes --name other", 2],
    ] as const)
      expect((await on(to, `restore --replace ${more} ${flags}`)).code).toBe(code);
    expect(to.mesh.registry.services()).toHaveLength(2);
    expect((await on(to, `restore --replace ${flags}`, { keys: typing("test\n") })).code).toBe(0);
    expect((await on(to, `restore --replace --yes --name test ${flags}`)).code).toBe(0);
    expect(to.mesh.registry.services().map(({ spec }) => spec.name)).toEqual(["web"]);
  });

  test("[M258] refuses after a change that came while it asked, names it, and asks again the next time", async () => {
    to.mesh.service("before");
    const flags = `--passphrase-file ${key} ${file}`;
    const keys = typing("test\n");
    const resume = () => {
      to.mesh.service("meanwhile");
      keys.resume();
    };
    const refused = await on(to, `restore --replace ${flags}`, { keys: { ...keys, resume } });
    expect([refused.code, refused.out]).toEqual([1, ""]);
    expect(refused.err).toContain(
      "waggle: the mesh test has changed since it was shown what the restore deletes (service.create meanwhile by operator): restore again, and confirm what it has now\n",
    );
    const names = () => to.mesh.registry.services().map(({ spec }) => spec.name);
    expect(names()).toEqual(expect.arrayContaining(["before", "meanwhile"]));
    expect(to.mesh.database.exec("SELECT count(*) AS parts FROM transfer_parts")).toEqual([{ parts: 0 }]);
    const again = await on(to, `restore --replace ${flags}`, { keys: typing("test\n") });
    expect([again.code, again.err]).toEqual([0, expect.stringContaining("(before, meanwhile")]);
    expect(names()).toEqual(["web"]);
  });

  test("[L166] a server without the routes is named: an earlier release, or a Docker daemon", async () => {
    await using other = await fakeMesh({
      "GET /version": { json: { Version: "29.1.3", ApiVersion: "1.52" } },
      "GET /info": { json: { Name: "a-docker-host" } },
    });
    const at = { url: other.url, token: "a-token-for-another-server" };
    const expected = {
      code: 1,
      err: expect.stringMatching(
        /knows no backups: it has no route \/mesh\/\w+\nit is a mesh of an earlier release/,
      ),
    };
    expect(await on(at, `restore --passphrase-file ${key} ${file}`)).toMatchObject(expected);
    expect(await on(at, `backup --passphrase-file ${key} ${folder}/of-docker`)).toMatchObject(expected);
    expect(existsSync(join(folder, "of-docker"))).toBe(false);
  });

  test("[L166] that is interrupted changes nothing", async () => {
    to.mesh.service("kept");
    const stop = new AbortController();
    stop.abort();
    const overrides = { onInterrupt: () => stop.signal };
    const flags = `--replace --yes --name test --passphrase-file ${key} ${file}`;
    expect((await on(to, `restore ${flags}`, overrides)).code).toBe(130);
    expect(to.mesh.registry.services()).toHaveLength(2);
    expect(to.mesh.database.exec("SELECT count(*) AS parts FROM transfer_parts")).toEqual([{ parts: 0 }]);
    pause(from);
    const half = join(folder, "half");
    expect((await on(from, `backup --passphrase-file ${key} ${half}`, overrides)).code).toBe(130);
    expect(readdirSync(folder).filter((name) => name.startsWith("half"))).toEqual([]);
  });

  test("[L167] a backup that an earlier release has written is restored", async () => {
    const fixtures = new URL("../../fixtures/backups/", import.meta.url);
    const newest = `step-${newestStep}.backup`;
    expect(readdirSync(fixtures), `run: node test/fixtures/record-state.ts backup > ${newest}`).toContain(
      newest,
    );
    for (const name of readdirSync(fixtures)) {
      const target = await serveMesh("a-third-operator-token");
      const path = new URL(name, fixtures).pathname;
      const env = { WAGGLE_PASSPHRASE: "the passphrase of this fixture" };
      const { code, out, err } = await on(target, `restore ${path}`, { env });
      expect([name, code, err]).toEqual([name, 0, ""]);
      expect(out).toContain(
        "3 services (everywhere, stuck, web), 3 nodes (node1, node2, node3), 1 static server (legacy), 1 network (shop), 1 secret (password) and 1 config (settings)",
      );
      const config = target.mesh.registry.dependency("config", "settings");
      expect(config).toMatchObject({ ok: true, value: { data: Buffer.from("value").toString("base64") } });
      expect(target.mesh.running("web")).toHaveLength(2);
      await target.stop();
    }
  });
});
