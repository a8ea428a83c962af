import { describe, expect, test } from "vitest";
import { type ImportResult, importConfig } from "../../../src/haproxy/import.ts";

const defaults = "defaults\n mode http\n";
const web = "frontend web\n bind :80\n default_backend app\nbackend app\n server a 10.0.0.1:80 check\n";

function imported(text: string): ImportResult {
  const result = importConfig(text, {});
  expect(result.errors).toEqual([]);
  return result;
}

/** The outcomes of the line with this text, as `OUTCOME` or `OUTCOME: NOTE`. */
function outcomes(text: string, line: string): string[] {
  return imported(text)
    .diagnostics.filter((diagnostic) => diagnostic.text === line)
    .map(({ outcome, note }) => (note === "" ? outcome : `${outcome}: ${note}`));
}

/** The outcome words of a line added to the frontend `web`, and of one added to the backend `app`. */
function inFrontend(line: string): string[] {
  return outcomes(`${defaults}${web.replace("\n bind :80", `\n bind :80\n ${line}`)}`, line);
}
function inBackend(line: string): string[] {
  return outcomes(`${defaults}${web.replace("\nbackend app\n", `\nbackend app\n ${line}\n`)}`, line);
}

describe("sections", () => {
  test.each([
    ["listen off\n disabled\n bind :81\n server d 10.0.0.1:80\n", "it is disabled"],
    ["listen none\n bind :8404\n option httplog\n", "it has no servers"],
    [
      "listen any\n bind :81\n server s *:80\n server t 0.0.0.0:81\n",
      "it has no servers that the mesh can reach",
    ],
    ["frontend lost\n bind :81\n use_backend app if { src 10.0.0.0/8 }\n", "none of its backends"],
  ])("[I28] no line of a section that is not imported is taken: %j", (section, why) => {
    const { diagnostics, services } = imported(`${defaults}${web}${section}`);
    const ofSection = diagnostics.filter(({ line }) => line > 7);
    expect(services.map(({ name }) => name)).toEqual(["app"]);
    expect(ofSection.map(({ outcome }) => outcome)).not.toContain("taken");
    expect(new Set(ofSection.map(({ line }) => line)).size).toBe(section.split("\n").length - 1);
    expect(ofSection[0]?.note).toContain(why);
  });

  test.each(["frontend", "listen"])(
    "[I80] the lines of a %s that only shows statistics say that the mesh has its own page",
    (kind) => {
      const stats = `${kind} stats\n bind :8404\n stats enable\n stats uri /stats\n`;
      const note = "could not: it is a statistics page, and the balancer has its own: docs/stats.md";
      for (const line of [`${kind} stats`, "bind :8404", "stats enable", "stats uri /stats"])
        expect(outcomes(`${defaults}${web}${stats}`, line)).toEqual([note]);
      const rule = `${stats} use_backend app if { src 10.0.0.0/8 }\n`;
      expect(outcomes(`${defaults}${web}${rule}`, "stats enable")).not.toEqual([note]);
    },
  );

  test("[I28] a line of defaults is taken if a section that is imported uses it", () => {
    const off = "defaults\n balance source\nlisten db\n disabled\n bind :1\n server s 10.0.0.1:1\n";
    const text = `${off}${defaults} balance leastconn\n${web}`;
    expect(outcomes(text, "balance source")).toEqual([expect.stringContaining("could not: it is disabled")]);
    expect(outcomes(text, "balance leastconn")).toEqual(["taken"]);
  });

  test("[I29] an acl is taken only if a rule that is taken uses it", () => {
    const front = (rules: string) =>
      `${defaults}${web.replace(" default_backend", `${rules} default_backend`)}`;
    const deny = " acl inside hdr(host) a.b\n http-request deny if !inside\n";
    expect(outcomes(front(deny), "acl inside hdr(host) a.b")).toEqual([
      "could not: no rule that is imported uses it",
    ]);
    const use = " acl api path_beg /api\n use_backend app if api\n";
    expect(outcomes(front(use), "acl api path_beg /api")).toEqual(["taken"]);
    const guarded = " acl api path_beg /api\n use_backend app if api { src 10.0.0.1 }\n";
    expect(outcomes(front(guarded), "acl api path_beg /api")).toEqual([
      "could not: no rule that is imported uses it",
    ]);
  });

  test("[I39] a bind is taken only if its port is published, and its words that have no counterpart are named", () => {
    expect(inFrontend("bind 10.0.0.9:81 ssl crt /x.pem accept-proxy name b interface eth0")).toEqual([
      "taken: on Cloudflare services are reached by host name",
      expect.stringContaining("could not: 10.0.0.9: a published port is open on every address"),
      expect.stringContaining("could not: ssl: "),
      expect.stringContaining("could not: accept-proxy: the mesh does not read the PROXY protocol"),
      expect.stringContaining("could not: interface: "),
    ]);
    expect(inFrontend("bind /run/web.sock")).toEqual([expect.stringContaining("could not: /run/web.sock")]);
    const byHost = `${defaults}frontend f\n bind :80\n use_backend b if { hdr(host) a.b }\nbackend b\n server s 10.0.0.1:80\n`;
    expect(outcomes(byHost, "bind :80")).toEqual([
      expect.stringContaining("could not: without a default_backend no port is published"),
    ]);
  });

  test("[I33] a line that another one replaces, or that HAProxy ignores in its section, is not taken", () => {
    const twice = `${defaults}${web.replace("\nbackend app\n", "\nbackend app\n balance source\n balance leastconn\n")}`;
    expect(outcomes(twice, "balance source")).toEqual(["as is: line 8 replaces it"]);
    expect(inFrontend("balance source")).toEqual([
      "as is: it cannot have an effect in a frontend: HAProxy ignores it",
    ]);
    expect(inBackend("maxconn 5")).toEqual([
      "as is: it cannot have an effect in a backend: HAProxy ignores it",
    ]);
  });

  test("[I37] a section whose name no service can have becomes a service of another name", () => {
    const backends = ["www.example.com", "a:8080", "a.8080", "a-8080", "..", "x".repeat(70)];
    const lines = backends.map((name, at) => `backend ${name}\n server s 10.0.0.${at}:80\n`).join("");
    const front = `frontend f\n bind :80\n use_backend www.example.com if { path_beg /x }\n default_backend a:8080\n`;
    const { services } = imported(`${defaults}${front}${lines}`);
    expect(services.map(({ name }) => name)).toEqual([
      ...["www-example-com", "a-8080-2", "a-8080-3", "a-8080", "section", "x".repeat(63)],
    ]);
    expect(services[0]?.labels["waggle.at"]).toBe("a-8080-2");
    const head = outcomes(`${defaults}${front}${lines}`, "backend www.example.com");
    expect(head).toEqual(["taken: as service www-example-com"]);
  });
});

