import { describe, expect, test } from "vitest";
import { defaultHttpCheck } from "../../../src/domain/model/server.ts";
import { type ImportResult, importConfig } from "../../../src/haproxy/import.ts";

const http = "defaults\n  mode http\n";

/** Imports these sections, with mode http as default. */
function imported(text: string): ImportResult {
  return importConfig(http + text, {});
}

function errorsOf(text: string): string[] {
  return imported(text).errors.map(({ line, message }) => `${line}: ${message}`);
}

/** The diagnostics of lines with this beginning, as `OUTCOME` or `OUTCOME: NOTE`. */
function outcomesOf(text: string, start: string): string[] {
  return imported(text)
    .diagnostics.filter((diagnostic) => diagnostic.text.startsWith(start))
    .map(({ outcome, note }) => (note === "" ? outcome : `${outcome}: ${note}`));
}

function onlyServer(params: string, backend = "") {
  const { services, errors } = imported(
    `listen web\n bind :80\n${backend}\n server a 10.0.0.1:8080 ${params}\n`,
  );
  expect(errors).toEqual([]);
  return services[0]?.servers[0];
}

describe("services", () => {
  test("[I4] a listen is published at its bind ports, a backend at those of its frontend or by host name", () => {
    const { services } = imported(`
frontend front
  bind *:8080,:9090
  bind [::]:7070
  acl api hdr(host) -i api.example.com API2.example.com
  use_backend api if api || { req.hdr(host),lower v3.example.com }
  default_backend app
backend app
  server a 10.0.0.1:80
backend api
  server b 10.0.0.2:80
listen own
  bind :6060-6061
  server c 10.0.0.3:80
`);
    const hosts = "api.example.com,api2.example.com,v3.example.com";
    expect(services.map(({ name, ports, labels }) => [name, ports, labels["waggle.host"]])).toEqual([
      ["app", [7070, 8080, 9090], hosts],
      ["api", [], undefined],
      ["own", [6060, 6061], undefined],
    ]);
    expect(services[1]?.labels).toEqual({
      "waggle.at": "app",
      "waggle.hedge": "false",
      "waggle.path": "api.example.com/,api2.example.com/,v3.example.com/",
    });
  });

  test("[I4] balance, cookie, slowstart and queue settings become labels", () => {
    const { services } = imported(`
listen web
  bind :80
  balance hdr(X-User)
  cookie SRV insert indirect nocache
  timeout queue 3s
  default-server slowstart 30s maxconn 20
  server a 10.0.0.1:80 cookie a
`);
    expect(services[0]?.labels).toEqual({
      "waggle.balance": "hdr(x-user)",
      "waggle.sticky": "SRV",
      "waggle.slowstart": "30000ms",
      "waggle.maxconn": "20",
      "waggle.queue": "unlimited",
      "waggle.queue-timeout": "3000ms",
      "waggle.hedge": "false",
    });
  });

  test("[I5] unsupported lines are reported with a reason, and the others are imported", () => {
    const file = `
frontend front
  bind :80 ssl crt /x.pem
  acl api path_end .php
  use_backend web if api
  use_backend web if !api
  http-request deny
  default_backend web
backend web
  balance first
  cookie SRV prefix
  server a 10.0.0.1:80 send-proxy check
`;
    expect(imported(file).errors).toEqual([]);
    expect(imported(file).services).toHaveLength(1);
    expect(outcomesOf(file, "bind")).toContainEqual(
      expect.stringContaining("could not: ssl: on Cloudflare the edge terminates TLS"),
    );
    expect(outcomesOf(file, "acl")[0]).toContain("could not: path_end is not supported");
    expect(outcomesOf(file, "use_backend").every((outcome) => outcome.startsWith("could not"))).toBe(true);
    expect(outcomesOf(file, "http-request")[0]).toContain("could not: the mesh does not rewrite");
    expect(outcomesOf(file, "balance")[0]).toContain("could not: policy first is not supported");
    expect(outcomesOf(file, "cookie")[0]).toContain("could not");
    expect(outcomesOf(file, "server")).toContainEqual(expect.stringContaining("could not: send-proxy"));
  });

  test("[I5] a proxy that is disabled or has no servers is reported and does not become a service", () => {
    const file = `
listen off
  disabled
  bind :81
  server a 10.0.0.1:80
backend empty
`;
    expect(imported(file).services).toEqual([]);
    expect(outcomesOf(file, "listen off")[0]).toContain("could not: it is disabled");
  });

  test("[I5] a password is not printed", () => {
    expect(
      imported("listen s\n bind :1\n stats auth admin:hunter2\n")
        .diagnostics.map(({ text }) => text)
        .join(),
    ).not.toContain("hunter2");
  });
});

