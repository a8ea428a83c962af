import { describe, expect, test } from "vitest";
import { hostsOf, isDefaultService, knownLabels, probeOf } from "../../../../src/domain/labels/labels.ts";
import { MeshError } from "../../../../src/domain/model/error.ts";
import { resolveRef } from "../../../../src/domain/model/refs.ts";
import { runHash } from "../../../../src/domain/model/run-hash.ts";
import { validateSpec } from "../../../../src/domain/validate/service.ts";
import { aSpec, type SpecOver } from "../../../support/world.ts";

/** The error of validateSpec; `fine` if the spec is valid. */
function verdict(over: SpecOver): string {
  try {
    validateSpec(aSpec(over));
    return "fine";
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    expect([error.kind, error.facts.blame]).toEqual(["invalid", "operator"]);
    return error.message;
  }
}

describe("specs", () => {
  test("[K1] a name is a DNS name component of at most 63 characters", () => {
    expect(["my-web", "a", "Web_2", "x".repeat(63)].map((name) => verdict({ name }))).toEqual(
      Array(4).fill("fine"),
    );
    for (const name of ["-web", "web-", "my web", "my.web", "wéb", `${"a-".repeat(5_000)}!`]) {
      expect(verdict({ name })).toBe("name must be valid as a DNS name component");
    }
    expect(verdict({ name: "" })).toBe("meta: name must be provided");
    expect(verdict({ name: "x".repeat(64) })).toBe("name must be 63 characters or fewer");
  });

  test("[A90] the first part of an image is a registry if it has a dot or a port, or is localhost", () => {
    for (const image of ["Registry.Example/app", "localhost/app", "HOST:5000/a__b/c-d.e_f", "team/app:V2"]) {
      expect(verdict({ run: { image } })).toBe("fine");
    }
    const hex = (length: number) => "0".repeat(length);
    const refused = [
      "UPPER/image",
      "team/Image",
      "a//b",
      "a/-b",
      "a._b",
      "/a",
      "a/",
      "registry.example/",
      hex(64),
    ];
    for (const image of [...refused, `nginx@sha256:${hex(32)}`, `nginx@md5:${hex(32)}`]) {
      expect(verdict({ run: { image } })).toBe(`ContainerSpec: "${image}" is not a valid repository/tag`);
    }
  });

  test("[K2] an image is a reference: repository, tag and digest", () => {
    const digest = `nginx:latest@sha256:${"0".repeat(64)}`;
    for (const image of ["nginx", "waggle/whoami", "registry.example:5000/team/app:1.2", digest]) {
      expect(verdict({ run: { image } })).toBe("fine");
    }
    expect(verdict({ run: { image: "" } })).toBe("ContainerSpec: image reference must be provided");
    for (const image of ["Nginx", "a b", "nginx:", "../x", "nginx@sha256:1", "a".repeat(600)]) {
      expect(verdict({ run: { image } })).toBe(`ContainerSpec: "${image}" is not a valid repository/tag`);
    }
  });

  test("[K3] replicas are a whole number from 0 to 10000; the error says what was read", () => {
    expect([0, 1, 10_000].map((replicas) => verdict({ replicas }))).toEqual(["fine", "fine", "fine"]);
    for (const replicas of [-1, 1.5, 10_001, 1e9, Number.NaN]) {
      expect(verdict({ replicas })).toBe(`replicas is ${replicas}: use a whole number from 0 to 10000`);
    }
    expect(verdict({ mode: { kind: "global" } })).toBe("fine");
  });

  test("[K4] ports are 1 to 65535", () => {
    for (const target of [0, 65_536, 1.5]) {
      expect(verdict({ ports: [{ target, mode: "ingress" }] })).toBe(
        `EndpointSpec: target port is ${target}: use 1 to 65535`,
      );
    }
    expect(verdict({ ports: [{ target: 80, published: 65_536, mode: "ingress" }] })).toBe(
      "EndpointSpec: published port is 65536: use 1 to 65535, or leave it out to get a free one",
    );
    expect(verdict({ ports: [{ target: 65_535, published: 1, mode: "host" }] })).toBe("fine");
  });

  test("[K5] an invalid constraint is refused when it is set", () => {
    expect(verdict({ constraints: ["node.role=worker"] })).toBe(
      "constraint expected one operator from ==, !=",
    );
    expect(verdict({ constraints: ["node.role==worker"] })).toBe("fine");
  });

  test("[K6] counts and durations are not negative", () => {
    expect(verdict({ restart: { delayMs: -1 } })).toBe("TaskSpec: restart-delay cannot be negative");
    expect(verdict({ restart: { maxAttempts: -1 } })).toBe(
      "TaskSpec: restart-max-attempts cannot be negative",
    );
    expect(verdict({ update: { parallelism: -1 } })).toBe("TaskSpec: update-parallelism cannot be negative");
    expect(verdict({ maxPerNode: -1 })).toBe("TaskSpec: replicas-max-per-node cannot be negative");
  });

  test("[D161] limits and reservations are at least a thousandth of a core and 4 MiB, in SwarmKit's words", () => {
    for (const kind of ["limits", "reservations"]) {
      const of = (nanoCpus: number, memoryBytes: number) => verdict({ [kind]: { nanoCpus, memoryBytes } });
      expect(of(1, 0)).toBe("invalid cpu value 1e-09: Must be at least 0.001");
      expect(of(50_000, 1)).toBe("invalid cpu value 5e-05: Must be at least 0.001");
      expect(of(-1.234567890123456e15, 0)).toBe(
        "invalid cpu value -1.234567890123456e+06: Must be at least 0.001",
      );
      expect(of(123_456, 0)).toBe("invalid cpu value 0.000123456: Must be at least 0.001");
      expect(of(0, 1_024)).toBe("invalid memory value 1024: Must be at least 4MiB");
      expect(of(0, 4_194_303)).toBe("invalid memory value 4194303: Must be at least 4MiB");
      expect([of(0, 0), of(1e6, 4_194_304)]).toEqual(["fine", "fine"]);
    }
    const reservations = { nanoCpus: 2e9, memoryBytes: 2 ** 30 };
    expect(verdict({ limits: { nanoCpus: 1e9, memoryBytes: 2 ** 24 }, reservations })).toBe("fine");
  });
});

