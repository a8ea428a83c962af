// Selection of the mesh and the token, and the exit codes of failures.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../../../src/cli/client.ts";
import { signInUrl } from "../../../src/cli/dashboard.ts";
import { findTarget, parseHost } from "../../../src/cli/mesh-target.ts";
import { anyResponse } from "../../../src/cli/shapes.ts";
import { fakeMesh, runCli, runOn } from "./support.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "waggle-cli-"));
  await writeFile(
    join(dir, "mesh.json"),
    JSON.stringify({ control: "http://127.0.0.1:8787", token: "local" }),
  );
  await writeFile(join(dir, "token"), "from-file\n");
  await writeFile(join(dir, "empty"), "\n");
});
afterAll(() => rm(dir, { recursive: true }));

test.each([
  ["http://127.0.0.1:8787", "http://control.localhost:8787"],
  ["http://localhost:8787", "http://control.localhost:8787"],
  ["http://[::1]:8787", "http://control.localhost:8787"],
  ["http://0.0.0.0:9000", "http://control.localhost:9000"],
  ["http://127.0.0.1:8787/behind", "http://control.localhost:8787/behind"],
  ["https://127.0.0.1:8787", "https://127.0.0.1:8787"],
  ["http://127.0.0.5:8787", "http://127.0.0.5:8787"],
  ["http://192.0.2.1:8787", "http://192.0.2.1:8787"],
  ["https://mesh.example.com", "https://mesh.example.com"],
])("[L76] the sign-in link of the mesh at %s begins with %s", async (control, origin) => {
  const client = {
    postNative: async <T>() => ({ path: "/dashboard/sign-in?code=c", expiresAtMs: 1 }) as T,
  };
  expect(await signInUrl(client, control)).toBe(`${origin}/dashboard/sign-in?code=c`);
});

test("[L76] only the link has that host name: the command calls the mesh at its address", async () => {
  await using mesh = await fakeMesh({
    "POST /dashboard/sign-in-link": { json: { path: "/dashboard/sign-in?code=c", expiresAtMs: 1 } },
  });
  const { out, code } = await runOn(mesh, ["dashboard"]);
  expect([code, out]).toEqual([
    0,
    `${mesh.url.replace("127.0.0.1", "control.localhost")}/dashboard/sign-in?code=c\n`,
  ]);
  expect(mesh.calls).toHaveLength(1);
});

