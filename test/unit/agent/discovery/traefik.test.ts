import { expect, test } from "vitest";
import { readRule, readTraefik } from "../../../../src/agent/discovery/traefik.ts";

const rule = (text: string) => readTraefik({ "traefik.http.routers.r.rule": text });

test("[N260] Traefik's Host, PathPrefix and Path with &&, || and parentheses are the mesh's host names and path rules", () => {
  for (const [text, labels] of [
    ["Host(`A.test`)", { "waggle.host": "a.test" }],
    ["Host(`a.test`, `b.test`)", { "waggle.host": "a.test,b.test" }],
    ['Host("a.test") || Host("b.test")', { "waggle.host": "a.test,b.test" }],
    ["Host(`a.test`) && PathPrefix(`/api`)", { "waggle.path": "a.test/api" }],
    ["PathPrefix(`/api`) && Host(`a.test`)", { "waggle.path": "a.test/api" }],
    ["Host(`a.test`) && Path(`/healthz`)", { "waggle.path": "a.test=/healthz" }],
    [
      "(Host(`a.test`) || Host(`b.test`)) && (PathPrefix(`/x`) || PathPrefix(`/y`))",
      { "waggle.path": "a.test/x,a.test/y,b.test/x,b.test/y" },
    ],
    [
      "Host(`a.test`) || (Host(`b.test`) && PathPrefix(`/x`))",
      { "waggle.host": "a.test", "waggle.path": "b.test/x" },
    ],
  ] as const) {
    expect(rule(text)).toMatchObject({ labels, warnings: [], isAsked: true });
  }
});