describe("labels", () => {
  test("[K7] an unknown waggle label is refused with a list of the known ones; other labels are not checked", () => {
    expect(verdict({ labels: { "waggle.hots": "x" } })).toBe(
      `label 'waggle.hots' is unknown: did you mean waggle.host? Known are ${knownLabels.join(", ")}`,
    );
    expect(verdict({ labels: { "Waggle.Hedge": "false" } })).toMatch(
      "label 'Waggle.Hedge' is unknown: did you mean waggle.hedge? Known are",
    );
    expect(verdict({ labels: { "com.docker.stack.namespace": "demo", waggle: "1" } })).toBe("fine");
  });

  test("[K8] waggle.host has host names separated by commas, ignoring case", () => {
    expect(hostsOf({ "waggle.host": "WWW.example.com, example.com,www.example.com" })).toEqual([
      "www.example.com",
      "example.com",
    ]);
    expect(hostsOf({})).toEqual([]);
    for (const host of ["", "a b", "http://x", "x:80", "-x.com", "x..com", `${"a".repeat(64)}.com`]) {
      expect(verdict({ labels: { "waggle.host": `ok.com,${host}` } })).toMatch(
        /^label 'waggle.host' has '.*': write host names/,
      );
    }
  });

  test("[K9] waggle.default is true or false", () => {
    expect([{}, { "waggle.default": "true" }, { "waggle.default": "false" }].map(isDefaultService)).toEqual([
      false,
      true,
      false,
    ]);
    expect(verdict({ labels: { "waggle.default": "yes" } })).toBe(
      "label 'waggle.default' is 'yes': write true or false",
    );
  });

  test("[K10] waggle.probe is tcp or http:/path", () => {
    expect(probeOf({})).toBeUndefined();
    expect(probeOf({ "waggle.probe": "tcp" })).toEqual({ kind: "tcp" });
    expect(probeOf({ "waggle.probe": "http:/healthz?full=1" })).toEqual({
      kind: "http",
      path: "/healthz?full=1",
    });
    for (const text of ["udp", "http:", "http:healthz", "http:/a b", "http:/a\r\nX: y"]) {
      expect(verdict({ labels: { "waggle.probe": text } })).toBe(
        `label 'waggle.probe' is '${text}': write tcp or http:/path`,
      );
    }
  });
});

test("[K11] the run hash changes only with what a task runs and with force", () => {
  const base = runHash(aSpec(), null);
  const changed: SpecOver[] = [
    { run: { image: "web:2" } },
    { run: { command: ["x"] } },
    { run: { args: ["x"] } },
    { run: { env: ["A=1"] } },
    { run: { dir: "/srv" } },
    { run: { stopGraceMs: 1 } },
    { run: { stopSignal: "SIGINT" } },
    { run: { probe: { kind: "tcp" } } },
    { run: { probe: { kind: "http", path: "/" } } },
    { run: { targets: [80, 81] } },
    { ports: [{ target: 80, published: 9090, mode: "host" }] },
    { forceUpdate: 1 },
  ];
  expect(new Set([base, ...changed.map((over) => runHash(aSpec(over), null))]).size).toBe(changed.length + 1);
  const unchanged: SpecOver[] = [
    { name: "other" },
    { replicas: 9 },
    { labels: { a: "b" } },
    { constraints: ["node.role==worker"] },
    { maxPerNode: 1 },
    { ports: [{ target: 80, published: 9090, mode: "ingress" }] },
    { restart: { condition: "none" } },
    { update: { parallelism: 0 } },
    { reservations: { nanoCpus: 1e9, memoryBytes: 0 } },
  ];
  for (const over of unchanged) expect(runHash(aSpec(over), null)).toBe(base);
});

test("[K12] a ref is a full id, an exact name or a unique id prefix, in this order", () => {
  const nodes = [
    { id: "abc1", hostname: "x" },
    { id: "abd2", hostname: "abc1" },
    { id: "y", hostname: "twin" },
    { id: "z", hostname: "twin" },
  ];
  const naming = { kind: "node", name: (node: { hostname: string }) => node.hostname } as const;
  const find = (ref: string) => {
    try {
      return resolveRef(nodes, ref, naming).id;
    } catch (error) {
      return (error as MeshError).message;
    }
  };
  expect(find("abc1")).toBe("abc1");
  expect(find("x")).toBe("abc1");
  expect(find("abd")).toBe("abd2");
  expect(find("ab")).toBe("node ab is ambiguous (2 matches found)");
  expect(find("twin")).toBe("node twin is ambiguous (2 matches found)");
  expect(find("q")).toBe("node q not found");
  expect(find("")).toBe("node  not found");
});
