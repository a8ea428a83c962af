// Compares which configurations import reads with those that `haproxy -c` accepts: lines of every kind, and the
// same lines with a misspelled, missing or additional word.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { importConfig } from "../../../src/haproxy/import.ts";
import { missingPrograms } from "../../support/program.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-validity-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Place = "global" | "frontend" | "backend";

/** A configuration with this line in a section. */
function configWith(place: Place, line: string): string {
  const added = (section: Place) => (section === place ? `  ${line}\n` : "");
  return `global
${added("global")}userlist staff
  user ops insecure-password x
cache pages
  total-max-size 4
resolvers dns
  nameserver a 127.0.0.1:53
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
backend table
  stick-table type ip size 1k expire 1m store http_req_rate(10s)
frontend web
  bind 127.0.0.1:8999
  acl inside src 10.0.0.0/8
${added("frontend")}  default_backend app
backend app
  acl inside src 10.0.0.0/8
${added("backend")}  server a 127.0.0.1:1 check
`;
}

const lines: readonly (readonly [Place, string])[] = [
  ...[
    "daemon",
    "maxconn 5",
    "log /dev/log local0 notice",
    "stats socket /run/x.sock mode 660 level admin",
  ].map(inGlobal),
  ...["tune.bufsize 16384", "ssl-default-bind-options no-sslv3 no-tls-tickets", "spread-checks 5"].map(
    inGlobal,
  ),
  ...["setenv A 1", "hard-stop-after 30s", "cpu-map 1 0", "unix-bind mode 660", "master-worker"].map(
    inGlobal,
  ),
  ...["bind :80,:81", "bind 127.0.0.1:80-90 name x", "bind unix@/run/x accept-proxy", "mode tcp"].map(
    inFrontend,
  ),
  ...["acl a hdr(host),lower -i x.example.com", "acl a dst_port gt 5", "acl a src 10.0.0.0/8"].map(
    inFrontend,
  ),
  ...["acl a hdr_reg(host) -i ^www", "acl a path_beg -- /x", "acl a urlp(x) -m found"].map(inFrontend),
  ...["http-request deny if inside", "http-request set-header x %[hdr(a),lower] unless inside"].map(
    inFrontend,
  ),
  ...["http-request return status 200 content-type text/plain string ok", "http-request auth realm x"].map(
    inFrontend,
  ),
  ...["http-request track-sc0 src table table", "http-request set-var(txn.a) hdr(x) if TRUE"].map(inFrontend),
  ...["http-request redirect scheme https code 301 unless { ssl_fc }", "http-request set-path /x"].map(
    inFrontend,
  ),
  ...["http-request redirect code 301 location /x", "acl a var(txn.x) -m str y", "stick on anything"].map(
    inFrontend,
  ),
  ...["http-request cache-use pages", "http-request auth unless { http_auth(staff) }"].map(inFrontend),
  ...["http-response set-status 404 reason x", "http-response del-header server"].map(inFrontend),
  ...["tcp-request connection reject if inside", "tcp-request inspect-delay 5s"].map(inFrontend),
  ...["use_backend app if inside or { path_beg /x }", "use_backend %[req.hdr(host),lower]"].map(inFrontend),
  ...["timeout client 10s", "timeout http-request 10s", "maxconn 5", "monitor-uri /alive", "no log"].map(
    inFrontend,
  ),
  ...["option forwardfor except 127.0.0.0/8 header x", "option httplog clf", "option dontlognull"].map(
    inFrontend,
  ),
  ...["capture request header host len 10", "unique-id-header x", "log global", "compression algo gzip"].map(
    inFrontend,
  ),
  ...[
    "redirect prefix /a code 302 if inside",
    "stats uri /s",
    "stats refresh 3s",
    "monitor fail if inside",
  ].map(inFrontend),
  ...[
    "balance roundrobin",
    "balance uri whole depth 3",
    "balance url_param x check_post",
    "balance hdr(x)",
  ].map(inBackend),
  ...["cookie x insert indirect nocache maxidle 30m domain a.b", "hash-type consistent sdbm avalanche"].map(
    inBackend,
  ),
  ...["server b 127.0.0.1:80 check inter 2s fall 3 rise 2 weight 5 maxconn 5 cookie x"].map(inBackend),
  ...["server b 127.0.0.1", "server b unix@/run/x", "server b 127.0.0.1:+100 backup"].map(inBackend),
  ...["server b 127.0.0.1:80 ssl verify none sni str(a.b) alpn h2", "server b *:80 disabled"].map(inBackend),
  ...["server b 127.0.0.1:80 on-marked-down shutdown-sessions slowstart 3s send-proxy-v2"].map(inBackend),
  ...["server b 127.0.0.1:80 resolvers dns resolve-prefer ipv4 init-addr last,libc,none"].map(inBackend),
  ...["server b 127.0.0.1:80 track a", "default-server inter 1s fastinter 1s", "use-server a if inside"].map(
    inBackend,
  ),
  ...[
    "option httpchk GET /x HTTP/1.1",
    "http-check expect status 200-299",
    "http-check expect ! rstring x",
  ].map(inBackend),
  ...["http-check send meth GET uri / ver HTTP/1.1 hdr a b body c", "http-check disable-on-404"].map(
    inBackend,
  ),
  ...[
    "option redispatch 3",
    "no option redispatch",
    "option allbackups",
    "retries 3",
    "http-reuse never",
  ].map(inBackend),
  ...[
    "retry-on 404 response-timeout",
    "stick on src table table",
    "stick-table type ip size 1k store gpc0",
  ].map(inBackend),
  ...[
    "errorfile 503 /dev/null",
    "timeout queue 5s",
    "timeout tunnel 1h",
    "fullconn 5",
    "source 127.0.0.1",
  ].map(inBackend),
  ...["tcp-check connect port 80", "persist rdp-cookie", "load-server-state-from-file global"].map(inBackend),
];

