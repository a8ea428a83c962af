import { expect, test } from "vitest";
import { markedTokenRecognizer, tokenRecognizer } from "../../../src/domain/model/mesh-token.ts";
import { setsSessionCookie, withoutSessionCookies } from "../../../src/domain/model/session-cookie.ts";
import { tokenMark } from "../../../src/domain/model/token-mark.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane, type Task } from "./in-process-plane.ts";

const operatorToken = "Fr3+Uo/operator=token==";
const viewerToken = "a-viewer-token-of-32-characters-";
const joinToken = `SWMTKN-1-${"a".repeat(50)}-${"b".repeat(25)}`;
const credential = `waggle-node-${"c".repeat(50)}`;
const table = tableOf(7, serviceOf("my-web", 8080, ["http://a"]));
const isMeshToken = tokenRecognizer([operatorToken, viewerToken, "", null, undefined]);

/** The headers that a task receives at each kind of entry point. */
async function received(headers: Record<string, string>): Promise<Headers[]> {
  const plane = inProcessPlane(table, {}, { isMeshToken });
  await plane.send({ headers, entry: { role: "edge", node: null } });
  await plane.send({ headers, entry: { role: "ingress", node: "node1" } });
  return plane.received.map((request) => request.headers);
}

test.each([
  ["waggle-8787=S", null],
  ["a=1; waggle-8787=S; b=2", "a=1; b=2"],
  ["waggle-8787=S; a=1", "a=1"],
  ["a=1;waggle-8787=S", "a=1"],
  ["a=1;  \t waggle-8787 \t= S;b=2", "a=1;b=2"],
  ['a=1; waggle-8787="S"; b=2', "a=1; b=2"],
  ["a=1, waggle-8787=S", "a=1"],
  ["waggle-8787=S, a=1", "a=1"],
  ["a=1; =waggle-8787=S", "a=1"],
  ["waggle-8787=S; waggle-8787=T; waggle-1=U", null],
  ["__Host-waggle=S; __Secure-waggle=T; waggle=U; a=1", "a=1"],
  ["__Host-waggle-8443=S; a=é ü", "a=é ü"],
  [
    "waggles=1; my-waggle=2; waggle-x=3; WAGGLE=t.s; awaggle-1=4",
    "waggles=1; my-waggle=2; waggle-x=3; WAGGLE=t.s; awaggle-1=4",
  ],
  ["a=waggle-8787; waggle-8787", "a=waggle-8787; waggle-8787"],
])("[X150] Cookie: %s reaches a task as %j", async (cookie, expected) => {
  expect(withoutSessionCookies(cookie)).toBe(expected);
  if (/[^ -~\t]/.test(cookie)) return;
  for (const headers of await received({ cookie })) expect(headers.get("cookie")).toBe(expected);
});

test("[X150] a long Cookie header without a session takes linear time", () => {
  for (const part of [";", "; ", ",\t", "; =", ";waggle-1", " ", "waggle ", "__Host-"]) {
    const startMs = performance.now();
    withoutSessionCookies(part.repeat(200_000 / part.length));
    setsSessionCookie(part.repeat(200_000 / part.length));
    expect(performance.now() - startMs, part).toBeLessThan(500);
  }
});

test.each([
  "waggle-8787=S; Path=/dashboard/",
  "waggle-8787 =S",
  "  waggle=S",
  "=waggle-8787=S; Path=/",
  " = waggle-8787=S",
  "__Host-waggle=S; Secure; Path=/",
  "__Secure-waggle=S; Secure; Domain=example.com",
  "waggle-1=; Max-Age=0",
])(
  "[X151] a task's Set-Cookie: %s does not reach the client, and its other cookies do",
  async (setCookie) => {
    const others = ["a=1; Path=/; HttpOnly", "waggles=2", "b=waggle-8787=S"];
    const [first = "", ...rest] = others;
    const task: Task = () =>
      new Response("ok", { headers: [first, setCookie, ...rest].map((value) => ["set-cookie", value]) });
    const response = await inProcessPlane(table, { "http://a": task }).send();
    expect(response.headers.getSetCookie()).toEqual(others);
    expect(await response.text()).toBe("ok");
  },
);

const basic = (pair: string) => Buffer.from(pair).toString("base64");

