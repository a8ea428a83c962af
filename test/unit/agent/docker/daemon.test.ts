import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectDaemon } from "../../../../src/agent/runtimes/docker/daemon.ts";

let dir: string;
let server: Server | null = null;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "waggle-daemon-"));
});

afterEach(async () => {
  await new Promise((resolve) => (server === null ? resolve(0) : server.close(resolve)));
  server = null;
  rmSync(dir, { recursive: true });
});

const engine = { Version: "28.0.0", ApiVersion: "1.48", MinAPIVersion: "1.24", Os: "linux" };

/** A socket that answers `/version` and `/info` with these. */
async function socketOf(
  version: object,
  info: object = {},
): Promise<{ DOCKER_HOST: string; paths: string[] }> {
  const path = join(dir, "docker.sock");
  const paths: string[] = [];
  const listening = createServer((request, response) => {
    paths.push(request.url ?? "");
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(request.url?.endsWith("/info") ? info : { ...engine, ...version }));
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(path, resolve));
  return { DOCKER_HOST: `unix://${path}`, paths };
}

test.each([
  ["1.41", "1.41"],
  ["1.48", "1.48"],
  ["1.99", "1.52"],
])("[N124] a daemon of API %s is asked in API %s", async (ApiVersion, api) => {
  const { DOCKER_HOST, paths } = await socketOf({ ApiVersion });
  expect((await connectDaemon({ DOCKER_HOST })).api).toBe(api);
  expect(paths.slice(1)).toEqual([`/v${api}/version`, `/v${api}/info`]);
});

test.each([
  [{ Components: [{ Name: "Podman Engine", Version: "5.4.0" }] }, {}, "is a socket of Podman 5.4.0"],
  [{ ApiVersion: "1.40" }, {}, "speaks API 1.40: the agent needs 1.41 (Docker 20.10) or later"],
  [{ ApiVersion: "1.60", MinAPIVersion: "1.55" }, {}, "speaks API 1.55 and later, the agent up to 1.52"],
  [{ Os: "windows" }, {}, "runs Windows containers"],
  [{}, { SecurityOptions: ["name=seccomp", "name=rootless"] }, "belongs to a rootless daemon, whose bridge"],
  [{}, { OperatingSystem: "Docker Desktop" }, "belongs to Docker Desktop, whose bridge"],
])("[N124] a daemon with %j and %j is refused with the reason", async (version, info, message) => {
  const { DOCKER_HOST } = await socketOf(version, info);
  await expect(connectDaemon({ DOCKER_HOST })).rejects.toThrow(message);
});

test.each([
  ["tcp://127.0.0.1:2375", 'DOCKER_HOST is "tcp://127.0.0.1:2375": the agent dials containers on the bridge'],
  ["unix:///nowhere/docker.sock", "there is no Docker daemon at /nowhere/docker.sock: start dockerd, or set"],
])("[N124] DOCKER_HOST=%s is refused with what to do", async (DOCKER_HOST, message) => {
  await expect(connectDaemon({ DOCKER_HOST })).rejects.toThrow(message);
});