describe("servers", () => {
  test("[I6] parameters override those of default-server", () => {
    expect(
      onlyServer(
        "check inter 1s fastinter 200ms weight 7 backup disabled maxconn 9 cookie k",
        " default-server rise 4 fall 5",
      ),
    ).toMatchObject({
      line: 6,
      admin: "maint",
      spec: {
        ...{ name: "a", host: "10.0.0.1", port: 8080, weight: 7, backup: true, maxConn: 9, cookie: "k" },
        check: { interMs: 1_000, fastInterMs: 200, downInterMs: 1_000, rise: 4, fall: 5, http: null },
      },
    });
    expect(onlyServer("")?.spec.check).toBeNull();
    expect(onlyServer("no-check", " default-server check")?.spec.check).toBeNull();
  });

  test("[I6] an address is an IPv4 address, an IPv6 address or a name", () => {
    const hosts = [
      "10.0.0.1:80",
      "[fd00::1]:80",
      "ipv6@fd00::1:80",
      "node1.example.com:80",
      "ipv4@10.0.0.1:80",
    ];
    const file = hosts.map((host, at) => ` server s${at} ${host}`).join("\n");
    const [service] = imported(`listen web\n bind :80\n${file}\n`).services;
    expect(service?.servers.map(({ spec }) => `${spec.host} ${spec.port}`)).toEqual([
      "10.0.0.1 80",
      "fd00::1 80",
      "fd00::1 80",
      "node1.example.com 80",
      "10.0.0.1 80",
    ]);
  });

  test("[F40] an expression that the mesh does not support is reported at its line, and the check does without it", () => {
    const backend = (pattern: string) => ` option httpchk\n http-check expect rstring ${pattern}\n`;
    const checked = (pattern: string) =>
      `listen web\n bind :80\n${backend(pattern)} server a 10.0.0.1:80 check\n`;
    for (const [pattern, reason] of [
      ["(?=a)b", "lookahead (?= is not in RE2's syntax"],
      ["a++", "possessive quantifier ++ is not"],
      [".{0,500}", "too large"],
      ["a".repeat(201), "use 1 to 200 characters"],
    ] as const) {
      expect(onlyServer("check", backend(pattern))?.spec.check?.http).toEqual(defaultHttpCheck);
      const [outcome, ...others] = outcomesOf(checked(pattern), "http-check");
      expect([outcome, others]).toEqual([expect.stringMatching(/^could not: /), []]);
      expect(outcome).toContain(reason);
    }
    expect(onlyServer("check", backend("'(a+)+$'"))?.spec.check?.http?.expect?.pattern).toBe("(a+)+$");
  });

  test.each([
    ["a)", "unexpected ): a)"],
    ["(?i)a)", "unexpected ): (?i)a)"],
    ["(?i)(a", "missing closing ): (?i)(a"],
    ["[z-a]", "invalid character class range: z-a"],
    ["a{2,1}", "invalid repeat count: {2,1}"],
  ])("[F40] %s is no regular expression and an error of its line, of an acl as well", (pattern, why) => {
    const message = `"${pattern}" is not a regular expression: ${why}`;
    const expectation = ` option httpchk\n http-check expect rstring ${pattern}\n`;
    const file = `listen web\n bind :80\n${expectation} acl x path_reg ${pattern}\n server a 10.0.0.1:80\n`;
    expect(errorsOf(file)).toEqual([
      `6: http-check expect rstring: ${message}`,
      `7: acl x path_reg: ${message}`,
    ]);
  });

  test("[F40] expectations that HAProxy accepts and the mesh cannot read are reported, not errors", () => {
    const file = (status: string) =>
      `listen web\n bind :80\n option httpchk\n http-check expect status ${status}\n server a 10.0.0.1:80 check\n`;
    for (const status of ["20", "2000-3000"]) {
      expect(errorsOf(file(status))).toEqual([]);
      expect(outcomesOf(file(status), "http-check")).toEqual([
        expect.stringMatching(/^could not: cannot read expected status/),
      ]);
    }
  });

  test("[F40] without option httpchk HAProxy checks by TCP, and so does the mesh", () => {
    const rules = " http-check send-state\n http-check expect rstring (?=a)b\n";
    expect(onlyServer("check", rules)?.spec.check?.http).toBeNull();
    const outcomes = outcomesOf(`listen web\n bind :80\n${rules} server a 10.0.0.1:80 check\n`, "http-check");
    const ignored = "as is: HAProxy ignores it without `option httpchk`";
    expect(outcomes).toEqual([ignored, ignored]);
  });

  test("[F40] expectations that no server is checked for are as is", () => {
    const rules = " option httpchk\n http-check expect rstring (?=a)b\n";
    expect(outcomesOf(`listen web\n bind :80\n${rules} server a 10.0.0.1:80\n`, "http-check")).toEqual([
      "as is: no server is checked",
    ]);
  });

  test("[I7] option httpchk, http-check and timeout check define the check", () => {
    const oldForm = onlyServer("check", " option httpchk GET /health HTTP/1.1\\r\\nHost:\\ www.example.com");
    expect(oldForm?.spec.check?.http).toMatchObject({
      ...{ method: "GET", uri: "/health", version: "HTTP/1.1" },
      headers: [{ name: "Host", value: "www.example.com" }],
    });
    const newForm = onlyServer(
      "check",
      ` option httpchk
 http-check send meth HEAD uri /up ver HTTP/1.1 hdr Host www.example.com
 http-check expect ! rstring "^sorry no"
 http-check disable-on-404
 timeout connect 1s
 timeout check 3s`,
    );
    expect(newForm?.spec.check).toMatchObject({
      timeoutMs: 4_000,
      http: {
        ...{ method: "HEAD", uri: "/up", version: "HTTP/1.1", disableOn404: true },
        headers: [{ name: "Host", value: "www.example.com" }],
        expect: { kind: "rstring", pattern: "^sorry no", not: true },
      },
    });
    expect(onlyServer("check", " option httpchk /health")?.spec.check?.http).toMatchObject({
      ...{ method: "OPTIONS", uri: "/health" },
    });
    expect(onlyServer("check", " option httpchk\n option tcp-check")?.spec.check?.http).toBeNull();
    expect(onlyServer("check port 81 ssl")?.spec.check).toMatchObject({ port: 81, tls: false });
  });
});

