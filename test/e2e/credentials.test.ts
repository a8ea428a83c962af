// The mesh's own credentials on the data plane in workerd, with requests written byte by byte.

import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type Backend, echo, http, type ReceivedRequest } from "../support/backends.ts";
import { operatorToken, serviceOf, startPlane, type TestPlane, tableOf } from "../support/dataplane.ts";

let task: Backend;
let settingCookies: Backend;
let plane: TestPlane;
const sockets = createServer();

beforeAll(async () => {
  task = await echo("a");
  settingCookies = await http((_request, response) => {
    response
      .setHeader("set-cookie", ["a=é; Path=/", "waggle-8787=forged; Path=/dashboard/", "b=2"])
      .end("ok");
  });
  const server = new WebSocketServer({ server: sockets });
  server.on("headers", (headers) => headers.push("Set-Cookie: waggle-8787=forged", "Set-Cookie: a=1"));
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(`echo ${data}`)));
  await new Promise<void>((resolve) => sockets.listen(0, "127.0.0.1", resolve));
  const { port } = sockets.address() as AddressInfo;
  plane = await startPlane(
    tableOf(
      1,
      serviceOf("echo", 8080, [task.origin]),
      serviceOf("setting", 8081, [settingCookies.origin]),
      serviceOf("sockets", 8082, [`http://127.0.0.1:${port}`]),
    ),
  );
});

afterAll(async () => {
  await plane.stop();
  await Promise.all([task.stop(), settingCookies.stop()]);
  sockets.closeAllConnections();
  sockets.close();
});

/** Sends these lines after the request line, as bytes, and returns what the task received. */
async function received(
  role: "edge" | "ingress",
  lines: readonly string[],
  body = "",
): Promise<ReceivedRequest> {
  const entry = plane.entry({ role, port: 8080 })["x-waggle-entry"];
  const framing = body === "" ? [] : ["transfer-encoding: chunked"];
  const head = [
    `${body === "" ? "GET" : "POST"} / HTTP/1.1`,
    "host: x",
    "connection: close",
    `x-waggle-entry: ${entry}`,
  ];
  const chunks = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const socket = connect(plane.port, "127.0.0.1");
  socket.write(`${[...head, ...framing, ...lines].join("\r\n")}\r\n\r\n${chunks}`);
  let text = "";
  for await (const bytes of socket) text += bytes;
  return JSON.parse(text.slice(text.indexOf("\r\n\r\n{") + 4)) as ReceivedRequest;
}

test.each(["edge", "ingress"] as const)(
  "[X150] [X152] in workerd, no session cookie and no token of several lines reaches a task (%s)",
  async (role) => {
    const lines = [
      "Cookie: a=1; waggle-8787=S1; n=é",
      "cookie: waggle-9000=S2; b=2",
      "COOKIE:__Host-waggle=S3",
      "Authorization: Basic dTpw",
      `authorization:  bearer ${operatorToken}`,
      `X-Waggle-Token: ${operatorToken}`,
    ];
    for (const body of ["", "a streaming body"]) {
      const { headers, rawHeaders, body: arrived } = await received(role, lines, body);
      expect(JSON.stringify(rawHeaders)).not.toMatch(/waggle-8787|waggle-9000|__Host|S[123]|test-operator/);
      expect(headers).not.toHaveProperty("authorization");
      const cookies = Buffer.from(headers.cookie ?? "", "latin1").toString();
      expect(cookies.split(/[;,] */)).toEqual(["a=1", "n=é", "b=2"]);
      expect(arrived).toBe(body);
    }
  },
);

test("[X151] in workerd, a task's response keeps its other cookies, in UTF-8 too", async () => {
  const response = await fetch(plane.origin, { headers: plane.entry({ port: 8081 }) });
  const cookies = response.headers.getSetCookie().map((text) => Buffer.from(text, "latin1").toString());
  expect(cookies).toEqual(["a=é; Path=/", "b=2"]);
  expect(await response.text()).toBe("ok");
});

test("[X151] in workerd, the response to a WebSocket upgrade sets no session cookie, and the socket works", async () => {
  const socket = new WebSocket(plane.origin.replace("http", "ws"), { headers: plane.entry({ port: 8082 }) });
  const setCookies = new Promise((resolve) =>
    socket.once("upgrade", ({ headers }) => resolve(headers["set-cookie"])),
  );
  await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
  expect(await setCookies).toEqual(["a=1"]);
  const reply = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))));
  socket.send("hello");
  expect(await reply).toBe("echo hello");
  socket.close();
});
