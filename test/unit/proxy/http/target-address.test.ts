import { expect, test } from "vitest";
import { replaceTargetAddress } from "../../../../src/proxy/http/target-address.ts";
import { serviceOf, tableOf } from "../../../support/dataplane.ts";
import { inProcessPlane } from "../../ingress/in-process-plane.ts";

const asked = { scheme: "https", host: "www.example.com:8443" } as const;
const target = "http://app.internal:8080";

function replaced(name: string, value: string, origin = target): string | null {
  const headers = new Headers({ [name]: value });
  replaceTargetAddress(headers, origin, asked);
  return headers.get(name);
}

test.each([
  ["http://app.internal:8080/a?b#c", target, "https://www.example.com:8443/a?b#c"],
  ["http://app.internal:8080", target, "https://www.example.com:8443"],
  ["HTTP://App.Internal:08080/A", target, "https://www.example.com:8443/A"],
  ["//app.internal:8080/a", target, "//www.example.com:8443/a"],
  [
    "http://app.internal:8080?next=http://app.internal:8080/",
    target,
    "https://www.example.com:8443?next=http://app.internal:8080/",
  ],
  ["http://[::1]:80/", "http://[0:0:0:0:0:0:0:1]", "https://www.example.com:8443/"],
  ["http://127.1:8080/", "http://127.0.0.1:8080", "https://www.example.com:8443/"],
  ["http://10.0.0.5/", "http://10.0.0.5:80", "https://www.example.com:8443/"],
])("[X129] Location %s of %s is what the client asked for", (value, origin, expected) => {
  for (const name of ["location", "content-location"]) expect(replaced(name, value, origin)).toBe(expected);
});

test.each([
  "/a",
  "a",
  "?a",
  "http://app.internal/",
  "http://app.internal:8081/",
  "https://app.internal/",
  "http://internal:8080/",
  "http://x.app.internal:8080/",
  "http://app.internal:8080.example.com/",
  "http://app.internal:8080@example.com/",
  "http://user@app.internal:8080/",
  "http:/app.internal:8080/",
  "ftp://app.internal:8080/",
  "/login?next=http://app.internal:8080/",
  "https://sso.example.com/?r=http%3A%2F%2Fapp.internal:8080",
])("[X129] Location %s of http://app.internal:8080 stays as it is", (value) => {
  expect(replaced("location", value)).toBe(value);
});

test("[X129] a redirect from http to https at the target's own address stays one", () => {
  const plain = { scheme: "http", host: "www.example.com" } as const;
  for (const [origin, location] of [
    ["http://10.0.0.5", "https://10.0.0.5/a"],
    ["http://10.0.0.5:8080", "https://10.0.0.5:8080/a"],
  ] as const) {
    const headers = new Headers({ location });
    replaceTargetAddress(headers, origin, plain);
    expect(headers.get("location")).toBe("https://www.example.com/a");
  }
});

test.each([
  ["5; url=http://app.internal:8080/a", "5; url=https://www.example.com:8443/a"],
  ["0;URL='http://app.internal:8080/a'", "0;URL='https://www.example.com:8443/a'"],
  ['0, "http://app.internal:8080"', '0, "https://www.example.com:8443"'],
  ["5", "5"],
  ["5; url=/a", "5; url=/a"],
  ["5; url=http://example.com/", "5; url=http://example.com/"],
])("[X130] Refresh %s becomes %s", (value, expected) => {
  expect(replaced("refresh", value)).toBe(expected);
});

test("[X131] a cookie for the target's host is for the client's; other cookies and their order stay", () => {
  const headers = new Headers();
  const cookies = [
    "a=1; Path=/",
    "b=domain=app.internal; Domain=.App.Internal; Secure",
    "c=3; domain = app.internal",
    "d=4; Domain=internal",
    "e=5; Domain=app.internal.example.com",
  ];
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  replaceTargetAddress(headers, target, asked);
  expect(headers.getSetCookie()).toEqual([
    cookies[0],
    "b=domain=app.internal; Domain=.www.example.com; Secure",
    "c=3; domain = www.example.com",
    cookies[3],
    cookies[4],
  ]);
});

test("[X129] a trusted proxy in front states what the client asked for", async () => {
  const { send } = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, ["http://a:81"])), {
    "http://a:81": () => new Response(null, { status: 302, headers: { location: "http://a:81/x" } }),
  });
  const locationFor = async (client: string) => {
    const headers = {
      host: "inner:8080",
      "x-forwarded-host": "www.example.com, inner",
      "x-forwarded-proto": "https",
    };
    return (await send({ headers, entry: { client } })).headers.get("location");
  };
  expect(await locationFor("198.51.100.9")).toBe("https://www.example.com/x");
  expect(await locationFor("203.0.113.7")).toBe("http://inner:8080/x");
});
