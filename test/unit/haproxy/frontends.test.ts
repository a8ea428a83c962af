import { expect, test } from "vitest";
import { type ImportResult, importConfig } from "../../../src/haproxy/import.ts";

const backends = ["app", "api", "img"].map((name) => `backend ${name}\n server a 10.0.0.1:80\n`).join("");

/** Imports these frontends, followed by the backends app, api and img. */
function imported(text: string): ImportResult {
  return importConfig(`defaults\n mode http\n${text}\n${backends}`, {});
}

/** The services as `NAME PORTS host=… path=… at=…`. */
function exposed(text: string): string[] {
  const { services, errors } = imported(text);
  expect(errors).toEqual([]);
  return services.map(({ name, ports, labels }) => {
    const labelWords = ["host", "path", "at"].flatMap((label) => {
      const value = labels[`waggle.${label}`];
      return value === undefined ? [] : `${label}=${value}`;
    });
    return [name, ports.join(), ...labelWords].filter((word) => word !== "").join(" ");
  });
}

/** The diagnostics of lines with this beginning, as `OUTCOME: NOTE`. */
function notesOn(text: string, start: string): string[] {
  return imported(text)
    .diagnostics.filter((diagnostic) => diagnostic.text.startsWith(start))
    .map(({ outcome, note }) => `${outcome}: ${note}`);
}

test("[I20] a backend takes paths and host names of the default_backend's service", () => {
  const file = `
frontend web
  bind :80
  acl v1 path_beg /api /v1
  acl v1 path /healthz
  acl old hdr(host) -i Old.example.com:80
  use_backend api if v1 || { path -m beg /v2 } or { path_beg -m str /v3 }
  use_backend img if old { path_beg -- /img }
  default_backend app`;
  expect(exposed(file)).toEqual([
    "app 80 host=old.example.com",
    "api path==/healthz,/api,=/v3,/v1,/v2 at=app",
    "img path=old.example.com/img at=app",
  ]);
  expect(notesOn(file, "use_backend img")).toEqual(["taken: takes old.example.com/img of app"]);
});

test("[I20] the first matching rule applies, even if a later one is more specific", () => {
  const rules = (first: string, second: string) =>
    exposed(`frontend web\n bind :80\n ${first}\n ${second}\n default_backend app`).slice(1);
  const [byHost, byPath] = ["use_backend img if { hdr(host) a.b }", "use_backend api if { path_beg /api }"];
  expect(rules(byPath, byHost)).toEqual(["api path=/api at=app", "img path=a.b/ at=app"]);
  expect(rules(byHost, byPath)).toEqual(["api path=/api at=app", "img path=a.b/api,a.b/ at=app"]);
  expect(rules("use_backend api if { path_beg /a }", "use_backend img if { path_beg /a/b }")).toEqual([
    "api path=/a at=app",
    "img",
  ]);
});

test("[I20] negation, unless and TRUE are supported; the default_backend keeps its own paths", () => {
  const rules = (line: string) => exposed(`frontend web\n bind :80\n ${line}\n default_backend app`);
  expect(rules("use_backend api if { path_beg /api } !{ hdr(host) a.b } ! { path /api/x }")).toEqual([
    "app 80 host=a.b path==/api/x,a.b/api at=app",
    "api path=/api at=app",
    "img",
  ]);
  expect(rules("use_backend api unless { path_beg /img }")).toEqual([
    "app path=/img at=api",
    "api 80",
    "img",
  ]);
  expect(rules("use_backend api if TRUE")).toEqual(["app", "api 80", "img"]);
  expect(rules("use_backend api")).toEqual(["app", "api 80", "img"]);
  expect(rules("use_backend api if FALSE")).toEqual(["app 80", "api", "img"]);
});

test("[I20] several frontends can share backends; differences that one service cannot have are reported", () => {
  const front = (name: string, port: number, rest: string, path: string) =>
    `frontend ${name}\n bind :${port}\n use_backend api if { path_beg ${path} }\n default_backend ${rest}\n`;
  expect(exposed(front("one", 80, "app", "/api") + front("two", 81, "img", "/api"))).toEqual([
    "app 80",
    "api path=/api at=app,img",
    "img 81",
  ]);
  const paths = front("one", 80, "app", "/api") + front("two", 81, "img", "/v2");
  expect(exposed(paths)).toEqual(["app 80", "api path=/api at=app", "img 81"]);
  expect(notesOn(paths, "use_backend")).toEqual([
    "taken: takes /api of app",
    "could not: a service takes the same paths of all services: api takes /api of app",
  ]);
  const plain = "frontend http\n bind :80\n default_backend app\n";
  expect(exposed(plain + front("https", 443, "app", "/api"))).toEqual([
    "app 80,443",
    "api path=/api at=app",
    "img",
  ]);
  expect(notesOn(plain + front("https", 443, "app", "/api"), "frontend http")).toEqual([
    "taken: ",
    "could not: the rules of frontend https apply, because both lead to app",
    "taken: ",
  ]);
});

test("[I20] a host name alone leads to one service", () => {
  const front = (name: string, port: number, rest: string) =>
    `frontend ${name}\n bind :${port}\n use_backend api if { hdr(host) a.b }\n default_backend ${rest}\n`;
  const file = front("one", 80, "app") + front("two", 81, "img");
  expect(exposed(file)).toEqual(["app 80 host=a.b", "api path=a.b/ at=app,img", "img 81"]);
  expect(notesOn(file, "frontend two")).toEqual([
    "taken: ",
    "could not: by host name alone, a.b leads to app, not to img",
  ]);
});