describe("servers", () => {
  test.each([
    ["*:80", "the address that the client chose"],
    ["0.0.0.0:80", "the address that the client chose"],
    ["10.0.0.9", "has no port"],
    ["10.0.0.9:+100", "HAProxy would count the port"],
    ["unix@/run/a.sock", "the mesh connects to TCP ports only"],
    ["abns@a", "the mesh connects to TCP ports only"],
    ["10.1:80", "write it in full"],
  ])("[I30] a server at %s is not imported, and the others are", (address, why) => {
    const text = `${defaults}${web.replace("\nbackend app\n", `\nbackend app\n server s ${address}\n`)}`;
    expect(outcomes(text, `server s ${address}`)).toEqual([expect.stringMatching(/^could not: /)]);
    expect(outcomes(text, `server s ${address}`)[0]).toContain(why);
    expect(imported(text).services[0]?.servers.map(({ spec }) => spec.name)).toEqual(["a"]);
  });

  test("[I31] what the mesh cannot do of a server's parameters is named beside what is taken", () => {
    expect(inBackend("server s 10.0.0.2:80 check send-proxy track a weight 5")).toEqual([
      "taken",
      "could not: track: each server is checked separately",
      "could not: send-proxy: servers receive X-Forwarded-For, not the PROXY protocol",
    ]);
    expect(inBackend("server _s 10.0.0.2:80 check inter 20ms cookie a;b")).toEqual([
      "taken: as server s",
      "could not: inter: the shortest interval is 100 ms",
      'could not: cookie: "a;b" cannot be the value of a cookie',
    ]);
  });

  test("[I38] a check has one request and one expectation; other steps are not taken", () => {
    const check = (lines: string) =>
      `${defaults}${web.replace("\nbackend app\n", `\nbackend app\n option httpchk\n${lines}`)}`;
    const steps = " http-check send uri /a body x\n http-check send uri /b\n http-check expect !status 500\n";
    expect(imported(check(steps)).services[0]?.servers[0]?.spec.check?.http).toMatchObject({
      uri: "/a",
      expect: { kind: "status", pattern: "500", not: true },
    });
    expect(outcomes(check(steps), "http-check send uri /a body x")).toEqual([
      "taken",
      "could not: body: a check sends a fixed request without a body",
    ]);
    expect(outcomes(check(steps), "http-check send uri /b")[0]).toContain("could not");
    const headers = " http-check expect hdr name x-ok value 1\n";
    expect(outcomes(check(headers), headers.trim())[0]).toContain("could not: hdr");
    expect(inBackend("http-check expect status 200")).toEqual([
      "as is: HAProxy ignores it without `option httpchk`",
    ]);
  });
});