test.each([
  `Bearer ${operatorToken}`,
  `bearer ${viewerToken}`,
  `BEARER   ${operatorToken}  `,
  `Bearer\t${operatorToken}`,
  `Bearer "${operatorToken}"`,
  `Bearer token="${viewerToken}"`,
  `Bearer token=${operatorToken}, realm=x`,
  `Token ${operatorToken}`,
  operatorToken,
  `Basic dXNlcjp4, Bearer ${operatorToken}`,
  `Bearer other,Bearer ${operatorToken}`,
  `Basic ${basic(`admin:${operatorToken}`)}`,
  `basic  ${basic(`:${viewerToken}`)}`,
  `Basic ${basic(`${operatorToken}:`)}`,
  `Basic ${basic(`admin:${operatorToken}\n`)}`,
  `Basic ${basic(`admin:${operatorToken}`).replaceAll("=", "")}`,
  `Basic ${Buffer.from(`ädmin:${viewerToken}`).toString("base64url")}`,
  `Basic ${basic(`admin:${operatorToken}`).replace(/^(..)/, "$1*")}`,
  `Bearer ${joinToken}`,
  `Bearer ${credential}`,
  `Basic ${basic(`node:${joinToken}`)}`,
])("[X152] [Z18] Authorization: %s reaches no task", async (authorization) => {
  for (const headers of await received({ authorization })) expect(headers.has("authorization")).toBe(false);
});

test.each([
  "Bearer an-application's.own.token",
  `Bearer ${operatorToken}x`,
  `Bearer ${operatorToken.slice(1)}`,
  `Bearer ${"x".repeat(5_000)}`,
  `Basic ${basic("user:their own password")}`,
  `Basic ${basic(`user:${operatorToken}x`)}`,
  "Basic %%%",
  "Basic",
  "Bearer SWMTKN-1-short",
  'Digest username="u", realm="r", nonce="n", response="0"',
])("[X152] Authorization: %s belongs to the task", async (authorization) => {
  for (const headers of await received({ authorization }))
    expect(headers.get("authorization")).toBe(authorization);
});

test("[X152] x-waggle-token reaches no task, whatever it contains", async () => {
  for (const token of [operatorToken, "guess"])
    for (const headers of await received({ "x-waggle-token": token }))
      expect(headers.has("x-waggle-token")).toBe(false);
});

test("[O253] a machine recognizes the tokens by marks, which say 24 bits of them", () => {
  const recognizes = markedTokenRecognizer([operatorToken, viewerToken].map(tokenMark));
  for (const token of [operatorToken, viewerToken, joinToken, credential])
    expect(recognizes(token)).toBe(true);
  const long = "t".repeat(300);
  expect(markedTokenRecognizer([tokenMark(long)])(long)).toBe(true);
  const others = [
    "",
    "Bearer",
    `${operatorToken}x`,
    operatorToken.slice(1),
    operatorToken.toUpperCase(),
    long,
  ];
  for (const text of others) expect(recognizes(text)).toBe(false);
  expect(tokenMark(operatorToken)).toMatch(new RegExp(`^${operatorToken.length}\\.[0-9a-f]{6}$`));
});

test("[O253] the marks of tokens that differ in one character are as good as random", () => {
  const length = 32;
  const characters = [...Array(length).keys()].flatMap((at) =>
    [..."abcdefghijklmnop"].map((letter) => "0".repeat(at) + letter + "0".repeat(length - at - 1)),
  );
  const marks = characters.map((token) => Number.parseInt(tokenMark(token).slice(3), 16));
  expect(new Set(marks).size).toBe(marks.length);
  for (let bit = 0; bit < 24; bit += 1) {
    const share = marks.filter((mark) => (mark >> bit) & 1).length / marks.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.12);
  }
});

test("[X152] unset tokens equal nothing", () => {
  const recognizes = tokenRecognizer(["", null, undefined]);
  for (const text of ["", "null", "undefined"]) expect(recognizes(text)).toBe(false);
});

test.each([
  "control.localhost",
  "control.localhost:8080",
  "Control.LOCALHOST:8080",
  "control.localhost.:8080",
  "sub.control.localhost:8080",
])("[X154] no service is reached at %s, because it is the dashboard's host name", async (host) => {
  const plane = inProcessPlane(table);
  for (const role of ["edge", "ingress"] as const) {
    const response = await plane.send({
      headers: { host },
      url: "http://x/",
      entry: { role, node: role === "edge" ? null : "node1" },
    });
    expect(response.status).toBe(421);
    expect(await response.text()).toContain("the host name of the mesh's control API");
  }
  expect(plane.received).toEqual([]);
});

test("[X154] names that only resemble it are the services'", async () => {
  const plane = inProcessPlane(table);
  for (const host of [
    "mycontrol.localhost",
    "control.localhost.example.com",
    "control.example.com",
    "localhost",
  ])
    expect((await plane.send({ headers: { host } })).status).toBe(200);
});
