import { expect, test } from "vitest";
import { type ImportResult, importConfig } from "../../../src/haproxy/import.ts";

const backends = ["app", "api", "img"].map((name) => `backend ${name}\n server a 10.0.0.1:80\n`).join("");

/** What becomes of frontends, with the backends app, api and img after them. */
function imported(text: string): ImportResult {
  return importConfig(`defaults\n mode http\n${text}\n${backends}`, {});
}

/** Services as `NAME PORTS host=… path=… at=…`. */
function reached(text: string): string[] {
  const { services, errors } = imported(text);
  expect(errors).toEqual([]);
  return services.map(({ name, ports, labels }) => {
    const said = ["host", "path", "at"].flatMap((label) => {
      const value = labels[`waggle.${label}`];
      return value === undefined ? [] : `${label}=${value}`;
    });
    return [name, ports.join(), ...said].filter((word) => word !== "").join(" ");
  });
}

/** What is told of the lines that begin so. */
function told(text: string, start: string): string[] {
  return imported(text)
    .diagnostics.filter((remark) => remark.text.startsWith(start))
    .map(({ outcome, note }) => `${outcome}: ${note}`);
}

test("[I20] a backend takes its requests of the default_backend, by path and host name", () => {
  const file = `
frontend web
  bind :80
  acl v1 path_beg /api /v1
  acl v1 path /healthz
  acl old hdr(host) -i Old.example.com:80
  use_backend api if v1 || { path -m beg /v2 } or { path_beg -m str /v3 }
  use_backend img if old { path_beg -- /img }
  default_backend app`;
  expect(reached(file)).toEqual([
    "app 80 host=old.example.com",
    "api path==/healthz,/api,=/v3,/v1,/v2 at=app",
    "img path=old.example.com/img at=app",
  ]);
  expect(told(file, "use_backend img")).toEqual(["taken: takes old.example.com/img of app"]);
});

test("[I20] the first rule that holds decides, also where a later one is more exact", () => {
  const rules = (first: string, second: string) =>
    reached(`frontend web\n bind :80\n ${first}\n ${second}\n default_backend app`).slice(1);
  const [byHost, byPath] = ["use_backend img if { hdr(host) a.b }", "use_backend api if { path_beg /api }"];
  expect(rules(byPath, byHost)).toEqual(["api path=/api at=app", "img path=a.b/ at=app"]);
  expect(rules(byHost, byPath)).toEqual(["api path=/api at=app", "img path=a.b/api,a.b/ at=app"]);
  expect(rules("use_backend api if { path_beg /a }", "use_backend img if { path_beg /a/b }")).toEqual([
    "api path=/a at=app",
    "img",
  ]);
});