test("[N261] a rule that is not understood whole publishes nothing, and the warning quotes it with the reason", () => {
  for (const [text, reason] of [
    ["Host(`a.test`) && Method(`GET`)", "matcher Method is not known"],
    ["Host(`a.test`) && !Path(`/x`)", "! is not known"],
    ["HostRegexp(`.*`)", "matcher HostRegexp is not known"],
    ["PathPrefix(`/api`)", "has no Host"],
    ["Host(`a.test`) || PathPrefix(`/api`)", "has no Host"],
    ["Host(`a.test`", `")" is expected`],
    ["Host(a.test)", "a text in backticks is expected"],
    ["Host(`a b`)", '"a b" is not a host name'],
    ["Host(`a.test`) && PathPrefix(`api`)", '"api" is not a path'],
    ["Host(`a.test`) && Host(`b.test`)", "two host names"],
    ["Host(`a.test`) Host(`b.test`)", '"Host" is not expected there'],
    ["", "it ends too early"],
    ["(".repeat(400), "ends too early"],
    ["(".repeat(4_000), "too long"],
  ] as const) {
    const { labels, warnings } = rule(text);
    expect(labels).toEqual({});
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(reason);
    expect(warnings[0]).toContain("router r is not published: cannot read its rule");
  }
  const wide = Array.from({ length: 9 }, (_, index) => `Host(\`h${index}.test\`)`).join(" || ");
  expect(() => readRule(`(${wide}) && (${wide.replaceAll("Host(`h", "Path(`/p")})`)).toThrow("more than 64");
});

test("[N262] Traefik's port, sticky cookie and health check are the mesh's target port, sticky cookie and probe", () => {
  const service = "traefik.http.services.s.loadbalancer";
  const host = { "traefik.http.routers.r.rule": "Host(`a.test`)" };
  expect(
    readTraefik({
      ...host,
      [`${service}.server.port`]: "8000",
      [`${service}.sticky.cookie`]: "true",
      [`${service}.healthcheck.path`]: "/healthz",
    }),
  ).toEqual({
    labels: { "waggle.host": "a.test", "waggle.sticky": "waggle", "waggle.probe": "http:/healthz" },
    port: 8_000,
    isAsked: true,
    warnings: [],
  });
  expect(readTraefik({ ...host, [`${service}.sticky.cookie.name`]: "lb" }).labels).toMatchObject({
    "waggle.sticky": "lb",
  });
  expect(readTraefik({ ...host, [`${service}.server.port`]: "80x" })).toMatchObject({
    port: null,
    warnings: [expect.stringContaining('cannot read the port "80x"')],
  });
});

test("[N263] every other label of Traefik is named in a warning, and traefik.enable=false turns all of them off", () => {
  const { labels, warnings } = readTraefik({
    "traefik.enable": "true",
    "traefik.docker.network": "web",
    "traefik.http.routers.r.rule": "Host(`a.test`)",
    "traefik.http.routers.r.entrypoints": "websecure",
    "traefik.http.routers.r.tls.certresolver": "le",
    "traefik.http.routers.r.priority": "5",
    "traefik.http.services.s.loadbalancer.healthcheck.interval": "5s",
    "traefik.tcp.routers.t.rule": "HostSNI(`*`)",
  });
  expect(labels).toEqual({ "waggle.host": "a.test" });
  expect(warnings).toEqual([
    "Traefik labels without effect here: traefik.docker.network, traefik.tcp.routers.t.rule, traefik.http.routers.r.priority, traefik.http.services.s.loadbalancer.healthcheck.interval",
  ]);
  expect(readTraefik({ "traefik.enable": "false", "traefik.http.routers.r.rule": "Host(`a.test`)" })).toEqual(
    {
      labels: {},
      port: null,
      isAsked: false,
      warnings: [],
    },
  );
});

test("[N264] a router with a middleware that may refuse requests is not published without it; others are only named", () => {
  const withMiddleware = (name: string, more: Record<string, string> = {}) =>
    readTraefik({
      "traefik.http.routers.r.rule": "Host(`a.test`)",
      "traefik.http.routers.r.middlewares": name,
      ...more,
    });
  for (const reading of [
    withMiddleware("auth", { "traefik.http.middlewares.auth.basicauth.users": "u:p" }),
    withMiddleware("auth@file"),
    withMiddleware("zip,allow", {
      "traefik.http.middlewares.zip.compress": "true",
      "traefik.http.middlewares.allow.ipallowlist.sourcerange": "10.0.0.0/8",
    }),
  ]) {
    expect(reading.labels).toEqual({});
    expect(reading.warnings[0]).toMatch(
      /^router r is not published: middleware (auth|auth@file|allow) may protect it/,
    );
    expect(reading.warnings.join()).not.toContain("u:p");
  }
  expect(withMiddleware("zip", { "traefik.http.middlewares.zip.compress": "true" })).toMatchObject({
    labels: { "waggle.host": "a.test" },
    warnings: ["middlewares without effect here: zip"],
  });
});

test("[N465] a router is not published past its entry points, TLS options or a middleware of several kinds", () => {
  const host = { "traefik.http.routers.r.rule": "Host(`a.test`)" };
  const kinds = ["basicauth.users", "compress"].map((kind) => [`traefik.http.middlewares.m.${kind}`, "true"]);
  for (const [reason, more] of [
    ["its entry points internal may not be public", { "traefik.http.routers.r.entrypoints": "internal" }],
    ["its TLS options mtls@file may ask for", { "traefik.http.routers.r.tls.options": "mtls@file" }],
    ["middleware m may", { "traefik.http.routers.r.middlewares": "m", ...Object.fromEntries(kinds) }],
  ] as const) {
    const { labels, warnings } = readTraefik({ ...host, ...more });
    expect(labels).toEqual({});
    expect(warnings[0]).toContain(`router r is not published: ${reason}`);
  }
  const { labels } = readTraefik({
    ...host,
    "traefik.http.routers.r.entrypoints": "internal, websecure",
    "traefik.http.routers.r.tls.options": "default",
  });
  expect(labels).toEqual({ "waggle.host": "a.test" });
});

test("[N466] every traefik.enable that Traefik does not read as true turns its labels off", () => {
  const isAsked = (enable: string) =>
    readTraefik({ "traefik.enable": enable, "traefik.http.routers.r.rule": "Host(`a.test`)" }).isAsked;
  for (const text of ["true", "True", "TRUE", "1", "t"]) expect(isAsked(text)).toBe(true);
  for (const text of ["false", "False", "FALSE", "0", "f", "no", "", " true"])
    expect(isAsked(text)).toBe(false);
});
