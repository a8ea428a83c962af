// The check of a mesh that has just been deployed.

import { expect, test } from "vitest";
import { checkMesh, type MeshCaller, type MeshCheck } from "../../../../src/cli/deploy/check-mesh.ts";

const check = {
  control: "https://waggle.example.com",
  edge: "https://waggle-check.example.com/",
  token: "the-operator-token",
  waitMs: 30_000,
  stop: new AbortController().signal,
  onWait: () => {},
};

type Reply = () => Response | Error;

const good: Readonly<Record<string, Reply>> = {
  "https://waggle.example.com/_ping": () => new Response("OK"),
  "https://waggle.example.com/v1.44/swarm": () => Response.json({ JoinTokens: { Worker: "SWMTKN-1-a-b" } }),
  "https://waggle-check.example.com/": () =>
    Response.json({ message: "no node has joined" }, { status: 503 }),
};

function failed(code: string, message: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) });
}

/** Checks with some replies in place of the good ones, for the first `times` rounds. */
async function run(
  replies: Readonly<Record<string, Reply>>,
  times = Number.POSITIVE_INFINITY,
  changes: Partial<MeshCheck> = {},
) {
  let clockMs = 0;
  let rounds = 0;
  const call: MeshCaller = async (url) => {
    if (url.endsWith("/_ping")) rounds += 1;
    const reply = ((rounds <= times ? replies[url] : undefined) ?? good[url])?.();
    if (reply === undefined || reply instanceof Error) throw reply;
    return reply;
  };
  const cli = {
    nowMs: () => clockMs,
    sleep: async (ms: number) => {
      clockMs += ms;
    },
  };
  const result = await checkMesh(cli, call, { ...check, ...changes }).catch((error: Error) => error.message);
  return { result, rounds, clockMs };
}

test("[L153] a mesh that answers is checked once, and its join token is returned", async () => {
  expect(await run({})).toEqual({ result: { joinToken: "SWMTKN-1-a-b" }, rounds: 1, clockMs: 0 });
});

test.each<[string, string, Reply, string]>([
  [
    "an unknown name",
    "https://waggle.example.com/_ping",
    () => failed("ENOTFOUND", "getaddrinfo"),
    "waggle.example.com: no such host",
  ],
  [
    "no certificate",
    "https://waggle-check.example.com/",
    () => failed("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "alert"),
    "waggle-check.example.com: the server there has no certificate for this name",
  ],
  [
    "another server",
    "https://waggle.example.com/_ping",
    () => new Response("<html>", { status: 404 }),
    "answered 404, which is not the control API",
  ],
  [
    "a name without a route",
    "https://waggle-check.example.com/",
    () => new Response("", { status: 522 }),
    "answered 522, which is not the mesh's edge",
  ],
  [
    "an origin's own page",
    "https://waggle-check.example.com/",
    () => new Response("not here", { status: 404 }),
    "answered 404, which is not the mesh's edge",
  ],
  [
    "a registry that fails",
    "https://waggle.example.com/v1.44/swarm",
    () => new Response("no", { status: 500 }),
    "the registry answered 500",
  ],
])("[L153] %s is waited for, and reported when the time is up", async (_, url, reply, message) => {
  const { result, clockMs } = await run({ [url]: reply });
  expect(result).toContain(message);
  expect(clockMs).toBe(30_000);
  expect(await run({ [url]: reply }, 3)).toMatchObject({ result: { joinToken: "SWMTKN-1-a-b" }, rounds: 4 });
});

test("[L153] a refused token is reported at once", async () => {
  const refusing = { "https://waggle.example.com/v1.44/swarm": () => new Response("{}", { status: 401 }) };
  expect(await run(refusing)).toMatchObject({
    rounds: 1,
    result: expect.stringContaining("does not accept"),
  });
});

test("[L153] each new reason is shown once while it waits, and Ctrl-C ends the wait", async () => {
  const shown: string[] = [];
  const ping = "https://waggle.example.com/_ping";
  await run({ [ping]: () => failed("ENOTFOUND", "getaddrinfo") }, 4, {
    onWait: (reason) => void shown.push(reason),
  });
  expect(shown).toEqual(["waggle.example.com: no such host"]);
  const stopping = new AbortController();
  const { result, rounds } = await run({ [ping]: () => new Response("", { status: 522 }) }, undefined, {
    stop: stopping.signal,
    onWait: () => stopping.abort(),
  });
  expect({ result, rounds }).toEqual({ result: "interrupted: what is done stays done", rounds: 2 });
});