function inGlobal(line: string): readonly [Place, string] {
  return ["global", line];
}
function inFrontend(line: string): readonly [Place, string] {
  return ["frontend", line];
}
function inBackend(line: string): readonly [Place, string] {
  return ["backend", line];
}

/** The line itself, and with its keyword or another word misspelled, a word missing, or one too many. */
function variantsOf(line: string, index: number): readonly string[] {
  const words = line.split(" ");
  const letters = words.flatMap((word, at) => (/^[a-z][a-z_-]{2,}$/.test(word) ? [at] : []));
  const at = letters[index % Math.max(1, letters.length)] ?? 0;
  const replaced = (position: number, word: string) => words.with(position, word).join(" ");
  const word = words[at] ?? "";
  const changed = [
    replaced(at, `${word.slice(0, 1)}${word.slice(2)}`),
    replaced(0, `${words[0]}s`),
    words.slice(0, -1).join(" "),
    `${line} xyzzy`,
  ];
  return [line, ...changed.filter((_, change) => (change + index) % 2 === 0)];
}

let number = 0;
async function isAcceptedByHaproxy(text: string): Promise<boolean> {
  number += 1;
  const file = join(folder, `${number}.cfg`);
  writeFileSync(file, text);
  return await new Promise((resolve) => {
    execFile("haproxy", ["-c", "-f", file], (error) => resolve(error === null));
  });
}

const missing = missingPrograms(["haproxy"]);
const title = missing.length === 0 ? "with HAProxy" : `skipped: no ${missing.join()} command`;

describe.skipIf(missing.length > 0)(title, () => {
  test("[I24] import reads what haproxy -c accepts, and refuses what it refuses", {
    timeout: 120_000,
  }, async () => {
    const cases = lines.flatMap(([place, line], index) =>
      variantsOf(line, index).map((text) => [place, text] as const),
    );
    const queue = [...cases];
    const different: string[] = [];
    const work = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [place, line] = next;
        const text = configWith(place, line);
        const { errors } = importConfig(text, {});
        const isAccepted = await isAcceptedByHaproxy(text);
        if (isAccepted !== (errors.length === 0))
          different.push(`${place}: ${line} (HAProxy: ${isAccepted})`);
      }
    };
    await Promise.all(Array.from({ length: 3 }, work));
    expect(different).toEqual([]);
  });
});