test.each([
  ["option forwardfor", "as is"],
  ["option forwardfor header X-Client", "could not"],
  ["option forwardfor except 10.0.0.0/8", "could not"],
  ["option forwardfor if-none", "could not"],
  ["monitor-uri /alive", "could not"],
  ["compression algo gzip", "could not"],
  ["maxconn 5", "could not"],
  ["option httpclose", "could not"],
  ["timeout http-request 5s", "could not"],
  ["unique-id-header X-Id", "could not"],
])("[I32] a line is as is only if requests are treated the same without it: %s", (line, outcome) => {
  expect(inFrontend(line).map((text) => text.split(":")[0])).toEqual([outcome]);
});

test.each([
  ["http-reuse never", "could not"],
  ["http-reuse safe", "could not"],
  ["http-reuse always", "as is"],
  ["no option redispatch", "could not"],
  ["option redispatch", "as is"],
  ["retry-on conn-failure", "as is"],
  ["retry-on all-retryable-errors", "could not"],
  ["timeout connect 5s", "could not"],
  ["timeout queue 5s", "as is"],
  ["option allbackups", "as is"],
  ["use-server a if TRUE", "could not"],
])("[I32] a line is as is only if servers are used the same without it: %s", (line, outcome) => {
  expect(inBackend(line).map((text) => text.split(":")[0])).toEqual([outcome]);
});

test("[I32] a cookie is taken without the options that the mesh's cookie does not have", () => {
  const cookieOutcomes = (line: string, params: string) =>
    outcomes(
      `${defaults}${web.replace("\nbackend app\n", `\nbackend app\n ${line}\n server b 10.0.0.2:80 ${params}\n`)}`,
      line,
    );
  expect(
    cookieOutcomes("cookie S insert nocache httponly secure maxidle 30m domain a.b", "cookie b"),
  ).toEqual([
    expect.stringContaining("taken"),
    "could not: clients stay with a as well, without a cookie value",
    "could not: maxidle: the cookie ends with the browser's session",
    "could not: domain: the cookie belongs to the host name of the request",
  ]);
  expect(inBackend("cookie S insert")).toEqual([
    "as is: it cannot have an effect: no server has a cookie value",
  ]);
});

