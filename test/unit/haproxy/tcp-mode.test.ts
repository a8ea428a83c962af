import { describe, expect, test } from "vitest";
import { type ImportedService, importConfig } from "../../../src/haproxy/import.ts";

const timeouts = " timeout connect 5s\n timeout client 30s\n timeout server 1m\n";

/** One service in mode tcp. @param lines of its backend */
function withLines(lines: string, server = "server a 10.0.0.1:5432 check"): string {
  return `defaults\n${timeouts}listen db\n bind :5432\n${lines} ${server}\n`;
}

function serviceOf(text: string): ImportedService | undefined {
  const { services, errors } = importConfig(text, {});
  expect(errors).toEqual([]);
  return services[0];
}

function outcomes(text: string, line: string): string[] {
  return importConfig(text, {})
    .diagnostics.filter((diagnostic) => diagnostic.text === line)
    .map(({ outcome, note }) => (note === "" ? outcome : `${outcome}: ${note}`));
}

describe("a proxy in mode tcp", () => {
  test("[I81] becomes a service in mode tcp at its ports; without a mode it is one", () => {
    for (const mode of ["", " mode tcp\n"]) {
      expect(serviceOf(withLines(`${mode} balance leastconn\n`))).toMatchObject({
        name: "db",
        ports: [5432],
        labels: { "waggle.mode": "tcp", "waggle.balance": "leastconn", "waggle.idle-timeout": "30000ms" },
        servers: [{ spec: { host: "10.0.0.1", port: 5432 } }],
      });
    }
    expect(outcomes(withLines(" mode tcp\n"), "mode tcp")).toEqual(["taken"]);
    expect(outcomes(withLines(""), "bind :5432")).toEqual([
      "taken: on nodes and self-hosted balancers; a Worker on Cloudflare has no such port",
    ]);
  });

  test("[I81] a frontend in mode tcp leads to one backend, in mode tcp or http; one in mode http to none in mode tcp", () => {
    const back = (mode: string) => `backend b\n mode ${mode}\n server a 10.0.0.1:80\n`;
    const front = (mode: string) =>
      `defaults\n${timeouts}frontend f\n mode ${mode}\n bind :80\n default_backend b\n`;
    expect(serviceOf(front("tcp") + back("tcp"))).toMatchObject({
      ports: [80],
      labels: { "waggle.mode": "tcp" },
    });
    const read = serviceOf(front("tcp") + back("http"));
    expect(read).toMatchObject({ ports: [80] });
    expect(read?.labels["waggle.mode"]).toBeUndefined();
    // HAProxy refuses such a file.
    expect(outcomes(front("http") + back("tcp"), "default_backend b")).toEqual([
      "could not: b is in mode tcp, and this frontend in mode http",
    ]);
  });

  test("[I82] a use_backend with a condition is not imported, and one without it decides", () => {
    const backends = "backend b\n server a 10.0.0.1:1\nbackend c\n server a 10.0.0.2:1\n";
    const file = (rules: string) => `defaults\n${timeouts}frontend f\n bind :1\n${rules}${backends}`;
    const rule = "use_backend c if { req.ssl_sni -i a.b }";
    const text = file(` ${rule}\n default_backend b\n`);
    expect(outcomes(text, rule)[0]).toMatch(/^could not: /);
    expect(importConfig(text, {}).services.map(({ name, ports }) => [name, ports])).toEqual([
      ["b", [1]],
      ["c", []],
    ]);
    const path = "use_backend c if { path_beg /x }";
    expect(outcomes(file(` ${path}\n default_backend b\n`), path)).toEqual([
      "could not: in mode tcp the mesh sends all connections of a port to one service",
    ]);
    const always = importConfig(file(" use_backend c\n default_backend b\n"), {}).services;
    expect(always.map(({ name, ports }) => [name, ports])).toEqual([
      ["b", []],
      ["c", [1]],
    ]);
  });
});

