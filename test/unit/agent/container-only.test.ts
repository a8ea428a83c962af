import { expect, test } from "vitest";
import { whyNotAsProcess } from "../../../src/agent/runtimes/container-only.ts";

test.each([
  [{ ContainerSpec: { Mounts: [{ Type: "bind", Source: "/a", Target: "/b" }] } }, "--mount"],
  [{ ContainerSpec: { User: "1000" } }, "--user"],
  [{ ContainerSpec: { Groups: ["staff"] } }, "--group"],
  [{ ContainerSpec: { Privileges: { NoNewPrivileges: true } } }, "ContainerSpec.Privileges"],
  [{ ContainerSpec: { CapabilityAdd: ["CAP_NET_ADMIN"] } }, "--cap-add"],
  [{ ContainerSpec: { CapabilityDrop: ["ALL"] } }, "--cap-drop"],
  [{ ContainerSpec: { ReadOnly: true } }, "--read-only"],
  [{ ContainerSpec: { Healthcheck: { Test: ["CMD", "true"] } } }, "--health-cmd"],
  [{ ContainerSpec: { Hosts: ["10.0.0.1 db"] } }, "--host"],
  [{ ContainerSpec: { DNSConfig: { Nameservers: ["9.9.9.9"] } } }, "--dns"],
  [{ ContainerSpec: { Sysctls: { "net.core.somaxconn": "1" } } }, "--sysctl"],
  [{ ContainerSpec: { Ulimits: [{ Name: "nofile", Soft: 1, Hard: 1 }] } }, "--ulimit"],
  [{ ContainerSpec: { TTY: true } }, "--tty"],
  [{ ContainerSpec: { OpenStdin: true } }, "stdin_open"],
  [{ ContainerSpec: { Init: true } }, "--init"],
  [{ ContainerSpec: { OomScoreAdj: 500 } }, "--oom-score-adj"],
  [{ ContainerSpec: { Isolation: "hyperv" } }, "--isolation"],
  [{ Resources: { SwapBytes: 1 << 20 } }, "--memory-swap"],
  [{ Resources: { MemorySwappiness: 10 } }, "--memory-swappiness"],
  [{ Resources: { Limits: { MemoryBytes: 64 << 20 } } }, "--limit-memory"],
  [{ LogDriver: { Name: "syslog" } }, "--log-driver"],
])("[N103] a process cannot have %j, and the reason has the flag and the way out", (template, flag) => {
  expect(whyNotAsProcess(template)).toMatch(/^this node runs tasks as processes, which cannot have /);
  expect(whyNotAsProcess(template)).toContain(flag);
  expect(whyNotAsProcess(template)).toContain("waggle agent --runtime docker");
});

test("[N103] empty values and what a process can have are no reason", () => {
  const container = {
    Image: "web",
    Env: ["A=1"],
    Hostname: "h",
    Labels: { "com.docker.stack.namespace": "demo" },
    Init: false,
    Mounts: null,
    Healthcheck: { Test: ["NONE"] },
    DNSConfig: {},
    Isolation: "default",
    StopGracePeriod: 10e9,
  };
  const resources = { Limits: {}, Reservations: { MemoryBytes: 64 << 20 } };
  expect(whyNotAsProcess({ ContainerSpec: container, Resources: resources })).toBeNull();
});