describe("[L2] mesh and token", () => {
  test("[L2] a flag takes precedence over the environment, and both over the state folder", async () => {
    const env = { WAGGLE_HOST: "http://env:1" };
    expect(await findTarget({ host: "http://flag:1", state: dir }, env)).toMatchObject({
      url: "http://flag:1",
    });
    expect(await findTarget({ state: dir }, env)).toMatchObject({ url: "http://env:1" });
    expect(await findTarget({ state: dir }, {})).toMatchObject({
      url: "http://127.0.0.1:8787",
      token: "local",
    });
  });

  test("[L2] a token file takes precedence over WAGGLE_TOKEN, and both over the state folder", async () => {
    const env = { WAGGLE_TOKEN: "from-env" };
    const flags = { state: dir, tokenFile: join(dir, "token") };
    expect(await findTarget(flags, env)).toMatchObject({ token: "from-file" });
    expect(await findTarget({ state: dir }, env)).toMatchObject({ token: "from-env" });
  });

  test("[L2] the token of the state folder is sent only to the mesh of the state folder", async () => {
    expect(await findTarget({ state: dir, host: "http://evil:8787" }, {})).toMatchObject({ token: null });
    expect(await findTarget({ state: dir, host: "tcp://127.0.0.1:8787/" }, {})).toMatchObject({
      token: "local",
    });
  });

  test.each([
    ["127.0.0.1:8787", "http://127.0.0.1:8787"],
    ["tcp://127.0.0.1:8787", "http://127.0.0.1:8787"],
    ["https://mesh.example.com/", "https://mesh.example.com"],
    ["https://example.com/tenant/", "https://example.com/tenant"],
  ])("[L2] %s is the mesh at %s", (text, url) => {
    expect(parseHost(text)).toBe(url);
  });

  test.each(["", "ftp://x", "http://", "unix:///var/run/docker.sock", "http://a b"])(
    "[L2] %o is not the URL of a mesh",
    async (text) => {
      expect(await runCli(["node", "ls", "--host", text])).toMatchObject({ code: 2 });
    },
  );

  test("[L2] the flag may stand before or after the verb", async () => {
    await using mesh = await fakeMesh({ "GET /nodes": { json: [] } });
    expect(await runCli(["-H", mesh.url, "node", "ls", "-q"])).toMatchObject({ code: 0 });
    expect(await runCli(["node", "ls", "-q", "-H", mesh.url])).toMatchObject({ code: 0 });
    expect(mesh.calls).toHaveLength(2);
  });

  test("[L2] an unreadable state folder does not affect a command for another mesh", async () => {
    const state = join(dir, "broken");
    await mkdir(state);
    await writeFile(join(state, "mesh.json"), "{");
    expect(await findTarget({ state, host: "http://other:1" }, {})).toMatchObject({
      url: "http://other:1",
      token: null,
    });
    await expect(findTarget({ state }, {})).rejects.toMatchObject({ exitCode: 2 });
  });

  test("[L2] a token that is not a valid header value is refused and not printed", async () => {
    await using mesh = await fakeMesh({});
    const ran = await runOn(mesh, ["node", "ls"], { env: { WAGGLE_TOKEN: "se\ncret" } });
    expect(ran).toMatchObject({ code: 2, out: "", err: expect.not.stringContaining("cret") });
  });

  test("[L2] an empty token file is refused before anything is sent", async () => {
    await using mesh = await fakeMesh({});
    const ran = await runCli(["node", "ls", "-H", mesh.url, "--token-file", join(dir, "empty")]);
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining("is empty") });
    expect(mesh.calls).toEqual([]);
  });
});

