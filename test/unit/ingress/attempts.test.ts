import { afterEach, expect, test, vi } from "vitest";
import { maxReplayBufferBytes } from "../../../src/ingress/replay-buffer.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { frozen, inProcessPlane, refused, type Task } from "./in-process-plane.ts";

const names = ["a", "b", "c", "d", "e", "f"];
const originOf = (name: string) => `http://${name}`;
const service = (count: number) => serviceOf("my-web", 8080, names.slice(0, count).map(originOf));

/** A service of `count` tasks, by default healthy. The first request goes to task `a`. */
function mesh(count: number, tasks: Readonly<Record<string, Task>>, headTimeoutMs = 1_000) {
  const byOrigin = Object.fromEntries(Object.entries(tasks).map(([name, task]) => [originOf(name), task]));
  return inProcessPlane(tableOf(1, service(count)), byOrigin, { headTimeoutMs });
}

afterEach(() => {
  vi.useRealTimers();
});

/** A body that the test sends piece by piece. */
function slowBody() {
  let client = null as unknown as ReadableByteStreamController;
  const body = new ReadableStream({
    type: "bytes",
    start: (controller) => {
      client = controller;
    },
  });
  return { client, body };
}

test.each(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])(
  "[X9] a %s is retried on the next task when one cannot be reached",
  async (method) => {
    const { send, origins } = mesh(2, { a: refused });
    expect((await send({ method })).status).toBe(200);
    expect(origins()).toEqual(["http://a", "http://b"]);
  },
);

test("[X9] a request tries at most four tasks, each once", async () => {
  const few = mesh(3, { a: refused, b: refused, c: refused });
  expect((await few.send()).status).toBe(502);
  expect(few.origins()).toEqual(["http://a", "http://b", "http://c"]);

  const many = mesh(6, Object.fromEntries(names.map((name) => [name, refused])));
  const response = await many.send();
  expect(await response.text()).toContain(
    "each of the 4 tried tasks of my-web could not be reached or closed the connection",
  );
  expect(many.origins()).toEqual(["http://a", "http://b", "http://c", "http://d"]);
});

test.each([
  ["POST", undefined],
  ["POST", "x=1"],
  ["PATCH", "x=1"],
])("[X10] a %s with body %j is not retried, because a task may have processed it", async (method, body) => {
  const { send, origins } = mesh(2, { a: refused });
  const headers: Record<string, string> = body === undefined ? {} : { "content-length": String(body.length) };
  const response = await send({ method, headers, ...(body !== undefined && { body }) });
  expect(response.status).toBe(502);
  expect(await response.text()).toContain(`a ${method} is not retried`);
  expect(origins()).toEqual(["http://a"]);
});

test("[X10] a POST with an Idempotency-Key is retried with its body", async () => {
  const { send, received } = mesh(2, { a: refused });
  const response = await send({
    method: "POST",
    headers: { "content-length": "3", "idempotency-key": '"8e03"' },
    body: "x=1",
  });
  expect(response.status).toBe(200);
  expect(await received[1]?.text()).toBe("x=1");
});

test("[X11] a PUT with a body of up to 64 KiB arrives whole at each tried task", async () => {
  const bodies: string[] = [];
  const reading: Task = async (request) => {
    bodies.push(await request.text());
    throw new TypeError("reset");
  };
  const { send } = mesh(3, { a: reading, b: reading });
  const body = "x".repeat(64 * 1024);
  const response = await send({ method: "PUT", headers: { "content-length": String(body.length) }, body });
  expect(response.status).toBe(200);
  expect(bodies).toEqual([body, body]);
});

test.each([
  ["longer than 64 KiB", { "content-length": String(64 * 1024 + 1) }],
  ["of unknown length", { "transfer-encoding": "chunked" }],
  ["without a length header, as in HTTP/2", {}],
])("[X11] a PUT with a body %s streams and is not retried", async (_name, headers) => {
  const { send, origins } = mesh(2, { a: refused });
  const response = await send({ method: "PUT", headers, body: "x".repeat(64 * 1024 + 1) });
  expect(response.status).toBe(502);
  expect(origins()).toEqual(["http://a"]);
});

test("[X11] a buffered body that ends early is 400 and reaches no task", async () => {
  const { send, received } = mesh(1, {});
  const body = new ReadableStream({ type: "bytes", pull: (stream) => stream.error(new Error("gone")) });
  const response = await send({ method: "PUT", headers: { "content-length": "5" }, body, duplex: "half" });
  expect(response.status).toBe(400);
  expect(received).toEqual([]);
});