test("[I20] a listen's own servers get requests that match no rule, unless it has a default_backend", () => {
  const listen = "listen both\n bind :80\n server s 10.0.0.9:80\n use_backend api if { path_beg /api }\n";
  expect(exposed(listen).slice(0, 3)).toEqual(["both 80", "app", "api path=/api at=both"]);
  expect(exposed(`${listen} default_backend app`).slice(0, 3)).toEqual([
    "both",
    "app 80",
    "api path=/api at=app",
  ]);
});

test("[I20] without a default_backend, host names lead to the backends and paths alone do not", () => {
  const file = `
frontend web
  bind :80
  use_backend api if { hdr(host) a.b } { path_beg /api }
  use_backend app if { hdr(host) a.b }
  use_backend img if { path_beg /img }`;
  expect(exposed(file)).toEqual(["app host=a.b", "api path=a.b/api", "img"]);
  expect(notesOn(file, "use_backend").map((note) => note.slice(0, 36))).toEqual([
    "taken: takes a.b/api",
    "taken: reached by host name, on the ",
    "could not: without a default_backend",
  ]);
});

test.each([
  ["{ path_beg -i /api }", "could not: -i: paths are case-sensitive"],
  ["{ path_beg -f /etc/paths }", "could not: -f is not supported: write the values on the line"],
  ["{ path -m reg ^/x }", "could not: -m reg: a path is matched as a whole or by its beginning"],
  ["{ path_beg api }", 'could not: "api" is not a path that the mesh can match'],
  ["{ path_beg /a,b }", 'could not: "/a,b" is not a path that the mesh can match'],
  ["{ path_beg /a/../b }", 'could not: "/a/../b" is not a path that the mesh can match'],
  ["{ path_beg }", "could not: it has no path"],
  ["{ hdr(host) -m beg www. }", "could not: -m beg: a host name is matched as a whole"],
  ["{ hdr(host) a.b/c }", 'could not: "a.b/c" is not a host name'],
  ["{ path,lower /api }", "could not: path,lower is not supported"],
  ["METH_POST", "could not: METH_POST is not supported"],
  ["{ path_beg /api } || { src 10.0.0.0/8 }", "could not: src is not supported"],
])("[I21] an unsupported condition is reported with its reason: %s", (condition, why) => {
  const file = `frontend web\n bind :80\n use_backend api if ${condition}\n default_backend app`;
  expect(notesOn(file, "use_backend")[0]?.startsWith(why)).toBe(true);
  expect(exposed(file)).toEqual(["app 80", "api", "img"]);
});

test("[I20] a condition, or an alternative of it, without terms never holds", () => {
  const rules = (line: string) => exposed(`frontend web\n bind :80\n ${line}\n default_backend app`);
  expect(rules("use_backend api if")).toEqual(["app 80", "api", "img"]);
  expect(rules("use_backend api if ||")).toEqual(["app 80", "api", "img"]);
  expect(rules("use_backend api unless !")).toEqual(["app", "api 80", "img"]);
  expect(rules("use_backend api if { path /x } ||")).toEqual(["app 80", "api path==/x at=app", "img"]);
});

test.each([
  ["if { path_beg /api", "use_backend api … /api: missing } after {"],
  ["if typo", 'acl "typo" is not defined above'],
  ["when { path / }", 'use_backend api: unexpected word "when": write if or unless'],
  ["if { }", "use_backend api … {: missing criterion"],
])("[I8] an unreadable condition is an error of its line: %s", (condition, message) => {
  const { errors } = imported(`frontend web\n use_backend api ${condition}\n default_backend app`);
  expect(errors).toEqual([{ line: 4, message }]);
});

test("[I21] a backend that does not become a service is reported, and the next rule applies", () => {
  const file = `
backend empty
frontend web
  bind :80
  use_backend empty if { path_beg /api }
  use_backend api if { path_beg /api }
  default_backend app`;
  expect(exposed(file)).toEqual(["app 80", "api path=/api at=app", "img"]);
  expect(notesOn(file, "use_backend empty")).toEqual(["could not: empty does not become a service"]);
});

test("[W30] several backups share requests only with option allbackups", () => {
  const label = (text: string) =>
    importConfig(`defaults\n mode http\n${text}\n`, {}).services[0]?.labels["waggle.allbackups"];
  const listen = "listen w\n bind :1\n server a 10.0.0.1:1\n server b 10.0.0.1:2 backup";
  expect(label(listen)).toBeUndefined();
  expect(label(`${listen}\n server c 10.0.0.1:3 backup`)).toBe("false");
  expect(label(`${listen}\n server c 10.0.0.1:3 backup\n option allbackups`)).toBe("true");
  expect(label(` option allbackups\n${listen}\n server c 10.0.0.1:3 backup\n no option allbackups`)).toBe(
    "false",
  );
});

test("[I40] a frontend and a backend of one name have outcomes of their own", () => {
  const file = (backend: string) =>
    importConfig(
      `defaults\n mode http\nfrontend web\n bind :80\n timeout client 5s\n default_backend web\nbackend web\n${backend}`,
      {},
    );
  const heads = (backend: string) =>
    file(backend)
      .diagnostics.filter(({ text }) => / web$/.test(text))
      .map(({ text, outcome, note }) => `${text}: ${outcome} ${note}`.trim());
  expect(heads(" server a 10.0.0.1:80\n")).toEqual([
    "frontend web: taken",
    "default_backend web: taken published at 80",
    "backend web: taken",
  ]);
  expect(heads("")).toEqual([
    "frontend web: could not none of its backends becomes a service that a supported rule leads to",
    "default_backend web: could not web does not become a service",
    "backend web: could not it has no servers",
  ]);
  expect(file(" server a 10.0.0.1:80\n").services[0]?.labels["waggle.body-timeout"]).toBe("5000ms");
});