describe("labels", () => {
  const labels = (lines: string, servers = "") =>
    imported(`${defaults}${web.replace("\nbackend app\n", `\nbackend app\n${lines}${servers}`)}`).services[0]
      ?.labels;

  test("[I34] timeouts and retries become labels, and a request is sent to one server at a time", () => {
    expect(labels("")).toEqual({ "waggle.hedge": "false" });
    expect(labels(" timeout server 5s\n retries 0\n")).toEqual({
      "waggle.hedge": "false",
      "waggle.head-timeout": "5000ms",
      "waggle.retries": "0",
    });
    expect(labels(" retries 9\n timeout server 0\n")).toMatchObject({
      "waggle.retries": "3",
      "waggle.head-timeout": "24h",
    });
    expect(inBackend("retries 9")).toEqual([
      "taken: each retry goes to another server",
      "could not: 9: a request is sent again 3 times at most",
    ]);
    const fronts = "frontend one\n timeout client 3s\n bind :81\n default_backend app\n";
    const both = imported(`${defaults}${fronts}${web.replace("\n bind", "\n timeout client 9s\n bind")}`);
    expect(both.services[0]?.labels["waggle.body-timeout"]).toBe("9000ms");
    expect(
      both.diagnostics.filter(({ text }) => text === "timeout client 3s").map(({ note }) => note),
    ).toEqual([
      "while a client sends a body; nothing ends a response that has begun",
      "for app the longer time of another frontend applies",
    ]);
  });

  test("[I35] any number of requests waits for a server with maxconn, as long as timeout queue or connect says", () => {
    const server = " server b 10.0.0.2:80 maxconn 7\n";
    expect(labels(" timeout queue 3s\n timeout connect 1s\n", server)).toMatchObject({
      "waggle.maxconn": "1000000",
      "waggle.queue": "unlimited",
      "waggle.queue-timeout": "3000ms",
    });
    const only = (lines: string) =>
      imported(`${defaults}listen w\n bind :80\n${lines} server b 10.0.0.2:80 maxconn 7\n`).services[0]
        ?.labels;
    expect(only(" timeout connect 1s\n")).toMatchObject({
      "waggle.maxconn": "7",
      "waggle.queue-timeout": "1000ms",
    });
    expect(only("")?.["waggle.queue-timeout"]).toBe("24h");
  });
});

describe("lost protection", () => {
  /** `SECTION: TEXT (EFFECT)` of each line. */
  function lost(text: string): string[] {
    return imported(text).lostProtection.map((line) => `${line.section}: ${line.text} (${line.effect})`);
  }
  const inFront = (lines: string) =>
    lost(`${defaults}${web.replace(" default_backend", ` ${lines}\n default_backend`)}`);

  test.each([
    ["http-request deny if { path_beg /admin }", "denies requests"],
    ["http-request tarpit if { src 10.0.0.0/8 }", "delays and denies requests"],
    ["http-request return status 403 if TRUE", "denies requests"],
    ["http-request auth realm x", "requires a login"],
    ["http-request del-header X-User", "removes a header that clients may forge"],
    ["http-request redirect scheme https", "redirects clients to HTTPS"],
    ["tcp-request connection reject if { src 10.0.0.1 }", "rejects connections"],
    ["tcp-request content silent-drop if TRUE", "rejects connections"],
    ["maxconn 5", "limits the connections of clients"],
    ["rate-limit sessions 5", "limits the rate of connections"],
    ["timeout http-request 5s", "ends requests that arrive slowly"],
    ["stick-table type ip size 1m store http_req_rate(10s)", "counts requests to limit clients"],
    ["bind :81 ssl crt /x.pem verify required ca-file /y.pem", "requires a client certificate"],
    ["http-response set-header Strict-Transport-Security max-age=1", "sends a security header"],
    ["use_backend app if { src 10.0.0.0/8 }", "sends these requests to app alone"],
  ])("[I36] the summary names a line whose protection is lost: %s", (line, effect) => {
    expect(inFront(line)).toEqual([`frontend web: ${line} (${effect})`]);
  });

  test("[I36] a rule to a backend that refuses requests, and is not imported, protects the others", () => {
    const text = `${defaults}backend none\n http-request deny\n${web.replace(
      " default_backend",
      " use_backend none if { path_beg /admin }\n default_backend",
    )}`;
    expect(lost(text)).toEqual([
      "frontend web: use_backend none if { path_beg /admin } (sends these requests to none, which is not imported)",
    ]);
  });

  test("[I36] lines of a section that is not imported, and lines that only rewrite, protect nothing", () => {
    const off = "listen db\n disabled\n bind :1\n maxconn 5\n server s 10.0.0.1:1\n";
    expect(lost(`${defaults}${web}${off}`)).toEqual([]);
    expect(inFront("http-request set-path /x")).toEqual([]);
    expect(inFront("http-request return status 200")).toEqual([]);
  });
});

