// Contexts: `waggle context`, `waggle login`, and the file that stores them.

import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cli, KeySource } from "../../../src/cli/cli.ts";
import { findTarget } from "../../../src/cli/mesh-target.ts";
import { directNotice, proxyAdvice, proxySettings } from "../../../src/cli/proxy.ts";
import { type FakeMesh, fakeMesh, type Routes, runCli } from "./support.ts";

let home = "";
let file = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "waggle-home-"));
  file = join(home, "waggle", "contexts.json");
});
afterEach(() => rmSync(home, { recursive: true }));

const waggle = (args: string, overrides: Partial<Cli> = {}) =>
  runCli(args.split(" "), { ...overrides, env: { XDG_CONFIG_HOME: home, ...overrides.env } });

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

const meshRoutes: Routes = {
  "GET /version": ({ token }) =>
    token === "Bearer right-token" || token === "Bearer viewer-token"
      ? { json: { Version: "0.1.0", ApiVersion: "1.44" } }
      : { status: 401, json: { message: "this token does not belong to this mesh" } },
  "GET /swarm": ({ token }) =>
    token === "Bearer right-token"
      ? { json: { JoinTokens: { Worker: "w", Manager: "m" } } }
      : { status: 403, json: { message: "the viewer token is read-only" } },
  "GET /nodes": { json: [] },
};

async function login(mesh: FakeMesh, text: string, args = "--name prod") {
  async function* input() {
    yield Buffer.from(text);
  }
  return waggle(`login ${args} ${mesh.url}`, { input: input() });
}

describe("[L107] contexts", () => {
  test("[L107] are created, listed, used, shown, inspected and removed, without a token in any output", async () => {
    writeFileSync(join(home, "token"), "a-secret-token\n");
    const created = await waggle(
      `context create prod --url https://mesh.example.com --token-file ${home}/token`,
    );
    expect(created).toMatchObject({ code: 0, out: "prod\n" });
    expect((await waggle("context create lab --url 192.0.2.7:8787 --description lab")).code).toBe(0);
    expect(await waggle("context use prod")).toEqual({ code: 0, out: "prod\n", err: "" });
    expect((await waggle("context show")).out).toBe("prod\n");
    const listed = await waggle("context ls");
    expect(listed.out.split("\n").slice(2)).toEqual([
      "lab       lab           http://192.0.2.7:8787      none      ",
      "prod *                  https://mesh.example.com   stored    ",
      "",
    ]);
    const inspected = await waggle("context inspect");
    expect(JSON.parse(inspected.out)).toMatchObject([{ Name: "prod", Current: true, Token: "stored" }]);
    expect((await waggle("context ls --format {{.Name}}={{.URL}}")).out).toContain(
      "lab=http://192.0.2.7:8787\n",
    );
    expect(listed.out + inspected.out + created.err).not.toContain("a-secret-token");
    expect(await waggle("context rm prod")).toMatchObject({
      code: 1,
      err: expect.stringContaining("is in use"),
    });
    expect(await waggle("context rm --force prod")).toMatchObject({ code: 0, out: "prod\n" });
    expect((await waggle("context show")).out).toBe("default\n");
  });

  test("[L107] the list marks what a flag or variable chooses, and warns of a variable", async () => {
    await waggle("context create a --url http://192.0.2.1:1");
    await waggle("context use a");
    const byUrl = await waggle("context ls", { env: { WAGGLE_URL: "http://192.0.2.9:9" } });
    expect(byUrl.out).toMatch(/^default \* +from WAGGLE_URL +http:\/\/192\.0\.2\.9:9 /m);
    expect(byUrl.err).toContain("WAGGLE_URL is set, and takes precedence");
    await waggle("context create b --url http://192.0.2.2:2");
    expect((await waggle("context ls", { env: { WAGGLE_CONTEXT: "b" } })).out).toMatch(/^b \*/m);
    expect((await waggle("--context b context ls")).out).toMatch(/^b \*/m);
  });

  test.each([
    ["context use nope", 1, 'no context "nope"'],
    ["--context nope node ls", 1, 'no context "nope"'],
    ["--context __proto__ node ls", 1, 'no context "__proto__"'],
    ["context create a/b --url http://x", 2, "is not a name for a context"],
    ["context create default --url http://x", 2, "choose another name"],
    ["context create a --url ftp://x", 2, "cannot read the mesh's URL"],
    ["--host http://a --context b node ls", 2, "--host and --context both name a mesh"],
  ])("[L107] %s is refused", async (args, code, message) => {
    expect(await waggle(args)).toMatchObject({ code, out: "", err: expect.stringContaining(message) });
  });

  test("[L107] completion offers their names", async () => {
    await waggle("context create prod --url http://192.0.2.1:1");
    for (const words of ["context use p", "--context p", "context rm --force "])
      expect((await waggle(`__complete --shell zsh -- ${words}`)).out).toContain("prod");
  });

  test("[L107] an existing context is not overwritten", async () => {
    await waggle("context create a --url http://192.0.2.1:1");
    expect(await waggle("context create a --url http://192.0.2.2:2")).toMatchObject({ code: 1 });
    expect((await waggle("context ls --format {{.URL}}")).out).toContain("http://192.0.2.1:1");
  });
});