describe("unreadable files", () => {
  test.each([
    ["backend web\n server a", "server a: it ends too early: add HOST:PORT"],
    ["backend web\n server a 10.0.0.1:80 chekc", 'there is no "chekc": did you mean check?'],
    ["backend web\n server a 10.0.0.1:80 weight", "weight: it ends too early: add NUMBER"],
    ["backend web\n server a 10.0.0.1:80 weight 999", "server a … weight: 999 is above 256"],
    ["backend web\n server a 10.0.0.1:80 check inter soon", 'server a … inter: "soon" is not a time'],
    ["backend web\n blance roundrobin", 'unknown keyword "blance" in a backend: did you mean balance?'],
    ["backend web\n option httpchkk", "did you mean httpchk?"],
    ["backend web\n http-check expect body x", 'http-check expect: there is no "body"'],
    ["backend web\n timeout conect 1s", 'timeout: there is no "conect": did you mean connect?'],
    ["frontend f\n bind 80x", 'bind: "80x" has no port'],
    ["frontend f\n bind :70000", "not a port from 1 to 65535"],
    ["frontend f\n use_backend b if nope", 'acl "nope" is not defined'],
    ["frontend f\n bind :80\n default_backend nowhere", "backend nowhere is not defined"],
    ["backend", "backend has no name"],
    ["backend a from nowhere", '"defaults nowhere" is not defined'],
    ["backend a\n.if 1", "this .if has no .endif"],
    ["backend web\n constructor x", 'unknown keyword "constructor"'],
    ["backend web\n option toString", 'option: there is no "toString"'],
    ["backend web\n timeout valueOf 1s", 'timeout: unexpected word "valueOf": write check, client'],
    ["backend web\n server a 10.0.0.1:80 constructor", 'there is no "constructor"'],
  ])("[I8] %j is refused with its line and what would work", (text, message) => {
    expect(errorsOf(text).join("\n")).toContain(message);
  });

  test("[I8] all errors are reported together, ordered by line", () => {
    const text = "backend a\n server x\n server y\n nonsense\nbackend a\n server z 10.0.0.1:80\n";
    expect(errorsOf(text).map((error) => error.split(":")[0])).toEqual(["4", "5", "6", "7"]);
    expect(importConfig("server a 10.0.0.1:80", {}).errors[0]).toMatchObject({
      line: 1,
      message: expect.stringContaining("before any section"),
    });
  });
});