describe("timeouts", () => {
  test.each([
    [" timeout tunnel 1h\n", "3600000ms"],
    [" timeout client 2h\n timeout server 90m\n", "5400000ms"],
    [" timeout server 0\n", "30000ms"],
    [" timeout tunnel 0\n", "0"],
    [" timeout tunnel 2d\n", "0"],
  ])(
    "[I83] the idle timeout is timeout tunnel, else the shorter of client and server: %j",
    (lines, label) => {
      expect(serviceOf(withLines(lines))?.labels["waggle.idle-timeout"]).toBe(label);
    },
  );

  test("[I83] timeout tunnel replaces the other two", () => {
    const text = withLines(" timeout tunnel 1h\n");
    expect(outcomes(text, "timeout tunnel 1h")).toEqual(["taken"]);
    expect(outcomes(text, "timeout client 30s")).toEqual(["as is: timeout tunnel replaces it"]);
    expect(outcomes(withLines(""), "timeout server 1m")).toEqual([
      "taken: the shorter one of client and server, unless timeout tunnel is set",
    ]);
  });
});

describe("servers and lines", () => {
  test.each([
    ["send-proxy", "v1"],
    ["send-proxy-v2", "v2"],
    ["send-proxy no-send-proxy", undefined],
  ])("[I84] %s becomes a label if all servers have it", (params, version) => {
    const server = `server a 10.0.0.1:1 ${params}`;
    expect(serviceOf(withLines("", server))?.labels["waggle.send-proxy"]).toBe(version);
    const mixed = withLines(" server b 10.0.0.2:1\n", server);
    if (version === undefined) return;
    expect(serviceOf(mixed)?.labels["waggle.send-proxy"]).toBeUndefined();
    expect(outcomes(mixed, server)).toContain(`could not: ${params}: only some servers get this header`);
  });

  test.each([
    "option forwardfor",
    "option httpclose",
    "cookie SRV insert",
    "http-request deny",
    "http-reuse always",
    "errorfile 503 /etc/haproxy/503.http",
    "monitor-uri /alive",
  ])("[I85] HAProxy ignores %s in mode tcp, and so does the import", (line) => {
    const text = withLines(` ${line}\n`);
    expect(outcomes(text, line)).toEqual(["as is: HAProxy ignores it in mode tcp"]);
    expect(importConfig(text, {}).lostProtection).toEqual([]);
  });

  test("[I85] a server has 5 s to accept a connection, and a client stays with its server by its address", () => {
    const note = "a server has 5 s to accept a connection";
    expect(outcomes(withLines(""), "timeout connect 5s")).toEqual([`as is: ${note}`]);
    expect(outcomes(withLines(" timeout connect 1s\n"), "timeout connect 1s")).toEqual([
      `could not: ${note}`,
    ]);
    expect(outcomes(withLines(" stick on src\n"), "stick on src")).toEqual([
      "could not: use `balance source`, which keeps a client with its server",
    ]);
  });

  test("[I85] a policy that reads requests is round robin in mode tcp, as in HAProxy", () => {
    const text = withLines(" balance uri\n");
    expect(outcomes(text, "balance uri")).toEqual(["as is: HAProxy falls back to round robin in mode tcp"]);
    expect(serviceOf(text)?.labels["waggle.balance"]).toBeUndefined();
  });

  test("[I85] retries, checks and limits of servers are taken; rules on connections are lost protection", () => {
    const text = withLines(
      " retries 3\n option httpchk GET /master\n tcp-request connection reject if { src 10.0.0.9 }\n timeout queue 5s\n",
      "server a 10.0.0.1:5432 maxconn 9 check port 8008",
    );
    expect(serviceOf(text)).toMatchObject({
      labels: { "waggle.maxconn": "9", "waggle.queue": "unlimited", "waggle.queue-timeout": "5000ms" },
      servers: [{ spec: { maxConn: 9, check: { port: 8008, http: { uri: "/master" } } } }],
    });
    expect(Object.keys(serviceOf(text)?.labels ?? {})).not.toContain("waggle.retries");
    expect(outcomes(text, "retries 3")).toEqual([
      "as is: a connection that a server refuses is tried at each other server once",
    ]);
    expect(importConfig(text, {}).lostProtection).toMatchObject([
      { effect: "rejects connections", services: ["db"] },
    ]);
  });

  test("[I81] the labels of an imported service are valid", async () => {
    const { checkLabels } = await import("../../../src/domain/labels/labels.ts");
    const text = withLines(
      " balance source\n option allbackups\n timeout queue 1s\n",
      "server a 10.0.0.1:1 maxconn 2 send-proxy-v2 slowstart 10s\n server b 10.0.0.2:1 backup\n server c 10.0.0.3:1 backup",
    );
    for (const { labels } of importConfig(text, {}).services) expect(() => checkLabels(labels)).not.toThrow();
  });
});