describe("[L2] the mesh of a command", () => {
  test("[L2] is that of a flag, else of a variable, else of the context in use; each with its own token", async () => {
    const contexts = {
      current: "prod",
      contexts: {
        prod: { url: "https://prod", token: "prod-token" },
        lab: { url: "http://lab", token: null },
      },
    };
    await waggle("context create x --url http://x");
    writeFileSync(file, JSON.stringify(contexts));
    const env = { XDG_CONFIG_HOME: home };
    const target = async (flags: object, more: object = {}) => {
      const { url, token, source } = await findTarget(flags, { ...env, ...more });
      return [url, token, source];
    };
    expect(await target({})).toEqual(["https://prod", "prod-token", "context prod"]);
    expect(await target({}, { WAGGLE_TOKEN: "t" })).toEqual(["https://prod", "t", "context prod"]);
    expect(await target({}, { WAGGLE_CONTEXT: "lab" })).toEqual(["http://lab", null, "context lab"]);
    expect(await target({}, { WAGGLE_URL: "http://u", WAGGLE_CONTEXT: "lab" })).toEqual([
      "http://u",
      null,
      "WAGGLE_URL",
    ]);
    expect(await target({ context: "lab" }, { WAGGLE_URL: "http://u" })).toEqual([
      "http://lab",
      null,
      "context lab",
    ]);
    expect(await target({ host: "http://h" }, { WAGGLE_CONTEXT: "lab" })).toEqual([
      "http://h",
      null,
      "--host",
    ]);
    await expect(target({}, { WAGGLE_URL: "http://u", WAGGLE_HOST: "http://v" })).rejects.toMatchObject({
      exitCode: 2,
    });
  });

  test("[L2] an error names the context that the URL is from", async () => {
    await waggle("context create lab --url http://127.0.0.1:1");
    const { code, err } = await waggle("--context lab node ls");
    expect([code, err]).toEqual([3, expect.stringContaining("the URL is from context lab")]);
  });
});

describe("[L108] the file of the contexts", () => {
  test("[L108] is for its owner only, and so is its folder", async () => {
    await waggle("context create a --url http://192.0.2.1:1");
    expect([modeOf(join(home, "waggle")), modeOf(file)]).toEqual(["700", "600"]);
    expect(readdirSync(join(home, "waggle"))).toEqual(["contexts.json"]);
  });

  test("[L108] that others could read is closed, with a warning", async () => {
    await waggle("context create a --url http://192.0.2.1:1");
    chmodSync(file, 0o644);
    const { code, err } = await waggle("context ls");
    expect([code, modeOf(file)]).toEqual([0, "600"]);
    expect(err).toContain("was open to other users of this machine (mode 644)");
    expect((await waggle("context ls")).err).toBe("");
  });

  test("[L108] keeps all of several changes at the same time", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
    await Promise.all(names.map((name) => waggle(`context create ${name} --url http://192.0.2.1:1`)));
    expect((await waggle("context ls -q")).out.trim().split("\n").slice(1)).toEqual(names);
  });

  test("[L108] stays a symbolic link", async () => {
    await waggle("context create a --url http://192.0.2.1:1");
    const target = join(home, "elsewhere.json");
    writeFileSync(target, readFileSync(file), { mode: 0o600 });
    rmSync(file);
    symlinkSync(target, file);
    await waggle("context create b --url http://192.0.2.1:1");
    expect(readFileSync(target, "utf8")).toContain('"b"');
    expect(modeOf(target)).toBe("600");
  });

  test.each([
    ["{", "cannot read the contexts in"],
    ['{"contexts":{"a":{"url":5}}}', "contexts.a.url"],
  ])("[L108] with the text %s is one sentence, and no obstacle for --host", async (text, message) => {
    await waggle("context create a --url http://192.0.2.1:1");
    writeFileSync(file, text);
    expect(await waggle("context ls")).toMatchObject({ code: 2, err: expect.stringContaining(message) });
    await using mesh = await fakeMesh(meshRoutes);
    expect(await waggle(`node ls -q --host ${mesh.url}`)).toMatchObject({ code: 0 });
  });

  test("[L108] in a folder that cannot be made is one sentence", async () => {
    writeFileSync(join(home, "file"), "");
    const env = { XDG_CONFIG_HOME: join(home, "file") };
    const { code, err } = await waggle("context create a --url http://192.0.2.1:1", { env });
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^waggle: cannot write .*contexts.json: .*\nXDG_CONFIG_HOME=DIR .*\n$/),
    ]);
    expect(await waggle("context create a --url http://x", { env: { XDG_CONFIG_HOME: "" } })).toMatchObject({
      code: 1,
      err: expect.stringContaining("neither HOME nor XDG_CONFIG_HOME is set"),
    });
  });
});