describe("[L1] exit codes", () => {
  test("[L1] 3 if no mesh is found, with a hint", async () => {
    const { code, err } = await runCli(["node", "ls", "--state", join(dir, "none")]);
    expect(code).toBe(3);
    expect(err).toContain('start one with "waggle up"');
  });

  test("[L1] 3 if the connection is refused", async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { code, err } = await runCli(["node", "ls", "--host", url]);
    expect({ code, err }).toEqual({
      code: 3,
      err: `waggle: cannot reach the mesh at ${url}: connection refused\nthe URL is from --host; is the mesh deployed there?\n`,
    });
  });

  test("[L1] 3 if the server is not a mesh", async () => {
    await using other = await fakeMesh({ "GET /nodes": { text: "<h1>hello</h1>" } });
    expect(await runOn(other, ["node", "ls"])).toMatchObject({
      code: 3,
      err: expect.stringContaining("is not a mesh"),
    });
  });

  test("[L1] 3 if the mesh does not respond in time", async () => {
    const silent = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const client = createClient({ url, token: null, source: "--host" }, 50);
    await expect(client.get("/nodes", anyResponse)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("no response within 0.05 s"),
    });
    await new Promise((resolve) => silent.close(resolve));
  });

  test("[L77] too many wrong tokens end a command as a refused token does, with the time to wait", async () => {
    const message =
      "too many wrong tokens came from this address: try again in 6 s; the right token is accepted at any time";
    await using mesh = await fakeMesh({ "GET /nodes": { status: 429, json: { message } } });
    const { code, err } = await runOn(mesh, ["node", "ls"]);
    expect(code).toBe(4);
    expect(err).toContain(
      "refuses the token (too many wrong tokens came from this address: try again in 6 s)",
    );
  });

  test("[L1] 4 if the token is refused, with a hint", async () => {
    await using mesh = await fakeMesh({ "GET /nodes": { status: 401, json: { message: "wrong token" } } });
    const { code, err } = await runOn(mesh, ["node", "ls"]);
    expect(code).toBe(4);
    expect(err).toBe(
      `waggle: the mesh at ${mesh.url} refuses the token (wrong token)\ngive the operator token with WAGGLE_TOKEN=… or --token-file FILE\n`,
    );
    expect(mesh.calls[0]?.token).toBe("Bearer secret");
  });

  test("[L1] 4 if the token is read-only", async () => {
    await using mesh = await fakeMesh({
      "DELETE /services/a": { status: 403, json: { message: "viewers cannot do this" } },
    });
    expect(await runOn(mesh, ["service", "rm", "a"])).toMatchObject({
      code: 4,
      err: expect.stringContaining("viewers cannot do this"),
    });
  });

  test("[L1] 1 if the mesh refuses, with its message", async () => {
    const message =
      "rpc error: code = InvalidArgument desc = port '8080' is already in use by service 'a' (x) as an ingress port";
    await using mesh = await fakeMesh({ "POST /services/create": { status: 400, json: { message } } });
    const ran = await runOn(mesh, ["service", "create", "--name", "b", "-p", "8080:80", "waggle/whoami"]);
    expect(ran).toEqual({
      code: 1,
      out: "",
      err: "waggle: port '8080' is already in use by service 'a' (x) as an ingress port\n",
    });
  });

  test.each([
    [["service", "crate"], "unknown command 'crate'\n(Did you mean create?)"],
    [["servcie", "ls"], "unknown command 'servcie'\n(Did you mean service?)"],
    [["service", "ls", "--jsn"], "unknown option '--jsn'\n(Did you mean --json?)"],
    [["service", "inspect"], "missing required argument 'service'"],
    [
      ["service", "create", "-p", "published=8080", "x"],
      `invalid argument "published=8080" for "-p, --publish" flag: missing mandatory field 'target'`,
    ],
    [
      ["service", "create", "--replicas", "-1", "x"],
      `invalid argument "-1" for "--replicas" flag: must be a whole number, 0 or more`,
    ],
    [
      ["service", "create", "--mode", "globl", "x"],
      `invalid argument "globl" for "--mode" flag: must be one of replicated, global`,
    ],
    [
      ["service", "create", "--mode", "global", "--replicas", "2", "x"],
      "replicas can only be used with replicated mode",
    ],
    [
      ["node", "update", "--availability", "off", "a"],
      `invalid argument "off" for "--availability" flag: must be one of active, pause, drain`,
    ],
    [["up", "--nodes", "101"], `invalid argument "101" for "--nodes" flag: must be between 0 and 100`],
    [["up", "--port", "65536"], `invalid argument "65536" for "--port" flag: must be a port, 0 to 65535`],
    [
      ["up", "--runtime", "podman"],
      `invalid argument "podman" for "--runtime" flag: must be one of process, docker`,
    ],
    [["join-token", "boss"], 'invalid argument "boss" for "role": must be one of worker, manager'],
    [["completion", "tcsh"], 'invalid argument "tcsh" for "shell": must be one of bash, zsh, fish'],
    [
      ["events", "--since", "yesterday"],
      `invalid argument "yesterday" for "--since" flag: must be the number of an event, a duration or a time`,
    ],
  ])("[L1] 2 for an invalid command line: %j", async (args, message) => {
    const { code, out, err } = await runCli(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(`waggle: `);
    expect(err).toContain(message);
  });

  test("[L10] a failure for one name does not stop the others", async () => {
    await using mesh = await fakeMesh({
      "DELETE /services/a": {},
      "DELETE /services/b": { status: 404, json: { message: "service b not found" } },
      "DELETE /services/c": {},
    });
    expect(await runOn(mesh, ["service", "rm", "a", "b", "c"])).toEqual({
      code: 1,
      out: "a\nc\n",
      err: "waggle: service b not found\n",
    });
  });

  test("[L10] an unreachable mesh is reported once", async () => {
    const host = `http://127.0.0.1:${await closedPort()}`;
    const { code, err } = await runCli(["service", "rm", "a", "b", "--host", host]);
    expect(code).toBe(3);
    expect(err.match(/cannot reach/g)).toHaveLength(1);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