test("[X12] a task that could not be reached is ejected, then gets another request", async () => {
  const { send, origins, state } = mesh(3, { a: refused });
  for (let turn = 0; turn < 5; turn += 1) expect((await send()).status).toBe(200);
  expect(origins().filter((origin) => origin === "http://a")).toHaveLength(1);
  state.nowMs += 2_000;
  for (let turn = 0; turn < 3; turn += 1) expect((await send()).status).toBe(200);
  expect(origins().filter((origin) => origin === "http://a")).toHaveLength(2);
});

test("[X12] the only task is tried even if it failed", async () => {
  let isUp = false;
  const { send } = mesh(1, { a: () => (isUp ? new Response("back") : Promise.reject(new Error("refused"))) });
  expect((await send()).status).toBe(502);
  isUp = true;
  expect(await (await send()).text()).toBe("back");
});

test("[X13] a task that does not respond before the head timeout is 504, and a POST is not retried", async () => {
  const { send, origins } = mesh(2, { a: frozen }, 5);
  const response = await send({ method: "POST" });
  expect(response.status).toBe(504);
  expect(await response.text()).toContain("the task did not respond within 0.005 s");
  expect(origins()).toEqual(["http://a"]);
});

test("[X13] the head timeout does not cut a response that has begun", async () => {
  vi.useFakeTimers();
  const text = new TransformStream<string, string>();
  const writer = text.writable.getWriter();
  const begun: Task = () => new Response(text.readable.pipeThrough(new TextEncoderStream()));
  const { send } = mesh(1, { a: begun });
  const reader = ((await send()).body ?? new ReadableStream())
    .pipeThrough(new TextDecoderStream())
    .getReader();
  void writer.write("begun;");
  expect((await reader.read()).value).toBe("begun;");
  await vi.advanceTimersByTimeAsync(60_000);
  void writer.write("ended");
  expect((await reader.read()).value).toBe("ended");
});

test("[X13] the time of a streaming request body does not count against the task", async () => {
  vi.useFakeTimers();
  const reading: Task = async (request) => new Response(await request.text());
  const { send } = mesh(1, { a: reading });
  const { client, body } = slowBody();
  const response = send({
    method: "POST",
    headers: { "transfer-encoding": "chunked" },
    body,
    duplex: "half",
  });
  for (let piece = 0; piece < 6; piece += 1) {
    client.enqueue(new TextEncoder().encode(`${piece}`));
    await vi.advanceTimersByTimeAsync(20_000);
  }
  client.close();
  client.byobRequest?.respond(0);
  expect(await (await response).text()).toBe("012345");
});

test("[X51] without platform statuses a 521 is the task's own response", async () => {
  const { send, origins } = mesh(2, { a: () => new Response("own", { status: 521 }) });
  const response = await send();
  expect([response.status, await response.text()]).toEqual([521, "own"]);
  expect(origins()).toEqual(["http://a"]);
});

/** A response in the place of task `a`, and the statuses and tasks of a POST on a platform with such responses. */
async function postBeside(answer: Task, body?: string | ReadableStream<Uint8Array>) {
  const { send, received, origins } = inProcessPlane(
    tableOf(1, service(3)),
    { [originOf("a")]: answer },
    { platformStatuses: true, headTimeoutMs: 60_000 },
  );
  const headers = typeof body === "string" ? lengthOf(body) : { "transfer-encoding": "chunked" };
  const sent = body === undefined ? {} : { headers, body, duplex: "half" as const };
  const { status } = await send({ method: "POST", ...sent });
  return { status, origins: origins().join(" "), last: (await received.at(-1)?.text()) ?? "" };
}

const platformError =
  (status: number, code = status): Task =>
  () =>
    new Response(`error code: ${code}`, { status });

test.each([
  [521, 521],
  [523, 523],
  [525, 525],
  [526, 526],
  [530, 1016],
  [530, 1033],
])("[X197] after %i with code %i of the platform a POST goes on to another server", async (status, code) => {
  for (const body of [undefined, "x=1"]) {
    const result = await postBeside(platformError(status, code), body);
    expect(result).toEqual({ status: 200, origins: "http://a http://b", last: body ?? "" });
  }
});

test.each<[string, Task]>([
  ["520", platformError(520)],
  ["522", platformError(522)],
  ["524", platformError(524)],
  ["527", platformError(527)],
  ["530 with another code", platformError(530, 1020)],
  ["521 with the body of an application", () => new Response("my 521", { status: 521 })],
  ["521 without a body", () => new Response(null, { status: 521 })],
  ["521 and a long body", () => new Response(`error code: 521${"!".repeat(100)}`, { status: 521 })],
  ["521 whose body does not come", () => new Response(new ReadableStream(), { status: 521 })],
  ["a broken connection", refused],
])(
  "[X197] after %s a POST goes to no other server, which may be the second to execute it",
  async (_, task) => {
    expect(await postBeside(task, "x=1")).toMatchObject({ status: 502, origins: "http://a" });
  },
);