test("[I5] passwords and keys are not printed", () => {
  const text = `userlist u\n user a password hunter2\n user b insecure-password hunter2\n${defaults}${web.replace(
    "\nbackend app\n",
    "\nbackend app\n dynamic-cookie-key hunter2\n",
  )}`;
  expect(JSON.stringify(imported(text))).not.toContain("hunter2");
});

describe("--strict", () => {
  const required = (global: string, proxy: string, more = "") =>
    importConfig(
      `global\n${global}\ndefaults\n mode http\nlisten web\n bind :80\n server a 10.0.0.1:80 check\n${proxy}\n${more}`,
      {},
    ).strictRefusals.map(({ text }) => text);

  test.each([
    ["log /dev/log local0", "timeout connect 5s"],
    ["stats socket /run/haproxy.sock", "log global"],
    ["maxconn 4096", "option httplog"],
    ["tune.ssl.default-dh-param 2048", "option dontlognull"],
    ["ssl-default-bind-options no-tls-tickets", "option http-server-close"],
    ["crt-base /etc/ssl", "no option httpclose"],
    ["daemon", "timeout http-keep-alive 10s"],
    ["nbthread 2", "capture request header Host len 40"],
    ["user haproxy", "acl unused src 10.0.0.0/8"],
  ])("[I41] %s and %s do not count", (global, proxy) => {
    expect(required(` ${global}`, ` ${proxy}`)).toEqual([]);
  });

  test.each([
    "maxconn 4096",
    "http-request deny if { src 10.0.0.0/8 }",
    "http-request set-header X-A b",
    "errorfile 503 /e/503.http",
    "timeout tunnel 1h",
    "timeout http-request 5s",
    "option forwardfor except 127.0.0.0/8",
    "http-reuse never",
    "compression algo gzip",
    "monitor-uri /alive",
  ])("[I41] %s counts", (line) => {
    expect(required(" daemon", ` ${line}`)).toEqual([line]);
  });

  test("[I41] sections count if they are proxies that serve requests, and global only by its limits of rates", () => {
    expect(required(" maxconnrate 10\n maxconn 10", "")).toEqual(["maxconnrate 10"]);
    const none = "listen db\n bind :1\n balance source\n";
    expect(required("", "", none)[0]).toBe("listen db");
    expect(required("", "", `${none} disabled\n`)).toEqual([]);
    expect(required("", "", "userlist u\n user a password b\npeers p\n peer a 10.0.0.1:1\n")).toEqual([]);
  });
});

test("[I41] every line whose protection is lost counts", () => {
  const lines = [
    "maxconn 5",
    "timeout http-request 5s",
    "http-request deny",
    "tcp-request connection reject",
  ];
  const { lostProtection, strictRefusals } = importConfig(
    `defaults\n mode http\nlisten web\n bind :80 ssl crt /x.pem\n ${lines.join("\n ")}\n server a 10.0.0.1:80\n`,
    {},
  );
  expect(lostProtection).toHaveLength(5);
  const required = new Set(strictRefusals.map(({ line }) => line));
  expect(lostProtection.filter(({ line }) => !required.has(line))).toEqual([]);
});