/** A terminal whose user types `text` once it is in raw mode. */
function typing(text: string): KeySource & { readonly modes: boolean[] } {
  const modes: boolean[] = [];
  let listener: (bytes: Uint8Array) => void = () => {};
  return {
    modes,
    isTTY: true,
    setRawMode: (raw) => void modes.push(raw),
    resume: () => queueMicrotask(() => listener(Buffer.from(text))),
    pause: () => {},
    on: (_event, onData) => {
      listener = onData;
      if (modes.at(-1) === true) queueMicrotask(() => listener(Buffer.from(text)));
    },
    off: () => {
      listener = () => {};
    },
  };
}

describe("[L109] login", () => {
  test("[L109] stores a token that the mesh accepts, says whose it is, and uses the context", async () => {
    await using mesh = await fakeMesh(meshRoutes);
    const { code, out } = await login(mesh, "right-token\n");
    expect([code, out]).toEqual([0, expect.stringContaining(`operator of the mesh at ${mesh.url}`)]);
    expect(await waggle("node ls -q")).toMatchObject({ code: 0, err: "" });
    expect((await login(mesh, "viewer-token", "--name view")).out).toContain("viewer of the mesh");
    expect((await waggle("context show")).out).toBe("view\n");
  });

  test("[L109] stores nothing if the mesh refuses the token, or if there is none", async () => {
    await using mesh = await fakeMesh(meshRoutes);
    expect(await login(mesh, "wrong-token")).toMatchObject({ code: 4, out: "" });
    expect(await login(mesh, "\n")).toMatchObject({
      code: 2,
      err: expect.stringContaining("no token was given"),
    });
    expect(await login(mesh, "two words")).toMatchObject({ code: 2 });
    expect((await waggle("context ls -q")).out).toBe("default\n");
  });

  test("[L109] on a terminal the token is not shown, and can be corrected", async () => {
    await using mesh = await fakeMesh(meshRoutes);
    const keys = typing("right-tokenx\u007f\r");
    const { code, out, err } = await waggle(`login --name tty ${mesh.url}`, { keys });
    expect([code, keys.modes]).toEqual([0, [true, false]]);
    expect(err).toBe(`Token of ${mesh.url}: \n`);
    expect(out + err).not.toContain("right-token");
  });

  test("[L109] Ctrl-C ends it with 130, and the terminal shows what is typed again", async () => {
    await using mesh = await fakeMesh(meshRoutes);
    const keys = typing("right\u0003");
    expect(await waggle(`login ${mesh.url}`, { keys })).toMatchObject({ code: 130 });
    expect(keys.modes).toEqual([true, false]);
  });

  test("[L109] without a URL it replaces the token of the context in use", async () => {
    await using mesh = await fakeMesh(meshRoutes);
    expect(await waggle("login")).toMatchObject({
      code: 2,
      err: expect.stringContaining("no context is in use"),
    });
    await waggle(`context create here --url ${mesh.url} --description mine`);
    await waggle("context use here");
    writeFileSync(join(home, "token"), "right-token");
    expect((await waggle(`login --token-file ${home}/token`)).code).toBe(0);
    expect(JSON.parse(readFileSync(file, "utf8")).contexts.here).toMatchObject({
      token: "right-token",
      description: "mine",
    });
  });
});

describe("[L110] the proxy of the environment", () => {
  const proxy = { HTTP_PROXY: "http://user:secret@proxy:3128", https_proxy: "http://proxy:3129" };

  test.each([
    ["http://mesh.example.com", {}, "http://user:secret@proxy:3128"],
    ["https://mesh.example.com", {}, "http://proxy:3129"],
    ["http://127.0.0.1:8787", {}, null],
    ["http://127.9.9.9", {}, null],
    ["http://localhost:1", {}, null],
    ["http://control.localhost:1", {}, null],
    ["http://[::1]:1", {}, null],
    ["http://mesh.example.com", { NO_PROXY: "other, .example.com" }, null],
    ["http://mesh.example.com", { no_proxy: "example.com" }, null],
    ["http://mesh.example.com:81", { NO_PROXY: "mesh.example.com:80" }, "http://user:secret@proxy:3128"],
    ["http://notexample.com", { NO_PROXY: "example.com" }, "http://user:secret@proxy:3128"],
    ["http://mesh.example.com", { NO_PROXY: "*" }, null],
  ])("[L110] of %s with %j is %s", (url, more, expected) => {
    const settings = proxySettings(url, { ...proxy, ...more });
    expect(settings === null ? null : Object.values(settings)[0]).toBe(expected);
  });

  test("[L110] is named in a failure, without its password", () => {
    const advice = proxyAdvice("http://mesh.example.com", proxy);
    expect(advice).toContain("HTTP_PROXY=proxy:3128");
    expect(advice).not.toContain("secret");
    expect(proxyAdvice("http://127.0.0.1:1", proxy)).toBe("");
    expect(directNotice("https://mesh.example.com", proxy)).toContain("HTTPS_PROXY is ignored");
    expect(directNotice("http://127.0.0.1:8787", proxy)).toBeNull();
  });
});