test("[X197] a POST whose body is too long to keep, or of unknown length, is sent once", async () => {
  const long = "x".repeat(100_000);
  expect(await postBeside(platformError(521), long)).toMatchObject({ status: 502, origins: "http://a" });
  const stream = new Blob(["x=1"]).stream();
  expect(await postBeside(platformError(521), stream)).toMatchObject({ status: 502, origins: "http://a" });
});

test("[Y26] REPLAY_BYTES sets the largest body that is buffered", async () => {
  const table = tableOf(1, service(2));
  const put = (replayBytes: number) => {
    const { send, origins } = inProcessPlane(table, { [originOf("a")]: refused }, { replayBytes });
    return { put: (body: string) => send({ method: "PUT", headers: lengthOf(body), body }), origins };
  };
  const small = put(10);
  expect((await small.put("x".repeat(11))).status).toBe(502);
  expect(small.origins()).toEqual(["http://a"]);
  const large = put(200_000);
  expect((await large.put("x".repeat(150_000))).status).toBe(200);
  expect(large.origins()).toEqual(["http://a", "http://b"]);
});

test("[Y26] buffered bodies of all requests are bounded; beyond that, a body streams", async () => {
  const waiting: (() => void)[] = [];
  const holding: Task = () => new Promise((resolve) => waiting.push(() => resolve(new Response("ok"))));
  const replayBytes = 1024 ** 2;
  const { send, plane } = inProcessPlane(
    tableOf(1, service(1)),
    { [originOf("a")]: holding },
    { replayBytes },
  );
  const body = "x".repeat(replayBytes);
  const responses = Array.from({ length: 20 }, () => send({ method: "PUT", headers: lengthOf(body), body }));
  await vi.waitFor(() => expect(waiting).toHaveLength(20));
  expect(plane.replayBuffer.bytes).toBe(maxReplayBufferBytes);
  for (const respond of waiting) respond();
  for (const response of await Promise.all(responses)) expect(response.status).toBe(200);
  expect(plane.replayBuffer.bytes).toBe(0);
});

test("[Y41] a body that stalls or breaks while it is buffered gives its bytes back", async () => {
  vi.useFakeTimers();
  const table = tableOf(1, service(1));
  const { send, plane, received } = inProcessPlane(table, {}, { nowMs: () => Date.now() });
  const put = (body: ReadableStream) =>
    send({ method: "PUT", headers: { "content-length": "1000" }, body, duplex: "half" });
  const stalled = slowBody();
  const stalledPut = put(stalled.body);
  stalled.client.enqueue(new TextEncoder().encode("abc"));
  const broken = slowBody();
  const brokenPut = put(broken.body);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(plane.replayBuffer.bytes).toBe(2_000);
  broken.client.error(new Error("gone"));
  expect((await brokenPut).status).toBe(400);
  // Thirty seconds without a byte, and not since the request began.
  stalled.client.enqueue(new TextEncoder().encode("def"));
  await vi.advanceTimersByTimeAsync(29_000);
  expect(plane.replayBuffer.bytes).toBe(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await stalledPut).status).toBe(408);
  expect([plane.replayBuffer.bytes, received, plane.outliers.hasAny]).toEqual([0, [], false]);
});

const lengthOf = (body: string) => ({ "content-length": String(body.length) });

test.each([502, 503, 504])(
  "[Y27] a %i without the service's marker is a failed attempt: a GET is retried, and a POST is not",
  async (status) => {
    const tunnelGone: Task = () => new Response("tunnel gone", { status });
    const marked = tableOf(1, { ...service(2), options: { marker: "x-task" } });
    const get = inProcessPlane(marked, { [originOf("a")]: tunnelGone });
    expect(await (await get.send()).text()).toBe("http://b");
    expect(get.plane.outliers.hasAny).toBe(true);
    const post = inProcessPlane(marked, { [originOf("a")]: tunnelGone });
    expect((await post.send({ method: "POST" })).status).toBe(502);
    expect(post.origins()).toEqual(["http://a"]);
  },
);

test.each([
  ["a response with the marker", 503, { "x-task": "1" }, { marker: "x-task" }],
  ["a response of a service without a marker", 503, {}, {}],
  ["a 505", 505, {}, { marker: "x-task" }],
  ["a 200", 200, {}, { marker: "x-task" }],
])("[Y27] %s is the application's own", async (_name, status, headers, options) => {
  const own: Task = () => new Response("own", { status, headers });
  const { send, origins } = inProcessPlane(tableOf(1, { ...service(2), options }), { [originOf("a")]: own });
  const response = await send();
  expect([response.status, await response.text(), origins()]).toEqual([status, "own", ["http://a"]]);
});