test("[I20] what must not hold, unless and TRUE are taken; the default_backend keeps what is its own", () => {
  const rules = (line: string) => reached(`frontend web\n bind :80\n ${line}\n default_backend app`);
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

test("[I20] several frontends may lead to the same backends; what one service cannot say for both is told", () => {
  const front = (name: string, port: number, rest: string, path: string) =>
    `frontend ${name}\n bind :${port}\n use_backend api if { path_beg ${path} }\n default_backend ${rest}\n`;
  expect(reached(front("one", 80, "app", "/api") + front("two", 81, "img", "/api"))).toEqual([
    "app 80",
    "api path=/api at=app,img",
    "img 81",
  ]);
  const paths = front("one", 80, "app", "/api") + front("two", 81, "img", "/v2");
  expect(reached(paths)).toEqual(["app 80", "api path=/api at=app", "img 81"]);
  expect(told(paths, "use_backend")).toEqual([
    "taken: takes /api of app",
    "could not: a service takes the same wherever it takes: api takes /api of app",
  ]);
  const plain = "frontend http\n bind :80\n default_backend app\n";
  expect(reached(plain + front("https", 443, "app", "/api"))).toEqual([
    "app 80,443",
    "api path=/api at=app",
    "img",
  ]);
  expect(told(plain + front("https", 443, "app", "/api"), "frontend http")).toEqual([
    "could not: its requests go by the rules of frontend https, for both lead to app",
  ]);
});

test("[I20] a host name leads to one service where no port says which", () => {
  const front = (name: string, port: number, rest: string) =>
    `frontend ${name}\n bind :${port}\n use_backend api if { hdr(host) a.b }\n default_backend ${rest}\n`;
  const file = front("one", 80, "app") + front("two", 81, "img");
  expect(reached(file)).toEqual(["app 80 host=a.b", "api path=a.b/ at=app,img", "img 81"]);
  expect(told(file, "frontend two")).toEqual([
    "could not: where no port says so, a.b leads to app, and not to img",
  ]);
});

test("[I20] a listen's own servers answer what no rule takes, unless it has a default_backend", () => {
  const listen = "listen both\n bind :80\n server s 10.0.0.9:80\n use_backend api if { path_beg /api }\n";
  expect(reached(listen).slice(0, 3)).toEqual(["both 80", "app", "api path=/api at=both"]);
  expect(reached(`${listen} default_backend app`).slice(0, 3)).toEqual([
    "both",
    "app 80",
    "api path=/api at=app",
  ]);
});

test("[I20] without a default_backend host names lead to the backends, and paths alone do not", () => {
  const file = `
frontend web
  bind :80
  use_backend api if { hdr(host) a.b } { path_beg /api }
  use_backend app if { hdr(host) a.b }
  use_backend img if { path_beg /img }`;
  expect(reached(file)).toEqual(["app host=a.b", "api path=a.b/api", "img"]);
  expect(told(file, "use_backend").map((one) => one.slice(0, 36))).toEqual([
    "taken: takes a.b/api",
    "taken: reached by host name, on the ",
    "could not: without a default_backend",
  ]);
});

test.each([
  ["{ path_beg -i /api }", "could not: -i: paths are compared letter by letter"],
  ["{ path_beg -f /etc/paths }", "could not: -f is not read: write the values on the line"],
  ["{ path -m reg ^/x }", "could not: -m reg: a path is compared from its beginning"],
  ["{ path_beg api }", 'could not: "api" is no path the mesh can look for'],
  ["{ path_beg /a,b }", 'could not: "/a,b" is no path the mesh can look for'],
  ["{ path_beg }", "could not: it names no path"],
  ["{ hdr(host) -m beg www. }", "could not: -m beg: a host name is compared whole"],
  ["{ hdr(host) a.b/c }", 'could not: "a.b/c" is no host name'],
  ["{ path,lower /api }", "could not: path,lower is not looked at"],
  ["METH_POST", "could not: METH_POST is not looked at"],
  ["{ path_beg /api } || { src 10.0.0.0/8 }", "could not: src is not looked at"],
])("[I21] a condition the mesh cannot look at is told with its reason: %s", (condition, why) => {
  const file = `frontend web\n bind :80\n use_backend api if ${condition}\n default_backend app`;
  expect(told(file, "use_backend")[0]?.startsWith(why)).toBe(true);
  expect(reached(file)).toEqual(["app 80", "api", "img"]);
});

test.each([
  ["if { path_beg /api", "the { has no } after it"],
  ["if typo", 'there is no acl "typo" before this line'],
  ["when { path / }", '"when" stands where if or unless is expected'],
  ["if", "if has no condition after it"],
  ["if TRUE ||", "if has no condition after it"],
  ["if !", 'there is no acl "" before this line'],
])("[I8] a condition that cannot be read is an error of its line: %s", (condition, message) => {
  const { errors } = imported(`frontend web\n use_backend api ${condition}\n default_backend app`);
  expect(errors).toEqual([{ line: 4, message }]);
});

test("[I21] a backend that becomes no service is told, and the next rule decides", () => {
  const file = `
backend empty
frontend web
  bind :80
  use_backend empty if { path_beg /api }
  use_backend api if { path_beg /api }
  default_backend app`;
  expect(reached(file)).toEqual(["app 80", "api path=/api at=app", "img"]);
  expect(told(file, "use_backend empty")).toEqual(["could not: empty becomes no service"]);
});

test("[W30] several backups share the requests only with option allbackups", () => {
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
